"""All loops against Pebble: HTTP-01 behind nginx, DNS-01 by BIND and by a webhook solver."""

from __future__ import annotations

import itertools
import shutil
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.tsigkeyring
import dns.update
import pytest
from aiohttp import web

from certwright.adapters.kube import Connection, KubeStore
from certwright.engine.store import Selection
from certwright.pki.certificates import decode_certificates
from certwright.reconcile.options import AcmeOptions
from certwright.resources import meta
from certwright.resources.kinds import (
    CERTIFICATE_REQUEST,
    CHALLENGE,
    EVENT,
    HTTP_ROUTE,
    INGRESS,
    ISSUER,
    ORDER,
    POD,
    SECRET,
    SERVICE,
    Manifest,
)
from certwright.resources.secret import Secret, encode_data
from certwright_testing.acme_cluster import (
    AcmeCluster,
    acme_certificate,
    acme_issuer,
    cluster,
)
from certwright_testing.bind import TSIG_KEY, Bind, missing_bind
from certwright_testing.pebble import Pebble, missing_pebble, write_certificate

pytestmark = [
    pytest.mark.skipif(bool(missing_pebble()), reason=missing_pebble()),
    pytest.mark.skipif(bool(missing_bind()), reason=missing_bind()),
    pytest.mark.skipif(not shutil.which("nginx"), reason="no nginx"),
]
FAST = AcmeOptions(
    http01_passes=1, dns01_wait_seconds=0.0, solver_command=("certwright", "acmesolver")
)
INGRESS_SOLVER = {"http01": {"ingress": {"class": "nginx"}}}


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    """Yield the name server that the CA asks."""
    folder = tmp_path_factory.mktemp("bind")
    with Bind(folder, {"example.com": "", "example.net": ""}) as started:
        yield started


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory, bind: Bind) -> Iterator[Pebble]:
    """Yield a CA that asks BIND."""
    environment = {"PEBBLE_AUTHZREUSE": "0"}
    folder = tmp_path_factory.mktemp("pebble")
    with Pebble(folder, environment=environment, dns_server=bind.address) as started:
        yield started


def dns_options(bind: Bind) -> AcmeOptions:
    """Return options that ask BIND."""
    return AcmeOptions(
        dns01_wait_seconds=0.0, dns01_nameservers=(bind.address,), dns01_recursive_only=True
    )


def rfc2136(bind: Bind, **more: Any) -> Manifest:
    """Return a solver."""
    config = {
        "nameserver": bind.address,
        "tsigKeyName": "hmac-sha256",
        "tsigAlgorithm": "HMACSHA256",
        "tsigSecretSecretRef": {"name": "tsig", "key": "key"},
    }
    return {"dns01": {"rfc2136": config, **more}}


def tsig() -> Manifest:
    """Return the Secret with the key."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tsig", "namespace": "one"},
        "data": encode_data({"key": TSIG_KEY.encode()}),
    }


async def leaf_names(served: AcmeCluster, name: str) -> set[str]:
    """Return the names in the certificate that is served."""
    secret = Secret(await served.got(SECRET.key("one", name)))
    return set(decode_certificates(secret.certificate_pem)[0].names.dns)


def left_over(served: AcmeCluster) -> list[str]:
    """Return what a Challenge may leave behind."""
    kinds = (CHALLENGE, POD, SERVICE, INGRESS, HTTP_ROUTE)
    return [f"{kind.name} {meta.name(obj)}" for kind in kinds for obj in served.all(kind)]


async def said(served: AcmeCluster, kind: str) -> list[tuple[str, str, str]]:
    """Return type, reason and message of the events about a kind of object."""
    events = (await served.store.list(Selection(EVENT))).objects
    return sorted(
        (event["type"], event["reason"], event["message"])
        for event in events
        if event["involvedObject"]["kind"] == kind
    )


@pytest.fixture(scope="module")
def http_pebble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """Yield a CA for whom every name is this machine."""
    environment = {"PEBBLE_AUTHZREUSE": "0"}
    with Pebble(tmp_path_factory.mktemp("pebble"), environment=environment) as started:
        yield started


async def test_http01_by_ingress(http_pebble: Pebble, tmp_path: Path) -> None:
    """Pods, Services and Ingresses come and go; objects and events are cert-manager's."""
    async with cluster(http_pebble, acme=FAST, nginx=tmp_path / "nginx") as served:
        await served.apply(
            acme_issuer(http_pebble, INGRESS_SOLVER, email="Me@Example.com"),
            acme_certificate("web", "a.example.com", "b.example.com"),
        )
        await served.until_ready("web")
        await served.until(lambda: not left_over(served), "nothing is left")
        await served.runtime.settle(10)

        assert await leaf_names(served, "web") == {"a.example.com", "b.example.com"}
        issuer = await served.got(ISSUER.key("one", "acme"))
        assert issuer["status"]["acme"]["lastRegisteredEmail"] == "Me@Example.com"
        (order,) = served.all(ORDER)
        assert order["status"]["state"] == "valid"
        assert {entry["identifier"] for entry in order["status"]["authorizations"]} == {
            "a.example.com",
            "b.example.com",
        }
        about_orders = await said(served, "Order")
        assert ("Normal", "Complete", "Order completed successfully") in about_orders
        assert sum(reason == "Created" for _, reason, _ in about_orders) == 2
        about_challenges = await said(served, "Challenge")
        for name in ("a.example.com", "b.example.com"):
            message = f'Domain "{name}" verified with "HTTP-01" validation'
            assert ("Normal", "DomainVerified", message) in about_challenges
        assert (
            "Normal",
            "Presented",
            "Presented challenge using HTTP-01 challenge mechanism",
        ) in about_challenges
        assert (
            "Normal",
            "Started",
            "Challenge scheduled for processing",
        ) in about_challenges
        (request,) = served.all(CERTIFICATE_REQUEST)
        about_requests = await said(served, "CertificateRequest")
        created = f"Created Order resource one/{meta.name(order)}"
        assert ("Normal", "OrderCreated", created) in about_requests
        assert meta.name(order).startswith(f"{meta.name(request)}-")


async def test_http01_in_an_ingress_of_the_users(http_pebble: Pebble, tmp_path: Path) -> None:
    """The path is added in front, and taken away; the rest stays as it was."""
    own = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "mine", "namespace": "one"},
        "spec": {
            "rules": [
                {
                    "host": "c.example.com",
                    "http": {
                        "paths": [
                            {
                                "path": "/",
                                "pathType": "Prefix",
                                "backend": {"service": {"name": "app", "port": {"number": 80}}},
                            }
                        ]
                    },
                }
            ]
        },
    }
    async with cluster(http_pebble, acme=FAST, nginx=tmp_path / "nginx") as served:
        certificate = acme_certificate("edit", "c.example.com")
        certificate["metadata"]["annotations"] = {
            "acme.cert-manager.io/http01-override-ingress-name": "mine"
        }
        await served.apply(own, acme_issuer(http_pebble, INGRESS_SOLVER), certificate)
        await served.until_ready("edit")
        await served.until(lambda: not served.all(CHALLENGE), "nothing is left")

        (ingress,) = served.all(INGRESS)
        assert ingress["spec"] == own["spec"]
        assert not served.all(POD)


async def test_http01_by_gateway(http_pebble: Pebble, tmp_path: Path) -> None:
    """An HTTPRoute for the parents that the solver names."""
    solver = {
        "http01": {"gatewayHTTPRoute": {"parentRefs": [{"name": "gw"}], "labels": {"x": "y"}}}
    }
    async with cluster(http_pebble, acme=FAST, nginx=tmp_path / "nginx") as served:
        await served.apply(
            acme_issuer(http_pebble, solver), acme_certificate("gw", "g.example.com")
        )
        await served.until_ready("gw")
        await served.until(lambda: not left_over(served), "nothing is left")


async def test_a_wildcard_and_its_apex_by_dynamic_update(pebble: Pebble, bind: Bind) -> None:
    """Two TXT records of one name, one after the other; none is left."""
    async with cluster(pebble, acme=dns_options(bind)) as served:
        await served.apply(
            tsig(),
            acme_issuer(pebble, rfc2136(bind)),
            acme_certificate("star", "example.com", "*.example.com"),
        )
        await served.until_ready("star")
        await served.until(lambda: not served.all(CHALLENGE), "nothing is left")

        assert await leaf_names(served, "star") == {"example.com", "*.example.com"}
        assert bind.texts("_acme-challenge.example.com.") == []


@asynccontextmanager
async def webhook_solver(
    folder: Path, seen: list[Manifest], records: dict[str, str], bind: Bind
) -> AsyncIterator[KubeStore]:
    """Serve a solver behind a real HTTPS server, as the API server would: it keeps one value."""
    write_certificate(folder)

    async def answer(request: web.Request) -> web.Response:
        payload = await request.json()
        seen.append(payload)
        asked = payload["request"]
        name = asked["resolvedFQDN"]
        if asked["config"]["fail"]:
            status = {"status": "Failure", "message": "the zone is locked", "code": 500}
            response = {"uid": asked["uid"], "success": False, "status": status}
            return web.json_response({**payload, "response": response}, status=201)
        if asked["action"] == "Present":
            if name in records:
                await _change(bind, name, records[name], add=False)
            records[name] = asked["key"]
            await _change(bind, name, asked["key"], add=True)
        elif records.get(name) == asked["key"]:
            await _change(bind, name, records.pop(name), add=False)
        response = {"uid": asked["uid"], "success": True}
        return web.json_response({**payload, "response": response}, status=201)

    application = web.Application()
    application.router.add_post("/apis/acme.example.org/v1alpha1/overwriter", answer)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "pebble.pem", folder / "pebble.key")
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    port = runner.addresses[0][1]
    connection = Connection(server=f"https://127.0.0.1:{port}", ca_file=folder / "pebble.pem")
    try:
        async with KubeStore(connection) as store:
            yield store
    finally:
        await runner.cleanup()


async def _change(bind: Bind, name: str, value: str, *, add: bool) -> None:
    update = dns.update.UpdateMessage("example.net.")
    update.use_tsig(dns.tsigkeyring.from_text({"hmac-sha256": TSIG_KEY}), algorithm="hmac-sha256")
    if add:
        update.add(name, 1, "TXT", value)
    else:
        update.delete(name, "TXT", value)
    await dns.asyncquery.udp(update, "127.0.0.1", port=bind.port, timeout=5)


async def test_a_webhook_solver_that_keeps_one_value(
    pebble: Pebble, bind: Bind, tmp_path: Path
) -> None:
    """Wildcard and apex are never there at once; the contract is that of webhook solvers."""
    seen: list[Manifest] = []
    records: dict[str, str] = {}
    config = {
        "groupName": "acme.example.org",
        "solverName": "overwriter",
        "config": {"fail": False},
    }
    async with (
        webhook_solver(tmp_path / "tls", seen, records, bind) as store,
        cluster(pebble, acme=dns_options(bind), webhook=store.call) as served,
    ):
        await served.apply(
            acme_issuer(pebble, {"dns01": {"webhook": config}}),
            acme_certificate("hook", "example.net", "*.example.net"),
        )
        await served.until_ready("hook")
        await served.until(lambda: not served.all(CHALLENGE), "nothing is left")

    assert records == {}
    # A call whose answer came late is made again; what counts is that the two never meet.
    actions = [entry["request"]["action"] for entry in seen]
    turns = [action for action, _ in itertools.groupby(actions)]
    assert turns == ["Present", "CleanUp"] * 2
    first = seen[0]
    assert (first["kind"], first["apiVersion"]) == (
        "ChallengePayload",
        "acme.example.org/v1alpha1",
    )
    asked = dict(first["request"])
    assert asked.pop("uid")
    assert asked.pop("key")
    assert asked == {
        "action": "Present",
        "type": "dns-01",
        "dnsName": "example.net",
        "resourceNamespace": "one",
        "resolvedFQDN": "_acme-challenge.example.net.",
        "resolvedZone": "example.net.",
        "allowAmbientCredentials": False,
        "config": {"fail": False},
    }


async def test_what_a_webhook_solver_says_is_in_the_status(
    pebble: Pebble, bind: Bind, tmp_path: Path
) -> None:
    """Its message, word for word."""
    config = {"groupName": "acme.example.org", "solverName": "overwriter", "config": {"fail": True}}
    async with (
        webhook_solver(tmp_path / "tls", [], {}, bind) as store,
        cluster(pebble, acme=dns_options(bind), webhook=store.call) as served,
    ):
        await served.apply(
            acme_issuer(pebble, {"dns01": {"webhook": config}}),
            acme_certificate("hook", "example.net"),
        )
        await served.until(
            lambda: [
                obj
                for obj in served.all(CHALLENGE)
                if obj.get("status", {}).get("reason") == "the zone is locked"
            ],
            "the reason",
        )
        await served.runtime.settle(10)
        message = "Error presenting challenge: the zone is locked"
        assert ("Warning", "PresentError", message) in await said(served, "Challenge")


async def test_a_hundred_names_in_one_order(pebble: Pebble, bind: Bind) -> None:
    """One order, a hundred proofs, no more than sixty at a time."""
    names = [f"n{number}.example.com" for number in range(100)]
    made = pebble.orders()
    most = 0

    def at_once() -> bool:
        nonlocal most
        processing = [
            obj for obj in served.all(CHALLENGE) if obj.get("status", {}).get("processing")
        ]
        most = max(most, len(processing))
        return (
            bool(served.all(ORDER))
            and served.all(ORDER)[0].get("status", {}).get("state") == "valid"
        )

    async with cluster(pebble, acme=dns_options(bind)) as served:
        await served.apply(
            tsig(), acme_issuer(pebble, rfc2136(bind)), acme_certificate("many", *names)
        )
        await served.until(at_once, "the order is valid")
        await served.until_ready("many")
        assert await leaf_names(served, "many") == set(names)
    assert most <= 60
    assert pebble.orders() == made + 1
