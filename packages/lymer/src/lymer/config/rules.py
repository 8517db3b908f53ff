"""What one setting may be: text ⇄ value, with a range and the words for an error.

A rule stands in a field's annotation: `port: Annotated[int, Count(0, 65535)]`. File, environment
and flags all give text, so `decode` is the only way in and every source obeys the same limits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, cast

__all__ = [
    "BasePath",
    "Choice",
    "Count",
    "Duration",
    "Folder",
    "Host",
    "Rule",
    "Size",
    "Switch",
    "Url",
]

_BYTES_OF_UNIT: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "k": 2**10,
    "m": 2**20,
    "g": 2**30,
    "t": 2**40,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
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
_NUMBER: Final = re.compile(r"\d+(\.\d+)?", re.ASCII)
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", re.ASCII)
_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d|w)")
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_IPV6: Final = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9]+)?", re.ASCII)
_BASE_PATH: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*", re.ASCII)
_URL: Final = re.compile(r"https?://[^\s/?#]+[^\s]*")


class Rule(Protocol):
    """One kind of setting."""

    @property
    def expected(self) -> str:
        """Say in a noun phrase what the value must be, range included."""

    def decode(self, text: str, /) -> object:
        """Return the value `text` stands for.

        Raises:
            ValueError: If it stands for none, or for one out of range. The message may be empty,
                in which case `expected` says all.
        """

    def encode(self, value: object, /) -> str | int | float:
        """Return the shortest form of `value` that `decode` reads back."""

    def schema(self) -> dict[str, object]:
        """Return the JSON Schema of what a configuration file may hold here."""


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number within a range; both ends are included."""

    at_least: int
    at_most: int
    unit: str = ""

    @property
    def expected(self) -> str:
        """Say the range."""
        unit = f" of {self.unit}" if self.unit else ""
        return f"a whole number{unit} from {self.at_least} to {self.at_most}"

    def decode(self, text: str, /) -> int:
        """Return the number; `_` may group digits."""
        digits = text.strip().replace("_", "")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
            raise ValueError
        value = int(digits)
        if not self.at_least <= value <= self.at_most:
            raise ValueError
        return value

    def encode(self, value: object, /) -> int:
        """Return the number."""
        return cast("int", value)

    def schema(self) -> dict[str, object]:
        """Return an integer with its range."""
        return {"type": "integer", "minimum": self.at_least, "maximum": self.at_most}


@dataclass(frozen=True, slots=True)
class Size:
    """A number of bytes, such as `24MiB`, `20MB` or `1048576`."""

    at_least: int
    at_most: int

    @property
    def expected(self) -> str:
        """Say the range in the largest units that fit."""
        low, high = self.encode(self.at_least), self.encode(self.at_most)
        return f"a size such as 24MiB, from {low} to {high}"

    def decode(self, text: str, /) -> int:
        """Return bytes. KiB, MiB, GiB, TiB (and K, M, G, T) are powers of 1024; KB, MB of 1000."""
        match = _SIZE.fullmatch(text.strip())
        if match is None or len(text) > 32 or match[2].lower() not in _BYTES_OF_UNIT:
            raise ValueError
        value = float(match[1]) * _BYTES_OF_UNIT[match[2].lower()]
        if not self.at_least <= value <= self.at_most:
            raise ValueError
        return int(value)

    def encode(self, value: object, /) -> str | int:
        """Return the size in the largest unit that divides it."""
        size = cast("int", value)
        for unit in ("TiB", "GiB", "MiB", "KiB"):
            factor = _BYTES_OF_UNIT[unit.lower()]
            if size >= factor and size % factor == 0:
                return f"{size // factor}{unit}"
        return size

    def schema(self) -> dict[str, object]:
        """Return a number of bytes or text with a unit."""
        return {
            "oneOf": [
                {"type": "integer", "minimum": self.at_least, "maximum": self.at_most},
                {"type": "string", "pattern": r"^\d+(\.\d+)?\s*([KMGTkmgt]i?)?[Bb]?$"},
            ]
        }


@dataclass(frozen=True, slots=True)
class Duration:
    """A span of time in seconds, such as `500ms`, `1h30m`, `7d` or `30` (seconds)."""

    at_least: float
    at_most: float

    @property
    def expected(self) -> str:
        """Say the range in readable units."""
        low, high = self.encode(self.at_least), self.encode(self.at_most)
        return f"a duration such as 500ms, 30s or 7d, from {low} to {high}"

    def decode(self, text: str, /) -> float:
        """Return seconds. Units are ns, us, ms, s, m, h, d, w; a bare number is in seconds."""
        compact = text.strip().replace(" ", "")
        if not compact or len(compact) > 64:
            raise ValueError
        if _NUMBER.fullmatch(compact):
            value = float(compact)
        else:
            parts = _DURATION_PART.findall(compact)
            if "".join(number + unit for number, unit in parts) != compact:
                raise ValueError
            value = sum(float(number) * _SECONDS_OF_UNIT[unit] for number, unit in parts)
        if not self.at_least <= value <= self.at_most:
            raise ValueError
        return value

    def encode(self, value: object, /) -> str:
        """Return the duration in the largest unit that divides it."""
        seconds = cast("float", value)
        for unit in ("d", "h", "m", "s"):
            factor = _SECONDS_OF_UNIT[unit]
            if seconds >= factor and seconds % factor == 0:
                return f"{int(seconds / factor)}{unit}"
        return "0s" if seconds == 0 else f"{seconds * 1000:.15g}ms"

    def schema(self) -> dict[str, object]:
        """Return a number of seconds or text with units."""
        return {
            "oneOf": [
                {"type": "number", "minimum": self.at_least, "maximum": self.at_most},
                {"type": "string", "pattern": r"^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d|w)\s*)+$"},
            ]
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def expected(self) -> str:
        """Say the words."""
        return "one of " + ", ".join(self.words)

    def decode(self, text: str, /) -> str:
        """Return the word in lower case."""
        word = text.strip().lower()
        if word not in self.words:
            raise ValueError
        return word

    def encode(self, value: object, /) -> str:
        """Return the word."""
        return str(value)

    def schema(self) -> dict[str, object]:
        """Return an enumeration."""
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Switch:
    """On or off."""

    @property
    def expected(self) -> str:
        """Say the two words."""
        return "true or false"

    def decode(self, text: str, /) -> bool:
        """Return whether it is on; YAML's other words for it are understood."""
        word = text.strip().lower()
        if word in {"true", "yes", "on"}:
            return True
        if word in {"false", "no", "off"}:
            return False
        raise ValueError

    def encode(self, value: object, /) -> bool:
        """Return the truth value."""
        return bool(value)

    def schema(self) -> dict[str, object]:
        """Return a truth value or its text."""
        return {"oneOf": [{"type": "boolean"}, {"enum": ["true", "false"]}]}


@dataclass(frozen=True, slots=True)
class Host:
    """A name or address to listen on."""

    @property
    def expected(self) -> str:
        """Say what it is, with the two that people need."""
        return "a host name or an address such as localhost or 0.0.0.0, without a port"

    def decode(self, text: str, /) -> str:
        """Return the host without the brackets of an IPv6 literal."""
        host = text.strip()
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        if not (_HOST.fullmatch(host) or _IPV6.fullmatch(host)):
            raise ValueError
        return host

    def encode(self, value: object, /) -> str:
        """Return the host."""
        return str(value)

    def schema(self) -> dict[str, object]:
        """Return text."""
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class Folder:
    """A path of a folder; `~` at its start is the user's home."""

    @property
    def expected(self) -> str:
        """Say that it is a path."""
        return "the path of a folder"

    def decode(self, text: str, /) -> Path:
        """Return the path as it is written; the loader expands `~`, as it knows the environment."""
        if not text.strip() or "\0" in text:
            raise ValueError
        return Path(text)

    def encode(self, value: object, /) -> str:
        """Return the path."""
        return str(value)

    def schema(self) -> dict[str, object]:
        """Return text."""
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class BasePath:
    """A URL path to serve below, such as `/tracing`; empty means the root."""

    @property
    def expected(self) -> str:
        """Say the form."""
        return 'a path such as /tracing that starts with "/", or nothing'

    def decode(self, text: str, /) -> str:
        """Return the path without a trailing slash."""
        path = text.strip().rstrip("/")
        if not _BASE_PATH.fullmatch(path) or len(path) > 512:
            raise ValueError
        return path

    def encode(self, value: object, /) -> str:
        """Return the path."""
        return str(value)

    def schema(self) -> dict[str, object]:
        """Return text with the form."""
        return {"type": "string", "pattern": r"^(/[A-Za-z0-9._~-]+)*/?$"}


@dataclass(frozen=True, slots=True)
class Url:
    """The address of an HTTP server; empty means none."""

    @property
    def expected(self) -> str:
        """Say the form."""
        return "an address such as http://localhost:8123, or nothing"

    def decode(self, text: str, /) -> str:
        """Return the address without a trailing slash."""
        url = text.strip()
        if url and not _URL.fullmatch(url):
            raise ValueError
        return url.rstrip("/")

    def encode(self, value: object, /) -> str:
        """Return the address."""
        return str(value)

    def schema(self) -> dict[str, object]:
        """Return text with the form."""
        return {"type": "string", "pattern": "^(https?://.+)?$"}
