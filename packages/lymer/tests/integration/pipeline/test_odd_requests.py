"""What protobuf's parser accepts and the engine's does not, on the real engine."""

from __future__ import annotations

import pytest

from integration.pipeline.conftest import RealStore
from lymer.errors import UndecodableError
from lymer.model.segment import SealedSegment
from lymer.wire.otlp_proto import CheckedRequest, check_request
from make import make_request, make_span


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _tag(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _bytes(field: int, content: bytes) -> bytes:
    return _tag(field, 2) + _varint(len(content)) + content


def _with_span(span: bytes) -> bytes:
    return _bytes(1, _bytes(2, _bytes(2, span)))


SPAN = make_span(1, 1, name="odd").SerializeToString()
NAME, KIND, START, DROPPED, STATUS, FLAGS = 5, 6, 7, 10, 15, 16

ENGINE_REFUSES = [
    pytest.param(
        SPAN + _tag(100, 3) + _tag(1, 0) + _varint(5) + _tag(100, 4), id="an unknown group"
    ),
    pytest.param(SPAN + _tag(NAME, 3) + _tag(NAME, 4), id="a known field as a group"),
    pytest.param(SPAN + _tag(NAME, 0) + _varint(7), id="a text as a number"),
    pytest.param(SPAN + _tag(START, 0) + _varint(7), id="a fixed number as a varint"),
    pytest.param(SPAN + _tag(FLAGS, 0) + _varint(1), id="flags as a varint"),
    pytest.param(SPAN + _tag(DROPPED, 0) + _varint(2**40), id="a uint32 out of its range"),
    pytest.param(SPAN + _tag(DROPPED, 0) + b"\xff" * 9 + b"\x01", id="a uint32 that is negative"),
    pytest.param(SPAN + _tag(KIND, 0) + _varint(2**40), id="a kind out of its range"),
]


def _good(name: str) -> CheckedRequest:
    return check_request(make_request(make_span(2, 2, name=name)).SerializeToString())


@pytest.mark.parametrize("span", ENGINE_REFUSES)
def test_a_request_the_engine_refuses_is_stored_after_a_repair(
    real_store: RealStore, span: bytes
) -> None:
    """It and its neighbours are stored once, under their segment's id; nothing is set aside."""
    odd = check_request(_with_span(span))
    assert odd.span_count == 1

    mended, behind = real_store.load([_good("before"), odd, _good("after")], [_good("behind")])

    assert real_store.names_of(mended) == ["after", "before", "odd"]
    assert real_store.names_of(behind) == ["behind"]
    assert real_store.quarantined() == []


@pytest.mark.parametrize("span", ENGINE_REFUSES)
def test_the_engine_does_refuse_them(real_store: RealStore, span: bytes) -> None:
    """Otherwise the test above would prove nothing."""
    path = real_store.folder / "alone"
    message = _with_span(span)
    path.write_bytes(_varint(len(message)) + message)

    segment = SealedSegment(1, path, 1, path.stat().st_size)
    with pytest.raises(UndecodableError):
        real_store.store.write_part(segment, path)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(_with_span(SPAN + _bytes(KIND, b"xx")), id="a number as bytes"),
        pytest.param(_with_span(SPAN + _bytes(STATUS, _bytes(2, b"m")) * 2), id="status twice"),
        pytest.param(
            _bytes(1, _bytes(1, b"") + _bytes(1, b"") + _bytes(2, _bytes(2, SPAN))),
            id="resource twice",
        ),
        pytest.param(
            _bytes(1, _bytes(2, _bytes(2, SPAN))) + _tag(100, 3) + _tag(100, 4), id="a group on top"
        ),
        pytest.param(_with_span(SPAN + _bytes(9, b"")), id="an attribute without anything"),
        pytest.param(_with_span(SPAN + _bytes(9, _bytes(1, b"k") * 2)), id="two keys in one"),
        pytest.param(_with_span(SPAN + _bytes(500, b"12345678")), id="our own field, in a span"),
        pytest.param(_with_span(SPAN) + _bytes(500, b"12345678"), id="our own field, on top"),
        pytest.param(_with_span(SPAN) + _tag(500, 0) + b"\x07", id="our own field as a number"),
        pytest.param(_with_span(_bytes(NAME, b"odd") + _bytes(1, b"x" * 70_000)), id="a huge id"),
        pytest.param(
            _with_span(SPAN + (_tag(START, 1) + b"\xff" * 8) + (_tag(8, 1) + b"\xff" * 8)),
            id="the last nanosecond of 64 bits",
        ),
    ],
)
def test_other_oddities_are_stored_as_they_are(real_store: RealStore, body: bytes) -> None:
    """The engine and protobuf count the same spans."""
    (segment,) = real_store.load([_good("before"), check_request(body), _good("after")])

    assert real_store.names_of(segment) == ["after", "before", "odd"]


def test_what_nobody_can_read_goes_to_quarantine(real_store: RealStore) -> None:
    """As a disk may damage a request below our check; neighbours and followers are stored."""
    garbage = CheckedRequest(b"\xff\xff\xff\xff no protobuf", 1)

    hit, behind = real_store.load([_good("before"), garbage, _good("after")], [_good("behind")])

    assert real_store.names_of(hit) == ["after", "before"]
    assert real_store.names_of(behind) == ["behind"]
    assert real_store.quarantined() == [garbage.body]
