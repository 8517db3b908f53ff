"""`analysis.forest` for those who have lists: the same functions, lists in, lists out.

Times may be those of hostile clocks, which leave 63 bits: they are cut to 146 years after the
earliest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lymer.analysis import forest

__all__ = ["CriticalPath", "Order", "critical_path", "depth_first", "self_times"]

_NANO_MAX: Final = 2**62


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
    """See `forest.depth_first`."""
    order = forest.depth_first(_rows(parent), _offsets(start)[0])
    return Order(order.rows.tolist(), order.depth.tolist(), order.size.tolist())


def self_times(parent: Sequence[int], start: Sequence[int], duration: Sequence[int]) -> list[int]:
    """See `forest.self_times`."""
    own: list[int] = forest.self_times(
        _rows(parent), _offsets(start)[0], _durations(duration)
    ).tolist()
    return own


def critical_path(
    parent: Sequence[int],
    start: Sequence[int],
    duration: Sequence[int],
    kind: Sequence[int],
) -> CriticalPath:
    """See `forest.critical_path`."""
    offsets, origin = _offsets(start)
    path = forest.critical_path(
        _rows(parent), offsets, _durations(duration), np.array(kind, dtype=np.uint8)
    )
    return CriticalPath(
        path.row.tolist(),
        [one + origin for one in path.start.tolist()],
        [one + origin for one in path.end.tolist()],
    )


def _rows(parent: Sequence[int]) -> NDArray[np.int64]:
    return np.array(parent, dtype=np.int64)


def _offsets(start: Sequence[int]) -> tuple[NDArray[np.int64], int]:
    """Return the starts after the earliest, and that."""
    origin = min(start, default=0)
    return np.array([min(one - origin, _NANO_MAX) for one in start], dtype=np.int64), origin


def _durations(duration: Sequence[int]) -> NDArray[np.int64]:
    return np.array([min(one, _NANO_MAX) for one in duration], dtype=np.int64)
