"""A second process with an old view of the world acts between any two writes of the first.

It is what is left of a leader that does not know yet that it lost the lease, with caches that lag:
the worst that may happen. No key may be lost, nothing issued twice, no pair torn.
"""

from __future__ import annotations

from collections import deque

import pytest

from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    SECRET,
    Key,
    Manifest,
)
from certwright_testing.promises import Promises
from certwright_testing.stories import STORIES, ecdsa_only, ending, quiet
from certwright_testing.world import World, everything, run

LATE = (CERTIFICATE, CERTIFICATE_REQUEST, SECRET)


@pytest.mark.parametrize("lag", [0, 1, 2, 3, 5, 8])
@pytest.mark.parametrize("late", ["all", *(kind.name for kind in LATE)])
@pytest.mark.parametrize(
    "story", ["issue", "renew", "rotate", "edit", "dress", "from_ca", "temporary"]
)
def test_an_old_leader_does_no_harm(story: str, late: str, lag: int) -> None:
    """Whatever it writes from `lag` writes ago, the promises hold and the end is the same.

    Each kind has a cache of its own, and one may lag alone.
    """
    expected, _ = quiet(story)
    past: deque[dict[Key, Manifest]] = deque(maxlen=lag + 1)

    async def old_leader(world: World) -> None:
        past.append(everything(world.store))
        seen = {key: obj for key, obj in past[0].items() if late in {"all", key.kind.name}}
        seen |= {key: obj for key, obj in past[-1].items() if late not in {"all", key.kind.name}}
        await world.act_on(seen)

    async def play() -> object:
        world = World(check=Promises(), private_key=ecdsa_only, before_write=old_leader)
        await STORIES[story](world)
        return ending(world)

    assert run(play()) == expected
