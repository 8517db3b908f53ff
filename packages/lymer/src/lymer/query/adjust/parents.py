"""Where each span's parent stands: the index every walk over a trace needs."""

from __future__ import annotations

from lymer.analysis.forest import cut_cycles
from lymer.model.columns import SpanColumns

__all__ = ["find_parent_rows"]


def find_parent_rows(trace: SpanColumns) -> list[int]:
    """Return the row of each span's parent, or -1; the result is always a forest.

    Of several spans with the parent's id the first row counts. Where parents form a cycle, the span
    met first, in the order of rows, has none.

    Args:
        trace: Spans of one trace.
    """
    row_by_id: dict[str, int] = {}
    for row, span_id in enumerate(trace.span_id):
        row_by_id.setdefault(span_id, row)
    parents = [row_by_id.get(parent, -1) if parent else -1 for parent in trace.parent_span_id]
    cut_cycles(parents)
    return parents
