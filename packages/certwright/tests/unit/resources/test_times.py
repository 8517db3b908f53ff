"""Instants as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from certwright.errors import InvalidError
from certwright.resources.times import format_time, go_time_string, parse_time, rfc1123

MOMENT = datetime(2023, 6, 2, 10, 0, 5, 120_000, tzinfo=UTC)


def test_the_four_forms() -> None:
    """RFC 3339 in fields, Go's own forms in messages."""
    assert format_time(MOMENT) == "2023-06-02T10:00:05Z"
    assert go_time_string(MOMENT) == "2023-06-02 10:00:05.12 +0000 UTC"
    assert go_time_string(MOMENT.replace(microsecond=0)) == "2023-06-02 10:00:05 +0000 UTC"
    assert rfc1123(MOMENT) == "Fri, 02 Jun 2023 10:00:05 UTC"


def test_other_zones_are_turned_into_utc() -> None:
    """A cluster has one clock."""
    moment = MOMENT.astimezone(timezone(timedelta(hours=9)))

    assert format_time(moment) == "2023-06-02T10:00:05Z"
    assert parse_time("2023-06-02T19:00:05.12+09:00") == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("2023-06-02", id="a day"),
        pytest.param("2023-06-02T10:00:05", id="no zone"),
        pytest.param("2023-02-30T10:00:05Z", id="no such day"),
        pytest.param("2023-06-02t10:00:05z", id="small letters"),
        pytest.param("", id="nothing"),
        pytest.param("0001-01-01T00:00:00+14:00", id="before the first day"),
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """With the text in the message."""
    with pytest.raises(InvalidError, match="is not a time"):
        parse_time(text)


def test_fractions_below_a_microsecond_are_cut_off() -> None:
    """Nothing in the API is finer than a second."""
    assert parse_time("2023-06-02T10:00:05.1234567Z").microsecond == 123_456
