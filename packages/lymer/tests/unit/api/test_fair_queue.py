"""The queue for threads: in turn, with places for newcomers, whoever leaves."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lymer.api.fair_queue import FairQueue
from lymer.errors import OverloadedError


def run(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run on a loop of its own."""

    async def main() -> Any:
        return await work()

    return asyncio.run(main())


def test_who_asks_once_is_next_whoever_asked_a_hundred_times() -> None:
    """Askers are served in turn, not questions."""

    async def work() -> list[str]:
        queue = FairQueue(running_max=1, places_max=200)
        served: list[str] = []

        async def ask(asker: str) -> None:
            await queue.enter(asker)
            served.append(asker)
            await asyncio.sleep(0)
            queue.leave(asker)

        many = [asyncio.create_task(ask("many")) for _ in range(100)]
        await asyncio.sleep(0)
        await asyncio.gather(ask("one"), ask("other"), *many)
        return served

    served = run(work)
    assert len(served) == 102
    assert max(served.index("one"), served.index("other")) <= 5


def test_nobody_may_hold_every_place() -> None:
    """The last quarter is for those who have none."""

    async def work() -> None:
        queue = FairQueue(running_max=1, places_max=8)
        await queue.enter("many")
        waiting = [asyncio.create_task(queue.enter("many")) for _ in range(5)]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match="6 of them yours, the limit is 6"):
            await queue.enter("many")
        waiting += [asyncio.create_task(queue.enter(one)) for one in ("a", "b")]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError, match="8 questions"):
            await queue.enter("c")
        for one in ("many", "many", "a"):
            queue.leave(one)
            await asyncio.sleep(0)
        assert [one.done() for one in waiting] == [True, *[False] * 4, True, True]
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    run(work)


@pytest.mark.parametrize("seed", range(20))
def test_places_are_given_back_however_questions_end(seed: int) -> None:
    """Random arrivals, ends and departures: never more run than may, and at the end none does."""

    async def work() -> None:
        rng = random.Random(seed)
        queue = FairQueue(running_max=3, places_max=40)
        running = most = 0

        async def ask(asker: str) -> None:
            nonlocal running, most
            await queue.enter(asker)
            running += 1
            most = max(most, running)
            try:
                for _ in range(rng.randrange(4)):
                    await asyncio.sleep(0)
            finally:
                running -= 1
                queue.leave(asker)

        tasks = []
        for _ in range(300):
            tasks.append(asyncio.create_task(ask(rng.choice("abcdef"))))
            if rng.random() < 0.4:
                rng.choice(tasks).cancel()
            if rng.random() < 0.5:
                await asyncio.sleep(0)
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in ends} <= {
            type(None), asyncio.CancelledError, OverloadedError,
        }  # fmt: skip
        assert most == 3
        assert running == 0
        for _ in range(3):  # all threads are free again
            await asyncio.wait_for(queue.enter("z"), 1)

    run(work)
