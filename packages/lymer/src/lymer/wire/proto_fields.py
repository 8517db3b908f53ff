"""Protobuf by the lengths of its fields: what is inside a message without parsing it, pure.

Source: protobuf's documentation, "Encoding".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

__all__ = [
    "EMPTY_FIELDS",
    "FIELDS_PER_MESSAGE",
    "SIZED_TAGS",
    "STEP_BYTES",
    "Declared",
    "Field",
    "count_messages",
    "field_bytes",
    "iter_fields",
    "next_field",
    "varint_bytes",
]

_VARINT: Final = 0
_FIXED64: Final = 1
_SIZED: Final = 2
_GROUP: Final = 3
_GROUP_END: Final = 4
_FIXED32: Final = 5
_GROUPS_MAX: Final = 100

SIZED_TAGS: Final = rb"\x0a\x12\x1a\x22\x2a\x32\x3a\x42\x4a\x52\x5a\x62\x6a\x72\x7a"
"""Tags of the length-delimited fields 1 to 15, for an expression."""
EMPTY_FIELDS: Final = re.compile(rb"(?:[" + SIZED_TAGS + rb"]\x00)++")
"""Empty fields, one behind the other: walked in one step."""
FIELDS_PER_MESSAGE: Final = 5
"""Of a message that stands in others, about: a link has as many."""
STEP_BYTES: Final = 64 * 1024
"""Matched in one step, at most: an expression holds Python's lock while it works."""

Declared = Sequence[Mapping[int, int]]
"""Messages, each as the tags of the fields that are messages and their places in this sequence."""

Field = tuple[int, int, int, int]
"""Where a field begins, where its content begins, where it ends, and its tag."""


def iter_fields(body: bytes, offset: int, stop: int) -> Iterator[Field]:
    """Yield the fields of the message between two places; a group is one field.

    Raises:
        ValueError: There is no message.
    """
    while offset < stop:
        field = next_field(body, offset, stop)
        yield field
        offset = field[2]


def next_field(body: bytes, start: int, stop: int) -> Field:
    """Return the field that begins at `start`; see `iter_fields`."""
    tag = body[start]
    offset = start + 1
    if tag > 0x7F:
        tag, offset = _varint(body, start, stop)
    content = offset
    if tag & 7 == _SIZED:
        # Almost every length has one byte, and this runs for each field of large requests.
        if offset >= stop:
            raise ValueError("a field ends too early")
        size = body[offset]
        content = offset + 1
        if size > 0x7F:
            size, content = _varint(body, offset, stop)
        end = content + size
    else:
        end = _end(body, tag & 7, offset, stop, 0)
    if end > stop or tag < 8:
        raise ValueError("a field is longer than its message")
    return start, content, end, tag


def count_messages(body: bytes, declared: Declared, kind: int, limit: int) -> int:
    """Return how many messages stand in `body`, at all depths, or a number over the limit.

    It is over the limit, too, if there are more than `FIELDS_PER_MESSAGE` fields for each: a field
    that nobody knows is no message, and walked all the same.

    Args:
        body: The message.
        declared: What may stand where.
        kind: Which of these `body` is.
        limit: Counting ends behind it.

    Raises:
        ValueError: There is no message.
    """
    count = steps = 0
    around: list[tuple[int, int, Mapping[int, int]]] = []
    offset, end, known = 0, len(body), declared[kind]
    while count <= limit:
        if offset >= end:
            if not around:
                break
            offset, end, known = around.pop()
            continue
        match = EMPTY_FIELDS.match(body, offset, min(end, offset + STEP_BYTES))
        if match is not None:
            count += len(match[0]) // 2
            offset = match.end()
            continue
        steps += 1
        if steps > FIELDS_PER_MESSAGE * limit:
            return limit + 1
        _, content, behind, tag = next_field(body, offset, end)
        offset = behind
        inside = known.get(tag)
        if inside is not None:
            count += 1
            if behind - content > 1:
                around.append((offset, end, known))
                offset, end, known = content, behind, declared[inside]
    return count


def field_bytes(tag: int, *content: bytes) -> bytes:
    """Return a length-delimited field."""
    size = sum(map(len, content))
    return b"".join((varint_bytes(tag), varint_bytes(size), *content))


def varint_bytes(number: int) -> bytes:
    """Return a number that is not negative as a varint."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _end(body: bytes, kind: int, offset: int, stop: int, depth: int) -> int:
    """Return where the value ends that begins at `offset`."""
    if kind == _VARINT:
        return _varint(body, offset, stop)[1]
    if kind == _SIZED:
        size, content = _varint(body, offset, stop)
        return content + size
    if kind == _GROUP and depth < _GROUPS_MAX:
        while True:
            tag, offset = _varint(body, offset, stop)
            if tag & 7 == _GROUP_END:
                return offset
            offset = _end(body, tag & 7, offset, stop, depth + 1)
    if kind in {_FIXED64, _FIXED32}:
        return offset + (8 if kind == _FIXED64 else 4)
    raise ValueError(f"a field has wire type {kind}")


def _varint(body: bytes, offset: int, stop: int) -> tuple[int, int]:
    value = shift = 0
    while offset < stop:
        byte = body[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
        shift += 7
        if shift > 63:
            raise ValueError("a number has more than 10 bytes")
    raise ValueError("a number ends too early")
