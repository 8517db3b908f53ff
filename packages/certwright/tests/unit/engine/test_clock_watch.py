"""When the wall clock is said to have jumped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from certwright.engine.clock_watch import ClockWatch

NOON = datetime(2023, 6, 2, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wall_seconds", "jumped"),
    [(10.0, False), (11.9, False), (8.1, False), (12.1, True), (7.9, True), (86_400, True)],
)
def test_a_jump_is_what_time_does_not_explain(wall_seconds: float, *, jumped: bool) -> None:
    """Ten seconds passed; small corrections are none."""
    watch = ClockWatch(NOON, 100.0)

    assert watch.has_jumped(NOON + timedelta(seconds=wall_seconds), 110.0) is jumped


def test_a_jump_is_told_once() -> None:
    """The next comparison begins where the last one ended."""
    watch = ClockWatch(NOON, 100.0)

    assert watch.has_jumped(NOON + timedelta(days=3), 110.0)
    assert not watch.has_jumped(NOON + timedelta(days=3, seconds=10), 120.0)
