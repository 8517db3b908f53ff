"""certificates-issuing: takes the answer to a request, and keeps the target Secret in order.

Between two writes anything may stop. The Secret is written first, then the revision: whoever starts
again finds Issuing still set, the same key and the same answer, and writes the same Secret.

Source: reference cert-manager.md 2.8 and 2.10.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from certwright.errors import InvalidError
from certwright.pki.csr import decode_csr
from certwright.pki.key_pair import check_key_pair
from certwright.pki.keys import (
    decode_private_key,
    encode_private_key,
    private_key_violations,
    public_keys_equal,
)
from certwright.pki.match import request_violations
from certwright.pki.template import temporary_certificate
from certwright.policy import reasons
from certwright.policy.chains import POST_ISSUANCE, TEMPORARY
from certwright.policy.checks_secret import secret_is_of_another_issuer
from certwright.policy.verdict import first_violation
from certwright.reconcile.ca_rotation import wakes_by_issuer
from certwright.reconcile.contract import Controller, Emit, Plan, Sources
from certwright.reconcile.gather import (
    WAKE_NAMED_BY_KEY_SECRET,
    WAKE_NAMED_BY_SECRET,
    WAKE_OWNER_OF_KEY_SECRET,
    WAKE_OWNER_OF_REQUEST,
    CertificateState,
    gather_for_issuing,
    is_issuing,
)
from certwright.reconcile.indexes import (
    CERTIFICATES_BY_ISSUER,
    CERTIFICATES_BY_KEY_SECRET,
    CERTIFICATES_BY_SECRET,
    REQUESTS_BY_OWNER,
)
from certwright.reconcile.options import Options
from certwright.reconcile.request_manager import is_left_over
from certwright.reconcile.status import set_fields, write_status
from certwright.reconcile.target_secret import SecretContent, write_target_secret
from certwright.resources import known
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import (
    Condition,
    get_condition,
    with_condition,
    without_condition,
)
from certwright.resources.features import SERVER_SIDE_APPLY
from certwright.resources.kinds import CERTIFICATE
from certwright.resources.times import format_time

__all__ = ["issuing_controller", "plan_issuing"]

_FIELDS: Final = ("revision", "lastFailureTime", "failedIssuanceAttempts")
_CONDITIONS: Final = ("Issuing",)
_PASS_SECONDS_MAX: Final = 10.0
_UNREADABLE: Final = frozenset({reasons.INVALID_CERTIFICATE, reasons.MANAGED_FIELDS_PARSE_ERROR})


def plan_issuing(state: CertificateState, sources: Sources, *, options: Options) -> Plan:
    """Plan the target Secret, and the end of an issuance."""
    if not is_issuing(state.certificate):
        return _plan_upkeep(state, sources, options)
    key, request = _next_key(state), _next_request(state)
    if key is None or request is None:
        return Plan()
    requested = decode_csr(request.request).public_key
    if requested is None or not public_keys_equal(requested, key.public_key()):
        # The request manager deletes it. What became of it says nothing about this attempt: it may
        # have been denied in the one before.
        return Plan()
    failure = _failure(request)
    if failure is not None:
        return _plan_failure(state, sources, options, failure.reason, failure.message)
    ready = get_condition(request.object, "Ready")
    if ready is None:
        return Plan()
    if ready.reason == "Issued":
        return _plan_success(state, request, key, sources, options)
    return _plan_temporary(state, key, sources, options)


def _next_key(state: CertificateState) -> PrivateKeyTypes | None:
    """Return the next key if it is there and fits the spec."""
    if state.next_key_secret is None:
        return None
    try:
        key = decode_private_key(state.next_key_secret.private_key_pem)
        return None if private_key_violations(key, state.certificate) else key
    except InvalidError:
        return None


def _next_request(state: CertificateState) -> CertificateRequest | None:
    """Return the one request of the next revision, if it asks for what the spec asks for now."""
    if len(state.next_requests) != 1:
        return None
    request = state.next_requests[0]
    try:
        fits = not request_violations(request, state.certificate)
    except InvalidError:
        return None  # the request manager deletes it
    return request if fits and not is_left_over(request, state.certificate) else None


def _failure(request: CertificateRequest) -> Condition | None:
    """Return the condition that says that there will be no certificate, or None."""
    for refusal in ("Denied", "InvalidRequest"):
        condition = get_condition(request.object, refusal)
        if condition is not None and condition.is_true:
            return condition
    ready = get_condition(request.object, "Ready")
    return ready if ready is not None and ready.reason == "Failed" else None


# ------------------------------------------------------------------------------ ends


def _plan_failure(
    state: CertificateState, sources: Sources, options: Options, reason: str, why: str
) -> Plan:
    certificate = state.certificate
    message = f"The certificate request has failed to complete and will be retried: {why}"
    failed = with_condition(
        certificate.object,
        type="Issuing",
        status="False",
        reason=reason,
        message=message,
        now=sources.now,
        observed_generation=certificate.generation,
    )
    failed = set_fields(
        failed,
        lastFailureTime=format_time(sources.now),
        failedIssuanceAttempts=(certificate.failed_issuance_attempts or 0) + 1,
    )
    return Plan(
        (
            *write_status(
                certificate.object, failed, options.gates, conditions=_CONDITIONS, fields=_FIELDS
            ),
            Emit(certificate.object, "Warning", reason, message),
        )
    )


def _plan_success(
    state: CertificateState,
    request: CertificateRequest,
    key: PrivateKeyTypes,
    sources: Sources,
    options: Options,
) -> Plan:
    certificate = state.certificate
    encoding = certificate.private_key_or_default.encoding
    content = SecretContent(encode_private_key(key, encoding), request.certificate, request.ca)
    problem = check_key_pair(content.certificate_pem, content.key_pem)
    if problem:
        # cert-manager stores what it gets, finds it unfit, and asks again without a pause.
        why = f"the issuer answered with a certificate that does not fit the request: {problem}"
        return _plan_failure(state, sources, options, reasons.INVALID_CERTIFICATE, why)
    try:
        secret = write_target_secret(state, content, options)
    except InvalidError as error:
        return _plan_unwritten(certificate, error)
    done = without_condition(certificate.object, "Issuing")
    message = "The certificate has been successfully issued"
    if SERVER_SIDE_APPLY in options.gates:
        # What one manager does not say, another may still own: it is set to False instead.
        done = with_condition(
            certificate.object,
            type="Issuing",
            status="False",
            reason="Issued",
            message=message,
            now=sources.now,
            observed_generation=certificate.generation,
        )
    done = set_fields(
        done, revision=state.next_revision, lastFailureTime=None, failedIssuanceAttempts=None
    )
    return Plan(
        (
            *secret,
            *write_status(
                certificate.object, done, options.gates, conditions=_CONDITIONS, fields=_FIELDS
            ),
            Emit(certificate.object, "Normal", "Issuing", message),
        )
    )


def _plan_temporary(
    state: CertificateState, key: PrivateKeyTypes, sources: Sources, options: Options
) -> Plan:
    certificate = state.certificate
    if certificate.annotations.get(known.ISSUE_TEMPORARY_CERTIFICATE) != "true":
        return Plan()
    if first_violation(TEMPORARY, state.evidence(sources.now, options)) is None:
        return Plan()
    try:
        pem = temporary_certificate(
            certificate,
            key,
            options.gates,
            ca_key=sources.private_key("ECDSA", 521),
            now=sources.now,
            serials=(sources.serial(), sources.serial()),
        )
        encoding = certificate.private_key_or_default.encoding
        content = SecretContent(encode_private_key(key, encoding), pem, b"")
        secret = write_target_secret(state, content, options)
    except InvalidError as error:
        return _plan_unwritten(certificate, error)
    message = "Issued temporary certificate"
    return Plan((*secret, Emit(certificate.object, "Normal", "Issuing", message)))


# ------------------------------------------------------------------------------ upkeep


def _plan_upkeep(state: CertificateState, sources: Sources, options: Options) -> Plan:
    """Plan to write the Secret again if its clothes do not fit; key and certificate stay."""
    secret, evidence = state.secret, state.evidence(sources.now, options)
    if secret is None or not secret.certificate_pem or not secret.private_key_pem:
        return Plan()
    if secret_is_of_another_issuer(evidence) is not None:
        # Writing would make the annotations name an issuer that did not issue what is there, and
        # the trigger would believe it.
        return Plan()
    violation = first_violation(POST_ISSUANCE, evidence)
    if violation is None or violation.reason in _UNREADABLE:
        return Plan()
    content = SecretContent(secret.private_key_pem, secret.certificate_pem, secret.ca_pem)
    try:
        return Plan(write_target_secret(state, content, options))
    except InvalidError as error:
        return _plan_unwritten(state.certificate, error)


def _plan_unwritten(certificate: Certificate, error: InvalidError) -> Plan:
    """Plan to say why the Secret cannot be written, and to come back."""
    message = f"Failed to write Secret {certificate.secret_name}: {error}"
    return Plan(
        (Emit(certificate.object, "Warning", "SecretWriteFailed", message),), retry=str(error)
    )


def issuing_controller(options: Options) -> Controller[CertificateState]:
    """Return the loop."""
    return Controller(
        name="certificates-issuing",
        kind=CERTIFICATE,
        gather=gather_for_issuing,
        plan=partial(plan_issuing, options=options),
        wakes=(
            WAKE_OWNER_OF_REQUEST,
            WAKE_OWNER_OF_KEY_SECRET,
            WAKE_NAMED_BY_KEY_SECRET,
            WAKE_NAMED_BY_SECRET,
            *wakes_by_issuer(options),
        ),
        indexes=(
            REQUESTS_BY_OWNER,
            CERTIFICATES_BY_SECRET,
            CERTIFICATES_BY_KEY_SECRET,
            CERTIFICATES_BY_ISSUER,
        ),
        timeout_seconds=_PASS_SECONDS_MAX,
    )
