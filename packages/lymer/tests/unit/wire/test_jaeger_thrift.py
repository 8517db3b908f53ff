"""Jaeger's thrift: what real clients sent is read field by field, and broken bytes are refused."""

from __future__ import annotations

import contextlib
import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from fakes import jaeger_batch as jaeger
from fakes.jaeger_batch import Batch, Log, Ref, thrift_batch, thrift_message
from fakes.recorded_wire import recorded
from fakes.thrift_writer import CALL, Field, write_message, write_struct
from lymer.errors import UndecodableError
from lymer.wire.jaeger_thrift import otlp_from_message, request_from_batch
from lymer.wire.otlp_proto import check_request
from lymer.wire.thrift import Protocol
from make import attributes

BATCH = Batch(
    "svc",
    [
        jaeger.Span(
            parent_id=3,
            tags=[("span.kind", "server"), ("n", 1), ("f", 0.5), ("b", True), ("raw", b"\x00")],
            logs=[Log(5, [("event", "e"), ("k", "v")])],
            refs=[Ref(0, 1, 3), Ref(1, 2, 4)],
        ),
        jaeger.Span(span_id=9),
    ],
    [("hostname", "h")],
)


def _message(protocol: Protocol) -> Callable[[bytes], object]:
    return lambda body: otlp_from_message(body, protocol)


READERS = pytest.mark.parametrize(
    ("body", "read"),
    [
        (thrift_batch(BATCH), request_from_batch),
        (thrift_message(BATCH, Protocol.COMPACT), _message(Protocol.COMPACT)),
        (thrift_message(BATCH, Protocol.BINARY), _message(Protocol.BINARY)),
    ],
    ids=["batch", "compact", "binary"],
)


def _spans(otlp: bytes) -> dict[str, Span]:
    (resource_spans,) = ExportTraceServiceRequest.FromString(otlp).resource_spans
    (scope_spans,) = resource_spans.scope_spans
    return {span.name: span for span in scope_spans.spans}


def _resource(otlp: bytes) -> list[Any]:
    (resource_spans,) = ExportTraceServiceRequest.FromString(otlp).resource_spans
    return list(resource_spans.resource.attributes)


def test_what_the_python_client_sent() -> None:
    """`jaeger-client` 4.8, compact over UDP, with a 128-bit trace id."""
    otlp = otlp_from_message(
        recorded("py-jaeger-client-const", "001-udp6831.bin"), Protocol.COMPACT
    )
    assert _resource(otlp) == attributes(
        {
            "service.name": "py-jaeger-client",
            "deploy.env": "bed",
            "ip": "192.0.2.2",
            "host.name": "vm",
            "opencensus.exporterversion": "Jaeger-Python-4.8.0",
        }
    )
    trace_id = bytes.fromhex("aee7ad65103e6de334ec851f510cf800")
    parent = bytes.fromhex("4525aac78ca7b24b")
    assert _spans(otlp) == {
        "child": Span(
            trace_id=trace_id,
            span_id=bytes.fromhex("f54095b17ba6ef50"),
            parent_span_id=parent,
            name="child",
            start_time_unix_nano=1_795_352_972_093_448_000,
            end_time_unix_nano=1_795_352_972_093_465_000,
            attributes=attributes({"peer.service": "db"}),
        ),
        "remote": Span(
            trace_id=trace_id,
            span_id=bytes.fromhex("04dfe68f8846dca3"),
            parent_span_id=parent,
            name="remote",
            start_time_unix_nano=1_795_352_972_093_813_000,
            end_time_unix_nano=1_795_352_972_093_818_000,
        ),
        "parent": Span(
            trace_id=trace_id,
            span_id=parent,
            name="parent",
            kind=Span.SPAN_KIND_SERVER,
            start_time_unix_nano=1_795_352_972_093_300_000,
            end_time_unix_nano=1_795_352_972_093_864_000,
            attributes=attributes(
                {
                    "sampler.type": "const",
                    "sampler.param": True,
                    "http.status_code": 500,
                    "float": 1.5,
                    "big": 2**40,
                }
            ),
            events=[
                Span.Event(
                    time_unix_nano=1_795_352_972_093_401_000,
                    name="error",
                    attributes=attributes({"message": "boom é", "n": 3}),
                ),
                Span.Event(
                    time_unix_nano=1_795_352_972_093_433_000,
                    name="baggage",
                    attributes=attributes({"key": "user", "value": "bob"}),
                ),
            ],
            status=Status(code=Status.STATUS_CODE_ERROR),
        ),
    }


@pytest.mark.parametrize("client", ["js-jaeger-client-http", "js-jaeger-client-udp"])
def test_what_the_node_client_sent(client: str) -> None:
    """`jaeger-client` 3.19, binary, every optional field written, all numbers doubles."""
    if client.endswith("http"):
        request = request_from_batch(recorded(client, "001-http14268.body"))
    else:
        message = recorded(client, "001-udp6832.bin")
        request = check_request(otlp_from_message(message, Protocol.BINARY))
    assert request.span_count == 3
    resource = {each.key: each.value.string_value for each in _resource(request.body)}
    assert len(resource.pop("client-uuid")) == 36
    assert resource == {
        "service.name": "js-jaeger-client",
        "deploy.env": "bed",
        "ip": "192.0.2.2",
        "host.name": "vm",
        "opencensus.exporterversion": "Jaeger-Node-3.19.0",
    }
    spans = _spans(request.body)
    parent, child, follows = spans["parent"], spans["child"], spans["follows"]
    assert parent.trace_id[:8] == bytes(8)
    assert parent.trace_id[8:] == parent.span_id
    assert child.trace_id == follows.trace_id == parent.trace_id
    assert child.parent_span_id == follows.parent_span_id == parent.span_id
    assert not child.links
    assert list(follows.links) == [
        Span.Link(
            trace_id=parent.trace_id,
            span_id=parent.span_id,
            attributes=attributes({"opentracing.ref_type": "follows_from"}),
        )
    ]
    assert (parent.kind, child.kind) == (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT)
    assert parent.status == Status(code=Status.STATUS_CODE_ERROR)
    assert list(parent.attributes) == attributes(
        {"sampler.type": "const", "sampler.param": True, "http.status_code": 500.0, "f": 1.5}
    )
    assert list(child.attributes) == attributes({"peer.service": "db"})
    assert [(event.name, list(event.attributes)) for event in parent.events] == [
        ("error", attributes({"message": "boom é"})),
        ("baggage", attributes({"key": "user", "value": "bob"})),
    ]
    assert 1_795_352_000_000_000_000 < parent.start_time_unix_nano < parent.end_time_unix_nano


@pytest.mark.parametrize("protocol", Protocol)
def test_a_parent_beside_the_references_wins(protocol: Protocol) -> None:
    """A reference to it is no link; others stay."""
    span = jaeger.Span(parent_id=3, refs=[Ref(0, 1, 4), Ref(0, 1, 3), Ref(1, 1, 3)])
    (found,) = _spans(
        otlp_from_message(thrift_message(Batch("s", [span]), protocol), protocol)
    ).values()
    assert found.parent_span_id == (3).to_bytes(8, "big")
    assert [
        (int.from_bytes(link.span_id, "big"), link.attributes[0].value.string_value)
        for link in found.links
    ] == [(4, "child_of"), (3, "follows_from")]


@pytest.mark.parametrize("protocol", Protocol)
def test_calls_are_taken_like_oneway_messages(protocol: Protocol) -> None:
    """Some clients ask for an answer nobody sends."""
    body = thrift_message(BATCH, protocol, kind=CALL)
    assert otlp_from_message(body, protocol) == request_from_batch(thrift_batch(BATCH)).body


@pytest.mark.parametrize("protocol", Protocol)
def test_zipkin_batches_are_refused(protocol: Protocol) -> None:
    """Jaeger v2 takes them on no UDP port."""
    body = write_message("emitZipkinBatch", [Field(1, "list", ("struct", [[]]))], protocol)
    with pytest.raises(UndecodableError, match="unknown method 'emitZipkinBatch'"):
        otlp_from_message(body, protocol)


def test_a_tag_of_unknown_type_says_so() -> None:
    """Instead of being lost."""
    tag = [Field(1, "string", b"k"), Field(2, "i32", 9)]
    process = [Field(1, "string", b"s"), Field(2, "list", ("struct", [tag]))]
    span = [*[Field(number, "i64", 1) for number in (1, 2, 3, 4)], Field(5, "string", b"op")]
    span += [Field(7, "i32", 0), Field(8, "i64", 1), Field(9, "i64", 1)]
    fields = [Field(1, "struct", process), Field(2, "list", ("struct", [span]))]
    body = write_struct(fields, Protocol.BINARY)
    assert _resource(request_from_batch(body).body) == attributes(
        {"service.name": "s", "k": '<Unknown Jaeger TagType "<UNSET>">'}
    )


@READERS
def test_every_truncation_is_refused(body: bytes, read: Callable[[bytes], object]) -> None:
    """At every byte."""
    read(body)
    for size in range(len(body)):
        with pytest.raises(UndecodableError):
            read(body[:size])


@READERS
def test_mutations_are_refused_or_read(body: bytes, read: Callable[[bytes], object]) -> None:
    """Thousands of broken bodies raise `UndecodableError` or nothing."""
    chance = random.Random(1)
    refused = 0
    for _ in range(4_000):
        broken = bytearray(body)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(len(broken))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, 12, 15))
        if chance.random() < 0.2:
            del broken[chance.randrange(len(broken)) :]
        with contextlib.suppress(UndecodableError):
            read(bytes(broken))
            refused -= 1
        refused += 1
    assert refused > 400


@pytest.mark.parametrize("protocol", Protocol)
def test_memory_is_bounded_by_the_bytes_sent(protocol: Protocol) -> None:
    """A MiB of the smallest spans there are costs less than 16 MiB."""
    smallest = jaeger.Span(trace_id=0, span_id=0, name="", start_micro=0, micro=0, flags=0)
    body = thrift_message(Batch("", [smallest] * 30_000), protocol)
    tracemalloc.start()
    try:
        otlp = otlp_from_message(body, protocol)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert check_request(otlp).span_count == 30_000
    assert peak < 16 * max(len(body), 2**20)


@pytest.mark.parametrize("protocol", Protocol)
def test_empty_structs_build_nothing(protocol: Protocol) -> None:
    """A list of a million spans of one byte each is refused at the first."""
    body = write_message(
        "emitBatch",
        [Field(1, "struct", [Field(2, "list", ("struct", [[]] * 1_000_000))])],
        protocol,
    )
    tracemalloc.start()
    try:
        with pytest.raises(UndecodableError, match="missing"):
            otlp_from_message(body, protocol)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(body)
    finally:
        tracemalloc.stop()
