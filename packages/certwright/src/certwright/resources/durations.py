"""Go's time.Duration as text: the form of every duration in the API (`2160h0m0s`)."""

from __future__ import annotations

import re
from typing import Final

from certwright.errors import InvalidError

__all__ = ["HOUR_NANO", "MINUTE_NANO", "SECOND_NANO", "format_duration", "parse_duration"]

SECOND_NANO: Final = 1_000_000_000
MINUTE_NANO: Final = 60 * SECOND_NANO
HOUR_NANO: Final = 60 * MINUTE_NANO

_UNITS_NANO: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, the micro sign
    "μs": 1_000,
    "ms": 1_000_000,
    "s": SECOND_NANO,
    "m": MINUTE_NANO,
    "h": HOUR_NANO,
}
_NANO_MAX: Final = (1 << 63) - 1
_UNSIGNED_MAX: Final = 1 << 63
_NUMBER: Final = re.compile(r"([0-9]*)(?:(\.)([0-9]*))?")
_UNIT: Final = re.compile(r"[^.0-9]*")


def parse_duration(text: str) -> int:
    """Return nanoseconds, as Go's `time.ParseDuration`: signs, fractions, `h m s ms us µs ns`.

    Raises:
        InvalidError: Go would refuse it. The text is Go's, such as
            `time: unknown unit "d" in duration "1d"`.

    Source: Go time.ParseDuration.
    """
    rest = text
    negative = rest.startswith("-")
    if rest[:1] in {"-", "+"}:
        rest = rest[1:]
    if rest == "0":
        return 0
    if not rest:
        raise InvalidError(f"time: invalid duration {_quote(text)}")
    total = 0
    while rest:
        total += _next_part(text, rest)
        if total > _UNSIGNED_MAX:
            raise InvalidError(f"time: invalid duration {_quote(text)}")
        rest = rest[_part_length(rest) :]
    if negative:
        return -total
    if total > _NANO_MAX:
        raise InvalidError(f"time: invalid duration {_quote(text)}")
    return total


def _part_length(rest: str) -> int:
    number = _NUMBER.match(rest)
    assert number is not None
    unit = _UNIT.match(rest, number.end())
    assert unit is not None
    return unit.end()


def _next_part(text: str, rest: str) -> int:
    """Return the nanoseconds of the first number and unit of `rest`."""
    match = _NUMBER.match(rest)
    assert match is not None
    digits, fraction = match[1], match[3] or ""
    whole = int(digits or "0")
    if (not digits and not fraction) or whole > _UNSIGNED_MAX:
        raise InvalidError(f"time: invalid duration {_quote(text)}")
    unit_match = _UNIT.match(rest, match.end())
    assert unit_match is not None
    unit = unit_match[0]
    if not unit:
        raise InvalidError(f"time: missing unit in duration {_quote(text)}")
    if unit not in _UNITS_NANO:
        raise InvalidError(f"time: unknown unit {_quote(unit)} in duration {_quote(text)}")
    nano = whole * _UNITS_NANO[unit]
    if nano > _UNSIGNED_MAX:
        raise InvalidError(f"time: invalid duration {_quote(text)}")
    return nano + _fraction_nano(fraction, _UNITS_NANO[unit])


def _fraction_nano(fraction: str, unit_nano: int) -> int:
    """Return the nanoseconds of `.fraction`, rounded down, with Go's float in between.

    Digits that would overflow 63 bits are dropped.
    """
    value, scale = 0, 1.0
    for digit in fraction:
        longer = value * 10 + int(digit)
        if value > _NANO_MAX // 10 or longer > _UNSIGNED_MAX:
            break
        value, scale = longer, scale * 10
    return int(value * (unit_nano / scale))


def format_duration(nanoseconds: int) -> str:
    """Return a duration as Go's `Duration.String`: `2160h0m0s`, `1.5s`, `300ms`, `0s`.

    Source: Go time.Duration.String.
    """
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest == 0:
        return "0s"
    if rest < 1_000:
        return f"{sign}{rest}ns"
    if rest < 1_000_000:
        return f"{sign}{_decimal(rest, 1_000)}µs"
    if rest < SECOND_NANO:
        return f"{sign}{_decimal(rest, 1_000_000)}ms"
    minutes, rest = divmod(rest, MINUTE_NANO)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_decimal(rest, SECOND_NANO)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}"
    return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"


def _decimal(value: int, unit: int) -> str:
    whole, fraction = divmod(value, unit)
    digits = f"{fraction:0{len(str(unit)) - 1}d}".rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def _quote(text: str) -> str:
    r"""Quote as Go's time package does: everything that is not printable ASCII as bytes, `\xc2`."""
    parts: list[str] = []
    for character in text:
        if character in {'"', "\\"}:
            parts.append(f"\\{character}")
        elif " " <= character < "\x80":
            parts.append(character)
        else:
            octets = character.encode("utf-8", "surrogateescape")
            parts.append("".join(f"\\x{octet:02x}" for octet in octets))
    return f'"{"".join(parts)}"'
