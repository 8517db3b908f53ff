"""Orders and Challenges: what must not change."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from certwright.admission import validate_create, validate_update
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CHALLENGE, ORDER, Manifest

GATES = FeatureGates()


def order() -> Manifest:
    """Return an Order in which all is set."""
    return {
        "apiVersion": ORDER.api_version,
        "kind": ORDER.name,
        "metadata": {"name": "o"},
        "spec": {"request": "cmVx", "issuerRef": {"name": "i"}, "dnsNames": ["a"]},
        "status": {
            "url": "u",
            "finalizeURL": "f",
            "certificate": "Y2VydA==",
            "state": "pending",
            "authorizations": [
                {
                    "url": "au",
                    "identifier": "a",
                    "wildcard": False,
                    "initialState": "pending",
                    "challenges": [{"url": "cu", "type": "http-01", "token": "t"}],
                }
            ],
        },
    }


def updated(old: Manifest, new: Manifest) -> list[str]:
    """Return the refusals of an update."""
    return [str(error) for error in validate_update(old, new, GATES).errors]


def at(obj: Any, path: list[str | int]) -> Any:
    """Return what is at a path."""
    for step in path:
        obj = obj[step]
    return obj


A: list[str | int] = ["status", "authorizations", 0]
C: list[str | int] = [*A, "challenges", 0]


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        (["spec", "request"], "bmV3", "spec.request"),
        (["status", "url"], "x", "status.url"),
        (["status", "finalizeURL"], "x", "status.finalizeURL"),
        (["status", "certificate"], "bmV3", "status.certificate"),
        (["status", "authorizations"], [], "status.authorizations"),
        ([*A, "url"], "x", "status.authorizations[0].url"),
        ([*A, "identifier"], "x", "status.authorizations[0].identifier"),
        ([*A, "wildcard"], True, "status.authorizations[0].wildcard"),
        ([*A, "initialState"], "valid", "status.authorizations[0].initialState"),
        ([*A, "challenges"], [], "status.authorizations[0].challenges"),
        ([*C, "url"], "x", "status.authorizations[0].challenges[0].url"),
        ([*C, "type"], "x", "status.authorizations[0].challenges[0].type"),
        ([*C, "token"], "x", "status.authorizations[0].challenges[0].token"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_an_order_knows_stays(path: list[str | int], value: Any, shown: str) -> None:
    """Each field once it is set; setting it the first time is fine."""
    old, new, empty = order(), order(), order()
    at(new, path[:-1])[path[-1]] = value
    del at(empty, path[:-1])[path[-1]]

    assert updated(old, new) == [f"{shown}: Forbidden: field is immutable once set"]
    assert updated(empty, old) == []
    assert updated(old, deepcopy(old)) == []


def test_the_rest_of_an_order_is_free() -> None:
    """Changes without effect, and the state."""
    old, new = order(), order()
    new["spec"]["dnsNames"] = ["b"]
    new["status"]["state"] = "valid"

    assert updated(old, new) == []
    assert validate_create(new, GATES).errors == ()


def test_the_spec_of_a_challenge_stays() -> None:
    """Status and metadata are free."""
    old = {
        "apiVersion": CHALLENGE.api_version,
        "kind": CHALLENGE.name,
        "spec": {"token": "t", "wildcard": False},
    }
    new = deepcopy(old) | {"status": {"state": "valid"}, "metadata": {"finalizers": ["f"]}}
    other = old | {"spec": {"token": "x"}}

    assert updated(old, new) == []
    assert updated(old, old | {"spec": {"token": "t"}}) == []
    assert updated(old, other) == ["spec: Forbidden: challenge spec is immutable after creation"]
