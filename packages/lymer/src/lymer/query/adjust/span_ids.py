"""Span ids that a client and a server share, as Zipkin's clients send them."""

from __future__ import annotations

from typing import Final

from lymer.model.columns import SpanColumns
from lymer.query.adjust.rows import add_warning

__all__ = ["deduplicate_client_server_span_ids"]

SERVER: Final = 2
CLIENT: Final = 3


def deduplicate_client_server_span_ids(trace: SpanColumns) -> None:
    """Give each SERVER span that shares its id with a CLIENT span an unused id below the client.

    New ids count up from 1. Children of the shared id become children of the server.

    Source: Jaeger v2.20, `internal/adjuster/spaniduniquifier.go`.
    """
    client_ids = {
        span_id for span_id, kind in zip(trace.span_id, trace.kind, strict=True) if kind == CLIENT
    }
    shared = [
        row
        for row, (span_id, kind) in enumerate(zip(trace.span_id, trace.kind, strict=True))
        if kind == SERVER and span_id in client_ids
    ]
    if not shared:
        return
    used = set(trace.span_id)
    new_id_by_old: dict[str, str] = {}
    last_used = 0
    for row in shared:
        new_number = _next_unused(last_used, used)
        if new_number is None:
            add_warning(trace, row, "cannot assign unique span ID, too many spans in the trace")
            continue
        last_used = new_number
        old_id, new_id = trace.span_id[row], f"{new_number:016x}"
        new_id_by_old[old_id] = new_id
        trace.parent_span_id[row] = old_id
        trace.span_id[row] = new_id
    trace.parent_span_id = [
        parent if new_id_by_old.get(parent, span_id) == span_id else new_id_by_old[parent]
        for span_id, parent in zip(trace.span_id, trace.parent_span_id, strict=True)
    ]


def _next_unused(last_used: int, used: set[str]) -> int | None:
    for number in range(last_used + 1, 2**64):
        if f"{number:016x}" not in used:
            return number
    return None
