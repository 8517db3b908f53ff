"""Query strings that are long, over a socket: the HTTP library splits URLs up to 64 KiB only."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes.memory_store import MemoryStore
from lymer.api.app import create_app
from lymer.query.service import Queries
from lymer.roles.listening import HttpServer


@pytest.mark.parametrize(
    ("size", "status"), [(65_535, 200), (70_000, 200), (2**20, 200), (2**20 + 1, 400), (2**22, 400)]
)
def test_a_query_string_of_a_mebibyte(size: int, status: int) -> None:
    """Accepted up to 1 MiB over a socket; above, the error is the API's."""
    query = "service=shop&lookback=".ljust(size, "a").encode()

    async def ask() -> bytes:
        with ThreadPoolExecutor(1) as threads:
            app = create_app(Queries(MemoryStore()), executor=threads)
            listener = socket.create_server(("127.0.0.1", 0))
            server = HttpServer(app, [listener], grace_seconds=1)
            serving = asyncio.create_task(server.run_until_stopped())
            reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
            writer.write(b"GET /api/traces?" + query + b" HTTP/1.1\r\nHost: x\r\n")
            writer.write(b"Connection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            server.stop()
            await serving
            return answer

    answer = asyncio.run(ask())
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:300]
    assert b'"errors":' in answer
    assert (b"the limit is 1048576" in answer) == (status == 400)
