"""The webhook's own certificate authority: a Secret all replicas share, a leaf for each of them.

::

    Secret (365 d, tls.crt = ca.crt, tls.key)  ──signs──▶  leaf (7 d, in memory only)
      made anew when it is missing, broken            made anew at 2/3 of its life,
      or at 2/3 of its life                           or when the CA has changed

Any replica may make the CA; who is second learns it from the conflict and takes the first one's.

Source: reference cert-manager.md 4.5.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from certwright.errors import InvalidError
from certwright.pki.certificates import decode_certificates
from certwright.pki.extensions import AlternativeNames
from certwright.pki.key_pair import check_key_pair
from certwright.pki.keys import decode_private_key, encode_private_key_pkcs8, signing_key
from certwright.pki.names import DistinguishedName, encode_rdns, rdns_of_name
from certwright.pki.template import CertificateTemplate, ca_template, sign_template
from certwright.pki.usages import key_usages
from certwright.resources import known
from certwright.resources.kinds import SECRET, Key, Manifest
from certwright.resources.secret import TYPE_OPAQUE, Secret, encode_data

__all__ = [
    "CA_LIFE",
    "KEY_ALGORITHM",
    "KEY_BITS",
    "LEAF_LIFE",
    "Leaf",
    "authority_problem",
    "new_authority",
    "new_leaf",
]

CA_LIFE: Final = timedelta(days=365)
LEAF_LIFE: Final = timedelta(days=7)
KEY_ALGORITHM: Final = "ECDSA"
KEY_BITS: Final = 384
_CA_NAME: Final = "cert-manager-webhook-ca"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A serving certificate and its key."""

    certificate_pem: bytes
    private_key_pem: bytes
    ca_pem: bytes
    """The CA that signed it; another one in the Secret means that a new leaf is due."""
    not_after: datetime
    renew_at: datetime
    """At 2/3 of its life."""


def authority_problem(secret: Manifest | None, now: datetime) -> str:
    """Return why the CA must be made anew, for the log; empty if it is good."""
    if secret is None:
        return "there is no Secret"
    try:
        view = Secret(secret)
        certificate, key, ca = view.certificate_pem, view.private_key_pem, view.ca_pem
    except InvalidError as error:
        return str(error)
    if not (certificate and key and ca):
        return "the Secret lacks tls.crt, tls.key or ca.crt"
    if certificate != ca:
        return "tls.crt and ca.crt differ"
    problem = check_key_pair(certificate, key)
    if problem:
        return problem
    authority = decode_certificates(certificate)[0]
    if not authority.is_ca:
        return "the certificate is no CA"
    if authority.not_after - now < CA_LIFE / 3:
        return "the CA is at 2/3 of its life"
    return ""


def new_authority(
    key: Key, present: Manifest | None, private_key: PrivateKeyTypes, now: datetime, serial: int
) -> Manifest:
    """Return the Secret with a new CA: to create, or to replace `present`, whose rest it keeps."""
    public_key = signing_key(private_key).public_key()
    life_nano = int(CA_LIFE.total_seconds()) * 1_000_000_000
    template = ca_template(_CA_NAME, public_key, now=now, serial=serial, duration_nano=life_nano)
    pem = sign_template(template, private_key).pem
    fresh = encode_data(
        {
            known.TLS_CRT: pem,
            known.CA_CRT: pem,
            known.TLS_KEY: encode_private_key_pkcs8(private_key),
        }
    )
    if present is not None:
        changed = deepcopy(present)
        changed["data"] = {**(changed.get("data") or {}), **fresh}
        return changed
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.name,
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "annotations": {known.ALLOW_DIRECT_INJECTION: "true"},
        },
        "type": TYPE_OPAQUE,
        "data": fresh,
    }


def new_leaf(
    authority: Manifest,
    dns_names: tuple[str, ...],
    private_key: PrivateKeyTypes,
    now: datetime,
    serial: int,
) -> Leaf:
    """Return a serving certificate signed by the CA of a good Secret; it ends with its CA at last.

    Raises:
        InvalidError: The CA has ended, or its Secret is not good.
    """
    view = Secret(authority)
    issuer = decode_certificates(view.certificate_pem)[0]
    if issuer.not_after < now:
        raise InvalidError("the CA certificate has expired")
    bits, extended = key_usages(
        ("digital signature", "key encipherment", "server auth"), is_ca=False
    )
    not_after = min(now + LEAF_LIFE, issuer.not_after)
    template = CertificateTemplate(
        serial=serial,
        subject_der=encode_rdns(rdns_of_name(DistinguishedName())),
        names=AlternativeNames(dns=dns_names),
        not_before=now,
        not_after=not_after,
        public_key=signing_key(private_key).public_key(),
        is_ca=False,
        key_usage=bits,
        extended_key_usages=extended,
    )
    leaf = sign_template(template, decode_private_key(view.private_key_pem), issuer)
    return Leaf(
        certificate_pem=leaf.pem,
        private_key_pem=encode_private_key_pkcs8(private_key),
        ca_pem=view.ca_pem,
        not_after=not_after,
        renew_at=now + (not_after - now) * 2 / 3,
    )
