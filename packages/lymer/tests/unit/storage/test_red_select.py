"""Quantiles of buckets."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from lymer.storage.clickhouse.red_select import quantiles

_DURATIONS = st.lists(st.integers(0, 2**62), min_size=1, max_size=60)


@given(_DURATIONS)
def test_quantiles_are_those_of_the_sorted_durations_to_a_bucket(durations: list[int]) -> None:
    """A quantile lies in the bucket of the duration that it stands for."""
    buckets: dict[int, int] = {}
    for one in durations:
        bucket = math.floor(math.log2(one + 1) * 8)
        buckets[bucket] = buckets.get(bucket, 0) + 1
    found = quantiles(sorted(buckets.items()), len(durations))
    ordered = sorted(durations)
    for share, value in zip((0.5, 0.95, 0.99), found, strict=True):
        exact = ordered[math.ceil(share * len(ordered)) - 1]
        assert abs(math.log2(value + 1) - math.log2(exact + 1)) <= 1 / 8 + 0.5 / (exact + 1)


def test_a_bucket_without_calls_is_no_quantile() -> None:
    """What was counted and taken back is not met on the way."""
    middle = 3  # 2^(16.5 / 8) - 1 = 3.2
    assert quantiles([(8, 0), (16, 2)], 2) == (middle, middle, middle)
