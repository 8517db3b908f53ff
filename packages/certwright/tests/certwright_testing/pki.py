"""Builders of keys, requests, certificates and the objects that hold them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from certwright.issuers.contract import SigningRequest
from certwright.pki.certificates import DecodedCertificate
from certwright.pki.csr import generate_csr
from certwright.pki.keys import SigningKey, encode_private_key, generate_private_key
from certwright.pki.template import ca_template, sign_template
from certwright.resources import known
from certwright.resources.certificate import Certificate
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.features import FeatureGates
from certwright.resources.issuer import Issuer
from certwright.resources.kinds import Key, Manifest
from certwright.resources.meta import key_of
from certwright.resources.secret import encode_data

__all__ = [
    "NOW",
    "make_ca",
    "make_certificate",
    "make_issuer",
    "make_key",
    "make_key_secret",
    "make_request",
    "make_secret",
    "make_signing_request",
]

NOW: Final = datetime(2023, 6, 2, 10, tzinfo=UTC)


@cache
def make_key(name: str = "leaf", algorithm: str = "ECDSA", size: int = 0) -> SigningKey:
    """Return a key; the same one for the same arguments."""
    return generate_private_key(algorithm, size)


def make_certificate(**spec: Any) -> Certificate:
    """Return a Certificate for an ECDSA key, by issuer `ca`."""
    defaults = {
        "secretName": "leaf",
        "issuerRef": {"name": "ca"},
        "privateKey": {"algorithm": "ECDSA"},
    }
    return Certificate(
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": {"name": "leaf", "namespace": "sandbox"},
            "spec": {**defaults, **spec},
        }
    )


def make_request(
    certificate: Certificate | None = None,
    *,
    key: SigningKey | None = None,
    annotations: Mapping[str, str] | None = None,
    gates: FeatureGates | None = None,
    **spec: Any,
) -> CertificateRequest:
    """Return the request for a Certificate; its key's Secret is named `next`."""
    certificate = certificate or make_certificate(commonName="leaf.example")
    csr = generate_csr(certificate, key or make_key(), gates or FeatureGates())
    copied = {
        field: certificate.spec[field]
        for field in ("duration", "isCA", "usages", "issuerRef")
        if field in certificate.spec
    }
    chosen = {known.PRIVATE_KEY_SECRET_NAME: "next"} if annotations is None else annotations
    return CertificateRequest(
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "CertificateRequest",
            "metadata": {"name": "leaf-1", "namespace": "sandbox", "annotations": dict(chosen)},
            "spec": {**copied, "request": base64.b64encode(csr).decode(), **spec},
        }
    )


def make_ca(
    name: str = "root", parent: tuple[DecodedCertificate, SigningKey] | None = None
) -> tuple[DecodedCertificate, SigningKey]:
    """Return a CA of that name and its key, by itself or by a parent."""
    key = make_key(name)
    template = ca_template(name, key.public_key(), now=NOW, serial=len(name) + 1)
    if parent is None:
        return sign_template(template, key), key
    return sign_template(template, parent[1], parent[0]), key


def make_secret(name: str, data: Mapping[str, bytes], namespace: str = "sandbox") -> Manifest:
    """Return a Secret."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "data": encode_data(data),
    }


def make_key_secret(name: str, key: SigningKey) -> Manifest:
    """Return a Secret that holds a key only."""
    return make_secret(name, {known.TLS_KEY: encode_private_key(key, "PKCS8")})


def make_issuer(**spec: Any) -> Issuer:
    """Return an Issuer; the CA issuer of Secret `ca` if no spec is given."""
    return Issuer(
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Issuer",
            "metadata": {"name": "ca", "namespace": "sandbox"},
            "spec": spec or {"ca": {"secretName": "ca"}},
        }
    )


def make_signing_request(
    request: CertificateRequest, issuer: Issuer, *secrets: Manifest
) -> SigningRequest:
    """Return what a signer decides from, at `NOW`, with serial 42."""
    objects: dict[Key, Manifest] = {key_of(secret): secret for secret in secrets}
    return SigningRequest(request, issuer, "sandbox", NOW, 42, objects)
