"""Small objects for tests that care about the store and not about certificates."""

from __future__ import annotations

import base64
from typing import Any

from certwright.resources.kinds import CERTIFICATE, ISSUER, SECRET, Manifest

__all__ = ["certificate", "issuer", "secret"]

CERTIFICATE_SPEC = {"secretName": "tls", "dnsNames": ["a.example"], "issuerRef": {"name": "ca"}}


def certificate(
    name: str = "web", namespace: str = "one", spec: Manifest | None = None, **metadata: Any
) -> Manifest:
    """Return a Certificate with a valid spec."""
    return {
        "apiVersion": CERTIFICATE.api_version,
        "kind": CERTIFICATE.name,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": CERTIFICATE_SPEC if spec is None else spec,
    }


def issuer(name: str = "ca", namespace: str = "one", **metadata: Any) -> Manifest:
    """Return a self-signed Issuer."""
    return {
        "apiVersion": ISSUER.api_version,
        "kind": ISSUER.name,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"selfSigned": {}},
    }


def secret(
    name: str = "tls", namespace: str = "one", data: dict[str, bytes] | None = None, **metadata: Any
) -> Manifest:
    """Return an Opaque Secret."""
    return {
        "apiVersion": SECRET.api_version,
        "kind": SECRET.name,
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "type": "Opaque",
        "data": {
            key: base64.b64encode(value).decode()
            for key, value in ({"a": b"1"} if data is None else data).items()
        },
    }
