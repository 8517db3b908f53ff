"""Large answers wait for one another, by whichever door they are asked for; small ones do not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import httpx
import pytest

from fakes.memory_store import MemoryStore
from lymer.api.app import create_app, create_zipkin_app
from lymer.api.query_grpc import QueryGrpc
from lymer.api.turn import Turn
from lymer.query import service
from lymer.query.service import Queries
from lymer.storage.contract import SpanReader
from lymer.wire.query_proto import SERVICE_V2, SERVICE_V3, V2, V3
from make import START, make_request, make_span, trace_hex, write_segment_file

LARGE, SMALL = trace_hex(7), trace_hex(8)
SMALL_SPANS_MAX: Final = 20
_FOUND: Final = f"service=shop&start={(START - 10**9) // 1000}&end={(START + 10**10) // 1000}"
_V3_FOUND: Final = (
    "query.service_name=shop&query.start_time_min=2020-01-01T00:00:00Z"
    "&query.start_time_max=2100-01-01T00:00:00Z"
)


class Watching(MemoryStore):
    """Counts how many read spans of the large trace at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self.now = self.most = self.reads = 0
        self.gate = threading.Event()
        self.gate.set()

    def for_tenant(self, tenant: str, /) -> SpanReader:
        """Watch the reader."""
        reader = super().for_tenant(tenant)
        watched: Any = _Watched(reader, self)
        return watched  # type: ignore[no-any-return]

    def reading(self, trace_ids: Sequence[str], call: Callable[[], Any]) -> Any:
        """Make one read."""
        if LARGE not in trace_ids:
            return call()
        with self._lock:
            self.now += 1
            self.reads += 1
            self.most = max(self.most, self.now)
        try:
            assert self.gate.wait(20)
            return call()
        finally:
            with self._lock:
                self.now -= 1


class _Watched:
    def __init__(self, reader: Any, store: Watching) -> None:
        self._reader = reader
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def get_otlp(self, trace_ids: Sequence[str], /, **how: Any) -> Any:
        return self._store.reading(trace_ids, lambda: self._reader.get_otlp(trace_ids, **how))

    def get_traces(self, trace_ids: Sequence[str], /, **how: Any) -> Any:
        if how.get("spans_max") is not None:  # asked for no more than that
            return self._reader.get_traces(trace_ids, **how)
        return self._store.reading(trace_ids, lambda: self._reader.get_traces(trace_ids, **how))


class Doors:
    """All that answer with spans, on one store and one turn."""

    def __init__(self, store: Watching, http: Any, zipkin: Any, channel: grpc.aio.Channel) -> None:
        self.store = store
        self._http = http
        self._zipkin = zipkin
        self._channel = channel

    async def ask(self, door: str, trace_id: str) -> int:
        """Ask for one trace, or find it; return how many bytes came."""
        if door.startswith("gRPC"):
            return await self._call(door, trace_id)
        path = {
            "api": f"/api/traces/{trace_id}",
            "api find": f"/api/traces?{_FOUND}",
            "v3": f"/api/v3/traces/{trace_id}",
            "v3 find": f"/api/v3/traces?{_V3_FOUND}",
            "zipkin": f"/api/v2/trace/{trace_id}",
        }[door]
        client = self._zipkin if door == "zipkin" else self._http
        response = await client.get(path)
        assert response.status_code == 200, response.text
        return len(response.content)

    async def _call(self, door: str, trace_id: str) -> int:
        name, made = (SERVICE_V2, V2) if "v2" in door else (SERVICE_V3, V3)
        wanted: Any = bytes.fromhex(trace_id) if made is V2 else trace_id
        method = self._channel.unary_stream(f"/{name}/GetTrace")
        parts = method(made["GetTraceRequest"](trace_id=wanted).SerializeToString())
        return sum([len(part) async for part in parts])


DOORS: Final = ("api", "api find", "v3", "v3 find", "zipkin", "gRPC v2", "gRPC v3")


@asynccontextmanager
async def _doors(folder: Path) -> AsyncIterator[Doors]:
    store, turn = Watching(), Turn()
    spans = [make_span(7, number, name=f"s{number}") for number in range(1, 101)]
    store.write_segment(write_segment_file(folder, make_request(*spans, make_span(8, 1))))
    queries = Queries(store)
    with ThreadPoolExecutor(16) as threads:
        server = QueryGrpc(queries, threads, turn=turn)
        port = server.bind("127.0.0.1:0")
        await server.start()
        apps = [
            make(queries, executor=threads, turn=turn) for make in (create_app, create_zipkin_app)
        ]
        clients = [
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://lymer")
            for app in apps
        ]
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield Doors(store, *clients, channel)
        finally:
            await server.stop(1)


@pytest.fixture(autouse=True)
def _few_spans_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "SMALL_ANSWER_SPANS_MAX", SMALL_SPANS_MAX)


async def test_large_answers_are_made_one_at_a_time(tmp_path: Path) -> None:
    """All doors at once: each answers, and never were two traces in memory."""
    async with _doors(tmp_path) as doors:
        sizes = await asyncio.gather(*(doors.ask(door, LARGE) for door in DOORS * 3))

    assert all(size > 2_000 for size in sizes), sizes
    assert doors.store.reads == 3 * len(DOORS)
    assert doors.store.most == 1


@pytest.mark.parametrize("door", DOORS)
async def test_a_small_answer_does_not_wait_for_a_large_one(tmp_path: Path, door: str) -> None:
    """While a large one is being read for ever."""
    async with _doors(tmp_path) as doors:
        doors.store.gate.clear()
        large = asyncio.create_task(doors.ask(door, LARGE))
        while not doors.store.now:  # noqa: ASYNC110 - a thread says so
            await asyncio.sleep(0.005)

        small = await asyncio.gather(*(doors.ask(one, SMALL) for one in DOORS if "find" not in one))

        assert all(small)
        assert not large.done()
        doors.store.gate.set()
        assert await large > max(small)
