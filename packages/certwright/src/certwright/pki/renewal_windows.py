"""Windows in which certificates may be renewed: a cron expression says when one opens.

The five fields, their names, and that a day counts if either of its two fields fits when both are
restricted, are those of the cron that cert-manager reads. What opens in an hour that the clocks
skip does not open that day; what opens in an hour that comes twice opens twice.

Source: POSIX crontab; cert-manager 1.21 (spec.renewal); robfig/cron v3 (ParseStandard).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from certwright.errors import InvalidError

__all__ = ["Window", "parse_cron", "parse_zone", "window_after"]

_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final[tuple[tuple[str, int, int, tuple[str, ...]], ...]] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
_PART: Final = re.compile(r"(?:(\*|\?)|(\w+)(?:-(\w+))?)(?:/([0-9]+))?")
_DAY: Final = timedelta(days=1)
_FIRST: Final = datetime.min.replace(tzinfo=UTC) + 2 * _DAY
_LAST: Final = datetime.max.replace(tzinfo=UTC) - 2 * _DAY


@dataclass(frozen=True, slots=True)
class Cron:
    """When windows open, on a clock on a wall."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    is_either: bool
    """Both days are restricted, so one that fits is enough."""

    def fits(self, day: date) -> bool:
        """Return whether windows open on this day."""
        if day.month not in self.months:
            return False
        fits = (day.day in self.days, day.isoweekday() % 7 in self.weekdays)
        return any(fits) if self.is_either else all(fits)


@dataclass(frozen=True, slots=True)
class Window:
    """When renewal is allowed."""

    cron: str
    zone: str
    """IANA's name of a time zone; UTC if empty."""
    duration: timedelta


@lru_cache(maxsize=256)
def parse_cron(text: str) -> Cron:
    """Return what a cron expression of five fields says.

    Raises:
        InvalidError: It is none.
    """
    words = text.split()
    if len(words) != len(_FIELDS):
        raise InvalidError(f"expected exactly 5 fields, found {len(words)}: {text!r}")
    found = [_values(word, *field) for word, field in zip(words, _FIELDS, strict=True)]
    (minutes, _), (hours, _), (days, any_day), (months, _), (weekdays, any_weekday) = found
    return Cron(
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        days,
        months,
        weekdays,
        not (any_day or any_weekday),
    )


def parse_zone(name: str) -> tzinfo:
    """Return a time zone of the system's data; UTC if empty.

    Raises:
        InvalidError: It is not known here.
    """
    if name in {"", "UTC"}:
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InvalidError(f"unknown time zone {name}") from None


@lru_cache(maxsize=4096)
def window_after(window: Window, moment: datetime, until: datetime) -> datetime | None:
    """Return when a window is open for the first time from `moment` on, before `until`.

    That is `moment` itself if one is open.

    Raises:
        InvalidError: The window is none.
    """
    after = max(moment, _FIRST + window.duration) - window.duration
    opens = _opens_after(parse_cron(window.cron), parse_zone(window.zone), after, until)
    return None if opens is None else max(opens, moment)


def _opens_after(cron: Cron, zone: tzinfo, after: datetime, until: datetime) -> datetime | None:
    first = max(after, _FIRST).astimezone(zone).date()
    last = min(until, _LAST).astimezone(zone).date()
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        day = date.fromordinal(ordinal)
        if not cron.fits(day):
            continue
        opens = min((at for at in _times(cron, zone, day) if at > after), default=None)
        if opens is not None:
            return opens if opens < until else None
    return None


def _times(cron: Cron, zone: tzinfo, day: date) -> Iterator[datetime]:
    for hour in cron.hours:
        for minute in cron.minutes:
            for fold in (0, 1):
                wall = datetime.combine(day, time(hour, minute, fold=fold), zone)
                at = wall.astimezone(UTC)
                if at.astimezone(zone).replace(tzinfo=None, fold=0) == wall.replace(
                    tzinfo=None, fold=0
                ):
                    yield at


def _values(
    text: str, what: str, least: int, most: int, names: tuple[str, ...]
) -> tuple[frozenset[int], bool]:
    """Return the values of a field, and whether it restricts nothing."""
    found: set[int] = set()
    is_any = False
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise InvalidError(f"{what}: cannot read {part!r}")
        star, low, high, step = match.groups()
        width = 1 if step is None else int(step)
        if star:
            start, end = least, most
            is_any = is_any or width <= 1
        else:
            start = _number(low, what, least, names)
            end = start if high is None else _number(high, what, least, names)
            if high is None and step is not None:
                end = most
        if not (least <= start <= end <= most and width):
            raise InvalidError(f"{what}: {part!r} is not within {least} to {most}")
        found.update(range(start, end + 1, width))
    return frozenset(found), is_any


def _number(text: str, what: str, least: int, names: tuple[str, ...]) -> int:
    if text.lower() in names:
        return names.index(text.lower()) + least
    if not (text.isascii() and text.isdecimal() and len(text) <= 4):
        raise InvalidError(f"{what}: cannot read {text!r}")
    return int(text)
