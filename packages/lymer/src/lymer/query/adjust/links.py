"""Links that lead nowhere."""

from __future__ import annotations

from typing import Final

from lymer.model.columns import SpanColumns
from lymer.query.adjust.rows import add_warning

__all__ = ["remove_empty_span_links"]

_ZERO_TRACE_ID: Final = "0" * 32


def remove_empty_span_links(trace: SpanColumns) -> None:
    """Remove links whose trace id is zero, with one warning each.

    Source: Jaeger v2.20, `internal/adjuster/spanlinks.go`.
    """
    for row, links in enumerate(trace.links if any(trace.links) else ()):
        kept = [link for link in links if link[0] != _ZERO_TRACE_ID]
        for _ in range(len(links) - len(kept)):
            add_warning(trace, row, "Invalid span link removed")
        if len(kept) < len(links):
            trace.links[row] = kept
