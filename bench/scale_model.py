"""What a cluster needs for so many spans a second: the model of docs/scale.md, and its queues.

    .venv/bin/python -m bench.scale_model

Costs are measured by `bench.roles_cost`. Two waits are simulated: of requests before a collector,
which takes them with one core (M/D/1: they come independently of each other, each costs the same),
and of segments before a shard's cores (sum of D/D/c: each collector cuts them by its own clock,
each keeps one core busy). The seed is fixed, so the same table comes each time; it stands in
docs/scale.md, held by a test.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["MEASURED", "Plan", "collector_cost", "errors", "main", "plan", "rows", "shard_cost"]

MEASURED: Final = {1: (6.7, (16.5,)), 2: (9.5, (12.7, 13.0))}
"""Shards → CPU-seconds for a million spans: of the collector, of each shard."""
_RATES: Final = (20_000, 100_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000)
_SHARD_CORES: Final = 32
_SHARD_DISK_BYTES: Final = 16e12
_RETENTION_DAYS: Final = 7
_FREE_DAYS: Final = 2
"""A day's size that merges need free, as docs/scale.md has it."""
_USED: Final = 0.6
"""Of the cores, at most; the rest is for reading, merges in bursts, and one collector less."""
_SHARDS_MAX: Final = 32
_CELLS_MAX: Final = 32
_BYTES_PER_SPAN: Final = 55
_REQUEST_SPANS: Final = 512
_SEGMENT_SPANS_MAX: Final = 70_000
_SEGMENT_SECONDS: Final = 0.75
_SIMULATED: Final = 20_000
"""Requests or segments."""


def _lines() -> tuple[float, float, float, float]:
    """Return the collector's cost: fixed, for each shard; a shard's: fixed, shared among shards."""
    (one, (alone,)), (two, both) = MEASURED[1], MEASURED[2]
    half = sum(both) / len(both)
    return one - (two - one), two - one, 2 * half - alone, 2 * (alone - half)


def collector_cost(shards: int) -> float:
    """Return CPU-seconds of all collectors for a million spans."""
    fixed, each, _, _ = _lines()
    return fixed + each * shards


def shard_cost(shards: int) -> float:
    """Return CPU-seconds of one shard for a million spans of all."""
    _, _, fixed, shared = _lines()
    return fixed + shared / shards


@dataclass(frozen=True, slots=True)
class Plan:
    """What is needed for a rate."""

    rate: int
    cells: int
    """Clusters that know nothing of each other; a service's spans all go to one."""
    collectors: int
    """Of a cell."""
    shards: int
    """Of a cell."""
    shard_cores: float
    """Busy on each shard."""
    disk_bytes: float
    """On each shard, for a week, with what merges need free."""
    request_wait_seconds: float
    """99 of 100 requests wait no longer for a collector."""
    segment_wait_seconds: float
    """The same of segments and a shard."""


def plan(rate: int) -> Plan:
    """Return the plan with the fewest cores, and of several the one with the fewest cells."""
    plans = (
        _sized(rate, cells, shards)
        for cells in range(1, _CELLS_MAX + 1)
        for shards in range(1, _SHARDS_MAX + 1)
    )
    cells, collectors, shards = min(
        (one for one in plans if one is not None),
        key=lambda one: (one[0] * (one[1] + _SHARD_CORES * one[2]), one),
    )
    of_cell = rate / cells
    per_collector = of_cell / collectors
    segment_seconds = min(_SEGMENT_SECONDS, _SEGMENT_SPANS_MAX / per_collector)
    chance = random.Random(1)
    requests = _independent(chance, _REQUEST_SPANS / per_collector)
    segments = _clocks(chance, collectors, segment_seconds)
    loaded_seconds = per_collector * segment_seconds * shard_cost(shards) / 1e6
    return Plan(
        rate,
        cells,
        collectors,
        shards,
        shard_cost(shards) * of_cell / 1e6,
        _disk_bytes(of_cell, shards),
        _waits(requests, _REQUEST_SPANS * collector_cost(shards) / 1e6, 1),
        _waits(segments, loaded_seconds, _SHARD_CORES),
    )


def _sized(rate: int, cells: int, shards: int) -> tuple[int, int, int] | None:
    """Return cells, collectors and shards, or None if a shard is too small."""
    millions = rate / cells / 1e6
    if (
        shard_cost(shards) * millions > _USED * _SHARD_CORES
        or _disk_bytes(rate / cells, shards) > _SHARD_DISK_BYTES
    ):
        return None
    # A collector takes requests with one core, and loads one segment after the other.
    busiest = max(collector_cost(shards), shard_cost(shards)) * millions
    return cells, max(2, math.ceil(busiest / _USED)), shards


def _disk_bytes(rate: float, shards: int) -> float:
    return rate / shards * 86_400 * _BYTES_PER_SPAN * (_RETENTION_DAYS + _FREE_DAYS)


def _independent(chance: random.Random, mean_seconds: float) -> Iterator[float]:
    at = 0.0
    for _ in range(_SIMULATED):
        at += chance.expovariate(1 / mean_seconds)
        yield at


def _clocks(chance: random.Random, count: int, period_seconds: float) -> Iterable[float]:
    """Return when segments come of collectors that all cut them after the same time."""
    firsts = [chance.random() * period_seconds for _ in range(count)]
    rounds = -(-_SIMULATED // count)
    # A clock is not exact: a tenth of a period, or those who began together would for ever.
    return sorted(
        first + period_seconds * (turn + 0.1 * chance.random())
        for first in firsts
        for turn in range(rounds)
    )


def _waits(arrivals: Iterable[float], service_seconds: float, servers: int) -> float:
    """Return the 99th percentile of waiting, first come first served."""
    free = [0.0] * servers
    waits = []
    for at in arrivals:
        begun = max(at, heapq.heappop(free))
        waits.append(begun - at)
        heapq.heappush(free, begun + service_seconds)
    return sorted(waits)[len(waits) * 99 // 100]


def errors() -> Iterator[tuple[str, float, float]]:
    """Yield what was measured beside what the model says: name, both in CPU-s a million."""
    for shards, (collector, each) in MEASURED.items():
        yield f"collector, {shards} shards", collector, collector_cost(shards)
        for cost in each:
            yield f"shard of {shards}", cost, shard_cost(shards)


def rows() -> list[str]:
    """Return the table of docs/scale.md, a line for each rate."""
    made = []
    for one in map(plan, _RATES):
        cells = f"{one.cells} × " if one.cells > 1 else ""
        made.append(
            f"| {one.rate:,} | {cells}{one.collectors} | {cells}{one.shards} "
            f"| {one.shard_cores:.1f} | {one.disk_bytes / 1e12:.1f} TB "
            f"| {one.request_wait_seconds * 1e3:.0f} ms | {one.segment_wait_seconds * 1e3:.0f} ms |"
        )
    return made


def main() -> None:
    """Print the table, and how far the model is off where it was measured."""
    print("\n".join(rows()))
    for name, measured, modelled in errors():
        print(
            f"{name}: {measured} measured, {modelled:.1f} modelled, {modelled / measured - 1:+.0%}"
        )


if __name__ == "__main__":
    main()
