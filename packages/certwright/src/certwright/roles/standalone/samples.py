"""A first folder: a CA of your own and one certificate by it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import yaml

from certwright.errors import InvalidError

__all__ = ["Sample", "make_sample"]

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
  issuerRef:
    name: self-signed
---
# Signs with it.
apiVersion: cert-manager.io/v1
kind: Issuer
metadata:
  name: local-ca
spec:
  ca:
    secretName: local-ca
---
"""
_NAME: Final = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Sample:
    """What `make_sample` made."""

    certificate: str
    """Name of the Certificate and of its Secret."""
    yaml: str


def make_sample(hosts: Sequence[str]) -> Sample:
    """Return the YAML of a CA and a certificate for these DNS names and IP addresses.

    Raises:
        InvalidError: There is none, or one is neither.
    """
    dns_names, ip_addresses = list[str](), list[str]()
    for host in hosts:
        try:
            ip_addresses.append(str(ipaddress.ip_address(host)))
        except ValueError:
            if not _NAME.fullmatch(host):
                raise InvalidError(f'"{host}" is neither a DNS name nor an IP address') from None
            dns_names.append(host)
    if not hosts:
        raise InvalidError("name at least one DNS name or IP address")
    name = re.sub(r"[^a-z0-9.]+", "-", hosts[0].replace("*", "wildcard").lower()).strip("-.")
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
