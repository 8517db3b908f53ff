"""Rules for addresses of other processes: `host:port`, `dns:///host:port`, lists of them."""

from __future__ import annotations

import re
from typing import Final

from lymer.config.rules import Rule, split_words

__all__ = ["TARGET", "TARGETS", "split_target"]

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


def _decode_target(text: str) -> str:
    target = text.strip()
    match = _TARGET.fullmatch(target)
    if match is None or not 0 < int(match["port"]) < 65_536:
        raise ValueError
    return target


def _decode_targets(text: str) -> str:
    if len(text) > _TEXT_CHARACTERS_MAX:
        raise ValueError
    return ",".join(map(_decode_target, split_words(text)))


TARGET: Final = Rule(
    "an address such as collector:17271 or dns:///collector:17271",
    _decode_target,
    schema={"type": "string", "pattern": r":[0-9]+$"},
)
"""One address to send to."""

TARGETS: Final = Rule(
    "addresses such as collector:4317 or dns:///collector:4317, commas between them",
    _decode_targets,
)
"""Addresses to send to, without blanks; empty means none."""
