"""`ctl status certificate`: a Certificate with all that belongs to it, from top to bottom.

Source: cert-manager v1.12 cmd/ctl/pkg/status/certificate (output).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from certwright.engine.store import Store
from certwright.errors import CertwrightError, InvalidError
from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.pki.names import name_of_rdns
from certwright.resources import meta
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.conditions import conditions
from certwright.resources.gotext import quote
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CHALLENGE,
    CLUSTER_ISSUER,
    ISSUER,
    ORDER,
    SECRET,
    Manifest,
)
from certwright.resources.secret import Secret
from certwright.roles.ctl.objects import events_of, fetch, list_owned, not_found
from certwright.roles.ctl.texts import events_text
from certwright.roles.ctl.x509_texts import (
    extended_usage_names,
    public_key_algorithm,
    serial_hex,
    signature_algorithm,
    usage_names,
)

__all__ = ["certificate_status"]


async def certificate_status(store: Store, namespace: str, name: str, now: datetime) -> str:
    """Return the whole page about one Certificate.

    Raises:
        CertwrightError: There is no such Certificate, or the store gives no answer.
    """
    try:
        found = await fetch(store, CERTIFICATE.key(namespace, name))
    except CertwrightError as error:
        raise type(error)(f"error when getting Certificate resource: {error}") from error
    certificate = Certificate(found)
    issuer, issuer_text = await _issuer_text(store, certificate, now)
    request, request_text = await _request_text(store, certificate, now)
    parts = [
        f"Name: {certificate.name}\n",
        f"Namespace: {certificate.namespace}\n",
        f"Created at: {_time(meta.mapping_at(found, 'metadata').get('creationTimestamp'))}\n",
        f"Conditions:\n{_conditions(found)}",
        f"DNS Names:\n{_bullets(certificate.dns_names)}",
        events_text(await events_of(store, found), now),
        issuer_text,
        await _secret_text(store, certificate, now),
        *(
            f"{title}: {_time(certificate.status.get(field))}\n"
            for title, field in (
                ("Not Before", "notBefore"),
                ("Not After", "notAfter"),
                ("Renewal Time", "renewalTime"),
            )
        ),
        request_text,
    ]
    if request is not None and issuer is not None and "acme" in meta.mapping_at(issuer, "spec"):
        parts.append(await _order_text(store, request))
    return "".join(parts)


async def _issuer_text(
    store: Store, certificate: Certificate, now: datetime
) -> tuple[Manifest | None, str]:
    ref = certificate.issuer_ref
    if ref.is_external:
        return None, (
            f"The {ref.kind_or_default} {quote(ref.name)} is not of the group cert-manager.io, "
            "this command currently does not support third party issuers.\n"
            f"To get more information about {quote(ref.name)}, try 'kubectl describe'\n"
        )
    kind = ISSUER if ref.kind_or_default == ISSUER.name else CLUSTER_ISSUER
    key = kind.key(certificate.namespace, ref.name)
    issuer = await store.get(key)
    if issuer is None:
        return None, f"error when getting {kind.name}: {not_found(key)}\n"
    events = await events_of(store, issuer)
    return issuer, (
        f"Issuer:\n  Name: {ref.name}\n  Kind: {kind.name}\n  Conditions:\n  "
        f"{_conditions(issuer)}{events_text(events, now, '  ')}"
    )


async def _secret_text(store: Store, certificate: Certificate, now: datetime) -> str:
    name = certificate.secret_name
    key = SECRET.key(certificate.namespace, name)
    found = await store.get(key)
    if found is None:
        return f"error when finding Secret {quote(name)}: {not_found(key)}\n"
    try:
        pem = Secret(found).certificate_pem
        if not pem:
            return f"error: 'tls.crt' of Secret {quote(name)} is not set\n"
        leaf = decode_certificates(pem)[0]
    except InvalidError as error:
        return f"error when parsing 'tls.crt' of Secret {quote(name)}: {error}\n"
    events = await events_of(store, found)
    return _leaf_text(name, leaf) + events_text(events, now, "  ")


def _leaf_text(name: str, leaf: DecodedCertificate) -> str:
    issuer = name_of_rdns(leaf.issuer)
    lines = (
        ("Name", name),
        ("Issuer Country", ", ".join(issuer.countries)),
        ("Issuer Organisation", ", ".join(issuer.organizations)),
        ("Issuer Common Name", issuer.common_name),
        ("Key Usage", usage_names(leaf)),
        ("Extended Key Usages", extended_usage_names(leaf)),
        ("Public Key Algorithm", public_key_algorithm(leaf)),
        ("Signature Algorithm", signature_algorithm(leaf)),
        ("Subject Key ID", leaf.subject_key_id.hex()),
        ("Authority Key ID", leaf.authority_key_id.hex()),
        ("Serial Number", serial_hex(leaf)),
    )
    return "Secret:\n" + "".join(f"  {title}: {value}\n" for title, value in lines)


async def _request_text(
    store: Store, certificate: Certificate, now: datetime
) -> tuple[Manifest | None, str]:
    """Return the request of the revision to come, and what there is to say about it."""
    revision = 1 if certificate.revision is None else certificate.revision + 1
    matches = [
        obj
        for obj in await list_owned(store, CERTIFICATE_REQUEST, certificate.object)
        if CertificateRequest(obj).revision == revision
    ]
    if not matches:
        return None, "No CertificateRequest found for this Certificate\n"
    if len(matches) > 1:
        return None, (
            "error when finding CertificateRequest: found multiple certificate requests with "
            "expected revision and owner\n"
        )
    (request,) = matches
    events = await events_of(store, request)
    return request, (
        f"CertificateRequest:\n  Name: {meta.name(request)}\n  Namespace: {meta.namespace(request)}"
        f"\n  Conditions:\n  {_conditions(request)}{events_text(events, now, '  ')}"
    )


async def _order_text(store: Store, request: Manifest) -> str:
    orders = await list_owned(store, ORDER, request)
    if not orders:
        return "No Order found for this Certificate\n"
    if len(orders) > 1:
        name = meta.name(request)
        return (
            f"error when finding Order: found multiple orders owned by CertificateRequest {name}\n"
        )
    (order,) = orders
    status = meta.mapping_at(order, "status")
    lines = [
        f"Order:\n  Name: {meta.name(order)}\n",
        f"  State: {status.get('state') or ''}, Reason: {status.get('reason') or ''}\n",
    ]
    authorizations = status.get("authorizations") or []
    lines.append(
        "  Authorizations:\n" if authorizations else "  No Authorizations for this Order\n"
    )
    lines += [
        f"    URL: {entry.get('url', '')}, Identifier: {entry.get('identifier', '')}, Initial "
        f"State: {entry.get('initialState', '')}, Wildcard: {_wildcard(entry.get('wildcard'))}\n"
        for entry in authorizations
    ]
    if status.get("failureTime"):
        lines.append(f"  FailureTime: {_time(status['failureTime'])}\n")
    challenges = await list_owned(store, CHALLENGE, order)
    if not challenges:
        return "".join([*lines, "No Challenges found for this Certificate\n"])
    return "".join([*lines, "Challenges:\n", _bullets(map(_challenge_text, challenges))])


def _challenge_text(challenge: Manifest) -> str:
    spec, status = meta.mapping_at(challenge, "spec"), meta.mapping_at(challenge, "status")
    return (
        f"Name: {meta.name(challenge)}, Type: {spec.get('type') or ''}, "
        f"Token: {spec.get('token') or ''}, Key: {spec.get('key') or ''}, "
        f"State: {status.get('state') or ''}, Reason: {status.get('reason') or ''}, "
        f"Processing: {_boolean(status.get('processing'))}, "
        f"Presented: {_boolean(status.get('presented'))}"
    )


def _conditions(obj: Manifest) -> str:
    lines = [
        f"  {found.type}: {found.status}, Reason: {found.reason}, Message: {found.message}\n"
        for found in conditions(obj)
    ]
    return "".join(lines) or "  No Conditions set\n"


def _bullets(texts: Iterable[str]) -> str:
    return "".join(f"- {text}\n" for text in texts)


def _time(text: Any) -> str:
    return str(text) if text else "<none>"


def _wildcard(value: object) -> str:
    return "nil (bool pointer not set)" if value is None else _boolean(value)


def _boolean(value: object) -> str:
    return "true" if value else "false"
