"""Renewals that waited for a CA: spread when it is back, the nearest end first, none too late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from statistics import median

import pytest

from certwright.policy.turns import NOW, turn_of

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def first_turn(who: str, *, away: timedelta, left: timedelta) -> timedelta:
    """Return how long after the CA's return it is asked; `left` of the life is left then."""
    back = START + away
    now = back
    while True:
        turn = turn_of(who, now=now, waits_since=START, ends=back + left)
        if turn.is_now:
            return now - back
        assert turn.next_seconds is not None
        assert turn.next_seconds >= 1, "it would be a hot loop"
        now += timedelta(seconds=turn.next_seconds)
        assert now < back + left, "it has ended"


@pytest.mark.parametrize(("away", "left"), [(48, 22), (48, 3), (2, 20), (100, 500), (3, 1)])
def test_they_come_over_a_part_of_what_is_left(away: int, left: int) -> None:
    """Never later than that part of it, or of the absence; and never many at once."""
    bound = min(away, left) * HOUR / 2
    turns = sorted(
        first_turn(f"u{number}", away=away * HOUR, left=left * HOUR) for number in range(500)
    )

    assert turns[-1] <= min(2 * bound, left * HOUR * 0.75)
    assert turns[-1] > bound / 4
    parts = [sum(1 for turn in turns if turn // (bound / 16) == part) for part in range(33)]
    assert max(parts) < 500 / 3, parts


def test_the_nearest_to_its_end_comes_first() -> None:
    """All of those with an hour have their turn before half of those with a day."""
    hour, day = (
        sorted(first_turn(f"u{number}", away=48 * HOUR, left=left) for number in range(200))
        for left in (HOUR, 24 * HOUR)
    )
    assert max(hour) < median(day)


def test_every_life_is_asked_for_often_before_its_end() -> None:
    """While the CA stays away; and in its last half an hour by the loop's own back-off."""
    for number in range(50):
        now, ends, asked = START, START + 24 * HOUR, 0
        while now < ends:
            turn = turn_of(f"u{number}", now=now, waits_since=START, ends=ends)
            asked += turn.is_now
            now += timedelta(seconds=turn.next_seconds or 300)
        assert 12 <= asked <= 40


@pytest.mark.parametrize(
    ("since", "ends"),
    [(None, START + HOUR), (START, None), (START - HOUR, START - HOUR), (START, START + 9 * HOUR)],
)
def test_who_did_not_wait_or_has_nothing_to_wait_with_is_not_held(
    since: datetime | None, ends: datetime | None
) -> None:
    """A first certificate, one that has ended, one that was asked for just now."""
    assert turn_of("u", now=START, waits_since=since, ends=ends) == NOW
