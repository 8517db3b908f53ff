"""The adjusters every answer goes through, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from lymer.model.columns import SpanColumns
from lymer.query.adjust.clock_skew import correct_clock_skew
from lymer.query.adjust.duplicates import deduplicate_spans
from lymer.query.adjust.links import remove_empty_span_links
from lymer.query.adjust.order import sort_spans
from lymer.query.adjust.span_ids import deduplicate_client_server_span_ids

__all__ = ["Adjuster", "adjust", "standard_adjusters"]

Adjuster: TypeAlias = Callable[[SpanColumns], None]
"""Repairs the spans of one trace, in place; what it cannot repair becomes a warning on a span."""


def standard_adjusters(*, max_clock_skew_adjust_nano: int = 0) -> tuple[Adjuster, ...]:
    """Return Jaeger's adjusters, but for those that look into attributes: the store does these.

    Source: Jaeger v2.20, `internal/adjuster/standard.go`.
    """
    return (
        deduplicate_client_server_span_ids,  # each span has an id of its own
        # attributes, events and links are sorted by the store
        deduplicate_spans,  # nothing is counted twice
        correct_clock_skew(max_clock_skew_adjust_nano),  # needs unique ids
        # numeric addresses are written as text by the store
        # library attributes are moved to the process by the store
        remove_empty_span_links,  # no link leads nowhere
        sort_spans,  # times may have moved; Jaeger leaves this to its UI
    )


def adjust(trace: SpanColumns, adjusters: Iterable[Adjuster]) -> None:
    """Apply `adjusters` to the spans of one trace, in place, in order."""
    for adjuster in adjusters:
        adjuster(trace)
