"""What a message of Kafka holds."""

from __future__ import annotations

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lymer.errors import TooLargeError, UndecodableError
from lymer.wire.kafka_encodings import WRITTEN, read_messages, write_messages
from lymer.wire.otlp_proto import CheckedRequest
from make import make_event, make_link, make_request, make_span

_NOW = 1_795_365_820_000_000_000

_SPANS = [
    make_span(
        1, 1, kind=2, status=2, events=[make_event()], links=[make_link()],
        attrs={"a.text": "x", "a.number": 5, "a.switch": True, "a.double": 0.5, "a.bytes": b"\x01"},
    ),
    make_span(1, 2, 1, name="called", kind=3),
]  # fmt: skip
_BODY = make_request(*_SPANS).SerializeToString()


def _read(bodies: list[bytes], encoding: str) -> list[ExportTraceServiceRequest]:
    found = read_messages(bodies, encoding, _NOW)
    assert len(found) == len(bodies)
    assert all(isinstance(one, CheckedRequest) for one in found), found
    return [
        ExportTraceServiceRequest.FromString(one.body)
        for one in found
        if isinstance(one, CheckedRequest) and one.span_count
    ]


@pytest.mark.parametrize("encoding", WRITTEN)
def test_what_is_written_can_be_read(encoding: str) -> None:
    """With ids, names, times, parents; what the format cannot say is lost, as in Jaeger."""
    messages = list(write_messages(_BODY, encoding, 1_000_000))
    requests = _read([value for _, value in messages], encoding)
    spans = [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]

    assert [
        (one.trace_id, one.span_id, one.parent_span_id, one.name, one.kind, one.status.code)
        for one in sorted(spans, key=lambda one: one.span_id)
    ] == [
        (one.trace_id, one.span_id, one.parent_span_id, one.name, one.kind, one.status.code)
        for one in _SPANS
    ]
    assert {one.start_time_unix_nano for one in spans} == {
        one.start_time_unix_nano for one in _SPANS
    }
    assert {one.end_time_unix_nano for one in spans} == {one.end_time_unix_nano for one in _SPANS}
    services = {
        attribute.value.string_value
        for request in requests
        for resource in request.resource_spans
        for attribute in resource.resource.attributes
        if attribute.key == "service.name"
    }
    assert services == {"shop"}


def test_jaegers_encodings_are_a_span_a_message_under_its_trace() -> None:
    """So that a partition has whole traces, as Jaeger's collector sends them."""
    for encoding in ("jaeger_proto", "jaeger_json"):
        messages = list(write_messages(_BODY, encoding, 1_000_000))

        assert [key for key, _ in messages] == [_SPANS[0].trace_id.hex().encode()] * 2
    assert orjson.loads(messages[1][1])["operationName"] == "called"


def test_what_jaegers_collector_wrote_is_read() -> None:
    """A span as Go's jsonpb writes it: enums by name or left out, 64 bits as text."""
    written = {
        "traceId": "AAAAAAAAAAIAAAAAAAAAAQ==",
        "spanId": "AAAAAAAAAAM=",
        "operationName": "GET /",
        "references": [{"traceId": "AAAAAAAAAAIAAAAAAAAAAQ==", "spanId": "AAAAAAAAAAI="}],
        "startTime": "2026-11-29T10:00:00.000000001Z",
        "duration": "1.500s",
        "tags": [
            {"key": "span.kind", "vStr": "server"},
            {"key": "n", "vType": "INT64", "vInt64": "-7"},
        ],
        "process": {"serviceName": "shop"},
    }
    (request,) = _read([orjson.dumps(written)], "jaeger_json")
    span = request.resource_spans[0].scope_spans[0].spans[0]

    assert span.trace_id.hex() == "00000000000000020000000000000001"
    assert (span.parent_span_id.hex(), span.kind) == ("0000000000000002", 2)
    assert span.end_time_unix_nano - span.start_time_unix_nano == 1_500_000_000
    assert span.start_time_unix_nano % 10**9 == 1
    assert span.attributes[0].value.int_value == -7


@pytest.mark.parametrize("encoding", [*WRITTEN, "zipkin_proto", "zipkin_thrift"])
@pytest.mark.parametrize("poison", [b"\xff\xff", b"[1]", b'{"traceId": 5}', b'{"startTime": "x"}'])
def test_poison_spoils_nothing_beside_it(encoding: str, poison: bytes) -> None:
    """One message cannot be read, those around it can."""
    good = (
        [value for _, value in write_messages(_BODY, encoding, 1_000_000)]
        if (encoding in WRITTEN)
        else []
    )
    found = read_messages([*good, poison, *good], encoding, _NOW)
    spans = sum(one.span_count for one in found if isinstance(one, CheckedRequest))

    assert spans == 2 * len(_SPANS) * bool(good)
    if not (encoding == "zipkin_thrift" and poison == b"[1]"):
        assert isinstance(found[len(good)], UndecodableError) or not found[len(good)].span_count


def test_large_requests_go_in_parts() -> None:
    """Each within the limit; a span that is larger alone is refused."""
    spans = [make_span(number, 1, attrs={"text": "x" * 2_000}) for number in range(1, 60)]
    body = make_request(*spans).SerializeToString()
    for encoding in ("otlp_proto", "otlp_json"):
        values = [value for _, value in write_messages(body, encoding, 65_536)]
        assert len(values) > 1
        assert max(map(len, values)) <= 65_536
        found = read_messages(values, encoding, _NOW)
        assert sum(one.span_count for one in found if isinstance(one, CheckedRequest)) == 59
    large = make_request(make_span(1, 1, attrs={"text": "x" * 70_000})).SerializeToString()
    with pytest.raises(TooLargeError, match="message_bytes_max"):
        list(write_messages(large, "otlp_proto", 65_536))
