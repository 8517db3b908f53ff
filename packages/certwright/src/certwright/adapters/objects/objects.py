"""What an API server does to one object when it is created, replaced or deleted. Pure.

Every function takes objects and returns a new one; time, uids and name suffixes are arguments.

Source: Kubernetes documentation, API Concepts, Object Names, Finalizers; reference cert-manager.md
section 10; behaviour checked by `tests/contract/store` against kube-apiserver 1.34.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from certwright.errors import ConflictError, RefusedError
from certwright.resources.kinds import (
    API_SERVICE,
    CERTIFICATE_SIGNING_REQUEST,
    CONFIG_MAP,
    CUSTOM_RESOURCE_DEFINITION,
    EVENT,
    LEASE,
    MUTATING_WEBHOOK_CONFIGURATION,
    NAMESPACE,
    SECRET,
    SUBJECT_ACCESS_REVIEW,
    VALIDATING_WEBHOOK_CONFIGURATION,
    Key,
    Kind,
    Manifest,
)

__all__ = [
    "Birth",
    "check_shape",
    "conflict",
    "copy_json",
    "invalid",
    "is_gone",
    "marked_for_deletion",
    "prepare_create",
    "prepare_replace",
    "resource_name",
]

NAME_LENGTH_MAX: Final = 253
NAMESPACE_LENGTH_MAX: Final = 63
GENERATED_PREFIX_LENGTH_MAX: Final = 58
"""A prefix is cut so that prefix and suffix fit a DNS label of 63 characters."""
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_COUNTS_GENERATIONS: Final = frozenset(
    {CUSTOM_RESOURCE_DEFINITION, MUTATING_WEBHOOK_CONFIGURATION, VALIDATING_WEBHOOK_CONFIGURATION}
)
BUILT_IN: Final = frozenset(
    {
        SECRET,
        CONFIG_MAP,
        EVENT,
        LEASE,
        NAMESPACE,
        CERTIFICATE_SIGNING_REQUEST,
        MUTATING_WEBHOOK_CONFIGURATION,
        VALIDATING_WEBHOOK_CONFIGURATION,
        CUSTOM_RESOURCE_DEFINITION,
        API_SERVICE,
        SUBJECT_ACCESS_REVIEW,
    }
)
"""What an API server itself knows, rather than through a CRD."""
_TLS_TYPE: Final = "kubernetes.io/tls"


@dataclass(frozen=True, slots=True)
class Birth:
    """What a new object is given."""

    uid: str
    now: str
    """RFC 3339, whole seconds."""
    suffix: str
    """Ends a generated name."""


def copy_json(value: Any) -> Any:
    """Copy nested objects and lists, without the fields that are null."""
    if isinstance(value, dict):
        return {name: copy_json(child) for name, child in value.items() if child is not None}
    if isinstance(value, list):
        return [copy_json(child) for child in value]
    return value


def resource_name(kind: Kind) -> str:
    """Return the kind's name in messages, such as `certificates.cert-manager.io`."""
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


def conflict(key: Key) -> ConflictError:
    """Return the error of a write that comes too late."""
    return ConflictError(
        f'Operation cannot be fulfilled on {resource_name(key.kind)} "{key.name}": the object has'
        " been modified; please apply your changes to the latest version and try again"
    )


def prepare_create(kind: Kind, obj: Manifest, birth: Birth) -> Manifest:
    """Return the object as it is first stored, without resourceVersion and managedFields.

    Raises:
        RefusedError: A name is missing or wrong, or the object is not valid.
    """
    obj = _normalized(kind, obj)
    metadata = obj["metadata"]
    if metadata.get("resourceVersion"):
        raise RefusedError("resourceVersion should not be set on objects to be created")
    if not metadata.get("name") and metadata.get("generateName"):
        prefix = str(metadata["generateName"])[:GENERATED_PREFIX_LENGTH_MAX]
        metadata["name"] = prefix + birth.suffix
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation", "selfLink"):
        metadata.pop(field, None)
    metadata["uid"] = birth.uid
    metadata["creationTimestamp"] = birth.now
    if _counts_generations(kind):
        metadata["generation"] = 1
    if kind.has_status:
        obj.pop("status", None)
    if kind == NAMESPACE:
        obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        obj["status"] = {"phase": "Active"}
    check_shape(kind, obj)
    return obj


def prepare_replace(kind: Kind, before: Manifest, obj: Manifest, subresource: str) -> Manifest:
    """Return the object after a PUT of `obj` on it or on its status, managedFields as sent.

    Raises:
        ConflictError: Its resourceVersion or uid are of another object.
        RefusedError: It is not valid, or changes what may not change.
    """
    key = kind.key(before["metadata"].get("namespace", ""), before["metadata"]["name"])
    sent = _normalized(kind, obj)
    check_preconditions(key, before, sent["metadata"])
    if not sent["metadata"].get("resourceVersion") and kind not in BUILT_IN:
        raise RefusedError(
            f'{resource_name(kind)} "{key.name}" is invalid: metadata.resourceVersion: '
            "Invalid value: 0: must be specified for an update"
        )
    if subresource == "status":
        result = {**copy_json(before), "status": sent.get("status", {})}
        if "status" not in sent:
            del result["status"]
        if managed := sent["metadata"].get("managedFields"):
            result["metadata"]["managedFields"] = managed
    else:
        result = _replaced(kind, before, sent)
    check_shape(kind, result)
    _check_immutable(kind, before, result)
    return result


def check_preconditions(key: Key, before: Manifest, sent: Mapping[str, Any]) -> None:
    """Compare the uid and resourceVersion that were sent with the present ones, where set.

    Raises:
        ConflictError: They differ.
    """
    present = before["metadata"]
    if sent.get("uid") and sent["uid"] != present["uid"]:
        raise ConflictError(
            f'Operation cannot be fulfilled on {resource_name(key.kind)} "{key.name}": '
            f"Precondition failed: UID in precondition: {sent['uid']}, UID in object meta: "
            f"{present['uid']}"
        )
    if sent.get("resourceVersion") and sent["resourceVersion"] != present["resourceVersion"]:
        raise conflict(key)


def with_generation(kind: Kind, before: Manifest, after: Manifest) -> Manifest:
    """Raise the generation if anything but metadata and status changed."""
    if not _counts_generations(kind):
        return after
    apart = {"metadata", "status"}
    old = {name: value for name, value in before.items() if name not in apart}
    new = {name: value for name, value in after.items() if name not in apart}
    generation = before["metadata"].get("generation", 1) + (old != new)
    return {**after, "metadata": {**after["metadata"], "generation": generation}}


def marked_for_deletion(kind: Kind, before: Manifest, now: str) -> Manifest:
    """Return an object that waits for its finalizers."""
    metadata = {**before["metadata"], "deletionTimestamp": now, "deletionGracePeriodSeconds": 0}
    if _counts_generations(kind):
        metadata["generation"] = metadata.get("generation", 1) + 1
    return {**before, "metadata": metadata}


def is_gone(obj: Manifest) -> bool:
    """Tell whether nothing holds a deleted object any longer."""
    metadata = obj["metadata"]
    return bool(metadata.get("deletionTimestamp")) and not metadata.get("finalizers")


# ------------------------------------------------------------------------------ validity


def check_shape(kind: Kind, obj: Manifest) -> None:
    """Refuse what no API server would store.

    Raises:
        RefusedError: With the field and the reason.
    """
    metadata = obj["metadata"]
    name = metadata.get("name")
    if not isinstance(name, str) or not name:
        raise invalid(kind, "", "metadata.name: Required value: name or generateName is required")
    if len(name) > NAME_LENGTH_MAX or not _SUBDOMAIN.fullmatch(name):
        raise invalid(kind, name, f'metadata.name: Invalid value: "{name}": {_SUBDOMAIN_RULE}')
    namespace = metadata.get("namespace", "")
    if kind.namespaced and not namespace:
        raise invalid(kind, name, "metadata.namespace: Required value")
    if kind.namespaced and (
        len(namespace) > NAMESPACE_LENGTH_MAX
        or not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", namespace)
    ):
        raise invalid(kind, name, f'metadata.namespace: Invalid value: "{namespace}"')
    _check_text_map(kind, name, "metadata.labels", metadata.get("labels"))
    _check_text_map(kind, name, "metadata.annotations", metadata.get("annotations"))
    if kind == SECRET:
        _check_secret(name, obj)


_SUBDOMAIN_RULE: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or"
    " '.', and must start and end with an alphanumeric character"
)


def _check_text_map(kind: Kind, name: str, path: str, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, dict) or not all(isinstance(entry, str) for entry in value.values()):
        raise invalid(kind, name, f"{path}: Invalid value: must be a map of strings")


def _check_secret(name: str, obj: Manifest) -> None:
    contents = obj.get("data") or {}
    if not isinstance(contents, dict):
        raise invalid(SECRET, name, "data: Invalid value: must be a map of base64 strings")
    for key, text in contents.items():
        try:
            base64.b64decode(text, validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise invalid(SECRET, name, f"data[{key}]: Invalid value: not base64") from error
    if obj.get("type") == _TLS_TYPE:
        for key in ("tls.crt", "tls.key"):
            if key not in contents:
                raise invalid(SECRET, name, f"data[{key}]: Required value")


def _check_immutable(kind: Kind, before: Manifest, after: Manifest) -> None:
    name = before["metadata"]["name"]
    if kind == SECRET:
        if before.get("type") != after.get("type"):
            raise invalid(
                kind, name, f'type: Invalid value: "{after.get("type")}": field is immutable'
            )
        frozen = ("immutable", "data")
        if before.get("immutable") and any(before.get(f) != after.get(f) for f in frozen):
            raise invalid(kind, name, "data: Forbidden: field is immutable when `immutable` is set")
    if kind == CERTIFICATE_SIGNING_REQUEST and before.get("spec") != after.get("spec"):
        raise invalid(kind, name, "spec: Invalid value: field is immutable")
    if before["metadata"].get("deletionTimestamp"):
        old = set(before["metadata"].get("finalizers", ()))
        new = set(after["metadata"].get("finalizers", ()))
        if new - old:
            raise invalid(
                kind,
                name,
                "metadata.finalizers: Forbidden: no new finalizers can be added if the object is"
                f" being deleted, found new finalizers {sorted(new - old)}",
            )


def invalid(kind: Kind, name: str, detail: str) -> RefusedError:
    """Return the error about a field."""
    return RefusedError(
        f'{kind.name}{"." + kind.group if kind.group else ""} "{name}" is invalid: {detail}'
    )


# ------------------------------------------------------------------------------ small parts


def _counts_generations(kind: Kind) -> bool:
    return kind not in BUILT_IN or kind in _COUNTS_GENERATIONS


def _normalized(kind: Kind, obj: Manifest) -> Manifest:
    result: Manifest = copy_json(obj)
    result["apiVersion"], result["kind"] = kind.api_version, kind.name
    metadata = result.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise invalid(kind, "", "metadata: Invalid value: must be an object")
    for field in ("labels", "annotations", "ownerReferences", "finalizers"):
        if field in metadata and not metadata[field]:
            del metadata[field]  # as encoding/json's omitempty does
    if not kind.namespaced:
        metadata.pop("namespace", None)
    if kind == SECRET:
        _normalize_secret(result)
    return result


def _normalize_secret(obj: Manifest) -> None:
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None)
    if isinstance(plain, dict):
        encoded = {
            key: base64.b64encode(str(text).encode()).decode() for key, text in plain.items()
        }
        obj["data"] = {**obj.get("data", {}), **encoded}


def _replaced(kind: Kind, before: Manifest, sent: Manifest) -> Manifest:
    result = sent
    old, new = before["metadata"], result["metadata"]
    for field in (
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "resourceVersion",
    ):
        new.pop(field, None)
        if field in old:
            new[field] = old[field]
    if "managedFields" not in new and "managedFields" in old:
        new["managedFields"] = copy_json(old["managedFields"])
    if kind.has_status:
        result.pop("status", None)
        if "status" in before:
            result["status"] = copy_json(before["status"])
    return result
