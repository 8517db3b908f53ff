"""Spans that are not stored, as if they were: what `POST /api/transform` shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from lymer.errors import UndecodableError
from lymer.model.columns import SpanColumns
from lymer.storage.sanitizers import SANITIZERS, Draft
from lymer.wire.span_rows import COLUMNS, Origins, Pair, SpanRows, to_columns

__all__ = ["transform_request"]

_DURATION_NANO_MAX: Final = 2**63 - 1


def transform_request(body: bytes) -> SpanColumns:
    """Return the spans of one request, sanitized, not adjusted, traces in order of appearance.

    Raises:
        UndecodableError: `body` is no `ExportTraceServiceRequest`.
    """
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise UndecodableError(f"cannot decode request: {error}") from error
    resources: dict[bytes, tuple[Pair, ...]] = {}
    scopes: dict[bytes, tuple[bytes, bytes, tuple[Pair, ...]]] = {}
    rows: list[dict[str, Any]] = []
    for resource_spans in request.resource_spans:
        resource = str(len(resources)).encode()
        resources[resource] = _pairs(resource_spans.resource.attributes)
        service = _service(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            scope, sent = str(len(scopes)).encode(), scope_spans.scope
            scopes[scope] = (
                sent.name.encode(), sent.version.encode(), _pairs(sent.attributes),
            )  # fmt: skip
            rows += (
                {"resource": resource, "scope": scope, **_row(span, *service)}
                for span in scope_spans.spans
            )
    columns = SpanRows([[row[name] for row in rows] for name in COLUMNS])
    traces = [row["trace_id"].hex() for row in rows]
    return to_columns(columns, Origins(resources, scopes), traces, raw=True, skeleton=False)


def _service(attributes: Iterable[KeyValue]) -> tuple[Any, str]:
    value = next((pair.value for pair in attributes if pair.key == "service.name"), None)
    return value, value.string_value if value is not None else ""


def _row(span: Span, service_value: Any, service: str) -> dict[str, Any]:
    draft = Draft(
        service_value=service_value,
        service=service,
        name=span.name,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        warnings=[],
    )
    for sanitizer in SANITIZERS:
        if sanitizer.repair is not None:
            sanitizer.repair(draft)
    return {
        "service": draft.service.encode(),
        "trace_id": draft.trace_id,
        "span_id": draft.span_id,
        "parent_span_id": draft.parent_span_id,
        "name": draft.name.encode(),
        "kind": span.kind,
        "status": span.status.code,
        "status_message": span.status.message.encode(),
        "start": draft.start,
        "duration": min(draft.end - draft.start, _DURATION_NANO_MAX),
        "trace_state": span.trace_state.encode(),
        "warnings": tuple(warning.encode() for warning in draft.warnings),
        "links": tuple(
            (link.trace_id, link.span_id, b"", _pairs(link.attributes), 0, 0) for link in span.links
        ),
        "events": tuple(
            (event.time_unix_nano, event.name.encode(), _pairs(event.attributes), 0)
            for event in span.events
        ),
        "flags": span.flags,
        "dropped": (),
        "attrs": _pairs(span.attributes),
    }


def _pairs(attributes: Iterable[KeyValue]) -> tuple[Pair, ...]:
    return tuple((pair.key.encode(), pair.value.SerializeToString()) for pair in attributes)
