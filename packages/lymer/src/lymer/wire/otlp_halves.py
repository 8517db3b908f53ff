"""One OTLP request as two, each with half of its spans: for what is too large, or refused."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lymer.wire.otlp_proto import CheckedRequest, check_request

__all__ = ["halves"]


def halves(request: CheckedRequest) -> tuple[CheckedRequest, CheckedRequest] | None:
    """Return two requests that hold the spans of `request` in their order, or None for one span.

    The same request gives the same halves, always: they are told apart by their place in it.

    Args:
        request: Its body is an `ExportTraceServiceRequest` that a parser accepted.
    """
    if request.span_count < 2:
        return None
    parsed = ExportTraceServiceRequest.FromString(request.body)
    first = request.span_count // 2
    return (
        _part(parsed, 0, first),
        _part(parsed, first, request.span_count),
    )


def _part(request: Any, begin: int, end: int) -> CheckedRequest:
    """Return the spans from `begin` until `end`, with their resources and scopes."""
    made = ExportTraceServiceRequest()
    place = 0
    for resource_spans in request.resource_spans:
        new_resource = None
        for scope_spans in resource_spans.scope_spans:
            some = scope_spans.spans[max(begin - place, 0) : max(end - place, 0)]
            place += len(scope_spans.spans)
            if not some:
                continue
            if new_resource is None:
                new_resource = made.resource_spans.add(
                    resource=resource_spans.resource, schema_url=resource_spans.schema_url
                )
            new_resource.scope_spans.add(
                scope=scope_spans.scope, schema_url=scope_spans.schema_url, spans=some
            )
    return check_request(made.SerializeToString())
