"""Counts, durations and self times of the spans of a trace, by groups. Linear."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["GroupStatistics", "statistics_by", "sum_of", "sums_by"]

_Key = TypeVar("_Key", bound=Hashable)
Ints = NDArray[np.int64]

_INT64_MAX: Final = 2**63 - 1
_HALF: Final = 32
_LOW: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class GroupStatistics:
    """One list entry for each group, in the order in which groups are met; nanoseconds."""

    count: list[int]
    total: list[int]
    shortest: list[int]
    longest: list[int]
    self_total: list[int]
    self_shortest: list[int]
    self_longest: list[int]


def sums_by(group: Ints, values: Ints, groups: int) -> Ints:
    """Return the sum of each group's values, exact up to 2^63 - 1, and that beyond it.

    Spans of 292 years are stored, so the sum of two may be more than 63 bits hold. The halves of
    the values are added up apart: neither leaves 63 bits before there are 2^31 values.

    Args:
        group: Of each value, below `groups`.
        values: Above -2^63.
        groups: How many there are.
    """
    high = np.zeros(groups, dtype=np.int64)
    low = np.zeros(groups, dtype=np.int64)
    np.add.at(high, group, values >> _HALF)
    np.add.at(low, group, values & _LOW)
    high += low >> _HALF
    exact = (np.minimum(high, _INT64_MAX >> _HALF) << _HALF) + (low & _LOW)
    return np.where(high > _INT64_MAX >> _HALF, _INT64_MAX, exact)


def sum_of(values: Ints) -> int:
    """Return the sum of all values, as `sums_by` does."""
    return int(sums_by(np.zeros(len(values), dtype=np.int64), values, 1)[0])


def statistics_by(
    keys: Sequence[_Key], duration: Sequence[int], self_time: Sequence[int]
) -> tuple[list[_Key], GroupStatistics]:
    """Return the groups and their statistics; a span belongs to the group of its key."""
    places: dict[_Key, int] = {}
    codes = np.fromiter(
        (places.setdefault(key, len(places)) for key in keys), dtype=np.int64, count=len(keys)
    )
    groups = len(places)
    counts = np.bincount(codes, minlength=groups)

    def summed(values: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
        column = np.array([min(value, _INT64_MAX) for value in values], dtype=np.int64)
        low = np.full(groups, _INT64_MAX, dtype=np.int64)
        high = np.full(groups, -_INT64_MAX, dtype=np.int64)
        np.minimum.at(low, codes, column)
        np.maximum.at(high, codes, column)
        return sums_by(codes, column, groups).tolist(), low.tolist(), high.tolist()

    return list(places), GroupStatistics(counts.tolist(), *summed(duration), *summed(self_time))
