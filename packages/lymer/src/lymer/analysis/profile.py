"""Where the time of many traces goes: by operation, and by the path of calls that leads to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from lymer.analysis.forest import critical_path, durations, offsets
from lymer.analysis.span_frame import Floats, Ints, SpanFrame
from lymer.analysis.statistics import sums_by

__all__ = [
    "CallTree", "Grouping", "OperationProfile", "attribute_profile", "call_tree", "critical_times",
    "operation_profile",
]  # fmt: skip

Grouping = tuple[Ints, list[str | None]]
"""Of each span the place of its value, and the values."""

_NARROW: Final = 256
"""Spans of a level that are walked as quickly as they are sorted."""
_CONFIDENT: Final = 1.96
"""Standard errors that hold the truth 95 times of 100."""


@dataclass(frozen=True, slots=True)
class OperationProfile:
    """What one operation costs.

    Times are nanoseconds, sums over the traces looked at; at most 2^63 - 1, as `sums_by` says.
    """

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
    total = sums_by(group, table.duration, count)
    own = sums_by(group, frame.self_time, count)
    on_path = sums_by(group, critical, count)
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
    path, parent, operation = _paths(frame.parent, table.operation, len(table.operations))
    entries = len(parent)
    per_trace = int(table.trace.max(initial=-1)) + 1
    pair = np.unique(path * per_trace + table.trace)
    return CallTree(
        parent=parent,
        operation=operation,
        spans=np.bincount(path, minlength=entries),
        traces=np.bincount(pair // max(per_trace, 1), minlength=entries),
        errors=np.bincount(path[table.is_error], minlength=entries),
        total=sums_by(path, table.duration, entries),
        self_time=sums_by(path, frame.self_time, entries),
        critical=sums_by(path, critical, entries),
        path_of=path,
    )


def _paths(parent: Ints, operation: Ints, operations: int) -> tuple[Ints, Ints, Ints]:
    """Return of each span its path, and of each path the one above and its operation.

    A wide level is one sort. A narrow one is walked: a trace may be as deep as it has spans, and
    sorting a handful costs as much as walking some hundreds.
    """
    count = max(operations, 1)
    path = np.full(len(parent), -1, dtype=np.int64)
    keys: list[Ints] = []
    known = 0
    level = np.flatnonzero(parent < 0)
    children = np.argsort(parent, kind="stable")
    sorted_parent = parent[children]
    first = np.searchsorted(sorted_parent, np.arange(len(parent)), side="left")
    end = np.searchsorted(sorted_parent, np.arange(len(parent)), side="right")
    walk = None
    while len(level):
        if len(level) < _NARROW:
            walk = walk or _Walk(children, first, end, operation, count)
            some, level = walk.down(level, path, parent, known)
            keys.append(some)
            known += len(some)
            continue
        above = np.where(parent[level] >= 0, path[parent[level]], -1)
        key, place = np.unique((above + 1) * count + operation[level], return_inverse=True)
        path[level] = known + place
        keys.append(key)
        known += len(key)
        level = children[_ranges(first[level], end[level])]
    key = np.concatenate([np.zeros(0, dtype=np.int64), *keys])
    return path, key // count - 1, key % count


class _Walk:
    """Goes down narrow levels, span by span."""

    def __init__(
        self, children: Ints, first: Ints, end: Ints, operation: Ints, operations: int
    ) -> None:
        self._children, self._operation = children.tolist(), operation.tolist()
        self._first, self._end = first.tolist(), end.tolist()
        self._operations = operations

    def down(self, level: Ints, path: Ints, parent: Ints, known: int) -> tuple[Ints, Ints]:
        """Number the paths of narrow levels; return their keys, and the next wide level or none."""
        rows = level.tolist()
        above = np.where(parent[level] >= 0, path[parent[level]], -1).tolist()
        numbers: dict[int, int] = {}
        walked: list[int] = []
        found: list[int] = []
        while rows and len(rows) < _NARROW:
            below: list[int] = []
            above_below: list[int] = []
            for row, over in zip(rows, above, strict=True):
                key = (over + 1) * self._operations + self._operation[row]
                number = numbers.setdefault(key, known + len(numbers))
                walked.append(row)
                found.append(number)
                some = self._children[self._first[row] : self._end[row]]
                below += some
                above_below += [number] * len(some)
            rows, above = below, above_below
        path[walked] = found
        return np.array(list(numbers), dtype=np.int64), np.array(rows, dtype=np.int64)


def _ranges(first: Ints, end: Ints) -> Ints:
    """Return every number of [first, end) of each pair, one behind the other."""
    length = end - first
    shift = np.repeat(first - (np.cumsum(length) - length), length)
    return np.asarray(np.arange(int(length.sum())) + shift)


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
