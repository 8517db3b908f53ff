"""One admission request through the plugins, in their order.

::

    AdmissionReview ─▶ decode ─▶ mutate:    identity of a new CertificateRequest ─▶ JSON Patch
                              └▶ validate:  approval, identity, rules of the kind; deprecation warns

All plugins are asked, and all that they refuse stands in the one message. Approval needs answers
of the API server: `Approver` gives them.

Source: reference cert-manager.md 4.2; the order is that of the recorded answers.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from certwright.admission.approval import decides
from certwright.admission.fields import FieldError, Verdict, aggregate
from certwright.admission.go_json import through_go
from certwright.admission.identity import (
    UserInfo,
    created_identity_errors,
    updated_identity_errors,
    with_identity,
)
from certwright.admission.json_patch import json_patch
from certwright.admission.validation import validate_create, validate_update
from certwright.errors import InvalidError, StoreError
from certwright.resources import known
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.crds import CUSTOM_KINDS
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CERTIFICATE_REQUEST, Manifest
from certwright.resources.meta import kind_of, mapping_at

__all__ = ["AdmissionRequest", "Approver", "decode_review", "mutate", "validate"]

_API_VERSION: Final = "admission.k8s.io/v1"
_KIND: Final = "AdmissionReview"
_JUDGED: Final = frozenset({"CREATE", "UPDATE"})
_RESOURCES: Final = {(kind.group, kind.version, kind.plural) for kind in CUSTOM_KINDS}


class Approver(Protocol):
    """Asks the API server whether somebody may approve."""

    async def refusal(self, request: CertificateRequest, user: UserInfo, /) -> FieldError | None:
        """Return why the user may not approve or deny the request, or None.

        Raises:
            StoreError: There is no answer; the request is refused for now.
        """


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """What the API server asks about."""

    uid: str
    operation: str
    group: str
    version: str
    resource: str
    """Group, version and plural name of what was requested."""
    subresource: str
    user: UserInfo
    object: Manifest | None
    old: Manifest | None

    @property
    def is_certificate_request(self) -> bool:
        """Whether it is about a CertificateRequest or a subresource of one."""
        kind = CERTIFICATE_REQUEST
        return (self.group, self.resource) == (kind.group, kind.plural)


def decode_review(review: Any) -> AdmissionRequest:
    """Read an AdmissionReview.

    Raises:
        InvalidError: It is none, or of another version.
    """
    if not isinstance(review, dict) or review.get("kind") != _KIND:
        raise InvalidError(f"the body is no {_KIND}")
    if review.get("apiVersion") != _API_VERSION:
        version = review.get("apiVersion")
        raise InvalidError(f'{_KIND} has apiVersion "{version}", only {_API_VERSION} is known')
    request = review.get("request")
    if not isinstance(request, dict):
        raise InvalidError(f"{_KIND} has no request")
    resource = mapping_at(request, "requestResource") or mapping_at(request, "resource")
    subresource = request.get("requestSubResource") or request.get("subResource")
    return AdmissionRequest(
        uid=str(request.get("uid") or ""),
        operation=str(request.get("operation") or ""),
        group=str(resource.get("group") or ""),
        version=str(resource.get("version") or ""),
        resource=str(resource.get("resource") or ""),
        subresource=str(subresource or ""),
        user=UserInfo.from_object(mapping_at(request, "userInfo")),
        object=_object(request, "object"),
        old=_object(request, "oldObject"),
    )


def _object(request: Mapping[str, Any], field: str) -> Manifest | None:
    value = request.get(field)
    if value is not None and not isinstance(value, dict):
        raise InvalidError(f"request.{field} is no object")
    return value or None


# ------------------------------------------------------------------------------ mutate


def mutate(request: AdmissionRequest) -> Manifest:
    """Return the AdmissionReview that answers a mutating webhook.

    Every object is rewritten as Go's types write it, so that what is stored does not depend on
    whose webhook stood in front.
    """
    obj = request.object
    if request.operation not in _JUDGED or obj is None:
        return _allowed(request)
    try:
        written = _decode(obj)
    except InvalidError as error:
        return _refused(request, 400, "BadRequest", str(error))
    if request.is_certificate_request and request.operation == "CREATE":
        written = with_identity(written, request.user)
    patch = json_patch(obj, written)
    encoded = base64.b64encode(json.dumps(patch, separators=(",", ":")).encode())
    return _allowed(request, patchType="JSONPatch", patch=encoded.decode("ascii"))


# ------------------------------------------------------------------------------ validate


async def validate(request: AdmissionRequest, gates: FeatureGates, approver: Approver) -> Manifest:
    """Return the AdmissionReview that answers a validating webhook."""
    if request.operation not in _JUDGED:
        return _allowed(request)
    warnings = list(_deprecations(request))
    try:
        request = replace(
            request,
            object=None if request.object is None else _decode(request.object),
            old=None if request.old is None else _decode(request.old),
        )
        verdict = _judge(request, gates)
    except InvalidError as error:
        return _refused(request, 400, "BadRequest", str(error))
    warnings += verdict.warnings
    text = aggregate(
        [
            *await _approval_messages(request, approver),
            *_identity_messages(request),
            *map(str, verdict.errors),
        ]
    )
    if text:
        return _refused(request, 406, "NotAcceptable", text, warnings)
    return _allowed(request, **({"warnings": warnings} if warnings else {}))


def _deprecations(request: AdmissionRequest) -> list[str]:
    if request.group not in {known.GROUP, known.ACME_GROUP} or request.version == "v1":
        return []
    name = f"{request.resource}.{request.group}"
    return [f"{name}/{request.version} is deprecated in v1.4+, unavailable in v1.6+; use {name}/v1"]


def _judge(request: AdmissionRequest, gates: FeatureGates) -> Verdict:
    """Run the rules of the kind; what is requested decides, not what the object says it is."""
    if (request.group, request.version, request.resource) not in _RESOURCES:
        return Verdict()
    if request.object is None:
        return Verdict()
    if request.operation == "CREATE" or request.old is None:
        return validate_create(request.object, gates)
    return validate_update(request.old, request.object, gates)


def _identity_messages(request: AdmissionRequest) -> list[str]:
    if not request.is_certificate_request or request.object is None:
        return []
    new = CertificateRequest(request.object)
    if request.operation == "CREATE":
        return [str(error) for error in created_identity_errors(new, request.user)]
    if request.old is None:
        return ["internal error: oldObject in admission request is missing"]
    old = CertificateRequest(request.old)
    return [str(error) for error in updated_identity_errors(old, new)]


async def _approval_messages(request: AdmissionRequest, approver: Approver) -> list[str]:
    if (
        request.operation != "UPDATE"
        or not request.is_certificate_request
        or request.subresource != "status"
        or request.object is None
        or request.old is None
    ):
        return []
    new = CertificateRequest(request.object)
    if not decides(CertificateRequest(request.old), new):
        return []
    try:
        refusal = await approver.refusal(new, request.user)
    except StoreError as error:
        return [f"cannot find out who may approve: {error}"]
    return [] if refusal is None else [str(refusal)]


# ------------------------------------------------------------------------------ both


def _decode(obj: Manifest) -> Manifest:
    """Return what the API's types hold of an object; the rules need not look at types again.

    Raises:
        InvalidError: A field has a wrong type, or a duration is none.
    """
    kind = kind_of(obj)
    if kind not in CUSTOM_KINDS:
        raise InvalidError(f'no kind "{kind.name}" is registered for version "{kind.api_version}"')
    return through_go(obj)


def _allowed(request: AdmissionRequest, **more: Any) -> Manifest:
    return _answer({"uid": request.uid, "allowed": True, **more})


def _refused(
    request: AdmissionRequest,
    code: int,
    reason: str,
    message: str,
    warnings: list[str] | None = None,
) -> Manifest:
    response: Manifest = {
        "uid": request.uid,
        "allowed": False,
        "status": {
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        },
    }
    if warnings:
        response["warnings"] = warnings
    return _answer(response)


def _answer(response: Manifest) -> Manifest:
    return {"apiVersion": _API_VERSION, "kind": _KIND, "response": response}
