"""How many spans of one trace are shown."""

from __future__ import annotations

from lymer.model.columns import SpanColumns
from lymer.query.adjust.rows import add_warning, keep_rows

__all__ = ["limit_trace_size"]


def limit_trace_size(trace: SpanColumns, spans_max: int) -> None:
    """Keep the first `spans_max` spans, with a warning on the first; 0 keeps all.

    Source: Jaeger v2.20, `jaegerquery/querysvc`, `max_trace_size`.
    """
    if 0 < spans_max < len(trace):
        keep_rows(trace, range(spans_max))
        add_warning(
            trace,
            0,
            f"trace has more than {spans_max} spans, showing first {spans_max} spans only",
        )
