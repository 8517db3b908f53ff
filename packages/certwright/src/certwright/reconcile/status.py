"""How a loop writes the part of a status that is its own.

Source: reference cert-manager.md 2.0 (UpdateStatus, or server-side apply behind a gate).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from certwright.reconcile.contract import Action, Apply, Expect, UpdateStatus
from certwright.resources import meta
from certwright.resources.features import SERVER_SIDE_APPLY, FeatureGates
from certwright.resources.kinds import Manifest

__all__ = ["set_fields", "still_so", "write_status"]


def set_fields(obj: Manifest, **fields: Any) -> Manifest:
    """Return a copy of `obj` with these fields of its status; None takes a field away."""
    status = {**meta.mapping_at(obj, "status"), **fields}
    changed = {name: value for name, value in status.items() if value is not None}
    rest = {name: value for name, value in obj.items() if name != "status"}
    return {**rest, "status": changed} if changed else rest


def write_status(
    old: Manifest,
    new: Manifest,
    gates: FeatureGates,
    *,
    conditions: Sequence[str] = (),
    fields: Sequence[str] = (),
) -> tuple[Action, ...]:
    """Return what writes the status of `new`; nothing if it is that of `old`.

    Args:
        old: The object as it was seen.
        new: The same with another status.
        gates: With ServerSideApply only what is named below is sent, and owned from then on.
        conditions: Types of conditions that the loop owns.
        fields: Fields of the status that the loop owns.
    """
    status = meta.mapping_at(new, "status")
    if meta.mapping_at(old, "status") == status:
        return ()
    if SERVER_SIDE_APPLY not in gates:
        return (UpdateStatus(new),)
    owned = {name: status[name] for name in fields if name in status}
    entries = [entry for entry in status.get("conditions") or () if entry["type"] in conditions]
    if entries:
        owned["conditions"] = entries
    metadata = {"name": meta.name(new), "resourceVersion": meta.resource_version(new)}
    if meta.namespace(new):
        metadata["namespace"] = meta.namespace(new)
    return (
        Apply(
            {
                "apiVersion": new["apiVersion"],
                "kind": new["kind"],
                "metadata": metadata,
                "status": owned,
            },
            subresource="status",
        ),
    )


def still_so(obj: Manifest) -> Expect:
    """Return what fails if `obj` is not as it was seen any more."""
    return Expect(meta.key_of(obj), meta.resource_version(obj))
