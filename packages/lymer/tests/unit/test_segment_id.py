"""Ids of segments of several collectors."""

from __future__ import annotations

import random

from lymer.model.segment_id import COLLECTORS_MAX, next_segment_id


def test_two_collectors_never_draw_the_same_id() -> None:
    """Whatever their clocks say, standing still and going back included, and each one's rise."""
    chance = random.Random(17)
    drawn: set[int] = set()
    for collector in (0, 1, 2, COLLECTORS_MAX - 1):
        last = 0
        for _ in range(2_000):
            now = 1_795_365_821_000_000 + chance.randrange(50_000)
            drawn_id = next_segment_id(max(last + 1, now), collector)
            assert drawn_id > last
            assert drawn_id not in drawn
            assert drawn_id - max(last + 1, now) < COLLECTORS_MAX
            drawn.add(drawn_id)
            last = drawn_id
