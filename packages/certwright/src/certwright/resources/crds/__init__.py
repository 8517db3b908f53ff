"""The six CustomResourceDefinitions that we install, as plain YAML beside this file.

Written by `tools/gen_crds.py`; the words of the descriptions are ours, the schema is
cert-manager's, field by field.

Source: reference cert-manager.md 1.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, Final, cast

import yaml

from certwright.resources.crds.later import add_later_fields
from certwright.resources.kinds import (
    BUNDLE,
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CHALLENGE,
    CLUSTER_ISSUER,
    ISSUER,
    ORDER,
    Kind,
    Manifest,
)

__all__ = ["CUSTOM_KINDS", "load", "schema_of", "text"]

CUSTOM_KINDS: Final = (CERTIFICATE, CERTIFICATE_REQUEST, ISSUER, CLUSTER_ISSUER, ORDER, CHALLENGE)
"""The kinds that these files define."""


def text() -> str:
    """Return all definitions as one YAML stream, for `kubectl apply -f -`."""
    return "---\n".join(_text(kind) for kind in CUSTOM_KINDS)


def load(*, later_fields: bool = False, bundles: bool = False) -> list[Manifest]:
    """Return all definitions; the caller may change what it gets.

    Args:
        later_fields: With the fields that later versions of cert-manager have.
        bundles: With trust-manager's Bundle.
    """
    definitions = [cast("Manifest", yaml.safe_load(_text(kind))) for kind in CUSTOM_KINDS]
    if later_fields:
        for kind, definition in zip(CUSTOM_KINDS, definitions, strict=True):
            add_later_fields(kind, definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    if bundles:
        definitions.append(cast("Manifest", yaml.safe_load(_text(BUNDLE))))
    return definitions


@cache
def schema_of(kind: Kind) -> dict[str, Any]:
    """Return the OpenAPI v3 schema of one of `CUSTOM_KINDS`, with the fields of later versions.

    What an API server does not know it has dropped before anybody here sees it. Must not be
    changed.
    """
    definition = yaml.load(_text(kind), Loader=_LOADER)  # noqa: S506 - the safe loader, in C if there
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    add_later_fields(kind, schema)
    return cast("dict[str, Any]", schema)


_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _text(kind: Kind) -> str:
    folder = files(__name__)
    if kind == BUNDLE:
        folder /= "optional"
    return (folder / f"{kind.group}_{kind.plural}.yaml").read_text("utf-8")
