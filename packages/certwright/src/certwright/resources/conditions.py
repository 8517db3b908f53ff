"""Conditions: what a status says about an object, one entry for each type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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
    return tuple(map(_condition, mapping_at(obj, "status").get("conditions") or ()))


def get_condition(obj: Manifest, condition_type: str) -> Condition | None:
    """Return the first condition of this type, or None."""
    entries = mapping_at(obj, "status").get("conditions") or ()
    found = next((entry for entry in entries if entry.get("type") == condition_type), None)
    return None if found is None else _condition(found)


def _condition(entry: Mapping[str, Any]) -> Condition:
    return Condition(
        type=str(entry.get("type") or ""),
        status=str(entry.get("status") or ""),
        reason=str(entry.get("reason") or ""),
        message=str(entry.get("message") or ""),
        last_transition_time=(
            parse_time(entry["lastTransitionTime"]) if entry.get("lastTransitionTime") else None
        ),
        observed_generation=entry.get("observedGeneration"),
    )


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
    entries = _entries(obj)
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
            break
    else:
        entries.append(entry)
    return {**obj, "status": {**mapping_at(obj, "status"), "conditions": entries}}


def without_condition(obj: Manifest, condition_type: str) -> Manifest:
    """Return a copy of `obj` without conditions of this type."""
    if not isinstance(obj.get("status"), dict):
        return obj
    status = {name: value for name, value in obj["status"].items() if name != "conditions"}
    kept = [entry for entry in _entries(obj) if entry.get("type") != condition_type]
    if kept:
        status["conditions"] = kept
    return {**obj, "status": status}


def _entries(obj: Manifest) -> list[Manifest]:
    """Return the conditions in a list of its own; what is not changed is shared, not copied."""
    entries = mapping_at(obj, "status").get("conditions")
    return list(entries) if isinstance(entries, list) else []
