"""Renewal information, profiles, addresses and short lives, of a CA that has them."""

from __future__ import annotations

import json
import ssl
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from certwright import clock
from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.reconcile.options import AcmeOptions, Options
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CERTIFICATE, ORDER, SECRET
from certwright.resources.secret import Secret
from certwright.resources.times import parse_time
from certwright_testing.acme_cluster import acme_certificate, acme_issuer
from certwright_testing.acme_proxy import acme_proxy
from certwright_testing.acme_world import afresh, private_key, settle_certificates
from certwright_testing.pebble import Pebble, missing_pebble
from certwright_testing.world import World

pytestmark = pytest.mark.skipif(bool(missing_pebble()), reason=missing_pebble())
ARI = FeatureGates.parse("ACMEUseARI=true")
WEB = CERTIFICATE.key("one", "web")
SHORT = {"description": "short", "validityPeriod": 160 * 3600}


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Yield a CA that believes everything and has a profile of short lives."""
    environment = {"PEBBLE_VA_ALWAYS_VALID": "1"}
    profiles = {"default": {"description": "d", "validityPeriod": 7_776_000}, "short": SHORT}
    folder = tmp_path_factory.mktemp("pebble")
    with Pebble(folder, environment=environment, profiles=profiles) as started:
        yield started


def directory(pebble: Pebble) -> dict[str, Any]:
    """Return what the CA has."""
    context = ssl.create_default_context(cafile=str(pebble.folder / "pebble.pem"))
    with urllib.request.urlopen(pebble.url, context=context, timeout=5) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


def need(pebble: Pebble, what: str) -> None:
    """Skip if the CA's version has not got it: Debian's 2.4 has neither."""
    found = directory(pebble)
    if what not in found and what not in found["meta"]:
        pytest.skip(f"this Pebble cannot: {what}; set CERTWRIGHT_PEBBLE to a newer one")


def new_world(gates: FeatureGates | None = None) -> World:
    """Return a world with a real network."""
    acme = AcmeOptions(http01_in_process=True, self_check=False)
    options = Options(acme=acme, gates=gates or FeatureGates())
    world = World(options, now=clock.now(), private_key=private_key)
    world.outside = afresh(world)
    return world


async def leaf(world: World) -> DecodedCertificate:
    """Return the certificate that is served."""
    secret = Secret(await world.got(SECRET.key("one", "web")))
    return decode_certificates(secret.certificate_pem)[0]


async def test_a_profile_chooses_the_life(pebble: Pebble) -> None:
    """Short certificates are renewed after two thirds, an hour or an age as it may be."""
    need(pebble, "profiles")
    world = new_world()
    await world.apply(
        acme_issuer(pebble, profile="short"), acme_certificate("web", "a.example.com")
    )
    await settle_certificates(world)

    issued = await leaf(world)
    life = issued.not_after - issued.not_before
    assert timedelta(hours=159) < life <= timedelta(hours=160)
    renewal = parse_time((await world.got(WEB))["status"]["renewalTime"])
    assert abs(renewal - (issued.not_after - life / 3)) < timedelta(seconds=2)
    world.now = renewal + timedelta(seconds=1)
    assert (await world.plans())[("certificates-trigger", WEB)].actions


async def test_a_profile_that_is_not_there_is_told(pebble: Pebble) -> None:
    """In the CA's words, and not again at once."""
    need(pebble, "profiles")
    world = new_world()
    await world.apply(
        acme_issuer(pebble, profile="nobody"), acme_certificate("web", "a.example.com")
    )
    await world.advance(timedelta(minutes=30))

    (order,) = world.all(ORDER)
    assert order["status"]["state"] == "errored"
    assert "Failed to create Order: 400" in order["status"]["reason"]


async def test_an_address_is_proven(pebble: Pebble) -> None:
    """An IP identifier. Source: RFC 8738."""
    world = new_world()
    certificate = acme_certificate("web")
    certificate["spec"] |= {"dnsNames": ["a.example.com"], "ipAddresses": ["192.0.2.7"]}
    await world.apply(acme_issuer(pebble), certificate)
    await settle_certificates(world)

    assert (await leaf(world)).names.ips == ("192.0.2.7",)


async def test_the_ca_says_when(pebble: Pebble) -> None:
    """The window is in the status, the moment in it; a window that is over renews at once."""
    need(pebble, "renewalInfo")
    world = new_world(ARI)
    await world.apply(acme_issuer(pebble), acme_certificate("web", "a.example.com"))
    await settle_certificates(world)

    status = (await world.got(WEB))["status"]
    window = status["acme"]["ari"]["suggestedWindow"]
    first = await leaf(world)
    assert window["start"] <= status["renewalTime"] <= window["end"]
    assert "lastError" not in status["acme"]["ari"]

    _set_renewal_now(pebble, first)
    checked = parse_time(status["acme"]["ari"]["nextCheck"])
    await world.advance(checked - world.now + timedelta(seconds=2))
    for _ in range(20):
        await world.advance(timedelta(seconds=5))
        if (await leaf(world)).serial != first.serial:
            break
    second = await leaf(world)
    assert second.serial != first.serial
    await world.advance(timedelta(hours=1))
    assert (await leaf(world)).serial == second.serial  # once
    assert len(world.all(ORDER)) == 2


def _set_renewal_now(pebble: Pebble, certificate: DecodedCertificate) -> None:
    """Tell the CA to want it renewed: its management interface, of newer versions."""
    start = clock.now() - timedelta(hours=2)
    window = {
        "start": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "end": (start + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    body = {
        "certificate": certificate.pem.decode(),
        "ariResponse": json.dumps({"suggestedWindow": window}),
    }
    context = ssl.create_default_context(cafile=str(pebble.folder / "pebble.pem"))
    request = urllib.request.Request(
        f"https://127.0.0.1:{pebble.management_port}/set-renewal-info/",
        data=json.dumps(body).encode(),
        method="POST",
    )
    urllib.request.urlopen(request, context=context, timeout=5).read()


def _window(start: str, end: str) -> str:
    return json.dumps({"suggestedWindow": {"start": start, "end": end}})


OVER = _window("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")
NONSENSE = {
    "far future": (200, _window("2400-01-01T00:00:00Z", "2400-01-02T00:00:00Z")),
    "for ever": (200, _window("2020-01-01T00:00:00Z", "9999-12-31T23:59:59Z")),
    "inverted": (200, _window("2400-01-01T00:00:00Z", "2020-01-01T00:00:00Z")),
    "year one": (200, _window("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z")),
    "absent": (200, "{}"),
    "no object": (200, json.dumps({"suggestedWindow": ["a", 1]})),
    "garbage": (200, "<html>internal-secret"),
    "busy": (503, "internal-secret"),
    "gone": (404, ""),
    "over": (200, OVER),
}


@pytest.mark.parametrize("words", NONSENSE)
async def test_whatever_the_ca_says_of_renewal(pebble: Pebble, words: str) -> None:
    """It ends no certificate and orders in no loop, and what cannot be read is told."""
    world = new_world(ARI)
    before = pebble.orders()
    async with acme_proxy(pebble) as proxy:
        proxy.renewal = NONSENSE[words]
        issuer = acme_issuer(pebble)
        issuer["spec"]["acme"]["server"] = proxy.url
        await world.apply(issuer, acme_certificate("web", "a.example.com"))
        await settle_certificates(world)
        for _ in range(24):
            await world.advance(timedelta(hours=1))
        asked = [path for _, path in proxy.requests if "renewal-info" in path]
    status = (await world.got(WEB))["status"]
    assert parse_time(status["renewalTime"]) < parse_time(status["notAfter"]), status
    assert "internal-secret" not in str((status, world.events))
    assert len(asked) < 30
    orders = pebble.orders() - before
    if words in {"over", "year one"}:
        assert orders <= 3, "what is over for every certificate renews once a day"
        assert world.said("DueOnArrival")
    elif words == "for ever":
        assert orders <= 3, "at random in its life, so perhaps at once"
    else:
        assert orders == 1
    is_told = words not in {"over", "year one", "for ever", "gone"}
    assert ("lastError" in status["acme"]["ari"]) is is_told
