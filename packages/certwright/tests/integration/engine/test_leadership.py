"""Elections on a store: one leads, the others wait, and take over."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from certwright import clock
from certwright.engine.leader import LeaderElection, LeaseTerms, claimed
from certwright.errors import UnavailableError
from certwright.resources.kinds import LEASE, Key, Manifest
from certwright_testing.api_server import MemoryStore

KEY = LEASE.key("kube-system", "cert-manager-controller")
TERMS = LeaseTerms(KEY, "a", lease_seconds=1.0, renew_seconds_max=0.6, retry_seconds=0.05)


def election(store: MemoryStore, identity: str) -> LeaderElection:
    """Return a candidate."""
    terms = replace(TERMS, identity=identity)
    return LeaderElection(store, terms, manager="leader-election", now=clock.now)


async def holder(store: MemoryStore) -> str:
    """Return who the Lease says leads."""
    lease = await store.get(KEY)
    assert lease is not None
    name: str = lease["spec"]["holderIdentity"]
    return name


async def test_the_first_leads_and_the_second_waits_until_it_is_released() -> None:
    """A release is taken at the next attempt, not after the lease's length."""
    store = MemoryStore()
    first, second = election(store, "a"), election(store, "b")
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(0.2)

    assert (first.is_leader, second.is_leader) == (True, False)
    await first.release()
    async with asyncio.timeout(0.5):
        await waiting
    assert await holder(store) == "b"
    assert not first.is_leader


async def test_a_renewal_nobody_heard_of_does_not_keep_the_lease() -> None:
    """It was under way when the process was told to stop; a lease of others is left alone."""
    store = MemoryStore()
    first = election(store, "a")
    await first.acquire()
    present = await store.get(KEY)
    assert present is not None
    renewed = claimed(present, replace(TERMS, identity="a"), clock.now())
    await store.update(renewed, manager="leader-election")

    await first.release()

    assert await holder(store) == ""
    second = election(store, "b")
    await second.acquire()
    first.is_leader = True
    await first.release()
    assert await holder(store) == "b"


async def test_a_leader_that_renews_keeps_the_lease() -> None:
    """For longer than one lease."""
    store = MemoryStore()
    first, second = election(store, "a"), election(store, "b")
    await first.acquire()
    holding = asyncio.create_task(first.hold())
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(1.6)

    assert not waiting.done()
    assert first.expired_for_seconds() == 0
    for task in (holding, waiting):
        task.cancel()


async def test_a_dead_leader_is_replaced_when_its_lease_is_over() -> None:
    """Not before, by the clock of who waits."""
    store = MemoryStore()
    await election(store, "a").acquire()
    second = election(store, "b")
    started = clock.monotonic_seconds()
    async with asyncio.timeout(5):
        await second.acquire()

    assert 0.9 <= clock.monotonic_seconds() - started < 2.5
    assert await holder(store) == "b"


class Silent(MemoryStore):
    """A store that can stop answering."""

    silent = False

    async def get(self, key: Key, /) -> Manifest | None:
        """Answer, or not."""
        if self.silent:
            raise UnavailableError("no answer")
        return await super().get(key)


async def test_a_leader_that_cannot_renew_gives_up_before_others_may_take_over() -> None:
    """After the deadline, which is shorter than the lease."""
    store = Silent()
    first = election(store, "a")
    await first.acquire()
    store.silent = True
    started = clock.monotonic_seconds()
    async with asyncio.timeout(5):
        await first.hold()

    assert 0.4 <= clock.monotonic_seconds() - started < 1.0
    assert not first.is_leader


async def test_a_lease_that_somebody_took_is_lost_at_once() -> None:
    """Whoever holds it now may be working."""
    store = MemoryStore()
    first = election(store, "a")
    await first.acquire()
    lease = await store.get(KEY)
    assert lease is not None
    lease["spec"]["holderIdentity"] = "b"
    await store.update(lease, manager="b")

    async with asyncio.timeout(0.5):
        await first.hold()
    assert not first.is_leader
