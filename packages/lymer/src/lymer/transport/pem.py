"""What a PEM file must hold, and when a certificate ends; read without a library (pure)."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Final

__all__ = ["first_certificate_end"]

_LABEL: Final = rb" (?:X509 |TRUSTED )?CERTIFICATE-----"
_CERTIFICATE: Final = re.compile(rb"-----BEGIN" + _LABEL + rb"(.+?)-----END" + _LABEL, re.DOTALL)
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_GENERALIZED_TIME: Final = 0x18


def first_certificate_end(pem: bytes) -> datetime:
    """Return the instant after which the first certificate in `pem` is no longer valid.

    Source: RFC 5280, 4.1 (TBSCertificate) and 4.1.2.5 (Validity).

    Raises:
        ValueError: There is no certificate, or it is not one.
    """
    block = _CERTIFICATE.search(pem)
    if block is None:
        raise ValueError("there is no certificate in it")
    try:
        der = base64.b64decode(block[1])
        certificate = _content(der, 0, _SEQUENCE)
        body = _content(certificate, 0, _SEQUENCE)
        at = _behind(body, 0) if body[0] == _VERSION else 0
        for _ in range(3):  # serial number, signature algorithm, issuer
            at = _behind(body, at)
        validity = _content(body, at, _SEQUENCE)
        return _instant(validity, _behind(validity, 0))
    except (IndexError, binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("it is not a certificate") from error


def _span(der: bytes, at: int) -> tuple[int, int]:
    """Return where the content of the element at `at` begins and ends."""
    length, start = der[at + 1], at + 2
    if length >= 0x80:
        count = length & 0x7F
        length, start = int.from_bytes(der[start : start + count], "big"), start + count
    if start + length > len(der):
        raise IndexError
    return start, start + length


def _content(der: bytes, at: int, tag: int) -> bytes:
    if der[at] != tag:
        raise ValueError("it is not a certificate")
    start, end = _span(der, at)
    return der[start:end]


def _behind(der: bytes, at: int) -> int:
    return _span(der, at)[1]


def _instant(der: bytes, at: int) -> datetime:
    tag = der[at]
    start, end = _span(der, at)
    text = der[start:end].decode("ascii")
    if tag == _UTC_TIME:
        # Two digits of a year: 50 and up are of the last century.
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("it is not a certificate")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)
