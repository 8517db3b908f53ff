"""One stored span: what an OTLP span is after the sanitizers.

Source: Jaeger v2.20, `internal/jptrace/attributes.go` (`@jaeger@warnings`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from lymer.storage.sanitizers import (
    SANITIZERS,
    SPAN_ID_BYTES,
    TRACE_ID_BYTES,
    Draft,
    stored_id,
)
from lymer.wire.jaeger_json import to_text

__all__ = ["Attributes", "StoredSpan", "to_stored_spans"]

Attributes = tuple[tuple[str, AnyValue], ...]
"""Key and value pairs as they were sent: order and duplicates kept."""

WARNINGS_KEY: Final = "@jaeger@warnings"
"""Span attribute in which Jaeger keeps warnings."""

DURATION_NANO_MAX: Final = 2**63 - 1


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
    service = next((value for key, value in resource if key == "service.name"), None)
    draft = Draft(
        service_value=service,
        service=service.string_value if service is not None else "",
        name=span.name,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        warnings=_stored_warnings(attributes),
    )
    for sanitizer in SANITIZERS:
        if sanitizer.repair is not None:
            sanitizer.repair(draft)
    return StoredSpan(
        trace_id=draft.trace_id.hex(),
        span_id=draft.span_id.hex(),
        parent_span_id=draft.parent_span_id.hex() if any(draft.parent_span_id) else "",
        service=draft.service,
        name=draft.name,
        kind=span.kind if 0 <= span.kind <= 5 else 0,
        status_code=span.status.code if 0 <= span.status.code <= 2 else 0,
        start_unix_nano=draft.start,
        duration_nano=min(draft.end - draft.start, DURATION_NANO_MAX),
        host=_host(resource),
        identity=_identity(resource_spans, scope_spans, span),
        warnings=tuple(draft.warnings),
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
    return (
        stored_id(link.trace_id, TRACE_ID_BYTES).hex(),
        stored_id(link.span_id, SPAN_ID_BYTES).hex(),
        is_child_of,
        attributes,
    )
