"""When a certificate is renewed: by its dates, spread over many, or as its CA suggests.

Source: reference cert-manager.md 2.4 (RenewalTime); RFC 9773 4.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from certwright.errors import InvalidError
from certwright.pki.certificates import DecodedCertificate
from certwright.pki.renewal_time import fraction_of, renewal_time
from certwright.resources.certificate import Certificate
from certwright.resources.meta import mapping_at
from certwright.resources.times import format_time, parse_time

__all__ = ["RenewalRule", "renewal_moment", "suggested_window"]


@dataclass(frozen=True, slots=True)
class RenewalRule:
    """How the moment is chosen; by default as cert-manager does."""

    spread: float = 0.0
    """--renewal-spread: earlier by up to this part of the time that is left then."""
    use_suggestions: bool = False
    """Gate ACMEUseARI: as the CA suggests, if it does."""


def renewal_moment(
    certificate: Certificate, issued: DecodedCertificate, rule: RenewalRule
) -> datetime:
    """Return when to renew; always the same for one certificate and what its CA says."""
    who = f"{certificate.uid}/{issued.serial}"
    if rule.use_suggestions and (window := suggested_window(certificate, issued)) is not None:
        start, end = window
        return start + (end - start) * fraction_of(who)
    due = renewal_time(
        issued.not_before,
        issued.not_after,
        certificate.renew_before_nano,
        certificate.renew_before_percentage,
    )
    if rule.spread:
        due -= (issued.not_after - due) * rule.spread * fraction_of(who)
    return due.replace(microsecond=0)


def suggested_window(
    certificate: Certificate, issued: DecodedCertificate
) -> tuple[datetime, datetime] | None:
    """Return the window in the status, if it is about this certificate."""
    status = mapping_at(certificate.object, "status")
    dates = (format_time(issued.not_before), format_time(issued.not_after))
    if (status.get("notBefore"), status.get("notAfter")) != dates:
        return None
    window = mapping_at(status, "acme", "ari", "suggestedWindow")
    try:
        start, end = parse_time(str(window.get("start"))), parse_time(str(window.get("end")))
    except InvalidError:
        return None
    return (start, end) if start <= end else None
