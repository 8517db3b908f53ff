r"""`spec.literalSubject`: a name as RFC 4514 writes it, read as go-ldap reads it.

Attributes are separated by `+` within an RDN and `,` or `;` between RDNs; `\` escapes a special
character or begins two hex digits; a value that begins with `#` is the hex of a BER element. Names
of attributes are exactly those below, in capitals.

Source: reference cert-manager.md 2.7 (literalSubject), go-ldap v3.4.4 ParseDN.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from certwright.errors import InvalidError
from certwright.pki import der
from certwright.pki.names import COMMON_NAME, RdnSequence

__all__ = ["ATTRIBUTES", "decode_literal_subject", "literal_common_name"]

ATTRIBUTES: Final = MappingProxyType(
    {
        "C": "2.5.4.6",
        "O": "2.5.4.10",
        "OU": "2.5.4.11",
        "CN": COMMON_NAME,
        "SERIALNUMBER": "2.5.4.5",
        "L": "2.5.4.7",
        "ST": "2.5.4.8",
        "STREET": "2.5.4.9",
        "DC": "0.9.2342.19200300.100.1.25",
        "UID": "0.9.2342.19200300.100.1.1",
    }
)
_SPECIAL: Final = frozenset(b' "#+,;<=>\\')


def decode_literal_subject(text: str) -> RdnSequence:
    """Return the name in the order of its encoding, which is the reverse of the written one.

    An attribute that is not known has an empty object identifier; encoding it fails.

    Raises:
        InvalidError: It is not a distinguished name; the text is go-ldap's.
    """
    parser = _Parser(text.encode("utf-8", "surrogateescape"))
    rdns = parser.parse()
    return tuple(
        tuple((ATTRIBUTES.get(attribute, ""), value) for attribute, value in rdn)
        for rdn in reversed(rdns)
    )


def literal_common_name(text: str) -> str:
    """Return the last common name of a literal subject, or an empty text."""
    found = ""
    for rdn in decode_literal_subject(text):
        for oid, value in rdn:
            if oid == COMMON_NAME:
                found = value
    return found


class _Parser:
    """Reads one name, byte by byte."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._buffer = bytearray()
        self._trailing_spaces = 0
        self._type = ""
        self._rdn: list[tuple[str, str]] = []

    def parse(self) -> list[list[tuple[str, str]]]:
        rdns: list[list[tuple[str, str]]] = []
        at = 0
        while at < len(self._data):
            byte = self._data[at : at + 1]
            if byte == b"\\":
                at = self._escaped(at + 1)
            elif byte == b"=":
                self._type = self._take()
                if self._data[at + 1 : at + 2] == b"#":
                    at = self._hex_value(at + 2)
            elif byte in {b",", b"+", b";"}:
                if not self._type:
                    raise InvalidError("incomplete type, value pair")
                self._end_attribute()
                if byte != b"+":
                    rdns.append(self._rdn)
                    self._rdn = []
            elif byte != b" " or self._buffer:
                self._trailing_spaces = self._trailing_spaces + 1 if byte == b" " else 0
                self._buffer += byte
            at += 1
        if self._buffer:
            if not self._type:
                raise InvalidError("DN ended with incomplete type, value pair")
            self._end_attribute()
            rdns.append(self._rdn)
        return rdns

    def _end_attribute(self) -> None:
        self._rdn.append((self._type, self._take()))
        self._type = ""

    def _take(self) -> str:
        taken = self._buffer[: len(self._buffer) - self._trailing_spaces]
        self._buffer = bytearray()
        self._trailing_spaces = 0
        return taken.decode("utf-8", "surrogateescape")

    def _escaped(self, at: int) -> int:
        """Read what follows a backslash; return the position of its last byte."""
        self._trailing_spaces = 0
        if at >= len(self._data):
            return at
        if self._data[at] in _SPECIAL:
            self._buffer.append(self._data[at])
            return at
        pair = self._data[at : at + 2]
        if len(pair) < 2:
            raise InvalidError("got corrupted escaped character")
        self._buffer += _unhex(pair, "failed to decode escaped character")
        return at + 1

    def _hex_value(self, at: int) -> int:
        """Read a value in hex; return the position of its last byte."""
        end = at
        while end < len(self._data) and self._data[end] not in b",+":
            end += 1
        raw = _unhex(self._data[at:end], "failed to decode BER encoding")
        try:
            self._buffer += der.Reader(raw).read().content
        except InvalidError:
            problem = "invalid length byte 0xff" if raw[1:2] == b"\xff" else "unexpected EOF"
            raise InvalidError(f"failed to decode BER packet: {problem}") from None
        return end - 1


def _unhex(digits: bytes, problem: str) -> bytes:
    for digit in digits:
        if digit not in b"0123456789abcdefABCDEF":
            raise InvalidError(
                f"{problem}: encoding/hex: invalid byte: U+{digit:04X} {chr(digit)!r}"
            )
    if len(digits) % 2:
        raise InvalidError(f"{problem}: encoding/hex: odd length hex string")
    return bytes.fromhex(digits.decode())
