"""DER: what X.509 is written in, read and written strictly.

The library's builders refuse some of what Go's `crypto/x509` signs (an encipher-only key without
key agreement, a common name of 65 characters, a country of three letters). So names, extensions and
the signed part of a certificate are written here, byte for byte as Go writes them, and only keys
and signatures are left to the library.

Source: ITU-T X.690; reference cert-manager.md 2.7.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from certwright.errors import InvalidError

__all__ = [
    "BIT_STRING",
    "BOOLEAN",
    "GENERALIZED_TIME",
    "IA5_STRING",
    "INTEGER",
    "NULL",
    "OCTET_STRING",
    "OID",
    "PRINTABLE_STRING",
    "SEQUENCE",
    "SET",
    "UTC_TIME",
    "UTF8_STRING",
    "Element",
    "Reader",
    "bit_string",
    "boolean",
    "context",
    "decode_bit_string",
    "decode_boolean",
    "decode_integer",
    "decode_oid",
    "decode_time",
    "integer",
    "named_bits",
    "null",
    "octet_string",
    "oid",
    "sequence",
    "set_of",
    "time",
    "tlv",
]

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL: Final = 0x05
OID: Final = 0x06
UTF8_STRING: Final = 0x0C
PRINTABLE_STRING: Final = 0x13
IA5_STRING: Final = 0x16
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31

_LENGTH_BYTES_MAX: Final = 4
_OID_NUMBER_MAX: Final = (1 << 31) - 1


# ------------------------------------------------------------------------------ writing


def tlv(tag: int, content: bytes) -> bytes:
    """Return one element: tag, length, content."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def sequence(*parts: bytes) -> bytes:
    """Return a SEQUENCE of elements."""
    return tlv(SEQUENCE, b"".join(parts))


def set_of(parts: Iterable[bytes]) -> bytes:
    """Return a SET OF elements, sorted by their bytes as DER asks for."""
    return tlv(SET, b"".join(sorted(parts)))


def context(number: int, content: bytes, *, constructed: bool = True) -> bytes:
    """Return an element of a context-specific tag."""
    return tlv((0xA0 if constructed else 0x80) | number, content)


def integer(value: int) -> bytes:
    """Return an INTEGER in the fewest bytes."""
    size = max(1, (value + (value < 0)).bit_length() // 8 + 1)
    return tlv(INTEGER, value.to_bytes(size, "big", signed=True))


def boolean(*, value: bool) -> bytes:
    """Return a BOOLEAN."""
    return tlv(BOOLEAN, b"\xff" if value else b"\x00")


def null() -> bytes:
    """Return NULL."""
    return tlv(NULL, b"")


def octet_string(content: bytes) -> bytes:
    """Return an OCTET STRING."""
    return tlv(OCTET_STRING, content)


def bit_string(content: bytes) -> bytes:
    """Return a BIT STRING of whole bytes."""
    return tlv(BIT_STRING, b"\x00" + content)


def named_bits(bits: int) -> bytes:
    """Return a BIT STRING whose bit n is bit n of `bits`, in as many bytes as Go's x509 uses.

    Bit 0 is the first one of the string. No bit at all is one byte of zeros, as in Go, where DER
    would have none.
    """
    size = 2 if bits >> 8 else 1
    content = bytes(int(f"{(bits >> shift) & 0xFF:08b}"[::-1], 2) for shift in (0, 8)[:size])
    length = bits.bit_length()
    return tlv(BIT_STRING, bytes(((8 - length % 8) % 8,)) + content)


def oid(dotted: str) -> bytes:
    """Return an OBJECT IDENTIFIER.

    Raises:
        InvalidError: It is not one.
    """
    try:
        numbers = [int(part) for part in dotted.split(".")]
    except ValueError:
        numbers = []
    if len(numbers) < 2 or numbers[0] > 2 or (numbers[0] < 2 and numbers[1] > 39):
        raise InvalidError("asn1: structure error: invalid object identifier")
    content = bytearray()
    for number in (numbers[0] * 40 + numbers[1], *numbers[2:]):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | (number & 0x7F))
        content.extend(reversed(groups))
    return tlv(OID, bytes(content))


def time(moment: datetime) -> bytes:
    """Return a UTCTime for the years 1950 to 2049, else a GeneralizedTime; whole seconds, UTC."""
    moment = moment.astimezone(UTC)
    rest = f"{moment.month:02}{moment.day:02}{moment.hour:02}{moment.minute:02}{moment.second:02}Z"
    if 1950 <= moment.year < 2050:
        return tlv(UTC_TIME, f"{moment.year % 100:02}{rest}".encode())
    return tlv(GENERALIZED_TIME, f"{moment.year:04}{rest}".encode())


# ------------------------------------------------------------------------------ reading


@dataclass(frozen=True, slots=True)
class Element:
    """One element, read."""

    tag: int
    content: bytes
    whole: bytes
    """Tag, length and content, as they stood there."""

    @property
    def reader(self) -> Reader:
        """Return a reader of the elements inside."""
        return Reader(self.content)


class Reader:
    """Reads elements one after another. Raises `InvalidError` at anything that is not DER."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def tag(self) -> int:
        """The next element's tag, or -1 at the end."""
        return self._data[self._position] if self._position < len(self._data) else -1

    def read(self, tag: int | None = None) -> Element:
        """Return the next element, which must have this tag."""
        data, start = self._data, self._position
        if start + 2 > len(data):
            raise InvalidError("asn1: syntax error: data truncated")
        found, length, at = data[start], data[start + 1], start + 2
        if tag is not None and found != tag:
            raise InvalidError("asn1: structure error: tags don't match")
        if found & 0x1F == 0x1F:
            raise InvalidError("asn1: syntax error: tag number too large")
        if length & 0x80:
            size = length & 0x7F
            if not 0 < size <= _LENGTH_BYTES_MAX or at + size > len(data):
                raise InvalidError("asn1: syntax error: invalid length")
            length = int.from_bytes(data[at : at + size], "big")
            at += size
            if length < 0x80 or length >> (8 * (size - 1)) == 0:
                raise InvalidError("asn1: structure error: non-minimal length")
        end = at + length
        if end > len(data):
            raise InvalidError("asn1: syntax error: data truncated")
        self._position = end
        return Element(found, data[at:end], data[start:end])

    def read_optional(self, tag: int) -> Element | None:
        """Return the next element if it has this tag."""
        return self.read(tag) if self.tag == tag else None

    def finish(self) -> None:
        """Refuse anything that is left."""
        if self._position != len(self._data):
            raise InvalidError("asn1: syntax error: trailing data")

    def rest(self) -> list[Element]:
        """Return all elements that are left."""
        elements = []
        while self.tag >= 0:
            elements.append(self.read())
        return elements


def decode_boolean(content: bytes) -> bool:
    """Return the value of a BOOLEAN's content: DER has one way to write each."""
    if content not in {b"\x00", b"\xff"}:
        raise InvalidError("asn1: syntax error: invalid boolean")
    return content == b"\xff"


def decode_integer(content: bytes) -> int:
    """Return the number of an INTEGER's content; one that could be shorter is none, as for Go."""
    if not content:
        raise InvalidError("asn1: structure error: empty integer")
    if len(content) > 1 and content[0] == (0xFF if content[1] & 0x80 else 0):
        raise InvalidError("asn1: structure error: integer not minimally-encoded")
    return int.from_bytes(content, "big", signed=True)


def decode_oid(content: bytes) -> str:
    """Return an OBJECT IDENTIFIER's content as a dotted text; numbers have 31 bits, as for Go."""
    if not content or content[-1] & 0x80:
        raise InvalidError("asn1: structure error: invalid object identifier")
    numbers: list[int] = []
    number = 0
    for byte in content:
        if byte == 0x80 and not number:
            raise InvalidError("asn1: syntax error: integer is not minimally encoded")
        if number > _OID_NUMBER_MAX >> 7:
            raise InvalidError("asn1: structure error: base 128 integer too large")
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def decode_bit_string(content: bytes) -> bytes:
    """Return the bytes of a BIT STRING's content; bits that are not used must be zero."""
    padding = content[0] if content else 8
    if padding > 7 or (padding and (len(content) == 1 or content[-1] & ((1 << padding) - 1))):
        raise InvalidError("asn1: syntax error: invalid bit string")
    return content[1:]


def decode_time(element: Element) -> datetime:
    """Return the moment of a UTCTime or GeneralizedTime, UTC."""
    text = element.content.decode("ascii", "replace")
    if element.tag == UTC_TIME and len(text) == 13:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif element.tag != GENERALIZED_TIME:
        raise InvalidError("x509: unsupported time format")
    if len(text) != 15 or text[14] != "Z" or not text[:14].isdigit() or not text.isascii():
        raise InvalidError("x509: malformed time")
    month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(4, 14, 2))
    try:
        return datetime(int(text[:4]), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise InvalidError("x509: malformed time") from None
