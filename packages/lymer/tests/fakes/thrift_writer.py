"""Thrift values as bytes, both protocols, written by hand: what the reader is tested against."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from lymer.wire.thrift import Protocol

__all__ = [
    "CALL",
    "ONEWAY",
    "Field",
    "write_list",
    "write_message",
    "write_struct",
]

CALL: Final = 1
ONEWAY: Final = 4

_BINARY_TYPES: Final = {
    "bool": 2, "byte": 3, "double": 4, "i16": 6, "i32": 8, "i64": 10, "string": 11, "struct": 12,
    "map": 13, "set": 14, "list": 15,
}  # fmt: skip
_COMPACT_TYPES: Final = {
    "bool": 2, "byte": 3, "i16": 4, "i32": 5, "i64": 6, "double": 7, "string": 8, "list": 9,
    "set": 10, "map": 11, "struct": 12,
}  # fmt: skip
_PACKED: Final = {"byte": ">b", "i16": ">h", "i32": ">i", "i64": ">q", "double": ">d"}


class Field(NamedTuple):
    """A field of a struct.

    The value of a struct is its fields, of a list or set the element's type and the elements, of a
    map the types of key and value and the pairs.
    """

    number: int
    kind: str
    value: Any


def write_struct(fields: Sequence[Field], protocol: Protocol) -> bytes:
    """Return a struct."""
    return _value("struct", fields, protocol)


def write_list(kind: str, elements: Sequence[Any], protocol: Protocol) -> bytes:
    """Return a list."""
    return _value("list", (kind, elements), protocol)


def write_message(
    name: str,
    arguments: Sequence[Field],
    protocol: Protocol,
    *,
    kind: int = ONEWAY,
    old: bool = False,
) -> bytes:
    """Return a message; `old` is the binary protocol's form without a version."""
    sent = name.encode()
    if protocol is Protocol.COMPACT:
        head = bytes((0x82, kind << 5 | 1)) + _varint(7) + _varint(len(sent)) + sent
    elif old:
        head = struct.pack(">i", len(sent)) + sent + struct.pack(">bi", kind, 7)
    else:
        head = struct.pack(">Ii", 0x80010000 | kind, len(sent)) + sent + struct.pack(">i", 7)
    return head + write_struct(arguments, protocol)


def _value(kind: str, value: Any, protocol: Protocol) -> bytes:
    if protocol is Protocol.BINARY:
        return _binary(kind, value)
    return _compact(kind, value)


def _binary(kind: str, value: Any) -> bytes:
    if kind in _PACKED:
        return struct.pack(_PACKED[kind], value)
    if kind == "bool":
        return b"\x01" if value else b"\x00"
    if kind == "string":
        return struct.pack(">i", len(value)) + value
    if kind == "struct":
        parts = [
            struct.pack(">bh", _BINARY_TYPES[field.kind], field.number)
            + _binary(field.kind, field.value)
            for field in value
        ]
        return b"".join(parts) + b"\x00"
    if kind == "map":
        key_kind, value_kind, pairs = value
        head = struct.pack(">bbi", _BINARY_TYPES[key_kind], _BINARY_TYPES[value_kind], len(pairs))
        return head + b"".join(_binary(key_kind, k) + _binary(value_kind, v) for k, v in pairs)
    element_kind, elements = value
    head = struct.pack(">bi", _BINARY_TYPES[element_kind], len(elements))
    return head + b"".join(_binary(element_kind, element) for element in elements)


def _compact(kind: str, value: Any) -> bytes:
    if kind in {"bool", "byte"}:
        return struct.pack("b", (1 if value else 2) if kind == "bool" else value)
    if kind in {"i16", "i32", "i64"}:
        return _varint((value << 1 ^ value >> 63) & (2**64 - 1))
    if kind == "double":
        return struct.pack("<d", value)
    if kind == "string":
        return _varint(len(value)) + value
    if kind == "struct":
        return _compact_struct(value)
    if kind == "map":
        key_kind, value_kind, pairs = value
        if not pairs:
            return b"\x00"
        kinds = bytes((_COMPACT_TYPES[key_kind] << 4 | _COMPACT_TYPES[value_kind],))
        body = b"".join(_compact(key_kind, k) + _compact(value_kind, v) for k, v in pairs)
        return _varint(len(pairs)) + kinds + body
    element_kind, elements = value
    number = _COMPACT_TYPES[element_kind]
    count = len(elements)
    head = bytes((count << 4 | number,)) if count < 15 else bytes((0xF0 | number,)) + _varint(count)
    return head + b"".join(_compact(element_kind, element) for element in elements)


def _compact_struct(fields: Sequence[Field]) -> bytes:
    parts = []
    last = 0
    for field in fields:
        number = _COMPACT_TYPES[field.kind]
        body = b""
        if field.kind == "bool":
            number = 1 if field.value else 2
        else:
            body = _compact(field.kind, field.value)
        delta = field.number - last
        if 0 < delta < 16:
            parts.append(bytes((delta << 4 | number,)) + body)
        else:
            parts.append(bytes((number,)) + _compact("i16", field.number) + body)
        last = field.number
    return b"".join(parts) + b"\x00"


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 128:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
