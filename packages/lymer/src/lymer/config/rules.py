"""What one setting may be: one value for each rule, text ⇄ value, with the words for an error.

A rule stands in a field's annotation: `port: Annotated[int, count(0, 65535)]`. File, environment
and flags all give text, so `decode` is the only way in and every source obeys the same limits.
Rules with arguments are functions, the others constants.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar

__all__ = [
    "BASE_PATH",
    "FILE",
    "FOLDER",
    "HOST",
    "REDACTED",
    "SWITCH",
    "URL",
    "Rule",
    "Secret",
    "choice",
    "count",
    "duration",
    "durations_by",
    "number",
    "secret_texts",
    "size",
    "split_words",
    "text",
    "texts",
]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Rule(Generic[_T]):
    """One kind of setting."""

    expected: str
    """What the value must be, a noun phrase, range included."""
    decode: Callable[[str], _T]
    """Returns the value a text stands for. Raises `ValueError` if it stands for none, or for one
    out of range; the message may be empty, in which case `expected` says all."""
    encode: Callable[[Any], str | int | float] = str
    """Returns the shortest form of a value that `decode` reads back."""
    schema: Mapping[str, object] = field(default_factory=lambda: {"type": "string"})
    """JSON Schema of what a configuration file may hold."""
    written_as: Literal["text", "scalar", "list"] = "text"
    """How a file may write it: as text; as what YAML takes for something else, such as `on` or
    `1.5`; or as a list of words."""
    bounds: tuple[float, float] | None = None
    """Lowest and highest, both allowed."""


_BYTES_OF_UNIT: Final = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)},
    **{
        f"{letter}{end}": 1024**power
        for power, letter in enumerate("kmgt", 1)
        for end in ("", "ib")
    },
}
_SECONDS_OF_UNIT: Final = {
    "ns": 1e-9,
    "us": 1e-6,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
}
_PLAIN: Final = re.compile(r"\d+(\.\d+)?", re.ASCII)
_NUMBER: Final = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", re.ASCII)
_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w)")
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_IPV6: Final = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9]+)?", re.ASCII)
_BASE_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*", re.ASCII)
_URL: Final = re.compile(r"https?://[^\s/?#]+[^\s]*")
_LENGTH_MAX: Final = 4096


def _valid(value: _T, *conditions: object) -> _T:
    if not all(conditions):
        raise ValueError
    return value


# Numbers.


def _ranged(
    what: str,
    parse: Callable[[str], float],
    encode: Callable[[Any], str | int | float],
    bounds: tuple[float, float],
    *forms: Mapping[str, object],
) -> Rule[Any]:
    low, high = bounds

    def decode(given: str) -> float:
        value = parse(given.strip())
        return _valid(value, low <= value <= high)

    range_schema = [{**form, "minimum": low, "maximum": high} for form in forms[:1]]
    schema = {"oneOf": [*range_schema, *forms[1:]]} if forms[1:] else range_schema[0]
    return Rule(what, decode, encode, schema, "scalar", bounds)


def count(at_least: int, at_most: int, unit: str = "") -> Rule[int]:
    """Return the rule of a whole number; `_` may group digits."""

    def parse(given: str) -> int:
        digits = given.replace("_", "")
        return int(_valid(digits, digits.isascii(), digits.isdecimal(), len(digits) < 20))

    of = f" of {unit}" if unit else ""
    what = f"a whole number{of} from {at_least} to {at_most}"
    return _ranged(what, parse, int, (at_least, at_most), {"type": "integer"})


def number(at_least: float, at_most: float, unit: str = "") -> Rule[float]:
    """Return the rule of a number with a fraction."""

    def parse(given: str) -> float:
        return float(_valid(given, len(given) <= 40, _NUMBER.fullmatch(given)))

    def encode(value: float) -> float:
        return int(value) if value == int(value) else value

    of = f" of {unit}" if unit else ""
    what = f"a number{of} from {at_least:g} to {at_most:g}"
    return _ranged(what, parse, encode, (at_least, at_most), {"type": "number"})


def _parse_size(given: str) -> int:
    match = _SIZE.fullmatch(given)
    if match is None or len(given) > 32 or match[2].lower() not in _BYTES_OF_UNIT:
        raise ValueError
    return int(float(match[1]) * _BYTES_OF_UNIT[match[2].lower()])


def _encode_size(value: int) -> str | int:
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        factor = _BYTES_OF_UNIT[unit.lower()]
        if value >= factor and value % factor == 0:
            return f"{value // factor}{unit}"
    return value


def size(at_least: int, at_most: int) -> Rule[int]:
    """Return the rule of a number of bytes, such as `24MiB`, `20MB` or `1048576`.

    KiB, MiB, GiB, TiB (and K, M, G, T) are powers of 1024; KB, MB of 1000.
    """
    low, high = _encode_size(at_least), _encode_size(at_most)
    what = f"a size such as 24MiB, from {low} to {high}"
    pattern = r"^\d+(\.\d+)?\s*([KMGTkmgt]i?)?[Bb]?$"
    forms = ({"type": "integer"}, {"type": "string", "pattern": pattern})
    return _ranged(what, _parse_size, _encode_size, (at_least, at_most), *forms)


def _parse_duration(given: str) -> float:
    compact = given.replace(" ", "")
    _valid(compact, compact, len(compact) <= 64)
    if _PLAIN.fullmatch(compact):
        return float(compact)
    parts = _DURATION_PART.findall(compact)
    _valid(parts, "".join(amount + unit for amount, unit in parts) == compact)
    return sum(float(amount) * _SECONDS_OF_UNIT[unit] for amount, unit in parts)


def _encode_duration(value: float) -> str:
    for unit in ("d", "h", "m", "s"):
        factor = _SECONDS_OF_UNIT[unit]
        if value >= factor and value % factor == 0:
            return f"{int(value / factor)}{unit}"
    return "0s" if value == 0 else f"{value * 1000:.15g}ms"


def duration(at_least: float, at_most: float) -> Rule[float]:
    """Return the rule of a span of time in seconds, such as `500ms`, `1h30m`, `7d` or `30`."""
    low, high = _encode_duration(at_least), _encode_duration(at_most)
    what = f"a duration such as 500ms, 30s or 7d, from {low} to {high}"
    pattern = r"^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d|w)\s*)+$"
    forms = ({"type": "number"}, {"type": "string", "pattern": pattern})
    return _ranged(what, _parse_duration, _encode_duration, (at_least, at_most), *forms)


def durations_by(what: str, at_least: float) -> Rule[tuple[tuple[str, float], ...]]:
    """Return the rule of durations by name, such as `debug-*=1d,shop=30d`; `what` has the names."""

    def decode(given: str) -> tuple[tuple[str, float], ...]:
        found: dict[str, float] = {}
        for part in split_words(given):
            name, equals, length = part.rpartition("=")
            seconds = _parse_duration(length.strip())
            _valid(name, bool(equals), bool(name.strip()), name.isprintable(), seconds >= at_least)
            found[name.strip()] = seconds
        return tuple(found.items())

    return Rule(
        f"durations by {what}, each NAME=DURATION of at least {_encode_duration(at_least)}, "
        "separated by commas, or nothing",
        decode,
        lambda pairs: ",".join(f"{name}={_encode_duration(seconds)}" for name, seconds in pairs),
    )


# Words.


def choice(*words: str) -> Rule[str]:
    """Return the rule of one of a few words, in lower case."""

    def decode(given: str) -> str:
        word = given.strip().lower()
        return _valid(word, word in words)

    schema = {"type": "string", "enum": list(words)}
    return Rule("one of " + ", ".join(words), decode, schema=schema, written_as="scalar")


def _decode_switch(given: str) -> bool:
    word = given.strip().lower()
    is_on = word in {"true", "yes", "on"}
    return _valid(is_on, is_on or word in {"false", "no", "off"})


SWITCH: Final = Rule(
    "true or false",
    _decode_switch,
    bool,
    {"oneOf": [{"type": "boolean"}, {"enum": ["true", "false"]}]},
    "scalar",
)
"""On or off; YAML's other words for it are understood."""


def _decode_host(given: str) -> str:
    host = given.strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    return _valid(host, _HOST.fullmatch(host) or _IPV6.fullmatch(host))


HOST: Final = Rule(
    "a host name or an address such as localhost or 0.0.0.0, without a port",
    _decode_host,
    schema={"type": "string", "minLength": 1},
)
"""A name or address to listen on, without the brackets of an IPv6 literal."""

FOLDER: Final = Rule(
    "the path of a folder",
    lambda given: Path(_valid(given, given.strip(), "\0" not in given)),
    schema={"type": "string", "minLength": 1},
)
"""A path as it is written; the loader expands `~`, as it knows the environment."""

FILE: Final = Rule(
    "the path of a file, or nothing",
    lambda given: Path(given) if _valid(given, "\0" not in given).strip() else None,
    lambda value: "" if value is None else str(value),
)
"""A path of a file, or None."""


def _decode_base_path(given: str) -> str:
    path = given.strip().rstrip("/")
    return _valid(path, _BASE_PATH.fullmatch(path), len(path) <= 512)


BASE_PATH: Final = Rule(
    'a path such as /tracing that starts with "/", or nothing',
    _decode_base_path,
    schema={"type": "string", "pattern": r"^(/[A-Za-z0-9._~-]+)*/?$"},
)
"""A URL path to serve below, without a trailing slash; empty means the root."""


def _decode_url(given: str) -> str:
    url = given.strip()
    return _valid(url, not url or _URL.fullmatch(url)).rstrip("/")


URL: Final = Rule(
    "an address such as http://localhost:8123, or nothing",
    _decode_url,
    schema={"type": "string", "pattern": "^(https?://.+)?$"},
)
"""The address of an HTTP server, without a trailing slash; empty means none."""


def _decode_metric_name(given: str) -> str:
    name = given.strip()
    return _valid(name, re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]{0,99}", name))


METRIC_NAME: Final = Rule(
    "the beginning of a metric's name: letters, digits and _, no digit first",
    _decode_metric_name,
    schema={"type": "string", "pattern": "^[a-zA-Z_][a-zA-Z0-9_]{0,99}$"},
)
"""What names of metrics begin with."""


def text(what: str) -> Rule[str]:
    """Return the rule of one line of text without space around it; `what` is a noun phrase."""

    def decode(given: str) -> str:
        line = given.strip()
        return _valid(line, line.isprintable(), len(line) <= _LENGTH_MAX)

    return Rule(f"{what}, or nothing", decode)


def split_words(given: str) -> list[str]:
    """Return what stands between commas, without space around it and without what is empty."""
    return [word for word in (part.strip() for part in given.split(",")) if word]


def texts(what: str) -> Rule[tuple[str, ...]]:
    """Return the rule of a list of words: in a file a list or one text with commas."""

    def decode(given: str) -> tuple[str, ...]:
        words = split_words(given)
        good = (word.isprintable() and len(word) <= _LENGTH_MAX for word in words)
        return _valid(tuple(words), all(good))

    schema = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    return Rule(f"{what}, separated by commas, or nothing", decode, ",".join, schema, "list")


REDACTED: Final = "[redacted]"
"""Stands for a secret wherever settings are shown; as a value it is refused."""


class Secret(str):
    """A text that is not shown by accident: its `repr` says nothing."""

    __slots__ = ()

    def __repr__(self) -> str:
        return REDACTED


def secret_texts(what: str) -> Rule[tuple[Secret, ...]]:
    """Return the rule of a list of secrets, separated by commas; they are never written out."""

    def decode(given: str) -> tuple[Secret, ...]:
        words = tuple(map(Secret, split_words(given)))
        return _valid(words, REDACTED not in words)

    expected = f"{what}, separated by commas, or nothing"
    return Rule(expected, decode, lambda value: REDACTED if value else "")
