"""PEM, read as leniently as Go's `encoding/pem` reads it.

Text before, between and after blocks is skipped, and so is a block that is broken, as Go does; the
first whole block counts.

Source: Go `encoding/pem.Decode`, `Encode`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["PemBlock", "decode_pem", "encode_pem"]

_BLOCK: Final = re.compile(
    rb"(?:^|(?<=\n))-----BEGIN (?P<type>[^\n]*?)-----[ \t\r]*\n"
    rb"(?P<body>.*?)"
    rb"-----END (?P=type)-----[ \t\r]*(?:\n|$)",
    re.DOTALL,
)
_SPACE: Final = re.compile(rb"[ \t\r\n]+")
_HEADER: Final = re.compile(rb"\A(?:[^\n:]+:[^\n]*\n)+\r?\n")


@dataclass(frozen=True, slots=True)
class PemBlock:
    """One block."""

    type: str
    """Such as `CERTIFICATE`."""
    der: bytes


def decode_pem(data: bytes) -> Iterator[PemBlock]:
    """Give every whole block of `data`, in order."""
    position = 0
    while match := _BLOCK.search(data, position):
        body = match["body"]
        if (nested := body.rfind(b"\n-----BEGIN ")) >= 0:
            # An end was missing: what counts is the block that begins last before this end.
            position = match.start("body") + nested + 1
            continue
        position = match.end()
        header = _HEADER.match(body)
        if header:
            body = body[header.end() :]
        try:
            der = base64.b64decode(_SPACE.sub(b"", body), validate=True)
        except binascii.Error:
            continue
        yield PemBlock(match["type"].decode("utf-8", "replace"), der)


def encode_pem(block_type: str, der: bytes) -> bytes:
    """Return one block, in lines of 64 characters."""
    text = base64.b64encode(der)
    lines = b"".join(text[at : at + 64] + b"\n" for at in range(0, len(text), 64))
    name = block_type.encode()
    return b"-----BEGIN " + name + b"-----\n" + lines + b"-----END " + name + b"-----\n"
