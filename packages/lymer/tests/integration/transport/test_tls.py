"""TLS on real sockets: who gets in, by which version, and what a client's certificate changes."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import warnings
from pathlib import Path

import grpc
import httpx
import pytest

from fakes.certificates import Authority, Issued
from integration.transport.secured import BODY, EXPORT, HTTP_PORTS, POST_SPANS, Secured, secured
from make import make_request, make_span

GRPC_PORTS = {"OTLP gRPC": (EXPORT, BODY), "Jaeger gRPC": (POST_SPANS, b"")}
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Who issues all certificates, but those of the stranger."""
    return Authority()


@pytest.fixture(scope="module")
def stranger() -> Authority:
    """Another authority, which nobody trusts."""
    return Authority("stranger")


@pytest.fixture
def tls(tmp_path: Path, authority: Authority) -> dict[str, str]:
    """Settings of one certificate for all listeners."""
    cert_file, key_file = authority.issue().write(tmp_path, "server")
    return {"tls__cert_file": str(cert_file), "tls__key_file": str(key_file)}


@pytest.fixture
def mutual(tmp_path: Path, authority: Authority, tls: dict[str, str]) -> dict[str, str]:
    """The same, with clients who must show a certificate."""
    return {**tls, "tls__client_ca_file": str(authority.write(tmp_path))}


def client_context(authority: Authority, client: Issued | None, folder: Path) -> ssl.SSLContext:
    """Return what a client of this authority uses."""
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    if client is not None:
        context.load_cert_chain(*client.write(folder, "client"))
    return context


async def call(door: Secured, what: str, ca: bytes, client: Issued | None = None) -> str:
    """Return the name of the code one call gets."""
    method, body = GRPC_PORTS[what]
    key, certificate = (client.key, client.certificate) if client else (None, None)
    async with door.channel(what, ca, key, certificate) as channel:
        try:
            await channel.unary_unary(method)(body, timeout=5)
        except grpc.aio.AioRpcError as error:
            return error.code().name
    return "OK"


async def test_one_certificate_turns_every_listener_to_tls(
    tmp_path: Path, authority: Authority, tls: dict[str, str]
) -> None:
    """All HTTP and gRPC ports answer over TLS, and none in plain text."""
    context = client_context(authority, None, tmp_path)
    async with secured(tmp_path, **tls) as door:
        for what in HTTP_PORTS:
            answer = await door.get(what, context)
            assert answer.status_code in {200, 400, 404}, what
            async with httpx.AsyncClient(trust_env=False) as plain:
                with pytest.raises(httpx.TransportError):
                    await plain.get(f"http://localhost:{door.ports[what]}/")
        for what, (method, body) in GRPC_PORTS.items():
            assert await call(door, what, authority.certificate) == "OK"
            async with grpc.aio.insecure_channel(f"localhost:{door.ports[what]}") as channel:
                with pytest.raises(grpc.aio.AioRpcError):
                    await channel.unary_unary(method)(body, timeout=5)

        assert door.log.requests == [(BODY, 1)]
        failed = "lymer_tls_handshake_failures_total"
        assert door.count(failed, listener="OTLP HTTP", reason="not_tls") == 1
        assert door.count("lymer_tls_certificate_end_seconds", setting="tls") > 1.7e9


async def test_a_listener_can_stay_in_plain_text(tmp_path: Path, tls: dict[str, str]) -> None:
    """Health probes go on while everything else is encrypted."""
    async with secured(tmp_path, **tls, health__tls__enabled="false") as door:
        async with httpx.AsyncClient(trust_env=False) as plain:
            answer = await plain.get(f"http://localhost:{door.ports['health']}/status")

        assert answer.status_code == 200


async def test_a_listener_can_have_a_certificate_of_its_own(
    tmp_path: Path, stranger: Authority
) -> None:
    """Without a shared one, one listener speaks TLS and the rest plain text."""
    cert_file, key_file = stranger.issue().write(tmp_path, "own")
    own = {
        "receivers__otlp_grpc__tls__cert_file": str(cert_file),
        "receivers__otlp_grpc__tls__key_file": str(key_file),
    }
    async with secured(tmp_path, **own) as door:
        assert await call(door, "OTLP gRPC", stranger.certificate) == "OK"
        async with httpx.AsyncClient(trust_env=False) as plain:
            answer = await plain.get(f"http://localhost:{door.ports['admin']}/")
        assert answer.status_code == 200


async def test_a_client_without_a_certificate_is_refused(
    tmp_path: Path, authority: Authority, stranger: Authority, mutual: dict[str, str]
) -> None:
    """So is one whose certificate another authority issued; one of ours gets in."""
    ours, theirs = authority.issue("client"), stranger.issue("client")
    async with secured(tmp_path, **mutual) as door:
        for what in HTTP_PORTS:
            for client in (None, theirs):
                context = client_context(authority, client, tmp_path)
                with pytest.raises(httpx.TransportError):
                    await door.get(what, context)
            answer = await door.get(what, client_context(authority, ours, tmp_path))
            assert answer.status_code in {200, 400, 404}, what
        for what in GRPC_PORTS:
            assert await call(door, what, authority.certificate) == "UNAVAILABLE"
            assert await call(door, what, authority.certificate, theirs) == "UNAVAILABLE"
            assert await call(door, what, authority.certificate, ours) == "OK"

        failed = "lymer_tls_handshake_failures_total"
        assert door.count(failed, listener="Zipkin", reason="no_client_certificate") == 1
        assert door.count(failed, listener="Zipkin", reason="bad_client_certificate") == 1


async def test_a_listener_can_let_in_clients_without_a_certificate(
    tmp_path: Path, authority: Authority, mutual: dict[str, str]
) -> None:
    """As the UI does for browsers; its neighbours still demand one."""
    async with secured(tmp_path, **mutual, admin__tls__verify_clients="false") as door:
        context = client_context(authority, None, tmp_path)
        answer = await door.get("admin", context)

        assert answer.status_code == 200
        with pytest.raises(httpx.TransportError):
            await door.get("OTLP HTTP", context)


@pytest.mark.parametrize("what", [*HTTP_PORTS, *GRPC_PORTS])
@pytest.mark.parametrize(
    ("settings", "spoken"),
    [
        pytest.param({}, {"1.2", "1.3"}, id="default"),
        pytest.param({"tls__min_version": "1.3"}, {"1.3"}, id="1.3 at least"),
        pytest.param({"tls__max_version": "1.2"}, {"1.2"}, id="1.2 at most"),
    ],
)
async def test_only_the_versions_asked_for_are_spoken(
    tmp_path: Path,
    authority: Authority,
    tls: dict[str, str],
    settings: dict[str, str],
    spoken: set[str],
    what: str,
) -> None:
    """1.1 never, and of 1.2 and 1.3 what the settings leave."""
    found = set()
    async with secured(tmp_path, **tls, **settings) as door:
        for name, version in (
            ("1.1", ssl.TLSVersion.TLSv1_1),
            ("1.2", ssl.TLSVersion.TLSv1_2),
            ("1.3", ssl.TLSVersion.TLSv1_3),
        ):
            if await speaks(door, what, authority, version):
                found.add(name)

    assert found == spoken


async def speaks(
    door: Secured, what: str, authority: Authority, version: ssl.TLSVersion, ciphers: str = ""
) -> bool:
    """Say whether a handshake of this version succeeds, and HTTP/2 is agreed for gRPC."""
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 1.1 is what is to be refused
        context.minimum_version = version
        context.maximum_version = version
    # OpenSSL's client refuses 1.1 by itself unless told that weak is welcome.
    context.set_ciphers(ciphers or "ALL:@SECLEVEL=0")
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        _, writer = await asyncio.open_connection("localhost", door.ports[what], ssl=context)
    except (ssl.SSLError, ConnectionError):
        return False
    agreed = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    assert agreed == ("h2" if what in GRPC_PORTS else "http/1.1")
    return True


@pytest.mark.parametrize("what", ["OTLP HTTP", "OTLP gRPC"])
async def test_only_the_suites_asked_for_are_spoken(
    tmp_path: Path, authority: Authority, tls: dict[str, str], what: str
) -> None:
    """By the names Jaeger's users know, and gRPC too."""
    suites = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
    async with secured(tmp_path, **tls, tls__cipher_suites=suites) as door:
        old, new = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
        assert await speaks(door, what, authority, old, "ECDHE-ECDSA-AES128-GCM-SHA256")
        assert not await speaks(door, what, authority, old, "ECDHE-ECDSA-AES256-GCM-SHA384")
        assert await speaks(door, what, authority, new)


async def test_grpc_with_1_3_only_serves_large_requests_and_many_at_once(
    tmp_path: Path, authority: Authority, tls: dict[str, str]
) -> None:
    """The front passes on more than its buffers hold, in both directions, without loss."""
    spans = [make_span(1, n, name="x" * 3_000) for n in range(1, 1_001)]
    body = make_request(*spans).SerializeToString()
    assert 2**21 < len(body) < 2**22
    async with (
        secured(tmp_path, **tls, tls__min_version="1.3") as door,
        door.channel("OTLP gRPC", authority.certificate) as channel,
    ):
        export = channel.unary_unary(EXPORT)
        await asyncio.gather(*(export(body, timeout=30) for _ in range(8)))

        assert [count for _, count in door.log.requests] == [1_000] * 8
