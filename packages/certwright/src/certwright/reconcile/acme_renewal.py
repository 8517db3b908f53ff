"""What a CA says about the renewal of a certificate: asked now and then, kept in the status.

Source: RFC 9773 4; cert-manager main, pkg/controller/certificates/readiness (gate ACMEUseARI).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from certwright.acme.ari import certificate_id
from certwright.acme.questions import AskRenewal, Done, RenewalWindow
from certwright.errors import InvalidError
from certwright.pki.certificates import DecodedCertificate
from certwright.policy.renewal import LAST_MOMENT
from certwright.reconcile.acme_account import server_of
from certwright.resources.acme import AcmeIssuer
from certwright.resources.certificate import Certificate
from certwright.resources.issuer import Issuer
from certwright.resources.meta import mapping_at
from certwright.resources.times import format_time, parse_time

__all__ = ["next_check", "renewal_question", "suggestion"]

ERROR_SECONDS: Final = 3600.0
"""When to ask again after an error, if the server does not say."""
_TOO_LATE: Final = (
    "the server's renewal window opens when the certificate ends or later: it does not count"
)
UNKNOWN_SECONDS: Final = 86_400.0
"""When to ask again a server that has no suggestion."""


def renewal_question(
    certificate: Certificate, issued: DecodedCertificate, issuer: Issuer | None, now: datetime
) -> AskRenewal | None:
    """Return what to ask the CA; None if it is no ACME CA, or was asked not long ago."""
    try:
        if issuer is None or issuer.type != "acme":
            return None
        name = certificate_id(issued)
        server = server_of(AcmeIssuer(issuer.object))
    except InvalidError:
        return None
    due = next_check(certificate, issued)
    if not name or (due is not None and due > now):
        return None
    return AskRenewal(server, name)


def next_check(certificate: Certificate, issued: DecodedCertificate) -> datetime | None:
    """Return when the CA is asked again about this certificate; None if it never was."""
    status = mapping_at(certificate.object, "status")
    if status.get("notAfter") != format_time(issued.not_after):
        return None
    text = mapping_at(status, "acme", "ari").get("nextCheck")
    try:
        return parse_time(str(text)) if text else None
    except InvalidError:
        return None


def suggestion(
    certificate: Certificate, issued: DecodedCertificate, answer: Any, now: datetime
) -> Mapping[str, Any]:
    """Return `status.acme.ari` after an answer; an error leaves what was said before."""
    before = mapping_at(certificate.object, "status", "acme", "ari")
    kept = {name: before[name] for name in ("suggestedWindow", "explanationURL") if name in before}
    if isinstance(answer, RenewalWindow):
        window = {"start": format_time(answer.start), "end": format_time(answer.end)}
        found: dict[str, Any] = {"suggestedWindow": window}
        if answer.explanation_url:
            found["explanationURL"] = answer.explanation_url
        if answer.start > issued.not_after - LAST_MOMENT:
            found["lastError"] = _TOO_LATE
        seconds = answer.retry_after_seconds
    elif isinstance(answer, Done):
        found, seconds = {}, UNKNOWN_SECONDS
    else:
        found = {**kept, "lastError": str(answer)}
        seconds = getattr(answer, "retry_after_seconds", None) or ERROR_SECONDS
    return {
        **found,
        "lastChecked": format_time(now),
        "nextCheck": format_time(now + timedelta(seconds=seconds)),
    }
