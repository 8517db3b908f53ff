"""Spans as Jaeger's Elasticsearch storage writes them, and as its interface downloads them."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lymer.errors import UndecodableError
from lymer.wire.jaeger_document import request_from_jaeger_span, request_from_jaeger_trace
from lymer.wire.otlp_proto import CheckedRequest

_RAW = bytes(range(7))
_HEX, _BASE64 = _RAW.hex(), "AAECAwQFBg=="


def _span(binary: str, **more: Any) -> dict[str, Any]:
    pairs = [{"key": "raw", "type": "binary", "value": binary}]
    return {
        "traceID": "ab", "spanID": "1", "operationName": "GET /", "flags": 257,
        "startTime": 1_795_365_820_000_000, "duration": 1, "tags": pairs,
        "logs": [{"timestamp": 1_795_365_820_000_000, "fields": pairs}], **more,
    }  # fmt: skip


def _process(binary: str) -> dict[str, Any]:
    return {"serviceName": "s", "tags": [{"key": "raw", "type": "binary", "value": binary}]}


def _bytes_of(request: CheckedRequest) -> tuple[list[bytes], int]:
    """Return the values of `raw` of resource, span and event, and the span's flags."""
    (resource,) = ExportTraceServiceRequest.FromString(request.body).resource_spans
    span = resource.scope_spans[0].spans[0]
    holders = (resource.resource, span, span.events[0])
    found = [one.value for holder in holders for one in holder.attributes if one.key == "raw"]
    return [one.bytes_value for one in found], span.flags


def test_bytes_of_a_document_are_hex_digits() -> None:
    """As `attributeToDbTag` of Jaeger's Elasticsearch storage writes them; and flags are kept."""
    request = request_from_jaeger_span(_span(_HEX, process=_process(_HEX)))

    assert _bytes_of(request) == ([_RAW] * 3, 257)


def test_bytes_of_a_downloaded_trace_are_base64() -> None:
    """As JSON has them in Go."""
    spans = [_span(_BASE64, processID="p1")]
    request = request_from_jaeger_trace({"spans": spans, "processes": {"p1": _process(_BASE64)}})

    assert _bytes_of(request) == ([_RAW] * 3, 257)


def test_bytes_that_are_no_hex_digits_are_refused() -> None:
    """With the name of the tag."""
    with pytest.raises(UndecodableError, match="'raw' is no binary"):
        request_from_jaeger_span(_span(_BASE64, process=_process(_HEX)))
