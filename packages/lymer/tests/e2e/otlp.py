"""OTLP requests made by hand, for what no SDK sends."""

from __future__ import annotations

import os

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from lymer import clock

__all__ = ["PROTOBUF", "new_trace_id", "request_of", "span_of"]

PROTOBUF = "application/x-protobuf"


def new_trace_id() -> bytes:
    """Return 16 bytes nobody used; the first is never zero, so Jaeger writes all 32 digits."""
    return b"\x7e" + os.urandom(15)


def span_of(trace_id: bytes, name: str = "work", **attributes: AnyValue) -> Span:
    """Return a span that started just now and took a millisecond."""
    start = clock.unix_nano()
    span = Span(
        trace_id=trace_id,
        span_id=os.urandom(8),
        name=name,
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=start,
        end_time_unix_nano=start + 1_000_000,
    )
    for key, value in attributes.items():
        span.attributes.add(key=key).value.CopyFrom(value)
    return span


def request_of(*spans: Span, service: str = "hand-made") -> ExportTraceServiceRequest:
    """Return a request of these spans, of one service."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name").value.string_value = service
    resource_spans.scope_spans.add().spans.extend(spans)
    return request
