"""What gatherers look up by something else than its name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from certwright.reconcile.contract import Index
from certwright.resources import known, meta
from certwright.resources.acme import Challenge, Order
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CHALLENGE,
    ORDER,
    SECRET,
    Manifest,
)

__all__ = [
    "CERTIFICATES_BY_ISSUER",
    "CERTIFICATES_BY_KEY_SECRET",
    "CERTIFICATES_BY_OWNER",
    "CERTIFICATES_BY_SECRET",
    "CHALLENGES_BY_OWNER",
    "CHALLENGES_BY_STAGE",
    "KEY_SECRETS_BY_OWNER",
    "OPEN_CHALLENGES_BY_ISSUER",
    "OPEN_ORDERS_BY_ISSUER",
    "OPEN_REQUESTS_BY_ISSUER",
    "OPEN_REQUESTS_BY_KEY_SECRET",
    "REQUESTS_BY_NAME_PREFIX",
    "REQUESTS_BY_OWNER",
    "is_closed",
    "issuer_value",
    "place",
]

_FINAL_REASONS: Final = frozenset({"Failed", "Issued", "Denied"})


def place(namespace: str, name: str) -> str:
    """Return the value under which an object is found by its namespace and name."""
    return f"{namespace}/{name}"


def issuer_value(kind: str, namespace: str, name: str) -> str:
    """Return the value under which what refers to an issuer is found."""
    return f"{kind}/{'' if kind == known.CLUSTER_ISSUER_KIND else namespace}/{name}"


def is_closed(request: Manifest) -> bool:
    """Whether a CertificateRequest has its answer: Ready's reason is Issued, Failed or Denied."""
    ready = get_condition(request, "Ready")
    return ready is not None and ready.reason in _FINAL_REASONS


def _secret_of_certificate(obj: Manifest) -> Iterator[str]:
    certificate = Certificate(obj)
    if certificate.secret_name:
        yield place(certificate.namespace, certificate.secret_name)


def _issuer_of_certificate(obj: Manifest) -> Iterator[str]:
    certificate = Certificate(obj)
    ref = certificate.issuer_ref
    if not ref.is_external:
        yield issuer_value(ref.kind_or_default, certificate.namespace, ref.name)


def _key_secret_of_certificate(obj: Manifest) -> Iterator[str]:
    certificate = Certificate(obj)
    if certificate.next_private_key_secret_name:
        yield place(certificate.namespace, certificate.next_private_key_secret_name)


def _owner(obj: Manifest) -> Iterator[str]:
    owner = meta.controller_of(obj)
    if owner is not None and owner.uid:
        yield owner.uid


def _owner_of_key_secret(obj: Manifest) -> Iterator[str]:
    if meta.labels(obj).get(known.NEXT_PRIVATE_KEY) == "true":
        yield from _owner(obj)


def _name_prefix(obj: Manifest) -> Iterator[str]:
    prefix, dash, _ = meta.name(obj).rpartition("-")
    if dash:
        yield place(meta.namespace(obj), f"{prefix}-")


def _issuer_of_open_request(obj: Manifest) -> Iterator[str]:
    request = CertificateRequest(obj)
    issuer = request.issuer_ref
    if not issuer.is_external and not is_closed(obj):
        yield issuer_value(issuer.kind_or_default, request.namespace, issuer.name)


def _key_secret_of_open_request(obj: Manifest) -> Iterator[str]:
    request = CertificateRequest(obj)
    name = request.annotations.get(known.PRIVATE_KEY_SECRET_NAME, "")
    if name and not request.issuer_ref.is_external and not is_closed(obj):
        yield place(request.namespace, name)


def _issuer_of_open_order(obj: Manifest) -> Iterator[str]:
    order = Order(obj)
    if order.has_failed or order.status.get("certificate"):
        return
    ref = order.issuer_ref
    yield issuer_value(ref.kind_or_default, order.namespace, ref.name)


def _issuer_of_open_challenge(obj: Manifest) -> Iterator[str]:
    challenge = Challenge(obj)
    if challenge.is_processing and not challenge.is_final:
        ref = challenge.issuer_ref
        yield issuer_value(ref.kind_or_default, challenge.namespace, ref.name)


def _stage(obj: Manifest) -> Iterator[str]:
    challenge = Challenge(obj)
    if challenge.is_processing:
        yield "processing"
    elif not challenge.is_final and meta.deletion_time(obj) is None:
        yield "waiting"


CERTIFICATES_BY_SECRET: Final = Index("secret", CERTIFICATE, _secret_of_certificate)
"""By `namespace/spec.secretName`."""
CERTIFICATES_BY_ISSUER: Final = Index("issuer", CERTIFICATE, _issuer_of_certificate)
"""By `issuer_value`."""
CERTIFICATES_BY_KEY_SECRET: Final = Index("key-secret", CERTIFICATE, _key_secret_of_certificate)
"""By `namespace/status.nextPrivateKeySecretName`."""
CERTIFICATES_BY_OWNER: Final = Index("owner", CERTIFICATE, _owner)
"""By the uid of the Ingress, Gateway or ListenerSet that controls them."""
REQUESTS_BY_OWNER: Final = Index("owner", CERTIFICATE_REQUEST, _owner)
"""By the uid of the Certificate that controls them."""
REQUESTS_BY_NAME_PREFIX: Final = Index("name-prefix", CERTIFICATE_REQUEST, _name_prefix)
"""By `namespace/` and the name up to its last dash: whose names a new request must not take."""
KEY_SECRETS_BY_OWNER: Final = Index("key-owner", SECRET, _owner_of_key_secret)
"""Secrets that hold the next private key, by the uid of their Certificate."""
OPEN_REQUESTS_BY_ISSUER: Final = Index("issuer", CERTIFICATE_REQUEST, _issuer_of_open_request)
"""Requests without an answer, by `issuer_value`."""
OPEN_REQUESTS_BY_KEY_SECRET: Final = Index(
    "request-key-secret", CERTIFICATE_REQUEST, _key_secret_of_open_request
)
"""Requests without an answer, by the Secret that their annotation names."""
CHALLENGES_BY_OWNER: Final = Index("owner", CHALLENGE, _owner)
"""By the uid of the Order that controls them."""
CHALLENGES_BY_STAGE: Final = Index("stage", CHALLENGE, _stage)
"""`processing`, or `waiting` for the scheduler."""
OPEN_CHALLENGES_BY_ISSUER: Final = Index("issuer", CHALLENGE, _issuer_of_open_challenge)
"""Challenges at work, by `issuer_value`."""
OPEN_ORDERS_BY_ISSUER: Final = Index("issuer", ORDER, _issuer_of_open_order)
"""Orders without an end, by `issuer_value`."""
