"""Where the time of many traces goes: by operation, and by the path of calls that leads to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lymer.analysis.forest import critical_path, durations, offsets
from lymer.analysis.span_frame import Floats, Ints, SpanFrame

__all__ = [
    "CallTree", "Grouping", "OperationProfile", "attribute_profile", "call_tree", "critical_times",
    "operation_profile",
]  # fmt: skip

Grouping = tuple[Ints, list[str | None]]
"""Of each span the place of its value, and the values."""

_CONFIDENT: Final = 1.96
"""Standard errors that hold the truth 95 times of 100."""


@dataclass(frozen=True, slots=True)
class OperationProfile:
    """What one operation costs. Times are nanoseconds, sums over the traces looked at."""

    service: str
    operation: str
    spans: int
    traces: int
    """Traces that have it."""
    errors: int
    total: int
    self_time: int
    critical: int
    """Part of the self time that the end of a trace waited for."""
    p50: int
    """Of durations."""
    p95: int
    p99: int
    self_error: float
    """Nanoseconds by which the mean self time of a trace may be off, 95 of 100 times, since only a
    part of the traces was looked at; 0 if all were."""
    by: tuple[str | None, ...] = ()
    """Values of what spans were grouped by instead of service and operation; None has none."""


@dataclass(frozen=True, slots=True)
class CallTree:
    """Traces merged by the path of their calls: an entry for each path, parents before children."""

    parent: Ints
    """Entry of the path above, -1 for roots."""
    operation: Ints
    """Place in the table's `operations`."""
    spans: Ints
    traces: Ints
    errors: Ints
    total: Ints
    self_time: Ints
    critical: Ints
    path_of: Ints
    """Of each span the entry of its path."""


def critical_times(frame: SpanFrame) -> Ints:
    """Return how much of each span's own time its trace's end waited for, nanoseconds."""
    table = frame.table
    if not len(frame):
        return np.zeros(0, dtype=np.int64)
    path = critical_path(
        frame.parent,
        offsets(table.start.tolist()),
        durations(np.maximum(table.duration, 0).tolist()),
        table.kind.astype(np.uint8),
    )
    times = np.zeros(len(frame), dtype=np.int64)
    np.add.at(times, path.row, path.end - path.start)
    return times


def operation_profile(
    frame: SpanFrame, critical: Ints, *, traces: int, of_traces: int
) -> list[OperationProfile]:
    """Return the costs of each operation, the largest self time first.

    Args:
        frame: All spans of the traces looked at.
        critical: As `critical_times` says.
        traces: How many were looked at.
        of_traces: How many there are.
    """
    table = frame.table
    found = _costs(frame, critical, table.operation, len(table.operations), (traces, of_traces))
    named = [
        replace(one, service=table.operations[at][0], operation=table.operations[at][1])
        for at, one in found
    ]
    return sorted(named, key=lambda one: (-one.self_time, one.service, one.operation))


def attribute_profile(
    frame: SpanFrame, critical: Ints, fields: Sequence[Grouping], *, traces: int, of_traces: int
) -> list[OperationProfile]:
    """Return the costs of spans that share values, the largest self time first.

    Args:
        frame: As in `operation_profile`, with attributes.
        critical: Likewise.
        fields: What they share: of each field the place of each span's value, and the values.
        traces: As in `operation_profile`.
        of_traces: Likewise.
    """
    group = np.zeros(len(frame), dtype=np.int64)
    for codes, values in fields:
        # Numbered anew each time: the product of all counts may be more than 63 bits hold.
        group = np.unique(group * len(values) + codes, return_inverse=True)[1]
    first = np.unique(group, return_index=True)[1] if len(frame) else group
    found = _costs(frame, critical, group, len(first), (traces, of_traces))
    named = [
        replace(one, by=tuple(values[int(codes[first[at]])] for codes, values in fields))
        for at, one in found
    ]
    return sorted(named, key=lambda one: (-one.self_time, [value or "" for value in one.by]))


def _costs(
    frame: SpanFrame, critical: Ints, group: Ints, count: int, sizes: tuple[int, int]
) -> list[tuple[int, OperationProfile]]:
    """Return the costs of each group that has spans, with its number and without a name."""
    table, (traces, of_traces) = frame.table, sizes
    if not len(frame):
        return []
    order = np.lexsort((table.duration, group))
    first = np.searchsorted(group[order], np.arange(count))
    spans = np.bincount(group, minlength=count)
    sorted_duration = table.duration[order]

    def quantile(part: float) -> Ints:
        place = first + np.maximum(np.ceil(spans * part).astype(np.int64) - 1, 0)
        return np.asarray(sorted_duration[np.minimum(place, len(frame) - 1)])

    numbers, trace = np.unique(table.trace, return_inverse=True)
    pair, where = np.unique(trace * count + group, return_inverse=True)
    own_by_trace = np.asarray(
        np.bincount(where, weights=frame.self_time.astype(float)), dtype=float
    )
    in_traces = np.bincount(pair % count, minlength=count)
    error = _standard_error(own_by_trace, pair % count, count, traces or len(numbers), of_traces)
    p50, p95, p99 = quantile(0.5), quantile(0.95), quantile(0.99)
    total = _sums(group, table.duration, count)
    own = _sums(group, frame.self_time, count)
    on_path = _sums(group, critical, count)
    errors = np.bincount(group[table.is_error], minlength=count)
    return [
        (
            at,
            OperationProfile(
                service="",
                operation="",
                spans=int(spans[at]),
                traces=int(in_traces[at]),
                errors=int(errors[at]),
                total=int(total[at]),
                self_time=int(own[at]),
                critical=int(on_path[at]),
                p50=int(p50[at]),
                p95=int(p95[at]),
                p99=int(p99[at]),
                self_error=float(error[at]),
            ),
        )
        for at in np.flatnonzero(spans).tolist()
    ]


def call_tree(frame: SpanFrame, critical: Ints) -> CallTree:
    """Merge the traces by path: level by level, never by recursion."""
    table = frame.table
    count = max(len(table.operations), 1)
    spans = len(frame)
    path = np.full(spans, -1, dtype=np.int64)
    parents: list[Ints] = []
    operations: list[Ints] = []
    known = 0
    level = np.flatnonzero(frame.parent < 0)
    children = np.argsort(frame.parent, kind="stable")
    sorted_parent = frame.parent[children]
    while len(level):
        above = np.where(frame.parent[level] >= 0, path[frame.parent[level]], -1)
        key, place = np.unique((above + 1) * count + table.operation[level], return_inverse=True)
        path[level] = known + place
        parents.append(key // count - 1)
        operations.append(key % count)
        known += len(key)
        first = np.searchsorted(sorted_parent, level, side="left")
        end = np.searchsorted(sorted_parent, level, side="right")
        level = children[_ranges(first, end)]
    entries = known
    pair = np.unique(path * (int(table.trace.max()) + 1 if spans else 1) + table.trace)
    per_trace = int(table.trace.max()) + 1 if spans else 1
    nothing = np.zeros(0, dtype=np.int64)
    return CallTree(
        parent=np.concatenate([nothing, *parents]),
        operation=np.concatenate([nothing, *operations]),
        spans=np.bincount(path, minlength=entries),
        traces=np.bincount(pair // per_trace, minlength=entries),
        errors=np.bincount(path[table.is_error], minlength=entries),
        total=_sums(path, table.duration, entries),
        self_time=_sums(path, frame.self_time, entries),
        critical=_sums(path, critical, entries),
        path_of=path,
    )


def _ranges(first: Ints, end: Ints) -> Ints:
    """Return every number of [first, end) of each pair, one behind the other."""
    length = end - first
    shift = np.repeat(first - (np.cumsum(length) - length), length)
    return np.asarray(np.arange(int(length.sum())) + shift)


def _sums(group: Ints, values: Ints, groups: int) -> Ints:
    sums = np.zeros(groups, dtype=np.int64)
    np.add.at(sums, group, values)
    return sums


def _standard_error(
    values: Floats, group: Ints, groups: int, traces: int, of_traces: int
) -> Floats:
    """Return 1.96 standard errors of each group's mean over traces; who has none counts as 0."""
    if traces >= of_traces or traces < 2:
        return np.zeros(groups)
    mean = np.bincount(group, values, groups) / traces
    square = np.bincount(group, values * values, groups) / traces
    variance = np.maximum(square - mean * mean, 0) * traces / (traces - 1)
    left_out = 1 - traces / of_traces
    return np.asarray(_CONFIDENT * np.sqrt(variance * left_out / traces))
