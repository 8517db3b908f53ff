"""When a certificate is renewed: by its dates, spread over many, in windows, as its CA suggests.

Source: reference cert-manager.md 2.4 (RenewalTime); RFC 9773 4.2; cert-manager 1.21 (spec.renewal).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from certwright.errors import InvalidError
from certwright.pki.certificates import DecodedCertificate
from certwright.pki.renewal_time import fraction_of, renewal_time
from certwright.pki.renewal_windows import Window, window_after
from certwright.resources.certificate import Certificate
from certwright.resources.durations import parse_duration
from certwright.resources.meta import mapping_at
from certwright.resources.times import format_time, parse_time

__all__ = ["RenewalRule", "renewal_moment", "suggested_window"]

LAST_MOMENT: Final = timedelta(minutes=5)
"""A window that opens later before the end than that is none, a CA's neither; the least
`renewBefore`."""


@dataclass(frozen=True, slots=True)
class RenewalRule:
    """How the moment is chosen; by default as cert-manager does."""

    spread: float = 0.0
    """--renewal-spread: earlier by up to this part of the time that is left then."""
    use_suggestions: bool = False
    """Gate ACMEUseARI: as the CA suggests, if it does."""


def renewal_moment(
    certificate: Certificate, issued: DecodedCertificate, rule: RenewalRule
) -> datetime | None:
    """Return when to renew; always the same for one certificate and what its CA says.

    None if it never is (`spec.renewal.policy: Disabled`). A suggestion that would let it end does
    not count.
    """
    if certificate.renewal_policy == "Disabled":
        return None
    who = f"{certificate.uid}/{issued.serial}"
    if rule.use_suggestions and (window := suggested_window(certificate, issued)) is not None:
        start, end = window
        end = min(end, issued.not_after - LAST_MOMENT)
        if start <= end:
            return start + (end - start) * fraction_of(who)
    due = renewal_time(
        issued.not_before,
        issued.not_after,
        certificate.renew_before_nano,
        certificate.renew_before_percentage,
    )
    if rule.spread:
        due -= (issued.not_after - due) * rule.spread * fraction_of(who)
    return _in_window(certificate, issued, due.replace(microsecond=0), rule, fraction_of(who))


def _in_window(
    certificate: Certificate,
    issued: DecodedCertificate,
    due: datetime,
    rule: RenewalRule,
    fraction: float,
) -> datetime:
    """Return `due`, or when a window opens after it, if one does before the certificate ends.

    A window that cannot be read counts as none: none is a reason to let a certificate end.
    """
    until = issued.not_after - LAST_MOMENT
    found: list[tuple[datetime, timedelta]] = []
    for window in certificate.renewal_windows:
        try:
            duration = timedelta(microseconds=parse_duration(window.duration or "0") // 1000)
            read = Window(window.cron, window.timezone, duration)
            at = window_after(read, due, until)
        except InvalidError:
            continue
        if at is not None:
            found.append((at, duration))
    opens, duration = min(found, default=(due, timedelta()))
    if opens > due and rule.spread:
        opens += (min(opens + duration, until) - opens) * fraction
    return opens.replace(microsecond=0)


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
