"""The shape of objects, as the API server's schema check sees it."""

from __future__ import annotations

from typing import Any

import pytest

from certwright.admission import shape_errors, type_errors, unknown_fields
from certwright.errors import InvalidError
from certwright.resources.kinds import CERTIFICATE, CERTIFICATE_REQUEST, ISSUER, SECRET, Kind


def obj(spec: Any, kind: Kind = CERTIFICATE, **more: Any) -> dict[str, Any]:
    """Return an object."""
    return {"apiVersion": kind.api_version, "kind": kind.name, "spec": spec, **more}


GOOD = {"secretName": "s", "issuerRef": {"name": "i"}}


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        pytest.param(obj(GOOD), [], id="fine"),
        pytest.param(obj(None), ["spec: Required value"], id="no spec"),
        pytest.param(
            obj({}),
            ["spec.issuerRef: Required value", "spec.secretName: Required value"],
            id="an empty spec",
        ),
        pytest.param(
            obj(GOOD | {"dnsNames": "a"}),
            [
                (
                    'spec.dnsNames: Invalid value: "string": spec.dnsNames in body must be of type'
                    ' array: "string"'
                )
            ],
            id="text for a list",
        ),
        pytest.param(
            obj(GOOD | {"dnsNames": ["a", 1]}),
            [
                (
                    'spec.dnsNames[1]: Invalid value: "integer": spec.dnsNames[1] in body'
                    " must be of"
                    ' type string: "integer"'
                )
            ],
            id="a number for a text",
        ),
        pytest.param(
            obj(GOOD | {"dnsNames": [None], "privateKey": None}),
            [
                (
                    'spec.dnsNames[0]: Invalid value: "null": spec.dnsNames[0] in body must be of'
                    ' type string: "null"'
                )
            ],
            id="null in a list is wrong, null for a field is nothing",
        ),
        pytest.param(
            obj(GOOD | {"privateKey": {"size": True}}),
            [
                (
                    'spec.privateKey.size: Invalid value: "boolean": spec.privateKey.size in'
                    " body must"
                    ' be of type integer: "boolean"'
                )
            ],
            id="a bool is no integer",
        ),
        pytest.param(
            obj(GOOD | {"privateKey": {"algorithm": "DSA"}}),
            [
                (
                    'spec.privateKey.algorithm: Unsupported value: "DSA": supported values: "RSA",'
                    ' "ECDSA", "Ed25519"'
                )
            ],
            id="none of the choices",
        ),
        pytest.param(
            obj({"request": "?", "issuerRef": {"name": "i"}}, CERTIFICATE_REQUEST),
            ['spec.request: Invalid value: "?": spec.request in body must be of type byte: "?"'],
            id="not base64",
        ),
        pytest.param(
            obj(GOOD, status={"notAfter": "soon"}),
            [
                (
                    'status.notAfter: Invalid value: "soon": status.notAfter in body must be'
                    " of type"
                    ' date-time: "soon"'
                )
            ],
            id="no time",
        ),
        pytest.param(
            obj(GOOD, status={"conditions": [{"type": "A", "status": "True"}] * 2}),
            ['status.conditions[1]: Duplicate value: "type=\\"A\\""'],
            id="a condition twice",
        ),
        pytest.param(
            obj(
                {
                    "acme": {
                        "server": "s",
                        "privateKeySecretRef": {"name": "n"},
                        "preferredChain": "x" * 65,
                        "solvers": [
                            {
                                "http01": {
                                    "gatewayHTTPRoute": {
                                        "parentRefs": [{"name": "", "port": 0, "kind": "-"}]
                                    }
                                }
                            }
                        ],
                    }
                },
                ISSUER,
            ),
            [
                "spec.acme.preferredChain: Too long: may not be longer than 64",
                *(
                    f"spec.acme.solvers[0].http01.gatewayHTTPRoute.parentRefs[0].{text}"
                    for text in (
                        (
                            'name: Invalid value: "": '
                            "spec.acme.solvers[0].http01.gatewayHTTPRoute.parentRefs[0].name"
                            " in body"
                            " should be at least 1 chars long"
                        ),
                        (
                            "port: Invalid value: 0: "
                            "spec.acme.solvers[0].http01.gatewayHTTPRoute.parentRefs[0].port"
                            " in body"
                            " should be greater than or equal to 1"
                        ),
                        (
                            'kind: Invalid value: "-": '
                            "spec.acme.solvers[0].http01.gatewayHTTPRoute.parentRefs[0].kind"
                            " in body"
                            " should match '^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$'"
                        ),
                    )
                ),
            ],
            id="limits and patterns",
        ),
    ],
)
def test_an_object_is_held_against_its_schema(
    candidate: dict[str, Any], expected: list[str]
) -> None:
    """With the API server's texts."""
    assert expected == [str(error) for error in shape_errors(candidate)]


def test_the_webhook_asks_for_types_only() -> None:
    """The rest is said by the API server, in its own order."""
    wrong = obj({"secretName": 1, "privateKey": {"algorithm": "DSA"}})

    assert [error.path for error in type_errors(wrong)] == ["spec.secretName"]


def test_fields_that_would_be_dropped_are_named() -> None:
    """A misspelt field in a file deserves a word; what keeps unknown fields is left alone."""
    solver = {"dns01": {"webhook": {"config": {"anything": 1}, "oops": 1}}}
    issuer = obj({"acme": {"solvers": [solver]}, "selfSinged": {}}, ISSUER, metadata={"odd": 1})

    assert unknown_fields(issuer) == [
        "spec.acme.solvers[0].dns01.webhook.oops",
        "spec.selfSinged",
    ]


def test_a_kind_without_a_schema_is_refused() -> None:
    """A Secret's shape is not ours to judge."""
    with pytest.raises(InvalidError, match="Secret is no kind of ours"):
        shape_errors(obj({}, SECRET))
