"""Which traces a question names, all of them: for whoever deletes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lymer.query.language import LanguageService, TimeRange
from lymer.storage.contract import SpanReader

__all__ = ["DELETED_TRACES_MAX", "Named", "name_traces"]

DELETED_TRACES_MAX: Final = 10_000
"""Most traces of one deletion; it is repeated for more."""
_TRACES_PER_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Named:
    """Traces that a question names."""

    trace_ids: tuple[str, ...]
    """32 hex digits each, newest first."""
    reason: str = ""
    """Why some may be missing; empty if none is."""


def name_traces(reader: SpanReader, text: str, time_range: TimeRange) -> Named:
    """Return all traces that match a question, up to `DELETED_TRACES_MAX`.

    Raises:
        QuestionError: It cannot be answered as it was asked.
    """
    language = LanguageService(reader)
    ids: list[str] = []
    after = None
    while len(ids) < DELETED_TRACES_MAX:
        found = language.find(text, time_range, (_TRACES_PER_PAGE, 1), after=after)
        ids += [one.trace_id for one in found.traces]
        after = found.cursor
        if after is None:
            return Named(tuple(ids), found.reason)
        if not found.is_complete:
            return Named(tuple(ids), found.reason or "not all spans could be looked at")
    return Named(tuple(ids), f"more than {DELETED_TRACES_MAX} traces match")
