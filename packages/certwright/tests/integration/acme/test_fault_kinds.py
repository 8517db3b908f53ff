"""Each kind of fault at each step, three times in a row: it heals, says why, orders once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from certwright import clock
from certwright.acme.messages import Authorization, OrderAnswer, Problem, Unreachable
from certwright.acme.questions import (
    AcceptChallenge,
    AccountAnswer,
    AccountKey,
    Done,
    Download,
    Downloaded,
    Finalize,
    GetAuthorization,
    GetOrder,
    NewOrder,
    Register,
    Revoke,
    Server,
)
from certwright.adapters.acme.client import LOST_ORDERS_MAX, AcmeClient
from certwright.adapters.acme.transport import Transport
from certwright.errors import InvalidError
from certwright.pki.certificates import DecodedCertificate, decode_certificates
from certwright.pki.csr import decode_csr, generate_csr
from certwright.pki.keys import encode_private_key, generate_private_key
from certwright.resources.certificate import Certificate
from certwright.resources.features import FeatureGates
from certwright_testing.acme_proxy import KINDS, AcmeProxy, Trick, acme_proxy
from certwright_testing.objects import certificate
from certwright_testing.pebble import Pebble, free_port, missing_pebble

pytestmark = [
    pytest.mark.skipif(bool(missing_pebble()), reason=missing_pebble()),
    pytest.mark.timeout(300),
]
STEPS = (
    "/dir",
    "/nonce-plz",
    "/sign-me-up",
    "/order-plz",
    "/authZ/",
    "/chalZ/",
    "/finalize-order/",
    "/my-order/",
    "/certZ/",
    "/revoke-cert",
)
TIMES = 3
TRIES_MAX = 12
PORT = free_port()
_NAMES = count()
_KEY = generate_private_key("ECDSA", 256)


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Yield a CA that believes everything and takes every nonce once."""
    environment = {
        "PEBBLE_VA_ALWAYS_VALID": "1",
        "PEBBLE_AUTHZREUSE": "0",
        "PEBBLE_WFE_NONCEREJECT": "0",
    }
    with Pebble(tmp_path_factory.mktemp("pebble"), environment=environment) as started:
        yield started


@dataclass(slots=True)
class Patient:
    """Asks until there is an answer; time passes as it is told to wait."""

    client: AcmeClient
    now: datetime
    said: list[str]

    async def ask(self, question: Any) -> Any:
        """Return the first answer that is one."""
        for _ in range(TRIES_MAX):
            answer = await self.client.answer(question)
            if not isinstance(answer, Problem | Unreachable):
                return answer
            again = await self.client.answer(question)
            assert replace(again, retry_after_seconds=None) == replace(
                answer, retry_after_seconds=None
            ), "it is asked again before its time"
            self.said.append(str(answer))
            if isinstance(answer, Problem) and answer.is_final:
                return answer
            self.now += timedelta(seconds=max(answer.retry_after_seconds or 0.0, 5.0))
        raise AssertionError(self.said[-3:])

    async def until(self, question: Any, states: set[str]) -> Any:
        """Look until the CA is done."""
        for _ in range(50):
            answer = await self.ask(question)
            if answer.status in states:
                return answer
        raise AssertionError(answer)


async def download(patient: Patient, account: AccountKey, url: str) -> DecodedCertificate:
    """Fetch until it is a certificate, as the loop of Orders does."""
    for _ in range(TRIES_MAX):
        chain = await patient.ask(Download(account, url))
        assert isinstance(chain, Downloaded)
        try:
            return decode_certificates(chain.chain_pem)[0]
        except InvalidError as error:
            patient.said.append(str(error))
    raise AssertionError(patient.said)


async def issue(patient: Patient, account: AccountKey) -> None:
    """Do everything that is done with a CA."""
    registered = await patient.ask(Register(account, ""))
    assert isinstance(registered, AccountAnswer)
    account = replace(account, url=registered.url)
    name = f"n{next(_NAMES)}.example.com"
    question = NewOrder(
        account=account,
        dns_names=(name,),
        ip_addresses=(),
        not_after=None,
        profile="",
        replaces="",
        reference=name,
        since=patient.now + timedelta(hours=1),  # long after the process began
        taken=frozenset(),
    )
    order = await patient.ask(question)
    assert isinstance(order, OrderAnswer)
    proof = await patient.ask(GetAuthorization(account, order.authorizations[0]))
    assert isinstance(proof, Authorization)
    url = next(found.url for found in proof.challenges if found.type == "http-01")
    accepted = await patient.ask(AcceptChallenge(account, url))
    if isinstance(accepted, Problem):  # it had been, and the answer was lost
        assert "status valid" in accepted.detail
    await patient.until(GetAuthorization(account, proof.url), {"valid"})
    ref, ecdsa = {"name": "x"}, {"algorithm": "ECDSA"}
    spec = {"secretName": "x", "dnsNames": [name], "issuerRef": ref, "privateKey": ecdsa}
    csr = decode_csr(generate_csr(Certificate(certificate(spec=spec)), _KEY, FeatureGates())).der
    await patient.ask(Finalize(account, order.finalize, order.url, csr))
    done = await patient.until(GetOrder(account, order.url), {"valid"})
    leaf = await download(patient, account, done.certificate)
    assert leaf.names.dns == (name,)
    assert isinstance(await patient.ask(Revoke(account, leaf.der, 0)), Done)


@pytest.mark.parametrize("trick", KINDS)
async def test_it_heals_at_every_step(
    pebble: Pebble, trick: Trick, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the directory to the revocation, and no stranger's word is repeated."""
    monkeypatch.setitem(Transport.send.__kwdefaults__, "seconds_max", 5.0)
    if trick == "slow body":
        monkeypatch.setitem(Transport.send.__kwdefaults__, "seconds_max", 0.3)
    async with acme_proxy(pebble, PORT) as proxy:
        await _at_every_step(pebble, proxy, trick)


async def _at_every_step(pebble: Pebble, proxy: AcmeProxy, trick: Trick) -> None:
    account = AccountKey(
        Server(proxy.url, pebble.ca_pem),
        encode_private_key(generate_private_key("RSA", 2048), "PKCS1"),
    )
    usual = 0
    for step in ("", *STEPS):
        proxy.requests.clear()
        proxy.trick, proxy.where, proxy.times = trick, step, TIMES
        before = pebble.orders()
        async with Transport() as transport:
            patient = Patient(AcmeClient(transport), clock.now(), [])
            patient.client = AcmeClient(transport, lambda: patient.now)  # noqa: B023
            await issue(patient, account)
        usual = usual or len(proxy.requests)
        assert pebble.orders() == before + 1, step
        most = 2 * usual + 2 * LOST_ORDERS_MAX + 2 * TIMES
        assert len(proxy.requests) <= most, (step, proxy.requests)
        assert "internal-secret" not in "".join(patient.said)
        is_felt = trick not in {"wrong type", "bad nonce", "no location", "cut"}
        quiet = {"", "/nonce-plz"}  # a nonce has no body
        if step not in quiet and is_felt and proxy.times < TIMES:
            assert patient.said, step
