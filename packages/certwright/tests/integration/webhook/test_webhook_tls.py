"""The webhook's listeners with real sockets: health, bodies, certificates that change."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography import x509

from certwright import clock
from certwright.adapters.webhook.server import health_application, review_application
from certwright.adapters.webhook.serving import ServingContext, TlsTerms
from certwright.adapters.webhook.sources import DynamicSource, FileSource
from certwright.admission.fields import FieldError
from certwright.admission.identity import UserInfo
from certwright.errors import StartupError
from certwright.pki.keys import generate_private_key
from certwright.reconcile.webhook_authority import new_authority, new_leaf
from certwright.resources.certificate_request import CertificateRequest
from certwright.resources.features import FeatureGates
from certwright.resources.kinds import CERTIFICATE, SECRET
from certwright.resources.secret import Secret
from certwright_testing.api_server import MemoryStore
from certwright_testing.pki import make_key

KEY = SECRET.key("cert-manager", "webhook-ca")
BAD = {
    "apiVersion": CERTIFICATE.api_version,
    "kind": CERTIFICATE.name,
    "metadata": {"name": "web", "namespace": "one"},
    "spec": {"dnsNames": ["a"], "issuerRef": {"name": "ca"}},
}


class Nobody:
    """Lets nobody approve; is not asked here."""

    async def refusal(self, request: CertificateRequest, user: UserInfo, /) -> FieldError | None:
        """Fail: no test here approves."""
        raise AssertionError(f"asked about {request.name} and {user.username}")


def review(obj: Any) -> dict[str, Any]:
    """Return an AdmissionReview of a creation."""
    resource = {"group": "cert-manager.io", "version": "v1", "resource": "certificates"}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "1",
            "operation": "CREATE",
            "resource": resource,
            "requestResource": resource,
            "userInfo": {},
            "object": obj,
        },
    }


@asynccontextmanager
async def listening(
    application: web.Application, context: ServingContext | None = None
) -> AsyncIterator[int]:
    """Serve on a free port of the loopback."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(
        runner, "127.0.0.1", 0, ssl_context=None if context is None else context.context
    )
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def reviews() -> web.Application:
    """Return the webhook's application."""
    return review_application(FeatureGates(), Nobody())


async def peer_certificate(port: int, *, name: str | None = None) -> x509.Certificate:
    """Shake hands and return what is served."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=name or ""
    )
    handshake = writer.get_extra_info("ssl_object")
    der = handshake.getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return x509.load_der_x509_certificate(der)


def pair(serial: int, algorithm: str = "ECDSA") -> tuple[bytes, bytes]:
    """Return a certificate and its key; the serial number tells them apart."""
    now = datetime.now(UTC)  # noqa: TID251 - a handshake looks at the real clock
    authority = new_authority(KEY, None, make_key("authority", "ECDSA", 384), now, 1)
    leaf = new_leaf(authority, ("localhost",), make_key(f"tls-{algorithm}", algorithm), now, serial)
    return leaf.certificate_pem, leaf.private_key_pem


async def test_the_newest_certificate_is_served_and_connections_stay() -> None:
    """Also where the kind of key changes, with and without a server name."""
    context = ServingContext(TlsTerms("", ()))
    context.load(*pair(11, "RSA"))
    async with listening(reviews(), context) as port:
        trust_all = ssl.create_default_context()
        trust_all.check_hostname = False
        trust_all.verify_mode = ssl.CERT_NONE
        connector = aiohttp.TCPConnector(ssl=trust_all, limit=1)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def ask() -> int | None:
                async with session.post(
                    f"https://127.0.0.1:{port}/validate", json=review(BAD)
                ) as answer:
                    await answer.read()
                    assert answer.status == 200
                    assert answer.connection is None or answer.connection.transport is not None
                    return answer.status

            assert await ask() == 200
            assert (await peer_certificate(port)).serial_number == 11
            context.load(*pair(12))
            assert (await peer_certificate(port)).serial_number == 12
            assert (await peer_certificate(port, name="localhost")).serial_number == 12
            assert await ask() == 200
            # One connection served both: the limit is one, and it was never closed.
            assert len(connector._conns) == 1  # noqa: SLF001 - aiohttp has no other way to see it


async def test_without_a_certificate_handshakes_fail_and_health_says_so() -> None:
    """As long as there is none, or none that holds."""
    context = ServingContext(TlsTerms("VersionTLS13", ()))
    async with (
        listening(reviews(), context) as port,
        listening(health_application(lambda: context.is_healthy(clock.now()))) as health_port,
        aiohttp.ClientSession() as session,
    ):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await peer_certificate(port)

        async def status(path: str) -> int:
            async with session.get(f"http://127.0.0.1:{health_port}{path}") as answer:
                return answer.status

        assert (await status("/livez"), await status("/healthz")) == (200, 500)
        context.load(*pair(13))
        assert (await status("/livez"), await status("/healthz")) == (200, 200)


async def test_old_tls_is_refused() -> None:
    """TLS 1.2 at least, if nothing else is asked for."""
    context = ServingContext(TlsTerms("", ()))
    context.load(*pair(14))
    async with listening(reviews(), context) as port:
        for flag, answers in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
            client = await asyncio.create_subprocess_exec(
                "openssl",
                *("s_client", "-connect", f"127.0.0.1:{port}", flag, "-cipher", "ALL:@SECLEVEL=0"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            assert (await client.wait() == 0) is answers


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(json.dumps(review(BAD)).encode(), 200, id="a review"),
        pytest.param(b"{", 400, id="no JSON"),
        pytest.param(b"[]", 400, id="no object"),
        pytest.param(b"\xff\xfe", 400, id="no text"),
        pytest.param(b'{"kind": "Pod"}', 400, id="a Pod"),
        pytest.param(b" " * (3 * 1024 * 1024 + 1), 413, id="too long"),
        pytest.param(b"[" * 100_000, 400, id="too deep"),
    ],
)
async def test_bodies(body: bytes, status: int) -> None:
    """What is no review is refused; the server goes on."""
    async with listening(reviews()) as port, aiohttp.ClientSession() as session:
        for path in ("/validate", "/mutate"):
            async with session.post(
                f"http://127.0.0.1:{port}{path}", data=io.BytesIO(body)
            ) as answer:
                assert answer.status == status
        async with session.post(f"http://127.0.0.1:{port}/validate", json=review(BAD)) as answer:
            response = (await answer.json())["response"]
            assert response["status"]["message"] == (
                "spec.secretName: Required value: must be specified"
            )


async def test_objects_of_v1_are_converted_into_themselves() -> None:
    """Other versions were never served by 1.12."""

    async def converted(version: str, session: aiohttp.ClientSession, port: int) -> dict[str, Any]:
        body = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "ConversionReview",
            "request": {"uid": "7", "desiredAPIVersion": version, "objects": [BAD]},
        }
        async with session.post(f"http://127.0.0.1:{port}/convert", json=body) as answer:
            response: dict[str, Any] = (await answer.json())["response"]
            return response

    async with listening(reviews()) as port, aiohttp.ClientSession() as session:
        assert await converted("cert-manager.io/v1", session, port) == {
            "uid": "7",
            "convertedObjects": [BAD],
            "result": {"status": "Success"},
        }
        assert (await converted("cert-manager.io/v1alpha2", session, port))["result"] == {
            "status": "Failure",
            "message": "cannot convert from or to cert-manager.io/v1alpha2: only v1 is known",
        }


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    for _ in range(500):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not hold after 5 s")


def write(folder: Path, certificate: bytes, key: bytes) -> None:
    """Write a pair."""
    (folder / "tls.crt").write_bytes(certificate)
    (folder / "tls.key").write_bytes(key)


async def test_files_are_read_again_and_given_up_at_last(tmp_path: Path) -> None:
    """What is served stays while they are wrong; after twelve failures somebody must look."""
    context = ServingContext(TlsTerms("", ()))
    source = FileSource(context, tmp_path / "tls.crt", tmp_path / "tls.key", check_seconds=0.01)
    running = asyncio.create_task(source.run())
    await asyncio.sleep(0.05)
    write(tmp_path, *pair(21))
    await eventually(lambda: context.is_healthy(clock.now()))
    async with listening(reviews(), context) as port:
        assert (await peer_certificate(port)).serial_number == 21
        write(tmp_path, *pair(22))
        for _ in range(100):
            if (await peer_certificate(port)).serial_number == 22:
                break
            await asyncio.sleep(0.01)
        assert (await peer_certificate(port)).serial_number == 22

        (tmp_path / "tls.key").write_bytes(b"broken")
        with pytest.raises(StartupError, match="failed to update certificate from disk 12 times"):
            await running
        assert (await peer_certificate(port)).serial_number == 22


async def test_a_dynamic_certificate_is_trusted_by_whoever_trusts_the_secret() -> None:
    """From nothing to a verified handshake, and again after somebody deletes the CA."""
    store = MemoryStore()
    context = ServingContext(TlsTerms("", ()))
    source = DynamicSource(
        context,
        store,
        KEY,
        ("localhost",),
        private_key=generate_private_key,
        serial=iter(range(100, 200)).__next__,
        check_seconds=0.02,
    )
    running = asyncio.create_task(source.run())
    await eventually(lambda: context.is_healthy(clock.now()))

    async def verified(port: int) -> int:
        authority = await store.get(KEY)
        assert authority is not None
        ca = Secret(authority).ca_pem.decode()
        trusting = ssl.create_default_context(cadata=ca)
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"https://localhost:{port}/validate", json=review(BAD), ssl=trusting
            ) as answer,
        ):
            return answer.status

    async with listening(reviews(), context) as port:
        assert await verified(port) == 200
        before = await store.get(KEY)
        assert before is not None
        await store.delete(KEY)
        for _ in range(200):
            after = await store.get(KEY)
            leaf = source._leaf  # noqa: SLF001 - in memory only
            if after and leaf and Secret(after).ca_pem == leaf.ca_pem:
                break
            await asyncio.sleep(0.01)
        assert await verified(port) == 200
        assert after is not None
        assert Secret(after).ca_pem != Secret(before).ca_pem
    running.cancel()
