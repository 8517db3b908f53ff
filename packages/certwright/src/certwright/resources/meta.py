"""Metadata that every object has, read with care: an absent field is an empty value.

Nothing here changes what it is given. Annotations are evaluated here, unlike elsewhere: the name
`annotations` belongs to the field.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from certwright.errors import InvalidError
from certwright.resources.kinds import KINDS, Key, Kind, Manifest
from certwright.resources.times import parse_time

__all__ = [
    "OwnerReference",
    "annotations",
    "controller_of",
    "controller_reference",
    "creation_time",
    "deletion_time",
    "dns_safe_shorten_to_52",
    "finalizers",
    "generation",
    "is_controlled_by",
    "is_owned_by",
    "key_of",
    "kind_of",
    "labels",
    "mapping_at",
    "name",
    "namespace",
    "owner_references",
    "resource_version",
    "uid",
]

_NO_MAPPING: Final[Mapping[str, Any]] = {}
_BY_API_VERSION_AND_NAME: Final = {(kind.api_version, kind.name): kind for kind in KINDS}
_NOT_ALPHANUMERIC_AT_END: Final = re.compile(r"[^a-zA-Z0-9]+$")


@dataclass(frozen=True, slots=True)
class OwnerReference:
    """One entry of `metadata.ownerReferences`."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool


def mapping_at(obj: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """Return the mapping at `path`, or an empty one where a step is absent or null."""
    here: Mapping[str, Any] = obj
    for step in path:
        found = here.get(step)
        # Nearly always a dict: asking an abstract class first took a tenth of every decision.
        if type(found) is not dict and not isinstance(found, Mapping):
            return _NO_MAPPING
        here = found
    return here


def name(obj: Manifest) -> str:
    """Return `metadata.name`, or an empty string."""
    return str(mapping_at(obj, "metadata").get("name") or "")


def namespace(obj: Manifest) -> str:
    """Return `metadata.namespace`, or an empty string."""
    return str(mapping_at(obj, "metadata").get("namespace") or "")


def uid(obj: Manifest) -> str:
    """Return `metadata.uid`, or an empty string."""
    return str(mapping_at(obj, "metadata").get("uid") or "")


def labels(obj: Manifest) -> Mapping[str, str]:
    """Return `metadata.labels`, or an empty mapping."""
    return cast("Mapping[str, str]", mapping_at(obj, "metadata", "labels"))


def annotations(obj: Manifest) -> Mapping[str, str]:
    """Return `metadata.annotations`, or an empty mapping."""
    return cast("Mapping[str, str]", mapping_at(obj, "metadata", "annotations"))


def finalizers(obj: Manifest) -> tuple[str, ...]:
    """Return `metadata.finalizers`, or ()."""
    return tuple(mapping_at(obj, "metadata").get("finalizers") or ())


def generation(obj: Manifest) -> int:
    """Return `metadata.generation`, or 0."""
    return int(mapping_at(obj, "metadata").get("generation") or 0)


def resource_version(obj: Manifest) -> str:
    """Return `metadata.resourceVersion`, or an empty string."""
    return str(mapping_at(obj, "metadata").get("resourceVersion") or "")


def creation_time(obj: Manifest) -> datetime | None:
    """Return `metadata.creationTimestamp`, UTC, or None for an object not stored yet."""
    text = mapping_at(obj, "metadata").get("creationTimestamp")
    return parse_time(text) if text else None


def deletion_time(obj: Manifest) -> datetime | None:
    """Return `metadata.deletionTimestamp`, UTC, or None for an object that is not being deleted."""
    text = mapping_at(obj, "metadata").get("deletionTimestamp")
    return parse_time(text) if text else None


def owner_references(obj: Manifest) -> tuple[OwnerReference, ...]:
    """Return `metadata.ownerReferences` in their order, or ()."""
    return tuple(
        OwnerReference(
            api_version=str(owner.get("apiVersion") or ""),
            kind=str(owner.get("kind") or ""),
            name=str(owner.get("name") or ""),
            uid=str(owner.get("uid") or ""),
            controller=bool(owner.get("controller")),
        )
        for owner in mapping_at(obj, "metadata").get("ownerReferences") or ()
    )


def controller_of(obj: Manifest) -> OwnerReference | None:
    """Return the owner that is marked as controller, or None."""
    return next((owner for owner in owner_references(obj) if owner.controller), None)


def is_owned_by(obj: Manifest, owner_uid: str) -> bool:
    """Whether one of the owner references has this uid; False for an empty uid."""
    return bool(owner_uid) and any(owner.uid == owner_uid for owner in owner_references(obj))


def is_controlled_by(obj: Manifest, owner_uid: str) -> bool:
    """Whether the owner that is marked as controller has this uid; False for an empty uid."""
    owner = controller_of(obj)
    return bool(owner_uid) and owner is not None and owner.uid == owner_uid


def controller_reference(owner: Manifest) -> Manifest:
    """Return the owner reference that makes an object belong to `owner`.

    Source: apimachinery `metav1.NewControllerRef`: controller and blockOwnerDeletion are true.
    """
    kind = kind_of(owner)
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "name": name(owner),
        "uid": uid(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def kind_of(obj: Manifest) -> Kind:
    """Return the kind of an object by its apiVersion and kind.

    Raises:
        InvalidError: It is none of ours.
    """
    api_version, kind_name = str(obj.get("apiVersion") or ""), str(obj.get("kind") or "")
    kind = _BY_API_VERSION_AND_NAME.get((api_version, kind_name))
    if kind is None:
        raise InvalidError(f'no kind "{kind_name}" is known in apiVersion "{api_version}"')
    return kind


def key_of(obj: Manifest) -> Key:
    """Return the key of an object.

    Raises:
        InvalidError: Its apiVersion and kind are none of ours.
    """
    return kind_of(obj).key(namespace(obj), name(obj))


def dns_safe_shorten_to_52(text: str) -> str:
    """Cut a name so that a suffix of 11 characters fits into a DNS label of 63.

    The cut is at 52 characters; what is not alphanumeric at the new end goes too. A short text
    stays as it is.

    Source: cert-manager v1.12.2 pkg/api/util/names.go, `DNSSafeShortenTo52Characters`.
    """
    if len(text) < 52:
        return text
    return _NOT_ALPHANUMERIC_AT_END.sub("", text[:52])
