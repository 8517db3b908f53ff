"""certificates-request-manager: keeps one request for the next revision while issuing.

Source: reference cert-manager.md 2.6.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from certwright.errors import InvalidError
from certwright.pki.csr import decode_csr, generate_csr
from certwright.pki.keys import decode_private_key, public_keys_equal
from certwright.pki.match import request_violations
from certwright.reconcile.contract import Action, Controller, Create, Delete, Emit, Plan, Sources
from certwright.reconcile.gather import (
    WAKE_OWNER_OF_KEY_SECRET,
    WAKE_OWNER_OF_REQUEST,
    CertificateState,
    gather_for_requests,
)
from certwright.reconcile.indexes import REQUESTS_BY_NAME_PREFIX, REQUESTS_BY_OWNER
from certwright.reconcile.names import request_name_prefix, request_names
from certwright.reconcile.options import Options
from certwright.reconcile.status import still_so
from certwright.resources import known, meta
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import get_condition
from certwright.resources.durations import format_duration
from certwright.resources.features import (
    LITERAL_CERTIFICATE_SUBJECT,
    STABLE_CERTIFICATE_REQUEST_NAME,
)
from certwright.resources.gotext import format_strings, quote
from certwright.resources.kinds import CERTIFICATE, CERTIFICATE_REQUEST, Manifest
from certwright.resources.secret import encode_data

__all__ = ["copied_annotations", "is_left_over", "plan_request", "request_manager_controller"]

_LOOK_AGAIN_SECONDS: Final = 5.0
"""If the request's name turns out to be taken, nothing else may wake us."""


def plan_request(state: CertificateState, _sources: Sources, *, options: Options) -> Plan:
    """Plan the request of the next revision; what does not fit goes first."""
    certificate, secret = state.certificate, state.next_key_secret
    if secret is None:
        return Plan()
    try:
        key = decode_private_key(secret.private_key_pem)
    except InvalidError:
        return Plan()
    kept, refused = _sort(state, key)
    deletions = [
        Delete(meta.key_of(request.object), request.uid)
        for request in refused
        if meta.deletion_time(request.object) is None
    ]
    before: tuple[Action, ...] = ()
    if deletions:
        before = (still_so(certificate.object), still_so(secret.object), *deletions)
    if len(kept) > 1:
        message = (
            f"{len(kept)} CertificateRequests exist for revision {state.next_revision}, issuance "
            "is skipped until only one is left: delete the others"
        )
        return Plan((*before, Emit(certificate.object, "Warning", "RequestFailed", message)))
    if kept:
        return Plan(before)
    if len(deletions) < len(refused):
        return Plan(before)  # one is being deleted and not gone yet; we wake when it is
    try:
        csr = generate_csr(certificate, key, options.gates)
        request = _new_request(state, key, csr, options)
        _check(request, certificate, options)
    except InvalidError as error:
        message = f"Failed to create CertificateRequest: {error}"
        return Plan((*before, Emit(certificate.object, "Warning", "RequestFailed", message)))
    created = f"Created new CertificateRequest resource {quote(meta.name(request))}"
    refusal = Emit(
        certificate.object,
        "Warning",
        "RequestFailed",
        "Failed to create CertificateRequest: {error}",
    )
    return Plan(
        (
            *before,
            Create(request, if_refused=refusal),
            Emit(certificate.object, "Normal", "Requested", created),
        ),
        look_again_after_seconds=_LOOK_AGAIN_SECONDS,
    )


def is_left_over(request: CertificateRequest, certificate: Certificate) -> bool:
    """Whether the request failed before the present attempt began.

    Both times have whole seconds; in the same second it is not left over.
    """
    ready = get_condition(request.object, "Ready")
    issuing = get_condition(certificate.object, "Issuing")
    failed = request.failure_time
    began = None if issuing is None else issuing.last_transition_time
    if ready is None or ready.status != "False" or ready.reason != "Failed":
        return False
    return failed is not None and began is not None and failed < began


def _sort(
    state: CertificateState, key: PrivateKeyTypes
) -> tuple[list[CertificateRequest], list[CertificateRequest]]:
    """Return the requests of the next revision that fit, and those that must go."""
    kept: list[CertificateRequest] = []
    refused = [request for request in state.requests if request.revision is None]
    for request in state.next_requests:
        fits = _fits(request, state.certificate, key)
        (kept if fits and not is_left_over(request, state.certificate) else refused).append(request)
    return kept, refused


def _fits(request: CertificateRequest, certificate: Certificate, key: PrivateKeyTypes) -> bool:
    try:
        if request_violations(request, certificate):
            return False
        requested = decode_csr(request.request).public_key
    except InvalidError:
        return False
    return requested is not None and public_keys_equal(requested, key.public_key())


def _check(request: Manifest, certificate: Certificate, options: Options) -> None:
    """Object to a request that would be deleted as soon as it is seen: it would be made for ever.

    Behind a webhook only gates that differ between it and us lead here.

    Raises:
        InvalidError: It does not fit the Certificate.
    """
    violations = request_violations(CertificateRequest(request), certificate)
    if not violations:
        return
    is_off = certificate.literal_subject and LITERAL_CERTIFICATE_SUBJECT not in options.gates
    hint = f"; the feature gate {LITERAL_CERTIFICATE_SUBJECT} is off" if is_off else ""
    raise InvalidError(f"it would not be as these fields say: {format_strings(violations)}{hint}")


def _new_request(
    state: CertificateState, key: PrivateKeyTypes, csr: bytes, options: Options
) -> Manifest:
    certificate, revision = state.certificate, state.next_revision
    prefix = request_name_prefix(certificate)
    metadata: dict[str, Any] = {}
    if STABLE_CERTIFICATE_REQUEST_NAME in options.gates:
        metadata["name"] = f"{prefix}{revision}"
    else:
        names = request_names(certificate, revision, key.public_key())
        metadata["generateName"] = prefix
        metadata["name"] = next(name for name in names if name not in state.taken_names)
    metadata["namespace"] = certificate.namespace
    metadata["annotations"] = {
        **copied_annotations(certificate.annotations, options.copied_annotation_prefixes),
        known.CERTIFICATE_REVISION: str(revision),
        known.PRIVATE_KEY_SECRET_NAME: certificate.next_private_key_secret_name,
        known.CERTIFICATE_NAME: certificate.name,
    }
    labels = dict(meta.labels(certificate.object))
    if labels:
        metadata["labels"] = labels
    metadata["ownerReferences"] = [meta.controller_reference(certificate.object)]
    return {
        "apiVersion": CERTIFICATE_REQUEST.api_version,
        "kind": CERTIFICATE_REQUEST.name,
        "metadata": metadata,
        "spec": _request_spec(certificate, csr),
    }


def _request_spec(certificate: Certificate, csr: bytes) -> Manifest:
    """Return the spec; what is unset in the Certificate stays unset."""
    issuer = certificate.issuer_ref
    reference = {"name": issuer.name, "kind": issuer.kind, "group": issuer.group}
    spec: Manifest = {
        "issuerRef": {name: value for name, value in reference.items() if value or name == "name"},
        **encode_data({"request": csr}),
    }
    if certificate.duration_nano is not None:
        spec["duration"] = format_duration(certificate.duration_nano)
    if certificate.is_ca:
        spec["isCA"] = True
    if certificate.usages:
        spec["usages"] = list(certificate.usages)
    return spec


def copied_annotations(annotations: Any, prefixes: tuple[str, ...]) -> dict[str, str]:
    """Return the annotations that a request gets of its Certificate.

    The prefixes count in their order: one adds what begins so, `*` anywhere makes each of those
    add all, and one behind a `-` takes away.
    """
    copied: dict[str, str] = {}
    for prefix in prefixes:
        if prefix.startswith("-"):
            gone = prefix.removeprefix("-")
            copied = {name: value for name, value in copied.items() if not name.startswith(gone)}
        else:
            copied.update(
                (name, value)
                for name, value in annotations.items()
                if "*" in prefixes or name.startswith(prefix)
            )
    return copied


def request_manager_controller(options: Options) -> Controller[CertificateState]:
    """Return the loop."""
    return Controller(
        name="certificates-request-manager",
        kind=CERTIFICATE,
        gather=gather_for_requests,
        plan=partial(plan_request, options=options),
        wakes=(WAKE_OWNER_OF_REQUEST, WAKE_OWNER_OF_KEY_SECRET),
        indexes=(REQUESTS_BY_OWNER, REQUESTS_BY_NAME_PREFIX),
    )
