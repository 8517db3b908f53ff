"""The record format: what is written is read, and what is broken is found."""

from __future__ import annotations

import pytest
from google.protobuf.internal.decoder import _DecodeVarint32  # type: ignore[attr-defined]
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lymer.journal.record import TRAILER_BYTES, Record, encode_record, iter_records
from make import make_request, make_span

_REQUESTS = st.lists(
    st.tuples(st.binary(max_size=400), st.integers(0, 2**32 - 1)), min_size=1, max_size=8
)


def _segment(requests: list[tuple[bytes, int]]) -> bytes:
    return b"".join(b"".join(encode_record(body, spans)) for body, spans in requests)


def _read(segment: bytes) -> list[tuple[bytes, int]]:
    return [(bytes(one.body), one.span_count) for one in iter_records(memoryview(segment))]


@given(_REQUESTS)
def test_what_is_written_is_read(requests: list[tuple[bytes, int]]) -> None:
    """Bodies and counts come back in order, and records lie end to end."""
    segment = _segment(requests)

    records = list(iter_records(memoryview(segment)))

    assert [(bytes(one.body), one.span_count) for one in records] == requests
    assert [one.offset for one in records] == [0, *(one.end for one in records[:-1])]
    assert records[-1].end == len(segment)


@settings(max_examples=30)
@given(_REQUESTS)
def test_a_tail_cut_at_any_byte_leaves_the_records_before_it(
    requests: list[tuple[bytes, int]],
) -> None:
    """However much of the file a crash left, whole records are read and no other."""
    segment = _segment(requests)
    ends = [one.end for one in iter_records(memoryview(segment))]

    for size in range(len(segment)):
        assert _read(segment[:size]) == requests[: sum(end <= size for end in ends)]


@given(_REQUESTS, st.binary(min_size=1, max_size=64))
def test_a_tail_of_anything_is_not_taken_for_a_record(
    requests: list[tuple[bytes, int]], tail: bytes
) -> None:
    """Zeros or old blocks behind the last record end the file."""
    assert _read(_segment(requests) + tail) == requests
    assert _read(_segment(requests) + bytes(len(tail))) == requests


@given(_REQUESTS, st.data())
def test_a_flipped_bit_is_found(requests: list[tuple[bytes, int]], data: st.DataObject) -> None:
    """Whichever bit it is, no record is read that was not written."""
    segment = bytearray(_segment(requests))
    position = data.draw(st.integers(0, len(segment) - 1))
    segment[position] ^= 1 << data.draw(st.integers(0, 7))
    before = sum(one.end <= position for one in iter_records(memoryview(_segment(requests))))

    assert _read(bytes(segment)) == requests[:before]


def test_a_record_is_a_delimited_message_to_protobuf() -> None:
    """The engine reads the file as it is: a length, and a request with one unknown field."""
    request = make_request(make_span(1, 1), make_span(1, 2))
    record = b"".join(encode_record(request.SerializeToString(), 2))

    length, start = _DecodeVarint32(record, 0)
    read = ExportTraceServiceRequest.FromString(record[start : start + length])

    assert len(record) == start + length
    read.DiscardUnknownFields()
    assert read == request


def test_the_format_on_disk_is_this() -> None:
    """A journal of an older program must be read: these bytes never change."""
    record = b"\x0fabcd\xa2\x1f\x08\x07\x00\x00\x00\x40\xb6\x4f\x1a"

    assert len(record) == 1 + 4 + TRAILER_BYTES
    assert b"".join(encode_record(b"abcd", 7)) == record
    assert list(iter_records(memoryview(record))) == [Record(0, 16, memoryview(b"abcd"), 7)]


@pytest.mark.parametrize(
    "segment",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff" * 64, id="a length that does not end"),
        pytest.param(b"\xff\xff\xff\xff\x0f" + bytes(64), id="a length of 4 GiB"),
        pytest.param(b"\x0a" + bytes(10), id="a length below that of the trailer"),
        pytest.param(bytes(4096), id="zeros, as a file system leaves them"),
    ],
)
def test_what_is_no_record_is_none(segment: bytes) -> None:
    """No length makes the reader go astray."""
    assert _read(segment) == []
