"""What a store promises about server-side apply, and about who owns which field."""

from __future__ import annotations

import re
from typing import Any

import pytest

from certwright.engine.store import Store
from certwright.errors import ConflictError, NotFoundError
from certwright.resources.kinds import SECRET, Manifest
from certwright_testing.objects import certificate, secret

OWNER = {
    "apiVersion": "cert-manager.io/v1",
    "kind": "Certificate",
    "name": "web",
    "uid": "7a1f9f35-6c2c-4d8a-8f0e-1c0f8f8d0001",
    "controller": True,
    "blockOwnerDeletion": True,
}
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Ready",
    "message": "up to date",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


def owned(obj: Manifest) -> dict[tuple[str, ...], Any]:
    """Return what each manager owns, by manager, operation and subresource."""
    found = {}
    for entry in obj["metadata"]["managedFields"]:
        assert entry["fieldsType"] == "FieldsV1"
        assert entry["apiVersion"] == obj["apiVersion"]
        # An apply that only shares what is there already has no time in kube-apiserver 1.34.
        assert re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?", entry.get("time", ""))
        key = (entry["manager"], entry["operation"], *filter(None, [entry.get("subresource")]))
        found[key] = entry["fieldsV1"]
    return found


@pytest.mark.demands("books of updates")
async def test_a_create_owns_what_it_set(store: Store) -> None:
    """A new map is owned as such, and entry by entry."""
    made = await store.create(
        secret(labels={"a": "b"}, finalizers=["example.com/x"], ownerReferences=[OWNER]),
        manager="m",
    )

    assert owned(made) == {
        ("m", "Update"): {
            "f:data": {".": {}, "f:a": {}},
            "f:metadata": {
                "f:finalizers": {".": {}, 'v:"example.com/x"': {}},
                "f:labels": {".": {}, "f:a": {}},
                "f:ownerReferences": {".": {}, f'k:{{"uid":"{OWNER["uid"]}"}}': {}},
            },
            "f:type": {},
        }
    }


@pytest.mark.demands("books of updates")
async def test_a_custom_object_owns_its_spec(store: Store) -> None:
    """Lists without a schema's word are one piece; status belongs to its own writer."""
    made = await store.create(certificate(), manager="m")
    made["status"] = {"conditions": [READY], "revision": 1}
    made = await store.update_status(made, manager="loop")

    assert owned(made) == {
        ("m", "Update"): {
            "f:spec": {
                ".": {},
                "f:dnsNames": {},
                "f:issuerRef": {".": {}, "f:name": {}},
                "f:secretName": {},
            }
        },
        ("loop", "Update", "status"): {
            "f:status": {
                ".": {},
                "f:conditions": {
                    ".": {},
                    'k:{"type":"Ready"}': {
                        ".": {},
                        "f:lastTransitionTime": {},
                        "f:message": {},
                        "f:reason": {},
                        "f:status": {},
                        "f:type": {},
                    },
                },
                "f:revision": {},
            }
        },
    }


@pytest.mark.demands("books of updates")
async def test_an_update_takes_what_it_changes(store: Store) -> None:
    """And nobody owns what is gone."""
    made = await store.create(secret(data={"a": b"1", "b": b"2", "c": b"3"}), manager="m")
    made["data"] = {"a": "MQ==", "b": "eA==", "d": "NA=="}

    changed = await store.update(made, manager="other")

    assert owned(changed) == {
        ("m", "Update"): {"f:data": {".": {}, "f:a": {}}, "f:type": {}},
        ("other", "Update"): {"f:data": {"f:b": {}, "f:d": {}}},
    }


async def test_an_apply_owns_exactly_what_it_sends(store: Store) -> None:
    """No entry for the maps themselves; entries of keyed lists are owned as such."""
    obj = secret(labels={"a": "b"}, annotations={"c": "d"}, ownerReferences=[OWNER])

    made = await store.apply(obj, manager="m")

    assert made["metadata"]["uid"]
    assert owned(made) == {
        ("m", "Apply"): {
            "f:data": {"f:a": {}},
            "f:metadata": {
                "f:annotations": {"f:c": {}},
                "f:labels": {"f:a": {}},
                "f:ownerReferences": {f'k:{{"uid":"{OWNER["uid"]}"}}': {}},
            },
            "f:type": {},
        }
    }


@pytest.mark.demands("books of updates")
async def test_an_apply_removes_what_it_no_longer_sends(store: Store) -> None:
    """Keys of others stay; a map that is left empty goes."""
    await store.apply(secret(data={"a": b"1", "b": b"2"}, labels={"a": "b"}), manager="m")
    foreign = await store.get(SECRET.key("one", "tls"))
    assert foreign is not None
    foreign["data"]["c"] = "Mw=="
    await store.update(foreign, manager="other")

    changed = await store.apply(secret(data={"a": b"1"}), manager="m")

    assert changed["data"] == {"a": "MQ==", "c": "Mw=="}
    assert "labels" not in changed["metadata"]
    assert owned(changed) == {
        ("m", "Apply"): {"f:data": {"f:a": {}}, "f:type": {}},
        ("other", "Update"): {"f:data": {"f:c": {}}},
    }


async def test_an_applied_owner_reference_is_removed_with_the_next_apply(store: Store) -> None:
    """As when --enable-certificate-owner-ref is turned off."""
    await store.apply(secret(ownerReferences=[OWNER]), manager="m")

    changed = await store.apply(secret(), manager="m")

    assert "ownerReferences" not in changed["metadata"]


async def test_the_same_apply_again_writes_nothing(store: Store) -> None:
    """Not even a time."""
    made = await store.apply(secret(labels={"a": "b"}), manager="m")

    assert await store.apply(secret(labels={"a": "b"}), manager="m") == made


async def test_two_managers_may_own_a_field_and_it_goes_with_the_last(store: Store) -> None:
    """Applying what is there already shares it."""
    await store.apply(secret(labels={"a": "b"}), manager="m")
    shared = await store.apply(secret(labels={"a": "b"}), manager="n")
    kept = await store.apply(secret(), manager="m")
    gone = await store.apply(secret(), manager="n")

    assert owned(shared)["m", "Apply"] == owned(shared)["n", "Apply"]
    assert kept["metadata"]["labels"] == {"a": "b"}
    assert "labels" not in gone["metadata"]


@pytest.mark.demands("books of updates")
async def test_a_forced_apply_takes_fields_and_an_unforced_one_is_a_conflict(
    store: Store,
) -> None:
    """The conflict names the owner and the field."""
    await store.create(secret(data={"a": b"1"}), manager="m")
    wanted = secret(data={"a": b"2"})

    with pytest.raises(ConflictError, match=r'conflict with "m".*\.data\.a'):
        await store.apply(wanted, manager="n", force=False)
    changed = await store.apply(wanted, manager="n")

    assert owned(changed)["n", "Apply"]["f:data"] == {"f:a": {}}
    assert owned(changed)["m", "Update"] == {"f:data": {}, "f:type": {}}


@pytest.mark.demands("books of updates")
async def test_an_update_takes_fields_from_an_apply(store: Store) -> None:
    """The same manager's two ways of writing are two owners."""
    made = await store.apply(secret(data={"a": b"1", "b": b"2"}), manager="m")
    made["data"]["a"] = "eA=="

    changed = await store.update(made, manager="m")

    assert owned(changed) == {
        ("m", "Apply"): {"f:data": {"f:b": {}}, "f:type": {}},
        ("m", "Update"): {"f:data": {"f:a": {}}},
    }


async def test_an_apply_with_a_version_is_a_precondition(store: Store) -> None:
    """With a resourceVersion the object must be the one that was seen."""
    made = await store.apply(secret(), manager="m")
    version = made["metadata"]["resourceVersion"]
    await store.apply(secret(labels={"a": "b"}), manager="n")

    with pytest.raises(ConflictError):
        await store.apply(secret(data={}, resourceVersion=version), manager="m")


async def test_only_a_uid_keeps_an_apply_from_making_the_object_again(store: Store) -> None:
    """A version alone says nothing about an object that is gone; a uid makes it a conflict."""
    gone = await store.apply(secret(), manager="m")
    await store.delete(SECRET.key("one", "tls"))
    seen = {field: gone["metadata"][field] for field in ("uid", "resourceVersion")}

    with pytest.raises(ConflictError):
        await store.apply(secret(**seen), manager="m")
    with pytest.raises(ConflictError, match="no existing object was found"):
        await store.apply(secret(uid=seen["uid"]), manager="m")
    made = await store.apply(secret(resourceVersion=seen["resourceVersion"]), manager="m")

    assert made["metadata"]["uid"] != gone["metadata"]["uid"]


async def test_conditions_are_applied_one_by_one(store: Store) -> None:
    """Two loops each own their own condition of the status."""
    await store.create(certificate(), manager="m")
    issuing = {**READY, "type": "Issuing"}

    def status(*conditions: Manifest) -> Manifest:
        return {**certificate(), "status": {"conditions": list(conditions)}}

    await store.apply(status(READY), manager="ready", subresource="status")
    both = await store.apply(status(issuing), manager="trigger", subresource="status")
    one = await store.apply(
        {**certificate(), "status": {}}, manager="trigger", subresource="status"
    )

    assert [entry["type"] for entry in both["status"]["conditions"]] == ["Ready", "Issuing"]
    assert owned(both)["trigger", "Apply", "status"]["f:status"]["f:conditions"] == {
        'k:{"type":"Issuing"}': {
            ".": {},
            "f:lastTransitionTime": {},
            "f:message": {},
            "f:reason": {},
            "f:status": {},
            "f:type": {},
        }
    }
    assert [entry["type"] for entry in one["status"]["conditions"]] == ["Ready"]
    assert one["metadata"]["generation"] == 1


async def test_status_cannot_be_applied_to_nothing(store: Store) -> None:
    """Only the object itself can be made by an apply."""
    with pytest.raises(NotFoundError):
        await store.apply(
            {**certificate(), "status": {"revision": 1}}, manager="m", subresource="status"
        )


async def test_an_applied_spec_raises_the_generation(store: Store) -> None:
    """As an update does; status in it is ignored."""
    await store.apply(certificate(), manager="m")
    spec = {**certificate()["spec"], "dnsNames": ["b.example"]}

    changed = await store.apply({**certificate(spec=spec), "status": {"revision": 9}}, manager="m")

    assert changed["metadata"]["generation"] == 2
    assert "status" not in changed
    assert owned(changed) == {
        ("m", "Apply"): {
            "f:spec": {
                "f:dnsNames": {},
                "f:issuerRef": {"f:name": {}},
                "f:secretName": {},
            }
        }
    }
