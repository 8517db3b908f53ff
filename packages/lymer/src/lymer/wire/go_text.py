"""Texts as Go prints and reads them: durations, instants, numbers.

Jaeger's warnings, parameters and JSON numbers are Go's; clients match on them.
Source: Go 1.25, `time.Duration.String`, `time.ParseDuration`, `time.Time.String`, `strconv`,
`encoding/json` (number format).
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final

__all__ = [
    "duration_text",
    "float_text",
    "from_bool_text",
    "from_duration_text",
    "from_int_text",
    "from_rfc3339_text",
    "instant_text",
    "rfc3339_text",
]

INT64_MAX: Final = 2**63 - 1

_NANO_PER_SECOND: Final = 1_000_000_000
_NANO_PER_UNIT: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek mu: Go takes both
    "ms": 1_000_000,
    "s": _NANO_PER_SECOND,
    "m": 60 * _NANO_PER_SECOND,
    "h": 3_600 * _NANO_PER_SECOND,
}
_DURATION_PART: Final = re.compile(r"([0-9]*)(\.[0-9]*)?([^0-9.]*)")
_INT: Final = re.compile(r"[+-]?[0-9]+")
_RFC3339: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T](\d{2}:\d{2}:\d{2})(?:[.,](\d+))?(Z|[+-]\d{2}:\d{2})", re.ASCII
)
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "FALSE", "false", "False"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def duration_text(nano: int) -> str:
    """Return `nano` nanoseconds as Go prints a duration: `1h2m3.5s`, `1.5ms`, `0s`."""
    sign = "-" if nano < 0 else ""
    rest = abs(nano)
    if rest < _NANO_PER_SECOND:
        if rest == 0:
            return "0s"
        unit = "ns" if rest < 1_000 else "µs" if rest < 1_000_000 else "ms"
        return sign + _decimal(rest, _NANO_PER_UNIT[unit]) + unit
    minutes, rest = divmod(rest, _NANO_PER_UNIT["m"])
    text = _decimal(rest, _NANO_PER_SECOND) + "s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        text = f"{minutes}m{text}"
        if hours:
            text = f"{hours}h{text}"
    return sign + text


def from_duration_text(text: str) -> int:
    """Return the nanoseconds of a Go duration like `1h2m3.5s`, `-1.5ms` or `0`.

    Raises:
        ValueError: With the sentence Go answers.
    """
    quoted = _quoted(text)
    rest = text[1:] if text[:1] in {"+", "-"} else text
    if rest == "0":
        return 0
    if not rest:
        raise ValueError(f"time: invalid duration {quoted}")
    total = Fraction(0)
    while rest:
        part = _DURATION_PART.match(rest)
        if part is None or (not part[1] and part[2] in {None, "."}):
            raise ValueError(f"time: invalid duration {quoted}")
        if not part[3]:
            raise ValueError(f"time: missing unit in duration {quoted}")
        if part[3] not in _NANO_PER_UNIT:
            raise ValueError(f"time: unknown unit {_quoted(part[3])} in duration {quoted}")
        # Seconds of more than 20 digits overflow whatever follows them: do not compute them.
        if len(part[1]) > 20:
            raise ValueError(f"time: invalid duration {quoted}")
        number = Fraction(int(part[1] or "0"))
        fraction = (part[2] or ".")[1:20]
        if fraction:
            number += Fraction(int(fraction), 10 ** len(fraction))
        total += number * _NANO_PER_UNIT[part[3]]
        rest = rest[part.end() :]
    nano = int(total)
    if nano > INT64_MAX:
        raise ValueError(f"time: invalid duration {quoted}")
    return -nano if text[:1] == "-" else nano


def instant_text(unix_nano: int) -> str:
    """Return an instant as Go prints it in UTC: `2026-11-22 16:43:40.123456789 +0000 UTC`.

    Args:
        unix_nano: Nanoseconds since the epoch; wraps to a signed 64-bit integer, as pdata's does.
    """
    day, second, fraction = _split_instant(unix_nano)
    return f"{day} {second}{fraction} +0000 UTC"


def rfc3339_text(unix_nano: int) -> str:
    """Return an instant as Go's RFC3339Nano in UTC: `2026-11-22T16:43:40.123456789Z`."""
    day, second, fraction = _split_instant(unix_nano)
    return f"{day}T{second}{fraction}Z"


def from_rfc3339_text(text: str) -> int:
    """Return the nanoseconds since the epoch of an RFC 3339 instant, fraction cut at 9 digits.

    Raises:
        ValueError: The text is no such instant.
    """
    match = _RFC3339.fullmatch(text)
    layout = "2006-01-02T15:04:05.999999999Z07:00"
    refusal = f'parsing time {_quoted(text)} as "{layout}": cannot parse it'
    if match is None:
        raise ValueError(refusal)
    offset = "+00:00" if match[4] == "Z" else match[4]
    try:
        moment = datetime.fromisoformat(f"{match[1]}T{match[2]}{offset}")
    except ValueError:
        raise ValueError(refusal) from None
    whole = moment - _EPOCH
    nano = int((match[3] or "0")[:9].ljust(9, "0"))
    return (whole.days * 86_400 + whole.seconds) * _NANO_PER_SECOND + nano


def from_int_text(text: str, *, bits: int = 64) -> int:
    """Return a decimal integer of at most `bits` bits, signed.

    Raises:
        ValueError: With the sentence Go's `strconv.ParseInt` answers.
    """
    if not _INT.fullmatch(text):
        raise ValueError(f"strconv.ParseInt: parsing {_quoted(text)}: invalid syntax")
    limit = 2 ** (bits - 1)
    # A number of more than 40 characters may cost quadratic time and is out of range anyway.
    if len(text) > 40 or not -limit <= int(text) < limit:
        raise ValueError(f"strconv.ParseInt: parsing {_quoted(text)}: value out of range")
    return int(text)


def from_bool_text(text: str) -> bool:
    """Return what Go's `strconv.ParseBool` makes of `text`.

    Raises:
        ValueError: With the sentence Go answers.
    """
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"strconv.ParseBool: parsing {_quoted(text)}: invalid syntax")


def float_text(value: float) -> str:
    """Return a double as Go's JSON prints it: `5`, `1.5`, `-0`, `1e+21`, `1e-7`.

    A double JSON has no number for is `NaN`, `+Inf` or `-Inf`.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    size = abs(value)
    if size != 0 and (size < 1e-6 or size >= 1e21):
        mantissa, _, exponent = text.partition("e")
        sign = "-" if exponent[0] == "-" else "+"
        return f"{mantissa.removesuffix('.0')}e{sign}{exponent.lstrip('+-').lstrip('0')}"
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        text = _positional(mantissa, int(exponent))
    return text.removesuffix(".0")


def _decimal(nano: int, unit: int) -> str:
    """Return `nano / unit` without trailing zeros; `unit` is a power of ten."""
    whole, fraction = divmod(nano, unit)
    if not fraction:
        return str(whole)
    return f"{whole}.{str(fraction).rjust(len(str(unit)) - 1, '0').rstrip('0')}"


def _split_instant(unix_nano: int) -> tuple[str, str, str]:
    """Return day, second and fraction (with its dot, or empty) of an instant in UTC."""
    signed = (unix_nano + 2**63) % 2**64 - 2**63
    seconds, nano = divmod(signed, _NANO_PER_SECOND)
    moment = _EPOCH + timedelta(seconds=seconds)
    fraction = f".{nano:09d}".rstrip("0") if nano else ""
    return moment.strftime("%Y-%m-%d"), moment.strftime("%H:%M:%S"), fraction


def _positional(mantissa: str, exponent: int) -> str:
    """Return `mantissa` times ten to `exponent` without an exponent, digits as they are."""
    sign = "-" if mantissa[0] == "-" else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = whole + fraction.removesuffix("0" if fraction == "0" else "")
    if exponent > 0:
        return sign + digits.ljust(exponent + 1, "0")
    return f"{sign}0.{digits.rjust(len(digits) - exponent - 1, '0')}"


def _quoted(text: str) -> str:
    """Quote `text` as Go's `%q` does for the characters people mistype."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
