"""A first folder: a CA of your own and one certificate by it."""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import yaml

from certwright.errors import InvalidError
from certwright.roles.standalone.manifests import ascii_hint

__all__ = ["Acme", "Sample", "make_acme_sample", "make_sample"]

_CA_YAML: Final = """\
# A certificate authority of your own, and one certificate by it. Change what you like, add more
# documents or more files: `certwright standalone` sees it and makes or renews what is needed.
apiVersion: cert-manager.io/v1
kind: Issuer
metadata:
  name: self-signed
spec:
  selfSigned: {}
---
# The authority: its certificate is what clients trust.
apiVersion: cert-manager.io/v1
kind: Certificate
metadata:
  name: local-ca
spec:
  isCA: true
  commonName: Local CA
  secretName: local-ca
  duration: 87600h # ten years
  privateKey:
    algorithm: ECDSA
    size: 256
    rotationPolicy: Always # `certwright ctl renew local-ca` gives it another key
  issuerRef:
    name: self-signed
---
# Signs with it. After a change of the authority both are trusted for this long before it signs.
apiVersion: cert-manager.io/v1
kind: Issuer
metadata:
  name: local-ca
  annotations:
    certwright.dev/ca-rotation: 5m
spec:
  ca:
    secretName: local-ca
---
"""
_ACME_YAML: Final = """\
# A certificate from a CA on the network. Change what you like, add more documents or more files:
# `certwright standalone` sees it and gets or renews what is needed.
"""
LETS_ENCRYPT: Final = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
"""CAs that are known by a word."""
_NAME: Final = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Sample:
    """What `make_sample` made."""

    certificate: str
    """Name of the Certificate and of its Secret."""
    yaml: str


@dataclass(frozen=True, slots=True)
class Acme:
    """A CA on the network."""

    server: str
    """URL of its directory, or one of the words of `LETS_ENCRYPT`."""
    email: str = ""
    ca_pem: bytes = b""
    """Whose certificates count for the server itself; empty for the system's roots."""


def make_acme_sample(hosts: Sequence[str], acme: Acme) -> Sample:
    """Return the YAML of an issuer at a CA and a certificate for these names.

    Raises:
        InvalidError: There is none, one is neither a name nor an address, or it cannot be proven.
    """
    dns_names, ip_addresses = _sorted_out(hosts)
    if wild := [name for name in dns_names if name.startswith("*.")]:
        raise InvalidError(
            f'"{wild[0]}" cannot be proven over HTTP: wildcards need a dns01 solver, which is '
            "written into the YAML by hand; see docs/certwright/acme.md"
        )
    server = LETS_ENCRYPT.get(acme.server, acme.server)
    if not server.startswith("https://"):
        words = ", ".join(LETS_ENCRYPT)
        raise InvalidError(f'"{acme.server}" is no CA: name {words} or the https URL of one')
    spec: dict[str, object] = {
        "server": server,
        "privateKeySecretRef": {"name": "acme-account"},
        "solvers": [{"http01": {"ingress": {}}}],
    }
    if acme.email:
        spec["email"] = acme.email
    if acme.ca_pem:
        spec["caBundle"] = base64.b64encode(acme.ca_pem).decode("ascii")
    name = _object_name(hosts[0])
    wanted: dict[str, object] = {"secretName": name}
    if dns_names:
        wanted["dnsNames"] = dns_names
    if ip_addresses:
        wanted["ipAddresses"] = ip_addresses
    wanted |= {
        "usages": ["digital signature", "server auth"],
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "issuerRef": {"name": "acme"},
    }
    documents = [
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Issuer",
            "metadata": {"name": "acme"},
            "spec": {"acme": spec},
        },
        {
            "apiVersion": "cert-manager.io/v1",
            "kind": "Certificate",
            "metadata": {"name": name},
            "spec": wanted,
        },
    ]
    return Sample(name, _ACME_YAML + yaml.safe_dump_all(documents, sort_keys=False))


def make_sample(hosts: Sequence[str]) -> Sample:
    """Return the YAML of a CA and a certificate for these DNS names and IP addresses.

    Raises:
        InvalidError: There is none, or one is neither.
    """
    dns_names, ip_addresses = _sorted_out(hosts)
    name = _object_name(hosts[0])
    spec: dict[str, object] = {"secretName": name}
    if dns_names:
        spec["dnsNames"] = dns_names
    if ip_addresses:
        spec["ipAddresses"] = ip_addresses
    spec |= {
        "duration": "2160h",
        "usages": ["digital signature", "server auth", "client auth"],
        "privateKey": {"algorithm": "ECDSA", "size": 256},
        "issuerRef": {"name": "local-ca"},
    }
    leaf = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": name},
        "spec": spec,
    }
    return Sample(name, _CA_YAML + yaml.safe_dump(leaf, sort_keys=False))


def _sorted_out(hosts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return DNS names and IP addresses."""
    dns_names, ip_addresses = list[str](), list[str]()
    for host in hosts:
        try:
            ip_addresses.append(str(ipaddress.ip_address(host)))
        except ValueError:
            if not _NAME.fullmatch(host):
                hint = "" if host.isascii() else ascii_hint(host)
                text = f'"{host}" is neither a DNS name nor an IP address{hint}'
                raise InvalidError(text) from None
            dns_names.append(host)
    if not hosts:
        raise InvalidError("name at least one DNS name or IP address")
    return dns_names, ip_addresses


def _object_name(host: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", host.replace("*", "wildcard").lower()).strip("-.")
