"""Admission reviews: what goes in, what comes out."""

from __future__ import annotations

import asyncio
import base64
import json
from copy import deepcopy
from typing import Any

import pytest

from certwright.admission.approval import SignerResource, access_review, signer_names
from certwright.admission.fields import FieldError, forbidden
from certwright.admission.identity import UserInfo
from certwright.admission.json_patch import json_patch
from certwright.admission.review import decode_review, mutate, validate
from certwright.errors import InvalidError, UnavailableError
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CERTIFICATE, CERTIFICATE_REQUEST, Kind, Manifest
from certwright_testing.pki import make_request

ENCODED_CSR = make_request().object["spec"]["request"]
USER = {
    "username": "alice",
    "uid": "u1",
    "groups": ["dev", "ops"],
    "extra": {"scopes": ["a", "b"]},
}


class Answering:
    """An approver with one answer; remembers who asked."""

    def __init__(self, answer: FieldError | Exception | None = None) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []

    async def refusal(self, request: CertificateRequest, user: UserInfo, /) -> FieldError | None:
        """Give the answer."""
        self.asked.append((request.name, user.username))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def certificate() -> Manifest:
    """Return a valid Certificate."""
    return {
        "apiVersion": CERTIFICATE.api_version,
        "kind": CERTIFICATE.name,
        "metadata": {"name": "web", "namespace": "one"},
        "spec": {"secretName": "tls", "dnsNames": ["a"], "issuerRef": {"name": "ca"}},
    }


def certificate_request(**spec: Any) -> Manifest:
    """Return a valid CertificateRequest of USER."""
    return {
        "apiVersion": CERTIFICATE_REQUEST.api_version,
        "kind": CERTIFICATE_REQUEST.name,
        "metadata": {"name": "r", "namespace": "one"},
        "spec": {
            "request": ENCODED_CSR,
            "issuerRef": {"name": "ca"},
            **USER,
            **spec,
        },
    }


def review(
    obj: Manifest | None,
    old: Manifest | None = None,
    kind: Kind = CERTIFICATE,
    subresource: str = "",
    operation: str = "",
    version: str = "v1",
) -> dict[str, Any]:
    """Return an AdmissionReview as the API server sends it."""
    resource = {"group": kind.group, "version": version, "resource": kind.plural}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "x-1",
            "operation": operation or ("UPDATE" if old else "CREATE"),
            "resource": resource | {"version": "v1"},
            "requestResource": resource,
            "subResource": subresource,
            "requestSubResource": subresource,
            "userInfo": USER,
            "object": obj,
            "oldObject": old,
        },
    }


def validated(asked: dict[str, Any], approver: Answering | None = None) -> Manifest:
    """Return the response of the validating webhook."""
    answer = validate(decode_review(asked), FeatureGates(), approver or Answering())
    return dict(asyncio.run(answer)["response"])


def mutated(asked: dict[str, Any]) -> Manifest:
    """Return the response of the mutating webhook."""
    return dict(mutate(decode_review(asked))["response"])


def patch_of(response: Manifest) -> list[Manifest]:
    """Return the operations of an answer, without what comes to every new object."""
    assert response["patchType"] == "JSONPatch"
    operations = json.loads(base64.b64decode(response["patch"]))
    always = ("/metadata/creationTimestamp", "/status")
    return [operation for operation in operations if operation["path"] not in always]


def test_a_good_object_is_allowed_and_gets_no_defaults() -> None:
    """What is unset stays unset."""
    assert validated(review(certificate())) == {"uid": "x-1", "allowed": True}
    assert patch_of(mutated(review(certificate()))) == []


def test_a_bad_object_is_refused_with_406() -> None:
    """All that is wrong stands in one message."""
    bad = certificate()
    bad["spec"]["secretName"] = ""
    bad["spec"]["duration"] = "1m"

    assert validated(review(bad)) == {
        "uid": "x-1",
        "allowed": False,
        "status": {
            "metadata": {},
            "status": "Failure",
            "reason": "NotAcceptable",
            "code": 406,
            "message": "[spec.secretName: Required value: must be specified, spec.duration: Invalid"
            " value: 1m0s: certificate duration must be greater than 1h0m0s]",
        },
    }


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param(
            {"duration": "90d"}, 'time: unknown unit "d" in duration "90d"', id="a duration"
        ),
        pytest.param(
            {"dnsNames": "a"},
            "json: cannot unmarshal string into Go struct field CertificateSpec.spec.dnsNames of"
            " type []string",
            id="a type",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_400(spec: Manifest, message: str) -> None:
    """By both webhooks."""
    bad = certificate()
    bad["spec"] |= spec

    for response in (validated(review(bad)), mutated(review(bad))):
        assert response["allowed"] is False
        assert response["status"]["code"] == 400
        assert response["status"]["message"] == message


def test_deletions_are_not_judged() -> None:
    """Nor looked at."""
    asked = review(None, old={"kind": "?"}, operation="DELETE")

    assert validated(asked)["allowed"] is True
    assert mutated(asked)["allowed"] is True


def test_an_old_version_is_a_warning() -> None:
    """In practice nobody is served one."""
    response = validated(review(certificate(), version="v1beta1"))

    assert response["warnings"] == [
        (
            "certificates.cert-manager.io/v1beta1 is deprecated in v1.4+, unavailable in v1.6+; use"
            " certificates.cert-manager.io/v1"
        )
    ]


def test_a_new_request_gets_the_name_of_who_made_it() -> None:
    """Whatever it says itself."""
    forged = certificate_request(username="root", uid="", extra={"x": ["y"]}, groups=["admins"])
    response = mutated(review(forged, kind=CERTIFICATE_REQUEST))

    assert patch_of(response) == [
        {"op": "add", "path": "/spec/extra/scopes", "value": ["a", "b"]},
        {"op": "remove", "path": "/spec/extra/x"},
        {"op": "replace", "path": "/spec/groups", "value": ["dev", "ops"]},
        {"op": "replace", "path": "/spec/uid", "value": "u1"},
        {"op": "replace", "path": "/spec/username", "value": "alice"},
    ]
    same = certificate_request()
    assert patch_of(mutated(review(same, kind=CERTIFICATE_REQUEST))) == []


def test_an_update_of_a_request_is_not_patched() -> None:
    """The first name stays."""
    old = certificate_request()
    assert patch_of(mutated(review(certificate_request(username="x"), old))) == []


def test_a_request_in_somebody_else_s_name_is_refused() -> None:
    """For the case that the mutating webhook was not asked."""
    forged = certificate_request(username="root", uid="0", groups=["dev"], extra={"scopes": ["a"]})
    message = validated(review(forged, kind=CERTIFICATE_REQUEST))["status"]["message"]

    assert message == (
        "[spec.uid: Forbidden: uid identity must be that of the requester, spec.username:"
        " Forbidden: username identity must be that of the requester, spec.groups: Forbidden:"
        " groups identity must be that of the requester, spec.extra: Forbidden: extra identity"
        " must be that of the requester]"
    )
    shuffled = certificate_request(groups=["ops", "dev"], extra={"scopes": ["b", "a"]})
    assert validated(review(shuffled, kind=CERTIFICATE_REQUEST))["allowed"] is True


def test_the_name_stays_when_the_request_is_updated() -> None:
    """Also by a write of its status."""
    old, new = certificate_request(), certificate_request(username="root")
    response = validated(review(new, old, CERTIFICATE_REQUEST, "status"))

    assert response["status"]["message"] == (
        "[spec.username: Forbidden: username identity cannot be changed once set, spec: Forbidden:"
        " cannot change spec after creation]"
    )


def approved(status: str = "True") -> Manifest:
    """Return a request that is approved."""
    return certificate_request() | {
        "status": {"conditions": [{"type": "Approved", "status": status}]}
    }


def test_who_may_not_approve_is_told_so() -> None:
    """The approver is asked once, about the user of the request."""
    approver = Answering(forbidden("status.conditions", "no"))
    response = validated(
        review(approved(), certificate_request(), CERTIFICATE_REQUEST, "status"), approver
    )

    assert response["status"]["message"] == "status.conditions: Forbidden: no"
    assert approver.asked == [("r", "alice")]


def test_an_approver_without_an_answer_refuses_for_now() -> None:
    """The message says what failed."""
    approver = Answering(UnavailableError("no answer"))
    asked = review(approved(), certificate_request(), CERTIFICATE_REQUEST, "status")

    message = validated(asked, approver)["status"]["message"]
    assert message == "cannot find out who may approve: no answer"


def test_the_approver_is_asked_only_about_a_new_decision() -> None:
    """Not on creation, not for other writes, not again."""
    approver = Answering(forbidden("x", "no"))
    for asked in (
        review(approved(), None, CERTIFICATE_REQUEST),
        review(approved(), certificate_request(), CERTIFICATE_REQUEST),
        review(approved(), approved(), CERTIFICATE_REQUEST, "status"),
        review(certificate_request(), certificate_request(), CERTIFICATE_REQUEST, "status"),
    ):
        assert validated(asked, approver)["allowed"] is True
    assert approver.asked == []


def test_signers_are_named_as_rbac_names_them() -> None:
    """All of a kind first, then the one."""
    request = CertificateRequest(certificate_request())
    issuers = SignerResource("cert-manager.io", "issuers", namespaced=True)
    cluster_issuers = SignerResource("cert-manager.io", "clusterissuers", namespaced=False)

    assert signer_names(request, issuers) == (
        "issuers.cert-manager.io/*",
        "issuers.cert-manager.io/one.ca",
    )
    assert signer_names(request, cluster_issuers)[1] == "clusterissuers.cert-manager.io/ca"
    asked = access_review(UserInfo.from_object(USER), "issuers.cert-manager.io/*")
    assert asked["spec"] == {
        "user": "alice",
        "uid": "u1",
        "groups": ["dev", "ops"],
        "extra": {"scopes": ["a", "b"]},
        "resourceAttributes": {
            "verb": "approve",
            "group": "cert-manager.io",
            "version": "*",
            "resource": "signers",
            "name": "issuers.cert-manager.io/*",
        },
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param([], "the body is no AdmissionReview", id="a list"),
        pytest.param({"kind": "Pod"}, "the body is no AdmissionReview", id="a Pod"),
        pytest.param(
            {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1beta1"},
            'AdmissionReview has apiVersion "admission.k8s.io/v1beta1", only admission.k8s.io/v1'
            " is known",
            id="another version",
        ),
        pytest.param(
            {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"},
            "AdmissionReview has no request",
            id="no request",
        ),
    ],
)
def test_what_is_no_review_is_refused(body: Any, expected: str) -> None:
    """The server answers 400."""
    with pytest.raises(InvalidError) as caught:
        decode_review(body)

    assert expected == str(caught.value)


def test_a_patch_leads_from_one_value_to_the_other() -> None:
    """Paths are escaped, lists are replaced, operations are sorted."""
    before = {"a/b": 1, "gone": True, "list": [1, 2], "deep": {"x": 1}}
    after = {"a/b": 2, "list": [1], "deep": {"x": 1, "~": None}}

    assert json_patch(before, after) == [
        {"op": "replace", "path": "/a~1b", "value": 2},
        {"op": "add", "path": "/deep/~0", "value": None},
        {"op": "remove", "path": "/gone"},
        {"op": "replace", "path": "/list", "value": [1]},
    ]
    assert json_patch(before, deepcopy(before)) == []
