"""Instants as text: RFC 3339 in the API, Go's own forms in messages."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from certwright.errors import InvalidError

__all__ = ["format_time", "go_time_string", "parse_time", "rfc1123"]

_RFC3339: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:[.,](\d+))?(Z|[+-]\d{2}:\d{2})", re.ASCII
)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)


def parse_time(text: str) -> datetime:
    """Return an RFC 3339 instant in UTC; beyond microseconds is cut off.

    Raises:
        InvalidError: It is not RFC 3339, or no such instant exists.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise InvalidError(f'"{text}" is not a time of the form 2006-01-02T15:04:05Z')
    fraction = (match[3] or "")[:6].ljust(6, "0")
    zone = "+00:00" if match[4] == "Z" else match[4]
    try:
        return datetime.fromisoformat(f"{match[1]}T{match[2]}.{fraction}{zone}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidError(f'"{text}" is not a time: {error}') from error


def format_time(instant: datetime) -> str:
    """Return `2006-01-02T15:04:05Z`, as metav1.Time; fractions of a second are cut off.

    `instant` has a time zone.
    """
    utc = instant.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    return f"{utc.isoformat()}Z"


def go_time_string(instant: datetime) -> str:
    """Return `2006-01-02 15:04:05 +0000 UTC`, as Go's `%v`; a fraction only if there is one."""
    utc = instant.astimezone(UTC)
    fraction = f".{utc.microsecond:06d}".rstrip("0") if utc.microsecond else ""
    moment = utc.replace(microsecond=0, tzinfo=None).isoformat(sep=" ")
    return f"{moment}{fraction} +0000 UTC"


def rfc1123(instant: datetime) -> str:
    """Return `Mon, 02 Jan 2006 15:04:05 UTC`, as Go's time.RFC1123 in UTC."""
    utc = instant.astimezone(UTC)
    return (
        f"{_DAYS[utc.weekday()]}, {utc.day:02d} {_MONTHS[utc.month - 1]} {utc.year:04d} "
        f"{utc.hour:02d}:{utc.minute:02d}:{utc.second:02d} UTC"
    )
