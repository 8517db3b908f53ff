"""Builders of OpenAPI v3 schemas, in the subset that a CustomResourceDefinition takes."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def text(description: str, **rules: Any) -> Schema:
    """A string; `enum`, `format`, `pattern`, `maxLength`, `default` are rules."""
    return {"description": description, "type": "string", **rules}


def boolean(description: str) -> Schema:
    """A bool."""
    return {"description": description, "type": "boolean"}


def integer(description: str, **rules: Any) -> Schema:
    """An integer; `format`, `minimum`, `maximum` are rules."""
    return {"description": description, "type": "integer", **rules}


def array(description: str, items: Schema, **rules: Any) -> Schema:
    """A list."""
    return {"description": description, "type": "array", "items": items, **rules}


def texts(description: str, **rules: Any) -> Schema:
    """A list of strings."""
    return array(description, {"type": "string"}, **rules)


def mapping(description: str, values: Schema | None = None) -> Schema:
    """A map with free keys; its values are strings if nothing else is said."""
    return {
        "description": description,
        "type": "object",
        "additionalProperties": values or {"type": "string"},
    }


def record(
    description: str,
    /,
    *,
    required: tuple[str, ...] = (),
    rules: Schema | None = None,
    **fields: Any,
) -> Schema:
    """An object with these fields."""
    made: Schema = {"description": description, "type": "object"}
    if required:
        made["required"] = sorted(required)
    made["properties"] = {name: fields[name] for name in sorted(fields)}
    return made | (rules or {})


def secret_key(description: str, key: str = "") -> Schema:
    """A reference to one entry of a Secret."""
    return record(
        description,
        required=("name",),
        key=text(
            key or "The entry within the Secret's data. Some users of this field have a default."
        ),
        name=text("Name of the Secret."),
    )


def issuer_ref(description: str) -> Schema:
    """A reference to an issuer."""
    return record(
        description,
        required=("name",),
        group=text("API group of the issuer; `cert-manager.io` if it is left out."),
        kind=text("Kind of the issuer, such as Issuer or ClusterIssuer; Issuer if it is left out."),
        name=text("Name of the issuer."),
    )


def conditions(description: str, types: str, *, generation: bool) -> Schema:
    """A list of conditions, one for each type."""
    fields: Schema = {
        "lastTransitionTime": text("When `status` changed last.", format="date-time"),
        "message": text("What a person should know about it, in a sentence."),
        "reason": text("Why the condition is as it is, in one word for programs."),
        "status": text("Whether it holds.", enum=["True", "False", "Unknown"]),
        "type": text(types),
    }
    if generation:
        fields["observedGeneration"] = integer(
            "The `metadata.generation` that the condition speaks of. If it is older than the"
            " object's, the condition is not up to date.",
            format="int64",
        )
    return array(
        description,
        record("One condition.", required=("status", "type"), **fields),
        **{"x-kubernetes-list-map-keys": ["type"], "x-kubernetes-list-type": "map"},
    )


USAGES = [
    "signing",
    "digital signature",
    "content commitment",
    "key encipherment",
    "key agreement",
    "data encipherment",
    "cert sign",
    "crl sign",
    "encipher only",
    "decipher only",
    "any",
    "server auth",
    "client auth",
    "code signing",
    "email protection",
    "s/mime",
    "ipsec end system",
    "ipsec tunnel",
    "ipsec user",
    "timestamping",
    "ocsp signing",
    "microsoft sgc",
    "netscape sgc",
]
ACME_STATES = ["valid", "ready", "pending", "processing", "invalid", "expired", "errored"]


def usages(description: str) -> Schema:
    """A list of key usages."""
    return array(
        description,
        text(
            "A key usage (RFC 5280, 4.2.1.3) or extended key usage (RFC 5280, 4.2.1.12).",
            enum=USAGES,
        ),
    )


def column(name: str, path: str, *, priority: int = 0) -> Schema:
    """A column that kubectl prints; priority 1 only with `-o wide`."""
    made: Schema = {"jsonPath": path, "name": name}
    if priority:
        made["priority"] = priority
    return made | {"type": "string"}


AGE: Schema = {
    "jsonPath": ".metadata.creationTimestamp",
    "description": (
        "CreationTimestamp is a timestamp representing the server time when this object was"
        " created. Clients do not set it, and it is always in UTC."
    ),
    "name": "Age",
    "type": "date",
}


def ready(field: str) -> str:
    """The JSONPath to a field of the Ready condition."""
    return condition("Ready", field)


def condition(condition_type: str, field: str) -> str:
    """The JSONPath to a field of a condition."""
    return f'.status.conditions[?(@.type=="{condition_type}")].{field}'


def definition(  # noqa: PLR0913 - one for each part of a definition
    *,
    group: str,
    kind: str,
    plural: str,
    description: str,
    spec: Schema,
    status: Schema,
    columns: list[Schema],
    categories: tuple[str, ...] = ("cert-manager",),
    short_names: tuple[str, ...] = (),
    namespaced: bool = True,
    required: tuple[str, ...] = ("spec",),
    version: str = "v1",
) -> Schema:
    """A whole CustomResourceDefinition with one version."""
    names: Schema = {"kind": kind, "listKind": f"{kind}List", "plural": plural}
    if short_names:
        names["shortNames"] = list(short_names)
    names["singular"] = kind.lower()
    names["categories"] = list(categories)
    schema: Schema = {
        "description": description,
        "type": "object",
        "required": list(required),
        "properties": {
            "apiVersion": text("Version of the schema that this object is written in."),
            "kind": text("Kind of this object."),
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }
    served: Schema = {
        "name": version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            "labels": {
                "app": "cert-manager",
                "app.kubernetes.io/instance": "cert-manager",
                "app.kubernetes.io/name": "cert-manager",
            },
        },
        "spec": {
            "group": group,
            "names": names,
            "scope": "Namespaced" if namespaced else "Cluster",
            "versions": [served],
        },
    }
