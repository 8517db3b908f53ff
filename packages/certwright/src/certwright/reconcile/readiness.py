"""certificates-readiness: says whether the certificate that is served is good, and until when.

Source: reference cert-manager.md 2.4.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, Final

from certwright.errors import InvalidError
from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.policy import reasons
from certwright.policy.chains import READINESS
from certwright.policy.renewal import renewal_moment
from certwright.policy.verdict import first_violation
from certwright.reconcile.acme_renewal import next_check, renewal_question, suggestion
from certwright.reconcile.certificate_request import issuer_key
from certwright.reconcile.contract import Ask, Controller, Plan, Reader, Sources
from certwright.reconcile.gather import (
    WAKE_NAMED_BY_SECRET,
    WAKE_OWNER_OF_REQUEST,
    CertificateState,
    gather_for_policy,
)
from certwright.reconcile.indexes import CERTIFICATES_BY_SECRET, REQUESTS_BY_OWNER
from certwright.reconcile.options import Options
from certwright.reconcile.status import set_fields, write_status
from certwright.resources import meta
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import with_condition
from certwright.resources.features import ACME_USE_ARI
from certwright.resources.issuer import Issuer
from certwright.resources.kinds import CERTIFICATE, CLUSTER_ISSUER, Key, Manifest
from certwright.resources.times import format_time

__all__ = ["plan_readiness", "readiness_controller"]

_DATES: Final = ("notBefore", "notAfter", "renewalTime")
_FIELDS: Final = (*_DATES, "acme")
_NO_DATES: Final[dict[str, datetime | None]] = dict.fromkeys(_DATES)
_GRACE_SECONDS: Final = 1.0
"""A certificate is expired after its last second, not in it."""


def plan_readiness(state: CertificateState, sources: Sources, *, options: Options) -> Plan:
    """Plan the condition Ready and the dates of the certificate that is served."""
    if state.duplicates:
        return Plan(retry=state.duplicates)
    issued = _issued(state)
    if issued is not None and ACME_USE_ARI in options.gates:
        question = renewal_question(state.certificate, issued, state.issuer, sources.now)
        if question is not None:
            return Plan(ask=Ask(question, partial(_after_suggestion, state, options)))
    return _plan(state, sources, options)


def _after_suggestion(
    state: CertificateState, options: Options, answer: Any, sources: Sources
) -> Plan:
    """Put what the CA says into the status, and go on from there."""
    certificate = state.certificate
    issued = _issued(state)
    assert issued is not None
    status = {
        **meta.mapping_at(certificate.object, "status"),
        "notBefore": format_time(issued.not_before),
        "notAfter": format_time(issued.not_after),
        "acme": {"ari": suggestion(certificate, issued, answer, sources.now)},
    }
    told = replace(state, certificate=Certificate({**certificate.object, "status": status}))
    return _plan(told, sources, options, certificate.object)


def _plan(
    state: CertificateState, sources: Sources, options: Options, old: Manifest | None = None
) -> Plan:
    certificate = state.certificate
    violation = first_violation(READINESS, state.evidence(sources.now, options))
    dates = _dates(state, options)
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
    if issued := _issued(state):
        check = next_check(certificate, issued) if state.issuer is not None else None
        if again is not None and check is not None:
            again = max(min(again, (check - sources.now).total_seconds()), 0.0)
    return Plan(
        write_status(
            certificate.object if old is None else old,
            set_fields(ready, **texts),
            options.gates,
            conditions=("Ready",),
            fields=_FIELDS,
        ),
        look_again_after_seconds=again,
    )


def _dates(state: CertificateState, options: Options) -> dict[str, datetime | None]:
    """Return the dates of the certificate in the Secret; all None if there is none to be read."""
    issued = _issued(state)
    if issued is None:
        return _NO_DATES
    return {
        "notBefore": issued.not_before,
        "notAfter": issued.not_after,
        "renewalTime": renewal_moment(state.certificate, issued, options.renewal_rule),
    }


def _issued(state: CertificateState) -> DecodedCertificate | None:
    """Return the certificate in the Secret; None if there is none to be read."""
    if state.secret is None:
        return None
    try:
        return decode_certificates(state.secret.certificate_pem)[0]
    except InvalidError:
        return None


async def _gather(key: Key, reader: Reader, *, options: Options) -> CertificateState | None:
    state = await gather_for_policy(key, reader)
    if state is None or ACME_USE_ARI not in options.gates:
        return state
    ref = state.certificate.issuer_ref
    at = None if ref.is_external else issuer_key(ref, key.namespace)
    if at is None or (at.kind == CLUSTER_ISSUER and options.namespace):
        return state
    found = await reader.get(at)
    return state if found is None else replace(state, issuer=Issuer(found))


def readiness_controller(options: Options) -> Controller[CertificateState]:
    """Return the loop."""
    return Controller(
        name="certificates-readiness",
        kind=CERTIFICATE,
        gather=partial(_gather, options=options),
        plan=partial(plan_readiness, options=options),
        wakes=(WAKE_OWNER_OF_REQUEST, WAKE_NAMED_BY_SECRET),
        indexes=(REQUESTS_BY_OWNER, CERTIFICATES_BY_SECRET),
    )
