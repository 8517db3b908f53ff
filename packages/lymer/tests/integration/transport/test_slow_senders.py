"""Connections that do not come to the point are closed, and their descriptors are free again."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from fakes.durable_log import FakeDurableLog
from integration.receivers.doors import door_of
from lymer.receivers import http_exchange
from lymer.receivers.admission import Admission
from lymer.receivers.intake import Intake
from lymer.receivers.otlp_http import OtlpHttpReceiver
from lymer.roles.listening import HttpServer
from lymer.telemetry.metrics import Metrics
from lymer.transport import http1

_POST = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
_EMPTY = _POST + b"Content-Length: 0\r\n\r\n"
_CONNECTIONS = 100


@asynccontextmanager
async def _server(app: ASGIApp) -> AsyncIterator[tuple[str, int]]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=2 * _CONNECTIONS)
    server = HttpServer(app, [listener], grace_seconds=1)
    serving = asyncio.create_task(server.run_until_stopped())
    try:
        yield listener.getsockname()[:2]
    finally:
        server.stop()
        await serving


def _receiver() -> ASGIApp:
    intake = Intake(asyncio.get_running_loop(), Metrics("test"))
    intake.open(FakeDurableLog(intake))
    admission = Admission(bytes_in_flight_max=2**20, requests_in_flight_max=1_000)
    door = door_of(intake, admission, "otlp", "http")
    return OtlpHttpReceiver(door, body_bytes_max=2**20)


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("first", "said"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(_POST, b"", id="half of the headers"),
        pytest.param(_EMPTY + b"GET ", b"200", id="half of another request"),
        pytest.param(_POST + b"Content-Length: 9\r\n\r\n1", b"408", id="half of a body"),
        pytest.param(
            _POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", b"408", id="half of the chunks"
        ),
    ],
)
async def test_who_sends_only_a_half_is_left(
    monkeypatch: pytest.MonkeyPatch, first: bytes, said: bytes
) -> None:
    """A hundred at once; the server's side of them is closed."""
    monkeypatch.setattr(http1, "HEADERS_SECONDS_MAX", 0.4)
    monkeypatch.setattr(http_exchange, "BODY_SECONDS_MAX", 0.4)
    async with _server(_receiver()) as address:
        before = _descriptors()
        made = [await asyncio.open_connection(*address) for _ in range(_CONNECTIONS)]
        for _, writer in made:
            writer.write(first)

        answers = await asyncio.wait_for(asyncio.gather(*(one.read() for one, _ in made)), 30)

        assert all((said in answer) and bool(said) == bool(answer) for answer in answers)
        for _, writer in made:
            writer.close()
            await writer.wait_closed()
        assert _descriptors() <= before + 2


async def test_a_slow_answer_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the sender is hurried, also on a connection that is used again."""
    monkeypatch.setattr(http1, "HEADERS_SECONDS_MAX", 0.2)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await asyncio.sleep(0.5)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with _server(app) as address:
        reader, writer = await asyncio.open_connection(*address)
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 204")
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
