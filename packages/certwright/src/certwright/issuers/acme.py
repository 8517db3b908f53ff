"""The ACME issuer: asks for an Order and takes its certificate.

The account is the business of `reconcile.acme_account`, the Order that of `reconcile.acme_orders`.

Source: reference cert-manager.md 3.4 (CertificateRequest → Order).
"""

from __future__ import annotations

from typing import Any, Final

from certwright.acme.names import order_name
from certwright.errors import InvalidError
from certwright.issuers.contract import (
    Notice,
    Outcome,
    Refused,
    Signed,
    SigningRequest,
    Waiting,
)
from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.pki.csr import DecodedRequest, decode_csr
from certwright.pki.usages import key_usages, usages_of
from certwright.resources import meta
from certwright.resources.acme import AcmeIssuer, Order
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.durations import format_duration
from certwright.resources.gotext import format_strings, quote
from certwright.resources.issuer import Issuer, IssuerType
from certwright.resources.kinds import (
    CERTIFICATE_SIGNING_REQUEST,
    ORDER,
    SECRET,
    Key,
    Manifest,
)

__all__ = ["AcmeSigner"]

_COMMON_NAME: Final = (
    "The CSR PEM requests a commonName that is not present in the list of dnsNames or ipAddresses. "
    "If a commonName is set, ACME requires that the value is also present in the list of dnsNames "
    "or ipAddresses"
)


class AcmeSigner:
    """Signs for issuers with `spec.acme`."""

    @property
    def type(self) -> IssuerType:
        """`acme`."""
        return "acme"

    def issuer_needs(self, issuer: Issuer, resource_namespace: str, /) -> tuple[Key, ...]:
        """Return the Secrets of the account's key and of its binding."""
        acme = AcmeIssuer(issuer.object)
        names = [acme.key_ref.name]
        names.append(str(meta.mapping_at(acme.binding, "keySecretRef").get("name") or ""))
        return tuple(SECRET.key(resource_namespace, name) for name in names if name)

    def needs(
        self, request: CertificateRequest, issuer: Issuer, resource_namespace: str, /
    ) -> tuple[Key, ...]:
        """Return the Order."""
        try:
            csr = decode_csr(request.request)
            name = _name(request, _order_spec(request, csr, issuer))
        except InvalidError:
            return ()
        return (ORDER.key(request.namespace, name),)

    def sign(self, request: SigningRequest, /) -> Outcome:
        """Return what the Order has come to."""
        wanted = request.request
        try:
            csr = decode_csr(wanted.request)
        except InvalidError as error:
            return Refused("RequestParsingError", f"Failed to decode CSR in spec.request: {error}")
        common_name = csr.subject.common_name
        if common_name and common_name not in (*csr.names.dns, *csr.names.ips):
            why = (
                f"{quote(common_name)} does not exist in {format_strings(csr.names.dns)} or "
                f"{format_strings(csr.names.ips)}"
            )
            return Refused("InvalidOrder", f"{_COMMON_NAME}: {why}")
        try:
            expected = _order(wanted, csr, request.issuer)
        except InvalidError as error:
            return Refused("OrderBuildingError", f"Failed to build order: {error}")
        place = f"{wanted.namespace}/{meta.name(expected)}"
        found = request.objects.get(meta.key_of(expected))
        if found is None:
            return Waiting(
                "OrderCreated",
                f"Created Order resource {place}",
                create=(expected,),
                is_progress=True,
            )
        return _outcome(Order(found), wanted, csr, place)


def _outcome(order: Order, wanted: CertificateRequest, csr: DecodedRequest, place: str) -> Outcome:
    if not meta.is_controlled_by(order.object, wanted.uid):
        return Waiting(
            "OrderGetError",
            "found Order resource not owned by this CertificateRequest, retrying",
            retry=True,
        )
    if order.has_failed:
        shown = place if _is_kubernetes(wanted) else quote(order.name)
        return Refused(
            "OrderFailed",
            f"Failed to wait for order resource {shown} to become ready: "
            f"order is in {quote(order.state)} state: {order.reason}",
        )
    if order.state != "valid":
        return Waiting(
            "OrderPending",
            f"Waiting on certificate issuance from order {place}: {quote(order.state)}",
            is_progress=True,
        )
    if not order.certificate:
        return Waiting(
            "OrderPending",
            f"Waiting for order-controller to add certificate data to Order {place}",
            is_progress=True,
        )
    try:
        leaf = decode_certificates(order.certificate)[0]
    except InvalidError:
        leaf = None
    if leaf is None or leaf.public_key_der != csr.public_key_der:
        gone = (meta.key_of(order.object), meta.uid(order.object))
        why = f"The certificate in Order {place} is not for the key of this request; ordering again"
        return Waiting("OrderPending", why, delete=(gone,), retry=True)
    return Signed(order.certificate, b"", _dropped(wanted, leaf))


def _dropped(wanted: CertificateRequest, leaf: DecodedCertificate) -> tuple[Notice, ...]:
    """Say which usages the CA left out: it decides, and asking again would change nothing."""
    try:
        _, asked = key_usages(wanted.usages_or_default, is_ca=False)
    except InvalidError:
        return ()
    missing = [oid for oid in asked if oid not in leaf.extended_key_usages]
    if not missing:
        return ()
    words = ", ".join(usages_of(0, missing))
    message = f"The CA issued the certificate without usages that were asked for: {words}"
    return (Notice("Warning", "UsagesDropped", message),)


def _order(request: CertificateRequest, csr: DecodedRequest, issuer: Issuer) -> Manifest:
    spec = _order_spec(request, csr, issuer)
    metadata: dict[str, Any] = {
        "name": _name(request, spec),
        "namespace": request.namespace,
        "ownerReferences": [meta.controller_reference(request.object)],
    }
    for field in ("labels", "annotations"):
        if copied := dict(meta.mapping_at(request.object, "metadata", field)):
            metadata[field] = copied
    return {
        "apiVersion": ORDER.api_version,
        "kind": ORDER.name,
        "metadata": metadata,
        "spec": spec,
    }


def _order_spec(request: CertificateRequest, csr: DecodedRequest, issuer: Issuer) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "request": request.spec.get("request"),
        "issuerRef": dict(meta.mapping_at(request.spec, "issuerRef")),
    }
    if csr.subject.common_name:
        spec["commonName"] = csr.subject.common_name
    if csr.names.dns:
        spec["dnsNames"] = list(csr.names.dns)
    if csr.names.ips:
        spec["ipAddresses"] = list(csr.names.ips)
    if AcmeIssuer(issuer.object).has_durations and request.duration_nano is not None:
        spec["duration"] = format_duration(request.duration_nano)
    return spec


def _name(request: CertificateRequest, spec: dict[str, Any]) -> str:
    field = "certificateRequestName"
    if _is_kubernetes(request):
        field = "certificateSigningRequestName"
    return order_name(request.name, spec, field)


def _is_kubernetes(request: CertificateRequest) -> bool:
    """Return whether a Kubernetes CertificateSigningRequest stands behind it."""
    return request.object.get("kind") == CERTIFICATE_SIGNING_REQUEST.name
