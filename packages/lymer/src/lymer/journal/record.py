"""The journal's record format: framing and its check, pure.

::

    record  := length body trailer
    length  := varint, size of body + trailer in bytes
    body    := one ExportTraceServiceRequest, as it was acknowledged
    trailer := A2 1F 08 count crc           11 bytes: protobuf field 500, length-delimited
    count   := uint32 little-endian, spans in body
    crc     := uint32 little-endian, CRC-32 of body and count

A run of records is a run of length-delimited protobuf messages: the engine reads the file as it is,
for it skips field 500 as unknown. The trailer makes each record prove itself, so a torn tail is
found without a second file, and one fdatasync makes a group of records durable.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = [
    "RECORD_BYTES_MAX",
    "TRAILER_BYTES",
    "TRAILER_TAG",
    "Record",
    "encode_record",
    "iter_records",
]

TRAILER_BYTES: Final = 11
RECORD_BYTES_MAX: Final = 2**31 - 1
"""Protobuf's own limit on a message, which the engine shares."""
TRAILER_TAG: Final = b"\xa2\x1f\x08"
"""Every record ends 8 bytes behind such a tag: where to look for the next one after damage."""

_TRAILER: Final = struct.Struct("<3sII")
_COUNT: Final = struct.Struct("<I")
_VARINT_BYTES_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Record:
    """One acknowledged request inside a segment."""

    offset: int
    """Where its length begins, bytes from the start of the file."""
    end: int
    """Where the next record begins."""
    body: memoryview
    span_count: int


def encode_record(body: bytes, span_count: int) -> tuple[bytes, bytes, bytes]:
    """Return length, body and trailer, to be written one behind the other.

    `body` is not copied: a group of records goes to the file in one gathered write.
    """
    trailer = _TRAILER.pack(TRAILER_TAG, span_count, _crc(body, span_count))
    return _varint(len(body) + TRAILER_BYTES), body, trailer


def iter_records(segment: memoryview, offset: int = 0) -> Iterator[Record]:
    """Yield records from `offset` until the first that is not whole; never raises.

    What stands behind the last record's `end` was not acknowledged, or the disk has lost it.
    """
    while True:
        bounds = _bounds(segment, offset)
        if bounds is None:
            return
        start, end = bounds
        tag, span_count, crc = _TRAILER.unpack_from(segment, end - TRAILER_BYTES)
        if tag != TRAILER_TAG:
            return
        body = segment[start : end - TRAILER_BYTES]
        if crc != _crc(body, span_count):
            body.release()
            return
        yield Record(offset, end, body, span_count)
        offset = end


def _crc(body: bytes | memoryview, span_count: int) -> int:
    return zlib.crc32(_COUNT.pack(span_count), zlib.crc32(body))


def _bounds(segment: memoryview, offset: int) -> tuple[int, int] | None:
    """Return where body and record of the record at `offset` begin and end, if there is room."""
    header = _read_varint(segment, offset)
    if header is None:
        return None
    length, start = header
    if length < TRAILER_BYTES or start + length > len(segment):
        return None
    return start, start + length


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(buffer: memoryview, offset: int) -> tuple[int, int] | None:
    value = shift = 0
    for position in range(offset, min(offset + _VARINT_BYTES_MAX, len(buffer))):
        byte = buffer[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + 1
        shift += 7
    return None
