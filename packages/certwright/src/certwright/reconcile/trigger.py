"""certificates-trigger: sets Issuing when the trigger chain objects.

Source: reference cert-manager.md 2.3.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final

from certwright.errors import InvalidError
from certwright.pki.certificates import decode_certificates
from certwright.policy import reasons
from certwright.policy.backoff import arrival_remaining, backoff_remaining
from certwright.policy.chains import TRIGGER
from certwright.policy.verdict import first_violation
from certwright.reconcile.ca_rotation import wakes_by_issuer
from certwright.reconcile.contract import Backoff, Controller, Emit, Expect, Plan, Sources
from certwright.reconcile.gather import (
    WAKE_NAMED_BY_SECRET,
    WAKE_OWNER_OF_REQUEST,
    CertificateState,
    gather_for_policy,
    is_issuing,
)
from certwright.reconcile.indexes import (
    CERTIFICATES_BY_ISSUER,
    CERTIFICATES_BY_SECRET,
    REQUESTS_BY_OWNER,
)
from certwright.reconcile.options import Options
from certwright.reconcile.status import still_so, write_status
from certwright.resources.conditions import with_condition
from certwright.resources.kinds import CERTIFICATE, SECRET

__all__ = ["plan_trigger", "trigger_controller"]

_DUE_ON_ARRIVAL: Final = (
    "The certificate was due for renewal when it was issued: the clock of this machine is wrong,"
    " its life is not longer than spec.renewBefore, or its CA suggests the same of every one."
    " Issuing again later, after an hour at most, or a day if the CA suggests it"
)


def plan_trigger(state: CertificateState, sources: Sources, *, options: Options) -> Plan:
    """Plan the condition Issuing, or when to look again."""
    certificate = state.certificate
    if is_issuing(certificate):
        return Plan()
    if state.duplicates:
        return Plan(retry=state.duplicates)
    evidence = state.evidence(sources.now, options)
    next_request = state.next_requests[0] if state.next_requests else None
    remaining = backoff_remaining(evidence, next_request)
    if remaining is not None:
        return Plan(look_again_after_seconds=remaining.total_seconds())
    violation = first_violation(TRIGGER, evidence)
    if violation is None:
        due = [at for at in (certificate.renewal_time, _reissue_at(state)) if at is not None]
        later = min((at for at in due if at > sources.now), default=None)
        again = None if later is None else (later - sources.now).total_seconds()
        return Plan(look_again_after_seconds=again)
    if violation.reason in {reasons.RENEWING, reasons.EXPIRED}:
        held = arrival_remaining(evidence)
        if held is not None:
            said = Emit(certificate.object, "Warning", "DueOnArrival", _DUE_ON_ARRIVAL)
            return Plan((said,), look_again_after_seconds=held.total_seconds())
    issuing = with_condition(
        certificate.object,
        type="Issuing",
        status="True",
        reason=violation.reason,
        message=violation.message,
        now=sources.now,
        observed_generation=certificate.generation,
    )
    # With an old copy of the Secret an issuance that has just ended would begin anew.
    secret, at = state.secret, SECRET.key(certificate.namespace, certificate.secret_name)
    return Plan(
        (
            Expect(at, "") if secret is None else still_so(secret.object),
            *write_status(certificate.object, issuing, options.gates, conditions=("Issuing",)),
            Emit(certificate.object, "Normal", "Issuing", violation.message),
        )
    )


def _reissue_at(state: CertificateState) -> datetime | None:
    """Return when the certificate is issued anew because its issuer's CA has changed."""
    rotation, secret = state.rotation, state.secret
    if rotation is None or secret is None:
        return None
    try:
        chain = decode_certificates(secret.certificate_pem)
    except InvalidError:
        return None
    if rotation.is_current(chain):
        return None
    return rotation.reissue_at(f"{state.certificate.uid}/{chain[0].serial}")


def trigger_controller(options: Options) -> Controller[CertificateState]:
    """Return the loop."""
    return Controller(
        name="certificates-trigger",
        kind=CERTIFICATE,
        gather=gather_for_policy,
        plan=partial(plan_trigger, options=options),
        wakes=(WAKE_OWNER_OF_REQUEST, WAKE_NAMED_BY_SECRET, *wakes_by_issuer(options)),
        backoff=Backoff(1.0, 30.0),
        indexes=(REQUESTS_BY_OWNER, CERTIFICATES_BY_SECRET, CERTIFICATES_BY_ISSUER),
    )
