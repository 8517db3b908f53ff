"""Outgoing links follow their files: certificates of a channel, the token a call carries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
import httpx
import pytest

from fakes.certificates import Authority, replace
from integration.receivers.doors import eventually
from integration.transport.secured import BODY, EXPORT, Secured, secured
from lymer.config.security import ClientAuthSettings, ClientTlsSettings, TlsSettings
from lymer.errors import StartupError
from lymer.roles.securing import Security
from lymer.telemetry.metrics import Metrics
from lymer.transport.grpc_link import GrpcLink


@asynccontextmanager
async def security() -> AsyncIterator[Security]:
    """What a role that dials has; it looks at files every 100 ms."""
    async with AsyncExitStack() as stack:
        yield Security(stack, TlsSettings(reload_interval_seconds=0.1), Metrics("test"))


def server_files(folder: Path, authority: Authority, clients: Authority) -> dict[str, str]:
    """Return settings of a server that demands certificates of `clients`."""
    cert_file, key_file = authority.issue("collector.example").write(folder, "server")
    return {
        "tls__cert_file": str(cert_file),
        "tls__key_file": str(key_file),
        "tls__client_ca_file": str(clients.write(folder, "clients")),
    }


async def test_a_grpc_link_shows_its_new_certificate_and_its_running_calls_end(
    tmp_path: Path,
) -> None:
    """It is dialled anew, under the name the server's certificate is for."""
    authority, first, second = Authority(), Authority("first"), Authority("second")
    settings = server_files(tmp_path, authority, first)
    cert_file, key_file = first.issue("agent").write(tmp_path, "agent")
    ca_file = authority.write(tmp_path)
    async with secured(tmp_path / "data", **settings) as door, security() as ours:
        wanted = ClientTlsSettings(
            enabled=True,
            ca_file=ca_file,
            cert_file=cert_file,
            key_file=key_file,
            server_name="collector.example",
        )
        tls = ours.client_tls(wanted, "agent.tls")
        assert tls is not None
        link = GrpcLink(f"localhost:{door.ports['OTLP gRPC']}", tls=tls)
        before = link.channel()
        await before.unary_unary(EXPORT)(BODY, timeout=10)
        assert link.channel() is before

        door.log.hold()
        door.log.arrived.clear()
        running = asyncio.ensure_future(before.unary_unary(EXPORT)(BODY, timeout=20))
        await door.log.arrived.wait()
        replace(Path(settings["tls__client_ca_file"]), second.certificate)
        second.issue("agent").write(tmp_path, "agent")
        await eventually(lambda: tls.generation > 0)
        await eventually(lambda: door.count("lymer_reloads_total", setting="tls") > 0)
        after = link.channel()
        assert after is not before
        door.log.release()
        await after.unary_unary(EXPORT)(BODY, timeout=10)
        assert await running == b""
        await link.close()


async def test_a_grpc_link_refuses_a_server_it_does_not_know(tmp_path: Path) -> None:
    """By another authority, or for another name."""
    authority, stranger = Authority(), Authority("stranger")
    settings = server_files(tmp_path, authority, authority)
    cert_file, key_file = authority.issue("agent").write(tmp_path, "agent")
    cases = [
        (stranger.write(tmp_path, "strange"), "collector.example"),
        (authority.write(tmp_path), "other.example"),
    ]
    async with secured(tmp_path / "data", **settings) as door, security() as ours:
        for ca_file, name in cases:
            wanted = ClientTlsSettings(
                enabled=True,
                ca_file=ca_file,
                cert_file=cert_file,
                key_file=key_file,
                server_name=name,
            )
            tls = ours.client_tls(wanted, "agent.tls")
            link = GrpcLink(f"localhost:{door.ports['OTLP gRPC']}", tls=tls)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await link.channel().unary_unary(EXPORT)(BODY, timeout=5)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            await link.close()

        assert door.log.requests == []


async def test_an_http_client_follows_its_files(tmp_path: Path) -> None:
    """One context, given once, shows the new certificate on new connections."""
    authority, first, second = Authority(), Authority("first"), Authority("second")
    cert_file, key_file = authority.issue().write(tmp_path, "server")
    settings = {
        "tls__cert_file": str(cert_file),
        "tls__key_file": str(key_file),
        "tls__client_ca_file": str(first.write(tmp_path, "clients")),
    }
    cert_file, key_file = first.issue("agent").write(tmp_path, "agent")
    async with secured(tmp_path / "data", **settings) as door, security() as ours:
        wanted = ClientTlsSettings(
            enabled=True, ca_file=authority.write(tmp_path), cert_file=cert_file, key_file=key_file
        )
        tls = ours.client_tls(wanted, "agent.tls")
        assert tls is not None
        context = tls.context()
        assert (await door.get("admin", context)).status_code == 200
        replace(Path(settings["tls__client_ca_file"]), second.certificate)
        await eventually(lambda: door.count("lymer_reloads_total", setting="tls") > 0)
        with pytest.raises(httpx.TransportError):
            await door.get("admin", context)
        second.issue("agent").write(tmp_path, "agent")
        await eventually(lambda: tls.generation > 0)
        assert (await door.get("admin", context)).status_code == 200


async def _code(door: Secured, metadata: tuple[tuple[str, str], ...]) -> str:
    async with grpc.aio.insecure_channel(f"localhost:{door.ports['OTLP gRPC']}") as channel:
        try:
            await channel.unary_unary(EXPORT)(BODY, metadata=metadata, timeout=10)
        except grpc.aio.AioRpcError as error:
            return error.code().name
    return "OK"


async def test_a_link_carries_the_token_that_is_in_its_file_now(tmp_path: Path) -> None:
    """And a bad file leaves it with the one before."""
    file = tmp_path / "token"
    file.write_text("first-token\n")
    known = {"receivers__auth__bearer_tokens": "first-token,second-token"}
    async with secured(tmp_path / "data", **known) as door, security() as ours:
        auth = ours.client_auth(ClientAuthSettings(bearer_token_file=file), "agent.auth")
        assert auth is not None
        assert await _code(door, auth.metadata()) == "OK"
        replace(file, b"second-token\n")
        await eventually(lambda: auth.headers() == {"Authorization": "Bearer second-token"})
        assert await _code(door, auth.metadata()) == "OK"
        replace(file, b"")
        await asyncio.sleep(1.5)
        assert await _code(door, auth.metadata()) == "OK"


async def test_a_link_says_its_user_and_password(tmp_path: Path) -> None:
    """The line break an editor leaves at the end is not of the password."""
    users, password = tmp_path / "users", tmp_path / "password"
    users.write_text("ada:open sesame\n")
    password.write_text("open sesame\n")
    known = {"receivers__auth__htpasswd_file": str(users)}
    async with secured(tmp_path / "data", **known) as door, security() as ours:
        wanted = ClientAuthSettings(username="ada", password_file=password)
        auth = ours.client_auth(wanted, "agent.auth")
        assert auth is not None
        assert await _code(door, auth.metadata()) == "OK"


async def test_a_token_file_with_two_tokens_is_refused(tmp_path: Path) -> None:
    """Which one to send would be a guess."""
    file = tmp_path / "token"
    file.write_text("one\ntwo\n")
    async with security() as ours:
        with pytest.raises(StartupError, match="holds 2 tokens: one is sent"):
            ours.client_auth(ClientAuthSettings(bearer_token_file=file), "agent.auth")
