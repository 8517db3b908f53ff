"""OTLP as JSON."""

from __future__ import annotations

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from lymer.wire.traces_json import traces_to_json_object
from make import START, make_event, make_link, make_request, make_span, span_hex, trace_hex


def test_ids_are_hex_and_64_bit_numbers_are_strings() -> None:
    """Enums are numbers, empty fields are left out, bytes stay base64."""
    span = make_span(
        1,
        2,
        3,
        kind=2,
        status=2,
        attrs={"i": 5, "b": b"\xff"},
        events=[make_event("e")],
        links=[make_link(4, 5)],
    )
    traces = TracesData(resource_spans=make_request(span).resource_spans)

    (resource_spans,) = traces_to_json_object(traces)["resourceSpans"]

    assert [
        {
            "traceId": trace_hex(1),
            "spanId": span_hex(2),
            "parentSpanId": span_hex(3),
            "name": "work",
            "kind": 2,
            "startTimeUnixNano": str(START),
            "endTimeUnixNano": str(START + 1_000_000),
            "attributes": [
                {"key": "i", "value": {"intValue": "5"}},
                {"key": "b", "value": {"bytesValue": "/w=="}},
            ],
            "events": [{"timeUnixNano": str(START), "name": "e"}],
            "links": [{"traceId": trace_hex(4), "spanId": span_hex(5)}],
            "status": {"code": 2},
        }
    ] == resource_spans["scopeSpans"][0]["spans"]


def test_nothing_is_an_empty_object() -> None:
    """No spans, no fields."""
    assert traces_to_json_object(TracesData()) == {}
