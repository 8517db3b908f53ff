"""Plans that ask the world outside the store, and decide by its answer."""

from __future__ import annotations

import asyncio
from typing import Any

from certwright import clock
from certwright.engine.runtime import Runtime, running
from certwright.pki.keys import generate_private_key
from certwright.reconcile.contract import (
    Ask,
    Backoff,
    Controller,
    Plan,
    Reader,
    Sources,
    UpdateStatus,
)
from certwright.resources.kinds import CERTIFICATE, Key, Manifest
from certwright.telemetry.metrics import Metrics
from certwright_testing.api_server import MemoryStore
from certwright_testing.objects import certificate

KEY = CERTIFICATE.key("one", "web")


class World:
    """Answers with the number of questions so far; may be slow, and deaf to cancellations."""

    def __init__(self, *, is_deaf: bool = False) -> None:
        self.asked: list[Any] = []
        self.at_once = self.most_at_once = 0
        self.begun = asyncio.Event()
        self._is_deaf = is_deaf

    async def answer(self, question: Any, /) -> Any:
        """Answer, in a while."""
        self.begun.set()
        self.asked.append(question)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(60.0 if self._is_deaf else 0.01)
        except asyncio.CancelledError:
            if not self._is_deaf:
                raise
        self.at_once -= 1
        return len(self.asked)


async def gather(key: Key, reader: Reader) -> Manifest | None:
    """Read the object."""
    return await reader.get(key)


def runtime_of(store: MemoryStore, world: World, plan: Any, **settings: Any) -> Runtime:
    """Return one loop."""
    controller: Controller[Any] = Controller(
        name="orders",
        kind=CERTIFICATE,
        gather=gather,
        plan=plan,
        backoff=Backoff(0.01, 0.05),
        **settings,
    )
    return Runtime(
        store,
        (controller,),
        lambda: Sources(clock.now(), generate_private_key, lambda: 1),
        Metrics(clock.now),
        outside=world,
    )


async def test_answers_lead_to_the_next_question_and_to_writes() -> None:
    """Actions come before the question; the last plan ends the pass."""
    store = MemoryStore()
    await store.create(certificate(), manager="user")
    world = World()

    def plan(snapshot: Manifest, _sources: Sources) -> Plan:
        if snapshot.get("status"):
            return Plan()

        def second(answer: Any, _sources: Sources) -> Plan:
            return Plan((UpdateStatus({**snapshot, "status": {"revision": answer}}),))

        def first(answer: Any, _sources: Sources) -> Plan:
            return Plan(ask=Ask(f"after {answer}", second))

        return Plan(ask=Ask("first", first))

    runtime = runtime_of(store, world, plan)
    async with running(runtime):
        await runtime.settle(10)

    found = await store.get(KEY)
    assert found is not None
    assert found["status"] == {"revision": 2}
    assert world.asked == ["first", "after 1"]


async def test_a_loop_that_counts_across_objects_works_on_one_at_a_time() -> None:
    """`workers_max` is the most, whatever --concurrent-workers says."""
    store = MemoryStore()
    for number in range(8):
        await store.create(certificate(f"c{number}"), manager="user")
    world = World()
    runtime = runtime_of(
        store, world, lambda _obj, _sources: Plan(ask=Ask("", lambda *_: Plan())), workers_max=1
    )
    async with running(runtime):
        await runtime.settle(10)

    assert len(world.asked) == 8
    assert world.most_at_once == 1


async def test_who_does_not_hear_a_cancellation_ends_all_the_same() -> None:
    """A library may swallow it; the loop ends after the pass."""
    store = MemoryStore()
    await store.create(certificate(), manager="user")
    world = World(is_deaf=True)
    runtime = runtime_of(store, world, lambda _obj, _sources: Plan(ask=Ask("", lambda *_: Plan())))
    async with asyncio.timeout(10):
        async with running(runtime):
            await world.begun.wait()
