"""What istio-csr asks of cert-manager: requests, usages, approval, the chain back.

Source: its packages certmanager, server and istiodcert, August 2026. The program itself ran against
Certwright on 2026-11-29 (docs/istio.md); here stands what it sent and what it checked.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from certwright import clock
from certwright.adapters.kube import KubeStore
from certwright.engine.runtime import Runtime, running
from certwright.pki.keys import generate_private_key
from certwright.reconcile.contract import Sources
from certwright.reconcile.controllers import all_controllers
from certwright.reconcile.options import Options
from certwright.telemetry.metrics import Metrics
from certwright_testing.cluster import Cluster
from certwright_testing.objects import certificate, issuer

pytestmark = pytest.mark.cluster

SPACE = "istio-system"
API = f"/apis/cert-manager.io/v1/namespaces/{SPACE}"
WORKLOAD = "spiffe://cluster.local/ns/apps/sa/shop"
SECONDS_MAX = 40.0


@pytest.fixture
def api(cluster: Cluster) -> Iterator[httpx.Client]:
    """Yield an HTTP client of the API server, as istio-csr's own ServiceAccount would be."""
    asyncio.run(cluster.namespace(SPACE))
    connection = cluster.connection()
    with httpx.Client(
        base_url=connection.server,
        verify=ssl.create_default_context(cadata=connection.ca_pem.decode()),
        headers={"Authorization": f"Bearer {connection.token}"},
        timeout=SECONDS_MAX,
    ) as client:
        yield client
        for kind in ("certificaterequests", "certificates", "issuers"):
            client.delete(f"{API}/{kind}").raise_for_status()


def workload_request(duration: str) -> tuple[ec.EllipticCurvePrivateKey, dict[str, Any]]:
    """Return a key and the request for it: no subject, one critical URI, no name but a prefix."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(WORKLOAD)])
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(names, critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = csr.public_bytes(serialization.Encoding.PEM)
    return key, {
        "apiVersion": "cert-manager.io/v1",
        "kind": "CertificateRequest",
        "metadata": {
            "generateName": "istio-csr-",
            "annotations": {"istio.cert-manager.io/identities": WORKLOAD},
        },
        "spec": {
            "duration": duration,
            "request": base64.b64encode(pem).decode(),
            "usages": ["client auth", "server auth"],
            "issuerRef": {"name": "istio-ca", "kind": "Issuer", "group": "cert-manager.io"},
        },
        "status": {},
    }


async def sent(api: httpx.Client, path: str, obj: dict[str, Any]) -> dict[str, Any]:
    """Create it; return what the API server made of it."""
    answer = await asyncio.to_thread(api.post, path, json=obj)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def until(api: httpx.Client, path: str, ready: Any) -> dict[str, Any]:
    """Return what is at `path` once `ready` says so of it."""
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            answer = await asyncio.to_thread(api.get, path)
            if answer.status_code == 200 and ready(answer.json()):
                return dict(answer.json())
            await asyncio.sleep(0.1)


def is_signed(request: dict[str, Any]) -> bool:
    """Whether it has its certificate."""
    return bool(request.get("status", {}).get("certificate"))


async def test_workloads_and_istiod_get_what_istio_csr_checks(
    cluster: Cluster, api: httpx.Client
) -> None:
    """Approved without anyone, named as asked, for both usages; the chain ends in `status.ca`."""
    ca = {
        "isCA": True,
        "commonName": "istio-ca",
        "secretName": "istio-ca",
        "privateKey": {"algorithm": "ECDSA"},
        "issuerRef": {"name": "self"},
    }
    istiod = {
        "commonName": f"istiod.{SPACE}.svc",
        "dnsNames": [f"istiod.{SPACE}.svc"],
        "uris": [f"spiffe://cluster.local/ns/{SPACE}/sa/istiod-service-account"],
        "secretName": "istiod-tls",
        "duration": "1h0m0s",
        "renewBefore": "30m0s",
        "privateKey": {"rotationPolicy": "Always", "algorithm": "RSA", "size": 2048},
        "revisionHistoryLimit": 1,
        "issuerRef": {"name": "istio-ca", "kind": "Issuer", "group": "cert-manager.io"},
    }
    async with KubeStore(cluster.connection()) as store:
        runtime = Runtime(
            store,
            all_controllers(Options()),
            lambda: Sources(clock.now(), generate_private_key, x509.random_serial_number),
            Metrics(clock.now),
        )
        async with running(runtime):
            await sent(api, f"{API}/issuers", issuer("self", SPACE))
            await sent(api, f"{API}/certificates", certificate("istio-ca", SPACE, spec=ca))
            leaves = {**issuer("istio-ca", SPACE), "spec": {"ca": {"secretName": "istio-ca"}}}
            await sent(api, f"{API}/issuers", leaves)
            await sent(api, f"{API}/certificates", certificate("istiod", SPACE, spec=istiod))

            wanted = [workload_request(duration) for duration in ("1h0m0s", "1h0m0s", "15m0s")]
            made = [await sent(api, f"{API}/certificaterequests", obj) for _, obj in wanted]
            for (key, _), request in zip(wanted, made, strict=True):
                path = f"{API}/certificaterequests/{request['metadata']['name']}"
                check_workload(key, await until(api, path, is_signed))
                # Unless it is told to keep them, it deletes a request once it has the certificate.
                (await asyncio.to_thread(api.delete, path)).raise_for_status()
            secret = await until(
                api,
                f"/api/v1/namespaces/{SPACE}/secrets/istiod-tls",
                lambda found: "tls.crt" in found.get("data", {}),
            )
            serving = x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"]))
            root = x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["ca.crt"]))
            serving.verify_directly_issued_by(root)
            await runtime.settle(SECONDS_MAX, quiet_seconds=1.0)
            # The CA's and istiod's own, and none of a workload, come back.
            left = (await asyncio.to_thread(api.get, f"{API}/certificaterequests")).json()["items"]
            assert not [
                each for each in left if each["metadata"].get("generateName") == "istio-csr-"
            ]


def check_workload(key: ec.EllipticCurvePrivateKey, request: dict[str, Any]) -> None:
    """Hold what istio-csr and Envoy hold of an answer."""
    conditions = {each["type"]: each for each in request["status"]["conditions"]}
    assert conditions["Approved"]["status"] == "True"
    assert conditions["Ready"]["reason"] == "Issued"
    chain = x509.load_pem_x509_certificates(base64.b64decode(request["status"]["certificate"]))
    root = x509.load_pem_x509_certificate(base64.b64decode(request["status"]["ca"]))
    leaf = chain[0]
    assert leaf.public_key() == key.public_key()
    leaf.verify_directly_issued_by(root)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert names.critical  # as there is no subject
    assert names.value.get_values_for_type(x509.UniformResourceIdentifier) == [WORKLOAD]
    usages = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    assert usages == {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH}
    asked = {"1h0m0s": 3600, "15m0s": 900}[request["spec"]["duration"]]
    assert (leaf.not_valid_after_utc - leaf.not_valid_before_utc).total_seconds() == asked
