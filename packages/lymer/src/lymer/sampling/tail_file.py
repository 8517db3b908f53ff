"""The file of tail sampling policies, YAML or JSON, in the words of the Collector's processor.

::

    policies:
      - name: errors
        type: status_code
        status_code: {status_codes: [ERROR]}
      - name: one in ten
        type: probabilistic
        probabilistic: {sampling_percentage: 10}

The whole `tail_sampling` section of a Jaeger v2 or Collector configuration can be given; what
concerns its memory (`num_traces`, `expected_new_traces_per_sec`, ...) has no meaning here,
`decision_wait` is the setting `tail_sampling.grace_seconds`; `unread_settings` names each.

Source: opentelemetry-collector-contrib `processor/tailsamplingprocessor/{README.md,config.go}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import yaml

from lymer.errors import RejectedError
from lymer.model.tail_policy import (
    AlwaysSample,
    And,
    BooleanAttribute,
    Composite,
    CompositePart,
    Drop,
    Latency,
    NumericAttribute,
    Policy,
    Probabilistic,
    RateLimiting,
    SimplePolicy,
    SpanCount,
    StatusCode,
    StringAttribute,
    TailPolicy,
    TraceState,
)

__all__ = ["POLICIES_MAX", "TailFileError", "read_tail_policies", "unread_settings"]

POLICIES_MAX: Final = 100
"""Policies of one file: each is an expression of the statement that decides."""
_FILE_BYTES_MAX: Final = 1 << 20
_VALUES_MAX: Final = 1000
_STATUSES: Final = {"UNSET": 0, "OK": 1, "ERROR": 2}
_OF_THE_PROCESSOR: Final = (
    *("num_traces", "expected_new_traces_per_sec", "decision_cache", "maximum_trace_size_bytes"),
    *("block_on_overflow", "sample_on_first_match", "drop_pending_traces_on_shutdown"),
    *("sampling_strategy", "tail_storage", "decision_wait_after_root_received"),
)
_INT64: Final = 1 << 63


class TailFileError(RejectedError):
    """A policies file that cannot be used; the message says where in it and why."""


def read_tail_policies(content: bytes) -> tuple[Policy, ...]:
    """Return the policies of a file, in its order.

    Raises:
        TailFileError: It is no YAML, or something in it is not what it must be.
    """
    root = _Place("", _section(content)).mapping()
    entries = root.child("policies").sequence()
    if not entries:
        raise TailFileError(
            "policies: there is none; without a policy every trace would be dropped"
        )
    if len(entries) > POLICIES_MAX:
        raise TailFileError(f"policies: {len(entries)} of them, the limit is {POLICIES_MAX}")
    policies = tuple(_policy(entry) for entry in entries)
    names = [policy.name for policy in policies]
    for name in names:
        if names.count(name) > 1:
            raise TailFileError(f"policies: the name {name!r} is used twice")
    return policies


def unread_settings(content: bytes) -> tuple[str, ...]:
    """Return a sentence about each setting of the section that is not a policy: none is read.

    Raises:
        TailFileError: It is no YAML.
    """
    section = _section(content)
    names = (
        [str(name) for name in section if name != "policies"]
        if isinstance(section, Mapping)
        else []
    )
    return tuple(_unread(name, section[name]) for name in names)


def _unread(name: str, value: Any) -> str:
    if name == "decision_wait":
        return f"decision_wait is not read here: set tail_sampling.grace_seconds to {value}"
    if name in _OF_THE_PROCESSOR:
        return f"{name} has no meaning here: traces wait in the store, not in memory"
    return f"{name} is not known and not read"


def _section(content: bytes) -> Any:
    if len(content) > _FILE_BYTES_MAX:
        raise TailFileError(f"it has {len(content)} bytes, the limit is {_FILE_BYTES_MAX}")
    try:
        document = yaml.safe_load(content)
    except (yaml.YAMLError, RecursionError) as error:
        raise TailFileError(f"it is no YAML: {error}") from error
    for name in ("processors", "tail_sampling"):
        if isinstance(document, Mapping) and name in document:
            document = document[name]
    return document


class _Place:
    """A value in the document, and the path to it, for messages."""

    def __init__(self, path: str, value: Any) -> None:
        self._path = path
        self._value = value

    def wrong(self, message: str) -> TailFileError:
        return TailFileError(f"{self._path or 'the file'}: {message}")

    def mapping(self) -> _Place:
        if not isinstance(self._value, Mapping):
            raise self.wrong(f"must be a mapping, is {_kind(self._value)}")
        return self

    def sequence(self) -> list[_Place]:
        if not isinstance(self._value, Sequence) or isinstance(self._value, str):
            raise self.wrong(f"must be a list, is {_kind(self._value)}")
        if len(self._value) > _VALUES_MAX:
            raise self.wrong(f"has {len(self._value)} entries, the limit is {_VALUES_MAX}")
        return [_Place(f"{self._path}[{i}]", value) for i, value in enumerate(self._value)]

    def has(self, key: str) -> bool:
        return self._value.get(key) is not None

    def child(self, key: str) -> _Place:
        path = f"{self._path}.{key}" if self._path else key
        if self._value.get(key) is None:
            raise _Place(path, None).wrong("is missing")
        return _Place(path, self._value[key])

    def text(self) -> str:
        if not isinstance(self._value, str) or not self._value:
            raise self.wrong(f"must be a text, is {_kind(self._value)}")
        return self._value

    def number(self, least: float, most: float) -> float:
        value = self._value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(f"must be a number, is {_kind(value)}")
        if not least <= value <= most:
            raise self.wrong(f"is {value}, must be from {least:g} to {most:g}")
        return float(value)

    def integer(self, least: int, most: int) -> int:
        value = self._value
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(f"must be a whole number, is {_kind(value)}")
        if not least <= value <= most:
            raise self.wrong(f"is {value}, must be from {least} to {most}")
        return value

    def truth(self) -> bool:
        if not isinstance(self._value, bool):
            raise self.wrong(f"must be true or false, is {_kind(self._value)}")
        return self._value

    def texts(self) -> tuple[str, ...]:
        texts = tuple(place.text() for place in self.sequence())
        if not texts:
            raise self.wrong("is empty, so nothing would ever match")
        return texts

    def flag(self, key: str) -> bool:
        return self.child(key).truth() if self.has(key) else False


def _kind(value: object) -> str:
    return "nothing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"


def _policy(place: _Place) -> Policy:
    place.mapping()
    name = place.child("name").text()
    kind = place.child("type").text()
    return Policy(name, _rule(place, kind))


def _rule(place: _Place, kind: str) -> TailPolicy:
    if kind == "and":
        return And(_parts(place.child("and").mapping().child("and_sub_policy")))
    if kind == "drop":
        return Drop(_parts(place.child("drop").mapping().child("drop_sub_policy")))
    if kind == "composite":
        return _composite(place.child("composite").mapping())
    return _simple(place, kind)


def _parts(place: _Place) -> tuple[SimplePolicy, ...]:
    parts = tuple(_simple(part.mapping(), part.child("type").text()) for part in place.sequence())
    if not parts:
        raise place.wrong("is empty")
    return parts


def _simple(place: _Place, kind: str) -> SimplePolicy:
    if kind == "always_sample":
        return AlwaysSample()
    read = _SIMPLE.get(kind)
    if read is None:
        known = ", ".join(["always_sample", *_SIMPLE, "and", "drop", "composite"])
        raise place.child("type").wrong(f"{kind!r} is not known here; known are {known}")
    return read(place.child(kind).mapping())


def _latency(place: _Place) -> Latency:
    least = place.child("threshold_ms").integer(0, _INT64 // 1_000_000)
    most = None
    if place.has("upper_threshold_ms"):
        most = place.child("upper_threshold_ms").integer(0, _INT64 // 1_000_000) or None
        if most is not None and most < least:
            raise place.child("upper_threshold_ms").wrong(f"is {most}, below threshold_ms {least}")
    return Latency(least, most)


def _status_code(place: _Place) -> StatusCode:
    codes = place.child("status_codes").sequence()
    if not codes:
        raise place.child("status_codes").wrong("is empty, so nothing would ever match")
    for code in codes:
        if code.text() not in _STATUSES:
            raise code.wrong(f"is {code.text()!r}, must be one of {', '.join(_STATUSES)}")
    return StatusCode(tuple(_STATUSES[code.text()] for code in codes))


def _string_attribute(place: _Place) -> StringAttribute:
    return StringAttribute(
        place.child("key").text(),
        place.child("values").texts(),
        are_expressions=place.flag("enabled_regex_matching"),
        is_inverted=place.flag("invert_match"),
    )


def _numeric_attribute(place: _Place) -> NumericAttribute:
    least, most = (
        place.child(key).integer(-_INT64, _INT64 - 1) if place.has(key) else default
        for key, default in (("min_value", -_INT64), ("max_value", _INT64 - 1))
    )
    if least > most:
        raise place.child("max_value").wrong(f"is {most}, below min_value {least}")
    return NumericAttribute(place.child("key").text(), least, most, place.flag("invert_match"))


def _boolean_attribute(place: _Place) -> BooleanAttribute:
    return BooleanAttribute(
        place.child("key").text(), place.flag("value"), place.flag("invert_match")
    )


def _trace_state(place: _Place) -> TraceState:
    return TraceState(place.child("key").text(), place.child("values").texts())


def _span_count(place: _Place) -> SpanCount:
    least = place.child("min_spans").integer(0, 1 << 31) if place.has("min_spans") else 0
    most = place.child("max_spans").integer(0, 1 << 31) if place.has("max_spans") else 0
    if most and most < least:
        raise place.child("max_spans").wrong(f"is {most}, below min_spans {least}")
    return SpanCount(least, most)


def _probabilistic(place: _Place) -> Probabilistic:
    salt = place.child("hash_salt").text() if place.has("hash_salt") else ""
    return Probabilistic(place.child("sampling_percentage").number(0, 100), salt)


def _rate_limiting(place: _Place) -> RateLimiting:
    return RateLimiting(place.child("spans_per_second").integer(0, 1 << 31))


def _composite(place: _Place) -> Composite:
    total = place.child("max_total_spans_per_second").integer(1, 1 << 31)
    named: dict[str, SimplePolicy | And] = {}
    for part in place.child("composite_sub_policy").sequence():
        part.mapping()
        rule = _rule(part, part.child("type").text())
        if isinstance(rule, Composite | Drop):
            raise part.child("type").wrong("cannot stand inside a composite")
        named[part.child("name").text()] = rule
    shares = dict.fromkeys(named, 0)
    unshared = set(named)
    for entry in place.child("rate_allocation").sequence() if place.has("rate_allocation") else ():
        entry.mapping()
        name = entry.child("policy").text()
        if name not in named:
            raise entry.child("policy").wrong(f"{name!r} is none of the sub policies")
        shares[name] = round(total * entry.child("percent").number(0, 100) / 100)
        unshared.discard(name)
    for name in unshared:
        # What has no share of its own gets an equal part of the total, as in the original.
        shares[name] = total // len(named)
    order = place.child("policy_order").texts() if place.has("policy_order") else tuple(named)
    for name in order:
        if name not in named:
            raise place.child("policy_order").wrong(f"{name!r} is none of the sub policies")
    return Composite(tuple(CompositePart(name, named[name], shares[name]) for name in order), total)


_SIMPLE: Final[Mapping[str, Callable[[_Place], SimplePolicy]]] = {
    "latency": _latency,
    "status_code": _status_code,
    "string_attribute": _string_attribute,
    "numeric_attribute": _numeric_attribute,
    "boolean_attribute": _boolean_attribute,
    "trace_state": _trace_state,
    "span_count": _span_count,
    "probabilistic": _probabilistic,
    "rate_limiting": _rate_limiting,
}
"""Type → reader of the mapping of that name."""
