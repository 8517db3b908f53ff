"""What can go wrong, and what the truth about it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lymer.incidents.application import APPLICATION, CLIENT, CONSUMER, SERVER, Call, hosts_of

__all__ = ["KINDS", "NEW_VERSION", "OLD_VERSION", "Fault", "draw_fault"]

KINDS: Final = (
    "slow-callee",
    "bad-version",
    "bad-host",
    "n-plus-one",
    "retry-storm",
    "lock",
    "queue",
    "cold-cache",
    "error-burst",
)
OLD_VERSION: Final = "1.4.1"
NEW_VERSION: Final = "1.4.2"
REQUESTS_HIT_MAX: Final = 0.05
"""Part of all requests that the fault may touch."""
_SLOWER_MAX: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong between two instants."""

    kind: str
    service: str
    operation: str | None
    """None: every operation of the service."""
    attribute: str | None = None
    value: str | None = None
    probability: float
    """Part of the requests that pass there and that it touches."""
    slower: float = 1.0
    """Factor of what a touched span does itself."""
    wait_millis: float = 0.0
    """Median of what a touched message waits longer."""
    repeats: int = 0
    """How often more a touched span makes its last call."""
    attempts: int = 0
    """Failed calls before one succeeds."""
    is_failing: bool = False

    def truth(self, start_unix_nano: int, end_unix_nano: int) -> dict[str, Any]:
        """Return what `--truth FILE` holds."""
        return {
            "service": self.service,
            "operation": self.operation,
            "attribute": self.attribute,
            "value": self.value,
            "start_unix_nano": start_unix_nano,
            "end_unix_nano": end_unix_nano,
        }


def draw_fault(kind: str, chance: np.random.Generator) -> Fault:
    """Draw where a kind of fault strikes.

    Raises:
        KeyError: There is no such kind.
    """
    return _DRAW[kind](kind, chance)


def _pick(chance: np.random.Generator, places: list[tuple[Call, float]]) -> tuple[Call, float]:
    return places[int(chance.integers(len(places)))]


def _slow_callee(kind: str, chance: np.random.Generator) -> Fault:
    call, share = _pick(chance, _places(SERVER, inner=True))
    return Fault(
        kind=kind,
        service=call.service,
        operation=call.name,
        probability=_part(share),
        slower=_SLOWER_MAX,
    )


def _lock(kind: str, chance: np.random.Generator) -> Fault:
    """A statement or a section waits for another one; which it is, no attribute says."""
    call, share = _pick(chance, [one for one in _places(CLIENT) if not one[0].calls])
    return Fault(
        kind=kind,
        service=call.service,
        operation=call.name,
        probability=_part(share),
        slower=_SLOWER_MAX,
    )


def _bad_version(kind: str, chance: np.random.Generator) -> Fault:
    service, share = _service(chance)
    return Fault(
        kind=kind,
        service=service,
        operation=None,
        attribute="service.version",
        value=NEW_VERSION,
        probability=_part(share),
        slower=_SLOWER_MAX,
    )


def _bad_host(kind: str, chance: np.random.Generator) -> Fault:
    service, share = _service(chance)
    hosts = hosts_of(service)
    host = hosts[int(chance.integers(len(hosts)))]
    return Fault(
        kind=kind,
        service=service,
        operation=None,
        attribute="host.name",
        value=host,
        probability=_part(share / len(hosts)),
        slower=_SLOWER_MAX,
    )


def _n_plus_one(kind: str, chance: np.random.Generator) -> Fault:
    places = [one for one in _places(SERVER, inner=True) if _asks_itself(one[0])]
    call, share = _pick(chance, places)
    return Fault(
        kind=kind,
        service=call.service,
        operation=call.name,
        probability=_part(share),
        repeats=int(chance.integers(4, 9)),
    )


def _retry_storm(kind: str, chance: np.random.Generator) -> Fault:
    call, share = _pick(chance, _places(SERVER, inner=True))
    return Fault(
        kind=kind,
        service=call.service,
        operation=call.name,
        probability=_part(share),
        attempts=2,
    )


def _queue(kind: str, chance: np.random.Generator) -> Fault:
    call, share = _pick(chance, _places(CONSUMER))
    return Fault(
        kind=kind,
        service=call.service,
        operation=call.name,
        probability=_part(share),
        wait_millis=40.0,
    )


def _cold_cache(kind: str, chance: np.random.Generator) -> Fault:
    """What stood in the cache must be asked of the database."""
    del chance
    return Fault(
        kind=kind,
        service="accounts",
        operation="GET /user",
        attribute="cache.hit",
        value="false",
        probability=_part(0.7),
    )


def _error_burst(kind: str, chance: np.random.Generator) -> Fault:
    call, share = _pick(chance, _places(SERVER, inner=True))
    return Fault(
        kind=kind,
        service=call.service,
        operation=call.name,
        probability=_part(share),
        is_failing=True,
    )


_DRAW: Final = {
    "slow-callee": _slow_callee,
    "bad-version": _bad_version,
    "bad-host": _bad_host,
    "n-plus-one": _n_plus_one,
    "retry-storm": _retry_storm,
    "lock": _lock,
    "queue": _queue,
    "cold-cache": _cold_cache,
    "error-burst": _error_burst,
}


def _part(share: float) -> float:
    """Return the part of the passing requests that keeps the fault below its share of all."""
    return min(1.0, REQUESTS_HIT_MAX / share)


def _places(kind: int, *, inner: bool = False) -> list[tuple[Call, float]]:
    """Return the calls of one kind with the part of the requests that make them.

    Args:
        kind: OTLP's `SpanKind`.
        inner: Without what requests from outside reach first.
    """
    shares: dict[tuple[str, str], tuple[Call, float]] = {}
    for entry in APPLICATION:
        waiting = [(entry.root, entry.share, False)]
        while waiting:
            call, share, is_inner = waiting.pop()
            passing = share * call.probability
            if call.kind == kind and (is_inner or not inner):
                before = shares.get((call.service, call.name), (call, 0.0))[1]
                shares[call.service, call.name] = (call, before + passing)
            waiting += [(below, passing, True) for below in call.calls]
    return list(shares.values())


def _service(chance: np.random.Generator) -> tuple[str, float]:
    """Return a service behind the gateway, and the part of the requests that reach it."""
    shares: dict[str, float] = {}
    for call, share in _places(SERVER, inner=True):
        shares[call.service] = min(1.0, shares.get(call.service, 0.0) + share)
    names = sorted(shares)
    name = names[int(chance.integers(len(names)))]
    return name, shares[name]


def _asks_itself(call: Call) -> bool:
    return bool(call.calls) and not call.calls[-1].calls and call.calls[-1].kind == CLIENT
