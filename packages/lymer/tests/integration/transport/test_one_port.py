"""HTTP/1.1 and gRPC on one port, plain and over TLS: who asks chooses by how it begins."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from fakes.certificates import Authority
from lymer.config import load_config
from lymer.roles.listening import Ports
from lymer.roles.securing import Security
from lymer.telemetry.metrics import Metrics
from lymer.transport.grpc_calls import Call, CallServer


async def _shout(message: bytes, _call: Call) -> bytes:
    return message.upper()


async def _answer(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.method} {request.url.path}")


@asynccontextmanager
async def _served(folder: Path, **settings: str) -> AsyncIterator[int]:
    given = {"storage.data_dir": str(folder), "api.tempo.port": "0"}
    given |= {path.replace("__", "."): text for path, text in settings.items()}
    config = load_config(None, {}, given)
    async with AsyncExitStack() as stack:
        ports = Ports(stack, Security(stack, config.tls, Metrics("test")))
        ports.take("both", config.api.tempo, "api.tempo.port")
        calls = CallServer(message_bytes_max=1_000)
        calls.add("loud.Service", "Shout", _shout)
        stack.push_async_callback(calls.stop, 1.0)
        app = Starlette(routes=[Route("/x", _answer, methods=["GET", "PUT", "POST"])])
        ports.serve(app, "both", calls=calls)
        yield ports.number("both")


async def _both(channel: grpc.aio.Channel, client: httpx.AsyncClient, url: str) -> None:
    shout = channel.unary_unary("/loud.Service/Shout")
    for _ in range(3):  # each on its connection, again and again
        assert await shout(b"hello", timeout=10) == b"HELLO"
        assert (await client.get(url)).text == "GET /x"
    assert (await client.put(url, content=b"PRI * HTTP/2.0")).text == "PUT /x"


def test_one_port_speaks_both(tmp_path: Path) -> None:
    """Also at once, and whatever the first packet holds of the beginning."""

    async def run() -> None:
        async with _served(tmp_path) as port:
            options = [("grpc.use_local_subchannel_pool", 1)]
            async with (
                grpc.aio.insecure_channel(f"localhost:{port}", options=options) as channel,
                httpx.AsyncClient(trust_env=False) as client,
            ):
                await _both(channel, client, f"http://localhost:{port}/x")
            for begin in (b"P", b"PO", b"POST /x HT"):
                whole = (
                    b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                )
                reader, writer = await asyncio.open_connection("localhost", port)
                writer.write(begin)
                await writer.drain()
                await asyncio.sleep(0.05)
                writer.write(whole[len(begin) :])
                assert b"POST /x" in await asyncio.wait_for(reader.read(), 10)
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    asyncio.run(run())


def test_over_tls_too(tmp_path: Path) -> None:
    """A client that offers both is answered HTTP/1.1; one of gRPC offers h2 only."""
    authority = Authority()
    cert_file, key_file = authority.issue().write(tmp_path, "server")
    tls = {"tls__cert_file": str(cert_file), "tls__key_file": str(key_file)}

    async def run() -> None:
        async with _served(tmp_path, **tls) as port:
            context = ssl.create_default_context(cadata=authority.certificate.decode())
            credentials = grpc.ssl_channel_credentials(authority.certificate)
            options = [("grpc.use_local_subchannel_pool", 1)]
            async with (
                grpc.aio.secure_channel(f"localhost:{port}", credentials, options) as channel,
                httpx.AsyncClient(verify=context, trust_env=False) as client,
            ):
                await _both(channel, client, f"https://localhost:{port}/x")
            context.set_alpn_protocols(["h2", "http/1.1"])
            _, writer = await asyncio.open_connection("localhost", port, ssl=context)
            assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    asyncio.run(run())


@pytest.mark.parametrize("sent", [b"PRI * HTTP/2.0\r\n\r\nnonsense", b"PRI * HTTP/2.0", b""])
def test_nonsense_ends_its_connection_only(tmp_path: Path, sent: bytes) -> None:
    """The port goes on."""

    async def run() -> None:
        async with _served(tmp_path) as port:
            _, writer = await asyncio.open_connection("localhost", port)
            writer.write(sent)
            await writer.drain()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            async with httpx.AsyncClient(trust_env=False) as client:
                assert (await client.get(f"http://localhost:{port}/x")).text == "GET /x"

    asyncio.run(run())
