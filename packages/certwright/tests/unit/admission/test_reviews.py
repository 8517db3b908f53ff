"""What cert-manager v1.12.2's webhook answered to 276 reviews, word for word, patches included.

`reviews.jsonl` was recorded with both gates of the webhook on and an API server that allows nobody
to approve. Texts that come from Go's own library are those of Go 1.26.
"""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest

from certwright.admission.approval import not_permitted
from certwright.admission.fields import FieldError
from certwright.admission.go_json import through_go
from certwright.admission.identity import UserInfo
from certwright.admission.json_patch import json_patch
from certwright.admission.review import decode_review, mutate, validate
from certwright.errors import InvalidError
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.crds import CUSTOM_KINDS
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import Manifest

_ALICE = {"username": "alice", "uid": "7", "groups": ["g1", "g2"], "extra": {"a": ["b"]}}
_GATES = FeatureGates.parse(
    "LiteralCertificateSubject=true,AdditionalCertificateOutputFormats=true"
)
_KINDS = {kind.name: kind for kind in CUSTOM_KINDS}
CASES: list[dict[str, Any]] = [
    json.loads(line)
    for line in Path(__file__)
    .parent.joinpath("golden", "reviews.jsonl")
    .read_text("utf-8")
    .splitlines()
]


class _NobodyApproves:
    async def refusal(self, request: CertificateRequest, user: UserInfo, /) -> FieldError | None:
        return not_permitted(user, request.issuer_ref)


def _answer(case: dict[str, Any]) -> dict[str, Any]:
    kind = _KINDS[case["kind"]]
    review = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "1",
            "operation": case["operation"],
            "resource": {"group": kind.group, "version": kind.version, "resource": kind.plural},
            "subResource": case.get("subResource"),
            "userInfo": case.get("userInfo", _ALICE),
            "object": case["object"],
            "oldObject": case.get("oldObject"),
        },
    }
    request = decode_review(review)
    if case["path"] == "mutate":
        answer = mutate(request)["response"]
    else:
        answer = asyncio.run(validate(request, _GATES, _NobodyApproves()))["response"]
    del answer["uid"]
    answer.get("status", {}).pop("metadata", None)
    if "patch" in answer:
        answer["patch"] = _sorted(json.loads(base64.b64decode(answer["patch"])))
    return dict(answer)


def _sorted(patch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(patch, key=lambda operation: (operation["op"], operation["path"]))


@pytest.mark.parametrize(
    "case", CASES, ids=[f"{case['path']}-{case['kind']}-{case['name']}" for case in CASES]
)
def test_the_original_answered_the_same(case: dict[str, Any]) -> None:
    """Allowed or not, code, reason, the whole text, and the patch."""
    assert _answer(case) == case["response"]


def _manifest(kind: str, spec: dict[str, Any], **more: Any) -> Manifest:
    group = _KINDS[kind]
    return {
        "apiVersion": group.api_version,
        "kind": kind,
        "metadata": {"name": "x", "namespace": "ns"},
        "spec": spec,
        **more,
    }


def _issuer(solver: dict[str, Any]) -> Manifest:
    acme = {"server": "https://a.example", "privateKeySecretRef": {"name": "k"}}
    return _manifest("Issuer", {"acme": {**acme, "solvers": [solver]}})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"duration": "90h"}, {"duration": "90h0m0s"}),
        ({"duration": "1.5h", "isCA": False}, {"duration": "1h30m0s"}),
        ({"dnsNames": [], "commonName": "", "uris": None, "subject": {}}, {"subject": {}}),
        ({"encodeUsagesInRequest": False, "revisionHistoryLimit": 0}, None),
        (
            {"keystores": {"jks": {}}},
            {"keystores": {"jks": {"create": False, "passwordSecretRef": {"name": ""}}}},
        ),
        ({"dnsNames": ["a", None]}, {"dnsNames": ["a", ""]}),
        ({"secretTemplate": {"labels": {}}, "stranger": 1}, {"secretTemplate": {}}),
        ({"privateKey": {"size": 0, "algorithm": ""}}, {"privateKey": {}}),
    ],
)
def test_a_certificate_gets_gos_form(before: dict[str, Any], after: dict[str, Any] | None) -> None:
    """Durations are long, what is empty goes, what Go always writes comes."""
    fixed = {"secretName": "s", "issuerRef": {"name": "i"}}

    written = through_go(_manifest("Certificate", {**fixed, **before}))

    assert written["spec"] == {**fixed, **(before if after is None else after)}
    assert written["status"] == {}
    assert written["metadata"]["creationTimestamp"] is None


@pytest.mark.parametrize(
    ("solver", "written"),
    [
        (
            {"http01": {"ingress": {"podTemplate": {}, "ingressTemplate": {}, "class": ""}}},
            {
                "http01": {
                    "ingress": {
                        "class": "",
                        "podTemplate": {"metadata": {}, "spec": {}},
                        "ingressTemplate": {"metadata": {}},
                    }
                }
            },
        ),
        (
            {"dns01": {"rfc2136": {"nameserver": "n"}}},
            {"dns01": {"rfc2136": {"nameserver": "n", "tsigSecretSecretRef": {"name": ""}}}},
        ),
        (
            {"dns01": {"route53": {"region": "r"}}, "selector": {"dnsNames": []}},
            {
                "dns01": {"route53": {"region": "r", "secretAccessKeySecretRef": {"name": ""}}},
                "selector": {},
            },
        ),
        (
            {"dns01": {"webhook": {"groupName": "g", "solverName": "s", "config": {"a": None}}}},
            {"dns01": {"webhook": {"groupName": "g", "solverName": "s", "config": {"a": None}}}},
        ),
    ],
)
def test_a_solver_gains_its_empty_fields(solver: Manifest, written: Manifest) -> None:
    """And `preferredChain`, which Go always writes; a configuration stays as it came."""
    acme = through_go(_issuer(solver))["spec"]["acme"]

    assert acme["solvers"] == [written]
    assert acme["preferredChain"] == ""


@pytest.mark.parametrize("kind", sorted(_KINDS))
@pytest.mark.parametrize("spec", [{}, {"vault": {"auth": {"kubernetes": {}}}}, {"dnsNames": ["a"]}])
def test_gos_form_of_gos_form_is_itself(kind: str, spec: dict[str, Any]) -> None:
    """So a second webhook, or the same one at the next update, patches nothing."""
    once = through_go(_manifest(kind, spec))

    assert through_go(once) == once
    assert json_patch(once, through_go(once)) == []


@pytest.mark.parametrize(
    ("kind", "spec", "text"),
    [
        (
            "Certificate",
            {"dnsNames": [1]},
            "number into Go struct field CertificateSpec.spec.dnsNames of type string",
        ),
        (
            "Certificate",
            {"usages": {}},
            "object into Go struct field CertificateSpec.spec.usages of type []v1.KeyUsage",
        ),
        (
            "Certificate",
            {"duration": 3},
            "number into Go struct field CertificateSpec.spec.duration of type string",
        ),
        (
            "Certificate",
            {"isCA": "yes"},
            "string into Go struct field CertificateSpec.spec.isCA of type bool",
        ),
        (
            "Certificate",
            {"revisionHistoryLimit": 1 << 31},
            (
                "number 2147483648 into Go struct field"
                " CertificateSpec.spec.revisionHistoryLimit of type int32"
            ),
        ),
        (
            "Issuer",
            {"ca": "x"},
            "string into Go struct field IssuerSpec.spec.ca of type v1.CAIssuer",
        ),
        (
            "CertificateRequest",
            {"request": 1},
            "number into Go struct field CertificateRequestSpec.spec.request of type []uint8",
        ),
    ],
)
def test_a_wrong_type_is_named_as_go_names_it(kind: str, spec: dict[str, Any], text: str) -> None:
    """The first in the order of the text, with the innermost type and the whole path."""
    with pytest.raises(InvalidError) as caught:
        through_go(_manifest(kind, spec))

    assert str(caught.value) == f"json: cannot unmarshal {text}"
