"""Cron expressions and the windows they open, against dates read off a calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from certwright.errors import InvalidError
from certwright.pki.renewal_windows import Window, parse_cron, parse_zone, window_after

HOUR = timedelta(hours=1)
NEVER = "never"


def at(text: str) -> datetime:
    """Return an instant."""
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "moment", "opens"),
    [
        # 2026-03-01 is a Sunday.
        ("0 2 * * *", "", "2026-03-01T01:00Z", "2026-03-01T02:00Z"),
        ("0 2 * * *", "", "2026-03-01T02:00Z", "2026-03-01T02:00Z"),
        ("0 2 * * *", "", "2026-03-01T02:59Z", "2026-03-01T02:59Z"),
        ("0 2 * * *", "", "2026-03-01T03:00Z", "2026-03-02T02:00Z"),
        ("30 23 * * *", "", "2026-03-02T00:10Z", "2026-03-02T00:10Z"),
        ("0 4 * * 2", "", "2026-03-01T00:00Z", "2026-03-03T04:00Z"),
        ("0 4 * * sun", "", "2026-03-01T05:00Z", "2026-03-08T04:00Z"),
        ("0 4 * * MON-FRI", "", "2026-03-06T05:00Z", "2026-03-09T04:00Z"),
        ("0 1 1 * *", "", "2026-03-01T02:00Z", "2026-04-01T01:00Z"),
        ("0 1 29 2 *", "", "2026-03-01T00:00Z", "2028-02-29T01:00Z"),
        ("0 1 * JAN,jul ?", "", "2026-03-01T00:00Z", "2026-07-01T01:00Z"),
        ("*/20 5-7/2 * * *", "", "2026-03-01T05:50Z", "2026-03-01T05:50Z"),
        ("5/20 6 * * *", "", "2026-03-01T05:50Z", "2026-03-01T06:05Z"),
        ("0 0 13 * fri", "", "2026-03-01T12:00Z", "2026-03-06T00:00Z"),
        ("0 0 */5 * fri", "", "2026-03-01T12:00Z", "2026-03-06T00:00Z"),
        ("0 0 30 2 *", "", "2026-03-01T00:00Z", NEVER),
        ("0 2 * * *", "Asia/Seoul", "2026-03-01T00:00Z", "2026-03-01T17:00Z"),
        # Chicago has no 02:30 on 2026-03-08, and 01:30 twice on 2026-11-01.
        ("30 2 * * *", "America/Chicago", "2026-03-08T00:00-06:00", "2026-03-09T02:30-05:00"),
        ("30 1 * * *", "America/Chicago", "2026-11-01T01:10-05:00", "2026-11-01T01:30-05:00"),
        ("30 1 * * *", "America/Chicago", "2026-11-01T01:10-06:00", "2026-11-01T01:10-06:00"),
        ("30 1 * * *", "America/Chicago", "2026-11-01T02:40-06:00", "2026-11-02T01:30-06:00"),
    ],
)
def test_a_window_opens(cron: str, zone: str, moment: str, opens: str) -> None:
    """It stays open for an hour; within it every moment is its own."""
    found = window_after(Window(cron, zone, HOUR), at(moment), at("2030-01-01T00:00Z"))
    assert found == (None if opens == NEVER else at(opens))


def test_a_window_that_opens_too_late_is_none() -> None:
    """At the end itself, too."""
    window = Window("0 2 * * *", "", HOUR)
    early, opens = at("2026-03-01T00:00Z"), at("2026-03-01T02:00Z")
    assert window_after(window, early, opens) is None
    assert window_after(window, early, opens + timedelta(seconds=1)) == opens


@pytest.mark.parametrize("moment", ["0001-01-01T00:00Z", "9999-12-31T23:59Z"])
def test_the_ends_of_time(moment: str) -> None:
    """Certificates without an end have one in the year 9999."""
    window = Window("0 2 * * *", "Asia/Seoul", timedelta(days=100_000))
    found = window_after(window, at(moment), at("9999-12-31T23:59:59Z"))
    assert found is None or found >= at(moment)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "* * * * * *",
        "@daily",
        "TZ=UTC 0 2 * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 7",
        "5-3 * * * *",
        "*/0 * * * *",
        "-1 * * * *",
        "1,,2 * * * *",
        "1- * * * *",
        "* * * foo *",
        "\u0661 * * * *",
        "99999999999999999999 * * * *",
        "*/99999999999999999999x * * * *",
    ],
)
def test_what_is_no_cron_expression(text: str) -> None:
    """It is refused, never guessed."""
    with pytest.raises(InvalidError):
        parse_cron(text)


@pytest.mark.parametrize("name", ["Nowhere", "/etc/passwd", "../UTC", "America", "a\0b", "x" * 999])
def test_what_is_no_time_zone(name: str) -> None:
    """Names come from users."""
    with pytest.raises(InvalidError):
        parse_zone(name)
