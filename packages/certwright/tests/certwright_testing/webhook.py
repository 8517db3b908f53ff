"""Our webhook in front of a store: writes come back as an API server would store them."""

from __future__ import annotations

import base64
import json
from typing import Any

from certwright.admission.fields import FieldError
from certwright.admission.identity import UserInfo
from certwright.admission.review import decode_review, mutate, validate
from certwright.errors import RefusedError
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.crds import CUSTOM_KINDS
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import Manifest
from certwright.resources.meta import kind_of

__all__ = ["CONTROLLER", "admit", "patched"]

CONTROLLER = UserInfo(
    username="system:serviceaccount:cert-manager:cert-manager",
    uid="1",
    groups=("system:serviceaccounts", "system:authenticated"),
)


class _EverybodyApproves:
    async def refusal(self, _request: CertificateRequest, _user: UserInfo, /) -> FieldError | None:
        return None


async def admit(
    obj: Manifest,
    old: Manifest | None,
    *,
    subresource: str = "",
    gates: FeatureGates | None = None,
    user: UserInfo = CONTROLLER,
) -> Manifest:
    """Return the object as it is stored after both webhooks; other kinds as they are.

    Raises:
        RefusedError: One of them said no.
    """
    kind = kind_of(obj)
    if kind not in CUSTOM_KINDS:
        return obj
    request: dict[str, Any] = {
        "uid": "1",
        "operation": "CREATE" if old is None else "UPDATE",
        "resource": {"group": kind.group, "version": kind.version, "resource": kind.plural},
        "subResource": subresource,
        "userInfo": {"username": user.username, "uid": user.uid, "groups": list(user.groups)},
        "oldObject": old,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    mutated = mutate(decode_review({**review, "request": {**request, "object": obj}}))["response"]
    if not mutated["allowed"]:
        raise RefusedError(mutated["status"]["message"])
    written = patched(obj, json.loads(base64.b64decode(mutated["patch"])))
    decoded = decode_review({**review, "request": {**request, "object": written}})
    judged = await validate(decoded, gates or FeatureGates(), _EverybodyApproves())
    if not judged["response"]["allowed"]:
        message = judged["response"]["status"]["message"]
        raise RefusedError(f'admission webhook "webhook.cert-manager.io" denied: {message}')
    return written


def patched(obj: Manifest, patch: list[dict[str, Any]]) -> Manifest:
    """Return a copy with the operations carried out."""
    result = json.loads(json.dumps(obj))
    for operation in patch:
        *path, last = [
            part.replace("~1", "/").replace("~0", "~")
            for part in operation["path"].removeprefix("/").split("/")
        ]
        place = result
        for part in path:
            place = place[int(part) if isinstance(place, list) else part]
        if operation["op"] == "remove":
            del place[last]
        else:
            place[int(last) if isinstance(place, list) else last] = operation["value"]
    return dict(result)
