"""What a store promises about single objects."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from certwright.engine.store import Selection, Store
from certwright.errors import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    RefusedError,
)
from certwright.resources.kinds import CERTIFICATE, SECRET, SUBJECT_ACCESS_REVIEW
from certwright_testing.objects import certificate, secret

READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Ready",
    "message": "up to date",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


async def test_a_new_object_gets_uid_time_version_and_generation(store: Store) -> None:
    """What the server fills in is in the answer and in the next get."""
    made = await store.create(certificate(), manager="m")

    metadata = made["metadata"]
    assert metadata["uid"]
    assert metadata["resourceVersion"]
    assert metadata["generation"] == 1
    assert datetime.fromisoformat(metadata["creationTimestamp"]).tzinfo == UTC
    assert await store.get(CERTIFICATE.key("one", "web")) == made


async def test_what_was_passed_in_is_neither_changed_nor_kept(store: Store) -> None:
    """Objects belong to the caller."""
    mine = certificate()
    await store.create(mine, manager="m")
    mine["spec"]["dnsNames"] = ["changed.example"]

    found = await store.get(CERTIFICATE.key("one", "web"))

    assert mine["metadata"] == {"name": "web", "namespace": "one"}
    assert found is not None
    assert found["spec"]["dnsNames"] == ["a.example"]
    mine["spec"]["dnsNames"] = ["a.example"]


async def test_absence_is_none(store: Store) -> None:
    """Nothing is raised for what is not there."""
    assert await store.get(CERTIFICATE.key("one", "absent")) is None


async def test_a_name_is_taken_once(store: Store) -> None:
    """A second create fails, in this namespace only."""
    await store.create(secret(), manager="m")
    await store.create(secret(namespace="two"), manager="m")

    with pytest.raises(AlreadyExistsError, match='secrets "tls" already exists'):
        await store.create(secret(), manager="m")


async def test_a_name_can_be_generated(store: Store) -> None:
    """The prefix is cut to 58 characters, then come five more."""
    prefix = "a" * 60 + "-"
    obj = secret()
    del obj["metadata"]["name"]
    obj["metadata"]["generateName"] = "web-"
    short = await store.create(obj, manager="m")
    obj["metadata"]["generateName"] = prefix
    long = await store.create(obj, manager="m")

    assert short["metadata"]["name"].startswith("web-")
    assert len(short["metadata"]["name"]) == 9
    assert len(long["metadata"]["name"]) == 63
    assert long["metadata"]["generateName"] == prefix


async def test_a_dry_run_stores_nothing(store: Store) -> None:
    """It answers as if."""
    made = await store.create(secret(), manager="m", dry_run=True)

    assert made["metadata"]["name"] == "tls"
    assert await store.get(SECRET.key("one", "tls")) is None


@pytest.mark.parametrize("name", ["Web", "a_b", "../a", "a..b", "-a", "a" * 254])
async def test_a_wrong_name_is_refused(store: Store, name: str) -> None:
    """Names are DNS subdomains."""
    with pytest.raises(RefusedError, match=r"metadata\.name"):
        await store.create(secret(name), manager="m")


async def test_a_secret_must_hold_base64_and_a_tls_secret_both_parts(store: Store) -> None:
    """A certificate without its key is no TLS Secret."""
    half = secret(data={"tls.crt": b"x"})
    half["type"] = "kubernetes.io/tls"

    with pytest.raises(RefusedError, match=r"tls\.key"):
        await store.create(half, manager="m")


async def test_text_in_a_secret_is_stored_as_data(store: Store) -> None:
    """`stringData` is for writing only."""
    obj = secret(data={"a": b"1"})
    obj["stringData"] = {"b": "2"}

    made = await store.create(obj, manager="m")

    assert made["data"] == {"a": "MQ==", "b": "Mg=="}
    assert "stringData" not in made


async def test_the_type_of_a_secret_stays(store: Store) -> None:
    """Type is immutable."""
    made = await store.create(secret(), manager="m")
    made["type"] = "other"

    with pytest.raises(RefusedError, match="immutable"):
        await store.update(made, manager="m")


async def test_an_old_version_is_a_conflict(store: Store) -> None:
    """Optimistic locking: the second of two writers must read again."""
    made = await store.create(certificate(), manager="m")
    made["spec"]["dnsNames"] = ["b.example"]
    await store.update(made, manager="m")
    made["spec"]["dnsNames"] = ["c.example"]

    with pytest.raises(ConflictError, match="the object has been modified"):
        await store.update(made, manager="m")


async def test_an_old_version_is_a_conflict_even_if_nothing_would_change(store: Store) -> None:
    """A write without effect still proves that the object is the one that was seen."""
    made = await store.create(certificate(), manager="m")
    changed = await store.update_status(
        {**made, "status": {"conditions": [READY]}}, manager="status"
    )

    assert await store.update_status(changed, manager="status") == changed
    with pytest.raises(ConflictError):
        await store.update_status({**changed, "metadata": made["metadata"]}, manager="status")


async def test_the_object_of_an_update_must_exist(store: Store) -> None:
    """An update creates nothing."""
    made = await store.create(certificate(), manager="m")
    await store.delete(CERTIFICATE.key("one", "web"))

    with pytest.raises(NotFoundError, match='"web" not found'):
        await store.update(made, manager="m")
    with pytest.raises(NotFoundError):
        await store.update_status(made, manager="m")
    with pytest.raises(NotFoundError):
        await store.delete(CERTIFICATE.key("one", "web"))


async def test_another_uid_is_a_conflict(store: Store) -> None:
    """An object that was deleted and made again is another one."""
    first = await store.create(secret(), manager="m")
    await store.delete(SECRET.key("one", "tls"), uid=first["metadata"]["uid"])
    second = await store.create(secret(), manager="m")

    with pytest.raises(ConflictError):
        await store.delete(SECRET.key("one", "tls"), uid=first["metadata"]["uid"])
    assert await store.get(SECRET.key("one", "tls")) == second


async def test_an_update_keeps_status_and_raises_the_generation(store: Store) -> None:
    """Status is apart; the generation counts changes of everything else but metadata."""
    made = await store.create(certificate(), manager="m")
    made["status"] = {"conditions": [READY]}
    made = await store.update_status(made, manager="status")

    made["metadata"]["labels"] = {"a": "b"}
    labelled = await store.update({**made, "status": {}}, manager="m")
    labelled["spec"]["dnsNames"] = ["b.example"]
    changed = await store.update({**labelled, "status": {}}, manager="m")

    assert labelled["metadata"]["generation"] == 1
    assert changed["metadata"]["generation"] == 2
    assert changed["status"] == {"conditions": [READY]}


async def test_a_new_object_has_no_status(store: Store) -> None:
    """Status is dropped on create where it is a subresource."""
    made = await store.create({**certificate(), "status": {"revision": 3}}, manager="m")

    assert "status" not in made


async def test_a_status_update_changes_nothing_else(store: Store) -> None:
    """Spec, labels and generation stay."""
    made = await store.create(certificate(labels={"a": "b"}), manager="m")
    sent = certificate(spec={"secretName": "x", "issuerRef": {"name": "y"}}, labels={"c": "d"})
    sent["metadata"] |= {"resourceVersion": made["metadata"]["resourceVersion"]}
    sent["status"] = {"revision": 1}

    changed = await store.update_status(sent, manager="status")

    assert changed["spec"] == made["spec"]
    assert changed["metadata"]["labels"] == {"a": "b"}
    assert changed["metadata"]["generation"] == 1
    assert changed["status"] == {"revision": 1}
    assert changed["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]


async def test_an_update_without_a_change_writes_nothing(store: Store) -> None:
    """The version stays, so nobody is woken."""
    made = await store.create(certificate(), manager="m")

    again = await store.update(made, manager="m")

    assert again == made


async def test_what_the_server_gave_cannot_be_taken(store: Store) -> None:
    """Uid, creation time and generation are the server's."""
    made = await store.create(secret(), manager="m")
    sent = {**made, "metadata": {**made["metadata"], "creationTimestamp": "2001-01-01T00:00:00Z"}}

    changed = await store.update({**sent, "data": {}}, manager="m")

    assert changed["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]


async def test_a_finalizer_keeps_a_deleted_object(store: Store) -> None:
    """It goes when the last finalizer goes, and takes no new ones."""
    made = await store.create(certificate(finalizers=["example.com/hold"]), manager="m")
    key = CERTIFICATE.key("one", "web")
    await store.delete(key, uid=made["metadata"]["uid"])
    await store.delete(key)

    held = await store.get(key)
    assert held is not None
    assert held["metadata"]["deletionTimestamp"]
    more = {**held["metadata"], "finalizers": ["example.com/hold", "example.com/more"]}
    with pytest.raises(RefusedError, match="no new finalizers"):
        await store.update({**held, "metadata": more}, manager="m")
    await store.update({**held, "metadata": {**held["metadata"], "finalizers": []}}, manager="m")
    assert await store.get(key) is None


async def test_a_list_is_sorted_and_narrowed(store: Store) -> None:
    """By namespace and name; by namespace and labels."""
    for namespace, name, labels in (
        ("two", "a", {"kit": "yes", "tier": "web"}),
        ("one", "b", {"kit": "yes"}),
        ("one", "a", {"kit": "yes", "tier": "db"}),
    ):
        await store.create(secret(name, namespace, labels=labels), manager="m")

    async def names(selector: str, namespace: str = "") -> list[str]:
        found = await store.list(Selection(SECRET, namespace, f"kit=yes,{selector}".rstrip(",")))
        return [f"{o['metadata']['namespace']}/{o['metadata']['name']}" for o in found.objects]

    assert await names("") == ["one/a", "one/b", "two/a"]
    assert await names("", "one") == ["one/a", "one/b"]
    assert await names("tier") == ["one/a", "two/a"]
    assert await names("!tier") == ["one/b"]
    assert await names("tier=web") == ["two/a"]
    assert await names("tier!=web") == ["one/a", "one/b"]
    assert await names("tier in (web, db)") == ["one/a", "two/a"]
    assert await names("tier notin (web)") == ["one/a", "one/b"]


async def test_listed_objects_say_what_they_are(store: Store) -> None:
    """Kind and apiVersion stand in every object, as in a get."""
    made = await store.create(secret(labels={"kit": "yes"}), manager="m")

    whole = await store.list(Selection(SECRET, "one", "kit=yes"))
    bare = await store.list(Selection(SECRET, "one", "kit=yes", metadata_only=True))

    assert whole.objects == [made]
    assert bare.objects == [{f: made[f] for f in ("apiVersion", "kind", "metadata")}]


async def test_a_review_is_answered_and_not_stored(store: Store) -> None:
    """A SubjectAccessReview is a question in the form of an object."""
    question = {
        "apiVersion": SUBJECT_ACCESS_REVIEW.api_version,
        "kind": SUBJECT_ACCESS_REVIEW.name,
        "metadata": {},
        "spec": {
            "user": "root",
            "groups": ["system:masters"],
            "resourceAttributes": {"verb": "approve", "group": "cert-manager.io"},
        },
    }

    answer = await store.create(question, manager="m")

    assert answer["status"]["allowed"] is True


async def test_unknown_fields_survive(store: Store) -> None:
    """A store knows no closed model; where a schema prunes, what it keeps is kept."""
    made = await store.create(secret(annotations={"a.example/b": "c\n"}), manager="m")
    made["immutable"] = False

    changed = await store.update(made, manager="m")

    assert changed["immutable"] is False
    assert changed["metadata"]["annotations"] == {"a.example/b": "c\n"}
