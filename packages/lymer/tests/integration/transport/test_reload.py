"""Files of TLS are replaced while requests come in."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

import grpc
import httpx
import pytest

from fakes.certificates import Authority, replace
from integration.receivers.doors import eventually
from integration.transport.secured import BODY, EXPORT, Secured, secured

PROTOBUF = {"Content-Type": "application/x-protobuf"}
RELOADS = "lymer_reloads_total"
FAILURES = "lymer_reload_failures_total"


class Load:
    """Requests without a pause, each kind on old and on new connections; none may fail."""

    def __init__(self, *requests: Callable[[], Awaitable[object]]) -> None:
        self._requests = requests
        self._ending = False
        self.done = 0

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._repeat(request)) for request in self._requests]
        return self

    async def _repeat(self, request: Callable[[], Awaitable[object]]) -> None:
        while not self._ending:
            await request()
            self.done += 1
            await asyncio.sleep(0.005)

    async def more(self, count: int) -> None:
        """Return when `count` more requests were answered, or one failed."""
        wanted = self.done + count
        await eventually(lambda: self.done >= wanted or any(t.done() for t in self._tasks))
        for task in self._tasks:
            if task.done():
                task.result()

    async def __aexit__(self, *_: object) -> None:
        # Not cancelled: a connection that is being made would be left open.
        self._ending = True
        await asyncio.gather(*self._tasks)


async def served_certificate(port: int, alpn: str) -> bytes:
    """Return the certificate a new connection is shown, DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    _, writer = await asyncio.open_connection("localhost", port, ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return bytes(shown)


def der(pem: bytes) -> bytes:
    """Return the bytes a certificate is shown as."""
    return ssl.PEM_cert_to_DER_cert(pem.decode())


@pytest.mark.parametrize("version", ["1.2", "1.3"])
async def test_a_new_certificate_comes_into_force_without_one_failed_request(
    tmp_path: Path, version: str
) -> None:
    """Old connections live on, new ones are shown the new one; 1.3 is gRPC behind the front."""
    authority = Authority()
    old, new = authority.issue(), authority.issue()
    cert_file, key_file = old.write(tmp_path, "server")
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    settings = {"cert_file": cert_file, "key_file": key_file, "min_version": version}
    async with (
        secured(tmp_path, **{f"tls__{name}": str(value) for name, value in settings.items()}) as on,
        httpx.AsyncClient(verify=context, trust_env=False, timeout=20) as kept,
        on.channel("OTLP gRPC", authority.certificate) as channel,
    ):
        url = f"https://localhost:{on.ports['OTLP HTTP']}/v1/traces"

        async def post(client: httpx.AsyncClient) -> None:
            assert (await client.post(url, content=BODY, headers=PROTOBUF)).status_code == 200

        async def post_on_a_new_connection() -> None:
            async with httpx.AsyncClient(verify=context, trust_env=False, timeout=20) as client:
                await post(client)

        async def export() -> None:
            await channel.unary_unary(EXPORT)(BODY, timeout=10)

        async def export_on_a_new_connection() -> None:
            async with on.channel("OTLP gRPC", authority.certificate) as fresh:
                await fresh.unary_unary(EXPORT)(BODY, timeout=10)

        await post(kept)
        (connection,) = kept._transport._pool.connections  # noqa: SLF001 - is it the same later?
        async with Load(
            lambda: post(kept), post_on_a_new_connection, export, export_on_a_new_connection
        ) as load:
            await load.more(20)
            assert await served_certificate(on.ports["OTLP gRPC"], "h2") == der(old.certificate)
            new.write(tmp_path, "server")
            await eventually(lambda: on.count(RELOADS, setting="tls") == 1)
            await load.more(40)
            for what, alpn in (("OTLP gRPC", "h2"), ("OTLP HTTP", "http/1.1")):
                assert await served_certificate(on.ports[what], alpn) == der(new.certificate)
            assert kept._transport._pool.connections == [connection]  # noqa: SLF001 - see above

        assert on.count(FAILURES, setting="tls") == 0
        assert 60 < load.done < len(on.log.requests)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
async def test_a_new_client_authority_shuts_out_who_came_with_the_old(
    tmp_path: Path, version: str
) -> None:
    """The CA of clients is replaced, not added to; no session of TLS brings the old ones back."""
    authority, successor = Authority(), Authority("successor")
    cert_file, key_file = authority.issue().write(tmp_path, "server")
    ca_file = authority.write(tmp_path, "clients")
    old, new = authority.issue("old client"), successor.issue("new client")
    async with secured(
        tmp_path,
        tls__cert_file=str(cert_file),
        tls__key_file=str(key_file),
        tls__client_ca_file=str(ca_file),
        tls__min_version=version,
    ) as on:

        async def gets_in(what: str, who: str) -> bool:
            client = {"old": old, "new": new}[who]
            if what == "OTLP gRPC":
                trusted = authority.certificate
                async with on.channel(what, trusted, client.key, client.certificate) as channel:
                    try:
                        await channel.unary_unary(EXPORT)(BODY, timeout=5)
                    except grpc.aio.AioRpcError:
                        return False
                return True
            context = ssl.create_default_context(cadata=authority.certificate.decode())
            context.load_cert_chain(*client.write(tmp_path, "client"))
            try:
                await on.get(what, context)
            except httpx.TransportError:
                return False
            return True

        for what in ("OTLP gRPC", "OTLP HTTP"):
            assert (await gets_in(what, "old"), await gets_in(what, "new")) == (True, False)
        replace(ca_file, successor.certificate)
        await eventually(lambda: on.count(RELOADS, setting="tls") == 1)
        for what in ("OTLP gRPC", "OTLP HTTP"):
            assert (await gets_in(what, "old"), await gets_in(what, "new")) == (False, True)


async def test_a_session_of_tls_does_not_outlive_the_authority_of_its_client(
    tmp_path: Path,
) -> None:
    """A client that resumes what it agreed before the change is asked for a certificate again."""
    authority, successor = Authority(), Authority("successor")
    cert_file, key_file = authority.issue().write(tmp_path, "server")
    ca_file = authority.write(tmp_path, "clients")
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    context.load_cert_chain(*authority.issue("client").write(tmp_path, "client"))
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    async with secured(
        tmp_path,
        tls__cert_file=str(cert_file),
        tls__key_file=str(key_file),
        tls__client_ca_file=str(ca_file),
    ) as on:
        session = await asyncio.to_thread(_connect, on.ports["OTLP HTTP"], context, None)
        assert session is not None
        await asyncio.to_thread(_connect, on.ports["OTLP HTTP"], context, session)
        replace(ca_file, successor.certificate)
        await eventually(lambda: on.count(RELOADS, setting="tls") == 1)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.to_thread(_connect, on.ports["OTLP HTTP"], context, session)


def _connect(
    port: int, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> ssl.SSLSession | None:
    with (
        socket.create_connection(("localhost", port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as encrypted,
    ):
        encrypted.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert encrypted.recv(4096).startswith(b"HTTP/1.1 404")
        return encrypted.session


async def _still_serves(on: Secured, authority: Authority) -> None:
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    assert (await on.get("admin", context)).status_code == 200
    async with on.channel("OTLP gRPC", authority.certificate) as channel:
        await channel.unary_unary(EXPORT)(BODY, timeout=5)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(lambda certificate, key: (certificate, key[:100]), id="torn key"),
        pytest.param(lambda _, key: (b"", key), id="empty certificate"),
        pytest.param(lambda certificate, _: (certificate, None), id="key is gone"),
        pytest.param(lambda _, key: (Authority().issue().certificate, key), id="another's key"),
        pytest.param(lambda _, key: (b"no PEM at all", key), id="no certificate"),
    ],
)
async def test_bad_files_leave_the_old_ones_in_force(
    tmp_path: Path,
    bad: Callable[[bytes, bytes], tuple[bytes, bytes | None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged and counted, and good files after it come into force."""
    authority = Authority()
    good, better = authority.issue(), authority.issue()
    cert_file, key_file = good.write(tmp_path, "server")
    async with secured(tmp_path, tls__cert_file=str(cert_file), tls__key_file=str(key_file)) as on:
        certificate, key = bad(good.certificate, good.key)
        if key is None:
            key_file.unlink()
        else:
            replace(key_file, key)
        replace(cert_file, certificate)
        await eventually(lambda: on.count(FAILURES, setting="tls") == 1)
        await _still_serves(on, authority)
        assert "the old ones stay in force" in caplog.text
        assert "PRIVATE KEY" not in caplog.text

        better.write(tmp_path, "server")
        await eventually(lambda: on.count(RELOADS, setting="tls") == 1)
        shown = await served_certificate(on.ports["OTLP HTTP"], "http/1.1")
        assert shown == der(better.certificate)


async def test_a_pair_that_is_replaced_one_after_the_other_is_no_failure(tmp_path: Path) -> None:
    """Between certificate and key there may be a moment in which they do not fit."""
    authority = Authority()
    old, new = authority.issue(), authority.issue()
    cert_file, key_file = old.write(tmp_path, "server")
    async with secured(tmp_path, tls__cert_file=str(cert_file), tls__key_file=str(key_file)) as on:
        replace(cert_file, new.certificate)
        await asyncio.sleep(0.5)
        replace(key_file, new.key)
        await eventually(lambda: on.count(RELOADS, setting="tls") == 1)

        assert on.count(FAILURES, setting="tls") == 0
        shown = await served_certificate(on.ports["OTLP HTTP"], "http/1.1")
        assert shown == der(new.certificate)


async def test_a_mounted_secret_of_kubernetes_is_followed(tmp_path: Path) -> None:
    """Its files are links through a link to a folder, and only that one link is replaced."""
    authority = Authority()
    old, new = authority.issue(), authority.issue()
    for name, issued in (("..1", old), ("..2", new)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tls.crt").write_bytes(issued.certificate)
        (tmp_path / name / "tls.key").write_bytes(issued.key)
    (tmp_path / "..data").symlink_to("..1")
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(Path("..data") / name)
    async with secured(
        tmp_path / "data",
        tls__cert_file=str(tmp_path / "tls.crt"),
        tls__key_file=str(tmp_path / "tls.key"),
    ) as on:
        (tmp_path / "..data_tmp").symlink_to("..2")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")
        await eventually(lambda: on.count(RELOADS, setting="tls") == 1)
        shown = await served_certificate(on.ports["OTLP HTTP"], "http/1.1")
        assert shown == der(new.certificate)
