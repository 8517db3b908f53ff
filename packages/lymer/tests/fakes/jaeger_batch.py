"""Jaeger spans as values, written as thrift in both protocols and as api_v2 protobuf."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fakes.thrift_writer import ONEWAY, Field, write_message, write_struct
from lymer.wire.thrift import Protocol

__all__ = [
    "Batch",
    "Log",
    "Ref",
    "Span",
    "Tags",
    "thrift_batch",
    "thrift_message",
    "to_post_spans",
]

Tags = Sequence[tuple[str, object]]
"""Keys and values; the value's Python type is the tag's type."""

_THRIFT_KINDS: Final = {str: 0, float: 1, bool: 2, int: 3, bytes: 4}
_PROTO_KINDS: Final = {str: 0, bool: 1, int: 2, float: 3, bytes: 4}


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference; `kind` 0 is CHILD_OF, 1 FOLLOWS_FROM."""

    kind: int
    trace_id: int
    span_id: int


@dataclass(frozen=True, slots=True)
class Log:
    """A log."""

    micro: int
    fields: Tags


@dataclass(frozen=True, slots=True)
class Span:
    """A span; the parent's id is thrift's only, protobuf has references."""

    trace_id: int = 1
    span_id: int = 2
    parent_id: int = 0
    name: str = "op"
    start_micro: int = 1_700_000_000_000_000
    micro: int = 5
    tags: Tags = ()
    logs: Sequence[Log] = ()
    refs: Sequence[Ref] = ()
    flags: int = 1
    process: tuple[str, Tags] | None = None
    """Protobuf's only."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch."""

    service: str
    spans: Sequence[Span]
    tags: Tags = ()


def thrift_batch(batch: Batch, protocol: Protocol = Protocol.BINARY) -> bytes:
    """Return the struct `Batch`."""
    return write_struct(_batch(batch), protocol)


def thrift_message(batch: Batch, protocol: Protocol, *, kind: int = ONEWAY) -> bytes:
    """Return the message `emitBatch`."""
    return write_message("emitBatch", [Field(1, "struct", _batch(batch))], protocol, kind=kind)


def _batch(batch: Batch) -> list[Field]:
    process = [Field(1, "string", batch.service.encode()), _tags(2, batch.tags)]
    spans = [_span(span) for span in batch.spans]
    return [
        Field(1, "struct", process),
        Field(2, "list", ("struct", spans)),
        Field(3, "i64", 9),
        Field(4, "struct", [Field(1, "i64", 1), Field(2, "i64", 2), Field(3, "i64", 3)]),
    ]


def _span(span: Span) -> list[Field]:
    fields = [
        Field(1, "i64", _signed(span.trace_id)),
        Field(2, "i64", _signed(span.trace_id >> 64)),
        Field(3, "i64", _signed(span.span_id)),
        Field(4, "i64", _signed(span.parent_id)),
        Field(5, "string", span.name.encode()),
    ]
    if span.refs:
        fields.append(Field(6, "list", ("struct", [_ref(ref) for ref in span.refs])))
    fields += [
        Field(7, "i32", span.flags),
        Field(8, "i64", span.start_micro),
        Field(9, "i64", span.micro),
    ]
    if span.tags:
        fields.append(_tags(10, span.tags))
    if span.logs:
        logs = [[Field(1, "i64", log.micro), _tags(2, log.fields)] for log in span.logs]
        fields.append(Field(11, "list", ("struct", logs)))
    return fields


def _ref(ref: Ref) -> list[Field]:
    return [
        Field(1, "i32", ref.kind),
        Field(2, "i64", _signed(ref.trace_id)),
        Field(3, "i64", _signed(ref.trace_id >> 64)),
        Field(4, "i64", _signed(ref.span_id)),
    ]


def _tags(number: int, tags: Tags) -> Field:
    return Field(number, "list", ("struct", [_tag(key, value) for key, value in tags]))


def _tag(key: str, value: Any) -> list[Field]:
    fields = [Field(1, "string", key.encode()), Field(2, "i32", _THRIFT_KINDS[type(value)])]
    if isinstance(value, str):
        fields.append(Field(3, "string", value.encode(errors="surrogateescape")))
    elif isinstance(value, bool):
        fields.append(Field(5, "bool", value))
    elif isinstance(value, float):
        fields.append(Field(4, "double", value))
    elif isinstance(value, int):
        fields.append(Field(6, "i64", value))
    else:
        fields.append(Field(7, "string", value))
    return fields


def _signed(number: int) -> int:
    return (number + 2**63) % 2**64 - 2**63


def to_post_spans(batch: Batch) -> bytes:
    """Return the message `PostSpansRequest`."""
    spans = b"".join(_sized(1, _proto_span(span)) for span in batch.spans)
    process = _sized(2, _proto_process(batch.service, batch.tags))
    return _sized(1, spans + process)


def _proto_process(service: str, tags: Tags) -> bytes:
    return _sized(1, service.encode()) + _proto_tags(2, tags)


def _proto_span(span: Span) -> bytes:
    parts = [
        _sized(1, span.trace_id.to_bytes(16, "big")),
        _sized(2, span.span_id.to_bytes(8, "big")),
        _sized(3, span.name.encode()),
        *(_sized(4, _proto_ref(ref)) for ref in span.refs),
        _number(5, span.flags),
        _sized(6, _instant(span.start_micro)),
        _sized(7, _instant(span.micro)),
        _proto_tags(8, span.tags),
        *(
            _sized(9, _sized(1, _instant(log.micro)) + _proto_tags(2, log.fields))
            for log in span.logs
        ),
    ]
    if span.process is not None:
        parts.append(_sized(10, _proto_process(*span.process)))
    parts += [_sized(11, b"p1"), _sized(12, b"a warning")]
    return b"".join(parts)


def _proto_ref(ref: Ref) -> bytes:
    ids = _sized(1, ref.trace_id.to_bytes(16, "big")) + _sized(2, ref.span_id.to_bytes(8, "big"))
    return ids + _number(3, ref.kind)


def _instant(micro: int) -> bytes:
    seconds, rest = divmod(micro, 1_000_000)
    return _number(1, seconds) + _number(2, rest * 1_000)


def _proto_tags(number: int, tags: Tags) -> bytes:
    return b"".join(_sized(number, _proto_tag(key, value)) for key, value in tags)


def _proto_tag(key: str, value: Any) -> bytes:
    head = _sized(1, key.encode()) + _number(2, _PROTO_KINDS[type(value)])
    if isinstance(value, str):
        return head + _sized(3, value.encode(errors="surrogateescape"))
    if isinstance(value, bool):
        return head + _number(4, value)
    if isinstance(value, int):
        return head + _number(5, value)
    if isinstance(value, float):
        return head + _varint(6 << 3 | 1) + struct.pack("<d", value)
    return head + _sized(7, value)


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value % 2**64) if value else b""


def _sized(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 128:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
