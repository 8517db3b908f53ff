"""Order, self time and critical path, against slow and plain definitions and known cases."""

from __future__ import annotations

import itertools
import random
import time

import numpy as np
import pytest
from numpy.typing import NDArray

from lymer.analysis import forest
from lymer.analysis.forest import durations, offsets
from lymer.analysis.statistics import statistics_by

Trace = tuple[list[int], list[int], list[int], list[int]]


def random_trace(rng: random.Random, count: int) -> Trace:
    """Return parent, start, duration, kind of a random forest."""
    parent = [rng.randrange(-1, row) for row in range(count)]
    names = list(range(count))
    rng.shuffle(names)  # a parent may stand behind its children
    shuffled = [-1] * count
    for row, up in enumerate(parent):
        shuffled[names[row]] = names[up] if up >= 0 else -1
    start = [rng.randrange(60) for _ in range(count)]
    duration = [rng.randrange(1, 40) for _ in range(count)]
    return shuffled, start, duration, [rng.choice([1, 2, 3, 4, 5]) for _ in range(count)]


def rows(parent: list[int]) -> NDArray[np.int64]:
    """Return them as an array."""
    return np.array(parent, dtype=np.int64)


def depth_first(parent: list[int], start: list[int]) -> forest.Order:
    """Return the order."""
    return forest.depth_first(rows(parent), offsets(start))


def self_times(parent: list[int], start: list[int], duration: list[int]) -> list[int]:
    """Return them as a list."""
    own: list[int] = forest.self_times(rows(parent), offsets(start), durations(duration)).tolist()
    return own


def critical_path(
    parent: list[int], start: list[int], duration: list[int], kind: list[int]
) -> list[tuple[int, int, int]]:
    """Return row, start and end of each section."""
    path = forest.critical_path(
        rows(parent), offsets(start), durations(duration), np.array(kind, dtype=np.uint8)
    )
    columns = path.row.tolist(), path.start.tolist(), path.end.tolist()
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize("seed", range(60))
def test_depth_first_is_what_recursion_says(seed: int) -> None:
    """Children by start, then row; depth and size follow."""
    rng = random.Random(seed)
    parent, start, _, _ = random_trace(rng, rng.randrange(1, 40))
    expected: list[tuple[int, int]] = []

    def visit(row: int, depth: int) -> int:
        expected.append((row, depth))
        below = [child for child, up in enumerate(parent) if up == row]
        return 1 + sum(visit(c, depth + 1) for c in sorted(below, key=lambda c: (start[c], c)))

    roots = [row for row, up in enumerate(parent) if up < 0]
    for root in sorted(roots, key=lambda row: (start[row], row)):
        visit(root, 0)
    order = depth_first(parent, start)
    assert list(zip(order.rows, order.depth, strict=True)) == expected
    for place, size in enumerate(order.size):
        depth = order.depth[place]
        below = [other > depth for other in order.depth[place + 1 :]]
        assert size == 1 + (below.index(False) if False in below else len(below))


@pytest.mark.parametrize("seed", range(60))
def test_self_time_is_what_no_child_covers(seed: int) -> None:
    """Counted instant by instant."""
    rng = random.Random(seed)
    parent, start, duration, _ = random_trace(rng, 30)
    covered = [
        {
            instant
            for child, up in enumerate(parent)
            if up == row
            for instant in range(start[child], start[child] + duration[child])
        }
        for row in range(len(parent))
    ]
    expected = [
        sum(
            instant not in covered[row] for instant in range(start[row], start[row] + duration[row])
        )
        for row in range(len(parent))
    ]
    assert self_times(parent, start, duration) == expected


@pytest.mark.parametrize("seed", range(60))
def test_critical_path_covers_each_root_once(seed: int) -> None:
    """Sections follow one another without gap or overlap, each inside of its span."""
    rng = random.Random(seed)
    parent, start, duration, kind = random_trace(rng, 30)
    origin = min(start)
    sections = [
        (row, begin + origin, end + origin)
        for row, begin, end in critical_path(parent, start, duration, kind)
    ]
    for row, begin, end in sections:
        assert start[row] <= begin < end <= start[row] + duration[row]
    total = sum(duration[row] for row, up in enumerate(parent) if up < 0)
    assert sum(end - begin for _, begin, end in sections) <= total
    for (_, begin, _), (_, _, end) in itertools.pairwise(sections):
        assert end <= begin or parent.count(-1) > 1


def test_critical_path_of_known_traces() -> None:
    """Overlapping children, one that ends after its parent, one outside, a consumer."""
    # root 0..100, child a 10..60 with grandchild 20..40, child b 50..90
    path = critical_path([-1, 0, 1, 0], [0, 10, 20, 50], [100, 50, 20, 40], [1, 1, 1, 1])
    assert path == [
        (0, 90, 100), (3, 50, 90), (0, 0, 50),
    ]  # fmt: skip
    path = critical_path([-1, 0, 1, 0], [0, 10, 20, 61], [100, 50, 20, 30], [1, 1, 1, 1])
    assert path == [
        (0, 91, 100), (3, 61, 91), (0, 60, 61), (1, 40, 60), (2, 20, 40), (1, 10, 20), (0, 0, 10),
    ]  # fmt: skip
    # a child that overflows is cut, one that begins afterwards is left out
    path = critical_path([-1, 0, 0], [0, 50, 120], [100, 100, 10], [1, 1, 1])
    assert path == [(1, 50, 100), (0, 0, 50)]
    # a producer does not wait for its consumer
    path = critical_path([-1, 0], [0, 10], [100, 50], [4, 5])
    assert path == [(0, 0, 100)]


@pytest.mark.parametrize("shape", ["chain", "fan", "bush"])
def test_two_hundred_thousand_spans_take_a_second(shape: str) -> None:
    """Nothing is recursive, nothing is quadratic."""
    count = 200_000
    if shape == "chain":
        parent = list(range(-1, count - 1))
    elif shape == "fan":
        parent = [-1] + [0] * (count - 1)
    else:
        parent = [(row - 1) // 7 if row else -1 for row in range(count)]
    start = list(range(count))
    duration = [2 * count - 2 * row if shape == "chain" else 5 for row in range(count)]
    duration[0] = 3 * count
    kind = [1] * count
    begun = time.process_time()
    depth_first(parent, start)
    own = self_times(parent, start, duration)
    path = critical_path(parent, start, duration, kind)
    statistics_by([row % 50 for row in range(count)], duration, own)
    assert path
    assert time.process_time() - begun < 4  # 0.5 s on a quiet machine


def test_hostile_clocks_leave_the_sums_whole() -> None:
    """Spans 500 years apart, of all 64 bits: no sum of ours goes round."""
    parent, start = [-1, 0, 0], [0, 5, 2**64 - 1]
    duration = [2**64 - 1, 10, 2**63]

    assert min(self_times(parent, start, duration)) >= 0
    path = critical_path(parent, start, duration, [1, 1, 1])
    assert path
    assert all(0 <= begin < end for _, begin, end in path)


def test_statistics_are_sums_by_group() -> None:
    """As a plain loop says."""
    rng = random.Random(5)
    keys = [rng.choice("abc") for _ in range(200)]
    duration = [rng.randrange(1, 10**12) for _ in keys]
    own = [rng.randrange(value) for value in duration]
    groups, found = statistics_by(keys, duration, own)
    assert groups == list(dict.fromkeys(keys))
    for place, group in enumerate(groups):
        some = [value for key, value in zip(keys, duration, strict=True) if key == group]
        mine = [value for key, value in zip(keys, own, strict=True) if key == group]
        assert (found.count[place], found.total[place]) == (len(some), sum(some))
        assert (found.shortest[place], found.longest[place]) == (min(some), max(some))
        assert (found.self_total[place], found.self_longest[place]) == (sum(mine), max(mine))
        assert found.self_shortest[place] == min(mine)
