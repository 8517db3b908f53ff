"""Accounts of issuers against Pebble: what the status says, and what heals."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from certwright import clock
from certwright.acme.questions import AccountKey, ChangeKey, Done, Server
from certwright.adapters.acme.client import AcmeClient
from certwright.adapters.acme.transport import Transport
from certwright.pki.csr import generate_csr
from certwright.pki.keys import encode_private_key, generate_private_key
from certwright.reconcile.options import AcmeOptions, Options
from certwright.resources import meta
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import get_condition
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_SIGNING_REQUEST,
    CHALLENGE,
    ISSUER,
    ORDER,
    SECRET,
    Manifest,
)
from certwright.resources.secret import Secret, encode_data
from certwright_testing.acme_cluster import acme_certificate, acme_issuer
from certwright_testing.acme_world import afresh, private_key, settle_certificates
from certwright_testing.pebble import EAB_KEY, Pebble, missing_pebble
from certwright_testing.world import Fault, World

pytestmark = pytest.mark.skipif(bool(missing_pebble()), reason=missing_pebble())
KEY = ISSUER.key("one", "acme")
ACME = AcmeOptions(http01_in_process=True, self_check=False)


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Yield a CA that believes everything."""
    environment = {"PEBBLE_VA_ALWAYS_VALID": "1"}
    with Pebble(tmp_path_factory.mktemp("pebble"), environment=environment) as started:
        yield started


def secret(name: str, **data: bytes) -> Manifest:
    """Return a Secret."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": "one"},
        "data": encode_data(data),
    }


def new_world(**settings: Any) -> World:
    """Return a world with a real network."""
    options = Options(cluster_resource_namespace="one", acme=ACME)
    world = World(replace(options, **settings), now=clock.now(), private_key=private_key)
    world.outside = afresh(world)
    return world


async def ready_of(world: World) -> tuple[str, str, str]:
    """Return status, reason and message of Ready."""
    found = get_condition(await world.got(KEY), "Ready")
    assert found is not None
    return found.status, found.reason, found.message


REGISTERED = (
    "True",
    "ACMEAccountRegistered",
    "The ACME account was registered with the ACME server",
)


async def test_an_account_is_registered_once(pebble: Pebble) -> None:
    """Key, URL, address and hash are kept; a change of the address is told the CA."""
    world = new_world()
    await world.apply(acme_issuer(pebble, email="Me@Example.com"))
    await world.settle()

    assert await ready_of(world) == REGISTERED
    first = (await world.got(KEY))["status"]["acme"]
    assert first["lastRegisteredEmail"] == "Me@Example.com"
    made = await world.got(SECRET.key("one", "account"))
    assert b"RSA PRIVATE KEY" in base64.b64decode(made["data"]["tls.key"])
    assert "labels" not in made["metadata"]
    assert "ownerReferences" not in made["metadata"]

    await world.apply(acme_issuer(pebble, email="You@Example.com"))
    await world.settle()
    second = (await world.got(KEY))["status"]["acme"]
    assert second == {**first, "lastRegisteredEmail": "You@Example.com"}


@pytest.mark.parametrize(
    ("objects", "acme", "reason", "message"),
    [
        pytest.param(
            [],
            {"disableAccountKeyGeneration": True},
            "ErrVerifyACMEAccount",
            "Failed to verify ACME account: the ACME issuer config has "
            "'disableAccountKeyGeneration' set to true, but the secret was not found: "
            'secret "account" not found',
            id="no key and none is made",
        ),
        pytest.param(
            [secret("account", **{"tls.key": b"nonsense"})],
            {},
            "ErrVerifyACMEAccount",
            "Account private key is invalid: error decoding private key PEM block",
            id="no key",
        ),
        pytest.param(
            [
                secret(
                    "account",
                    **{"tls.key": encode_private_key(generate_private_key("ECDSA", 256), "PKCS1")},
                )
            ],
            {},
            "ErrVerifyACMEAccount",
            'ACME private key in "account" is not of type RSA',
            id="not RSA",
        ),
        pytest.param(
            [],
            {"server": "https://acme-v01.api.letsencrypt.org/directory"},
            "InvalidConfig",
            "Your ACME server URL is set to a v1 endpoint "
            "(https://acme-v01.api.letsencrypt.org/directory). You should update the "
            'spec.acme.server field to "https://acme-v02.api.letsencrypt.org/directory"',
            id="an old server",
        ),
        pytest.param(
            [],
            {"externalAccountBinding": {"keyID": "k", "keySecretRef": {"name": "e", "key": "k"}}},
            "ErrRegisterACMEAccount",
            'Failed to register ACME account: secret "e" not found',
            id="no binding",
        ),
        pytest.param(
            [secret("e", k=b"YWJj=")],
            {"externalAccountBinding": {"keyID": "k", "keySecretRef": {"name": "e", "key": "k"}}},
            "ErrRegisterACMEAccount",
            "Failed to register ACME account: failed to decode external account binding key data: "
            "it is not base64url without padding",
            id="a binding with padding",
        ),
    ],
)
async def test_what_is_wrong_is_in_the_condition(
    pebble: Pebble, objects: list[Manifest], acme: Any, reason: str, message: str
) -> None:
    """In cert-manager's words; nothing is registered."""
    world = new_world()
    await world.apply(*objects, acme_issuer(pebble, **acme))
    await world.settle()

    assert await ready_of(world) == ("False", reason, message)


async def test_a_binding(tmp_path: Path) -> None:
    """The key is base64url, as CAs give it."""
    with Pebble(tmp_path, needs_binding=True) as pebble:
        world = new_world()
        binding = {"keyID": "kid-1", "keySecretRef": {"name": "eab", "key": "key"}}
        await world.apply(
            secret("eab", key=EAB_KEY.encode()), acme_issuer(pebble, externalAccountBinding=binding)
        )
        await world.settle()
        assert await ready_of(world) == REGISTERED

        refused = new_world()
        await refused.apply(acme_issuer(pebble))
        await refused.settle()
        status, reason, message = await ready_of(refused)
        assert (status, reason) == ("False", "ErrRegisterACMEAccount")
        assert "urn:ietf:params:acme:error:externalAccountRequired" in message


async def test_the_key_rolls_over(pebble: Pebble) -> None:
    """Whatever write the process dies at; the account stays, and issues."""
    for dies_at in range(6):
        world = new_world()
        await world.apply(acme_issuer(pebble), acme_certificate("web", "a.example.com"))
        await settle_certificates(world)
        before = await world.got(KEY)
        old_key = (await world.got(SECRET.key("one", "account")))["data"]
        begun = world.writes

        def fault(at: int, _action: Any) -> Any:
            return Fault.DIES_BEFORE if at == begun + dies_at else None  # noqa: B023

        world.fault = fault
        annotations = {"certwright.dev/rollover-account-key": "now"}
        issuer = deepcopy(before)
        issuer["metadata"]["annotations"] = annotations
        await world.store.update(issuer, manager="user")
        await world.advance(timedelta(minutes=10))

        after = await world.got(KEY)
        new_key = (await world.got(SECRET.key("one", "account")))["data"]
        assert not meta.annotations(after)
        assert set(new_key) == {"tls.key"}
        assert new_key != old_key
        assert after["status"]["acme"]["uri"] == before["status"]["acme"]["uri"]
        assert await ready_of(world) == REGISTERED
        await world.change(CERTIFICATE.key("one", "web"), dnsNames=["b.example.com"])
        await settle_certificates(world)


async def test_a_ca_that_lost_the_account_gets_it_again(tmp_path: Path) -> None:
    """Pebble forgets everything when it starts anew; the next order registers anew."""
    with Pebble(tmp_path, environment={"PEBBLE_VA_ALWAYS_VALID": "1"}) as pebble:
        world = new_world()
        await world.apply(acme_issuer(pebble), acme_certificate("web", "a.example.com"))
        await settle_certificates(world)
        pebble.stop_ca()
        pebble.start_ca()
        await world.change(CERTIFICATE.key("one", "web"), dnsNames=["b.example.com"])
        await settle_certificates(world)

        assert await ready_of(world) == REGISTERED
        assert len(world.all(ORDER)) == 2


@pytest.mark.parametrize("change", ["deactivated", "other key"])
async def test_an_account_that_was_changed_elsewhere(pebble: Pebble, change: str) -> None:
    """The next order finds out: with another key it is registered anew, else the issuer says why.

    Nothing is ordered in vain, and the order goes on once the issuer has an account.
    """
    world = new_world()
    await world.apply(acme_issuer(pebble), acme_certificate("web", "a.example.com"))
    await settle_certificates(world)
    [issuer] = world.all(ISSUER)
    ref = issuer["spec"]["acme"]["privateKeySecretRef"]
    key_secret = await world.got(SECRET.key("one", ref["name"]))
    pem = Secret(key_secret).get(ref.get("key") or "tls.key")
    uri = issuer["status"]["acme"]["uri"]
    account = AccountKey(Server(pebble.url, pebble.ca_pem), pem, uri)
    async with Transport() as transport:
        client = AcmeClient(transport)
        if change == "deactivated":
            await client._post(account, uri, {"status": "deactivated"})  # noqa: SLF001
        else:
            other = encode_private_key(private_key("RSA", 2048), "PKCS1")
            assert await client.answer(ChangeKey(account, other)) == Done()
    before = pebble.orders()
    await world.change(CERTIFICATE.key("one", "web"), dnsNames=["b.example.com"])
    if change == "deactivated":
        await world.advance(timedelta(hours=3))
        status, reason, message = await ready_of(world)
        assert (status, reason) == ("False", "ErrRegisterACMEAccount")
        assert "deactivated" in message
        assert any("deactivated" in order["status"].get("reason", "") for order in world.all(ORDER))
        assert pebble.orders() == before
        await world.store.delete(SECRET.key("one", ref["name"]))
        await world.advance(timedelta(minutes=10))
    await settle_certificates(world)
    assert await ready_of(world) == REGISTERED
    assert pebble.orders() == before + 1
    assert len(world.all(ORDER)) == 2


async def test_another_ca_is_another_account(pebble: Pebble, tmp_path: Path) -> None:
    """The account's URL is the new CA's; the next certificate too."""
    with Pebble(tmp_path, environment={"PEBBLE_VA_ALWAYS_VALID": "1"}) as other:
        world = new_world()
        await world.apply(acme_issuer(pebble), acme_certificate("web", "a.example.com"))
        await settle_certificates(world)
        await world.apply(acme_issuer(other))
        await world.change(CERTIFICATE.key("one", "web"), dnsNames=["b.example.com"])
        await settle_certificates(world)

        assert (await world.got(KEY))["status"]["acme"]["uri"].startswith(other.url[:-4])
        assert {order["status"]["url"].split("/")[2] for order in world.all(ORDER)} == {
            f"127.0.0.1:{pebble.port}",
            f"127.0.0.1:{other.port}",
        }


@pytest.mark.parametrize("change", ["solver", "key"])
async def test_a_challenge_of_somebody_elses_making_is_refused(pebble: Pebble, change: str) -> None:
    """Its solver is the issuer's, and its key the account's, or nothing is done."""
    world = new_world()
    await world.apply(acme_issuer(pebble), acme_certificate("web", "a.example.com"))
    seen: list[Manifest] = []

    async def watch(here: World) -> None:
        seen.extend(here.all(CHALLENGE))

    world.before_write = watch
    await settle_certificates(world)
    world.before_write = None
    forged = deepcopy(seen[0])
    forged["metadata"] = {"name": "forged", "namespace": "one"}
    forged["status"] = {"processing": True}
    if change == "solver":
        forged["spec"]["solver"] = {"dns01": {"acmeDNS": {"host": "https://evil.example"}}}
    else:
        forged["spec"]["key"] = "a-key-of-another-account"
    await world.apply(forged)
    await world.advance(timedelta(minutes=1))

    status = (await world.got(CHALLENGE.key("one", "forged")))["status"]
    assert status["reason"].startswith("refusing to solve this challenge")
    assert not status.get("presented")
    assert world.said("PresentError") == [status["reason"]]


async def test_a_kubernetes_request_is_signed_by_acme(pebble: Pebble) -> None:
    """Its Order is in the issuer's namespace and goes with it."""
    gates = FeatureGates.parse("ExperimentalCertificateSigningRequestControllers=true")
    world = new_world(gates=gates)
    wanted = Certificate(acme_certificate("x", "k.example.com"))
    csr = generate_csr(wanted, generate_private_key("ECDSA", 256), FeatureGates())
    request: Manifest = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "kube"},
        "spec": {
            "signerName": "issuers.cert-manager.io/one.acme",
            "request": base64.b64encode(csr).decode(),
            "usages": ["digital signature", "server auth"],
        },
        "status": {"conditions": [{"type": "Approved", "status": "True", "reason": "ok"}]},
    }
    await world.apply(acme_issuer(pebble), request)
    for _ in range(40):
        await world.advance(timedelta(seconds=5))
        signed = await world.got(CERTIFICATE_SIGNING_REQUEST.key("", "kube"))
        if signed["status"].get("certificate"):
            break

    assert b"BEGIN CERTIFICATE" in base64.b64decode(signed["status"]["certificate"])
    (order,) = world.all(ORDER)
    owner = meta.controller_of(order)
    assert owner is not None
    assert (owner.kind, owner.name) == ("CertificateSigningRequest", "kube")
    assert world.said("CertificateIssued") == ["Certificate fetched from issuer successfully"]
