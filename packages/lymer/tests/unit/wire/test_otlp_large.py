"""Requests that are checked piece by piece: the same answer as from one parse."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fakes.heavy_requests import HEAVY, field, request_of
from lymer.errors import TooLargeError, UndecodableError
from lymer.wire.otlp_large import ELEMENTS_MAX, PIECE_BYTES
from lymer.wire.otlp_proto import check_request, count_spans
from make import make_event, make_link, make_request, make_span

_SPAN = make_span(1, 1, name="x").SerializeToString()
_GOOD = field(0x12, make_span(2, 2).SerializeToString())


@pytest.mark.parametrize("shape", HEAVY)
def test_heavy_requests_are_taken(shape: str) -> None:
    """With all their spans, whatever they would weigh as objects."""
    body, spans = HEAVY[shape](300_000)

    checked = check_request(body)

    assert (checked.span_count, checked.refused_spans) == (spans, 0)
    assert count_spans(ExportTraceServiceRequest.FromString(checked.body)) == spans


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sizes=st.lists(st.integers(0, 3 * PIECE_BYTES), min_size=1, max_size=4),
    scopes=st.integers(1, 3),
    in_resource=st.integers(0, 2 * PIECE_BYTES),
)
def test_what_is_large_passes_as_it_is(sizes: list[int], scopes: int, in_resource: int) -> None:
    """Byte for byte, wherever the large thing stands."""
    spans = [
        make_span(
            1,
            number,
            attrs={"t": "x" * size, "n": 5},
            events=[make_event(name="e" * (size // 3))],
            links=[make_link(3, 4)],
        )
        for number, size in enumerate(sizes, start=1)
    ]
    request = make_request(*spans, resource={"big": "r" * in_resource})
    for _ in range(scopes):
        request.resource_spans[0].scope_spans.add().spans.extend(spans)
    request.MergeFrom(request)
    body = request.SerializeToString()

    checked = check_request(body)

    assert checked.body is body or len(body) <= PIECE_BYTES
    assert checked.body == body
    assert checked.span_count == count_spans(request)


def test_a_text_that_is_not_utf8_is_put_right_in_its_piece() -> None:
    """The other spans of a large request stay as they are."""
    spans = [make_span(1, number, name=f"name-{number}-" + "x" * 200) for number in range(1, 3000)]
    request = make_request(*spans)
    body = request.SerializeToString().replace(b"name-1500-xx", b"name-1500-\xff\xff")

    checked = check_request(body)

    names = [
        span.name
        for resource in ExportTraceServiceRequest.FromString(checked.body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    expected = [span.name for span in spans]
    expected[1499] = "invalid-span-name"
    assert names == expected


@pytest.mark.parametrize("place", [10, 300_000, 600_000, -3])
def test_what_is_no_request_is_refused_wherever_it_breaks(place: int) -> None:
    """A wrong length in any piece is an error of the whole."""
    body = bytearray(request_of(_GOOD * 20_000))
    start = body.index(_GOOD[:4], place) if place >= 0 else len(body) - len(_GOOD)
    body[start + 1] = 0xFF

    with pytest.raises(UndecodableError):
        check_request(bytes(body))


@pytest.mark.parametrize(
    ("inside", "dropped"),
    [
        (b"\x4a\x00", 1),
        (b"\x4a\x02\x12\x00", 1),
        (b"\x4a\x02\x0a\x00", 1),
        (b"\x4a\x04\x0a\x00\x12\x00", 1),
        (b"\x4a\x00\x4a\x04\x12\x00\x0a\x00", 2),
    ],
)
def test_attributes_that_say_nothing_are_counted_as_dropped(inside: bytes, dropped: int) -> None:
    """Where there are so many that they are most of a span."""
    count = PIECE_BYTES
    known = b"\x50\x07"  # the sender dropped seven

    checked = check_request(request_of(field(0x12, _SPAN + known + inside * count) + _GOOD))

    first, second = (
        ExportTraceServiceRequest.FromString(checked.body).resource_spans[0].scope_spans[0].spans
    )
    assert first.dropped_attributes_count == dropped * count + 7
    assert len(first.attributes) == 0
    assert first.name == "x"
    assert second == make_span(2, 2)


@pytest.mark.parametrize(
    "inside",
    [
        pytest.param(b"\x5a\x00", id="events"),
        pytest.param(b"\x6a\x00", id="links"),
        pytest.param(b"\x4a\x03\x0a\x01k", id="attributes"),
        pytest.param(b"\x5a\x04\x1a\x02\x0a\x00", id="attributes of events"),
    ],
)
def test_a_span_with_too_many_elements_is_refused_alone(inside: bytes) -> None:
    """The sender is told the limit; the neighbour is stored."""
    checked = check_request(request_of(field(0x12, _SPAN + inside * (ELEMENTS_MAX + 1)) + _GOOD))

    assert (checked.span_count, checked.refused_spans) == (1, 1)
    assert str(ELEMENTS_MAX) in checked.reason


@pytest.mark.parametrize("tag", [0x2A, 0x32])
def test_members_of_lists_are_elements(tag: int) -> None:
    """However deep the list stands."""
    value = field(tag, b"\x0a\x00" * (ELEMENTS_MAX + 1))
    for _ in range(20):
        value = field(0x2A, field(0x0A, value))
    pair = field(0x4A, b"\x0a\x01k" + field(0x12, value))

    checked = check_request(request_of(field(0x12, _SPAN + pair) + _GOOD))

    assert (checked.span_count, checked.refused_spans) == (1, 1)


def test_a_resource_with_too_many_elements_refuses_the_request() -> None:
    """For it is that of all its spans."""
    resource = field(0x0A, b"\x0a\x03\x0a\x01k" * (ELEMENTS_MAX + 1))
    with pytest.raises(TooLargeError, match=f"a resource has more than {ELEMENTS_MAX} elements"):
        check_request(field(0x0A, resource + field(0x12, _GOOD)))


def test_what_holds_no_span_is_left_out() -> None:
    """Millions of empty resources and scopes would be as many objects in the engine."""
    inside = b"\x12\x00" * PIECE_BYTES + field(0x12, _GOOD) + b"\x12\x00" * PIECE_BYTES
    body = b"\x0a\x00" * PIECE_BYTES + field(0x0A, inside) + b"\x0a\x00" * PIECE_BYTES

    checked = check_request(body)

    assert checked.span_count == 1
    assert len(checked.body) < 1000


@pytest.mark.parametrize("unknown", [b"\x78\x01", b"\x79" + bytes(8), b"\xf8\x7f\x01"])
def test_fields_that_nobody_knows_are_bounded(
    unknown: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a span, or an attribute of it, they cost the span; around spans the request."""
    monkeypatch.setattr("lymer.wire.otlp_large.FIELDS_MAX", 1_000)
    monkeypatch.setattr("lymer.wire.otlp_large.ELEMENTS_MAX", 1_000)
    many = unknown * (PIECE_BYTES // 2)
    for inside in (many, field(0x4A, many)):
        checked = check_request(request_of(field(0x12, inside) + _GOOD))
        assert (checked.span_count, checked.refused_spans) == (1, 1)
    for around in (request_of(_GOOD + many), field(0x0A, field(0x12, _GOOD) + many)):
        with pytest.raises(TooLargeError, match="more than 1000 fields"):
            check_request(around)
