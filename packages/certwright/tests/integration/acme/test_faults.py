"""A CA that fails at any one request: it heals, orders once, and shows nothing it should not."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from certwright.adapters.acme.client import LOST_ORDERS_MAX
from certwright.resources.kinds import ORDER
from certwright_testing.acme_proxy import TRICKS, Trick, acme_proxy
from certwright_testing.acme_world import play, webroot
from certwright_testing.pebble import Pebble, free_port, missing_pebble
from certwright_testing.world import World, everything

pytestmark = [
    pytest.mark.skipif(bool(missing_pebble()), reason=missing_pebble()),
    pytest.mark.timeout(300),
]
NAME = ("a.example.com",)
PORT = free_port()
"""Of the proxy: accounts and orders keep the address they were made at."""


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Yield a CA that takes every nonce once, so that requests can be counted."""
    environment = {
        "PEBBLE_AUTHZREUSE": "0",
        "PEBBLE_WFE_NONCEREJECT": "0",
        "PEBBLE_WFE_ORDERS_PER_PAGE": "500",
    }
    with Pebble(tmp_path_factory.mktemp("pebble"), environment=environment) as started:
        yield started


def check_shown(world: World) -> None:
    """Check that nothing a stranger sent is in an object or an event."""
    shown = json.dumps([*everything(world.store).values(), *world.events], default=str)
    assert "internal-secret" not in shown


EVERY = 1 if "CERTWRIGHT_TEST_THOROUGH" in os.environ else 3
"""A trick is played at every third request, each at others: every request meets two or three.

All kinds at each step of an order are in `test_fault_kinds.py`.
"""


@pytest.mark.parametrize("trick", TRICKS)
async def test_it_heals_wherever_it_happens(pebble: Pebble, tmp_path: Path, trick: Trick) -> None:
    """At requests from the directory to the certificate."""
    async with webroot(pebble, tmp_path) as folder, acme_proxy(pebble, PORT) as proxy:
        await play(pebble, folder, None, url=proxy.url, names=NAME)
        count = len(proxy.requests)
        assert count > 12
        proxy.trick = trick
        for number in range(TRICKS.index(trick) % EVERY, count, EVERY):
            proxy.requests.clear()
            proxy.at = number
            before = pebble.orders()

            world = await play(pebble, folder, None, url=proxy.url, names=NAME, rounds=1500)

            assert pebble.orders() == before + 1, number
            assert len(world.all(ORDER)) == 1, number
            # Besides what was repeated: a look at the account's newest orders for a lost one.
            assert len(proxy.requests) <= 2 * count + 2 * LOST_ORDERS_MAX, number
            check_shown(world)
