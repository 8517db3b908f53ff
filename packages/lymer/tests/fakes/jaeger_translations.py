"""Every way from Jaeger's formats to OTLP, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from fakes import jaeger_batch as jaeger
from fakes.jaeger_batch import Batch
from lymer.wire.jaeger_proto import request_from_post_spans
from lymer.wire.jaeger_thrift import otlp_from_message, request_from_batch
from lymer.wire.otlp_proto import CheckedRequest, check_request
from lymer.wire.thrift import Protocol

__all__ = ["TRANSLATIONS", "Translate", "resource_spans_of", "span_of"]

Translate = Callable[[Batch], CheckedRequest]


def _by_http(batch: Batch) -> CheckedRequest:
    return request_from_batch(jaeger.thrift_batch(batch))


def _by_compact(batch: Batch) -> CheckedRequest:
    message = jaeger.thrift_message(batch, Protocol.COMPACT)
    return check_request(otlp_from_message(message, Protocol.COMPACT))


def _by_binary(batch: Batch) -> CheckedRequest:
    message = jaeger.thrift_message(batch, Protocol.BINARY)
    return check_request(otlp_from_message(message, Protocol.BINARY))


def _by_proto(batch: Batch) -> CheckedRequest:
    return request_from_post_spans(jaeger.to_post_spans(batch))


TRANSLATIONS: Final[Mapping[str, Translate]] = {
    "http": _by_http,
    "compact": _by_compact,
    "binary": _by_binary,
    "proto": _by_proto,
}


def resource_spans_of(translate: Translate, batch: Batch) -> ResourceSpans:
    """Return the one resource a batch becomes."""
    request = translate(batch)
    parsed = ExportTraceServiceRequest.FromString(request.body)
    (resource_spans,) = parsed.resource_spans
    assert request.span_count == len(batch.spans)
    return resource_spans


def span_of(translate: Translate, span: jaeger.Span) -> Span:
    """Return what a span becomes."""
    (scope_spans,) = resource_spans_of(translate, Batch("svc", [span])).scope_spans
    (translated,) = scope_spans.spans
    return translated
