"""The client against Pebble: nonces refused, accounts, orders, real validation."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from certwright import clock
from certwright.acme.jws import dns_value
from certwright.acme.messages import Authorization, OrderAnswer, Problem, Unreachable
from certwright.acme.questions import (
    AcceptChallenge,
    AccountAnswer,
    AccountKey,
    ChangeKey,
    Done,
    Download,
    Downloaded,
    Finalize,
    FindAccount,
    GetAuthorization,
    GetOrder,
    NewOrder,
    Register,
    Revoke,
    Server,
    UpdateContact,
)
from certwright.adapters.acme.client import AcmeClient
from certwright.adapters.acme.transport import Transport
from certwright.pki.certificates import decode_certificates
from certwright.pki.csr import decode_csr, generate_csr
from certwright.pki.keys import decode_private_key, encode_private_key, generate_private_key
from certwright.resources.certificate import Certificate
from certwright.resources.features import FeatureGates
from certwright_testing.objects import certificate
from certwright_testing.pebble import EAB_KEY, Pebble, missing_pebble

pytestmark = pytest.mark.skipif(bool(missing_pebble()), reason=missing_pebble())
KEY = encode_private_key(generate_private_key("RSA", 2048), "PKCS1")
OTHER_KEY = encode_private_key(generate_private_key("RSA", 2048), "PKCS1")
LONG_AGO = clock.now() - timedelta(days=1)


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Yield a CA that refuses every third nonce."""
    folder = tmp_path_factory.mktemp("pebble")
    environment = {"PEBBLE_WFE_NONCEREJECT": "33", "PEBBLE_ALTERNATE_ROOTS": "2"}
    with Pebble(folder, environment=environment) as started:
        yield started


def account_of(pebble: Pebble, key: bytes = KEY) -> AccountKey:
    """Return an account that is not registered yet."""
    return AccountKey(Server(pebble.url, pebble.ca_pem), key)


async def registered(client: AcmeClient, pebble: Pebble, key: bytes = KEY) -> AccountKey:
    """Return an account."""
    answer = await client.answer(Register(account_of(pebble, key), "me@example.com"))
    assert isinstance(answer, AccountAnswer), answer
    return replace(account_of(pebble, key), url=answer.url)


def an_order(account: AccountKey, *names: str, reference: str = "r") -> NewOrder:
    """Return an order of a process that has just been started."""
    return NewOrder(
        account=account,
        dns_names=tuple(sorted(names)),
        ip_addresses=(),
        not_after=None,
        profile="",
        replaces="",
        reference=reference,
        since=clock.now() + timedelta(days=1),
    )


async def prove(
    client: AcmeClient, pebble: Pebble, account: AccountKey, order: OrderAnswer
) -> None:
    """Prove all names by DNS."""
    key = decode_private_key(account.key_pem)
    assert isinstance(key, rsa.RSAPrivateKey)
    for url in order.authorizations:
        found = await client.answer(GetAuthorization(account, url))
        assert isinstance(found, Authorization)
        if found.status == "valid":
            continue
        challenge = next(entry for entry in found.challenges if entry.type == "dns-01")
        host = f"_acme-challenge.{found.identifier}."
        pebble.manage_dns("set-txt", {"host": host, "value": dns_value(challenge.token, key)})
        await client.answer(AcceptChallenge(account, challenge.url))
        while found.status == "pending":
            await asyncio.sleep(0.05)
            found = await client.answer(GetAuthorization(account, url))
        assert found.status == "valid", found.error_text
        pebble.manage_dns("clear-txt", {"host": host})


async def test_an_account_is_found_again(pebble: Pebble) -> None:
    """Registering twice gives the same one; its address can change."""
    async with Transport() as transport:
        client = AcmeClient(transport)
        first = await registered(client, pebble)
        again = await registered(client, pebble)
        found = await client.answer(FindAccount(account_of(pebble)))
        changed = await client.answer(UpdateContact(first, "You@Example.com"))

    assert first.url == again.url == found.url
    assert changed.email == "you@example.com"


async def test_an_account_nobody_has_is_not_found(pebble: Pebble) -> None:
    """It is not made by looking for it."""
    async with Transport() as transport:
        client = AcmeClient(transport)
        answer = await client.answer(FindAccount(account_of(pebble, OTHER_KEY)))

    assert isinstance(answer, Problem)
    assert answer.says("accountDoesNotExist")


async def test_a_certificate_is_ordered_proven_and_fetched(pebble: Pebble) -> None:
    """Through a third of all nonces refused; a lost order is found; revoking twice is no error."""
    async with Transport() as transport:
        client = AcmeClient(transport)
        account = await registered(client, pebble)
        order = await client.answer(an_order(account, "a.example.com", "*.a.example.com"))
        assert isinstance(order, OrderAnswer), order

        # Another process that never saw the answer finds the order, unless another has it.
        lost = replace(an_order(account, "a.example.com", "*.a.example.com"), since=LONG_AGO)
        made = pebble.orders()
        other = AcmeClient(transport)
        found = await other.answer(lost)
        assert found.url == order.url
        assert pebble.orders() == made
        another = await AcmeClient(transport).answer(replace(lost, taken=frozenset({order.url})))
        assert another.url != order.url

        await prove(client, pebble, account, order)
        wanted = Certificate(
            certificate(spec={"dnsNames": ["a.example.com", "*.a.example.com"], "secretName": "x"})
        )
        key = generate_private_key("RSA", 2048)
        csr = decode_csr(generate_csr(wanted, key, FeatureGates()))
        done = await client.answer(Finalize(account, order.finalize, order.url, csr.der))
        while done.status == "processing":
            await asyncio.sleep(0.05)
            done = await client.answer(GetOrder(account, order.url))
        chains = await client.answer(Download(account, done.certificate, with_alternates=True))
        assert isinstance(chains, Downloaded)
        leaf = decode_certificates(chains.chain_pem)[0]
        assert set(leaf.names.dns) == {"a.example.com", "*.a.example.com"}
        assert len(chains.alternates) == 2
        again = await client.answer(Finalize(account, order.finalize, order.url, csr.der))
        assert isinstance(again, Problem)
        assert again.status == 403
        for _ in range(2):
            assert await client.answer(Revoke(account, leaf.der, 4)) == Done()


async def test_an_account_gets_another_key(pebble: Pebble) -> None:
    """The old key knows nobody then, the new one the same account."""
    old = encode_private_key(generate_private_key("RSA", 2048), "PKCS1")
    new = encode_private_key(generate_private_key("RSA", 2048), "PKCS1")
    async with Transport() as transport:
        client = AcmeClient(transport)
        account = await registered(client, pebble, old)
        assert await client.answer(ChangeKey(account, new)) == Done()
        found = await client.answer(FindAccount(account_of(pebble, new)))
        lost = await client.answer(FindAccount(account_of(pebble, old)))

    assert found.url == account.url
    assert isinstance(lost, Problem)


async def test_a_binding_is_made_with_the_key_the_ca_gave(tmp_path: Path) -> None:
    """A CA that wants one refuses whoever has none, or another key."""
    mac = base64.urlsafe_b64decode(EAB_KEY)
    async with Transport() as transport:
        with Pebble(tmp_path, needs_binding=True) as pebble:
            client = AcmeClient(transport)
            without = await client.answer(Register(account_of(pebble), ""))
            wrong = await client.answer(Register(account_of(pebble), "", "kid-1", mac[::-1]))
            right = await client.answer(Register(account_of(pebble), "", "kid-1", mac))

    assert isinstance(without, Problem)
    assert without.says("externalAccountRequired")
    assert isinstance(wrong, Problem)
    assert isinstance(right, AccountAnswer)


async def test_a_server_that_is_not_trusted_is_named(pebble: Pebble) -> None:
    """The text says who and why, and quotes nothing of what a stranger sent."""
    account = replace(account_of(pebble), server=Server(pebble.url))
    async with Transport() as transport:
        answer = await AcmeClient(transport).answer(Register(account, ""))

    assert isinstance(answer, Unreachable)
    assert f"127.0.0.1:{pebble.port}" in answer.reason
    assert "certificate is not trusted" in answer.reason
