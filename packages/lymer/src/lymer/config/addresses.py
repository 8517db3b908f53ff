"""Rules for addresses of other processes: `host:port`, `dns:///host:port`, lists of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__ = ["Target", "Targets", "split_target"]

_TARGET: Final = re.compile(
    r"(?:dns:///)?(?:\[(?P<ipv6>[0-9A-Fa-f:.%]+)\]|(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9._-]*)))"
    r":(?P<port>[0-9]{1,5})",
    re.ASCII,
)
_TEXT_CHARACTERS_MAX: Final = 4_096


def split_target(target: str) -> tuple[str, int]:
    """Return host and port of a target that a rule let through."""
    match = _TARGET.fullmatch(target)
    assert match is not None, target
    return match["ipv6"] or match["host"], int(match["port"])


def _checked(text: str) -> str:
    target = text.strip()
    match = _TARGET.fullmatch(target)
    if match is None or not 0 < int(match["port"]) < 65_536:
        raise ValueError
    return target


@dataclass(frozen=True, slots=True)
class Target:
    """One address to send to."""

    @property
    def expected(self) -> str:
        """Say the form."""
        return "an address such as collector:17271 or dns:///collector:17271"

    def decode(self, text: str, /) -> str:
        """Return the address as it is written."""
        return _checked(text)

    def encode(self, value: object, /) -> str:
        """Return the address."""
        return str(value)

    def schema(self) -> dict[str, object]:
        """Return text."""
        return {"type": "string", "pattern": r":[0-9]+$"}


@dataclass(frozen=True, slots=True)
class Targets:
    """Addresses to send to, with commas between them; empty means none."""

    @property
    def expected(self) -> str:
        """Say the form."""
        return "addresses such as collector:4317 or dns:///collector:4317, commas between them"

    def decode(self, text: str, /) -> str:
        """Return the addresses, without blanks."""
        if len(text) > _TEXT_CHARACTERS_MAX:
            raise ValueError
        return ",".join(_checked(part) for part in text.split(",") if part.strip())

    def encode(self, value: object, /) -> str:
        """Return the addresses."""
        return str(value)

    def schema(self) -> dict[str, object]:
        """Return text."""
        return {"type": "string"}
