"""Counts, durations and self times of the spans of a trace, by groups. Linear."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np

__all__ = ["GroupStatistics", "statistics_by"]

_Key = TypeVar("_Key", bound=Hashable)
_INT64_MAX: Final = 2**63 - 1


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
        # Sums of many long spans leave 63 bits; doubles hold them to 16 digits.
        totals = np.bincount(codes, weights=column, minlength=groups)
        low = np.full(groups, _INT64_MAX, dtype=np.int64)
        high = np.full(groups, -_INT64_MAX, dtype=np.int64)
        np.minimum.at(low, codes, column)
        np.maximum.at(high, codes, column)
        return [round(one) for one in totals.tolist()], low.tolist(), high.tolist()

    return list(places), GroupStatistics(counts.tolist(), *summed(duration), *summed(self_time))
