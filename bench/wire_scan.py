"""Where the changeable bytes of an OTLP request stand: ids, times, UUIDs.

All of them have a fixed width on the wire, so a copy with other values needs no decoding.
Source: opentelemetry-proto 1.9, `trace/v1/trace.proto`; protobuf.dev, "Encoding".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Places", "find_places", "varint"]

_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_FIXED_BYTES = {1: 8, 5: 4}
"""Width of the wire types of fixed width."""


@dataclass(slots=True)
class Places:
    """Offsets into a buffer, and which value stands there: equal indices are equal values."""

    trace_ids: list[tuple[int, int]] = field(default_factory=list)
    """(offset, index of the trace) of 16 bytes each."""
    span_ids: list[tuple[int, int]] = field(default_factory=list)
    """(offset, index of the span id) of 8 bytes each, parents and links included."""
    starts: list[int] = field(default_factory=list)
    """Offset of each span's start, 8 bytes little-endian; position in the list = span."""
    ends: list[int] = field(default_factory=list)
    own_ids: list[int] = field(default_factory=list)
    """Offset of each span's own id."""
    traces: list[int] = field(default_factory=list)
    """Index of each span's trace."""
    events: list[tuple[int, int]] = field(default_factory=list)
    """(offset of the event's time, span)."""
    uuids: list[tuple[int, int]] = field(default_factory=list)
    """(offset, index of the UUID) of 36 characters each."""
    trace_count: int = 0
    span_id_count: int = 0
    uuid_count: int = 0


def varint(number: int) -> bytes:
    """Encode an unsigned number as protobuf does."""
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _read_varint(buffer: bytes, offset: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = buffer[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
        shift += 7


def _fields(buffer: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (field number, start of the value, end of the value) of a message."""
    while start < end:
        key, start = _read_varint(buffer, start)
        number, wire_type = key >> 3, key & 7
        if wire_type == 2:
            size, start = _read_varint(buffer, start)
        elif wire_type == 0:
            _, stop = _read_varint(buffer, start)
            size = stop - start
        else:
            size = _FIXED_BYTES[wire_type]
        yield number, start, start + size
        start += size


def _inner(buffer: bytes, start: int, end: int, number: int) -> Iterator[tuple[int, int]]:
    for found, inner_start, inner_end in _fields(buffer, start, end):
        if found == number:
            yield inner_start, inner_end


def find_places(buffer: bytes, requests: list[tuple[int, int]]) -> Places:
    """Find every id, time and UUID of the requests at these (start, end) in `buffer`."""
    places = Places()
    traces: dict[bytes, int] = {}
    ids: dict[bytes, int] = {}
    for request_start, request_end in requests:
        for resource in _inner(buffer, request_start, request_end, 1):
            for scope in _inner(buffer, *resource, 2):
                for span in _inner(buffer, *scope, 2):
                    _scan_span(buffer, span, places, traces, ids)
    uuids: dict[bytes, int] = {}
    for match in _UUID.finditer(buffer):
        places.uuids.append((match.start(), uuids.setdefault(match.group(), len(uuids))))
    places.trace_count, places.span_id_count = len(traces), len(ids)
    places.uuid_count = len(uuids)
    return places


def _scan_span(
    buffer: bytes,
    span: tuple[int, int],
    places: Places,
    traces: dict[bytes, int],
    ids: dict[bytes, int],
) -> None:
    """Note the places of one span; fields of unexpected width are left as they are."""
    index = len(places.starts)
    for number, start, end in _fields(buffer, *span):
        value = buffer[start:end]
        match number, end - start:
            case 1, 16:
                trace = traces.setdefault(value, len(traces))
                places.trace_ids.append((start, trace))
                places.traces.append(trace)
            case ((2 | 4), 8):
                places.span_ids.append((start, ids.setdefault(value, len(ids))))
                if number == 2:
                    places.own_ids.append(start)
            case 7, 8:
                places.starts.append(start)
            case 8, 8:
                places.ends.append(start)
            case 11, _:
                places.events += [(at, index) for at, _ in _inner(buffer, start, end, 1)]
            case 13, _:
                for link_number, at, stop in _fields(buffer, start, end):
                    link = buffer[at:stop]
                    if link_number == 1 and stop - at == 16:
                        places.trace_ids.append((at, traces.setdefault(link, len(traces))))
                    elif link_number == 2 and stop - at == 8:
                        places.span_ids.append((at, ids.setdefault(link, len(ids))))
            case _:
                pass
