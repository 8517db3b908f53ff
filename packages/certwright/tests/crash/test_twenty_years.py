"""Twenty years of renewals, and clocks that jump."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest

from certwright.pki.certificates import decode_certificates
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import CERTIFICATE, CERTIFICATE_REQUEST, SECRET, Manifest
from certwright.resources.secret import Secret
from certwright_testing.objects import certificate, issuer
from certwright_testing.promises import Promises
from certwright_testing.stories import ecdsa_only
from certwright_testing.world import START, World

YEAR = timedelta(days=365)
KEY: Manifest = {"algorithm": "ECDSA", "rotationPolicy": "Always"}
SPEC: Manifest = {
    "secretName": "tls",
    "dnsNames": ["a.example"],
    "issuerRef": {"name": "leaves"},
    "privateKey": KEY,
    "revisionHistoryLimit": 3,
}


async def world_with(duration: str, renew_before: str | None) -> World:
    """Return a world with a CA of ten years and a leaf of this duration."""
    world = World(private_key=ecdsa_only, check=Promises())
    root = {
        **SPEC,
        "secretName": "root",
        "isCA": True,
        "commonName": "root",
        "duration": "87600h",
        "issuerRef": {"name": "ca"},
        "privateKey": {"algorithm": "ECDSA"},
    }
    spec = {**SPEC, "duration": duration}
    if renew_before is not None:
        spec["renewBefore"] = renew_before
    await world.apply(
        issuer(),
        certificate("root", spec=root),
        {**issuer("leaves"), "spec": {"ca": {"secretName": "root"}}},
        certificate(spec=spec),
    )
    await world.advance(timedelta(minutes=10))
    return world


def served(world: World) -> tuple[datetime, datetime]:
    """Return the life of the leaf that is served."""
    obj = world.store.table.get(SECRET.key("one", "tls"))
    assert obj is not None
    leaf = decode_certificates(Secret(obj).certificate_pem)[0]
    return leaf.not_before, leaf.not_after


def assert_all_is_well(world: World) -> None:
    """Everything is ready, valid now, and nothing is left lying around."""
    for obj in world.all(CERTIFICATE):
        ready = get_condition(obj, "Ready")
        assert ready is not None
        assert ready.is_true, ready.message
        assert get_condition(obj, "Issuing") is None
        assert Certificate(obj).failed_issuance_attempts is None
    begin, end = served(world)
    assert begin <= world.now < end
    assert len(world.all(SECRET)) == 2
    assert len(world.all(CERTIFICATE_REQUEST)) <= 6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("duration", "renew_before", "every", "years"),
    [
        ("2160h", None, timedelta(days=60), 20),
        ("720h", "168h", timedelta(days=23), 7),  # as many renewals as of any other
        ("8760h", "720h", timedelta(days=335), 20),
        ("61320h", None, timedelta(days=7 * 365) * 2 / 3, 20),
    ],
)
async def test_each_renewal_comes_in_its_second(
    duration: str, renew_before: str | None, every: timedelta, years: int
) -> None:
    """For years; never a moment without a valid certificate, never one renewal too many."""
    world = await world_with(duration, renew_before)
    first, _ = served(world)

    for _ in range(years):
        await world.advance(YEAR)
        assert_all_is_well(world)

    renewals = (world.now - first) // every
    revision = Certificate(await world.got(CERTIFICATE.key("one", "web"))).revision
    assert revision == 1 + renewals
    assert served(world)[0] == first + renewals * every
    root = Certificate(await world.got(CERTIFICATE.key("one", "root")))
    assert root.revision == 1 + years * 12 // 80


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
async def test_a_clock_that_jumps_costs_no_certificate(seed: int) -> None:
    """Forward over several renewals, even over the end of a life, and back by days."""
    chance = random.Random(seed)
    world = await world_with("2160h", None)
    jumps = 0
    while world.now < START + 20 * YEAR:
        await world.advance(timedelta(days=chance.uniform(0, 90)))
        begin, _ = served(world)
        jump = timedelta(days=chance.choice([-3, -1, 45, 200, 400]), seconds=chance.random() * 9)
        world.now = max(begin, world.now + jump)
        jumps += 1
        before = Certificate(await world.got(CERTIFICATE.key("one", "web"))).revision
        world.restart()
        await world.settle()
        assert_all_is_well(world)
        after = Certificate(await world.got(CERTIFICATE.key("one", "web"))).revision
        assert before is not None
        assert after in {before, before + 1}, "one jump is one renewal at most"
    assert jumps > 20
