"""What is looked for in one trace: Jaeger UI's `uiFind`, taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["NOTHING", "FindTerms", "occurs", "parse_find"]

_WORD: Final = re.compile(r'(-?)"([^"]*)"?|(\S+)')


@dataclass(frozen=True, slots=True)
class FindTerms:
    """Terms in lower case."""

    include: tuple[str, ...] = ()
    """A span matches if any of these occurs in it; none match nothing."""
    exclude: tuple[str, ...] = ()
    """Keys that contain one of these are not looked at."""

    def meet(self, key: str, text: str) -> bool:
        """Tell whether an attribute matches."""
        name = key.lower()
        if any(term in name for term in self.exclude):
            return False
        return occurs(self.include, f"{name}={text}")


NOTHING: Final = FindTerms()


def occurs(terms: Iterable[str], text: str) -> bool:
    """Tell whether any of the terms occurs in the text."""
    lower = text.lower()
    return any(term in lower for term in terms)


def parse_find(text: str) -> FindTerms:
    """Split at white space, keep quoted parts together; a leading `-` excludes keys.

    Source: Jaeger UI v2.20, `utils/filter-spans.ts`.
    """
    include: list[str] = []
    exclude: list[str] = []
    for minus, quoted, word in _WORD.findall(text):
        excludes = minus == "-" if not word else word.startswith("-") and len(word) > 1
        term = (word[excludes:] if word else quoted).lower()
        if term:
            (exclude if excludes else include).append(term)
    return FindTerms(tuple(dict.fromkeys(include)), tuple(dict.fromkeys(exclude)))
