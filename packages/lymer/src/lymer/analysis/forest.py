"""The shape of one trace, over arrays: parents, depth-first order, self time, critical path.

Every function takes arrays of the same length, one entry per span. `parent` holds rows, -1 for a
root, and must be a forest, as `parent_rows` makes it. Times are nanoseconds from any origin, below
2^62, as `offsets` and `durations` make them of what hostile clocks say. Nothing is recursive, and
nothing but a walk along the result runs in Python for each span.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lymer.model.trace_arrays import TIME_NANO_MAX

__all__ = [
    "Order", "Path", "critical_path", "cut_cycles", "depth_first", "depths", "durations", "offsets",
    "parent_rows", "self_times",
]  # fmt: skip

Rows = NDArray[np.int64]
Nanos = NDArray[np.int64]

_PRODUCER: Final = 4
_CONSUMER: Final = 5
_NOBODY: Final = -2
_UNSEEN, _ON_PATH, _DONE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Order:
    """Rows as a reader of the trace meets them."""

    rows: Rows
    """Every row: parents before children, children by start, a subtree in one piece."""
    depth: Rows
    """Of each entry of `rows`: 0 for a root."""
    size: Rows
    """Of each entry of `rows`: the spans of its subtree, itself included."""


@dataclass(frozen=True, slots=True)
class Path:
    """What the end of the trace waited for, as sections of spans, the last one first."""

    row: Rows
    start: Nanos
    end: Nanos


def parent_rows(span_id: NDArray[np.uint64], parent_id: NDArray[np.uint64]) -> Rows:
    """Return the row of each span's parent, or -1; the result is always a forest.

    Of several spans with the parent's id the first row counts; an id of 0 is no parent. Where
    parents form a cycle, the lowest row of it has none.
    """
    ids, first = np.unique(span_id, return_index=True)
    if not len(ids):
        return np.empty(0, dtype=np.int64)
    place = np.minimum(np.searchsorted(ids, parent_id), len(ids) - 1)
    is_known = (ids[place] == parent_id) & (parent_id != 0)
    parent = np.where(is_known, first[place], -1).astype(np.int64)
    if np.any(_ends(parent) >= 0):
        up = parent.tolist()
        cut_cycles(up)
        parent = np.array(up, dtype=np.int64)
    return parent


def offsets(start: Sequence[int]) -> Nanos:
    """Return starts as nanoseconds after the earliest, cut to 146 years."""
    origin = min(start, default=0)
    return np.array([min(one - origin, TIME_NANO_MAX) for one in start], dtype=np.int64)


def durations(duration: Sequence[int]) -> Nanos:
    """Return durations in nanoseconds, cut to 146 years."""
    return np.array([min(one, TIME_NANO_MAX) for one in duration], dtype=np.int64)


def depths(parent: Rows) -> Rows:
    """Return how many spans stand above each."""
    count = len(parent)
    # The entry behind the last stands for "above a root", and is its own parent.
    jump = np.append(np.where(parent < 0, count, parent), count)
    depth = np.append((parent >= 0).astype(np.int64), 0)
    while np.any(jump != count):
        depth = depth + depth[jump]
        jump = jump[jump]
    return depth[:-1]


def depth_first(parent: Rows, start: Nanos) -> Order:
    """Return the order of a timeline; of equal starts the lower row comes first."""
    children, siblings = _linked(parent, start)
    first, later, up = children.tolist(), siblings.tolist(), parent.tolist()
    rows: list[int] = []
    add = rows.append
    row = first[-1]
    while row >= 0:
        add(row)
        if first[row] >= 0:
            row = first[row]
            continue
        while row >= 0 and later[row] < 0:  # the last child of its parent, and so on
            row = up[row]
        row = later[row] if row >= 0 else -1
    order = np.array(rows, dtype=np.int64)
    return Order(order, depths(parent)[order], _sizes(parent, siblings, order))


def self_times(parent: Rows, start: Nanos, duration: Nanos) -> Nanos:
    """Return how long each span did not wait for a child of its own.

    That is its duration without the union of its direct children's, as far as they lie inside.
    """
    children = np.flatnonzero(parent >= 0)
    children = children[np.lexsort((start[children], parent[children]))]
    if not len(children):
        return duration.copy()
    up = parent[children]
    ends = np.minimum(start[children] + duration[children], start[up] + duration[up])
    covered_to = np.maximum(_greatest_before(up, ends), start[up])
    covered = np.maximum(ends - np.maximum(start[children], covered_to), 0)
    begins = np.flatnonzero(np.diff(up, prepend=-1))
    own = duration.copy()
    own[up[begins]] -= np.add.reduceat(covered, begins)
    return own


def critical_path(parent: Rows, start: Nanos, duration: Nanos, kind: NDArray[np.uint8]) -> Path:
    """Return the critical path of every root.

    From the end of a span, the child that finished last is what it waited for; before that child
    began, the child that had finished last before then, and so on. Children are cut to what lies
    inside of their parents; a consumer is nothing its producer waits for.

    Source of the rules: Jaeger UI v2.20, `components/TracePage/CriticalPath`.
    """
    begins, ends, waited_for = _inside(parent, start, duration, kind)
    # Of each parent the child that finished last, and of each child the one that did before it.
    first, later = (links.tolist() for links in _linked(waited_for, -ends))
    times = begins.tolist(), ends.tolist()
    up = parent.tolist()
    path: list[tuple[int, int, int]] = []
    for root in np.flatnonzero(parent < 0).tolist():
        _walk(root, up, times, (first, later), path)
    sections = np.array(path, dtype=np.int64).reshape(-1, 3)
    return Path(sections[:, 0], sections[:, 1], sections[:, 2])


def _walk(
    root: int,
    parent: list[int],
    times: tuple[list[int], list[int]],
    children: tuple[list[int], list[int]],
    path: list[tuple[int, int, int]],
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
            if ends[child] != upto:
                path.append((row, ends[child], upto))
            row, upto, is_first_look = child, ends[child], True
            continue
        first[row] = -1
        if begins[row] != upto:
            path.append((row, begins[row], upto))
        if row == root:
            return
        row, upto, is_first_look = parent[row], begins[row], False


def _inside(
    parent: Rows, start: Nanos, duration: Nanos, kind: NDArray[np.uint8]
) -> tuple[Nanos, Nanos, Rows]:
    """Return begins and ends cut to the parents', and of each row the parent that waits for it.

    -1 is a root, -2 is a span that nobody waits for. Whoever is cut lies in everything above it, so
    the cuts of all levels are one: the latest begin and the earliest end on the way to the root.
    """
    count = len(parent)
    jump = np.append(np.where(parent < 0, count, parent), count)
    far = np.iinfo(np.int64)
    begins = np.append(start, far.min)
    ends = np.append(start + duration, far.max)
    climb = jump
    while np.any(climb != count):
        begins = np.maximum(begins, begins[climb])
        ends = np.minimum(ends, ends[climb])
        climb = climb[climb]
    up = jump[:-1]
    is_apart = (start >= ends[up]) | (start + duration <= begins[up])
    kinds = np.append(kind, 0)
    is_apart |= (kinds[:-1] == _CONSUMER) & (kinds[up] == _PRODUCER)
    is_left = np.append(is_apart & (parent >= 0), False)
    climb = jump
    while np.any(climb != count):
        is_left = is_left | is_left[climb]
        climb = climb[climb]
    waits = np.where(is_left[:-1], _NOBODY, parent)
    return begins[:-1], ends[:-1], waits


def _linked(parent: Rows, by: Nanos) -> tuple[Rows, Rows]:
    """Return the first child of each row and the next sibling, in the order of `by`, then row.

    The entry behind the last of the first children is the first root. Rows of parent -2 are left
    out.
    """
    count = len(parent)
    first = np.full(count + 1, -1, dtype=np.int64)
    later = np.full(count, -1, dtype=np.int64)
    order = np.lexsort((by, parent))  # stable
    order = order[np.searchsorted(parent[order], -1) :]
    up = parent[order]
    is_first = np.append(True, up[1:] != up[:-1])[: len(up)]
    first[up[is_first]] = order[is_first]
    is_later = np.flatnonzero(~is_first)
    later[order[is_later - 1]] = order[is_later]
    return first, later


def _sizes(parent: Rows, later: Rows, order: Rows) -> Rows:
    """Return the sizes of subtrees in the order of `order`.

    A subtree ends where the next sibling stands, or where the parent's ends if there is none.
    """
    count = len(parent)
    place = np.empty(count + 1, dtype=np.int64)
    place[order] = np.arange(count)
    place[count] = count
    ending = np.append(np.where(later >= 0, np.arange(count), np.where(parent < 0, count, parent)),
                       count)  # fmt: skip
    while not np.array_equal(further := ending[ending], ending):
        ending = further
    following = np.append(np.where(later >= 0, later, count), count)
    end = place[following[ending[:-1]]]
    sizes: Rows = (end - place[:-1])[order]
    return sizes


def _greatest_before(group: Rows, values: Nanos) -> Nanos:
    """Return the greatest value before each one in its group (groups are runs); the first, least.

    A running maximum does not stop at a group, so it runs over ranks, raised from group to group.
    """
    count = len(values)
    by_value = np.argsort(values, kind="stable")
    rank = np.empty(count, dtype=np.int64)
    rank[by_value] = np.arange(count)
    is_first = np.append(True, group[1:] != group[:-1])
    raised = rank + np.cumsum(is_first) * count
    greatest = values[by_value[np.maximum.accumulate(raised) % count]]
    before = np.append(np.iinfo(np.int64).min, greatest[:-1])
    before[is_first] = np.iinfo(np.int64).min
    return before


def _ends(parent: Rows) -> Rows:
    """Return -1 for each row whose way up ends, and a row of its cycle for the others."""
    jump = np.append(parent, -1)
    for _ in range(len(parent).bit_length()):
        if not np.any(jump >= 0):
            break
        jump = jump[jump]  # -1 is the last entry, which is -1
    return jump[:-1]


def cut_cycles(up: list[int]) -> None:
    """Give one span of each cycle no parent, -1: follow parents, colour the path; no recursion."""
    state = bytearray(len(up))
    for first in range(len(up)):
        path = []
        row = first
        while row >= 0 and state[row] == _UNSEEN:
            state[row] = _ON_PATH
            path.append(row)
            row = up[row]
        if row >= 0 and state[row] == _ON_PATH:
            up[min(path[path.index(row) :])] = -1
        for row in path:
            state[row] = _DONE
