"""Who may approve or deny a CertificateRequest: who may `approve` for the signer it names.

Pure: what has to be asked of the API server is given as questions, in their order.

Source: reference cert-manager.md 4.4 (CertificateRequestApproval).
"""

from __future__ import annotations

from dataclasses import dataclass

from certwright.admission.fields import FieldError, forbidden
from certwright.admission.identity import UserInfo
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import get_condition
from certwright.resources.gotext import quote
from certwright.resources.issuer_ref import IssuerRef
from certwright.resources.kinds import SUBJECT_ACCESS_REVIEW, Manifest

__all__ = [
    "SignerResource",
    "access_review",
    "decides",
    "not_permitted",
    "signer_names",
    "unknown_signer",
]


@dataclass(frozen=True, slots=True)
class SignerResource:
    """What discovery says about an issuer's kind."""

    group: str
    resource: str
    """Plural name, such as `clusterissuers`."""
    namespaced: bool


def decides(old: CertificateRequest, request: CertificateRequest) -> bool:
    """Whether the change approves or denies: the condition is new, whatever its status."""
    return any(
        get_condition(old.object, kind) is None and get_condition(request.object, kind) is not None
        for kind in ("Approved", "Denied")
    )


def signer_names(request: CertificateRequest, signer: SignerResource) -> tuple[str, str]:
    """Return the two names of RBAC's `signers`: all of the kind, and this one."""
    kind = f"{signer.resource}.{signer.group}"
    name = request.issuer_ref.name
    own = f"{request.namespace}.{name}" if signer.namespaced else name
    return (f"{kind}/*", f"{kind}/{own}")


def access_review(user: UserInfo, signer_name: str) -> Manifest:
    """Return the question whether the user may approve for a signer."""
    spec: Manifest = {
        "user": user.username,
        "resourceAttributes": {
            "verb": "approve",
            "group": "cert-manager.io",
            "version": "*",
            "resource": "signers",
            "name": signer_name,
        },
    }
    if user.uid:
        spec["uid"] = user.uid
    if user.groups:
        spec["groups"] = list(user.groups)
    if user.extra:
        spec["extra"] = {name: list(values) for name, values in user.extra.items()}
    return {
        "apiVersion": SUBJECT_ACCESS_REVIEW.api_version,
        "kind": SUBJECT_ACCESS_REVIEW.name,
        "metadata": {},
        "spec": spec,
    }


def unknown_signer(ref: IssuerRef) -> FieldError:
    """Refuse: the API server knows no such kind."""
    return forbidden("spec.issuerRef", f"referenced signer resource does not exist: {ref}")


def not_permitted(user: UserInfo, ref: IssuerRef) -> FieldError:
    """Refuse: the user may not approve for this issuer."""
    return forbidden(
        "status.conditions",
        f"user {quote(user.username)} does not have permissions to set approved/denied conditions"
        f" for issuer {ref}",
    )
