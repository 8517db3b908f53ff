"""What is settled: a CA, and Certificates that it signs."""

from __future__ import annotations

from collections.abc import Iterator

from certwright.resources.kinds import CERTIFICATE, ISSUER, Kind, Manifest

__all__ = ["NAMESPACE", "authority", "certificates", "is_settled"]

NAMESPACE = "bench"


def authority() -> list[Manifest]:
    """Return a self-signed CA and the Issuer that uses it."""
    spec = {
        "secretName": "ca",
        "isCA": True,
        "commonName": "bench",
        "issuerRef": {"name": "self"},
        "privateKey": {"algorithm": "ECDSA"},
    }
    return [
        _obj(ISSUER, "self", {"selfSigned": {}}),
        _obj(CERTIFICATE, "ca", spec),
        _obj(ISSUER, "ca", {"ca": {"secretName": "ca"}}),
    ]


def certificates(count: int, algorithm: str) -> Iterator[Manifest]:
    """Return Certificates with two names each."""
    for number in range(count):
        name = f"web-{number:05d}"
        yield _obj(
            CERTIFICATE,
            name,
            {
                "secretName": f"{name}-tls",
                "dnsNames": [f"{name}.example.com", f"www.{name}.example.com"],
                "issuerRef": {"name": "ca"},
                "privateKey": {"algorithm": algorithm},
            },
        )


def is_settled(certificate: Manifest) -> bool:
    """Tell whether a Certificate is ready and nothing is being done about it."""
    status = {
        entry["type"]: entry["status"]
        for entry in (certificate.get("status") or {}).get("conditions", ())
    }
    return (
        status.get("Ready") == "True"
        and "Issuing" not in status
        and "nextPrivateKeySecretName" not in certificate["status"]
    )


def _obj(kind: Kind, name: str, spec: Manifest) -> Manifest:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }
