"""Who made a CertificateRequest: written by us when it is created, the same for ever.

Source: reference cert-manager.md 4.3 (CertificateRequestIdentity).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from certwright.admission.fields import FieldError, child, forbidden
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.kinds import Manifest

__all__ = ["UserInfo", "created_identity_errors", "updated_identity_errors", "with_identity"]


@dataclass(frozen=True, slots=True)
class UserInfo:
    """Who sent a request to the API server."""

    username: str = ""
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def from_object(cls, info: Mapping[str, Any]) -> UserInfo:
        """Read the JSON of an `authentication.k8s.io/v1` UserInfo."""
        return cls(
            username=str(info.get("username") or ""),
            uid=str(info.get("uid") or ""),
            groups=tuple(info.get("groups") or ()),
            extra=info.get("extra") or {},
        )


def with_identity(obj: Manifest, user: UserInfo) -> Manifest:
    """Return a copy of a new CertificateRequest that says who made it, whatever it said before."""
    changed = deepcopy(obj)
    spec = changed.get("spec")
    if not isinstance(spec, dict):
        return changed  # refused later: it has no spec
    values: dict[str, Any] = {
        "username": user.username,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {name: list(values) for name, values in user.extra.items()},
    }
    for name, value in values.items():
        if value:
            spec[name] = value
        else:
            spec.pop(name, None)
    return changed


def created_identity_errors(request: CertificateRequest, user: UserInfo) -> list[FieldError]:
    """Return where a new request says that somebody else made it."""
    own = {name: sorted(values) for name, values in request.extra.items()}
    given = {name: sorted(values) for name, values in user.extra.items()}
    return _differences(
        {
            "uid": request.requester_uid == user.uid,
            "username": request.username == user.username,
            "groups": sorted(request.groups) == sorted(user.groups),
            "extra": own == given,
        },
        "must be that of the requester",
    )


def updated_identity_errors(
    old: CertificateRequest, request: CertificateRequest
) -> list[FieldError]:
    """Return where a request says no longer who made it."""
    return _differences(
        {
            "uid": old.requester_uid == request.requester_uid,
            "username": old.username == request.username,
            "groups": sorted(old.groups) == sorted(request.groups),
            "extra": dict(old.extra) == dict(request.extra),
        },
        "cannot be changed once set",
    )


def _differences(same: Mapping[str, bool], text: str) -> list[FieldError]:
    return [
        forbidden(child("spec", name), f"{name} identity {text}")
        for name, is_same in same.items()
        if not is_same
    ]
