"""certificatesigningrequests-issuer-*: Kubernetes' own requests, answered by `signing`.

A CertificateSigningRequest has no namespace, its signer may have one:
`issuers.cert-manager.io/NAMESPACE.NAME`. So whoever asks must be allowed to `reference` that signer
there, which the store is asked. Behind the gate ExperimentalCertificateSigningRequestControllers.

Source: reference cert-manager.md 3.8.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, Literal

from certwright.errors import InvalidError
from certwright.issuers.contract import Refused, Signed, Waiting
from certwright.reconcile.contract import Action, Controller, Emit, Index, Plan, Reader
from certwright.reconcile.indexes import place
from certwright.reconcile.options import Options
from certwright.reconcile.signing import Gathered, Writing, is_true, signing_controller
from certwright.reconcile.status import set_fields, write_status
from certwright.resources import known, meta
from certwright.resources.certificate import DEFAULT_DURATION_NANO
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.durations import SECOND_NANO, format_duration, parse_duration
from certwright.resources.gotext import quote
from certwright.resources.issuer import Issuer, IssuerType
from certwright.resources.kinds import (
    CERTIFICATE_SIGNING_REQUEST,
    CLUSTER_ISSUER,
    ISSUER,
    SUBJECT_ACCESS_REVIEW,
    Key,
    Kind,
    Manifest,
)
from certwright.resources.times import format_time

__all__ = ["signer_key", "signing_requests_controller"]

DURATION_NANO_MIN: Final = 600 * SECOND_NANO
"""The shortest life that may be asked for."""
_SIGNERS: Final = {
    f"{ISSUER.plural}.{known.GROUP}": ISSUER,
    f"{CLUSTER_ISSUER.plural}.{known.GROUP}": CLUSTER_ISSUER,
}
_ISSUED: Final = "Certificate fetched from issuer successfully"
_SELF_SIGNED: Final = "Certificate self signed successfully"
_FOREIGN_KEY: Final = "Referenced private key in Secret does not match that in the request"
_VAULT_SIGNING: Final = "Vault failed to sign certificate: "
_REASONS: Final[Mapping[str, str]] = {
    "VaultInitError": "ErrorVaultInit",
    "VenafiInitError": "ErrorVenafiInit",
    "CustomFieldsError": "ErrorCustomFields",
    "RequestError": "ErrorRequest",
    "RetrieveError": "ErrorRetrieve",
    "ParseError": "ErrorParse",
}
"""Reasons of CertificateRequests by what they are called here."""
_ANNOTATIONS: Final[Mapping[str, str]] = {
    known.PRIVATE_KEY_SECRET_NAME: known.CSR_PRIVATE_KEY_SECRET_NAME,
    known.VENAFI_CUSTOM_FIELDS: known.CSR_VENAFI_CUSTOM_FIELDS,
    known.VENAFI_PICKUP_ID: known.CSR_VENAFI_PICKUP_ID,
}
"""Annotations of CertificateRequests by what they are called here."""


def signing_requests_controller(issuer_type: IssuerType, options: Options) -> Controller[Gathered]:
    """Return the loop for the issuers of one type."""
    return signing_controller(_SigningRequestForm(), issuer_type, options)


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


class _SigningRequestForm:
    """CertificateSigningRequests; see `signing.Form`."""

    kind: Kind = CERTIFICATE_SIGNING_REQUEST
    loop = "certificatesigningrequests-issuer-"

    # -------------------------------------------------------------------------- reading

    @property
    def open_by_issuer(self) -> Index:
        return _OPEN_BY_ISSUER

    def open_by_secret(self, options: Options) -> Index:
        return _by_key_secret(options)

    def issuer_value(self, issuer: Manifest) -> str:
        return str(meta.key_of(issuer))

    def is_ours(self, obj: Manifest) -> bool:
        return signer_key(obj) is not None

    def issuer_key(self, obj: Manifest) -> Key | None:
        return signer_key(obj)

    def is_to_sign(self, obj: Manifest) -> bool:
        return is_true(obj, "Approved") and not _is_closed(obj)

    async def is_allowed(self, obj: Manifest, issuer: Key, reader: Reader) -> bool:
        return issuer.kind == CLUSTER_ISSUER or await _may_reference(obj, issuer, reader)

    def question(self, obj: Manifest, resource_namespace: str) -> CertificateRequest:
        return _as_certificate_request(obj, resource_namespace)

    # -------------------------------------------------------------------------- words

    def missing(self, gathered: Gathered) -> Waiting:
        return Waiting("IssuerNotFound", f"Referenced {_shown(gathered)} not found")

    def untyped(self, gathered: Gathered, _error: InvalidError) -> Waiting:
        return Waiting("IssuerTypeMissing", f"Referenced {_shown(gathered)} is missing type")

    def not_ready(self, gathered: Gathered) -> Waiting:
        message = f"Referenced {_shown(gathered)} does not have a Ready status condition"
        return Waiting("IssuerNotReady", message)

    def undecodable(self, error: InvalidError) -> Refused:
        return Refused("ErrorParsingCert", f"Failed to parse returned certificate bundle: {error}")

    def refusal(self, gathered: Gathered) -> Refused | None:
        signer = gathered.issuer_key
        if not gathered.is_allowed and signer is not None:
            where = f"{signer.namespace}/{signer.name}"
            message = f"Requester may not reference Namespaced Issuer {where}"
            return Refused("DeniedReference", message)
        try:
            duration_nano = _duration_nano(gathered.object)
        except InvalidError as error:
            return Refused("ErrorParseDuration", f"Failed to parse requested duration: {error}")
        if duration_nano < DURATION_NANO_MIN:
            return Refused(
                "InvalidDuration",
                "CertificateSigningRequest minimum allowed duration is "
                f"{format_duration(DURATION_NANO_MIN)}, requested {format_duration(duration_nano)}",
            )
        assert gathered.issuer is not None
        if gathered.issuer.type == "selfSigned" and not _key_secret_name(gathered.object):
            annotation = quote(known.CSR_PRIVATE_KEY_SECRET_NAME)
            message = f"Missing private key reference annotation: {annotation}"
            return Refused("MissingAnnotation", message)
        return None

    # -------------------------------------------------------------------------- writing

    def settled(self, obj: Manifest, _writing: Writing) -> Plan | None:
        if _is_closed(obj):
            return Plan()
        if is_true(obj, "Approved"):
            return None
        message = "Waiting for the Approved condition before issuing"
        return Plan((Emit(obj, "Normal", "WaitingApproval", message),))

    def waiting(self, obj: Manifest, outcome: Waiting, _writing: Writing) -> tuple[Action, ...]:
        kind: Literal["Normal", "Warning"] = "Normal" if outcome.is_progress else "Warning"
        return (Emit(obj, kind, *_own_words(outcome.reason, outcome.message)),)

    def refused(self, obj: Manifest, outcome: Refused, writing: Writing) -> tuple[Action, ...]:
        reason, message = _own_words(outcome.reason, outcome.message)
        condition = {
            "type": "Failed",
            "status": "True",
            "reason": reason,
            "message": message,
            "lastUpdateTime": format_time(writing.now),
            "lastTransitionTime": format_time(writing.now),
        }
        present = meta.mapping_at(obj, "status").get("conditions") or ()
        failed = set_fields(obj, conditions=[*present, condition])
        written = write_status(obj, failed, writing.options.gates, conditions=("Failed",))
        return (*written, Emit(obj, "Warning", reason, message))

    def signed(
        self, obj: Manifest, outcome: Signed, issuer: Issuer, writing: Writing
    ) -> tuple[Action, ...]:
        pem = base64.b64encode(outcome.certificate_pem).decode("ascii")
        signed = set_fields(obj, certificate=pem)
        written = write_status(obj, signed, writing.options.gates, fields=("certificate",))
        notices = (Emit(obj, n.type, n.reason, n.message) for n in outcome.notices)
        text = _SELF_SIGNED if issuer.type == "selfSigned" else _ISSUED
        return (*written, *notices, Emit(obj, "Normal", "CertificateIssued", text))

    def annotated(self, obj: Manifest, annotations: Mapping[str, str]) -> Manifest:
        ours = {_ANNOTATIONS.get(name, name): value for name, value in annotations.items()}
        merged = {**meta.annotations(obj), **ours}
        return {**obj, "metadata": {**obj["metadata"], "annotations": merged}}


def _own_words(reason: str, message: str) -> tuple[str, str]:
    """Return reason and message as the original words them for a CertificateSigningRequest."""
    found, _, _ = message.partition(" not found: ")
    match reason:
        case "ErrorKeyMatch":
            return reason, _FOREIGN_KEY
        case "MissingSecret":
            return "SecretNotFound", f"{found.replace('secret', 'Secret', 1)} not found"
        case "SecretMissing" if found == "Required secret resource":
            return "SecretNotFound", f"{found} not found"
        case "SecretMissing":
            return reason, f"{found} not found"
        case "SigningError" if message.startswith(_VAULT_SIGNING):
            return "ErrorSigning", f"Vault failed to sign: {message.removeprefix(_VAULT_SIGNING)}"
        case _:
            return _REASONS.get(reason, reason), message


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
    if found := {
        name: annotations[ours] for name, ours in _ANNOTATIONS.items() if annotations.get(ours)
    }:
        metadata["annotations"] = found
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


def _is_closed(request: Manifest) -> bool:
    is_signed = bool(meta.mapping_at(request, "status").get("certificate"))
    return is_signed or is_true(request, "Failed") or is_true(request, "Denied")


def _shown(gathered: Gathered) -> str:
    signer = gathered.issuer_key
    assert signer is not None
    return f"{signer.kind.name} {signer.namespace}/{signer.name}"


# ------------------------------------------------------------------------------ what is read


async def _may_reference(request: Manifest, signer: Key, reader: Reader) -> bool:
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


_OPEN_BY_ISSUER: Final = Index("signer", CERTIFICATE_SIGNING_REQUEST, _signer)
"""Requests without an answer, by the text of their issuer's key."""


@cache
def _by_key_secret(options: Options) -> Index:
    """Return the index of open requests by the Secret that their annotation names."""

    def values(request: Manifest) -> Iterator[str]:
        signer, name = signer_key(request), _key_secret_name(request)
        if signer is not None and name and not _is_closed(request):
            yield place(signer.namespace or options.cluster_resource_namespace, name)

    return Index("signing-key-secret", CERTIFICATE_SIGNING_REQUEST, values)
