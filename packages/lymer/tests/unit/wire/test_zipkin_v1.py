"""Zipkin v1 spans, JSON and thrift, become OTLP by the Collector's rules, and nothing is lost."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from fakes.otlp_attributes import attributes_of
from fakes.thrift_writer import Field, write_list, write_message
from lymer.errors import UndecodableError
from lymer.wire.otlp_proto import CheckedRequest
from lymer.wire.thrift import Protocol
from lymer.wire.zipkin_thrift import otlp_from_zipkin_message, request_from_zipkin_thrift
from lymer.wire.zipkin_v1 import request_from_zipkin_v1_json

_NOW = 1_700_000_000_000_000_000
_CART = {"serviceName": "cart", "ipv4": "10.0.0.1", "port": 80}


def _only(checked: CheckedRequest) -> tuple[Span, dict[str, Any]]:
    """Return the only span and its resource's attributes."""
    request = trace_service_pb2.ExportTraceServiceRequest.FromString(checked.body)
    (group,) = request.resource_spans
    (span,) = group.scope_spans[0].spans
    return span, attributes_of(group.resource.attributes)


def _span(**fields: Any) -> tuple[Span, dict[str, Any]]:
    source = {"traceId": "463ac35c9f6413ad", "id": "a2fb4a1d1a96d312", **fields}
    return _only(request_from_zipkin_v1_json(json.dumps([source]).encode(), _NOW))


def _annotation(value: str, timestamp: int = 5, endpoint: Any = None) -> dict[str, Any]:
    return {"value": value, "timestamp": timestamp, "endpoint": endpoint}


@pytest.mark.parametrize(
    ("core", "kind"),
    [
        ("cs", Span.SPAN_KIND_CLIENT),
        ("cr", Span.SPAN_KIND_CLIENT),
        ("sr", Span.SPAN_KIND_SERVER),
        ("ss", Span.SPAN_KIND_SERVER),
        ("ms", Span.SPAN_KIND_PRODUCER),
        ("mr", Span.SPAN_KIND_CONSUMER),
    ],
)
def test_the_first_core_annotation_says_kind_and_service(core: str, kind: int) -> None:
    """Its endpoint is whose span it is; it is no event."""
    span, resource = _span(
        annotations=[_annotation("note"), _annotation(core, 5, _CART), _annotation("cs", 6)]
    )

    assert span.kind == kind
    assert resource == {"service.name": "cart", "ipv4": "10.0.0.1", "port": "80"}
    assert [event.name for event in span.events] == ["note"]


def test_times() -> None:
    """The field's, else the annotations' first and last, else now, which is said."""
    given, _ = _span(timestamp=7, duration=2, annotations=[_annotation("cs", 3)])
    derived, _ = _span(annotations=[_annotation("cr", 9), _annotation("cs", 3)])
    unknown, _ = _span(duration=4)

    assert (given.start_time_unix_nano, given.end_time_unix_nano) == (7000, 9000)
    assert (derived.start_time_unix_nano, derived.end_time_unix_nano) == (3000, 9000)
    assert (unknown.start_time_unix_nano, unknown.end_time_unix_nano) == (_NOW, _NOW + 4000)
    assert attributes_of(unknown.attributes) == {"otel.zipkin.absentField.startTime": True}


@pytest.mark.parametrize("value", [True, "true", "1"])
def test_an_address_annotation_is_the_other_party(value: object) -> None:
    """`sa` is accepted as a truth value, which py-zipkin and npm zipkin send, and as text."""
    endpoint = {"serviceName": "pg", "ipv4": "10.0.0.9", "port": 5432}
    span, resource = _span(
        annotations=[_annotation("cs", 5, _CART)],
        binaryAnnotations=[{"key": "sa", "value": value, "endpoint": endpoint}],
    )

    assert resource["service.name"] == "cart"
    assert attributes_of(span.attributes) == {
        "sa": value,
        "peer.service": "pg",
        "service.peer.name": "pg",
        "network.peer.address": "10.0.0.9",
        "net.peer.port": 5432,
    }


@pytest.mark.parametrize(
    ("fields", "service"),
    [
        ({}, "unknown-service"),
        ({"binaryAnnotations": [{"key": "lc", "value": "job"}]}, "job"),
        ({"binaryAnnotations": [{"key": "x", "value": "y", "endpoint": _CART}]}, "cart"),
        ({"annotations": [_annotation("note", 5, _CART)]}, "cart"),
        ({"binaryAnnotations": [{"key": "sa", "value": True, "endpoint": _CART}]},
         "unknown-service"),
    ],
)  # fmt: skip
def test_the_service_of_a_span_without_core_annotations(
    fields: dict[str, Any], service: str
) -> None:
    """It is that of any own annotation, else the local component, never the other party's."""
    _, resource = _span(**fields)

    assert resource["service.name"] == service


@pytest.mark.parametrize(
    ("tags", "code", "message", "left"),
    [
        ({"error": "true"}, 2, "", set()),
        ({"error": True}, 2, "", set()),
        ({"otel.status_code": "ERROR", "error": "empty"}, 2, "empty", {"error"}),
        ({"error": "timeout"}, 2, "timeout", {"error"}),
        ({"error": "false"}, 2, "false", {"error"}),
        ({"http.status_code": "500"}, 2, "", {"http.status_code"}),
        ({"http.status_code": 404}, 2, "", {"http.status_code"}),
        ({"http.status_code": "200"}, 0, "", {"http.status_code"}),
        ({"http.status_code": "503", "http.status_message": "later"}, 2, "later",
         {"http.status_code", "http.status_message"}),
        ({"census.status_code": "14", "census.status_description": "gone"}, 2, "gone", set()),
        ({"census.status_code": "0", "http.status_code": "500"}, 0, "", {"http.status_code"}),
    ],
)  # fmt: skip
def test_status(tags: dict[str, Any], code: int, message: str, left: set[str]) -> None:
    """OpenCensus' status comes first, then `error`, then HTTP's as a client sees it."""
    span, _ = _span(
        annotations=[_annotation("cs", 5, _CART)],
        binaryAnnotations=[{"key": key, "value": value} for key, value in tags.items()],
    )

    assert (span.status.code, span.status.message) == (code, message)
    assert set(attributes_of(span.attributes)) == left


def test_a_clients_fault_is_no_error_of_the_server() -> None:
    """A server's span with 404 has no status, as OpenTelemetry has it."""
    span, _ = _span(
        annotations=[_annotation("sr", 5, _CART)],
        binaryAnnotations=[{"key": "http.status_code", "value": "404"}],
    )

    assert span.status.code == Status.STATUS_CODE_UNSET


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"id": None}, "[0].id is missing or zero"),
        ({"traceId": "g" * 16}, "[0].traceId is not an id of at most 32 hexadecimal digits"),
        ({"annotations": [{"endpoint": {"serviceName": 1}}]},
         "[0].annotations[0].endpoint.serviceName is not a text"),
        ({"binaryAnnotations": [{"key": 1}]}, "[0].binaryAnnotations[0].key is not a text"),
        ({"binaryAnnotations": 1}, "[0].binaryAnnotations is not a list"),
        ({"debug": "perhaps"}, "[0].debug is not true or false"),
    ],
)  # fmt: skip
def test_an_error_names_the_path(fields: dict[str, Any], said: str) -> None:
    """The sentence says which field of which span, and what is wrong with it."""
    with pytest.raises(UndecodableError) as caught:
        _span(**fields)

    assert str(caught.value) == f"cannot decode Zipkin v1 JSON: {said}"


def _thrift(*fields: Field) -> tuple[Span, dict[str, Any]]:
    ids = [Field(1, "i64", -2), Field(4, "i64", 3)]
    body = write_list("struct", [[*ids, *fields]], Protocol.BINARY)
    return _only(request_from_zipkin_thrift(body, _NOW))


def test_a_thrift_span_keeps_its_fields() -> None:
    """Ids are unsigned, addresses are texts, ports have sixteen bits."""
    host = [
        Field(1, "i32", -1062731519), Field(2, "i16", -27535), Field(3, "string", b"cart"),
        Field(4, "string", bytes(15) + b"\x01"),
    ]  # fmt: skip
    core = [Field(1, "i64", 5), Field(2, "string", b"sr"), Field(3, "struct", host)]
    note = [Field(1, "i64", 6), Field(2, "string", b"note")]
    span, resource = _thrift(
        Field(3, "string", b"get"),
        Field(5, "i64", 9),
        Field(6, "list", ("struct", [core, note])),
        Field(9, "bool", value=True),
        Field(10, "i64", 7),
        Field(11, "i64", 8),
        Field(12, "i64", 1),
    )

    assert span.trace_id.hex() == "0000000000000001fffffffffffffffe"
    assert (span.span_id.hex(), span.parent_span_id.hex()) == (f"{3:016x}", f"{9:016x}")
    assert (span.name, span.kind) == ("get", Span.SPAN_KIND_SERVER)
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (7000, 15000)
    assert resource == {
        "service.name": "cart", "ipv4": "192.168.1.1", "ipv6": "::1", "port": "38001",
    }  # fmt: skip
    assert [(event.name, event.time_unix_nano) for event in span.events] == [("note", 6000)]
    assert attributes_of(span.attributes) == {"zipkin.debug": True}


@pytest.mark.parametrize(
    ("kind", "packed", "value"),
    [
        (0, b"\x01", True),
        (0, b"\x00", False),
        (1, b"\x00\xff", "AP8="),
        (2, struct.pack(">h", -7), -7),
        (3, struct.pack(">i", 70_000), 70_000),
        (4, struct.pack(">q", -(2**63)), -(2**63)),
        (5, struct.pack(">d", 0.5), 0.5),
        (6, "서울".encode(), "서울"),
        (6, b"a\xff", "a\N{REPLACEMENT CHARACTER}"),
        (4, b"short", "c2hvcnQ="),
        (99, b"odd", "b2Rk"),
    ],
)
def test_binary_annotations_keep_their_type(kind: int, packed: bytes, value: object) -> None:
    """Each of thrift's types becomes its own; what is none of them is base64."""
    tag = [Field(1, "string", b"key"), Field(2, "string", packed), Field(3, "i32", kind)]
    span, _ = _thrift(Field(8, "list", ("struct", [tag])), Field(10, "i64", 1))

    found = attributes_of(span.attributes)
    assert found == {"key": value}
    assert type(found["key"]) is type(value)


def test_a_thrift_error_names_the_span() -> None:
    """A span whose id is zero is refused by its place."""
    spans = [[Field(1, "i64", 1), Field(4, "i64", number)] for number in (1, 0)]
    body = write_list("struct", spans, Protocol.BINARY)

    checked = request_from_zipkin_thrift(body, _NOW)

    assert (checked.span_count, checked.refused_spans) == (1, 1)
    assert checked.reason == "cannot decode Zipkin v1 thrift: [1].id is missing or zero"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ([], "id"),
        ([Field(4, "i64", 1), Field(6, "list", ("struct", [[]]))], "value"),
        ([Field(4, "i64", 1), Field(8, "list", ("struct", [[]]))], "key"),
    ],
)
def test_thrift_structs_of_nothing_are_refused(fields: list[Field], said: str) -> None:
    """A body of very many empty structs must not become as many objects."""
    body = write_list("struct", [fields], Protocol.BINARY)

    with pytest.raises(UndecodableError, match=f"required field is missing: '{said}'"):
        request_from_zipkin_thrift(body, _NOW)


@pytest.mark.parametrize("body", [b"", b"\x0c", b"\x0c\xff\xff\xff\xff", b"\x0b\x00\x00\x00\x01"])
def test_what_is_no_thrift_list_is_refused(body: bytes) -> None:
    """Any other bytes are one error."""
    with pytest.raises(UndecodableError, match="cannot decode Zipkin v1 thrift: "):
        request_from_zipkin_thrift(body, _NOW)


@pytest.mark.parametrize("protocol", Protocol)
def test_a_batch_in_a_message_is_what_a_bare_list_is(protocol: Protocol) -> None:
    """As Jaeger's agent takes it by UDP, in either protocol."""
    span = [
        Field(1, "i64", 0x11),
        Field(3, "string", b"get"),
        Field(4, "i64", 0x22),
        Field(8, "list", ("struct", [])),
        Field(10, "i64", 1_700_000_000_000_000),
        Field(11, "i64", 1_000),
    ]
    message = write_message("emitZipkinBatch", [Field(1, "list", ("struct", [span]))], protocol)
    bare = write_list("struct", [span], Protocol.BINARY)

    assert request_from_zipkin_thrift(bare, 5).body == otlp_from_zipkin_message(
        message, protocol, 5
    )


def test_a_message_of_somebody_else_is_no_zipkin_batch() -> None:
    """Jaeger's own has its own port."""
    message = write_message("emitBatch", [], Protocol.COMPACT)

    with pytest.raises(UndecodableError, match="unknown method 'emitBatch'"):
        otlp_from_zipkin_message(message, Protocol.COMPACT, 5)
