"""The process dies between any two writes of an order: there is one order, and nothing is left."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certwright import clock
from certwright.acme.questions import GetAuthorization, GetOrder
from certwright.adapters.acme.http01 import WebrootAnswers
from certwright.adapters.acme.outside import RealWorld
from certwright.reconcile.contract import Action
from certwright.reconcile.options import AcmeOptions, Options
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    CHALLENGE,
    INGRESS,
    ORDER,
    POD,
    SERVICE,
    Manifest,
)
from certwright_testing.pebble import Pebble, missing_pebble
from certwright_testing.world import Fault, World

pytestmark = pytest.mark.skipif(bool(missing_pebble()), reason=missing_pebble())
ACCOUNT_KEY = rsa.generate_private_key(65537, 2048)
NAMES = ("a.example.com", "b.example.com")


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Yield a CA that proves names anew each time."""
    environment = {"PEBBLE_AUTHZREUSE": "0", "PEBBLE_WFE_ORDERS_PER_PAGE": "500"}
    with Pebble(tmp_path_factory.mktemp("pebble"), environment=environment) as started:
        yield started


def private_key(algorithm: str, size: int) -> Any:
    """Return keys quickly: one for all accounts."""
    return ACCOUNT_KEY if algorithm == "RSA" else ec.generate_private_key(ec.SECP256R1())


@dataclass(slots=True)
class Patient:
    """The world outside, given a moment: the loops' own clock does not wait for a CA."""

    webroot: Path
    world: World
    real: RealWorld = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin as a new process."""
        self.real = RealWorld(answers=WebrootAnswers(self.webroot), now=lambda: self.world.now)

    async def answer(self, question: Any, /) -> Any:
        """Answer."""
        if isinstance(question, GetAuthorization | GetOrder):
            await asyncio.sleep(0.01)
        return await self.real.answer(question)


@asynccontextmanager
async def webroot(pebble: Pebble, folder: Path) -> AsyncIterator[Path]:
    """Show a folder where the CA looks."""
    application = web.Application()
    application.router.add_static("/", folder)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", pebble.http_port).start()
    try:
        yield folder
    finally:
        await runner.cleanup()


def objects(pebble: Pebble) -> tuple[Manifest, Manifest]:
    """Return issuer and Certificate."""
    issuer = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": {"name": "acme", "namespace": "one"},
        "spec": {
            "acme": {
                "server": pebble.url,
                "caBundle": base64.b64encode(pebble.ca_pem).decode(),
                "privateKeySecretRef": {"name": "account"},
                "solvers": [{"http01": {"ingress": {}}}],
            }
        },
    }
    certificate = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "web", "namespace": "one"},
        "spec": {
            "secretName": "web",
            "dnsNames": list(NAMES),
            "privateKey": {"algorithm": "ECDSA", "size": 256},
            "issuerRef": {"name": "acme"},
        },
    }
    return issuer, certificate


async def play(pebble: Pebble, folder: Path, fault: Any, *, in_process: bool = True) -> World:
    """Issue once, with a fault; return what there is then."""
    options = AcmeOptions(
        http01_in_process=in_process,
        self_check=in_process,
        http01_passes=1,
        http01_port=pebble.http_port,
        http01_nameservers=(f"127.0.0.1:{pebble.dns_port}",),
        check_seconds=1.0,
    )
    world = World(Options(acme=options), now=clock.now(), private_key=private_key, fault=fault)
    outside = Patient(folder, world)
    world.outside = outside
    used = [outside.real]

    def begin(_world: World) -> None:
        outside.begin()
        used.append(outside.real)

    world.on_restart = begin
    try:
        await world.apply(*objects(pebble))
        for _ in range(120):
            await world.advance(timedelta(seconds=5))
            ready = get_condition(world.all(CERTIFICATE)[0], "Ready")
            if ready is not None and ready.is_true and not world.all(CHALLENGE):
                return world
        raise AssertionError(world.problems[-5:], world.all(ORDER), world.all(CHALLENGE))
    finally:
        for real in used:
            await real.__aexit__(None, None, None)


def check(world: World, pebble: Pebble, folder: Path, before: int) -> None:
    """Check that there was one order, here and at the CA, and that nothing is left."""
    assert pebble.orders() == before + 1
    assert len(world.all(ORDER)) == 1
    assert len(world.all(CERTIFICATE_REQUEST)) == 1
    assert [kind.name for kind in (POD, SERVICE, INGRESS) if world.all(kind)] == []
    assert [path for path in folder.rglob("*") if path.is_file()] == []


async def die_everywhere(
    pebble: Pebble, folder: Path, deaths: tuple[Fault, ...], *, in_process: bool, step: int = 1
) -> int:
    """Play the story with a death at every place; return how many places there are."""
    before = pebble.orders()
    world = await play(pebble, folder, None, in_process=in_process)
    check(world, pebble, folder, before)
    for number in range(0, world.writes, step):
        for death in deaths:
            done = False

            def fault(at: int, _action: Action) -> Fault | None:
                nonlocal done
                if at < number or done:  # noqa: B023 - it is called in this round only
                    return None
                done = True
                return death  # noqa: B023

            before = pebble.orders()
            died = await play(pebble, folder, fault, in_process=in_process)
            check(died, pebble, folder, before)
    return world.writes


async def test_death_between_any_two_writes(pebble: Pebble, tmp_path: Path) -> None:
    """What the network answered before the write is lost, too."""
    async with webroot(pebble, tmp_path) as folder:
        places = await die_everywhere(pebble, folder, (Fault.DIES_BEFORE,), in_process=True)
    assert places > 20


async def test_death_after_a_write(pebble: Pebble, tmp_path: Path) -> None:
    """Before the network is asked."""
    async with webroot(pebble, tmp_path) as folder:
        await die_everywhere(pebble, folder, (Fault.DIES_AFTER,), in_process=True, step=3)


async def test_death_leaves_no_pod_and_no_ingress(tmp_path: Path) -> None:
    """In a cluster; the CA takes every answer, for there are no nodes to run pods."""
    environment = {"PEBBLE_AUTHZREUSE": "0", "PEBBLE_VA_ALWAYS_VALID": "1"}
    environment["PEBBLE_WFE_ORDERS_PER_PAGE"] = "500"
    folder = tmp_path / "nothing"
    folder.mkdir()
    with Pebble(tmp_path / "pebble", environment=environment) as pebble:
        await die_everywhere(
            pebble, folder, (Fault.DIES_BEFORE, Fault.ANSWER_LOST), in_process=False, step=3
        )
