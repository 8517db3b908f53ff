"""Renewal information: how a certificate is named, and the window that its CA suggests.

Source: RFC 9773 4.1 and 4.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from certwright.acme.jws import b64url
from certwright.acme.questions import RenewalWindow
from certwright.errors import InvalidError
from certwright.pki.certificates import DecodedCertificate
from certwright.resources.times import parse_time

__all__ = ["certificate_id", "window_of"]


def certificate_id(certificate: DecodedCertificate) -> str:
    """Return the name of a certificate; empty if it does not say which key signed it."""
    if not certificate.authority_key_id or certificate.serial <= 0:
        return ""
    serial = certificate.serial.to_bytes(certificate.serial.bit_length() // 8 + 1, "big")
    return f"{b64url(certificate.authority_key_id)}.{b64url(serial)}"


def window_of(found: Mapping[str, Any], retry_after_seconds: float) -> RenewalWindow:
    """Return the window a server suggests.

    Raises:
        InvalidError: It says none, or one that ends before it starts.
    """
    suggested = found.get("suggestedWindow")
    if not isinstance(suggested, Mapping):
        raise InvalidError("the server's renewal information has no suggestedWindow")
    start, end = parse_time(str(suggested.get("start"))), parse_time(str(suggested.get("end")))
    if end < start:
        raise InvalidError("the server's renewal window ends before it starts")
    url = found.get("explanationURL")
    return RenewalWindow(start, end, url if isinstance(url, str) else "", retry_after_seconds)
