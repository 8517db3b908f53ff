"""What is remarkable about one trace: repetition, retries, calls in a row, gaps, skew, orphans."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from lymer.analysis.span_frame import Floats, Ints, Masks, SpanFrame
from lymer.analysis.statistics import sum_of

__all__ = ["TraceFinding", "find_in_trace"]

_REPEATS_MIN: Final = 5
"""Equal calls of one parent that count as repetition."""
_SERIAL_MIN: Final = 3
"""Calls one behind the other that could run together."""
_PART_MIN: Final = 0.05
"""Part of the trace a finding must cost to be told."""
_GAP_MIN: Final = 0.1
_SPANS_TOLD_MAX: Final = 200
_CLIENTS: Final = (3, 4)
_SERVER: Final = 2


@dataclass(frozen=True, slots=True)
class TraceFinding:
    """One thing, and the spans that prove it."""

    kind: str
    """`repeated`, `retried`, `serial`, `gap`, `skew` or `orphans`."""
    service: str
    operation: str
    nanoseconds: int
    """What it costs: the repeated calls' time, what running together would save, the gap, the
    difference of the clocks; 0 for orphans."""
    part: float
    """Of the trace's duration, 0 to 1."""
    count: int
    """Calls, attempts or spans."""
    spans: list[int]
    """Rows, at most 200."""


def find_in_trace(frame: SpanFrame) -> list[TraceFinding]:
    """Return what is found in the spans of one trace, the most expensive first."""
    if not len(frame):
        return []
    table = frame.table
    begin = int(table.start.min())
    whole = max(1, int((table.start + np.maximum(table.duration, 0)).max()) - begin)
    found = [
        *_among_siblings(frame, whole),
        *_gaps(frame, whole),
        *_skew(frame, whole),
        *_orphans(frame),
    ]
    return sorted(found, key=lambda one: (-one.nanoseconds, one.kind, one.operation))


def _among_siblings(frame: SpanFrame, whole: int) -> list[TraceFinding]:
    """Look at each parent's calls, by start: only at those that counts and sums do not rule out."""
    table = frame.table
    rows = np.flatnonzero(frame.parent >= 0)
    if not len(rows):
        return []
    order = rows[np.lexsort((table.start[rows], table.operation[rows], frame.parent[rows]))]
    found: list[TraceFinding] = []
    repeated = np.zeros(len(table), dtype=bool)
    same = (frame.parent[order], table.operation[order])
    for group in _groups(order, same, lambda runs: _may_repeat(frame, order, runs, whole)):
        took = _union(frame, group)
        failed = table.is_error[group]
        if failed[:-1].any() and _follow(frame, group):
            found.append(_finding("retried", frame, group, took, whole))
        elif len(group) >= _REPEATS_MIN and took >= _PART_MIN * whole:
            found.append(_finding("repeated", frame, group, took, whole))
            repeated[group] = True
    calls = rows[np.isin(table.kind[rows], _CLIENTS) & ~repeated[rows]]
    calls = calls[np.lexsort((table.start[calls], frame.parent[calls]))]
    parents = (frame.parent[calls],)
    for group in _groups(calls, parents, lambda runs: _may_be_serial(frame, calls, runs, whole)):
        saved = sum_of(table.duration[group]) - int(table.duration[group].max())
        if saved >= _PART_MIN * whole and _follow(frame, group):
            found.append(_finding("serial", frame, group, saved, whole))
    return found


def _groups(rows: Ints, keys: tuple[Ints, ...], chosen: Callable[[Ints], Masks]) -> Iterator[Ints]:
    """Yield the runs of equal keys that are chosen; `chosen` gets where they begin."""
    if not len(rows):
        return
    differs = np.any([np.diff(key) != 0 for key in keys], axis=0)
    begins = np.append(0, np.flatnonzero(differs) + 1)
    ends = np.append(begins[1:], len(rows))
    for at in np.flatnonzero(chosen(begins)).tolist():
        yield rows[begins[at] : ends[at]]


def _may_repeat(frame: SpanFrame, rows: Ints, begins: Ints, whole: int) -> Masks:
    """Tell which runs have several calls, and a failed one or enough of them that last."""
    table = frame.table
    count = np.diff(np.append(begins, len(rows)))
    failed = np.maximum.reduceat(table.is_error[rows], begins)
    lasts = np.add.reduceat(_up_to(whole, table.duration[rows]), begins) >= _PART_MIN * whole
    return np.asarray((count > 1) & (failed | ((count >= _REPEATS_MIN) & lasts)))


def _may_be_serial(frame: SpanFrame, rows: Ints, begins: Ints, whole: int) -> Masks:
    count = np.diff(np.append(begins, len(rows)))
    lasts = np.add.reduceat(_up_to(whole, frame.table.duration[rows]), begins)
    return np.asarray((count >= _SERIAL_MIN) & (lasts >= _PART_MIN * whole))


def _up_to(whole: int, duration: Ints) -> Floats:
    """Return durations to be added up; as doubles, since some of 146 years leave 63 bits."""
    return np.clip(duration, 0, whole).astype(float)


def _gaps(frame: SpanFrame, whole: int) -> list[TraceFinding]:
    """Find the longest stretch of each span with children in which none of them runs."""
    table = frame.table
    rows = np.flatnonzero(frame.parent >= 0)
    parents = np.unique(frame.parent[rows])
    order = rows[np.lexsort((table.start[rows], frame.parent[rows]))]
    first = np.searchsorted(frame.parent[order], parents, side="left")
    end = np.searchsorted(frame.parent[order], parents, side="right")
    found = []
    for parent, a, b in zip(parents.tolist(), first.tolist(), end.tolist(), strict=True):
        if frame.self_time[parent] < _GAP_MIN * whole:
            continue
        begin, stop = int(table.start[parent]), int(table.start[parent] + table.duration[parent])
        starts = np.append(table.start[order[a:b]], stop)
        ends = np.maximum.accumulate(
            np.append(begin, table.start[order[a:b]] + table.duration[order[a:b]])
        )
        longest = int(np.clip(starts - ends, 0, stop - begin).max())
        if longest >= _GAP_MIN * whole:
            found.append(_finding("gap", frame, np.array([parent]), longest, whole))
    return found


def _skew(frame: SpanFrame, whole: int) -> list[TraceFinding]:
    """Find servers that begin before, or end after, the client that called them."""
    table = frame.table
    rows = np.flatnonzero((frame.parent >= 0) & (table.kind == _SERVER))
    if not len(rows):
        return []
    up = frame.parent[rows]
    early = np.maximum(table.start[up] - table.start[rows], 0)
    late = np.maximum(
        table.start[rows] + table.duration[rows] - table.start[up] - table.duration[up], 0
    )
    # A server that answers before it is done ends late by right; one that begins early never does.
    off = np.where(early > 0, np.maximum(early, late), 0)
    return [
        _finding("skew", frame, np.array([row]), int(by), whole)
        for row, by in zip(rows.tolist(), off.tolist(), strict=True)
        if by > 0
    ]


def _orphans(frame: SpanFrame) -> list[TraceFinding]:
    rows = np.flatnonzero(frame.is_orphan)
    return [_finding("orphans", frame, rows, 0, 1)] if len(rows) else []


def _follow(frame: SpanFrame, rows: Ints) -> bool:
    """Tell whether spans run one behind the other."""
    start = frame.table.start[rows]
    order = np.argsort(start, kind="stable")
    end = (start + frame.table.duration[rows])[order]
    return bool((start[order][1:] >= end[:-1]).all())


def _union(frame: SpanFrame, rows: Ints) -> int:
    start = frame.table.start[rows]
    order = np.argsort(start, kind="stable")
    start, end = start[order], (start + frame.table.duration[rows])[order]
    reached = np.maximum.accumulate(end)
    before = np.append(start[0], np.maximum(reached[:-1], start[0]))
    return int(np.maximum(end - np.maximum(start, before), 0).sum())


def _finding(kind: str, frame: SpanFrame, rows: Ints, cost: int, whole: int) -> TraceFinding:
    service, operation = frame.table.operations[int(frame.table.operation[rows[0]])]
    return TraceFinding(
        kind=kind,
        service=service,
        operation=operation,
        nanoseconds=cost,
        part=min(1.0, cost / whole),
        count=len(rows),
        spans=rows[:_SPANS_TOLD_MAX].tolist(),
    )
