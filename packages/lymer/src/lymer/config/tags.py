"""The rule for tags: `key=value,key=${NAME:default}`, as Jaeger's `--agent.tags` has them.

Source: Jaeger v1.76, `internal/flags` `ParseJaegerTags`; reference jaeger.md 2.6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

__all__ = ["Tags", "expand_tags"]

_VARIABLE: Final = re.compile(r"\$\{([^:}]*)(?::([^}]*))?\}")
_TEXT_CHARACTERS_MAX: Final = 16_384


@dataclass(frozen=True, slots=True)
class Tags:
    """Keys and values; a later value of a key wins."""

    @property
    def expected(self) -> str:
        """Say the form."""
        return "tags such as cluster=blue,pod=${POD_NAME:none}, each KEY=VALUE"

    def decode(self, text: str, /) -> tuple[tuple[str, str], ...]:
        """Return (key, value) pairs; variables in them stay, see `expand_tags`."""
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

    def encode(self, value: object, /) -> str:
        """Return the pairs as one text."""
        pairs = cast("tuple[tuple[str, str], ...]", value)
        return ",".join(f"{key}={text}" for key, text in pairs)

    def schema(self) -> dict[str, object]:
        """Return text."""
        return {"type": "string"}


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
