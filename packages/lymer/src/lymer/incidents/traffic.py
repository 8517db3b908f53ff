"""Traffic of the application with one fault in it: columns of spans, drawn by whole requests.

Everything about a request that is not its fault is a decoy on purpose: a service becomes busier, a
customer bigger and another service is deployed at the very minute in which the fault begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from lymer.analysis.span_frame import Attributes, Floats, Ints, Masks, SpanTable
from lymer.incidents.application import (
    APPLICATION,
    CLIENT,
    CONSUMER,
    HOSTS_PER_SERVICE,
    SERVER,
    Call,
    hosts_of,
)
from lymer.incidents.kinds import NEW_VERSION, OLD_VERSION, Fault, draw_fault

__all__ = ["BASELINE_SECONDS", "INCIDENT_SECONDS", "Traffic", "draw_traffic"]

BASELINE_SECONDS: Final = 300
INCIDENT_SECONDS: Final = 120
REQUESTS_PER_SECOND: Final = 60.0

_NANO: Final = 1_000_000_000
_SPREAD: Final = 0.35
"""Standard deviation of the logarithm of what a span does itself."""
_HOST_SPREAD: Final = 0.05
_ERRORS: Final = 0.003
"""Part of the requests that fail on an ordinary day."""
_CACHE_MISSES: Final = 0.15
_CUSTOMERS: Final = 40
_ZONES: Final = ("eu-1", "eu-2", "us-1")


@dataclass(frozen=True, slots=True)
class Traffic:
    """Spans, and what is true of them."""

    table: SpanTable
    fault: Fault | None
    start_unix_nano: int
    """When the fault begins."""
    end_unix_nano: int


@dataclass(frozen=True, slots=True)
class _Process:
    """Who makes a call: of each request the span, and where it ran."""

    service: str
    span: Ints
    host: Ints
    is_new: Masks


@dataclass(frozen=True, slots=True)
class _Spans:
    """Spans of one call, one for each request that makes it; milliseconds."""

    call: Call
    request: Ints
    span: Ints
    parent: Ints
    start: Floats
    duration: Floats
    failed: Masks
    host: Ints
    is_new: Masks
    cache: Ints
    """0 has no cache, 1 hit, 2 missed."""

    def only(self, there: Masks) -> _Spans:
        """Return the spans of those requests that make the call."""
        return _Spans(
            self.call,
            *(getattr(self, one.name)[there] for one in fields(self) if one.name != "call"),
        )


def draw_traffic(
    kind: str | None,
    seed: int,
    end_unix_nano: int,
    *,
    requests_per_second: float = REQUESTS_PER_SECOND,
) -> Traffic:
    """Draw five minutes of baseline and two of an incident that end at `end_unix_nano`.

    Args:
        kind: One of `KINDS`; None: nothing goes wrong, decoys as ever.
        seed: Same seed, same traffic.
        end_unix_nano: No span starts later, but for what a request from before still does.
        requests_per_second: From outside.
    """
    chance = np.random.default_rng(seed)
    fault = None if kind is None else draw_fault(kind, chance)
    return _Drawing(fault, chance, end_unix_nano, requests_per_second).traffic()


class _Drawing:
    def __init__(
        self, fault: Fault | None, chance: np.random.Generator, end: int, rate: float
    ) -> None:
        self._fault = fault
        self._chance = chance
        self._end = end
        self._seconds = BASELINE_SECONDS + INCIDENT_SECONDS
        self._drawn: list[_Spans] = []
        self._spans = 0
        names = sorted({call.service for entry in APPLICATION for call in _all_calls(entry.root)})
        self._host_factor = {
            name: np.exp(chance.normal(0, _HOST_SPREAD, HOSTS_PER_SERVICE)) for name in names
        }
        others = [name for name in names if fault is None or name != fault.service]
        self._deployed = others[int(chance.integers(len(others)))]
        self._busier = int(chance.integers(len(APPLICATION)))
        self._bigger = int(chance.integers(3, _CUSTOMERS))
        self._load_phase = chance.uniform(0, 2 * np.pi)
        count = int(self._seconds * rate)
        self._at = np.sort(chance.uniform(0, self._seconds, count))
        self._is_during = self._at >= BASELINE_SECONDS
        self._customer = self._draw_customers(count)
        self._entry = self._draw_entries(count)

    def traffic(self) -> Traffic:
        """Draw every request."""
        for number, entry in enumerate(APPLICATION):
            requests = np.flatnonzero(self._entry == number)
            everyone = np.ones(len(requests), dtype=bool)
            self._emit(entry.root, requests, None, self._at[requests] * 1e3, everyone)
        begin = self._end - INCIDENT_SECONDS * _NANO
        return Traffic(self._table(), self._fault, begin, self._end)

    def _draw_customers(self, count: int) -> Ints:
        weight = 1 / np.arange(1, _CUSTOMERS + 1)
        before = self._chance.choice(_CUSTOMERS, count, p=weight / weight.sum())
        weight[self._bigger] *= 4
        during = self._chance.choice(_CUSTOMERS, count, p=weight / weight.sum())
        return np.where(self._is_during, during, before)

    def _draw_entries(self, count: int) -> Ints:
        share = np.array([entry.share for entry in APPLICATION])
        before = self._chance.choice(len(share), count, p=share / share.sum())
        share[self._busier] *= 1.5
        during = self._chance.choice(len(share), count, p=share / share.sum())
        return np.where(self._is_during, during, before)

    def _emit(
        self,
        call: Call,
        requests: Ints,
        caller: _Process | None,
        start: Floats,
        there: Masks,
        failing: Masks | None = None,
    ) -> tuple[Floats, Masks]:
        """Add a call's spans for the requests that are `there`; milliseconds.

        Returns:
            How long each takes, 0 for who is not there, and which failed.
        """
        chance, count = self._chance, len(requests)
        span = self._spans + np.arange(count)
        self._spans += count
        if caller is not None and caller.service == call.service:
            host, is_new = caller.host, caller.is_new
        else:
            host = chance.integers(0, HOSTS_PER_SERVICE, count)
            is_new = self._is_new(call, requests)
        here = _Process(call.service, span, host, is_new)
        parent = np.full(count, -1, dtype=np.int64) if caller is None else caller.span
        touched = self._touched(call, requests, host, is_new) & there
        own = np.exp(chance.normal(np.log(call.own_millis), _SPREAD, count))
        own *= self._host_factor[call.service][host]
        own *= 1 + 0.04 * np.sin(self._at[requests] / 70 + self._load_phase)
        fault = self._fault
        if fault is not None:
            own = np.where(touched, own * fault.slower, own)
        failed = there & (chance.random(count) < (_ERRORS if call.kind == SERVER else 0.0))
        if failing is not None and call.kind == SERVER:
            failed = failed | (failing & there)
        if fault is not None and fault.is_failing:
            failed = failed | touched
        ends, failed, cache = self._calls_of(
            call, requests, here, (start, own), there, failed, touched, failing
        )
        stop = np.maximum(ends, start + own)
        duration = np.where(there, stop - start, 0.0)
        spans = _Spans(call, requests, span, parent, start, duration, failed, host, is_new, cache)
        self._drawn.append(spans.only(there))
        return duration, failed

    def _calls_of(
        self,
        call: Call,
        requests: Ints,
        here: _Process,
        times: tuple[Floats, Floats],
        there: Masks,
        failed: Masks,
        touched: Masks,
        failing: Masks | None,
    ) -> tuple[Floats, Masks, Ints]:
        """Make the calls of a span.

        Returns:
            When the span ends, whether it failed, and what its cache did.
        """
        chance, fault, count = self._chance, self._fault, len(requests)
        start, own = times
        cache = np.zeros(count, dtype=np.int64)
        pieces = own / (len(call.calls) + 1)
        clock = start + pieces
        ends = clock
        for number, below in enumerate(call.calls):
            makes = there & (chance.random(count) < below.probability) & ~failed
            if _is_cached(call) and below.probability < 1:
                misses = chance.random(count) < _CACHE_MISSES
                if fault is not None and fault.kind == "cold-cache":
                    misses |= touched
                makes = there & misses & ~failed
                cache = np.where(misses, 2, 1)
            rounds = 1
            if fault is not None and number == len(call.calls) - 1 and touched.any():
                rounds += fault.repeats
            for again in range(rounds):
                present = makes if again == 0 else makes & touched
                begin = start + pieces if call.is_parallel else clock
                took, broke = self._call(below, requests, here, begin, present, failing)
                failed = failed | (broke & present)
                if below.kind == CONSUMER:
                    continue
                if call.is_parallel:
                    ends = np.maximum(ends, begin + took)
                else:
                    clock = clock + took + (pieces if again == 0 else 0.0)
        return (ends + pieces if call.is_parallel else clock), failed, cache

    def _call(
        self,
        below: Call,
        requests: Ints,
        caller: _Process,
        begin: Floats,
        present: Masks,
        failing: Masks | None,
    ) -> tuple[Floats, Masks]:
        """Make a call, after failed attempts where the fault says so; after its wait in a queue."""
        fault = self._fault
        if below.kind == CONSUMER:
            waits = np.exp(self._chance.normal(np.log(20.0), _SPREAD, len(requests)))
            if fault is not None and fault.wait_millis:
                touched = self._touched(below, requests, None, None)
                waits = np.where(touched, waits + fault.wait_millis, waits)
            return self._emit(below, requests, caller, begin + waits, present)
        if failing is not None:
            return self._emit(below, requests, caller, begin, present, failing)
        took = np.zeros(len(requests))
        if fault is not None and fault.attempts and _leads_to(below, fault):
            hit = present & self._touched(below.calls[0], requests, None, None)
            for _ in range(fault.attempts):
                lost, _ = self._emit(below, requests, caller, begin + took, hit, failing=hit)
                took = took + lost + np.where(hit, 1.0, 0.0)
        last, failed = self._emit(below, requests, caller, begin + took, present)
        return took + last, failed

    def _touched(
        self, call: Call, requests: Ints, host: Ints | None, is_new: Masks | None
    ) -> Masks:
        """Return which requests the fault touches at this call."""
        fault = self._fault
        nobody = np.zeros(len(requests), dtype=bool)
        if fault is None or call.service != fault.service:
            return nobody
        if fault.operation is None:
            if call.kind != SERVER:
                return nobody
        elif call.name != fault.operation:
            return nobody
        hit = self._is_during[requests]
        if fault.attribute == "host.name" and host is not None:
            hit = hit & (host == hosts_of(call.service).index(str(fault.value)))
        if fault.attribute == "service.version" and is_new is not None:
            return hit & is_new
        return hit & (self._chance.random(len(requests)) < fault.probability)

    def _is_new(self, call: Call, requests: Ints) -> Masks:
        """Return who runs on a new version: the decoy wholly, a bad one where it is rolled out."""
        during, fault = self._is_during[requests], self._fault
        if call.service == self._deployed:
            return during
        if fault is not None and fault.kind == "bad-version" and call.service == fault.service:
            # A canary beside the others: it takes its part of the requests, on any host's node.
            return during & (self._chance.random(len(requests)) < fault.probability)
        return np.zeros(len(requests), dtype=bool)

    def _table(self) -> SpanTable:
        drawn = self._drawn
        operations: dict[tuple[str, str], int] = {}
        code = [
            operations.setdefault((one.call.service, one.call.name), len(operations))
            for one in drawn
        ]
        lengths = [len(one.request) for one in drawn]
        # An id says nothing, but is nobody else's: ids of other seeds' spans must not meet.
        salt = np.uint64(self._chance.integers(1, 2**62))
        span = np.concatenate([one.span for one in drawn])
        parent = np.concatenate([one.parent for one in drawn])
        start = np.concatenate([one.start for one in drawn]) * 1e6
        duration = np.concatenate([one.duration for one in drawn]) * 1e6
        return SpanTable(
            trace=np.concatenate([one.request for one in drawn]),
            span_id=(span.astype(np.uint64) + np.uint64(1)) ^ salt,
            parent_id=np.where(parent < 0, 0, (parent.astype(np.uint64) + np.uint64(1)) ^ salt),
            start=self._end - self._seconds * _NANO + start.astype(np.int64),
            duration=np.maximum(duration, 1).astype(np.int64),
            kind=np.repeat(np.array([one.call.kind for one in drawn], dtype=np.int64), lengths),
            is_error=np.concatenate([one.failed for one in drawn]),
            operation=np.repeat(np.array(code, dtype=np.int64), lengths),
            operations=list(operations),
            attributes=self._attributes(lengths),
        )

    def _attributes(self, lengths: list[int]) -> Attributes:
        names: dict[tuple[str, str, str], int] = {}
        rows, codes, base = [], [], 0

        def put(scope: str, key: str, values: Sequence[str], of: Ints) -> None:
            numbers = np.array([names.setdefault((scope, key, v), len(names)) for v in values])
            rows.append(base + np.arange(len(of)))
            codes.append(numbers[of])

        for one, length in zip(self._drawn, lengths, strict=True):
            call = one.call
            put("resource", "host.name", hosts_of(call.service), one.host)
            put("resource", "service.version", (OLD_VERSION, NEW_VERSION), one.is_new.astype(int))
            put("resource", "cloud.availability_zone", _ZONES, one.host % len(_ZONES))
            if call.service == "gateway" and call.kind == SERVER:
                customers = [f"c{number:02}" for number in range(_CUSTOMERS)]
                put("span", "customer.id", customers, self._customer[one.request])
            if _is_cached(call):
                put("span", "cache.hit", ("true", "false"), np.maximum(one.cache - 1, 0))
            if call.kind == CLIENT and not call.calls:
                put("span", "db.operation.name", call.name.split()[:1], np.zeros(length, int))
            base += length
        return Attributes(np.concatenate(rows), np.concatenate(codes), list(names))


def _all_calls(call: Call) -> list[Call]:
    return [call, *(further for below in call.calls for further in _all_calls(below))]


def _is_cached(call: Call) -> bool:
    return call.service == "accounts" and call.kind == SERVER


def _leads_to(call: Call, fault: Fault) -> bool:
    return bool(call.calls) and (call.calls[0].service, call.calls[0].name) == (
        fault.service,
        fault.operation,
    )
