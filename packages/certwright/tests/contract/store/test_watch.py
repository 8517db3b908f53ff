"""What a store promises about watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from certwright.engine.store import Change, Selection, Store
from certwright.errors import ExpiredError
from certwright.resources.kinds import CERTIFICATE, SECRET
from certwright_testing.objects import certificate, secret

LABELLED = Selection(SECRET, "", "kit=yes")


async def take(changes: AsyncIterator[Change], count: int) -> list[Change]:
    """Return the next changes that are no bookmarks."""
    found: list[Change] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            change = await anext(changes)
            if change.type != "BOOKMARK":
                found.append(change)
    return found


async def test_a_watch_goes_on_from_a_list(store: Store) -> None:
    """Nothing between the two is lost, nothing is told twice."""
    await store.create(secret("old", labels={"kit": "yes"}), manager="m")
    listing = await store.list(LABELLED)
    made = await store.create(secret("new", labels={"kit": "yes"}), manager="m")
    made["data"] = {"b": "Mg=="}
    changed = await store.update(made, manager="m")
    await store.delete(SECRET.key("one", "new"))

    async with aclosing(store.watch(LABELLED, listing.resource_version)) as changes:  # type: ignore[type-var]
        seen = await take(changes, 3)

    assert [change.type for change in seen] == ["ADDED", "MODIFIED", "DELETED"]
    assert seen[1].object == changed
    assert seen[2].object["data"] == changed["data"]
    assert int(seen[2].object["metadata"]["resourceVersion"]) > int(
        changed["metadata"]["resourceVersion"]
    )


async def test_a_watch_waits_for_changes(store: Store) -> None:
    """What happens later arrives without asking."""
    listing = await store.list(LABELLED)
    async with aclosing(store.watch(LABELLED, listing.resource_version)) as changes:  # type: ignore[type-var]
        waiting = asyncio.create_task(take(changes, 1))
        await asyncio.sleep(0.05)
        await store.create(secret(labels={"kit": "yes"}), manager="m")
        (change,) = await waiting

    assert change.object["metadata"]["name"] == "tls"


async def test_a_label_makes_an_object_enter_and_leave(store: Store) -> None:
    """To a watch with a selector, entering is ADDED and leaving is DELETED."""
    listing = await store.list(LABELLED)
    made = await store.create(secret(), manager="m")
    inside = await store.update(
        {**made, "metadata": {**made["metadata"], "labels": {"kit": "yes"}}}, manager="m"
    )
    await store.update({**inside, "metadata": {**inside["metadata"], "labels": {}}}, manager="m")

    async with aclosing(store.watch(LABELLED, listing.resource_version)) as changes:  # type: ignore[type-var]
        seen = await take(changes, 2)

    assert [change.type for change in seen] == ["ADDED", "DELETED"]


async def test_a_watch_of_metadata_gives_no_contents(store: Store) -> None:
    """A cache of all Secrets need not hold them."""
    selection = Selection(SECRET, "one", "kit=yes", metadata_only=True)
    listing = await store.list(selection)
    made = await store.create(secret(labels={"kit": "yes"}), manager="m")

    async with aclosing(store.watch(selection, listing.resource_version)) as changes:  # type: ignore[type-var]
        (change,) = await take(changes, 1)

    assert change.object == {f: made[f] for f in ("apiVersion", "kind", "metadata")}


async def test_other_namespaces_and_kinds_are_silent(store: Store) -> None:
    """A watch gives what was selected."""
    selection = Selection(SECRET, "two")
    listing = await store.list(selection)
    await store.create(secret(), manager="m")
    await store.create(certificate(namespace="two"), manager="m")
    await store.create(secret("mine", namespace="two"), manager="m")

    async with aclosing(store.watch(selection, listing.resource_version)) as changes:  # type: ignore[type-var]
        (change,) = await take(changes, 1)

    assert change.object["metadata"]["name"] == "mine"


async def test_a_deletion_that_waits_is_a_change(store: Store) -> None:
    """First a deletionTimestamp, then the end."""
    selection = Selection(CERTIFICATE, "one")
    made = await store.create(certificate(finalizers=["example.com/hold"]), manager="m")
    listing = await store.list(selection)
    await store.delete(CERTIFICATE.key("one", "web"), uid=made["metadata"]["uid"])
    held = await store.get(CERTIFICATE.key("one", "web"))
    assert held is not None
    await store.update({**held, "metadata": {**held["metadata"], "finalizers": []}}, manager="m")

    async with aclosing(store.watch(selection, listing.resource_version)) as changes:  # type: ignore[type-var]
        seen = await take(changes, 2)

    assert [change.type for change in seen] == ["MODIFIED", "DELETED"]
    assert seen[0].object["metadata"]["deletionTimestamp"]


async def test_history_that_is_gone_is_said(store: Store) -> None:
    """A watch from before all history must list again."""
    with pytest.raises(ExpiredError):
        async with aclosing(store.watch(Selection(CERTIFICATE), "1")) as changes:  # type: ignore[type-var]
            await take(changes, 1)
