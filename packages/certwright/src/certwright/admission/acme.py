"""Rules for Orders and Challenges: what must not change. Creation is not checked.

Source: reference cert-manager.md 1.4 and 1.5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from certwright.admission.fields import FieldError, child, forbidden, index
from certwright.admission.immutable import same_value
from certwright.resources.kinds import Manifest
from certwright.resources.meta import mapping_at

__all__ = ["updated_challenge_errors", "updated_order_errors"]

_IMMUTABLE: Final = "field is immutable once set"


def updated_order_errors(old: Manifest, order: Manifest) -> list[FieldError]:
    """Return what was set in an Order and is now different."""
    before, after = mapping_at(old, "status"), mapping_at(order, "status")
    return [
        *_changed(mapping_at(old, "spec"), mapping_at(order, "spec"), "spec", "request"),
        *_changed(before, after, "status", "url", "finalizeURL", "certificate"),
        *_authorization_errors(
            before.get("authorizations") or (),
            after.get("authorizations") or (),
            "status.authorizations",
        ),
    ]


def updated_challenge_errors(old: Manifest, challenge: Manifest) -> list[FieldError]:
    """Return an error if the spec of a Challenge has changed."""
    if same_value(mapping_at(old, "spec"), mapping_at(challenge, "spec")):
        return []
    return [forbidden("spec", "challenge spec is immutable after creation")]


def _changed(
    old: Mapping[str, Any], new: Mapping[str, Any], path: str, *fields: str
) -> list[FieldError]:
    return [
        forbidden(child(path, field), _IMMUTABLE)
        for field in fields
        if old.get(field) and old.get(field) != new.get(field)
    ]


def _authorization_errors(
    old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], path: str
) -> list[FieldError]:
    if not old:
        return []
    errors = [] if len(old) == len(new) else [forbidden(path, _IMMUTABLE)]
    # The original crashes where one is missing; those that are there on both sides are compared.
    for position, (before, after) in enumerate(zip(old, new, strict=False)):
        where = index(path, position)
        errors += _changed(before, after, where, "url", "identifier")
        wildcard = before.get("wildcard")
        if wildcard is not None and wildcard != after.get("wildcard"):
            errors.append(forbidden(child(where, "wildcard"), _IMMUTABLE))
        errors += _changed(before, after, where, "initialState")
        errors += _challenge_errors(
            before.get("challenges") or (),
            after.get("challenges") or (),
            child(where, "challenges"),
        )
    return errors


def _challenge_errors(
    old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], path: str
) -> list[FieldError]:
    if not old:
        return []
    errors = [] if len(old) == len(new) else [forbidden(path, _IMMUTABLE)]
    for position, (before, after) in enumerate(zip(old, new, strict=False)):
        errors += _changed(before, after, index(path, position), "url", "type", "token")
    return errors
