"""What a store promises about objects whose owner is gone.

A bare API server does not do this: the garbage collector is a controller of its own.
"""

from __future__ import annotations

import asyncio

import pytest

from certwright.engine.store import Store
from certwright.resources.kinds import CERTIFICATE, SECRET, Key, Manifest
from certwright_testing.objects import certificate, secret

pytestmark = pytest.mark.demands("garbage collection")


def owner(obj: Manifest) -> Manifest:
    """Return a reference to `obj`."""
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
    }


async def gone(store: Store, key: Key) -> bool:
    """Wait up to ten seconds for an object to go."""
    for _ in range(100):
        if await store.get(key) is None:
            return True
        await asyncio.sleep(0.1)
    return False


async def test_what_is_owned_goes_with_its_owner(store: Store) -> None:
    """And what that owned, too."""
    top = await store.create(certificate(), manager="m")
    middle = await store.create(secret("middle", ownerReferences=[owner(top)]), manager="m")
    await store.create(secret("bottom", ownerReferences=[owner(middle)]), manager="m")
    await store.create(secret("apart"), manager="m")

    await store.delete(CERTIFICATE.key("one", "web"))

    assert await gone(store, SECRET.key("one", "bottom"))
    assert await gone(store, SECRET.key("one", "middle"))
    assert await store.get(SECRET.key("one", "apart")) is not None


async def test_one_living_owner_is_enough(store: Store) -> None:
    """Only the reference to the dead one goes."""
    first = await store.create(certificate("first"), manager="m")
    second = await store.create(certificate("second"), manager="m")
    both = [owner(first), owner(second)]
    await store.create(secret(ownerReferences=both), manager="m")

    await store.delete(CERTIFICATE.key("one", "first"))

    kept = await store.get(SECRET.key("one", "tls"))
    assert kept is not None
    assert kept["metadata"]["ownerReferences"] == [owner(second)]


async def test_what_is_made_for_a_dead_owner_goes_at_once(store: Store) -> None:
    """A controller that acts on an old cache leaves nothing behind."""
    top = await store.create(certificate(), manager="m")
    await store.delete(CERTIFICATE.key("one", "web"))
    await store.create(secret(ownerReferences=[owner(top)]), manager="m")

    assert await gone(store, SECRET.key("one", "tls"))


async def test_a_finalizer_holds_what_is_owned_too(store: Store) -> None:
    """Deletion of what is owned is a deletion like any other."""
    top = await store.create(certificate(), manager="m")
    await store.create(
        secret(ownerReferences=[owner(top)], finalizers=["example.com/hold"]), manager="m"
    )

    await store.delete(CERTIFICATE.key("one", "web"))

    held = await store.get(SECRET.key("one", "tls"))
    assert held is not None
    assert held["metadata"]["deletionTimestamp"]
