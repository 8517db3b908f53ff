"""A Certificate by ACME in the world of `world.World`, with a real CA outside of it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from certwright import clock
from certwright.acme.questions import Done, GetAuthorization, GetOrder
from certwright.adapters.acme.http01 import WebrootAnswers
from certwright.adapters.acme.outside import RealWorld
from certwright.reconcile.options import AcmeOptions, Options
from certwright.resources.conditions import get_condition
from certwright.resources.kinds import CERTIFICATE, CHALLENGE, ORDER, Manifest
from certwright_testing.bind import TSIG_KEY, Bind
from certwright_testing.objects import secret
from certwright_testing.pebble import Pebble
from certwright_testing.world import World

__all__ = ["NAMES", "afresh", "play", "private_key", "settle_certificates", "webroot"]

NAMES = ("a.example.com", "b.example.com")
"""What the Certificate is for."""


def private_key(algorithm: str, size: int) -> Any:
    """Return keys of the account, and small ones for certificates."""
    if algorithm == "RSA":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


_account_key = cache(private_key)
"""Keys that all plays have in common: making one of an account takes a third of a play."""


def _plays_key(algorithm: str, size: int) -> Any:
    return (_account_key if algorithm == "RSA" else private_key)(algorithm, size)


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


def objects(
    pebble: Pebble, url: str, names: tuple[str, ...], bind: Bind | None
) -> tuple[Manifest, ...]:
    """Return issuer and Certificate; with a name server, a solver by DNS and its key too."""
    issuer = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Issuer",
        "metadata": {"name": "acme", "namespace": "one"},
        "spec": {
            "acme": {
                "server": url,
                "caBundle": base64.b64encode(pebble.ca_pem).decode(),
                "privateKeySecretRef": {"name": "account"},
                "solvers": [{"http01": {"ingress": {}}} if bind is None else _by_dns(bind)],
            }
        },
    }
    certificate = {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": "web", "namespace": "one"},
        "spec": {
            "secretName": "web",
            "dnsNames": list(names),
            "privateKey": {"algorithm": "ECDSA", "size": 256},
            "issuerRef": {"name": "acme"},
        },
    }
    if bind is None:
        return issuer, certificate
    key = secret("tsig", data={"key": TSIG_KEY.encode()})
    return key, issuer, certificate


def _by_dns(bind: Bind) -> Manifest:
    config = {
        "nameserver": bind.address,
        "tsigKeyName": "hmac-sha256",
        "tsigAlgorithm": "HMACSHA256",
        "tsigSecretSecretRef": {"name": "tsig", "key": "key"},
    }
    return {"dns01": {"rfc2136": config}}


async def play(
    pebble: Pebble,
    folder: Path,
    fault: Any,
    *,
    in_process: bool = True,
    url: str = "",
    names: tuple[str, ...] = NAMES,
    rounds: int = 120,
    bind: Bind | None = None,
) -> World:
    """Issue once, with a fault; return what there is then. Names are proven in `bind`, if given."""
    options = AcmeOptions(
        dns01_nameservers=() if bind is None else (bind.address,),
        dns01_recursive_only=bind is not None,
        dns01_wait_seconds=0.0,
        http01_in_process=in_process,
        self_check=in_process,
        http01_passes=1,
        http01_port=pebble.http_port,
        http01_nameservers=(f"127.0.0.1:{pebble.dns_port}",),
        check_seconds=1.0,
    )
    world = World(Options(acme=options), now=clock.now(), private_key=_plays_key, fault=fault)
    outside = Patient(folder, world)
    world.outside = outside
    used = [outside.real]

    def begin(_world: World) -> None:
        outside.begin()
        used.append(outside.real)

    world.on_restart = begin
    try:
        await world.apply(*objects(pebble, url or pebble.url, names, bind))
        for _ in range(rounds):
            await world.advance(timedelta(seconds=5))
            ready = get_condition(world.all(CERTIFICATE)[0], "Ready")
            if ready is not None and ready.is_true and not world.all(CHALLENGE):
                return world
        raise AssertionError(world.problems[-5:], world.all(ORDER), world.all(CHALLENGE))
    finally:
        for real in used:
            await real.__aexit__(None, None, None)


class _Silent:
    """Puts answers nowhere: the CA believes everything."""

    async def present(self, _question: Any, /) -> Done:
        return Done()

    clean_up = present


@dataclass(slots=True)
class _Afresh:
    world: World

    async def answer(self, question: Any, /) -> Any:
        async with RealWorld(answers=_Silent(), now=lambda: self.world.now) as real:
            return await real.answer(question)


def afresh(world: World) -> _Afresh:
    """Return the world outside, met anew with each question: nothing stays open."""
    return _Afresh(world)


async def settle_certificates(world: World) -> None:
    """Issue, in a few rounds of the CA."""
    for _ in range(40):
        await world.advance(timedelta(seconds=5))
        ready = get_condition(world.all(CERTIFICATE)[0], "Ready")
        if ready is not None and ready.is_true and not world.all(CHALLENGE):
            return
    raise AssertionError(world.problems[-4:], world.all(ORDER), world.all(CHALLENGE))
