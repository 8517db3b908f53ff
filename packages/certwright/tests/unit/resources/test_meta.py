"""Metadata and conditions."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest

from certwright.errors import InvalidError
from certwright.resources import meta
from certwright.resources.conditions import (
    conditions,
    get_condition,
    with_condition,
    without_condition,
)
from certwright.resources.kinds import CERTIFICATE
from certwright_testing.objects import certificate, secret

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def test_absent_metadata_is_empty() -> None:
    """Objects of others have fewer fields than ours."""
    assert meta.name({}) == ""
    assert meta.uid({"metadata": None}) == ""
    assert meta.labels({"metadata": {"labels": None}}) == {}
    assert meta.generation({}) == 0
    assert meta.creation_time({}) is None
    assert meta.owner_references({}) == ()


def test_a_controller_reference_makes_its_object_owned() -> None:
    """Both flags are set, as Kubernetes' own helper does."""
    owner = certificate("web", uid="u1")
    owned = secret("key", ownerReferences=[meta.controller_reference(owner)])

    assert owned["metadata"]["ownerReferences"][0] == {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "name": "web",
        "uid": "u1",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    assert meta.is_owned_by(owned, "u1")
    assert meta.is_controlled_by(owned, "u1")
    assert not meta.is_owned_by(owned, "u2")
    assert not meta.is_owned_by(owned, "")
    assert meta.key_of(owner) == CERTIFICATE.key("one", "web")


def test_an_owner_need_not_be_the_controller() -> None:
    """Only one of several owners is."""
    owned = secret("key", ownerReferences=[{"uid": "u1"}, {"uid": "u2", "controller": True}])

    assert meta.is_owned_by(owned, "u1")
    assert not meta.is_controlled_by(owned, "u1")


def test_a_kind_of_others_has_no_key() -> None:
    """The message names it."""
    with pytest.raises(InvalidError, match='no kind "DaemonSet" is known in apiVersion "v1"'):
        meta.key_of({"apiVersion": "v1", "kind": "DaemonSet"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("short", "short", id="short"),
        pytest.param("a" * 51, "a" * 51, id="51"),
        pytest.param("a" * 60, "a" * 52, id="60"),
        pytest.param("a" * 50 + "..b", "a" * 50, id="dots at the cut"),
        pytest.param("a" * 51 + "-", "a" * 51, id="a dash at the end"),
        pytest.param("x-", "x-", id="a short one stays as it is"),
    ],
)
def test_names_are_cut_at_52(text: str, expected: str) -> None:
    """Room for a dash and a hash in a DNS label."""
    assert expected == meta.dns_safe_shorten_to_52(text)


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    """Its time says when the status changed, not when somebody wrote."""
    first = with_condition(
        {"spec": 1}, type="Ready", status="False", reason="A", message="a", now=NOW
    )
    before = deepcopy(first)
    second = with_condition(
        first,
        type="Ready",
        status="False",
        reason="B",
        message="b",
        now=LATER,
        observed_generation=3,
    )
    third = with_condition(second, type="Ready", status="True", reason="C", message="", now=LATER)

    assert first == before
    assert second["status"]["conditions"] == [
        {
            "lastTransitionTime": "2026-01-02T03:04:05Z",
            "message": "b",
            "observedGeneration": 3,
            "reason": "B",
            "status": "False",
            "type": "Ready",
        }
    ]
    found = get_condition(third, "Ready")
    assert found is not None
    assert found.is_true
    assert found.last_transition_time == LATER
    assert found.message == ""
    assert "message" not in third["status"]["conditions"][0]


def test_conditions_are_added_at_the_end_and_taken_away_by_type() -> None:
    """Others stay where they are; an empty list goes."""
    one = with_condition({}, type="Ready", status="True", reason="", message="", now=NOW)
    two = with_condition(one, type="Issuing", status="True", reason="", message="", now=NOW)

    assert [found.type for found in conditions(two)] == ["Ready", "Issuing"]
    assert [found.type for found in conditions(without_condition(two, "Ready"))] == ["Issuing"]
    assert without_condition(one, "Ready") == {"status": {}}
    assert without_condition({}, "Ready") == {}
    assert get_condition(one, "Issuing") is None
