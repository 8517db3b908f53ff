"""How long a failed issuance waits before it is tried again.

The waits are 1, 2, 4, 8, 16, 32, 32 ... hours. They stand in the Certificate's status, not in
memory: a restart does not shorten them, and a change of the spec ends them at once.

Source: reference cert-manager.md 2.3.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from certwright.errors import InvalidError
from certwright.pki.certificates import decode_certificates
from certwright.pki.match import request_violations
from certwright.policy.renewal import renewal_moment, suggested_window
from certwright.policy.verdict import Evidence
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import get_condition

__all__ = ["arrival_remaining", "backoff_hours", "backoff_remaining"]

_HOURS_MIN: Final = 1
_HOURS_MAX: Final = 32
_DOUBLINGS_MAX: Final = 5
_SUGGESTED_MAX: Final = timedelta(days=1)


def backoff_hours(attempts: int | None) -> int:
    """Return the wait after so many failures in a row; None or less than 1 counts as one."""
    doublings = max(0, (attempts or 1) - 1)
    return _HOURS_MIN << doublings if doublings < _DOUBLINGS_MAX else _HOURS_MAX


def backoff_remaining(
    evidence: Evidence, next_request: CertificateRequest | None
) -> timedelta | None:
    """Return how much longer to wait, or None if an issuance may begin.

    Args:
        evidence: The Certificate and the time.
        next_request: The request of the next revision, which failed. If it is not what the spec
            asks for now, or cannot be read, there is no wait.
    """
    certificate = evidence.certificate
    failed = certificate.last_failure_time
    if failed is None or (next_request is not None and not _fits(next_request, evidence)):
        return None
    wait = timedelta(hours=backoff_hours(certificate.failed_issuance_attempts))
    # A clock that was set back must not make the wait longer than it ever is.
    remaining = min(wait, failed + wait - evidence.now)
    return remaining if remaining > timedelta() else None


def arrival_remaining(evidence: Evidence) -> timedelta | None:
    """Return how long to wait with a renewal that was due when the certificate came, or None.

    Such a certificate is due at once whenever it is issued anew: the clock here is wrong, or the CA
    gives a shorter life than there should be left. The wait is as long as it was late, an hour at
    most: it does not become a loop, and who wants a certificate every few seconds gets it. Where
    the CA suggested the moment it is a day at most, for it may suggest the same for every one.
    """
    secret, request = evidence.secret, evidence.current_request
    ready = None if request is None else get_condition(request.object, "Ready")
    issued_at = None if ready is None else ready.last_transition_time
    if secret is None or not secret.certificate_pem or issued_at is None:
        return None
    try:
        leaf = decode_certificates(secret.certificate_pem)[0]
    except InvalidError:
        return None
    due = renewal_moment(evidence.certificate, leaf, evidence.renewal)
    if due is None:
        return None
    late = issued_at - due
    most = timedelta(hours=_HOURS_MIN)
    if evidence.renewal.use_suggestions and suggested_window(evidence.certificate, leaf):
        most = max(most, min(_SUGGESTED_MAX, (leaf.not_after - leaf.not_before) / 10))
    wait = min(late, most)
    remaining = min(wait, issued_at + wait - evidence.now)
    return remaining if remaining > timedelta() else None


def _fits(request: CertificateRequest, evidence: Evidence) -> bool:
    try:
        return not request_violations(request, evidence.certificate)
    except InvalidError:
        return False
