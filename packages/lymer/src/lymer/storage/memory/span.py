"""One stored span: what an OTLP span is after the sanitizers.

Source: Jaeger v2.20, `internal/jptrace/sanitizer` (names, durations, order) and
`internal/jptrace/attributes.go` (`@jaeger@warnings`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from lymer.wire.go_text import instant_text
from lymer.wire.jaeger_json import to_text

__all__ = ["Attributes", "StoredSpan", "to_stored_spans"]

Attributes = tuple[tuple[str, AnyValue], ...]
"""Key and value pairs as they were sent: order and duplicates kept."""

WARNINGS_KEY: Final = "@jaeger@warnings"
"""Span attribute in which Jaeger keeps warnings."""

TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """A span with all that belongs to it."""

    trace_id: str
    """32 lower-case hex digits."""
    span_id: str
    """16 lower-case hex digits."""
    parent_span_id: str
    """16 lower-case hex digits, or empty."""
    service: str
    name: str
    kind: int
    status_code: int
    start_unix_nano: int
    duration_nano: int
    """At least 1."""
    host: str
    identity: int
    warnings: tuple[str, ...]
    attributes: Attributes
    """Without `@jaeger@warnings`."""
    resource: Attributes
    """Without `service.name`."""
    scope: InstrumentationScope
    links: tuple[tuple[str, str, bool, Attributes], ...]
    """(trace id, span id, is CHILD_OF, attributes) per link."""
    span: Span
    """As sent."""
    scope_spans: ScopeSpans
    """Scope and schema URL only."""
    resource_spans: ResourceSpans
    """Resource and schema URL only."""


def to_stored_spans(request: ExportTraceServiceRequest) -> Iterator[StoredSpan]:
    """Yield the spans of a request, sanitized."""
    for resource_spans in request.resource_spans:
        bare_resource = ResourceSpans(
            resource=resource_spans.resource, schema_url=resource_spans.schema_url
        )
        for scope_spans in resource_spans.scope_spans:
            bare_scope = ScopeSpans(scope=scope_spans.scope, schema_url=scope_spans.schema_url)
            for span in scope_spans.spans:
                yield _to_stored_span(bare_resource, bare_scope, span)


def _to_stored_span(
    resource_spans: ResourceSpans, scope_spans: ScopeSpans, span: Span
) -> StoredSpan:
    resource = _pairs(resource_spans.resource.attributes)
    attributes = _pairs(span.attributes)
    warnings = _stored_warnings(attributes)
    start = span.start_time_unix_nano
    end = span.end_time_unix_nano
    if end <= start:
        warnings.append(
            "Negative duration detected, sanitizing end timestamp. Original end timestamp: "
            f"{instant_text(end)}, adjusted to: {instant_text(start + 1)}"
        )
        end = start + 1
    trace_id = _sanitized_id("trace ID", span.trace_id, TRACE_ID_BYTES, warnings)
    span_id = _sanitized_id("span ID", span.span_id, SPAN_ID_BYTES, warnings)
    parent = ""
    if any(span.parent_span_id):
        parent = _sanitized_id("parent span ID", span.parent_span_id, SPAN_ID_BYTES, warnings)
    return StoredSpan(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent,
        service=_service(resource),
        name=span.name or "empty-span-name",
        kind=span.kind if 0 <= span.kind <= 5 else 0,
        status_code=span.status.code if 0 <= span.status.code <= 2 else 0,
        start_unix_nano=start,
        duration_nano=end - start,
        host=_host(resource),
        identity=_identity(resource_spans, scope_spans, span),
        warnings=tuple(warnings),
        attributes=tuple(pair for pair in attributes if not _holds_warnings(pair)),
        resource=tuple(pair for pair in resource if pair[0] != "service.name"),
        scope=scope_spans.scope,
        links=tuple(map(_link, span.links)),
        span=span,
        scope_spans=scope_spans,
        resource_spans=resource_spans,
    )


def _pairs(attributes: Sequence[KeyValue]) -> Attributes:
    return tuple((attribute.key, attribute.value) for attribute in attributes)


def _holds_warnings(pair: tuple[str, AnyValue]) -> bool:
    return pair[0] == WARNINGS_KEY and pair[1].WhichOneof("value") == "array_value"


def _stored_warnings(attributes: Attributes) -> list[str]:
    return [
        to_text(text)
        for pair in attributes
        if _holds_warnings(pair)
        for text in pair[1].array_value.values
    ]


def _sanitized_id(what: str, sent: bytes, size: int, warnings: list[str]) -> str:
    """Return the stored id: padded on the left, or the last bytes of one that is too long."""
    stored = sent[-size:].rjust(size, b"\0").hex()
    if not any(sent):
        warnings.append(f"{what} is empty")
    elif len(sent) != size:
        warnings.append(f"{what} has {len(sent)} bytes, stored as {stored}")
    return stored


def _service(resource: Attributes) -> str:
    for key, value in resource:
        if key == "service.name":
            if value.WhichOneof("value") != "string_value":
                return "service-name-wrong-type"
            return value.string_value or "empty-service-name"
    return "missing-service-name"


def _host(resource: Attributes) -> str:
    """Source: Jaeger v2.20, `adjuster/clockskew.go`, `hostKey`."""
    for wanted in ("host.id", "host.ip", "host.name"):
        for key, value in resource:
            if key == wanted:
                values = value.array_value.values
                return to_text(values[0]) if values else value.string_value
    return ""


def _identity(resource_spans: ResourceSpans, scope_spans: ScopeSpans, span: Span) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for message in (resource_spans, scope_spans, span):
        body = message.SerializeToString(deterministic=True)
        digest.update(len(body).to_bytes(8, "little") + body)
    return int.from_bytes(digest.digest(), "little")


def _link(link: Span.Link) -> tuple[str, str, bool, Attributes]:
    attributes = _pairs(link.attributes)
    is_child_of = any(
        key == "opentracing.ref_type" and value.string_value == "child_of"
        for key, value in attributes
    )
    ignored: list[str] = []
    return (
        _sanitized_id("trace ID", link.trace_id, TRACE_ID_BYTES, ignored),
        _sanitized_id("span ID", link.span_id, SPAN_ID_BYTES, ignored),
        is_child_of,
        attributes,
    )
