"""An HTTP server that is asked to stop: what runs may end, what is idle is not waited for."""

from __future__ import annotations

import asyncio
import socket

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from lymer.roles.listening import HttpServer

_GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class _Slow:
    """Answers once it is told to."""

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.was_cancelled = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def _serve(app: ASGIApp, grace_seconds: int) -> tuple[HttpServer, asyncio.Task[None], int]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = HttpServer(app, [listener], grace_seconds=grace_seconds)
    port = listener.getsockname()[1]
    return server, asyncio.create_task(server.run_until_stopped()), port


async def test_a_running_request_is_answered_and_an_idle_connection_closed() -> None:
    """The server stops with the last answer, not with its grace; nobody new is let in."""
    app = _Slow()
    server, serving, port = _serve(app, 3_600)
    idle, idle_writer = await asyncio.open_connection("127.0.0.1", port)
    idle_writer.write(_GET)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await app.asked.wait()
    app.may_answer.set()
    assert (await idle.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204")
    app.asked.clear()
    app.may_answer.clear()
    writer.write(_GET)
    await app.asked.wait()

    server.stop()

    assert await idle.read() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    assert not serving.done()
    app.may_answer.set()
    assert (await reader.read()).startswith(b"HTTP/1.1 204")
    await serving
    idle_writer.close()
    writer.close()


async def test_a_request_that_outlasts_its_grace_is_cancelled() -> None:
    """The stop does not wait for ever."""
    app = _Slow()
    server, serving, port = _serve(app, 1)
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_GET)
    await app.asked.wait()
    server.stop()
    await serving
    await asyncio.sleep(0)
    assert app.was_cancelled
    writer.close()
