"""Spans as columns: what the store answers and the adjusters repair."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["SpanColumns"]


@dataclass(slots=True)
class SpanColumns:
    """N spans of one or several traces, one list per field.

    Every list has length N. Spans of one trace are consecutive; traces come in the order they were
    asked for, spans within a trace by start, then span id. JSON fragments are text that is
    valid JSON by itself, made by the store, and are spliced into an answer unread.

    Lists may be replaced by adjusters; a value inside a nested list is never changed in place
    unless the adjuster made that list.
    """

    trace_id: list[str] = field(default_factory=list)
    """32 lower-case hex digits."""
    span_id: list[str] = field(default_factory=list)
    """16 lower-case hex digits."""
    parent_span_id: list[str] = field(default_factory=list)
    """16 lower-case hex digits; empty if the span has no parent."""
    service: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    """OTLP `SpanKind`: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer."""
    status_code: list[int] = field(default_factory=list)
    """OTLP `StatusCode`: 0 unset, 1 ok, 2 error."""
    start_unix_nano: list[int] = field(default_factory=list)
    duration_nano: list[int] = field(default_factory=list)
    """At least 1 (the store's sanitizers see to it)."""
    host: list[str] = field(default_factory=list)
    """What tells two clocks apart: resource `host.id`, else `host.ip`, else `host.name`, else
    empty."""
    identity: list[int] = field(default_factory=list)
    """Equal for spans that are equal in everything stored, resource and scope included; to be
    compared within one answer only. At most 64 bits."""
    warnings: list[list[str]] = field(default_factory=list)
    """What sanitizers and adjusters have to say about the span."""
    tags_json: list[str] = field(default_factory=list)
    """A JSON array of Jaeger KeyValues: `otel.scope.name`, `otel.scope.version`, attributes,
    `span.kind`, `otel.status_code`, `error`, `otel.status_description`, `w3c.tracestate`.
    Empty text in a skeleton."""
    event_unix_nano: list[list[int]] = field(default_factory=list)
    """One instant per event of the span."""
    event_fields_json: list[list[str]] = field(default_factory=list)
    """A JSON array of Jaeger KeyValues per event (name first, as key `event`); no texts in a
    skeleton."""
    links: list[list[tuple[str, str, bool]]] = field(default_factory=list)
    """(trace id as 32 hex digits, span id as 16, is CHILD_OF) per OTLP link; not CHILD_OF is
    FOLLOWS_FROM."""
    process: list[int] = field(default_factory=list)
    """Index into `process_json`: which process the span belongs to."""
    process_json: list[str] = field(default_factory=list)
    """Not per span: P distinct processes, each the JSON object `{"serviceName":…,"tags":[…]}`."""

    def __len__(self) -> int:
        """Return N, the number of spans."""
        return len(self.span_id)
