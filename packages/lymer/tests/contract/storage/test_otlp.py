"""Traces as OTLP: what was sent comes back, field by field."""

from __future__ import annotations

import math

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, TracesData

from contract.storage.conftest import READING, Store, Write
from make import make_event, make_link, make_request, make_span, trace_hex, value

pytestmark = READING


def flat(traces: TracesData) -> list[tuple[bytes, bytes, bytes]]:
    """Return (span, scope, resource) of every span as deterministic bytes, by span id."""
    rows = []
    for resource_spans in traces.resource_spans:
        resource = ResourceSpans(
            resource=resource_spans.resource, schema_url=resource_spans.schema_url
        )
        for scope_spans in resource_spans.scope_spans:
            scope = ScopeSpans(scope=scope_spans.scope, schema_url=scope_spans.schema_url)
            rows.extend(
                (
                    one.span_id,
                    *(
                        message.SerializeToString(deterministic=True)
                        for message in (one, scope, resource)
                    ),
                )
                for one in scope_spans.spans
            )
    return [row[1:] for row in sorted(rows)]


def rich_span(number: int) -> Span:
    """Return a span in which every field OTLP has is set."""
    span = make_span(
        1,
        number,
        9,
        name="rich",
        kind=3,
        offset_nano=number,
        duration_nano=12_345,
        attrs=[
            ("s", "text"),
            ("s", "again"),
            ("b", False),
            ("i", -(2**63)),
            ("d", math.inf),
            ("z", -0.0),
            ("x", b"\0\xff"),
            ("l", ["a", [1, None], {"k": b""}]),
            ("m", {"k": {"n": 1.5}}),
            ("u", value(None)),
            ("", "empty key"),
        ],
        events=[
            make_event("first", offset_nano=5, attrs={"a": 1}, dropped=7),
            make_event("", dropped=1),
        ],
        links=[make_link(2, 3, attrs={"b": True})],
        status=2,
        message="bad luck",
        trace_state="vendor=1",
        flags=0x301,
    )
    span.dropped_attributes_count = 1
    span.dropped_events_count = 2
    span.dropped_links_count = 3
    span.links[0].trace_state = "link=1"
    span.links[0].flags = 1
    span.links[0].dropped_attributes_count = 4
    return span


def test_every_field_survives_the_round_trip(store: Store, write: Write) -> None:
    """Types, order, duplicates, dropped counts, flags, schema URLs: nothing is lost."""
    request = make_request(
        rich_span(1),
        rich_span(2),
        resource={"host.name": "h", "n": 5},
        scope="lib",
        scope_version="1",
        scope_attrs={"sa": [1]},
    )
    resource_spans = request.resource_spans[0]
    resource_spans.schema_url = "https://opentelemetry.io/schemas/1.27.0"
    resource_spans.resource.dropped_attributes_count = 5
    resource_spans.scope_spans[0].schema_url = "https://opentelemetry.io/schemas/1.28.0"
    resource_spans.scope_spans[0].scope.dropped_attributes_count = 6
    write(request)

    answer = TracesData.FromString(store.get_otlp([trace_hex(1)]))

    assert flat(TracesData(resource_spans=request.resource_spans)) == flat(answer)


def test_several_traces_come_in_one_message(store: Store, write: Write) -> None:
    """All spans of all known traces, and nothing for unknown ones."""
    write(make_request(make_span(1, 1), make_span(2, 2), make_span(3, 3)))

    answer = TracesData.FromString(store.get_otlp([trace_hex(1), trace_hex(404), trace_hex(3)]))

    ids = [
        span.span_id[-1]
        for resource_spans in answer.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]
    assert sorted(ids) == [1, 3]
    assert store.get_otlp([trace_hex(404)]) == b""
    assert store.get_otlp([]) == b""


def test_a_value_with_a_wrong_wire_type_spoils_no_answer(store: Store, write: Write) -> None:
    """Protobuf's parser steps over such a field, so the door lets it in; others are unharmed."""
    sent = make_request(make_span(1, 1, attrs={"code": "200", "good": "kept"})).SerializeToString()
    # Field 2 is a message; here it is a fixed32 and a field that nobody knows.
    broken = sent.replace(b"\x12\x05\n\x03200", b"\x15\x05\n\x03200")
    assert broken != sent
    write(ExportTraceServiceRequest.FromString(broken), make_request(make_span(2, 2)))

    answer = TracesData.FromString(store.get_otlp([trace_hex(1), trace_hex(2)]))

    spans = {
        span.span_id[-1]: {one.key: one.value.string_value for one in span.attributes}
        for resource_spans in answer.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    }
    assert spans == {1: {"code": "", "good": "kept"}, 2: {}}
