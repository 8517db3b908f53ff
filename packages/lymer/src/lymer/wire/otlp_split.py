"""One OTLP request as several with fewer spans each, on its bytes: no span is parsed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lymer.errors import UndecodableError
from lymer.wire.proto_fields import field_bytes, iter_fields, next_field

__all__ = ["split_request"]

_RESOURCE_SPANS: Final = 0x0A
_SCOPE_SPANS: Final = 0x12
_SPAN: Final = 0x12
_EMPTY_SPANS: Final = re.compile(rb"(?:\x12\x00)++")


def split_request(body: bytes, *, spans_max: int, bytes_max: int) -> Iterator[tuple[bytes, int]]:
    """Yield requests that hold the spans of `body` in their order, and how many each holds.

    Args:
        body: An `ExportTraceServiceRequest`; what in it belongs to no span is left out.
        spans_max: About as many are in one request; with 1 or 2 there is exactly one.
        bytes_max: A request ends when its spans have so many bytes.

    Raises:
        UndecodableError: `body` is no request.
    """
    try:
        yield from _split(body, spans_max, bytes_max)
    except ValueError as error:
        raise UndecodableError(f"cannot part a request: {error}") from error


def _split(body: bytes, spans_max: int, bytes_max: int) -> Iterator[tuple[bytes, int]]:
    parts: list[bytes] = []
    span_count = byte_count = 0
    for _, content, end, tag in iter_fields(body, 0, len(body)):
        if tag != _RESOURCE_SPANS:
            continue
        resource, scopes = _parted(body, content, end, _SCOPE_SPANS)
        made: list[bytes] = []
        for begin, behind in scopes:
            scope, stretches = _stretches(body, begin, behind, max(1, spans_max // 4), bytes_max)
            for start, stop, count in stretches:
                made.append(field_bytes(_SCOPE_SPANS, scope, body[start:stop]))
                span_count += count
                byte_count += stop - start
                if span_count >= spans_max or byte_count >= bytes_max:
                    parts.append(field_bytes(_RESOURCE_SPANS, resource, *made))
                    yield b"".join(parts), span_count
                    parts, made, span_count, byte_count = [], [], 0, 0
        if made:
            parts.append(field_bytes(_RESOURCE_SPANS, resource, *made))
    if span_count:
        yield b"".join(parts), span_count


def _parted(body: bytes, begin: int, end: int, tag: int) -> tuple[bytes, list[tuple[int, int]]]:
    """Return the fields with other tags, and where the contents of those with `tag` are."""
    others: list[bytes] = []
    found: list[tuple[int, int]] = []
    for start, content, behind, number in iter_fields(body, begin, end):
        if number == tag:
            found.append((content, behind))
        else:
            others.append(body[start:behind])
    return b"".join(others), found


def _stretches(
    body: bytes, begin: int, end: int, spans_max: int, bytes_max: int
) -> tuple[bytes, list[tuple[int, int, int]]]:
    """Return what is no span, and stretches of spans: where they begin, end, and how many."""
    others: list[bytes] = []
    found: list[tuple[int, int, int]] = []
    start = offset = begin
    count = 0
    while offset < end:
        empty = _EMPTY_SPANS.match(body, offset, min(end, offset + 2 * (spans_max - count)))
        if empty is not None:
            count += len(empty[0]) // 2
            offset = empty.end()
        else:
            field, _, behind, tag = next_field(body, offset, end)
            if tag == _SPAN:
                count += 1
                offset = behind
            else:
                if count:
                    found.append((start, field, count))
                others.append(body[field:behind])
                start, offset, count = behind, behind, 0
        if count >= spans_max or offset - start >= bytes_max:
            found.append((start, offset, count))
            start, count = offset, 0
    if count:
        found.append((start, offset, count))
    return b"".join(others), found
