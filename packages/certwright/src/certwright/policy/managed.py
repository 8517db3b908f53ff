"""What a field manager owns of an object, read from `metadata.managedFields`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from certwright.errors import InvalidError
from certwright.resources.kinds import Manifest
from certwright.resources.meta import mapping_at

__all__ = ["ISSUING_FIELD_MANAGER", "Owned", "owned_by"]

ISSUING_FIELD_MANAGER: Final = "cert-manager-certificates-issuing"
"""Who writes target Secrets.

Source: reference cert-manager.md 2.9."""
_LABELS: Final = ("f:metadata", "f:labels")
_ANNOTATIONS: Final = ("f:metadata", "f:annotations")
_OWNERS: Final = ("f:metadata", "f:ownerReferences")
_DATA: Final = ("f:data",)
_FIELD: Final = "f:"
_KEY: Final = "k:"


@dataclass(frozen=True, slots=True)
class Owned:
    """Names of what one manager owns."""

    labels: frozenset[str]
    annotations: frozenset[str]
    data: frozenset[str]
    owner_uids: frozenset[str]
    """Of the owner references it owns."""


def owned_by(obj: Manifest, manager: str) -> Owned:
    """Return what `manager` owns, whatever the operation it was written by.

    Raises:
        InvalidError: A set of fields cannot be read.

    Source: Kubernetes API, FieldsV1: `f:` names a field, `k:` an entry of a list by its keys.
    """
    labels: set[str] = set()
    annotations: set[str] = set()
    data: set[str] = set()
    owners: set[str] = set()
    for entry in mapping_at(obj, "metadata").get("managedFields") or ():
        fields = entry.get("fieldsV1")
        if entry.get("manager") != manager or fields is None:
            continue
        labels.update(_names(fields, _LABELS))
        annotations.update(_names(fields, _ANNOTATIONS))
        data.update(_names(fields, _DATA))
        owners.update(_owner_uids(fields))
    return Owned(frozenset(labels), frozenset(annotations), frozenset(data), frozenset(owners))


def _names(fields: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Yield the fields that are owned at `path`."""
    for step in _at(fields, path):
        if step.startswith(_FIELD):
            yield step.removeprefix(_FIELD)


def _owner_uids(fields: Any) -> Iterator[str]:
    for step, below in _at(fields, _OWNERS).items():
        # An entry is owned as a whole if nothing or "." stands below its key.
        if not step.startswith(_KEY) or (below and "." not in below):
            continue
        try:
            key = json.loads(step.removeprefix(_KEY))
        except ValueError as error:
            raise InvalidError(f"{step} is no key of a list: {error}") from error
        if isinstance(key, dict) and isinstance(key.get("uid"), str):
            yield key["uid"]


def _at(fields: Any, path: tuple[str, ...]) -> Mapping[str, Any]:
    """Return what stands below `path`; nothing if the path is not there."""
    here: Mapping[str, Any] = {"fieldsV1": fields}
    for step in ("fieldsV1", *path):
        below = here.get(step, {})
        if not isinstance(below, Mapping):
            raise InvalidError(f"{step} is no set of fields")
        here = below
    return here
