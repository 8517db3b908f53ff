"""certificates-trigger: sets Issuing when the trigger chain objects.

Source: reference cert-manager.md 2.3.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from certwright.policy import reasons
from certwright.policy.backoff import arrival_remaining, backoff_remaining
from certwright.policy.chains import TRIGGER
from certwright.policy.verdict import first_violation
from certwright.reconcile.contract import Backoff, Controller, Emit, Expect, Plan, Sources
from certwright.reconcile.gather import (
    WAKE_NAMED_BY_SECRET,
    WAKE_OWNER_OF_REQUEST,
    CertificateState,
    gather_for_policy,
    is_issuing,
)
from certwright.reconcile.indexes import CERTIFICATES_BY_SECRET, REQUESTS_BY_OWNER
from certwright.reconcile.options import Options
from certwright.reconcile.status import still_so, write_status
from certwright.resources.conditions import with_condition
from certwright.resources.kinds import CERTIFICATE, SECRET

__all__ = ["plan_trigger", "trigger_controller"]

_DUE_ON_ARRIVAL: Final = (
    "The certificate was due for renewal when it was issued: the clock of this machine is wrong, or"
    " its life is not longer than spec.renewBefore. Issuing again later, after an hour at most"
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
        due = certificate.renewal_time
        if due is None or due <= sources.now:
            return Plan()
        return Plan(look_again_after_seconds=(due - sources.now).total_seconds())
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


def trigger_controller(options: Options) -> Controller[CertificateState]:
    """Return the loop."""
    return Controller(
        name="certificates-trigger",
        kind=CERTIFICATE,
        gather=gather_for_policy,
        plan=partial(plan_trigger, options=options),
        wakes=(WAKE_OWNER_OF_REQUEST, WAKE_NAMED_BY_SECRET),
        backoff=Backoff(1.0, 30.0),
        indexes=(REQUESTS_BY_OWNER, CERTIFICATES_BY_SECRET),
    )
