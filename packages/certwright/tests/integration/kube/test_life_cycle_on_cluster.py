"""The loops on a real API server: what they rely on holds there, and a whole life is lived.

An apply with a resourceVersion is a precondition, a write without a change is one too and makes no
new version, and what server-side apply records is what the policies read.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from certwright import clock
from certwright.adapters.kube import KubeStore
from certwright.engine.runtime import Runtime, running
from certwright.engine.store import Selection
from certwright.errors import ConflictError
from certwright.pki.key_pair import check_key_pair
from certwright.pki.keys import generate_private_key
from certwright.reconcile.contract import Sources
from certwright.reconcile.controllers import all_controllers
from certwright.reconcile.options import Options
from certwright.resources import meta
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import get_condition
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import (
    CERTIFICATE,
    CERTIFICATE_REQUEST,
    EVENT,
    ISSUER,
    SECRET,
    Manifest,
)
from certwright.resources.secret import Secret
from certwright.telemetry.metrics import Metrics
from certwright_testing.cluster import Cluster
from certwright_testing.objects import certificate, issuer, secret

pytestmark = pytest.mark.cluster

SPACE = "life"
TLS = SECRET.key(SPACE, "tls")
WEB = CERTIFICATE.key(SPACE, "web")
KEY: Manifest = {"algorithm": "ECDSA"}
SECONDS_MAX = 40.0


@asynccontextmanager
async def _opened(cluster: Cluster) -> AsyncIterator[KubeStore]:
    await cluster.namespace(SPACE)
    async with KubeStore(cluster.connection()) as store:
        yield store
        for kind in (CERTIFICATE, ISSUER, CERTIFICATE_REQUEST, SECRET):
            for obj in (await store.list(Selection(kind, namespace=SPACE))).objects:
                await store.delete(meta.key_of(obj))


@pytest.fixture
def store(cluster: Cluster) -> AbstractAsyncContextManager[KubeStore]:
    """Open the API server; what was made is gone afterwards."""
    return _opened(cluster)


def new_runtime(store: KubeStore, options: Options) -> Runtime:
    """Return all loops on the API server."""
    return Runtime(
        store,
        all_controllers(options),
        lambda: Sources(clock.now(), generate_private_key, lambda: secrets.randbits(127) + 1),
        Metrics(clock.now),
    )


async def test_an_unchanged_status_is_a_precondition(store: KubeStore) -> None:
    """It makes no new version, and fails once the object has one."""
    made = await store.create(certificate(namespace=SPACE), manager="test")

    again = await store.update_status(made, manager="test")
    assert meta.resource_version(again) == meta.resource_version(made)
    await store.update({**made, "spec": {**made["spec"], "isCA": True}}, manager="test")
    with pytest.raises(ConflictError):
        await store.update_status(made, manager="test")


async def test_an_apply_may_have_a_precondition(store: KubeStore) -> None:
    """An old resourceVersion is a conflict, and nothing is written."""
    seen = await store.create(secret("tls", SPACE), manager="test")
    wanted = secret("tls", SPACE, data={"b": b"2"}, resourceVersion=meta.resource_version(seen))
    await store.apply(wanted, manager="test")

    with pytest.raises(ConflictError):
        await store.apply(wanted | {"data": {"c": "Mw=="}}, manager="test")
    there = await store.get(TLS)
    assert there is not None
    assert set(Secret(there).data) == {"a", "b"}


@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(
            enable_certificate_owner_ref=True,
            gates=FeatureGates(
                frozenset(
                    {
                        "AdditionalCertificateOutputFormats",
                        "ServerSideApply",
                        "StableCertificateRequestName",
                    }
                )
            ),
        ),
    ],
    ids=["plain", "all gates"],
)
async def test_a_whole_life(store: KubeStore, options: Options) -> None:
    """A CA and a leaf; a change of names; then nothing more is written, however often it starts."""
    root = {
        "secretName": "root",
        "isCA": True,
        "commonName": "root",
        "issuerRef": {"name": "ca"},
        "privateKey": KEY,
    }
    leaf = {
        "secretName": "tls",
        "dnsNames": ["a.example"],
        "issuerRef": {"name": "leaves"},
        "privateKey": KEY,
        "secretTemplate": {"labels": {"team": "web"}, "annotations": {"a": "b"}},
        "keystores": {"jks": {"create": True, "passwordSecretRef": {"name": "pw", "key": "p"}}},
    }
    if options.gates.enabled:
        leaf["additionalOutputFormats"] = [{"type": "DER"}, {"type": "CombinedPEM"}]
    for obj in (
        secret("pw", SPACE, data={"p": b"changeit"}),
        issuer("ca", SPACE),
        {**issuer("leaves", SPACE), "spec": {"ca": {"secretName": "root"}}},
        certificate("root", SPACE, spec=root),
        certificate("web", SPACE, spec=leaf),
    ):
        await store.create(obj, manager="user")

    async with running(new_runtime(store, options)):
        await _revision(store, 1)
        obj = await store.get(WEB)
        assert obj is not None
        change = {**obj["spec"], "dnsNames": ["b.example"]}
        await store.update({**obj, "spec": change}, manager="user")
        await _revision(store, 2)
        await asyncio.sleep(1.0)

    found = await store.get(TLS)
    assert found is not None
    assert check_key_pair(Secret(found).certificate_pem, Secret(found).private_key_pem) == ""
    assert found["metadata"]["labels"]["team"] == "web"
    assert "keystore.jks" in found["data"]
    assert [entry["manager"] for entry in found["metadata"]["managedFields"]] == [
        "cert-manager-certificates-issuing"
    ]
    requests = await store.list(Selection(CERTIFICATE_REQUEST, namespace=SPACE))
    assert len(requests.objects) == 3
    before = await _versions(store)

    async with running(new_runtime(store, options)) as runtime:
        await runtime.settle(SECONDS_MAX, quiet_seconds=1.5)
    assert await _versions(store) == before

    events = await store.list(Selection(EVENT, namespace=SPACE))
    said = {entry["message"] for entry in events.objects}
    assert "The certificate has been successfully issued" in said
    assert "Fields on existing CertificateRequest resource not up to date: [spec.dnsNames]" in said


async def _revision(store: KubeStore, revision: int) -> None:
    """Wait until the leaf has this revision, is ready, and has no next key any more."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            obj = await store.get(WEB)
            assert obj is not None
            ready = get_condition(obj, "Ready")
            issuing = get_condition(obj, "Issuing")
            if (
                Certificate(obj).revision == revision
                and ready is not None
                and ready.is_true
                and ready.observed_generation == meta.generation(obj)
                and (issuing is None or not issuing.is_true)
                and not Certificate(obj).next_private_key_secret_name
            ):
                return
            await asyncio.sleep(0.1)


async def _versions(store: KubeStore) -> dict[str, str]:
    """Return the version of everything the loops write but events."""
    found: dict[str, str] = {}
    for kind in (CERTIFICATE, ISSUER, CERTIFICATE_REQUEST, SECRET):
        for obj in (await store.list(Selection(kind, namespace=SPACE))).objects:
            found[str(meta.key_of(obj))] = meta.resource_version(obj)
    return found
