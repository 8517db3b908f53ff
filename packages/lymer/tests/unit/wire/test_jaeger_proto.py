"""What is api_v2's own: processes of spans, lengths of ids, and broken bytes."""

from __future__ import annotations

import contextlib
import random

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from fakes import jaeger_batch as jaeger
from fakes.jaeger_batch import Batch, Log, Ref, to_post_spans
from lymer.errors import UndecodableError
from lymer.wire.jaeger_proto import request_from_post_spans
from make import attributes


def _resource_spans(body: bytes) -> list[ResourceSpans]:
    return list(
        ExportTraceServiceRequest.FromString(request_from_post_spans(body).body).resource_spans
    )


def _sized(number: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes((number << 3 | 2, len(body))) + body


def test_the_process_of_a_span_wins() -> None:
    """Spans of equal processes are one resource, whoever said so."""
    spans = [
        jaeger.Span(span_id=1, process=("own", [("hostname", "h")])),
        jaeger.Span(span_id=2),
        jaeger.Span(span_id=3, process=("own", [("hostname", "h")])),
        jaeger.Span(span_id=4, process=("shared", [("a", 1)])),
    ]
    found = [
        (
            list(each.resource.attributes),
            [int.from_bytes(span.span_id, "big") for span in each.scope_spans[0].spans],
        )
        for each in _resource_spans(to_post_spans(Batch("shared", spans, [("a", 1)])))
    ]
    assert found == [
        (attributes({"service.name": "own", "host.name": "h"}), [1, 3]),
        (attributes({"service.name": "shared", "a": 1}), [2, 4]),
    ]


def test_a_batch_without_process_is_a_resource_without_attributes() -> None:
    """The store calls its service by a name that says so."""
    span = _sized(1, b"\x01" * 16) + _sized(2, b"\x02" * 8)
    (resource_spans,) = _resource_spans(_sized(1, _sized(1, span)))
    assert not resource_spans.resource.attributes
    assert resource_spans.scope_spans[0].spans[0].trace_id == b"\x01" * 16


def test_a_span_that_says_nothing_is_none() -> None:
    """As Jaeger skips it."""
    body = _sized(1, _sized(1, b"") + _sized(1, _sized(2, b"\x02" * 8)))
    assert request_from_post_spans(body).span_count == 1
    assert request_from_post_spans(b"").span_count == 0


@pytest.mark.parametrize(
    ("trace_id", "expected"),
    [(b"\x01" * 8, b"\x00" * 8 + b"\x01" * 8), (b"", b"\x00" * 16)],
)
def test_short_trace_ids_are_the_low_half(trace_id: bytes, expected: bytes) -> None:
    """Eight bytes are read, none are zero."""
    body = _sized(1, _sized(1, _sized(1, trace_id) + _sized(2, b"\x02" * 8)))
    assert _resource_spans(body)[0].scope_spans[0].spans[0].trace_id == expected


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (_sized(1, b"\x01" * 7), "invalid length for TraceID: 7 bytes"),
        (_sized(1, b"\x01" * 17), "invalid length for TraceID: 17 bytes"),
        (_sized(2, b"\x01" * 16), "invalid length for SpanID: 16 bytes"),
        (_sized(4, _sized(1, b"\x01")), "invalid length for TraceID: 1 bytes"),
        (_sized(4, _sized(2, b"\x01")), "invalid length for SpanID: 1 bytes"),
    ],
)
def test_other_lengths_are_no_ids(span: bytes, text: str) -> None:
    """Of spans and references."""
    with pytest.raises(UndecodableError, match=text):
        request_from_post_spans(_sized(1, _sized(1, span)))


def test_a_tag_of_unknown_type_says_so() -> None:
    """Instead of being lost."""
    tag = _sized(1, b"k") + b"\x10\x09"
    process = _sized(1, b"s") + _sized(2, tag)
    body = _sized(1, _sized(1, _sized(2, b"\x02" * 8)) + _sized(2, process))
    assert list(_resource_spans(body)[0].resource.attributes) == attributes(
        {"service.name": "s", "k": '<Unknown Jaeger TagType "9">'}
    )


BODY = to_post_spans(
    Batch(
        "svc",
        [
            jaeger.Span(
                tags=[("span.kind", "server"), ("n", 1), ("f", 0.5), ("b", True), ("r", b"\x00")],
                logs=[Log(5, [("event", "e"), ("k", "v")])],
                refs=[Ref(0, 1, 3), Ref(1, 2, 4)],
            ),
            jaeger.Span(span_id=9, process=("own", [])),
        ],
    )
)


def test_broken_bodies_are_refused_or_read() -> None:
    """Truncations and mutations raise `UndecodableError` or nothing."""
    for size in range(1, len(BODY)):
        with pytest.raises(UndecodableError):
            request_from_post_spans(BODY[:size])
    chance = random.Random(1)
    for _ in range(4_000):
        broken = bytearray(BODY)
        for _ in range(chance.randint(1, 4)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        with contextlib.suppress(UndecodableError):
            request_from_post_spans(bytes(broken))
