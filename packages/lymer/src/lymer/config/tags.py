"""The rule for tags: `key=value,key=${NAME:default}`, as Jaeger's `--agent.tags` has them.

Source: Jaeger v1.76, `internal/flags` `ParseJaegerTags`; reference jaeger.md 2.6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lymer.config.rules import Rule

__all__ = ["TAGS", "expand_tags"]

_VARIABLE: Final = re.compile(r"\$\{([^:}]*)(?::([^}]*))?\}")
_TEXT_CHARACTERS_MAX: Final = 16_384


def _decode(text: str) -> tuple[tuple[str, str], ...]:
    tags: dict[str, str] = {}
    if len(text) > _TEXT_CHARACTERS_MAX:
        raise ValueError
    for part in text.split(","):
        key, equals, value = part.partition("=")
        if not part.strip():
            continue
        if not equals or not key.strip():
            raise ValueError
        tags[key.strip()] = value.strip()
    return tuple(tags.items())


TAGS: Final = Rule(
    "tags such as cluster=blue,pod=${POD_NAME:none}, each KEY=VALUE",
    _decode,
    lambda pairs: ",".join(f"{key}={text}" for key, text in pairs),
)
"""Pairs of key and value, a later value of a key wins; variables in them stay, `expand_tags`."""


def expand_tags(
    tags: tuple[tuple[str, str], ...], environ: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Return `tags` with `${NAME}` and `${NAME:default}` replaced from the environment.

    A variable that is empty or not set is its default; without a default the tag is left out.
    """
    expanded: list[tuple[str, str]] = []
    for key, value in tags:
        match = _VARIABLE.fullmatch(value)
        if match is None:
            expanded.append((key, value))
            continue
        text = environ.get(match[1], "") or match[2]
        if text is not None:
            expanded.append((key, text))
    return tuple(expanded)
