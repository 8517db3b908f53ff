"""Zipkin v2 spans become OTLP by the Collector's rules, and nothing that was sent is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from fakes.otlp_attributes import attributes_of
from lymer.errors import UndecodableError
from lymer.wire.zipkin_proto import ListOfSpans, request_from_zipkin_proto
from lymer.wire.zipkin_v2 import request_from_zipkin_v2_json

_TRACE = "463ac35c9f6413ad48485a3953bb6124"
_LINKED = f'{_TRACE}|00f067aa0ba902b7|k=v|{{"a":1,"b":"x|y"}}|2'


def _request(*spans: dict[str, Any]) -> Any:
    checked = request_from_zipkin_v2_json(json.dumps(spans).encode())
    request = trace_service_pb2.ExportTraceServiceRequest.FromString(checked.body)
    assert checked.span_count == sum(
        len(scope.spans) for group in request.resource_spans for scope in group.scope_spans
    )
    return request


def _span(**fields: Any) -> Span:
    request = _request({"traceId": _TRACE, "id": "a2fb4a1d1a96d312", "timestamp": 1, **fields})
    return request.resource_spans[0].scope_spans[0].spans[0]


def _resource(**fields: Any) -> dict[str, Any]:
    request = _request({"traceId": _TRACE, "id": "a2fb4a1d1a96d312", **fields})
    return attributes_of(request.resource_spans[0].resource.attributes)


def test_a_span_keeps_its_fields() -> None:
    """Ids, name, kind, times, tags and annotations stand where OTLP has them."""
    span = _span(
        parentId="0020000000000001",
        name="get /cart",
        kind="SERVER",
        timestamp=1_700_000_000_000_001,
        duration=250,
        tags={"http.method": "GET"},
        annotations=[{"timestamp": 1_700_000_000_000_002, "value": "wire send"}],
    )

    assert bytes.fromhex(_TRACE) == span.trace_id
    assert (span.span_id.hex(), span.parent_span_id.hex()) == (
        "a2fb4a1d1a96d312", "0020000000000001",
    )  # fmt: skip
    assert (span.name, span.kind) == ("get /cart", Span.SPAN_KIND_SERVER)
    assert span.start_time_unix_nano == 1_700_000_000_000_001_000
    assert span.end_time_unix_nano == 1_700_000_000_000_251_000
    assert attributes_of(span.attributes) == {"http.method": "GET"}
    (event,) = span.events
    assert (event.name, event.time_unix_nano) == ("wire send", 1_700_000_000_000_002_000)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"kind": "CLIENT"}, Span.SPAN_KIND_CLIENT),
        ({"kind": "PRODUCER"}, Span.SPAN_KIND_PRODUCER),
        ({"kind": "CONSUMER"}, Span.SPAN_KIND_CONSUMER),
        ({"kind": "server"}, Span.SPAN_KIND_SERVER),
        ({"kind": "SOMETHING"}, Span.SPAN_KIND_UNSPECIFIED),
        ({"kind": None}, Span.SPAN_KIND_UNSPECIFIED),
        ({"tags": {"span.kind": "internal"}}, Span.SPAN_KIND_INTERNAL),
    ],
)
def test_kinds(fields: dict[str, Any], kind: int) -> None:
    """A kind is the field's, else the tag's."""
    span = _span(**fields)

    assert span.kind == kind
    assert not span.attributes


@pytest.mark.parametrize(
    ("tags", "code", "message", "left"),
    [
        ({"error": "true"}, Status.STATUS_CODE_ERROR, "", {}),
        ({"error": True}, Status.STATUS_CODE_ERROR, "", {}),
        ({"error": "timeout"}, Status.STATUS_CODE_ERROR, "timeout", {"error": "timeout"}),
        ({"error": ""}, Status.STATUS_CODE_ERROR, "", {"error": ""}),
        ({"error": "false"}, Status.STATUS_CODE_ERROR, "false", {"error": "false"}),
        ({"error": False}, Status.STATUS_CODE_UNSET, "", {"error": False}),
        ({"otel.status_code": "STATUS_CODE_OK"}, Status.STATUS_CODE_OK, "", {}),
        ({"otel.status_code": "OK"}, Status.STATUS_CODE_OK, "", {}),
        (
            {"otel.status_code": "STATUS_CODE_ERROR", "otel.status_description": "no"},
            Status.STATUS_CODE_ERROR, "no", {},
        ),
        (
            {"otel.status_code": "ERROR", "error": "no money"},
            Status.STATUS_CODE_ERROR, "no money", {"error": "no money"},
        ),
        ({"otel.status_code": "odd"}, Status.STATUS_CODE_UNSET, "", {"otel.status_code": "odd"}),
    ],
)  # fmt: skip
def test_status(tags: dict[str, Any], code: int, message: str, left: dict[str, str]) -> None:
    """Status comes out of tags; a tag that says more stays."""
    span = _span(tags=tags)

    assert (span.status.code, span.status.message) == (code, message)
    assert attributes_of(span.attributes) == left


def test_endpoints_become_attributes() -> None:
    """Both ends are found by the Collector's names, and the other one also as peer.service."""
    span = _span(
        localEndpoint={"serviceName": "cart", "ipv4": "10.0.0.1", "port": 80},
        remoteEndpoint={"serviceName": "db", "ipv4": "10.0.0.9", "ipv6": "::9", "port": -27535},
    )

    assert attributes_of(span.attributes) == {
        "network.local.address": "10.0.0.1",
        "net.host.port": 80,
        "peer.service": "db",
        "service.peer.name": "db",
        "network.peer.address": "::9",
        "net.peer.ip": "10.0.0.9",
        "net.peer.port": 38001,
    }


def test_a_tag_named_peer_service_wins() -> None:
    """What the sender called so itself is not overwritten; the endpoint's name is kept beside."""
    span = _span(tags={"peer.service": "mine"}, remoteEndpoint={"serviceName": "theirs"})

    found = attributes_of(span.attributes)
    assert (found["peer.service"], found["service.peer.name"]) == ("mine", "theirs")


def test_resource_tags_move_to_the_resource_of_their_span() -> None:
    """Spans of one service with other resource tags are another resource."""
    endpoint = {"serviceName": "cart"}
    request = _request(
        *(
            {"traceId": "1", "id": str(n), "localEndpoint": endpoint, "tags": {"host.name": host}}
            for n, host in enumerate(("a", "b", "a"), 1)
        )
    )

    found = [
        (attributes_of(group.resource.attributes), len(group.scope_spans[0].spans))
        for group in request.resource_spans
    ]
    assert found == [
        ({"host.name": "a", "service.name": "cart"}, 2),
        ({"host.name": "b", "service.name": "cart"}, 1),
    ]


def test_the_service_name() -> None:
    """It is the local endpoint's, under the key a tag may choose; without one there is none."""
    endpoint = {"serviceName": "cart"}

    assert _resource(localEndpoint=endpoint) == {"service.name": "cart"}
    assert _resource(localEndpoint=endpoint, tags={"otlp.service.name.source": "faas.name"}) == {
        "faas.name": "cart"
    }
    assert _resource() == {}
    assert _resource(localEndpoint={"serviceName": "", "ipv4": "10.0.0.1"}) == {}


@pytest.mark.parametrize("prefix", ["otel.library.", "otel.scope."])
def test_the_scope(prefix: str) -> None:
    """Name and version of the library become the scope's."""
    tags = {prefix + "name": "lib", prefix + "version": "1.2"}
    request = _request({"traceId": "1", "id": "1", "tags": tags})

    (scope_spans,) = request.resource_spans[0].scope_spans
    assert (scope_spans.scope.name, scope_spans.scope.version) == ("lib", "1.2")


def test_links_and_trace_state() -> None:
    """What OpenTelemetry's exporters pack into tags is unpacked."""
    span = _span(tags={"otlp.link.0": _LINKED, "w3c.tracestate": "a=b"})

    (link,) = span.links
    assert (link.trace_id.hex(), link.span_id.hex()) == (_TRACE, "00f067aa0ba902b7")
    assert (link.trace_state, link.dropped_attributes_count) == ("k=v", 2)
    assert attributes_of(link.attributes) == {"a": 1, "b": "x|y"}
    assert span.trace_state == "a=b"
    assert not [key for key in attributes_of(span.attributes) if key.startswith("otlp")]


def test_a_link_that_is_none_stays_a_tag() -> None:
    """A text that only looks like a link costs neither the span nor itself."""
    span = _span(tags={"otlp.link.0": "a|b|c|d|e"})

    assert attributes_of(span.attributes) == {"otlp.link.0": "a|b|c|d|e"}


@pytest.mark.parametrize(
    ("text", "name", "attributes", "dropped"),
    [
        ('exception|{"a":"x|y","n":2.0,"h":0.5,"t":true,"l":[1]}|3', "exception",
         {"a": "x|y", "n": 2, "h": 0.5, "t": True, "l": "[1]"}, 3),
        ("a|b|c", "a|b|c", {}, 0),
        ("a|b", "a|b", {}, 0),
        ("", "", {}, 0),
    ],
)  # fmt: skip
def test_annotations(text: str, name: str, attributes: dict[str, Any], dropped: int) -> None:
    """A packed event is unpacked; any other text is the event's name, whole."""
    (event,) = _span(annotations=[{"timestamp": 1, "value": text}]).events

    assert (event.name, event.dropped_attributes_count) == (name, dropped)
    assert attributes_of(event.attributes) == attributes


def test_what_is_missing_is_said() -> None:
    """A span without a start begins at the epoch and says that nobody knows."""
    span = _span(timestamp=None, duration=7)

    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (0, 7000)
    assert attributes_of(span.attributes) == {"otel.zipkin.absentField.startTime": True}


def test_lenient_values() -> None:
    """Numbers as text or fractions, values that are no text, nulls: what they say is kept."""
    span = _span(
        timestamp="1700000000000001",
        duration=2.9,
        parentId="",
        debug=True,
        shared="true",
        annotations=[None],
        tags={"n": 7, "f": 0.5, "t": False, "l": [1], "z": None, "big": 2**64 - 1},
    )

    assert span.start_time_unix_nano == 1_700_000_000_000_001_000
    assert span.end_time_unix_nano == 1_700_000_000_000_003_000
    assert attributes_of(span.attributes) == {
        "n": 7, "f": 0.5, "t": False, "l": "[1]", "big": str(2**64 - 1),
        "zipkin.debug": True, "zipkin.shared": True,
    }  # fmt: skip


def test_ids() -> None:
    """Ids of 64 bits and short ids are filled with zeros; a span is not its own parent."""
    span = _span(traceId="48485a3953bb6124", id="1", parentId="0000000000000001")

    assert span.trace_id.hex() == "000000000000000048485a3953bb6124"
    assert span.span_id.hex() == "0000000000000001"
    assert span.parent_span_id == b""


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"traceId": None}, "[0].traceId is missing or zero"),
        ({"id": "0000000000000000"}, "[0].id is missing or zero"),
        ({"id": "xyz"}, "[0].id is not an id of at most 16 hexadecimal digits"),
        ({"traceId": "0 " * 16}, "[0].traceId is not an id of at most 32 hexadecimal digits"),
        ({"traceId": "1" * 33}, "[0].traceId is not an id of at most 32 hexadecimal digits"),
        ({"name": 7}, "[0].name is not a text"),
        ({"timestamp": "soon"}, "[0].timestamp is not a number of microseconds"),
        ({"timestamp": 2**63}, f"[0].timestamp is {2**63} microseconds, the limit is "),
        ({"tags": []}, "[0].tags is not an object"),
        ({"localEndpoint": {"port": "x"}}, "[0].localEndpoint.port is not a port"),
        ({"remoteEndpoint": 3}, "[0].remoteEndpoint is not an object"),
        ({"annotations": {}}, "[0].annotations is not a list"),
        ({"annotations": [{}, 3]}, "[0].annotations[1] is not an object"),
        ({"annotations": [{"value": 1}]}, "[0].annotations[0].value is not a text"),
        ({"shared": []}, "[0].shared is not true or false"),
    ],
)
def test_an_error_names_the_path(fields: dict[str, Any], said: str) -> None:
    """The sentence says which field of which span, and what is wrong with it."""
    with pytest.raises(UndecodableError) as caught:
        _span(**fields)

    assert str(caught.value).startswith(f"cannot decode Zipkin v2 JSON: {said}")


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"7", b"[7]", b"\xff", b"[" * 5000])
def test_what_is_no_list_of_spans_is_refused(body: bytes) -> None:
    """Any other document is one error, however deep."""
    with pytest.raises(UndecodableError, match="cannot decode Zipkin v2 JSON: "):
        request_from_zipkin_v2_json(body)


def test_no_spans_are_no_spans() -> None:
    """An empty list, and nulls in it, are a request without spans."""
    assert request_from_zipkin_v2_json(b"[]").span_count == 0
    assert request_from_zipkin_v2_json(b"[null]").span_count == 0


def test_a_protobuf_error_names_the_field() -> None:
    """The sentence says which field of which span."""
    message = ListOfSpans()
    message.spans.add(trace_id=bytes(range(16)), id=bytes(range(8)))
    message.spans.add(trace_id=bytes(range(5)), id=bytes(range(8)))

    message.spans.add(trace_id=b"", id=bytes(range(8)))

    checked = request_from_zipkin_proto(message.SerializeToString())

    said = "cannot decode Zipkin v2 protobuf: spans[1].trace_id has 5 bytes, not 16"
    assert (checked.span_count, checked.refused_spans) == (1, 2)
    assert checked.reason == f"{said}, and 1 more spans are refused"


@pytest.mark.parametrize(
    "bad",
    [
        {"traceId": "0", "id": "1"},
        {"traceId": "1", "id": "0" * 16},
        {"traceId": "1" * 33, "id": "1"},
        {"traceId": "1", "id": "1", "localEndpoint": {"port": 99999}},
        {"traceId": "1", "id": "1", "timestamp": "now"},
        {"traceId": "1", "id": "1", "tags": []},
        [],
        7,
    ],
)
def test_a_bad_span_is_refused_alone(bad: object) -> None:
    """Its neighbours are stored, and the reason names it; nothing but bad ones is an error."""
    good = {"traceId": "1", "id": "2"}

    checked = request_from_zipkin_v2_json(json.dumps([good, bad, good]).encode())

    assert (checked.span_count, checked.refused_spans) == (2, 1)
    assert "[1]" in checked.reason
    with pytest.raises(UndecodableError, match=r"\[0\]"):
        request_from_zipkin_v2_json(json.dumps([bad]).encode())


def test_text_that_is_not_utf_8_does_not_cost_the_request() -> None:
    """The broken sign is replaced."""
    message = ListOfSpans()
    message.spans.add(trace_id=b"12345678", id=b"12345678", name=b"a\xffb", timestamp=1)

    checked = request_from_zipkin_proto(message.SerializeToString(), debug=True)

    request = trace_service_pb2.ExportTraceServiceRequest.FromString(checked.body)
    (span,) = request.resource_spans[0].scope_spans[0].spans
    assert span.name == "a\N{REPLACEMENT CHARACTER}b"
    assert span.trace_id == bytes(8) + b"12345678"
    assert attributes_of(span.attributes) == {"zipkin.debug": True}
