"""Thrift structs and messages from bytes: binary and compact protocol, schema given, bounded.

The schema is a value, and what a struct becomes is decided by whoever declares it: the decoder, in
C, calls `build` with the fields that came as keyword arguments, and puts what it returns where the
struct was. A required field is a parameter without a default. Nothing between the bytes and what
`build` returns is kept, so memory follows what is built::

    def _tag(*, key: bytes, kind: int, text: bytes = b"") -> object: ...


    _TAG = struct(_tag, {1: ("key", BINARY), 2: ("kind", I32), 3: ("text", BINARY)})
    _PROCESS = struct(_process, {1: ("service", BINARY), 2: ("tags", list_of(_TAG))})
    process = read_struct(body, _PROCESS, Protocol.BINARY)

Fields that are unknown, or of another type than declared, are skipped, as every thrift reader does.
Texts are `bytes`: whether they are UTF-8 is the business of who builds.

Bounds: a string or container longer than the whole body is refused before anything is allocated
for it, one longer than what is left at the first byte that is not there; nesting ends at 64 structs
(the decoder's own limit, since 0.25).
Why Apache's decoder: docs/adr/010-thrift.md. Source: thrift `doc/specs/thrift-binary-protocol.md`
and `thrift-compact-protocol.md`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from io import BytesIO
from typing import Any, Final, NamedTuple, NoReturn

from thrift.protocol import fastbinary  # type: ignore[import-untyped]
from thrift.Thrift import TException  # type: ignore[import-untyped]

from lymer.errors import UndecodableError

__all__ = [
    "BINARY",
    "BOOL",
    "BYTE",
    "DOUBLE",
    "I16",
    "I32",
    "I64",
    "Protocol",
    "Type",
    "list_of",
    "read_list",
    "read_message",
    "read_struct",
    "struct",
]

_NAME_BYTES_MAX: Final = 256
"""Longest method name looked at."""
_CALL: Final = 1
_ONEWAY: Final = 4
_BINARY_VERSION: Final = 0x8001
_COMPACT_ID: Final = 0x82
_COMPACT_VERSION: Final = 1
_MISSING: Final = re.compile(r"missing \d+ required [a-z -]*arguments?: (.*)")
"""What Python says when a parameter without a default got nothing."""


class Protocol(Enum):
    """How thrift values become bytes."""

    BINARY = "binary"
    COMPACT = "compact"


class Type(NamedTuple):
    """The type of a value; made by this file's names, opaque to others."""

    number: int
    """Thrift's number of the type."""
    details: Any
    """What the decoder needs beside the number."""


BOOL: Final = Type(2, None)
"""To `bool`."""
BYTE: Final = Type(3, None)
"""To a signed 8-bit `int`."""
DOUBLE: Final = Type(4, None)
"""To `float`."""
I16: Final = Type(6, None)
"""To a signed 16-bit `int`."""
I32: Final = Type(8, None)
"""To a signed 32-bit `int`; enums are this too."""
I64: Final = Type(10, None)
"""To a signed 64-bit `int`."""
BINARY: Final = Type(11, "BINARY")
"""To `bytes`; strings are this too."""


def struct(build: Callable[..., object], fields: Mapping[int, tuple[str, Type]]) -> Type:
    """Declare a struct.

    Args:
        build: Called with the fields that came, by name; what it returns stands for the struct. A
            `TypeError` or `ValueError` it raises says that the bytes are no such struct.
        fields: Field id (1 to 32767) to name and type.
    """
    declared: list[Any] = [None] * (max(fields, default=0) + 1)
    for number, (name, kind) in fields.items():
        declared[number] = (number, kind.number, name, kind.details, None)
    return Type(12, [_class_calling(build), tuple(declared)])


def list_of(element: Type) -> Type:
    """Declare a list; it becomes a `list`."""
    return Type(15, (element.number, element.details, False))


def read_struct(body: bytes, kind: Type, protocol: Protocol, *, offset: int = 0) -> Any:
    """Return what `kind`'s `build` makes of the struct at `offset`; bytes behind it are ignored.

    Args:
        body: Holds a struct, without a message around it.
        kind: Made by `struct`.
        protocol: How `body` is written.
        offset: Where the struct begins.

    Raises:
        UndecodableError: The bytes are no such struct.
    """
    decode = fastbinary.decode_binary if protocol is Protocol.BINARY else fastbinary.decode_compact
    try:
        return decode(None, _Input(body, offset), kind.details)
    except EOFError:
        _refuse("the bytes end too early")
    except (TException, ArithmeticError, TypeError, ValueError) as error:
        missing = _MISSING.search(str(error))
        _refuse(f"a required field is missing: {missing[1]}" if missing else error)


def read_list(body: bytes, element: Type, protocol: Protocol) -> list[Any]:
    """Return the elements of a list that is the whole of `body`, as Zipkin's v1 bodies are.

    Raises:
        UndecodableError: The bytes are no such list.
    """
    # The decoder reads structs only: make the list the only field of one.
    head = b"\x0f\x00\x01" if protocol is Protocol.BINARY else b"\x19"
    wrapper = struct(_only, {1: ("only", list_of(element))})
    elements: list[Any] = read_struct(head + body + b"\x00", wrapper, protocol)
    return elements


def read_message(body: bytes, calls: Mapping[str, Type], protocol: Protocol) -> tuple[str, Any]:
    """Return a call's name and what its arguments became.

    Args:
        body: One message, CALL or ONEWAY; the binary protocol's both forms of header are read.
        calls: Name of a method to the struct of its arguments.
        protocol: How `body` is written.

    Raises:
        UndecodableError: The bytes are no call of these methods.
    """
    try:
        if protocol is Protocol.BINARY:
            kind, name_bytes, offset = _binary_header(body)
        else:
            kind, name_bytes, offset = _compact_header(body)
    except IndexError:
        _refuse("the message's header ends too early")
    if kind not in {_CALL, _ONEWAY}:
        _refuse(f"the message is of type {kind}, not a call")
    name = name_bytes.decode("utf-8", "replace")
    if name not in calls:
        _refuse(f"unknown method {name[:64]!r}")
    return name, read_struct(body, calls[name], protocol, offset=offset)


class _Input:
    """What the decoder takes its bytes and limits from; it is protocol and transport in one."""

    __slots__ = ("container_length_limit", "cstringio_buf", "string_length_limit")

    def __init__(self, body: bytes, offset: int) -> None:
        self.cstringio_buf = BytesIO(body)
        if offset:
            self.cstringio_buf.seek(offset)
        # The smallest element is one byte long.
        self.string_length_limit = self.container_length_limit = len(body)

    @property
    def trans(self) -> _Input:
        return self

    def cstringio_refill(self, partial: bytes, wanted: int) -> NoReturn:
        """Say that there is no more; called when `wanted` bytes are not there."""
        raise EOFError


def _class_calling(build: Callable[..., object]) -> type:
    """Return a class whose call is a call of `build`.

    The decoder collects the fields for a class that is immutable, which it tells by `__setattr__`,
    and then calls the class with them.
    """
    meta: type[type] = type("Build", (type,), {"__call__": staticmethod(build)})
    return meta("Struct", (), {"__setattr__": _refuse_change})


def _refuse_change(*_: object) -> NoReturn:
    raise TypeError("a thrift struct is not changed")


def _only(*, only: list[Any]) -> list[Any]:
    return only


def _refuse(cause: object) -> NoReturn:
    raise UndecodableError(f"cannot decode thrift: {cause}") from None


def _binary_header(body: bytes) -> tuple[int, bytes, int]:
    """Return message type, name and the offset of the arguments. Raises: IndexError."""
    first = _i32(body, 0)
    if first & 0x80000000:
        if first >> 16 != _BINARY_VERSION:
            _refuse(f"unknown version {first >> 16:#06x} of the binary protocol")
        name, offset = _name(body, 8, _i32(body, 4))
        kind = first & 0xFF
    else:
        name, offset = _name(body, 4, first)
        kind = body[offset]
        offset += 1
    _i32(body, offset)  # the sequence number
    return kind, name, offset + 4


def _compact_header(body: bytes) -> tuple[int, bytes, int]:
    """Return message type, name and the offset of the arguments. Raises: IndexError."""
    if body[0] != _COMPACT_ID:
        _refuse(f"protocol id {body[0]:#04x} is not the compact protocol's")
    version = body[1] & 0x1F
    if version != _COMPACT_VERSION:
        _refuse(f"unknown version {version} of the compact protocol")
    _, offset = _varint(body, 2)  # the sequence number
    size, offset = _varint(body, offset)
    name, offset = _name(body, offset, size)
    return body[1] >> 5, name, offset


def _i32(body: bytes, offset: int) -> int:
    if offset + 4 > len(body):
        raise IndexError
    return int.from_bytes(body[offset : offset + 4], "big")


def _name(body: bytes, offset: int, size: int) -> tuple[bytes, int]:
    end = offset + size
    if size > _NAME_BYTES_MAX:
        _refuse(f"the method's name has {size} bytes, the limit is {_NAME_BYTES_MAX}")
    if end > len(body):
        raise IndexError
    return body[offset:end], end


def _varint(body: bytes, offset: int) -> tuple[int, int]:
    """Return an unsigned number of at most 32 bits and the offset behind it."""
    number = 0
    for index in range(5):
        byte = body[offset + index]
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return number, offset + index + 1
    _refuse("a number of the header is longer than 5 bytes")
