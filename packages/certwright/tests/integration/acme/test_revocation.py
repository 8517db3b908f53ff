"""A deleted Certificate is revoked where its annotation asks for that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from certwright import clock
from certwright.pki.certificates import decode_certificates
from certwright.reconcile.options import AcmeOptions, Options
from certwright.resources import known, meta
from certwright.resources.kinds import CERTIFICATE, SECRET, Manifest
from certwright.resources.secret import Secret
from certwright_testing.acme_cluster import acme_certificate, acme_issuer
from certwright_testing.acme_world import afresh, private_key, settle_certificates
from certwright_testing.objects import certificate, issuer
from certwright_testing.pebble import Pebble, missing_pebble
from certwright_testing.stories import ecdsa_only
from certwright_testing.world import World

pytestmark = pytest.mark.skipif(bool(missing_pebble()), reason=missing_pebble())
WEB = CERTIFICATE.key("one", "web")
ASKED = {known.REVOKE_ON_DELETE: "true"}


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Yield a CA that believes everything."""
    environment = {"PEBBLE_VA_ALWAYS_VALID": "1"}
    with Pebble(tmp_path_factory.mktemp("pebble"), environment=environment) as started:
        yield started


def annotated(obj: Manifest) -> Manifest:
    """Return a Certificate that asks for revocation."""
    return {**obj, "metadata": {**obj["metadata"], "annotations": ASKED}}


def status(pebble: Pebble, serial: int) -> str:
    """Return what the CA says about a certificate."""
    text = f"{serial:x}"
    answer = pebble.managed(f"cert-status-by-serial/{text.zfill(len(text) + len(text) % 2)}")
    found: str = json.loads(answer)["Status"]
    return found


async def new_world(pebble: Pebble) -> tuple[World, int]:
    """Return a world with a certificate, and its serial number."""
    acme = AcmeOptions(http01_in_process=True, self_check=False)
    world = World(Options(acme=acme), now=clock.now(), private_key=private_key)
    world.outside = afresh(world)
    web = annotated(acme_certificate("web", "a.example.com"))
    await world.apply(acme_issuer(pebble), web)
    await settle_certificates(world)
    secret = Secret(await world.got(SECRET.key("one", "web")))
    return world, decode_certificates(secret.certificate_pem)[0].serial


async def test_a_deleted_certificate_is_revoked(pebble: Pebble) -> None:
    """Once it is, the object goes."""
    world, serial = await new_world(pebble)
    assert status(pebble, serial) == "Valid"

    await world.store.delete(WEB)
    await world.advance(timedelta(seconds=30))
    assert status(pebble, serial) == "Revoked"
    assert await world.store.get(WEB) is None
    assert world.said("Revoked") == [f"Revoked the certificate with serial number {serial:x}"]


async def test_a_ca_that_is_away_holds_a_deletion_up_for_minutes(pebble: Pebble) -> None:
    """Then it is given up, and said."""
    world, serial = await new_world(pebble)
    pebble.stop_ca()
    try:
        await world.store.delete(WEB)
        await world.advance(timedelta(minutes=4))
        assert await world.store.get(WEB) is not None
        await world.advance(timedelta(minutes=10))
        assert await world.store.get(WEB) is None
        assert world.said("RevocationFailed")[0].startswith("The certificate was not revoked: ")
    finally:
        pebble.start_ca()
    assert serial


async def test_what_cannot_be_revoked_is_let_go() -> None:
    """A CA of one's own has no list; without the annotation nothing is asked."""
    world = World(private_key=ecdsa_only)
    spec = {
        "secretName": "tls",
        "dnsNames": ["a.example"],
        "issuerRef": {"name": "ca"},
        "privateKey": {"algorithm": "ECDSA"},
    }
    await world.apply(issuer(), annotated(certificate(spec=spec)))
    await world.settle()
    assert meta.finalizers(await world.got(WEB)) == (known.REVOKE_FINALIZER,)
    await world.store.delete(WEB)
    await world.settle()
    assert await world.store.get(WEB) is None
    assert world.said("RevocationFailed") == [
        'Nothing was revoked: the issuer "ca" is not of type acme'
    ]

    await world.apply(annotated(certificate(spec=spec)))
    await world.settle()
    bare = await world.got(WEB)
    bare["metadata"]["annotations"] = {}
    await world.store.update(bare, manager="user")
    await world.settle()
    assert meta.finalizers(await world.got(WEB)) == ()
