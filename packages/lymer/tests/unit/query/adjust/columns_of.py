"""Short traces for tests of adjusters: one tuple per span."""

from __future__ import annotations

from dataclasses import dataclass

from lymer.model.columns import SpanColumns
from make import span_hex, trace_hex

__all__ = ["Row", "columns_of"]


@dataclass(frozen=True, slots=True)
class Row:
    """What matters of a span here."""

    span: int
    parent: int = 0
    start: int = 0
    duration: int = 100
    kind: int = 1
    host: str = ""
    identity: int | None = None
    events: tuple[int, ...] = ()
    links: tuple[tuple[str, str, bool], ...] = ()
    trace: int = 1


def columns_of(*rows: Row) -> SpanColumns:
    """Return the columns of these spans."""
    count = len(rows)
    return SpanColumns(
        trace_id=[trace_hex(row.trace) for row in rows],
        span_id=[span_hex(row.span) for row in rows],
        parent_span_id=[span_hex(row.parent) if row.parent else "" for row in rows],
        service=["shop"] * count,
        name=["work"] * count,
        kind=[row.kind for row in rows],
        status_code=[0] * count,
        start_unix_nano=[row.start for row in rows],
        duration_nano=[row.duration for row in rows],
        host=[row.host for row in rows],
        identity=[
            number if row.identity is None else row.identity for number, row in enumerate(rows)
        ],
        warnings=[[] for _ in rows],
        tags_json=["[]"] * count,
        event_unix_nano=[list(row.events) for row in rows],
        event_fields_json=[["[]"] * len(row.events) for row in rows],
        links=[list(row.links) for row in rows],
        process=[0] * count,
        process_json=['{"serviceName":"shop","tags":[]}'],
    )
