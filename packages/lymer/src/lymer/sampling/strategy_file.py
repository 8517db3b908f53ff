"""The strategies file: what it says, and the strategies that follow from it.

::

    {
        "default_strategy": {
            "type": "probabilistic",
            "param": 0.5,
            "operation_strategies": [{"operation": "/health", "type": "probabilistic", "param": 0}],
        },
        "service_strategies": [{"service": "foo", "type": "ratelimiting", "param": 5}],
    }

Nothing in it is required. Keys are read without regard to case and unknown ones are ignored, as by
Jaeger, which reads it with Go; what is ignored is said in `warnings`.

Source: Jaeger 1.76 and 2.20, `internal/sampling/samplingstrategy/file/provider.go`; reference
jaeger.md 3.2.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NoReturn

from lymer.errors import RejectedError
from lymer.sampling.strategies import (
    OperationStrategies,
    OperationStrategy,
    Probabilistic,
    RateLimiting,
    Strategy,
)

__all__ = ["FILE_BYTES_MAX", "FileStrategies", "StrategyFileError", "read_strategies"]

FILE_BYTES_MAX: Final = 16 << 20
"""Limit on a file, bytes: about 150,000 operations."""
_INT32: Final = 1 << 31
_SERVICE_KEYS: Final = frozenset({"service", "type", "param", "operation_strategies"})
_OPERATION_KEYS: Final = frozenset({"operation", "type", "param"})
_FILE_KEYS: Final = frozenset({"default_strategy", "service_strategies"})


class StrategyFileError(RejectedError):
    """A strategies file that cannot be used; the message says where in it and why."""


@dataclass(frozen=True, slots=True)
class FileStrategies:
    """The strategies of one file."""

    default: Strategy
    """For every service without an entry."""
    services: Mapping[str, Strategy]
    """Service → what holds for it."""
    warnings: tuple[str, ...] = ()
    """What the file says to no effect; each names the place in it."""

    def get(self, service: str) -> Strategy:
        """Return what holds for `service`."""
        return self.services.get(service, self.default)


def read_strategies(content: bytes, *, default_probability: float) -> FileStrategies:
    """Return the strategies that a file gives.

    Args:
        content: The file. JSON `null` says nothing: everybody gets the default probability.
        default_probability: For services and operations about which the file says nothing that
            is known.

    Raises:
        StrategyFileError: It is no JSON, or something in it has a type it must not have.
    """
    if len(content) > FILE_BYTES_MAX:
        raise StrategyFileError(f"it has {len(content)} bytes, the limit is {FILE_BYTES_MAX}")
    try:
        document = json.loads(content.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise StrategyFileError(f"it is not UTF-8 at byte {error.start}") from error
    except RecursionError as error:
        raise StrategyFileError("it is nested too deep") from error
    except ValueError as error:
        raise StrategyFileError(f"it is not JSON: {error}") from error
    return _Reading(default_probability).read(document)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


@dataclass(slots=True)
class _Reading:
    """One pass through a file."""

    default_probability: float
    warnings: list[str] = field(default_factory=list)

    def read(self, document: object) -> FileStrategies:
        default = Strategy(Probabilistic(self.default_probability))
        services: dict[str, Strategy] = {}
        if document is not None:
            members = self._members(document, "", _FILE_KEYS)
            sent = members.get("default_strategy")
            if sent is not None:
                default = self._strategy(
                    self._members(sent, "default_strategy", _SERVICE_KEYS), "default_strategy"
                )
            for index, entry in enumerate(self._list(members, "service_strategies", "")):
                path = f"service_strategies[{index}]"
                said = self._members(entry, path, _SERVICE_KEYS)
                service = self._text(said, "service", path)
                services[service] = _inherit(self._strategy(said, path), default)
        return FileStrategies(default, services, tuple(self.warnings))

    def _strategy(self, members: Mapping[str, object], path: str) -> Strategy:
        sampler = self._sampler(members, path)
        entries = self._list(members, "operation_strategies", path)
        if not entries:
            return Strategy(sampler)
        probability = self.default_probability
        if isinstance(sampler, Probabilistic):
            probability = sampler.probability
        operations = []
        for index, entry in enumerate(entries):
            place = f"{path}.operation_strategies[{index}]"
            said = self._members(entry, place, _OPERATION_KEYS)
            operation = self._text(said, "operation", place)
            own = self._sampler(said, place)
            if isinstance(own, RateLimiting):
                self.warnings.append(
                    f'{place}: operations can only be sampled by "probabilistic", so '
                    f'"{operation}" has the probability {probability:g} of its service'
                )
                continue
            operations.append(OperationStrategy(operation, own.probability))
        return Strategy(sampler, OperationStrategies(probability, tuple(operations)))

    def _sampler(self, members: Mapping[str, object], path: str) -> Probabilistic | RateLimiting:
        kind = self._text(members, "type", path)
        param = self._number(members, path)
        if kind == "probabilistic":
            if not 0 <= param <= 1:
                self.warnings.append(
                    f"{path}.param: {param:g} is no probability; it is sent, clients refuse it"
                )
            return Probabilistic(param)
        if kind == "ratelimiting":
            if not -_INT32 - 1 < param < _INT32:
                raise StrategyFileError(
                    f"{path}.param: must be a rate within 32 bits, but it is {param:g}"
                )
            if param != int(param):
                self.warnings.append(
                    f"{path}.param: a rate is a whole number, so {param:g} is {int(param)}"
                )
            return RateLimiting(int(param))
        self.warnings.append(
            f'{path}.type: must be "probabilistic" or "ratelimiting", but it is "{kind[:80]}", so '
            f"the default probability {self.default_probability:g} holds"
        )
        return Probabilistic(self.default_probability)

    def _members(self, value: object, path: str, known: frozenset[str]) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise StrategyFileError(f"{path or 'it'}: must be an object, but it is {_kind(value)}")
        members = {key.lower(): member for key, member in value.items()}
        for key in members.keys() - known:
            place = f"{path}.{key}" if path else key
            self.warnings.append(f"{place[:200]}: unknown, ignored")
        return members

    def _list(self, members: Mapping[str, object], key: str, path: str) -> list[object]:
        value = members.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            place = f"{path}.{key}" if path else key
            raise StrategyFileError(f"{place}: must be a list, but it is {_kind(value)}")
        return value

    def _text(self, members: Mapping[str, object], key: str, path: str) -> str:
        value = members.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise StrategyFileError(f"{path}.{key}: must be a text, but it is {_kind(value)}")
        return value

    def _number(self, members: Mapping[str, object], path: str) -> float:
        value = members.get("param")
        if value is None:
            return 0.0
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise StrategyFileError(f"{path}.param: must be a number, but it is {_kind(value)}")
        try:
            number = float(value)
        except OverflowError:
            number = float("inf")
        if number in {float("inf"), float("-inf")}:
            raise StrategyFileError(f"{path}.param: is beyond the numbers of 64 bits")
        return number


def _inherit(own: Strategy, default: Strategy) -> Strategy:
    """Return `own` with what it takes over from the default strategy."""
    inherited = default.operations
    if inherited is None:
        return own
    if own.operations is None:
        if isinstance(own.sampler, Probabilistic):
            inherited = replace(inherited, default_probability=own.sampler.probability)
        return replace(own, operations=inherited)
    known = {each.operation for each in own.operations.operations}
    added = tuple(each for each in inherited.operations if each.operation not in known)
    merged = replace(own.operations, operations=own.operations.operations + added)
    return replace(own, operations=merged)


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a truth value"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"
