"""Conditions: what a status says about an object, one entry for each type."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime

from certwright.resources.kinds import Manifest
from certwright.resources.meta import mapping_at
from certwright.resources.times import format_time, parse_time

__all__ = ["Condition", "conditions", "get_condition", "with_condition", "without_condition"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One entry of `status.conditions`."""

    type: str
    status: str
    """`True`, `False` or `Unknown`."""
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None
    """When `status` changed last, UTC."""
    observed_generation: int | None = None
    """None where the kind has no such field or it is not set."""

    @property
    def is_true(self) -> bool:
        """Whether the status is `True`."""
        return self.status == "True"


def conditions(obj: Manifest) -> tuple[Condition, ...]:
    """Return all conditions, in their order."""
    return tuple(
        Condition(
            type=str(entry.get("type") or ""),
            status=str(entry.get("status") or ""),
            reason=str(entry.get("reason") or ""),
            message=str(entry.get("message") or ""),
            last_transition_time=(
                parse_time(entry["lastTransitionTime"]) if entry.get("lastTransitionTime") else None
            ),
            observed_generation=entry.get("observedGeneration"),
        )
        for entry in mapping_at(obj, "status").get("conditions") or ()
    )


def get_condition(obj: Manifest, condition_type: str) -> Condition | None:
    """Return the first condition of this type, or None."""
    return next((found for found in conditions(obj) if found.type == condition_type), None)


def with_condition(
    obj: Manifest,
    *,
    type: str,  # noqa: A002 - the field's name
    status: str,
    reason: str,
    message: str,
    now: datetime,
    observed_generation: int | None = None,
) -> Manifest:
    """Return a copy of `obj` with this condition, in place of one of the same type or at the end.

    `lastTransitionTime` becomes `now` only when `status` differs from what was there.

    Source: cert-manager v1.12.2 pkg/api/util/conditions.go.
    """
    changed = deepcopy(obj)
    entries = _entries(changed)
    entry: Manifest = {"lastTransitionTime": format_time(now)}
    if message:
        entry["message"] = message
    if observed_generation:
        entry["observedGeneration"] = observed_generation
    if reason:
        entry["reason"] = reason
    entry["status"] = status
    entry["type"] = type
    for index, present in enumerate(entries):
        if present.get("type") == type:
            if present.get("status") == status and present.get("lastTransitionTime"):
                entry["lastTransitionTime"] = present["lastTransitionTime"]
            entries[index] = entry
            return changed
    entries.append(entry)
    return changed


def without_condition(obj: Manifest, condition_type: str) -> Manifest:
    """Return a copy of `obj` without conditions of this type."""
    changed = deepcopy(obj)
    if not isinstance(changed.get("status"), dict):
        return changed
    kept = [entry for entry in _entries(changed) if entry.get("type") != condition_type]
    if kept:
        changed["status"]["conditions"] = kept
    else:
        del changed["status"]["conditions"]
    return changed


def _entries(obj: Manifest) -> list[Manifest]:
    """Return the list of conditions inside `obj`, made if absent."""
    status = obj.get("status")
    if not isinstance(status, dict):
        status = obj["status"] = {}
    entries = status.get("conditions")
    if not isinstance(entries, list):
        entries = status["conditions"] = []
    return entries
