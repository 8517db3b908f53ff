"""Which Secrets an Ingress, Gateway or ListenerSet serves, and for which hosts.

Source: reference cert-manager.md 7; cert-manager v1.12.2 pkg/controller/certificate-shim/sync.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from certwright.admission.fields import (
    FieldError,
    aggregate,
    child,
    index,
    invalid,
    not_supported,
    required,
)
from certwright.resources import known, meta
from certwright.resources.kinds import INGRESS, LISTENER_SET, Manifest
from certwright.resources.meta import mapping_at

__all__ = ["Served", "object_problem", "secret_names", "served_by"]

_TLS_PROTOCOLS: Final = frozenset({"HTTPS", "TLS"})
_SECRET_GROUPS: Final = ("core", "")
_SECRET_KINDS: Final = ("Secret", "")


@dataclass(frozen=True, slots=True)
class Served:
    """What an object serves."""

    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By name of the Secret, which is in the object's namespace."""
    skipped: tuple[str, ...] = ()
    """What is left out, and why: messages of events."""


def object_problem(obj: Manifest) -> str:
    """Return why nothing at all can be done for the object, or an empty text."""
    if meta.kind_of(obj) != INGRESS:
        return ""
    paths: dict[str, list[str]] = {}
    for at, block in enumerate(_entries(obj, "tls")):
        path = child(index(child("spec", "tls"), at), "secretName")
        paths.setdefault(str(block.get("secretName") or ""), []).append(path)
    errors = [
        invalid(
            found[0],
            name,
            "this secret name must only appear in a single TLS entry but is also used in "
            f"{found[1]}",
        )
        for name, found in paths.items()
        if len(found) > 1
    ]
    return aggregate(map(str, errors))


def served_by(obj: Manifest) -> Served:
    """Return what an object serves."""
    if meta.kind_of(obj) == INGRESS:
        return _of_ingress(obj)
    return _of_listeners(obj)


def secret_names(obj: Manifest) -> frozenset[str]:
    """Return every Secret that the object names, also where that serves nothing."""
    if meta.kind_of(obj) == INGRESS:
        return frozenset(str(block.get("secretName") or "") for block in _entries(obj, "tls"))
    return frozenset(
        str(ref.get("name") or "")
        for listener in _entries(obj, "listeners")
        for ref in mapping_at(listener, "tls").get("certificateRefs") or ()
    )


def _entries(obj: Manifest, name: str) -> Sequence[Mapping[str, Any]]:
    return tuple(mapping_at(obj, "spec").get(name) or ())


def _of_ingress(ingress: Manifest) -> Served:
    hosts: dict[str, tuple[str, ...]] = {}
    skipped: list[str] = []
    for at, block in enumerate(_entries(ingress, "tls")):
        path = index(child("spec", "tls"), at)
        errors = [
            required(child(path, name)) for name in ("hosts", "secretName") if not block.get(name)
        ]
        if errors:
            skipped.append(f"Skipped a TLS block: {aggregate(map(str, errors))}")
        else:
            hosts[str(block["secretName"])] = tuple(block["hosts"])
    return Served(hosts, tuple(skipped))


def _of_listeners(obj: Manifest) -> Served:
    """Collect hosts by Secret; what a later version leaves out in silence is so in a ListenerSet.

    Of a Gateway's listeners 1.12 says of each that it cannot serve, plain HTTP too.
    """
    hosts: dict[str, tuple[str, ...]] = {}
    skipped: list[str] = []
    ignored = {
        name.strip() for name in meta.annotations(obj).get(known.IGNORE_LISTENERS, "").split(",")
    }
    for at, listener in enumerate(_entries(obj, "listeners")):
        if str(listener.get("name") or "") in ignored - {""}:
            continue
        if meta.kind_of(obj) == LISTENER_SET and not _is_terminated(listener):
            continue
        errors = _listener_errors(listener, index(child("spec", "listeners"), at), obj)
        if errors:
            skipped.append(f"Skipped a listener block: {aggregate(map(str, errors))}")
            continue
        for ref in mapping_at(listener, "tls").get("certificateRefs") or ():
            name = str(ref.get("name") or "")
            hosts[name] = (*hosts.get(name, ()), str(listener["hostname"]))
    return Served(hosts, tuple(skipped))


def _is_terminated(listener: Mapping[str, Any]) -> bool:
    is_tls = listener.get("protocol") in _TLS_PROTOCOLS
    return is_tls and mapping_at(listener, "tls").get("mode") != "Passthrough"


def _listener_errors(listener: Mapping[str, Any], path: str, obj: Manifest) -> list[FieldError]:
    errors: list[FieldError] = []
    if not listener.get("hostname"):
        errors.append(required(child(path, "hostname"), "the hostname cannot be empty"))
    if listener.get("tls") is None:
        return [*errors, required(child(path, "tls"), "the TLS block cannot be empty")]
    tls = mapping_at(listener, "tls")
    refs_path = child(path, "tls", "certificateRef")
    refs = tls.get("certificateRefs") or ()
    if not refs:
        errors.append(required(refs_path, "listener has no certificateRefs"))
    for at, ref in enumerate(refs):
        errors += _reference_errors(ref, index(refs_path, at), meta.namespace(obj))
    mode = tls.get("mode") or "Terminate"
    if mode != "Terminate":
        errors.append(not_supported(child(path, "tls", "mode"), mode, ("Terminate",)))
    return errors


def _reference_errors(ref: Mapping[str, Any], path: str, namespace: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for name, allowed in (("group", _SECRET_GROUPS), ("kind", _SECRET_KINDS)):
        value = ref.get(name) or ""
        if value not in allowed:
            errors.append(not_supported(child(path, name), value, allowed))
    elsewhere = ref.get("namespace")
    if elsewhere and elsewhere != namespace:
        errors.append(
            invalid(
                child(path, "namespace"),
                elsewhere,
                "cross-namespace secret references are not allowed in listeners",
            )
        )
    return errors
