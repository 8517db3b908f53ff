"""What is looked for in one trace: Jaeger UI's `uiFind`, taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["NOTHING", "FindTerms", "has_id", "occurs", "parse_find"]

_HEX: Final = frozenset("0123456789abcdef")
_WORD: Final = re.compile(r'(-?)"([^"]*)"|([^\s"]+)')


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


def has_id(span_id: NDArray[np.uint64], terms: FindTerms) -> NDArray[np.bool_]:
    """Tell which span ids are asked for by themselves, with or without zeros in front."""
    digits = [term.lstrip("0") for term in terms.include]
    ids = [int(one, 16) for one in digits if 0 < len(one) <= 16 and _HEX.issuperset(one)]
    return np.isin(span_id, np.array(ids, dtype="u8"))


def parse_find(text: str) -> FindTerms:
    """Split at white space and quotes, keep quoted parts together; a leading `-` excludes keys.

    Source: Jaeger UI v2.20, `utils/filter-spans.ts`; `-` alone and before a quote are ours.
    """
    include: list[str] = []
    exclude: list[str] = []
    for minus, quoted, word in _WORD.findall(text):
        excludes = word.startswith("-") if word else minus == "-"
        term = (word[excludes:] if word else quoted).lower()
        if term:
            (exclude if excludes else include).append(term)
    return FindTerms(tuple(dict.fromkeys(include)), tuple(dict.fromkeys(exclude)))
