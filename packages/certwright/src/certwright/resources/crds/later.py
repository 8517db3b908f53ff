"""Fields that later versions of cert-manager have, under the names they have there.

They are not in the CRDs of 1.12 and so not in those that are installed by default: what an API
server does not know it drops. `certwright manifests crds --later-fields` has them; a folder always.

Source: reference cert-manager.md 14; cert-manager main, pkg/apis (acme/v1, certmanager/v1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from certwright.resources.certificate import SIGNATURE_ALGORITHMS
from certwright.resources.kinds import CERTIFICATE, CHALLENGE, CLUSTER_ISSUER, ISSUER, Kind

__all__ = ["add_later_fields"]


def _field(description: str, **more: Any) -> dict[str, Any]:
    return {"description": description, "type": "string", **more}


def _time(description: str) -> dict[str, Any]:
    return _field(description, format="date-time")


_PROFILE: Final = _field("Profile of the ACME server to order certificates by.")
_WAIT: Final = _field("Wait so long instead of looking whether the answer can be seen.")
_WINDOW: Final = {
    "description": "When the ACME server wants the certificate renewed.",
    "type": "object",
    "required": ["end", "start"],
    "properties": {"start": _time("Its start."), "end": _time("Its end.")},
}
_ARI: Final = {
    "description": "What the ACME server says about renewal. Source: RFC 9773.",
    "type": "object",
    "properties": {
        "suggestedWindow": _WINDOW,
        "explanationURL": _field("A page that says why."),
        "lastChecked": _time("When the server was asked."),
        "nextCheck": _time("When it will be asked again."),
        "lastError": _field("Why it could not be asked."),
    },
}
_ACME: Final = {
    "description": "What is known about the certificate from its ACME server.",
    "type": "object",
    "properties": {"ari": _ARI},
}
_CLIENT_CERTIFICATE: Final = {
    "description": "Log in to Vault by TLS client certificate.",
    "type": "object",
    "properties": {
        "mountPath": _field("Where the method is mounted; /v1/auth/cert if unset."),
        "name": _field("The certificate role to log in against; any that fits if unset."),
        "secretName": _field("A Secret with tls.crt and tls.key; the connection's own if unset."),
    },
}
_NAMES: Final = {
    "description": "Names, each with all that is below it.",
    "type": "object",
    "properties": {
        name: {"description": text, "type": "array", "items": {"type": "string"}}
        for name, text in (
            ("dnsDomains", "DNS domains."),
            ("ipRanges", "IP ranges, CIDR."),
            ("emailAddresses", "E-mail addresses, or their domains."),
            ("uriDomains", "Hosts of URIs, or their domains."),
        )
    },
}
_RENEWAL: Final = {
    "description": "Whether the certificate is renewed, and in which windows.",
    "type": "object",
    "required": ["policy"],
    "properties": {
        "policy": _field(
            "RenewBefore: as renewBefore and renewBeforePercentage say; Disabled: never.",
            enum=["Disabled", "RenewBefore"],
        ),
        "windows": {
            "description": "When renewal is allowed; without any, always.",
            "type": "array",
            "items": {
                "type": "object",
                "required": ["cron", "windowDuration"],
                "properties": {
                    "cron": _field("When the window opens: minute, hour, day, month, weekday."),
                    "timezone": _field("IANA's name of the time zone of cron; UTC if unset."),
                    "windowDuration": _field("How long it stays open."),
                },
            },
        },
    },
}
_URLS: Final = {
    "description": "Where the CA's certificate is: goes into what it signs.",
    "type": "array",
    "items": {"type": "string"},
}
_AUDIENCES: Final = {
    "description": "Audiences of the token beside the issuer's own.",
    "type": "array",
    "items": {"type": "string"},
}


def _entry(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "type": "object",
        "required": ["name"],
        "properties": {"name": _field("Of the Secret."), "key": _field("In the Secret.")},
    }


_ISSUER: Final = {
    ("spec", "ca", "issuingCertificateURLs"): _URLS,
    ("spec", "vault", "auth", "clientCertificate"): _CLIENT_CERTIFICATE,
    ("spec", "vault", "auth", "kubernetes", "serviceAccountRef", "audiences"): _AUDIENCES,
    ("spec", "vault", "clientCertSecretRef"): _entry("Client certificate of the connection."),
    ("spec", "vault", "clientKeySecretRef"): _entry("Its key."),
    ("spec", "vault", "serverName"): _field("Name in the server's certificate."),
    ("spec", "acme", "profile"): _PROFILE,
    ("spec", "acme", "solvers", "[]", "waitInsteadOfSelfCheck"): _WAIT,
}
_FIELDS: Final[Mapping[Kind, Mapping[tuple[str, ...], Any]]] = {
    ISSUER: _ISSUER,
    CLUSTER_ISSUER: _ISSUER,
    CHALLENGE: {("spec", "solver", "waitInsteadOfSelfCheck"): _WAIT},
    CERTIFICATE: {
        ("spec", "otherNames"): {
            "description": "Other names, with the gate OtherNames; such as a user principal name.",
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "oid": _field("Object identifier of its kind."),
                    "utf8Value": _field("The name."),
                },
            },
        },
        ("spec", "nameConstraints"): {
            "description": "Which names a CA may sign, with the gate NameConstraints.",
            "type": "object",
            "properties": {
                "critical": {
                    "description": "Whether who does not know the extension must refuse.",
                    "type": "boolean",
                },
                "permitted": _NAMES,
                "excluded": _NAMES,
            },
        },
        ("spec", "keystores", "jks", "alias"): _field("Of the key; certificate if unset."),
        ("spec", "keystores", "jks", "password"): _field("The password itself."),
        ("spec", "keystores", "pkcs12", "password"): _field("The password itself."),
        ("spec", "keystores", "pkcs12", "profile"): _field(
            "Algorithms; LegacyRC2 is written as LegacyDES.",
            enum=["LegacyRC2", "LegacyDES", "Modern2023", "Modern2026"],
        ),
        ("spec", "renewal"): _RENEWAL,
        ("spec", "signatureAlgorithm"): _field(
            "How the request is signed; by default as privateKey has it.",
            enum=[name for names in SIGNATURE_ALGORITHMS.values() for name in names],
        ),
        ("status", "acme"): _ACME,
        ("spec", "renewBeforePercentage"): {
            "description": "How long before its end to renew, in percent of the life: 1 to 99.",
            "type": "integer",
            "format": "int32",
        },
    },
}


def add_later_fields(kind: Kind, schema: dict[str, Any]) -> None:
    """Add to a schema of 1.12 what later versions have."""
    for path, added in _FIELDS.get(kind, {}).items():
        here = schema
        for step in path[:-1]:
            here = here["items"] if step == "[]" else here["properties"][step]
        here["properties"].setdefault(path[-1], added)
    if kind == CERTIFICATE:
        stores = schema["properties"]["spec"]["properties"]["keystores"]["properties"]
        for store in stores.values():  # a password of its own takes the place of the reference
            store["required"] = [name for name in store["required"] if name != "passwordSecretRef"]
