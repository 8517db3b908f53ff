"""Names of Orders and Challenges, as the original computes them: of what they are for.

Source: reference cert-manager.md 3.4 (ComputeName); cert-manager v1.12.2 pkg/apis/acme/v1 (the
order of fields, which Go's JSON keeps).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from certwright.resources.kinds import Manifest
from certwright.resources.meta import dns_safe_shorten_to_52

__all__ = ["adler32", "challenge_name", "go_json", "order_name"]

_LONG_NAME: Final = 52
_ISSUER_REF: Final = ("name", "kind", "group")
_ORDER: Final = ("request", "issuerRef", "commonName", "dnsNames", "ipAddresses", "duration")
_CHALLENGE: Final = (
    "url",
    "authorizationURL",
    "dnsName",
    "wildcard",
    "type",
    "token",
    "key",
    "solver",
    "issuerRef",
)
_SECRET_REF: Final = ("name", "key")
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "issuerRef": _ISSUER_REF,
    "solver": ("selector", "http01", "dns01"),
    "selector": ("matchLabels", "dnsNames", "dnsZones"),
    "http01": ("ingress", "gatewayHTTPRoute"),
    "ingress": (
        "serviceType",
        "ingressClassName",
        "class",
        "name",
        "podTemplate",
        "ingressTemplate",
    ),
    "gatewayHTTPRoute": ("serviceType", "labels", "parentRefs"),
    "parentRefs": ("group", "kind", "namespace", "name", "sectionName", "port"),
    "podTemplate": ("metadata", "spec"),
    "spec": (
        "nodeSelector",
        "affinity",
        "tolerations",
        "priorityClassName",
        "serviceAccountName",
        "imagePullSecrets",
    ),
    "tolerations": ("key", "operator", "value", "effect", "tolerationSeconds"),
    "metadata": ("annotations", "labels"),
    "dns01": (
        "cnameStrategy",
        "akamai",
        "cloudDNS",
        "cloudflare",
        "route53",
        "azureDNS",
        "digitalocean",
        "acmeDNS",
        "rfc2136",
        "webhook",
    ),
    "akamai": (
        "serviceConsumerDomain",
        "clientTokenSecretRef",
        "clientSecretSecretRef",
        "accessTokenSecretRef",
    ),
    "cloudDNS": ("serviceAccountSecretRef", "project", "hostedZoneName"),
    "cloudflare": ("email", "apiKeySecretRef", "apiTokenSecretRef"),
    "route53": (
        "accessKeyID",
        "accessKeyIDSecretRef",
        "secretAccessKeySecretRef",
        "role",
        "hostedZoneID",
        "region",
    ),
    "azureDNS": (
        "clientID",
        "clientSecretSecretRef",
        "subscriptionID",
        "tenantID",
        "resourceGroupName",
        "hostedZoneName",
        "environment",
        "managedIdentity",
    ),
    "managedIdentity": ("clientID", "resourceID"),
    "digitalocean": ("tokenSecretRef",),
    "acmeDNS": ("host", "accountSecretRef"),
    "rfc2136": ("nameserver", "tsigSecretSecretRef", "tsigKeyName", "tsigAlgorithm"),
    "webhook": ("groupName", "solverName", "config"),
}
"""Order of fields, by the name of the field that holds them; what is not here is by name."""
_AS_IT_IS: Final = frozenset({"config"})
_ALWAYS: Final[Mapping[str, Mapping[str, Any]]] = {
    "rfc2136": {"tsigSecretSecretRef": {"name": ""}},
    "route53": {"secretAccessKeySecretRef": {"name": ""}},
    "podTemplate": {"metadata": {}, "spec": {}},
    "ingressTemplate": {"metadata": {}},
}
"""Fields that Go writes although nothing stands in them: they are no pointers."""


def order_name(request_name: str, spec: Manifest) -> str:
    """Return the name of the Order for a CertificateRequest.

    Args:
        request_name: The CertificateRequest's.
        spec: The Order's; `request` does not count.
    """
    hashed = _object({**spec, "request": None}, _ORDER)
    if len(request_name) >= _LONG_NAME:
        hashed = f'{{"certificateRequestName":{_scalar(request_name)},"spec":{hashed}}}'
    return _name(request_name, hashed)


def challenge_name(order: str, spec: Manifest) -> str:
    """Return the name of a Challenge of an Order; its `key` does not count."""
    return _name(order, _object({**spec, "key": ""}, _CHALLENGE))


def adler32(text: str) -> str:
    """Return a label's value for a domain or a token. Source: Go `hash/adler32`, decimal."""
    low, high = 1, 0
    for byte in text.encode():
        low = (low + byte) % 65521
        high = (high + low) % 65521
    return str(high << 16 | low)


def go_json(value: Any, field: str = "") -> str:
    """Return JSON as Go writes the struct that a field of this name is."""
    if isinstance(value, Mapping):
        if field in _AS_IT_IS:
            return _scalar(value)
        order = _SECRET_REF if field.endswith("SecretRef") else _FIELDS.get(field)
        full = {**_ALWAYS.get(field, {}), **value}
        return _object(full, order if order is not None else sorted(full))
    if isinstance(value, list):
        return f"[{','.join(go_json(entry, field) for entry in value)}]"
    return _scalar(value)


def _object(found: Mapping[str, Any], order: Iterable[str]) -> str:
    names = [name for name in order if name in found]
    names += sorted(name for name in found if name not in set(names))
    return f"{{{','.join(f'{_scalar(name)}:{go_json(found[name], name)}' for name in names)}}}"


def _scalar(value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text


def _name(prefix: str, hashed: str) -> str:
    return f"{dns_safe_shorten_to_52(prefix)}-{_fnv1(hashed.encode())}"


def _fnv1(data: bytes) -> int:
    """Return the 32 bit hash FNV-1, which is not FNV-1a. Source: Go `hash/fnv` New32."""
    found = 2166136261
    for byte in data:
        found = found * 16777619 & 0xFFFFFFFF ^ byte
    return found
