"""certificatesigningrequests-issuer-*: answer Kubernetes' own requests for issuers of one type.

A CertificateSigningRequest has no namespace, its signer may have one:
`issuers.cert-manager.io/NAMESPACE.NAME`. So whoever asks must be allowed to `reference` that signer
there, which the store is asked. Behind the gate ExperimentalCertificateSigningRequestControllers.

Source: reference cert-manager.md 3.8.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from typing import Any, Final, Literal

from certwright.errors import InvalidError
from certwright.issuers.contract import Refused, Signed, SigningRequest
from certwright.issuers.signers import SIGNERS
from certwright.pki.certificates import decode_certificates
from certwright.reconcile.contract import (
    SLOW_BACKOFF,
    Action,
    Controller,
    Create,
    Delete,
    Emit,
    Index,
    Plan,
    Reader,
    Sources,
    Wake,
)
from certwright.reconcile.indexes import place
from certwright.reconcile.issuers import (
    NOT_SUPPORTED,
    issuers_by_secret,
    not_supported_text,
    resource_namespace,
)
from certwright.reconcile.options import Options
from certwright.reconcile.status import set_fields, write_status
from certwright.resources import known, meta
from certwright.resources.certificate import DEFAULT_DURATION_NANO
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import get_condition
from certwright.resources.durations import SECOND_NANO, format_duration, parse_duration
from certwright.resources.gotext import quote
from certwright.resources.issuer import Issuer, IssuerType
from certwright.resources.kinds import (
    CERTIFICATE_SIGNING_REQUEST,
    CLUSTER_ISSUER,
    ISSUER,
    ORDER,
    SECRET,
    SUBJECT_ACCESS_REVIEW,
    Key,
    Manifest,
)
from certwright.resources.times import format_time

__all__ = ["SigningGathered", "plan_signing_request", "signer_key", "signing_requests_controller"]

DURATION_NANO_MIN: Final = 600 * SECOND_NANO
"""The shortest life that may be asked for."""
_SIGNERS: Final = {
    f"{ISSUER.plural}.{known.GROUP}": ISSUER,
    f"{CLUSTER_ISSUER.plural}.{known.GROUP}": CLUSTER_ISSUER,
}
_ISSUED: Final = "Certificate fetched from issuer successfully"
_SELF_SIGNED: Final = "Certificate self signed successfully"
_FOREIGN_KEY: Final = "Referenced private key in Secret does not match that in the request"


@dataclass(frozen=True, slots=True)
class SigningGathered:
    """A CertificateSigningRequest, its issuer, and what signing depends on."""

    request: Manifest
    signer: Key
    """The key of the Issuer or ClusterIssuer that it names."""
    issuer: Issuer | None = None
    is_allowed: bool = True
    """Whether the requester may use the issuer."""
    objects: Mapping[Key, Manifest] = field(default_factory=dict)


def signer_key(request: Manifest) -> Key | None:
    """Return the key of the issuer in `spec.signerName`, or None if the signer is not ours."""
    prefix, _, rest = str(meta.mapping_at(request, "spec").get("signerName") or "").partition("/")
    kind = _SIGNERS.get(prefix)
    if kind is None or not rest:
        return None
    if kind == CLUSTER_ISSUER:
        return kind.key("", rest)
    namespace, dot, name = rest.partition(".")
    return kind.key(namespace, name) if dot else kind.key("", rest)


def plan_signing_request(gathered: SigningGathered, sources: Sources, *, options: Options) -> Plan:
    """Plan the answer to a request, or what keeps it from one."""
    request = gathered.request
    if _is_closed(request):
        return Plan()
    if not _has(request, "Approved"):
        message = "Waiting for the Approved condition before issuing"
        return Plan((Emit(request, "Normal", "WaitingApproval", message),))
    obstacle = _obstacle(gathered)
    if obstacle is not None:
        return Plan((Emit(request, "Warning", *obstacle),))
    refusal = _refusal(gathered)
    if refusal is not None:
        return _plan_failure(request, *refusal, sources.now, options)
    assert gathered.issuer is not None
    ready = get_condition(gathered.issuer.object, "Ready")
    if ready is None or not ready.is_true:
        message = f"Referenced {_shown(gathered.signer)} does not have a Ready status condition"
        return Plan((Emit(request, "Warning", "IssuerNotReady", message),))
    return _plan_signing(gathered, gathered.issuer, sources, options)


def _obstacle(gathered: SigningGathered) -> tuple[str, str] | None:
    """Return reason and message of what may yet change, or None."""
    issuer, shown = gathered.issuer, _shown(gathered.signer)
    if issuer is None:
        return "IssuerNotFound", f"Referenced {shown} not found"
    try:
        issuer_type = issuer.type
    except InvalidError:
        return "IssuerTypeMissing", f"Referenced {shown} is missing type"
    if issuer_type not in SIGNERS:
        return NOT_SUPPORTED, not_supported_text(issuer_type)
    return None


def _refusal(gathered: SigningGathered) -> tuple[str, str] | None:
    """Return reason and message of why there will be no certificate, or None."""
    signer = gathered.signer
    if not gathered.is_allowed:
        where = f"{signer.namespace}/{signer.name}"
        return "DeniedReference", f"Requester may not reference Namespaced Issuer {where}"
    try:
        duration_nano = _duration_nano(gathered.request)
    except InvalidError as error:
        return "ErrorParseDuration", f"Failed to parse requested duration: {error}"
    if duration_nano < DURATION_NANO_MIN:
        return "InvalidDuration", (
            "CertificateSigningRequest minimum allowed duration is "
            f"{format_duration(DURATION_NANO_MIN)}, requested {format_duration(duration_nano)}"
        )
    assert gathered.issuer is not None
    if gathered.issuer.type == "selfSigned" and not _key_secret_name(gathered.request):
        annotation = quote(known.CSR_PRIVATE_KEY_SECRET_NAME)
        return "MissingAnnotation", f"Missing private key reference annotation: {annotation}"
    return None


def _plan_signing(
    gathered: SigningGathered, issuer: Issuer, sources: Sources, options: Options
) -> Plan:
    request = gathered.request
    namespace = resource_namespace(issuer, options)
    outcome = SIGNERS[issuer.type].sign(
        SigningRequest(
            request=_as_certificate_request(request, namespace),
            issuer=issuer,
            resource_namespace=namespace,
            now=sources.now,
            serial=sources.serial(),
            objects=gathered.objects,
        )
    )
    if isinstance(outcome, Signed):
        try:
            decode_certificates(outcome.certificate_pem)
        except InvalidError as error:
            message = f"Failed to parse returned certificate bundle: {error}"
            return _plan_failure(request, "ErrorParsingCert", message, sources.now, options)
        pem = base64.b64encode(outcome.certificate_pem).decode("ascii")
        signed = set_fields(request, certificate=pem)
        notices = (Emit(request, n.type, n.reason, n.message) for n in outcome.notices)
        return Plan(
            (
                *write_status(request, signed, options.gates, fields=("certificate",)),
                *notices,
                Emit(
                    request,
                    "Normal",
                    "CertificateIssued",
                    _SELF_SIGNED if issuer.type == "selfSigned" else _ISSUED,
                ),
            )
        )
    if isinstance(outcome, Refused):
        return _plan_failure(
            request, *_own_words(outcome.reason, outcome.message), sources.now, options
        )
    work: list[Action] = [Create(obj) for obj in outcome.create]
    work += [Delete(key, uid) for key, uid in outcome.delete]
    kind: Literal["Normal", "Warning"] = "Normal" if outcome.is_progress else "Warning"
    return Plan(
        (*work, Emit(request, kind, *_own_words(outcome.reason, outcome.message))),
        retry=outcome.message if outcome.retry else "",
    )


def _own_words(reason: str, message: str) -> tuple[str, str]:
    """Return reason and message as the original words them for a CertificateSigningRequest."""
    found, _, _ = message.partition(" not found: ")
    match reason:
        case "ErrorKeyMatch":
            return reason, _FOREIGN_KEY
        case "MissingSecret":
            return "SecretNotFound", f"{found.replace('secret', 'Secret', 1)} not found"
        case "SecretMissing":
            return reason, f"{found} not found"
        case _:
            return reason, message


def _plan_failure(
    request: Manifest, reason: str, message: str, now: datetime, options: Options
) -> Plan:
    condition = {
        "type": "Failed",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastUpdateTime": format_time(now),
        "lastTransitionTime": format_time(now),
    }
    present = meta.mapping_at(request, "status").get("conditions") or ()
    failed = set_fields(request, conditions=[*present, condition])
    return Plan(
        (
            *write_status(request, failed, options.gates, conditions=("Failed",)),
            Emit(request, "Warning", reason, message),
        )
    )


# ------------------------------------------------------------------------------ a request's fields


def _as_certificate_request(request: Manifest, namespace: str) -> CertificateRequest:
    """Return the same question as a CertificateRequest in the namespace of the issuer's Secrets."""
    spec = meta.mapping_at(request, "spec")
    annotations = meta.annotations(request)
    wanted: dict[str, Any] = {
        "request": spec.get("request"),
        "duration": format_duration(_duration_nano(request)),
        "isCA": annotations.get(known.CSR_REQUEST_IS_CA) == "true",
        "usages": list(spec.get("usages") or ()),
    }
    metadata: dict[str, Any] = {
        "name": meta.name(request),
        "namespace": namespace,
        "uid": meta.uid(request),
        "labels": dict(meta.labels(request)),
    }
    signer = signer_key(request)
    if signer is not None:
        ref = {"name": signer.name, "kind": signer.kind.name, "group": known.GROUP}
        wanted["issuerRef"] = ref
    if _key_secret_name(request):
        metadata["annotations"] = {known.PRIVATE_KEY_SECRET_NAME: _key_secret_name(request)}
    return CertificateRequest(
        {
            # What is made for it belongs to the object that there is.
            "apiVersion": CERTIFICATE_SIGNING_REQUEST.api_version,
            "kind": CERTIFICATE_SIGNING_REQUEST.name,
            "metadata": metadata,
            "spec": wanted,
        }
    )


def _duration_nano(request: Manifest) -> int:
    """Return the life asked for: by annotation, by `spec.expirationSeconds`, or 90 days."""
    text = meta.annotations(request).get(known.CSR_REQUEST_DURATION)
    if text is not None:
        try:
            return parse_duration(text)
        except InvalidError as error:
            annotation = quote(known.CSR_REQUEST_DURATION)
            problem = f"failed to parse requested duration on annotation {annotation}"
            raise InvalidError(f"{problem}: {error}") from error
    seconds = meta.mapping_at(request, "spec").get("expirationSeconds")
    return DEFAULT_DURATION_NANO if seconds is None else int(seconds) * SECOND_NANO


def _key_secret_name(request: Manifest) -> str:
    return meta.annotations(request).get(known.CSR_PRIVATE_KEY_SECRET_NAME, "")


def _has(request: Manifest, condition_type: str) -> bool:
    condition = get_condition(request, condition_type)
    return condition is not None and condition.is_true


def _is_closed(request: Manifest) -> bool:
    is_signed = bool(meta.mapping_at(request, "status").get("certificate"))
    return is_signed or _has(request, "Failed") or _has(request, "Denied")


def _shown(signer: Key) -> str:
    return f"{signer.kind.name} {signer.namespace}/{signer.name}"


# ------------------------------------------------------------------------------ what is read


async def _gather(
    key: Key, reader: Reader, *, issuer_type: IssuerType, options: Options
) -> SigningGathered | None:
    request = await reader.get(key)
    signer = None if request is None else signer_key(request)
    if request is None or signer is None or _is_closed(request):
        return None
    is_hidden = signer.kind == CLUSTER_ISSUER and bool(options.namespace)
    found = None if is_hidden else await reader.get(signer)
    if found is None:
        return SigningGathered(request, signer)
    issuer = Issuer(found)
    try:
        if issuer.type != issuer_type:
            return None
    except InvalidError:
        return SigningGathered(request, signer, issuer)
    if not _has(request, "Approved"):
        return SigningGathered(request, signer, issuer)
    is_allowed = signer.kind == CLUSTER_ISSUER or await _is_allowed(request, signer, reader)
    objects: dict[Key, Manifest] = {}
    served_by = SIGNERS.get(issuer_type)
    namespace = resource_namespace(issuer, options)
    if served_by is not None and _refusal(SigningGathered(request, signer, issuer)) is None:
        asked = _as_certificate_request(request, namespace)
        for needed in served_by.needs(asked, issuer, namespace):
            obj = await reader.get(needed)
            if obj is not None:
                objects[needed] = obj
    return SigningGathered(request, signer, issuer, is_allowed, objects)


async def _is_allowed(request: Manifest, signer: Key, reader: Reader) -> bool:
    """Ask whether the requester may reference this signer, or all signers, in the namespace."""
    spec = meta.mapping_at(request, "spec")
    for name in (signer.name, "*"):
        question = {
            "apiVersion": SUBJECT_ACCESS_REVIEW.api_version,
            "kind": SUBJECT_ACCESS_REVIEW.name,
            "spec": {
                "user": spec.get("username") or "",
                "groups": list(spec.get("groups") or ()),
                "extra": dict(spec.get("extra") or {}),
                "uid": spec.get("uid") or "",
                "resourceAttributes": {
                    "group": known.GROUP,
                    "resource": "signers",
                    "verb": "reference",
                    "namespace": signer.namespace,
                    "name": name,
                    "version": "*",
                },
            },
        }
        answer = await reader.review(question)
        if meta.mapping_at(answer, "status").get("allowed") is True:
            return True
    return False


def _signer(request: Manifest) -> Iterator[str]:
    signer = signer_key(request)
    if signer is not None and not _is_closed(request):
        yield str(signer)


OPEN_SIGNING_REQUESTS_BY_ISSUER: Final = Index("signer", CERTIFICATE_SIGNING_REQUEST, _signer)
"""Requests without an answer, by the text of their issuer's key."""


@cache
def _by_key_secret(options: Options) -> Index:
    """Return the index of open requests by the Secret that their annotation names."""

    def values(request: Manifest) -> Iterator[str]:
        signer, name = signer_key(request), _key_secret_name(request)
        if signer is not None and name and not _is_closed(request):
            yield place(signer.namespace or options.cluster_resource_namespace, name)

    return Index("signing-key-secret", CERTIFICATE_SIGNING_REQUEST, values)


async def _requests_of_issuer(obj: Manifest, reader: Reader) -> Sequence[Key]:
    value = str(meta.key_of(obj))
    found = await reader.find(OPEN_SIGNING_REQUESTS_BY_ISSUER, value)
    return [meta.key_of(request) for request in found]


async def _owner_of_order(obj: Manifest, _reader: Reader) -> Sequence[Key]:
    owner = meta.controller_of(obj)
    if owner is None or owner.kind != CERTIFICATE_SIGNING_REQUEST.name:
        return ()
    return (CERTIFICATE_SIGNING_REQUEST.key("", owner.name),)


def signing_requests_controller(
    issuer_type: IssuerType, options: Options
) -> Controller[SigningGathered]:
    """Return the loop for the issuers of one type."""
    kinds = (ISSUER,) if options.namespace else (ISSUER, CLUSTER_ISSUER)
    indexes = tuple(issuers_by_secret(kind, options) for kind in kinds)
    by_key_secret = _by_key_secret(options)

    async def requests_of_secret(obj: Manifest, reader: Reader) -> Sequence[Key]:
        value = place(meta.namespace(obj), meta.name(obj))
        keys = [meta.key_of(request) for request in await reader.find(by_key_secret, value)]
        for index in indexes:
            for issuer in await reader.find(index, value):
                keys += await _requests_of_issuer(issuer, reader)
        return keys

    orders = (Wake(ORDER, _owner_of_order),) if issuer_type == "acme" else ()
    return Controller(
        name=f"certificatesigningrequests-issuer-{issuer_type.lower()}",
        kind=CERTIFICATE_SIGNING_REQUEST,
        gather=partial(_gather, issuer_type=issuer_type, options=options),
        plan=partial(plan_signing_request, options=options),
        wakes=(
            *(Wake(kind, _requests_of_issuer) for kind in kinds),
            Wake(SECRET, requests_of_secret),
            *orders,
        ),
        backoff=SLOW_BACKOFF,
        indexes=(OPEN_SIGNING_REQUESTS_BY_ISSUER, by_key_secret, *indexes),
    )
