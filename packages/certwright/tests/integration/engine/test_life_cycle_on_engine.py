"""The real loops on the real engine: caches that lag, queues, threads, the executor."""

from __future__ import annotations

import asyncio
import secrets

from certwright import clock
from certwright.engine.runtime import Runtime, running
from certwright.pki.key_pair import check_key_pair
from certwright.pki.keys import generate_private_key
from certwright.reconcile.contract import Sources
from certwright.reconcile.controllers import all_controllers
from certwright.reconcile.options import Options
from certwright.resources import meta
from certwright.resources.certificate import Certificate
from certwright.resources.conditions import get_condition
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CERTIFICATE, CERTIFICATE_REQUEST, SECRET
from certwright.resources.secret import Secret
from certwright.telemetry.metrics import Metrics
from certwright_testing.api_server import MemoryStore
from certwright_testing.objects import certificate, issuer

COUNT = 30


async def test_many_certificates_are_issued_once_each() -> None:
    """Five workers for each loop, and every Certificate has one request, one Secret, one life."""
    store = MemoryStore()
    start = store.table.revision
    gates = FeatureGates(frozenset({"ExperimentalCertificateSigningRequestControllers"}))
    runtime = Runtime(
        store,
        all_controllers(Options(gates=gates)),
        lambda: Sources(clock.now(), generate_private_key, lambda: secrets.randbits(127) + 1),
        Metrics(clock.now),
    )
    await store.create(issuer(), manager="user")
    for number in range(COUNT):
        spec = {
            "secretName": f"tls-{number}",
            "dnsNames": [f"{number}.example"],
            "issuerRef": {"name": "ca"},
            "privateKey": {"algorithm": "ECDSA"},
        }
        await store.create(certificate(f"web-{number}", spec=spec), manager="user")

    async with running(runtime):
        await runtime.settle(45.0)
        for number in range(COUNT):
            obj = await store.get(CERTIFICATE.key("one", f"web-{number}"))
            assert obj is not None
            await store.update(
                {**obj, "spec": {**obj["spec"], "dnsNames": ["new.example"]}}, manager="user"
            )
        await asyncio.sleep(0.1)
        await runtime.settle(45.0)

    table = store.table
    requests = [event for event in table.history.since(start) if event.kind == CERTIFICATE_REQUEST]
    assert len({meta.uid(event.after) for event in requests if event.after}) == 2 * COUNT
    for number in range(COUNT):
        obj = table.get(CERTIFICATE.key("one", f"web-{number}"))
        assert obj is not None
        assert Certificate(obj).revision == 2
        assert get_condition(obj, "Issuing") is None
        ready = get_condition(obj, "Ready")
        assert ready is not None
        assert ready.is_true
        found = table.get(SECRET.key("one", f"tls-{number}"))
        assert found is not None
        assert check_key_pair(Secret(found).certificate_pem, Secret(found).private_key_pem) == ""
