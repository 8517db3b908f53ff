"""The strategies file, from a real disk and a real HTTP server, while it changes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from integration.receivers.doors import eventually
from lymer.errors import StartupError
from lymer.sampling.file_provider import FileProvider
from lymer.sampling.strategies import Probabilistic, RateLimiting, Strategy
from lymer.sampling.strategy_file import FILE_BYTES_MAX
from lymer.telemetry.metrics import Metrics

UNSET = Strategy(Probabilistic(0.25))
FAST = 0.02


def content(param: float) -> bytes:
    """Return a file of one probability."""
    return json.dumps({"default_strategy": {"type": "probabilistic", "param": param}}).encode()


@asynccontextmanager
async def provider(
    source: str, *, reload_seconds: float = FAST, metrics: Metrics | None = None
) -> AsyncIterator[FileProvider]:
    """Start one."""
    made = FileProvider(
        source,
        default_probability=0.25,
        reload_seconds=reload_seconds,
        metrics=(metrics or Metrics("test")).sampling,
    )
    await made.start()
    yield made
    await made.stop()


async def becomes(made: FileProvider, expected: Strategy) -> None:
    """Wait until everybody is told so."""

    async def ask() -> Strategy:
        return await made.get_strategy("s")

    for _ in range(500):
        if await ask() == expected:
            return
        await asyncio.sleep(0.01)
    assert expected == await ask()


class Server:
    """An HTTP server whose next answers a test decides."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.status, self.body, self.delay_seconds, self.asked = 200, b"null", 0.0, 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version: ClassVar[str] = "HTTP/1.0"

            def do_GET(self) -> None:
                outer.asked += 1
                self.send_response(outer.status)
                self.end_headers()
                with contextlib.suppress(OSError):  # who asked may have given up
                    for byte in outer.body:
                        time.sleep(outer.delay_seconds)
                        self.wfile.write(bytes([byte]))

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/strategies.json"
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """Listen no longer."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    """Serve for one test."""
    made = Server()
    yield made
    made.stop()


async def test_without_a_file_everybody_gets_the_default() -> None:
    """Nothing is read."""
    async with provider("") as made:
        assert UNSET == await made.get_strategy("s")


async def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """Also when it says nothing any more."""
    file = tmp_path / "strategies.json"
    file.write_bytes(content(0.5))
    async with provider(str(file)) as made:
        assert Strategy(Probabilistic(0.5)) == await made.get_strategy("s")
        file.write_bytes(b'{"default_strategy": {"type": "ratelimiting", "param": 3}}')
        await becomes(made, Strategy(RateLimiting(3)))
        file.write_bytes(b"null")
        await becomes(made, UNSET)


async def test_without_an_interval_it_is_read_once(tmp_path: Path) -> None:
    """As Jaeger v1 by default."""
    file = tmp_path / "strategies.json"
    file.write_bytes(content(0.5))
    async with provider(str(file), reload_seconds=0) as made:
        file.write_bytes(content(0.75))
        await asyncio.sleep(5 * FAST)

        assert Strategy(Probabilistic(0.5)) == await made.get_strategy("s")


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda file: file.write_bytes(b"{"), id="no JSON"),
        pytest.param(lambda file: file.write_bytes(b"[]"), id="no object"),
        pytest.param(lambda file: file.write_bytes(b" " * (FILE_BYTES_MAX + 1)), id="too large"),
        pytest.param(lambda file: file.unlink(), id="gone"),
    ],
)
async def test_a_bad_file_changes_nothing(tmp_path: Path, spoil: Callable[[Path], object]) -> None:
    """It is counted, and a good one counts again."""
    file, metrics = tmp_path / "strategies.json", Metrics("test")
    file.write_bytes(content(0.5))
    async with provider(str(file), metrics=metrics) as made:
        spoil(file)

        def failures() -> float:
            value = metrics.registry.get_sample_value("lymer_sampling_reload_failures_total")
            return value or 0

        await eventually(lambda: failures() >= 2)
        assert Strategy(Probabilistic(0.5)) == await made.get_strategy("s")
        file.write_bytes(content(0.75))
        await becomes(made, Strategy(Probabilistic(0.75)))


async def test_a_server_is_asked_again(server: Server) -> None:
    """What it answers counts; what is no answer does not."""
    server.body = content(0.5)
    async with provider(server.url) as made:
        assert Strategy(Probabilistic(0.5)) == await made.get_strategy("s")
        server.status, server.body = 404, content(1)
        asked = server.asked
        await eventually(lambda: server.asked > asked + 2)
        assert Strategy(Probabilistic(0.5)) == await made.get_strategy("s")
        server.status, server.body = 200, content(0.75)
        await becomes(made, Strategy(Probabilistic(0.75)))


async def test_503_means_the_defaults(server: Server) -> None:
    """As Jaeger 1.76; other failures keep what is in force."""
    server.body = content(0.5)
    async with provider(server.url) as made:
        server.status = 503
        await becomes(made, UNSET)
        server.status = 200
        await becomes(made, Strategy(Probabilistic(0.5)))


async def test_a_server_that_is_away_at_start_is_asked_again(server: Server) -> None:
    """Jaeger 1.76 never asks again; we do."""
    server.status, server.body = 503, content(0.5)
    async with provider(server.url) as made:
        assert UNSET == await made.get_strategy("s")
        server.status = 200
        await becomes(made, Strategy(Probabilistic(0.5)))


async def test_a_server_that_is_slow_is_given_up(server: Server) -> None:
    """Byte by byte it would take minutes."""
    server.body, server.delay_seconds = content(0.5) + b" " * 1_000, 0.1
    with pytest.raises(StartupError, match="the server took longer than 1 s"):
        async with provider(server.url):
            pass
    server.delay_seconds = 0


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("{folder}/missing.json", "No such file or directory"),
        ("{folder}", "Is a directory"),
        ("ftp://host/file", "an address must begin with http:// or https://"),
        ("http://127.0.0.1:1/file", "the server cannot be asked"),
        ("http://[bad/file", "the server cannot be asked"),
    ],
    ids=["missing", "folder", "scheme", "nobody there", "no address"],
)
async def test_a_start_without_strategies_is_refused(
    tmp_path: Path, named: str, message: str
) -> None:
    """With the place, the cause, and what to do."""
    source = named.format(folder=tmp_path)
    with pytest.raises(StartupError) as raised:
        async with provider(source):
            pass

    assert str(raised.value).startswith(f"cannot use the sampling strategies in {source}: ")
    assert message in str(raised.value)
    assert "--set sampling.file.path=PATH" in str(raised.value)


async def test_a_start_with_bad_strategies_is_refused(tmp_path: Path, server: Server) -> None:
    """From disk and from a server."""
    file = tmp_path / "strategies.json"
    file.write_bytes(b'{"service_strategies": 1}')
    server.status, server.body = 500, b"no database"
    for source, message in (
        (str(file), "service_strategies: must be a list, but it is a number"),
        (server.url, "the server answered 500 Internal Server Error: no database"),
    ):
        with pytest.raises(StartupError) as raised:
            async with provider(source):
                pass
        assert message in str(raised.value)
