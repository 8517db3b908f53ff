"""Work under a lease: who has it works, who loses it ends."""

from __future__ import annotations

import asyncio

import pytest

from certwright import clock
from certwright.engine.leader import LeaderElection, LeaseTerms
from certwright.errors import InvalidError, StartupError
from certwright.resources.kinds import LEASE
from certwright.roles.leadership import lead, unique_identity
from certwright_testing.api_server import MemoryStore

KEY = LEASE.key("kube-system", "test")


def election(store: MemoryStore, identity: str) -> LeaderElection:
    """Return a candidate that is quick."""
    terms = LeaseTerms(KEY, identity, lease_seconds=0.3, renew_seconds_max=0.2, retry_seconds=0.02)
    return LeaderElection(store, terms, manager="test", now=clock.now)


class Work:
    """Goes on until it is cancelled; remembers that it was."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.is_cancelled = False

    async def __call__(self) -> None:
        """Do it."""
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.is_cancelled = True


async def test_a_lost_lease_ends_the_work_first() -> None:
    """Somebody else took it; two never work at once."""
    store, work = MemoryStore(), Work()
    leading = asyncio.create_task(lead(election(store, "one"), work))
    await work.started.wait()

    async def steal() -> None:
        while True:
            lease = await store.get(KEY)
            assert lease is not None
            lease["spec"] |= {"holderIdentity": "two", "leaseDurationSeconds": 3600}
            del lease["metadata"]["resourceVersion"]
            await store.update(lease, manager="thief")
            await asyncio.sleep(0.01)

    thief = asyncio.create_task(steal())
    with pytest.raises(StartupError, match="leader election lost"):
        await leading
    thief.cancel()

    assert work.is_cancelled


async def test_who_stops_gives_the_lease_back() -> None:
    """The next one begins at once, not after the lease's length."""
    store, first, second = MemoryStore(), Work(), Work()
    one = asyncio.create_task(lead(election(store, "one"), first))
    await first.started.wait()
    two = asyncio.create_task(lead(election(store, "two"), second))
    await asyncio.sleep(0.1)
    assert not second.started.is_set()

    one.cancel()
    await asyncio.wait_for(second.started.wait(), 5)

    assert first.is_cancelled
    two.cancel()
    await asyncio.gather(one, two, return_exceptions=True)


async def test_a_failure_of_the_work_is_ours() -> None:
    """With or without an election; the lease goes back."""

    async def fail() -> None:
        raise InvalidError("cannot work")

    store = MemoryStore()
    for candidate in (None, election(store, "one")):
        with pytest.raises(InvalidError, match="cannot work"):
            await lead(candidate, fail)
    lease = await store.get(KEY)
    assert lease is not None
    assert lease["spec"]["holderIdentity"] == ""


def test_two_processes_on_one_host_are_two_candidates() -> None:
    """The name of the host alone would let both lead."""
    first, second = unique_identity("-x"), unique_identity("-x")

    assert first != second
    assert first.partition("_")[0] == second.partition("_")[0]
