"""DNS-01 against BIND: updates with TSIG, zones, CNAMEs, propagation, DNS over HTTPS."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.message
import pytest
from aiohttp import web

from certwright.acme.questions import CheckDns, CleanUpDns, Done, NotYet, PresentDns, SolverConfig
from certwright.adapters.acme.outside import RealWorld
from certwright.adapters.dns.queries import DnsError, cname_target, zone_of
from certwright_testing.bind import TSIG_KEY, Bind, missing_bind

pytestmark = pytest.mark.skipif(bool(missing_bind()), reason=missing_bind())
ZONES = {
    "example.com": (
        "_acme-challenge.alias IN CNAME target.challenges.example.net.\n"
        "_acme-challenge.loop IN CNAME loop1\nloop1 IN CNAME _acme-challenge.loop\n"
    ),
    "deep.example.com": "",
    "challenges.example.net": "",
}


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    """Yield a server with three zones, one inside another."""
    with Bind(tmp_path_factory.mktemp("bind"), ZONES) as started:
        yield started


def solver(bind: Bind, algorithm: str = "HMACSHA256", key: str = TSIG_KEY) -> SolverConfig:
    """Return an rfc2136 solver."""
    config = {
        "nameserver": bind.address,
        "tsigKeyName": f"hmac-{algorithm.lower().removeprefix('hmac')}",
        "tsigAlgorithm": algorithm,
        "tsigSecretSecretRef": {"name": "tsig", "key": "key"},
    }
    return SolverConfig("rfc2136", config, {"tsigSecretSecretRef": f"{key}\n".encode()})


def present(bind: Bind, domain: str, value: str, **more: Any) -> PresentDns:
    """Return the question that puts a record in place."""
    found = {"solver": solver(bind), "follow_cnames": False, **more}
    return PresentDns(uid="u", domain=domain, key=value, nameservers=(bind.address,), **found)


def clean_up(question: PresentDns) -> CleanUpDns:
    """Return the question that takes it away."""
    return CleanUpDns(
        question.solver,
        question.uid,
        question.domain,
        question.key,
        question.follow_cnames,
        question.nameservers,
    )


def check(bind: Bind, domain: str, value: str, **more: Any) -> CheckDns:
    """Return the question whether it can be seen."""
    found = {"recursive_only": True, "wait_seconds": 0.0, **more}
    return CheckDns(
        reference=domain, domain=domain, key=value, nameservers=(bind.address,), **found
    )


@pytest.mark.parametrize("algorithm", ["HMACMD5", "HMACSHA1", "HMACSHA256", "hmacsha512"])
async def test_updates_are_signed(bind: Bind, algorithm: str) -> None:
    """By every algorithm; only our own text comes and goes."""
    name = f"{algorithm.lower()}.example.com"
    async with RealWorld() as world:
        first = present(bind, name, "one", solver=solver(bind, algorithm))
        second = replace(first, key="two")
        for _ in range(2):  # twice changes nothing
            assert await world.answer(first) == Done()
        assert await world.answer(second) == Done()
        assert bind.texts(f"_acme-challenge.{name}.") == ["one", "two"]
        for _ in range(2):
            assert await world.answer(clean_up(first)) == Done()
        assert bind.texts(f"_acme-challenge.{name}.") == ["two"]
        await world.answer(clean_up(second))
    assert bind.texts(f"_acme-challenge.{name}.") == []


async def test_a_wrong_key_is_refused_in_words(bind: Bind) -> None:
    """What the server answers is said; a key that is none too."""
    async with RealWorld() as world:
        wrong = solver(bind, key="d3Jvbmctd3Jvbmctd3Jvbmc=")
        refused = await world.answer(present(bind, "w.example.com", "x", solver=wrong))
        broken = solver(bind, key="ab*")
        none = await world.answer(present(bind, "w.example.com", "x", solver=broken))

    assert isinstance(refused, NotYet)
    assert refused.reason.startswith("DNS update failed")
    assert isinstance(none, NotYet)
    assert bind.texts("_acme-challenge.w.example.com.") == []


async def test_the_deepest_zone_is_found(bind: Bind) -> None:
    """A zone inside another is its own."""
    servers = (bind.address,)
    assert await zone_of("_acme-challenge.www.example.com.", servers) == "example.com."
    assert await zone_of("_acme-challenge.deep.example.com.", servers) == "deep.example.com."
    assert await zone_of("x.y.deep.example.com.", servers) == "deep.example.com."
    with pytest.raises(DnsError, match=r"start of authority for nowhere\.invalid\."):
        await zone_of("nowhere.invalid.", servers)


async def test_cnames_are_followed_if_they_are_to_be(bind: Bind) -> None:
    """The record goes to where the CNAME points; checks always follow."""
    async with RealWorld() as world:
        question = present(bind, "alias.example.com", "v", follow_cnames=True)
        assert await world.answer(question) == Done()
        assert bind.texts("target.challenges.example.net.") == ["v"]
        assert await world.answer(check(bind, "alias.example.com", "v")) == Done()
        await world.answer(clean_up(question))
    assert bind.texts("target.challenges.example.net.") == []
    with pytest.raises(DnsError, match="does not end"):
        await cname_target("_acme-challenge.loop.example.com.", (bind.address,))


async def test_what_cannot_be_seen_is_said(bind: Bind) -> None:
    """In cert-manager's words; a wait after it was seen is no reason."""
    async with RealWorld() as world:
        answer = await world.answer(check(bind, "p.example.com", "v"))
        assert answer == NotYet('DNS record for "p.example.com" not yet propagated')
        await world.answer(present(bind, "p.example.com", "v"))
        waiting = await world.answer(check(bind, "p.example.com", "v", wait_seconds=0.3))
        assert isinstance(waiting, NotYet)
        assert waiting.reason == ""
        assert waiting.again_after_seconds is not None
        assert 0 < waiting.again_after_seconds <= 0.3
        await asyncio.sleep(0.35)
        assert await world.answer(check(bind, "p.example.com", "v", wait_seconds=0.3)) == Done()


async def test_a_server_that_is_silent_is_named() -> None:
    """The next one is asked; if none is left, the text says who said nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        question = CheckDns("r", "a.example.com", "v", (address,), True, 0.0)  # noqa: FBT003
        async with RealWorld() as world:
            answer = await world.answer(question)

    assert isinstance(answer, NotYet)
    assert address in answer.reason


async def test_every_authoritative_server_is_asked(tmp_path: Path) -> None:
    """At port 53, by the name that the zone gives."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", 53))
        except OSError as error:
            pytest.skip(f"port 53 of the loopback cannot be had: {error.strerror}")
    with Bind(tmp_path, {"example.org": ""}, port=53) as bind:
        async with RealWorld() as world:
            question = check(bind, "a.example.org", "v", recursive_only=False)
            assert isinstance(await world.answer(question), NotYet)
            await world.answer(present(bind, "a.example.org", "v"))
            assert await world.answer(question) == Done()


async def test_names_are_looked_up_over_https(bind: Bind) -> None:
    """A name server that is an https URL; here one that hands on to BIND, over plain HTTP."""

    async def answer(request: web.Request) -> web.Response:
        query = dns.message.from_wire(await request.read())
        found = await dns.asyncquery.udp(query, "127.0.0.1", port=bind.port, timeout=5)
        return web.Response(body=found.to_wire(), content_type="application/dns-message")

    from certwright.adapters.dns import queries

    application = web.Application()
    application.router.add_post("/dns-query", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        query = dns.message.make_query("example.com.", "SOA")
        found = await queries.ask_over_https(query, f"http://127.0.0.1:{port}/dns-query")
    finally:
        await runner.cleanup()

    assert found.answer
