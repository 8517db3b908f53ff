"""The order of spans, after their times have moved."""

from __future__ import annotations

from itertools import pairwise

from lymer.model.columns import SpanColumns
from lymer.query.adjust.rows import keep_rows

__all__ = ["sort_spans"]


def sort_spans(trace: SpanColumns) -> None:
    """Sort spans by start; those that start together stay as they stand, a caller first."""
    starts = trace.start_unix_nano
    if any(first > second for first, second in pairwise(starts)):
        keep_rows(trace, sorted(range(len(starts)), key=starts.__getitem__))
