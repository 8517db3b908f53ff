"""Which spans of a trace a text occurs in, and what stands around them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from lymer.analysis.forest import parent_rows
from lymer.errors import QuestionError, TooLargeError
from lymer.model.find_terms import FindTerms, has_id, occurs, parse_find
from lymer.model.trace_arrays import TraceArrays

__all__ = ["LEVELS_MAX", "check_find", "found_rows", "with_levels"]

FIND_TEXT_BYTES_MAX: Final = 4_096
FIND_TERMS_MAX: Final = 32
"""Words of one question."""
LEVELS_MAX: Final = 100
"""Levels of parents and children around what was found."""


def check_find(text: str) -> FindTerms:
    """Return what a text asks for.

    Raises:
        QuestionError: It asks for nothing.
        TooLargeError: It is over a limit.
    """
    if len(text.encode(errors="replace")) > FIND_TEXT_BYTES_MAX:
        raise TooLargeError(f"cannot find: the limit of a text is {FIND_TEXT_BYTES_MAX} bytes")
    terms = parse_find(text)
    if len(terms.include) + len(terms.exclude) > FIND_TERMS_MAX:
        raise TooLargeError(f"cannot find: the limit is {FIND_TERMS_MAX} words")
    if not terms.include:
        raise QuestionError("cannot find: the parameter 'text' names nothing to look for")
    return terms


def found_rows(trace: TraceArrays, terms: FindTerms) -> NDArray[np.bool_]:
    """Return which spans match: by what the store found, or by service, name or id."""
    services = np.array([occurs(terms.include, name) for name in trace.services], dtype=bool)
    names = np.array([occurs(terms.include, name) for name in trace.names], dtype=bool)
    named: NDArray[np.bool_] = services[trace.service] | names[trace.name]
    is_found: NDArray[np.bool_] = (trace.found != 0) | named | has_id(trace.span_id, terms)
    return is_found


def with_levels(trace: TraceArrays, rows: NDArray[np.bool_], levels: int) -> NDArray[np.bool_]:
    """Return these spans and so many levels of parents above and children below them."""
    parent = parent_rows(trace.span_id, trace.parent_id)
    has_parent = parent >= 0
    above, below = rows.copy(), rows.copy()
    for _ in range(levels):
        above[parent[above & has_parent]] = True
        below[has_parent] |= below[parent[has_parent]]
    around: NDArray[np.bool_] = above | below
    return around
