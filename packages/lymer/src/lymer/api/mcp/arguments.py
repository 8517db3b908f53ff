"""What the arguments of tools mean: times, durations, ids."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from lymer.errors import QuestionError
from lymer.query.diagnosis import RANGE_SECONDS, TimeRange
from lymer.wire.go_text import from_duration_text, from_rfc3339_text

__all__ = ["TIMES", "WITHIN", "duration_nano", "text_of", "time_range", "told_time"]

WITHIN: Final[dict[str, dict[str, Any]]] = {
    "start_time": {
        "type": "string",
        "description": "RFC 3339, or relative such as -1h. Default: -15m.",
    },
    "end_time": {"type": "string", "description": "Likewise, or now. Default: now."},
}
TIMES: Final[dict[str, dict[str, Any]]] = {
    "start_time_min": {
        "type": "string",
        "description": "RFC 3339, or relative such as -1h. Default: -1h.",
    },
    "start_time_max": {"type": "string", "description": "Likewise, or now. Default: now."},
}


def time_range(
    arguments: dict[str, Any],
    now: int,
    names: tuple[str, str] = ("start_time", "end_time"),
    default_seconds: int = RANGE_SECONDS,
) -> TimeRange:
    """Return the range that the arguments name.

    Raises:
        QuestionError: One of them cannot be read, or they are the wrong way round.
    """
    end = _instant(arguments, names[1], now, now)
    start = _instant(arguments, names[0], now, end - default_seconds * 10**9)
    if start > end:
        raise QuestionError(f"{names[0]} must be before {names[1]}")
    return TimeRange(max(start, 0), max(end, 0))


def _instant(arguments: dict[str, Any], name: str, now: int, default: int) -> int:
    text = str(arguments.get(name, "")).strip()
    if not text:
        return default
    if text == "now":
        return now
    try:
        if text.startswith("-"):
            return now - from_duration_text(text[1:])
        return from_rfc3339_text(text)
    except ValueError as error:
        raise QuestionError(f"{name} must be RFC 3339 or relative such as -15m: {error}") from error


def duration_nano(arguments: dict[str, Any], name: str) -> int | None:
    """Return a duration such as `200ms`, nanoseconds.

    Raises:
        QuestionError: It is none.
    """
    text = str(arguments.get(name, ""))
    if not text:
        return None
    try:
        return from_duration_text(text)
    except ValueError as error:
        raise QuestionError(f"{name} must be a duration such as 200ms: {error}") from error


def text_of(arguments: dict[str, Any], name: str) -> str:
    """Return a text; absent is empty."""
    return str(arguments.get(name, ""))


def told_time(unix_nano: int) -> str:
    """Return an instant as RFC 3339, to the microsecond."""
    return datetime.fromtimestamp(unix_nano / 1e9, UTC).isoformat().replace("+00:00", "Z")
