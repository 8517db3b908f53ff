"""The shape of one trace: depth-first order, self time, critical path. Iterative and linear.

Every function takes columns of the same length, one entry per span. `parent` holds rows, -1 for a
root, and must be a forest, as `query.adjust.parents` makes it. Times are nanoseconds from any
origin; lists, since times of hostile clocks may leave 63 bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["CriticalPath", "Order", "critical_path", "depth_first", "self_times"]

_PRODUCER: Final = 4
_CONSUMER: Final = 5
_NOBODY: Final = -2


@dataclass(frozen=True, slots=True)
class Order:
    """Rows as a reader of the trace meets them."""

    rows: list[int]
    """Every row: parents before children, children by start, a subtree in one piece."""
    depth: list[int]
    """Of each entry of `rows`: 0 for a root."""
    size: list[int]
    """Of each entry of `rows`: the spans of its subtree, itself included."""


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """What the end of the trace waited for, as sections of spans, the last one first."""

    row: list[int]
    start: list[int]
    end: list[int]


def depth_first(parent: Sequence[int], start: Sequence[int]) -> Order:
    """Return the order of a timeline; of equal starts the lower row comes first."""
    first, later = _linked(parent, start)
    rows: list[int] = []
    depth_of = [0] * len(parent)
    row, depth = first[-1], 0
    while row >= 0:
        rows.append(row)
        depth_of[row] = depth
        if first[row] >= 0:
            row, depth = first[row], depth + 1
            continue
        while row >= 0 and later[row] < 0:  # the last child of its parent, and so on
            row, depth = parent[row], depth - 1
        row = later[row] if row >= 0 else -1
    size_of = [1] * (len(parent) + 1)
    for row in reversed(rows):
        size_of[parent[row]] += size_of[row]  # roots add to the last one, which is nobody's
    return Order(rows, [depth_of[row] for row in rows], [size_of[row] for row in rows])


def self_times(parent: Sequence[int], start: Sequence[int], duration: Sequence[int]) -> list[int]:
    """Return how long each span did not wait for a child of its own.

    That is its duration without the union of its direct children's, as far as they lie inside.
    """
    own = list(duration)
    covered_to = list(start)
    for row in np.argsort(_sortable(start), kind="stable").tolist():
        up = parent[row]
        if up < 0:
            continue
        begin = max(start[row], covered_to[up])
        end = min(start[row] + duration[row], start[up] + duration[up])
        if end > begin:
            own[up] -= end - begin
            covered_to[up] = end
    return own


def critical_path(
    parent: Sequence[int],
    start: Sequence[int],
    duration: Sequence[int],
    kind: Sequence[int],
) -> CriticalPath:
    """Return the critical path of every root.

    From the end of a span, the child that finished last is what it waited for; before that child
    began, the child that had finished last before then, and so on. Children are cut to what lies
    inside of their parents; a consumer is nothing its producer waits for.

    Source of the rules: Jaeger UI v2.20, `components/TracePage/CriticalPath`.
    """
    begins, ends, waited_for = _inside(parent, start, duration, kind)
    # Of each parent the child that finished last, and of each child the one that did before it.
    minus_ends = [-end for end in ends]
    first, later = _linked(waited_for, minus_ends)
    path = CriticalPath([], [], [])
    for root, up in enumerate(parent):
        if up < 0:
            _walk(root, parent, (begins, ends), (first, later), path)
    return path


def _walk(
    root: int,
    parent: Sequence[int],
    times: tuple[list[int], list[int]],
    children: tuple[list[int], list[int]],
    path: CriticalPath,
) -> None:
    """Add the sections of one root; `children` is used up, so that each child is met once."""
    begins, ends = times
    first, later = children
    row, upto = root, ends[root]
    is_first_look = True
    while True:
        child = first[row]
        if not is_first_look:
            while child >= 0 and ends[child] >= upto:
                child = later[child]
        if child >= 0:
            first[row] = later[child]
            _add(path, row, ends[child], upto)
            row, upto, is_first_look = child, ends[child], True
            continue
        first[row] = -1
        _add(path, row, begins[row], upto)
        if row == root:
            return
        row, upto, is_first_look = parent[row], begins[row], False


def _add(path: CriticalPath, row: int, start: int, end: int) -> None:
    if start != end:
        path.row.append(row)
        path.start.append(start)
        path.end.append(end)


def _inside(
    parent: Sequence[int], start: Sequence[int], duration: Sequence[int], kind: Sequence[int]
) -> tuple[list[int], list[int], list[int]]:
    """Return begins and ends cut to the parents', and of each row the parent that waits for it.

    -1 is a root, -2 is a span that nobody waits for.
    """
    begins = list(start)
    ends = [begin + length for begin, length in zip(start, duration, strict=True)]
    waits = list(parent)
    for row in depth_first(parent, start).rows:  # parents first
        up = parent[row]
        if up < 0:
            continue
        begin, end = begins[row], ends[row]
        up_begin, up_end = begins[up], ends[up]
        is_apart = begin >= up_end or end <= up_begin
        if is_apart or waits[up] == _NOBODY or (kind[row] == _CONSUMER and kind[up] == _PRODUCER):
            waits[row] = _NOBODY
            continue
        begins[row], ends[row] = max(begin, up_begin), min(end, up_end)
    return begins, ends, waits


def _linked(parent: Sequence[int], by: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the first child of each row and the next sibling, in the order of `by`, then row.

    The entry behind the last of the first children is the first root.
    """
    count = len(parent)
    first, later = [-1] * (count + 1), [-1] * count
    order = np.lexsort((_sortable(by), np.array(parent, dtype=np.int64)))  # stable
    before, up_before = -1, _NOBODY
    for row in order.tolist():
        up = parent[row]
        if up == _NOBODY:
            continue
        if up == up_before:
            later[before] = row
        else:
            first[up] = row
            up_before = up
        before = row
    return first, later


def _sortable(values: Sequence[int]) -> NDArray[Any]:
    """Return a column to sort by; beyond 63 bits doubles are near enough."""
    try:
        return np.array(values, dtype=np.int64)
    except OverflowError:
        return np.array(values, dtype=np.float64)
