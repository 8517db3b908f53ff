"""Spans that were sent more than once."""

from __future__ import annotations

from lymer.model.columns import SpanColumns
from lymer.query.adjust.rows import keep_rows

__all__ = ["deduplicate_spans"]


def deduplicate_spans(trace: SpanColumns) -> None:
    """Keep the first of spans that are equal in everything that was stored.

    Source: Jaeger v2.20, `internal/adjuster/hash.go`.
    """
    first_rows: dict[int, int] = {}
    for row, identity in enumerate(trace.identity):
        first_rows.setdefault(identity, row)
    if len(first_rows) < len(trace):
        keep_rows(trace, list(first_rows.values()))
