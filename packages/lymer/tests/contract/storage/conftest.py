"""Which stores the kit runs against: add a line to `STORES`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from contract.storage.corpus import corpus_requests
from fakes.clickhouse_server import server_url
from fakes.memory_store import MemoryStore
from fakes.served_store import ServedStore
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.engine_server import ServerEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.contract import SpanReader, SpanStore
from lymer.tenancy import DEFAULT_TENANT
from make import write_segment_file


class AnyStore(SpanStore, Protocol):
    """A store as a factory makes it."""

    def close(self) -> None:
        """Release what the store holds."""


class Store:
    """A store under test: written to, and read as the default tenant."""

    def __init__(self, opened: AnyStore) -> None:
        self.tenants = opened
        """The store itself."""
        self.write_segment = opened.write_segment
        self.recover_segment = opened.recover_segment
        self.write_part = opened.write_part
        self.expect = opened.expect
        self.announce = opened.announce
        self.close = opened.close

    @property
    def reader(self) -> SpanReader:
        """Return the default tenant's reader."""
        return self.tenants.for_tenant(DEFAULT_TENANT)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.reader, name)


Write = Callable[..., None]
_DATABASES: Final = "SELECT {mark}, name FROM system.databases WHERE startsWith(name, 'lymer')"


def _memory(folder: Path) -> AnyStore:
    return MemoryStore()


def _clickhouse(folder: Path) -> AnyStore:
    engine = ChdbEngine(folder / "engine", memory_bytes_max=900 * 2**20)
    return ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)


def _server(folder: Path) -> AnyStore:
    engine = ServerEngine(server_url())
    for (name,) in zip(*engine.select("", _DATABASES, 1), strict=True):
        engine.command(name.decode(), "DROP DATABASE {db} SYNC")
    return ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)


def _remote(folder: Path) -> AnyStore:
    return ServedStore(_clickhouse(folder))


STORES: Final[dict[str, Callable[[Path], AnyStore]]] = {
    "memory": _memory,
    "clickhouse": _clickhouse,
    "remote": _remote,
    "server": _server,
}
"""Name to factory; the factory gets a fresh folder. Never are two stores open at once, but in
`test_oracle.py`, which compares one of these with a `MemoryStore`."""


@pytest.fixture(params=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Yield an empty store."""
    opened = Store(STORES[request.param](tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def write(store: Store, tmp_path: Path) -> Write:
    """Return a function that stores requests as one segment."""
    segment_ids = itertools.count(1_795_365_821_000_000)

    def write_requests(*requests: ExportTraceServiceRequest) -> None:
        store.write_segment(write_segment_file(tmp_path, *requests, segment_id=next(segment_ids)))

    return write_requests


@pytest.fixture(scope="module", params=list(STORES))
def corpus(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """Yield a store with the traces of `corpus.py`, for modules that only read."""
    folder = tmp_path_factory.mktemp("corpus")
    opened = Store(STORES[request.param](folder))
    opened.write_segment(write_segment_file(folder, *corpus_requests()))
    yield opened
    opened.close()
