"""The CertificateRequest: one CSR for one issuer, and what was answered.

Source: reference cert-manager.md 1.2.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from certwright.errors import InvalidError
from certwright.resources import known
from certwright.resources.certificate import DEFAULT_DURATION_NANO, DEFAULT_USAGES
from certwright.resources.durations import parse_duration
from certwright.resources.issuer_ref import IssuerRef
from certwright.resources.meta import mapping_at
from certwright.resources.times import parse_time
from certwright.resources.view import View

__all__ = ["CertificateRequest"]


@dataclass(frozen=True, slots=True)
class CertificateRequest(View):
    """A view of a CertificateRequest; reads `object` and never changes it."""

    @property
    def revision(self) -> int | None:
        """The annotation `cert-manager.io/certificate-revision`; None if absent or no number."""
        text = self.annotations.get(known.CERTIFICATE_REVISION, "")
        sign_cut = text[1:] if text[:1] in {"-", "+"} else text
        return int(text) if sign_cut.isascii() and sign_cut.isdigit() else None

    @property
    def request(self) -> bytes:
        """`spec.request`: a CSR, PEM; empty if absent.

        Raises:
            InvalidError: It is not base64.
        """
        return _octets(self.spec, "spec", "request")

    @property
    def issuer_ref(self) -> IssuerRef:
        """`spec.issuerRef`."""
        return IssuerRef.from_object(mapping_at(self.spec, "issuerRef"))

    @property
    def duration_nano(self) -> int | None:
        """`spec.duration` in nanoseconds, or None.

        Raises:
            InvalidError: It is no duration.
        """
        text = self.spec.get("duration")
        return None if text is None else parse_duration(str(text))

    @property
    def duration_nano_or_default(self) -> int:
        """2160 hours if unset; a duration of 0 stays 0, as in cert-manager."""
        duration_nano = self.duration_nano
        return DEFAULT_DURATION_NANO if duration_nano is None else duration_nano

    @property
    def is_ca(self) -> bool:
        """`spec.isCA`."""
        return bool(self.spec.get("isCA"))

    @property
    def usages(self) -> tuple[str, ...]:
        """`spec.usages`."""
        return tuple(str(usage) for usage in self.spec.get("usages") or ())

    @property
    def usages_or_default(self) -> tuple[str, ...]:
        """Digital signature and key encipherment if none are set."""
        return self.usages or DEFAULT_USAGES

    @property
    def username(self) -> str:
        """`spec.username`: who made the request; set by the webhook."""
        return str(self.spec.get("username") or "")

    @property
    def requester_uid(self) -> str:
        """`spec.uid` of who made the request."""
        return str(self.spec.get("uid") or "")

    @property
    def groups(self) -> tuple[str, ...]:
        """`spec.groups` of who made the request."""
        return tuple(str(group) for group in self.spec.get("groups") or ())

    @property
    def extra(self) -> Mapping[str, list[str]]:
        """`spec.extra` of who made the request."""
        return mapping_at(self.spec, "extra")

    @property
    def certificate(self) -> bytes:
        """`status.certificate`: the signed chain, PEM; empty if there is none yet.

        Raises:
            InvalidError: It is not base64.
        """
        return _octets(self.status, "status", "certificate")

    @property
    def ca(self) -> bytes:
        """`status.ca`: PEM; empty if the issuer gave none.

        Raises:
            InvalidError: It is not base64.
        """
        return _octets(self.status, "status", "ca")

    @property
    def failure_time(self) -> datetime | None:
        """`status.failureTime`, or None."""
        text = self.status.get("failureTime")
        return parse_time(str(text)) if text else None


def _octets(mapping: Mapping[str, Any], where: str, field: str) -> bytes:
    text = mapping.get(field)
    if not text:
        return b""
    try:
        return base64.b64decode(str(text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidError(f"{where}.{field} is not base64: {error}") from error
