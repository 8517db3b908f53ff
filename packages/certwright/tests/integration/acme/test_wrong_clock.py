"""Our clock is wrong, the CA's is right: nothing is ordered in a loop, and it is said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from certwright import clock
from certwright.reconcile.options import AcmeOptions, Options
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import CERTIFICATE
from certwright_testing.acme_cluster import acme_certificate, acme_issuer
from certwright_testing.acme_world import afresh, private_key
from certwright_testing.pebble import Pebble, missing_pebble
from certwright_testing.world import World

pytestmark = pytest.mark.skipif(bool(missing_pebble()), reason=missing_pebble())
WEB = CERTIFICATE.key("one", "web")


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Yield a CA that believes everything."""
    environment = {"PEBBLE_VA_ALWAYS_VALID": "1"}
    with Pebble(tmp_path_factory.mktemp("pebble"), environment=environment) as started:
        yield started


@pytest.mark.parametrize("days", [-30, -1, 1, 400, 4000])
async def test_a_wrong_clock_orders_in_no_loop(pebble: Pebble, days: int) -> None:
    """Behind, a certificate is not valid yet; far ahead, it has ended when it comes."""
    acme = AcmeOptions(http01_in_process=True, self_check=False)
    start = clock.now() + timedelta(days=days)
    world = World(Options(acme=acme), now=start, private_key=private_key)
    world.outside = afresh(world)
    before = pebble.orders()
    await world.apply(acme_issuer(pebble), acme_certificate("web", "a.example.com"))
    for _ in range(36):
        await world.advance(timedelta(minutes=10))

    orders = pebble.orders() - before
    assert orders in ({1} if days < 4000 else {6, 7}), "an hour between two tries"
    status = (await world.got(WEB))["status"]
    if days == 4000:
        ready = get_condition(await world.got(WEB), "Ready")
        assert ready is not None
        assert ready.reason == "Expired"
        assert "the clock of this machine is wrong" in world.said("DueOnArrival")[0]
    assert "failedIssuanceAttempts" not in status
