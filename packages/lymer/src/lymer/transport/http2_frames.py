"""Frames of HTTP/2, and header blocks that need no table. Source: RFC 9113, RFC 7541."""

from __future__ import annotations

import struct
from typing import Final

__all__ = [
    "ACK",
    "CALM",
    "COMPRESSION",
    "CONTINUED",
    "DATA",
    "END_HEADERS",
    "END_STREAM",
    "FLOW_ERROR",
    "GOAWAY",
    "HEAD",
    "HEADERS",
    "INITIAL_WINDOW",
    "MAX_FRAME",
    "MAX_HEADERS",
    "MAX_STREAMS",
    "PING",
    "PRIORITIZED",
    "PROTOCOL_ERROR",
    "PUSH",
    "REFUSED",
    "RST_STREAM",
    "SETTINGS",
    "SIZE_ERROR",
    "STREAM_CLOSED",
    "WIDEN",
    "PeerError",
    "frame",
    "header_block",
    "unpadded",
]

HEAD: Final = struct.Struct(">HBBBL")
"""Length (24 bits as 16 and 8), type, flags, stream."""
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WIDEN, CONTINUED = range(10)
END_STREAM, END_HEADERS, PADDED, PRIORITIZED, ACK = 1, 4, 8, 0x20, 1
PROTOCOL_ERROR, FLOW_ERROR, STREAM_CLOSED, SIZE_ERROR, REFUSED, COMPRESSION, CALM = (
    1, 3, 5, 6, 7, 9, 11,
)  # fmt: skip
HEADER_TABLE, MAX_STREAMS, INITIAL_WINDOW, MAX_FRAME, MAX_HEADERS = 1, 3, 4, 5, 6


class PeerError(Exception):
    """A peer did what it must not; `code` is HTTP/2's for it."""

    def __init__(self, code: int, text: str) -> None:
        """Remember what to tell it."""
        super().__init__(text)
        self.code = code


def header_block(*fields: tuple[bytes, bytes]) -> bytes:
    """Return a header block that needs no table on either side."""
    out: list[bytes] = []
    for name, value in fields:
        out += (b"\x00", _length(name), name, _length(value), value)
    return b"".join(out)


def _length(text: bytes) -> bytes:
    """Return the length of a text that is not compressed. Source: RFC 7541, 5.1."""
    size = len(text)
    if size < 127:
        return bytes((size,))
    out = bytearray((127,))
    size -= 127
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    out.append(size)
    return bytes(out)


def frame(kind: int, flags: int, ident: int, payload: bytes) -> bytes:
    """Return a frame."""
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, ident) + payload


def unpadded(flags: int, payload: bytes) -> bytes:
    """Return what a frame holds without padding."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise PeerError(PROTOCOL_ERROR, "more padding than there is")
    return payload[1 : len(payload) - payload[0]]
