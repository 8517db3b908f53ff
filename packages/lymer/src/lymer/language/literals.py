"""Values as a question writes them: durations, quoted texts, quoted names.

Source: Prometheus `model.ParseDuration`, Go `time.ParseDuration`, `strconv.Unquote`; Grafana Tempo,
`pkg/traceql/lexer.go`.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

__all__ = ["duration_nano", "duration_text", "name_text", "quoted", "unquoted", "unquoted_name"]

_NANO: Final = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 7 * 86_400_000_000_000,
    "y": 365 * 86_400_000_000_000,
}
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h|d|w|y)")
_DURATION_CHARACTERS_MAX: Final = 256
_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv\\\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))",
    re.DOTALL,
)
_SIMPLE: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
}
_NAME_PART: Final = re.compile(r'"((?:[^"\\]|\\.|\\\Z)*+)(?:"|\Z)|([^"]+)', re.DOTALL)
_PLAIN_NAME: Final = re.compile(r'[^\s{}()=~!<>&|^,"]+')
_UNITS: Final = ("h", "m", "s", "ms", "us", "ns")


def duration_nano(text: str) -> int | None:
    """Return whole nanoseconds, or None where the text is no duration of at most 292 years."""
    total, end = Fraction(0), 0
    if len(text) > _DURATION_CHARACTERS_MAX:
        return None
    while part := _PART.match(text, end):
        total += Fraction(part[1].rstrip(".") or "0") * _NANO[part[2]]
        end = part.end()
    return int(total) if end == len(text) and total < 2**63 else None


def duration_text(nano: int) -> str:
    """Print nanoseconds so that `duration_nano` reads the same number."""
    if nano == 0:
        return "0s"
    parts, rest = [], abs(nano)
    for unit in _UNITS:
        count, rest = divmod(rest, _NANO[unit])
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if nano < 0 else "") + "".join(parts)


def unquoted(text: str) -> str | None:
    r"""Return the text between double quotes, or None where an escape is unknown.

    `\xHH` and octal escapes are bytes in Go; what they spell together is read as UTF-8.
    """
    out = bytearray()
    end, inner = 0, text[1:-1]
    for escape in _ESCAPE.finditer(inner):
        out += inner[end : escape.start()].encode("utf-8", "surrogatepass")
        simple, byte, octal, short, long, unknown = escape.groups()
        if unknown is not None:
            return None
        if simple:
            out += _SIMPLE[simple].encode()
        elif byte or octal:
            value = int(byte, 16) if byte else int(octal, 8)
            if value > 255:
                return None
            out.append(value)
        else:
            code = int(short or long, 16)
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                return None
            out += chr(code).encode()
        end = escape.end()
    out += inner[end:].encode("utf-8", "surrogatepass")
    return out.decode("utf-8", "replace")


def quoted(text: str) -> str:
    """Print a text between double quotes so that `unquoted` reads the same."""
    out = text.replace("\\", "\\\\").replace('"', '\\"')
    out = out.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f'"{out}"'


def unquoted_name(text: str) -> str:
    """Return an attribute's name: plain and quoted parts joined."""
    return "".join(
        re.sub(r"\\(.)", r"\1", part[1]) if part[1] is not None else part[2]
        for part in _NAME_PART.finditer(text)
    )


def name_text(name: str) -> str:
    """Print an attribute's name, in quotes where it needs them."""
    if _PLAIN_NAME.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
