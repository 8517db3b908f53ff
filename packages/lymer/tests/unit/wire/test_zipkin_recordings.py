"""What real Zipkin clients sent is read field by field; what is broken in it ends in one error."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from fakes.otlp_attributes import attributes_of
from fakes.recorded_otlp import mutated
from fakes.recorded_wire import recorded
from lymer.errors import UndecodableError
from lymer.wire.otlp_proto import CheckedRequest
from lymer.wire.zipkin_proto import request_from_zipkin_proto
from lymer.wire.zipkin_thrift import request_from_zipkin_thrift
from lymer.wire.zipkin_v1 import request_from_zipkin_v1_json
from lymer.wire.zipkin_v2 import request_from_zipkin_v2_json

_NOW = 1_700_000_000_000_000_000
_BODY = "001-http9411.body"


def _v1_json(body: bytes) -> CheckedRequest:
    return request_from_zipkin_v1_json(body, _NOW)


def _v1_thrift(body: bytes) -> CheckedRequest:
    return request_from_zipkin_thrift(body, _NOW)


_CLIENTS: list[tuple[str, Callable[[bytes], CheckedRequest]]] = [
    ("js-zipkin-v2", request_from_zipkin_v2_json),
    ("envoy-zipkin-proto", request_from_zipkin_proto),
    ("py-zipkin-v1json", _v1_json),
    ("py-zipkin-v1thrift", _v1_thrift),
]


def _spans(checked: CheckedRequest) -> list[tuple[dict[str, Any], Span]]:
    request = trace_service_pb2.ExportTraceServiceRequest.FromString(checked.body)
    return [
        (attributes_of(group.resource.attributes), span)
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def test_npm_zipkin_v2_json() -> None:
    """A server's span, a client's that failed, and a local one."""
    found = _spans(request_from_zipkin_v2_json(recorded("js-zipkin-v2", _BODY)))

    spans = {span.name: span for _, span in found}
    assert [{"service.name": "js-zipkin"}] * 3 == [resource for resource, _ in found]
    assert set(spans) == {"work", "post", "get"}
    root, call, work = spans["get"], spans["post"], spans["work"]
    assert {"e23f7676f57e8aaea52419abf99cd522"} == {s.trace_id.hex() for s in spans.values()}
    assert root.parent_span_id == b""
    assert call.parent_span_id == work.parent_span_id == root.span_id
    assert (root.kind, call.kind, work.kind) == (
        Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT, Span.SPAN_KIND_UNSPECIFIED,
    )  # fmt: skip
    assert root.start_time_unix_nano == 1795352761460626000
    assert root.end_time_unix_nano - root.start_time_unix_nano == 23_728_000
    assert attributes_of(root.attributes) == {
        "http.path": "/x", "network.local.address": "127.0.0.1", "net.host.port": 80,
    }  # fmt: skip
    assert call.status.code == Status.STATUS_CODE_ERROR
    assert attributes_of(call.attributes) == {
        "peer.service": "db", "service.peer.name": "db",
        "network.peer.address": "127.0.0.9", "net.peer.port": 5432,
    }  # fmt: skip
    assert [(event.name, event.time_unix_nano) for event in work.events] == [
        ("mark", 1795352761460897000)
    ]


@pytest.mark.parametrize(
    ("client", "read"), [("py-zipkin-v1json", _v1_json), ("py-zipkin-v1thrift", _v1_thrift)]
)
def test_py_zipkin_v1(client: str, read: Callable[[bytes], CheckedRequest]) -> None:
    """The same three spans as JSON, with `sa` as a truth value, and as thrift."""
    found = {
        span.name: (resource, span) for resource, span in _spans(read(recorded(client, _BODY)))
    }

    assert set(found) == {"select", "local", "get /x"}
    service = {"service.name": "py-zipkin", "ipv4": "127.0.0.1", "port": "8080"}
    resource, select = found["select"]
    assert resource == service
    assert select.kind == Span.SPAN_KIND_CLIENT
    assert select.status.code == Status.STATUS_CODE_ERROR
    assert attributes_of(select.attributes) == {
        "sa": True, "peer.service": "pg", "service.peer.name": "pg",
        "network.peer.address": "127.0.0.9", "net.peer.port": 5432,
    }  # fmt: skip
    resource, root = found["get /x"]
    assert resource == service
    assert root.kind == Span.SPAN_KIND_SERVER
    assert attributes_of(root.attributes) == {"http.status_code": "200"}
    assert [(event.name, event.time_unix_nano) for event in root.events] == [
        ("mark", 1_700_000_000_500_000_000)
    ]
    resource, local = found["local"]
    assert resource == {"service.name": "unknown-service"}
    assert select.parent_span_id == local.parent_span_id == root.span_id
    assert local.end_time_unix_nano > local.start_time_unix_nano


def test_envoy_protobuf() -> None:
    """Two requests through a proxy: server and client spans, their tags and annotations."""
    found = [
        each
        for name in (_BODY, "002-http9411.body")
        for each in _spans(request_from_zipkin_proto(recorded("envoy-zipkin-proto", name)))
    ]

    assert [{"service.name": "bed-proxy"}] * len(found) == [resource for resource, _ in found]
    by_id = {span.span_id: span for _, span in found}
    calls = [span for _, span in found if span.kind == Span.SPAN_KIND_CLIENT]
    assert {span.name for span in calls} == {"router backend egress"}
    for call in calls:
        tags = attributes_of(call.attributes)
        assert tags["upstream_cluster"] == "backend"
        assert tags["component"] == "proxy"
        assert tags["network.local.address"] == "192.0.2.2"
        assert [event.name for event in call.events] == ["cr"]
        server = by_id[call.parent_span_id]
        assert server.trace_id == call.trace_id
        assert (server.name, server.kind) == ("bed-op", Span.SPAN_KIND_SERVER)
        assert attributes_of(server.attributes)["http.method"] == "GET"
        assert server.start_time_unix_nano <= call.start_time_unix_nano


@pytest.mark.parametrize(("client", "read"), _CLIENTS)
def test_a_body_cut_short_is_read_or_refused(
    client: str, read: Callable[[bytes], CheckedRequest]
) -> None:
    """Every beginning of a request is a request or one error of ours."""
    body = recorded(client, _BODY)
    whole = read(body).span_count
    refused = 0

    for size in range(len(body)):
        try:
            assert read(body[:size]).span_count < whole
        except UndecodableError:
            refused += 1

    # Protobuf's fields stand side by side: some beginnings are shorter lists.
    assert refused > len(body) * 0.9


@pytest.mark.parametrize(("client", "read"), _CLIENTS)
def test_a_body_with_mistakes_is_read_or_refused(
    client: str, read: Callable[[bytes], CheckedRequest]
) -> None:
    """What can be read despite small changes is OTLP; the rest is one error of ours."""
    body = recorded(client, _BODY)
    chance = random.Random(7)
    read_well = refused = 0

    for _ in range(1500):
        try:
            checked = read(mutated(body, chance))
        except UndecodableError:
            refused += 1
            continue
        assert len(_spans(checked)) == checked.span_count
        read_well += 1

    assert read_well
    assert refused
