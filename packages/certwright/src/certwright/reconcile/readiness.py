"""certificates-readiness: says whether the certificate that is served is good, and until when.

Source: reference cert-manager.md 2.4.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final

from certwright.errors import InvalidError
from certwright.pki.certificates import decode_certificates
from certwright.pki.renewal_time import renewal_time
from certwright.policy import reasons
from certwright.policy.chains import READINESS
from certwright.policy.verdict import first_violation
from certwright.reconcile.contract import Controller, Plan, Sources
from certwright.reconcile.gather import (
    WAKE_NAMED_BY_SECRET,
    WAKE_OWNER_OF_REQUEST,
    CertificateState,
    gather_for_policy,
)
from certwright.reconcile.indexes import CERTIFICATES_BY_SECRET, REQUESTS_BY_OWNER
from certwright.reconcile.options import Options
from certwright.reconcile.status import set_fields, write_status
from certwright.resources.conditions import with_condition
from certwright.resources.kinds import CERTIFICATE
from certwright.resources.times import format_time

__all__ = ["plan_readiness", "readiness_controller"]

_FIELDS: Final = ("notBefore", "notAfter", "renewalTime")
_NO_DATES: Final[dict[str, datetime | None]] = dict.fromkeys(_FIELDS)
_GRACE_SECONDS: Final = 1.0
"""A certificate is expired after its last second, not in it."""


def plan_readiness(state: CertificateState, sources: Sources, *, options: Options) -> Plan:
    """Plan the condition Ready and the dates of the certificate that is served."""
    if state.duplicates:
        return Plan(retry=state.duplicates)
    certificate = state.certificate
    violation = first_violation(READINESS, state.evidence(sources.now, options))
    dates = _dates(state)
    ready = with_condition(
        certificate.object,
        type="Ready",
        status="True" if violation is None else "False",
        reason=reasons.READY if violation is None else violation.reason,
        message=(
            "Certificate is up to date and has not expired"
            if violation is None
            else violation.message
        ),
        now=sources.now,
        observed_generation=certificate.generation,
    )
    texts = {name: None if at is None else format_time(at) for name, at in dates.items()}
    not_after = dates["notAfter"]
    again = None
    if not_after is not None and not_after >= sources.now:
        again = (not_after - sources.now).total_seconds() + _GRACE_SECONDS
    return Plan(
        write_status(
            certificate.object,
            set_fields(ready, **texts),
            options.gates,
            conditions=("Ready",),
            fields=_FIELDS,
        ),
        look_again_after_seconds=again,
    )


def _dates(state: CertificateState) -> dict[str, datetime | None]:
    """Return the dates of the certificate in the Secret; all None if there is none to be read."""
    if state.secret is None:
        return _NO_DATES
    try:
        issued = decode_certificates(state.secret.certificate_pem)[0]
    except InvalidError:
        return _NO_DATES
    renew_before = state.certificate.renew_before_nano
    return {
        "notBefore": issued.not_before,
        "notAfter": issued.not_after,
        "renewalTime": renewal_time(issued.not_before, issued.not_after, renew_before),
    }


def readiness_controller(options: Options) -> Controller[CertificateState]:
    """Return the loop."""
    return Controller(
        name="certificates-readiness",
        kind=CERTIFICATE,
        gather=gather_for_policy,
        plan=partial(plan_readiness, options=options),
        wakes=(WAKE_OWNER_OF_REQUEST, WAKE_NAMED_BY_SECRET),
        indexes=(REQUESTS_BY_OWNER, CERTIFICATES_BY_SECRET),
    )
