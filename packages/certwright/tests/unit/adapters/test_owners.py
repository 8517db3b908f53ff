"""What a folder's store remembers of applies, also of folders that an earlier release wrote."""

from __future__ import annotations

from typing import Any

from certwright.adapters.objects import ObjectStore
from certwright.resources import meta
from certwright.resources.kinds import CERTIFICATE, SECRET, Manifest
from certwright_testing.api_server import MemoryStore
from certwright_testing.objects import certificate, secret

TLS = SECRET.key("one", "tls")
OWNER = {"apiVersion": "v1", "kind": "Secret", "name": "o", "uid": "u-1", "controller": True}


def applied(**metadata: Any) -> Manifest:
    """Return a Secret to apply."""
    return secret(data={"a": b"1", "b": b"2"}, **metadata)


async def test_a_folder_of_an_earlier_release_goes_on() -> None:
    """Its exact books are read: what is applied still stays, what is not goes, once and for all."""
    before = MemoryStore()
    await before.apply(
        applied(labels={"l": "1", "m": "1"}, annotations={"x": "1"}, ownerReferences=[OWNER]),
        manager="m",
    )
    await before.apply(secret(data={"c": b"3"}), manager="other")
    found = await before.get(TLS)
    assert found is not None
    await before.update(
        {**found, "metadata": {**found["metadata"], "finalizers": ["u/f"]}}, manager="u"
    )
    stored = await before.get(TLS)
    assert stored is not None

    store = ObjectStore()
    store.table.load([stored])
    again = await store.apply(applied(labels={"l": "1"}), manager="m")
    assert meta.labels(again) == {"l": "1"}
    assert meta.annotations(again) == {}
    assert meta.owner_references(again) == ()
    assert set(again["data"]) == {"a", "b", "c"}
    assert meta.finalizers(again) == ("u/f",)
    same = await store.apply(applied(labels={"l": "1"}), manager="m")
    assert same["metadata"]["resourceVersion"] == again["metadata"]["resourceVersion"]
    last = await store.apply(secret(data={"d": b"4"}), manager="other")
    assert set(last["data"]) == {"a", "b", "d"}


async def test_conditions_are_applied_one_by_one_and_go_one_by_one() -> None:
    """Each loop has its own."""
    store = ObjectStore()
    made = await store.create(certificate(), manager="user")

    def told(*kinds: str) -> Manifest:
        entries = [{"type": kind, "status": "True"} for kind in kinds]
        head = {name: made[name] for name in ("apiVersion", "kind")}
        name = {"name": "web", "namespace": "one"}
        return {**head, "metadata": name, "status": {"conditions": entries}}

    await store.apply(told("Ready"), manager="a", subresource="status")
    await store.apply(told("Issuing"), manager="b", subresource="status")
    await store.apply(told("Ready"), manager="a", subresource="status")
    found = await store.get(CERTIFICATE.key("one", "web"))
    assert found is not None
    assert [entry["type"] for entry in found["status"]["conditions"]] == ["Ready", "Issuing"]
    last = await store.apply(told(), manager="b", subresource="status")
    assert [entry["type"] for entry in last["status"]["conditions"]] == ["Ready"]


async def test_an_update_keeps_what_was_applied_in_mind() -> None:
    """And a field that two apply goes with the second one."""
    store = ObjectStore()
    await store.apply(applied(), manager="m")
    await store.apply(secret(data={"a": b"1"}), manager="other")
    found = await store.get(TLS)
    assert found is not None
    await store.update({**found, "data": {**found["data"], "z": "Wg=="}}, manager="u")
    one = await store.apply(secret(data={"b": b"2"}), manager="m")
    assert set(one["data"]) == {"a", "b", "z"}
    two = await store.apply(secret(data={"q": b"2"}), manager="other")
    assert set(two["data"]) == {"b", "q", "z"}
