"""The webhook's own CA and its leaves."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest

from certwright.adapters.webhook.serving import ServingContext, TlsTerms
from certwright.adapters.webhook.sources import DynamicSource
from certwright.errors import InvalidError, StartupError
from certwright.pki.certificates import decode_certificates
from certwright.pki.key_pair import check_key_pair
from certwright.pki.keys import generate_private_key
from certwright.reconcile.webhook_authority import (
    authority_problem,
    new_authority,
    new_leaf,
)
from certwright.resources.kinds import SECRET, Manifest
from certwright.resources.secret import Secret, encode_data
from certwright_testing.api_server import MemoryStore
from certwright_testing.pki import make_key

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEY = SECRET.key("cert-manager", "webhook-ca")
CA_KEY = make_key("authority", "ECDSA", 384)
AUTHORITY = new_authority(KEY, None, CA_KEY, NOW, 7)


def without(name: str) -> Manifest:
    """Return the Secret without one entry."""
    changed = deepcopy(AUTHORITY)
    del changed["data"][name]
    return changed


def with_data(**entries: bytes) -> Manifest:
    """Return the Secret with other entries; `_` stands for a dot."""
    changed = deepcopy(AUTHORITY)
    changed["data"] |= encode_data({name.replace("_", "."): data for name, data in entries.items()})
    return changed


def test_a_new_authority_is_as_the_original_s() -> None:
    """A year, P-384, the same certificate twice, and cainjector may take it."""
    secret = Secret(AUTHORITY)
    (ca,) = decode_certificates(secret.certificate_pem)

    assert secret.certificate_pem == secret.ca_pem
    assert secret.private_key_pem.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert ca.subject.common_name == "cert-manager-webhook-ca"
    assert ca.is_ca
    assert (ca.not_before, ca.not_after) == (NOW, NOW + timedelta(days=365))
    assert AUTHORITY["type"] == "Opaque"
    assert AUTHORITY["metadata"]["annotations"] == {
        "cert-manager.io/allow-direct-injection": "true"
    }
    assert authority_problem(AUTHORITY, NOW) == ""


LEAF = new_leaf(AUTHORITY, ("a",), make_key("serving", "ECDSA", 384), NOW, 8)


@pytest.mark.parametrize(
    ("secret", "days", "expected"),
    [
        pytest.param(None, 0, "there is no Secret", id="none"),
        pytest.param(
            without("tls.key"), 0, "the Secret lacks tls.crt, tls.key or ca.crt", id="no key"
        ),
        pytest.param(with_data(ca_crt=b"x"), 0, "tls.crt and ca.crt differ", id="two CAs"),
        pytest.param(
            with_data(tls_crt=b"x", ca_crt=b"x"),
            0,
            "tls: failed to find any PEM data in certificate input",
            id="no PEM",
        ),
        pytest.param(
            with_data(tls_key=LEAF.private_key_pem),
            0,
            "tls: private key does not match public key",
            id="another key",
        ),
        pytest.param(
            with_data(
                tls_crt=LEAF.certificate_pem,
                ca_crt=LEAF.certificate_pem,
                tls_key=LEAF.private_key_pem,
            ),
            0,
            "the certificate is no CA",
            id="no CA",
        ),
        pytest.param(AUTHORITY, 243, "", id="a day before 2/3"),
        pytest.param(AUTHORITY, 244, "the CA is at 2/3 of its life", id="behind 2/3"),
    ],
)
def test_a_ca_that_is_not_good_is_made_anew(
    secret: Manifest | None, days: int, expected: str
) -> None:
    """The reason goes to the log."""
    assert expected == authority_problem(secret, NOW + timedelta(days=days))


def test_a_secret_keeps_what_is_not_the_authority_s() -> None:
    """Labels, annotations and other entries of whoever made it."""
    present = deepcopy(AUTHORITY)
    present["metadata"]["labels"] = {"mine": "yes"}
    present["data"]["other"] = "eA=="
    changed = new_authority(KEY, present, CA_KEY, NOW, 9)

    assert changed["metadata"] == present["metadata"]
    assert changed["data"]["other"] == "eA=="
    assert changed["data"]["tls.crt"] != present["data"]["tls.crt"]


def test_a_leaf_serves_its_names_for_a_week() -> None:
    """And is renewed at 2/3 of it."""
    (leaf,) = decode_certificates(LEAF.certificate_pem)
    (ca,) = decode_certificates(Secret(AUTHORITY).certificate_pem)

    assert leaf.names.dns == ("a",)
    assert not leaf.is_ca
    assert leaf.is_signed_by(ca)
    assert LEAF.not_after == NOW + timedelta(days=7)
    assert LEAF.renew_at == NOW + timedelta(days=7) * 2 / 3
    assert check_key_pair(LEAF.certificate_pem, LEAF.private_key_pem) == ""


def test_a_leaf_ends_with_its_ca() -> None:
    """And an ended CA signs nothing."""
    late = new_leaf(AUTHORITY, ("a",), make_key("serving"), NOW + timedelta(days=364), 8)

    assert late.not_after == NOW + timedelta(days=365)
    with pytest.raises(InvalidError, match="the CA certificate has expired"):
        new_leaf(AUTHORITY, ("a",), make_key("serving"), NOW + timedelta(days=366), 8)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> datetime:
        """Return the time."""
        return self.moment


def source(store: MemoryStore, clock: Clock, context: ServingContext) -> DynamicSource:
    """Return a source on a store."""
    return DynamicSource(
        context,
        store,
        KEY,
        ("a.b.svc",),
        private_key=generate_private_key,
        serial=iter(range(1, 99)).__next__,
        now=clock,
    )


async def test_a_year_of_the_source() -> None:
    """The leaf is renewed each 4.7 days, the CA at 2/3; between, nothing is written."""
    clock = Clock()
    store = MemoryStore(now=clock)
    context = ServingContext(TlsTerms("", ()))
    running = source(store, clock, context)
    versions = set()
    leaves = set()
    for _ in range(365):
        await running.check()
        present = await store.get(KEY)
        assert present is not None
        versions.add(present["metadata"]["resourceVersion"])
        assert running._leaf is not None  # noqa: SLF001 - what is in memory only
        leaves.add(running._leaf.certificate_pem)  # noqa: SLF001
        assert context.is_healthy(clock.moment)
        clock.moment += timedelta(days=1)

    assert len(versions) == 2
    assert 365 // 5 <= len(leaves) <= 365 // 4


async def test_a_broken_secret_is_repaired_and_the_leaf_follows() -> None:
    """Whoever breaks it."""
    clock = Clock()
    store = MemoryStore(now=clock)
    running = source(store, clock, ServingContext(TlsTerms("", ())))
    await running.check()
    present = await store.get(KEY)
    assert present is not None
    await store.update(present | {"data": {"tls.crt": "eA=="}}, manager="somebody")

    await running.check()

    repaired = await store.get(KEY)
    assert authority_problem(repaired, NOW) == ""
    assert repaired is not None
    assert running._leaf is not None  # noqa: SLF001 - what is in memory only
    assert running._leaf.ca_pem == Secret(repaired).ca_pem  # noqa: SLF001


async def test_replicas_that_start_at_once_agree_on_one_ca() -> None:
    """One creates it, the others take it."""
    clock = Clock()
    store = MemoryStore(now=clock)
    replicas = [source(store, clock, ServingContext(TlsTerms("", ()))) for _ in range(4)]

    await asyncio.gather(*(replica.check() for replica in replicas))

    authorities = {replica._leaf.ca_pem for replica in replicas if replica._leaf}  # noqa: SLF001
    present = await store.get(KEY)
    assert present is not None
    assert authorities == {Secret(present).ca_pem}


@pytest.mark.parametrize(
    ("version", "suites", "expected"),
    [
        pytest.param(
            "TLS12",
            (),
            'unknown tls version "TLS12"; there are VersionTLS10, VersionTLS11, VersionTLS12,'
            " VersionTLS13",
            id="version",
        ),
        pytest.param(
            "", ("RC4",), "Cipher suite RC4 not supported or doesn't exist", id="cipher suite"
        ),
    ],
)
def test_tls_that_is_not_known_stops_the_start(
    version: str, suites: tuple[str, ...], expected: str
) -> None:
    """With the names there are."""
    with pytest.raises(StartupError) as caught:
        TlsTerms(version, suites)

    assert expected == str(caught.value)


def test_what_is_no_pair_is_not_served() -> None:
    """What was served before stays."""
    context = ServingContext(TlsTerms("VersionTLS13", ()))
    assert not context.is_healthy(NOW)
    context.load(LEAF.certificate_pem, LEAF.private_key_pem)
    with pytest.raises(InvalidError, match="private key does not match"):
        context.load(Secret(AUTHORITY).certificate_pem, LEAF.private_key_pem)

    assert context.is_healthy(NOW)
    assert not context.is_healthy(NOW + timedelta(days=7))
