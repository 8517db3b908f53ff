"""A CA comes back: who waits with a certificate that is still good asks in a turn of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from certwright.acme.messages import Unreachable
from certwright.acme.questions import NewOrder
from certwright.issuers.vault_questions import SignByVault, VaultReady
from certwright.pki.keys import encode_private_key_pkcs8, generate_private_key
from certwright.reconcile.acme_objects import AcmeAuthority
from certwright.reconcile.acme_orders import OrderGathered, plan_order
from certwright.reconcile.contract import Sources
from certwright.reconcile.options import Options
from certwright.resources.acme import Order
from certwright.resources.conditions import with_condition
from certwright.resources.issuer import Issuer
from certwright.resources.kinds import ISSUER, ORDER, SECRET, Manifest
from certwright.resources.times import format_time
from certwright_testing.absence import AwayCa, leaf, vault
from certwright_testing.objects import issuer, secret
from certwright_testing.stories import ecdsa_only
from certwright_testing.world import START, World

HOUR = timedelta(hours=1)
STEP = timedelta(minutes=5)
SPREAD = Options(renewal_spread=0.3)


@dataclass(slots=True)
class Asked:
    """The world outside; keeps when it was asked to sign."""

    world: World
    ca: AwayCa = field(default_factory=AwayCa)
    at: list[datetime] = field(default_factory=list)

    async def answer(self, question: Any, /) -> Any:
        """Answer as a CA that can be logged in to all the time, and does not always sign."""
        if not isinstance(question, SignByVault):
            return VaultReady()
        self.at.append(self.world.now)
        return await self.ca.answer(question)


async def waiting(options: Options) -> tuple[World, Asked]:
    """Return a world where a renewal has waited for a Vault for hours, 40 hours before its end."""
    world = World(options, private_key=ecdsa_only)
    asked = Asked(world)
    world.outside = asked
    asked.ca.world = world
    await world.apply(secret("token", data={"token": b"t"}), vault(), leaf(0))
    await world.advance(HOUR)
    asked.ca.away = (world.now, START + timedelta(hours=400))
    await world.advance(timedelta(hours=119))
    asked.at.clear()
    return world, asked


async def flip(world: World) -> None:
    """Let the issuer be found not ready and ready again, which wakes all of its requests."""
    key = ISSUER.key("one", "vault")
    found = await world.got(key)
    for status in ("False", "True"):
        found = with_condition(
            found, type="Ready", status=status, reason="x", message="x", now=world.now
        )
        found = await world.store.update_status(found, manager="user")
    await world.settle()


async def after_its_turn(world: World, asked: Asked) -> None:
    """Let the renewal's turn come and go; when that is follows from its uid, which is random.

    A turn lasts 2.3 hours where turns are 18 hours apart. Where they are 4.5 apart, the shortest
    here, the next begins no sooner than two hours after this.
    """
    for _ in range(20 * 12):
        await world.advance(STEP)
        if asked.at:
            break
    else:
        pytest.fail("no turn within 20 hours")
    await world.advance(HOUR * 5 / 2)
    asked.at.clear()


async def test_neither_an_issuer_that_changes_nor_a_restart_makes_all_ask_at_once() -> None:
    """None of twenty wakes between two turns is a question, and there is one soon."""
    world, asked = await waiting(SPREAD)
    await after_its_turn(world, asked)
    for _ in range(20):
        await flip(world)
        world.restart()
        await world.advance(STEP)
    assert not asked.at
    await world.advance(timedelta(hours=20))
    assert asked.at


async def test_a_certificate_that_is_no_longer_good_does_not_wait() -> None:
    """The Secret is deleted: it is asked for within minutes."""
    world, asked = await waiting(SPREAD)
    await world.store.delete(SECRET.key("one", "tls-0"))
    before = world.now
    await world.advance(timedelta(minutes=6))

    assert asked.at
    assert asked.at[0] - before < timedelta(minutes=6)


async def test_by_default_it_is_tried_as_ever() -> None:
    """Without --renewal-spread: after five minutes at most."""
    world, asked = await waiting(Options())
    await world.advance(HOUR)
    assert len(asked.at) >= 11


def order(age: timedelta, left: timedelta | None) -> OrderGathered:
    """Return an Order that has no URL yet, for a certificate that ends."""
    config = {
        "server": "https://ca.example/dir",
        "privateKeySecretRef": {"name": "account"},
        "solvers": [{"http01": {"ingress": {}}}],
    }
    status = {"acme": {"uri": "https://ca.example/account/1"}}
    found = Issuer({**issuer("acme"), "spec": {"acme": config}, "status": status})
    pem = encode_private_key_pkcs8(generate_private_key("RSA", 2048))
    obj: Manifest = {
        "apiVersion": ORDER.api_version,
        "kind": ORDER.name,
        "metadata": {
            "name": "web-1",
            "namespace": "one",
            "uid": "u",
            "creationTimestamp": format_time(START - age),
        },
        "spec": {"dnsNames": ["a.example"], "issuerRef": {"name": "acme"}},
    }
    authority = AcmeAuthority(found, secret("account", data={"tls.key": pem}))
    until = None if left is None else START + left
    return OrderGathered(Order(obj), authority, served_until=until)


@pytest.mark.parametrize("left", [None, 40 * HOUR])
@pytest.mark.parametrize("age", [HOUR / 60, 20 * HOUR])
def test_an_order_that_cannot_be_placed_takes_turns_as_well(
    age: timedelta, left: timedelta | None
) -> None:
    """For a renewal that has waited for long; everything else is asked for at once."""
    gathered = order(age, left)
    begun, asked, now, turns = START, 0, START, 0
    while now < begun + 12 * HOUR and turns < 200:
        turns += 1
        sources = Sources(now, ecdsa_only, lambda: 1)
        plan = plan_order(gathered, sources, options=SPREAD)
        if plan.ask is not None:
            asked += 1
            assert isinstance(plan.ask.question, NewOrder)
            plan = plan.ask.decide(Unreachable("connection refused"), sources)
        now += timedelta(seconds=plan.look_again_after_seconds or 300)

    if left is not None and age > HOUR:
        assert 1 <= asked <= 4
    elif left is None:
        assert asked == 144
    else:  # it has waited for a minute when this begins
        assert 8 <= asked <= 30
