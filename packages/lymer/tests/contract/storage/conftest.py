"""Which stores the kit runs against: add a line to `STORES`."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from contract.storage.corpus import corpus_requests
from fakes.clickhouse_server import server_url, shards
from fakes.memory_store import MemoryStore
from fakes.served_store import ServedStore
from fakes.two_collectors import TwoCollectors
from fakes.two_shards import open_sharded
from lymer.storage.clickhouse.engine import Engine
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
        self.try_part = opened.try_part
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
_DATABASES: Final = "SELECT {mark}, name FROM system.databases WHERE match(name, '^(all_)?lymer')"
_TABLES: Final = (
    "SELECT {mark}, name FROM system.tables WHERE database = '{db}' AND name != 'schema_versions' "
    "AND (endsWith(engine, 'MergeTree') AND total_rows > 0 OR startsWith(name, 'collector_'))"
)


def _emptied(engine: Engine) -> None:
    """Leave the schema of the default tenant and nothing else.

    Making a schema takes five times the engine's work of emptying its tables.
    """
    for (name,) in zip(*engine.select("", _DATABASES, 1), strict=True):
        database = name.decode()
        if database not in {"lymer", "all_lymer"}:
            engine.command(database, "DROP DATABASE {db} SYNC")
            continue
        for (table,) in zip(*engine.select(database, _TABLES, 1), strict=True):
            # The name of a table says which collector this is.
            verb = "DROP" if table.startswith(b"collector_") else "TRUNCATE"
            engine.command(database, f"{verb} TABLE {{db}}.{table.decode()} SYNC")


@cache
def _engine_folder() -> Path:
    """Return the embedded engine's folder, which all tests of this process share."""
    folder = tempfile.TemporaryDirectory(prefix="lymer-kit-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def _memory(folder: Path) -> AnyStore:
    return MemoryStore()


def _clickhouse(folder: Path) -> AnyStore:
    engine = ChdbEngine(_engine_folder(), memory_bytes_max=900 * 2**20)
    _emptied(engine)
    return ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)


def _empty_servers(*urls: str) -> None:
    for url in urls:
        with contextlib.closing(ServerEngine(url)) as engine:
            _emptied(engine)


def _two_shards(folder: Path) -> AnyStore:
    _empty_servers(*shards().urls)
    return open_sharded(shards().urls, folder)


def _two_collectors(folder: Path) -> AnyStore:
    _empty_servers(server_url())
    return TwoCollectors(server_url(), folder)


def _remote(folder: Path) -> AnyStore:
    return ServedStore(_clickhouse(folder))


STORES: Final[dict[str, Callable[[Path], AnyStore]]] = {
    "memory": _memory,
    "clickhouse": _clickhouse,
    "remote": _remote,
    "two-collectors": _two_collectors,
    "two-shards": _two_shards,
}
"""Name to factory of an empty store, which gets a fresh folder. Never are two stores open at once,
but in `test_oracle.py`, which compares one of these with a `MemoryStore`. On a server collectors
are always several, as two tell each other apart there even if one of them is alone."""


@pytest.fixture(scope="module", params=list(STORES))
def store_name(request: pytest.FixtureRequest) -> str:
    """Return the name of a store: a module's tests run with one, then with the next."""
    name: str = request.param
    return name


def only(*names: str) -> pytest.MarkDecorator:
    """Return the mark of a module that asks what others of these stores cannot make different."""
    assert {*names} <= {*STORES}
    return pytest.mark.parametrize("store_name", names, indirect=True, scope="module")


READING = only("memory", "clickhouse", "remote", "two-shards")
"""Of modules that read spans: `two-collectors` does it on one server, `two-shards` on two."""


@pytest.fixture
def store(store_name: str, tmp_path: Path) -> Iterator[Store]:
    """Yield an empty store."""
    opened = Store(STORES[store_name](tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def write(store: Store, tmp_path: Path) -> Write:
    """Return a function that stores requests as one segment."""
    segment_ids = itertools.count(1_795_365_821_000_000)

    def write_requests(*requests: ExportTraceServiceRequest) -> None:
        store.write_segment(write_segment_file(tmp_path, *requests, segment_id=next(segment_ids)))

    return write_requests


@pytest.fixture(scope="module")
def corpus(store_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Yield a store with the traces of `corpus.py`, for modules that only read."""
    folder = tmp_path_factory.mktemp("corpus")
    opened = Store(STORES[store_name](folder))
    opened.write_segment(write_segment_file(folder, *corpus_requests()))
    yield opened
    opened.close()
