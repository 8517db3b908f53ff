"""A store that others write to, for a process that only reads."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Final

from lymer import clock
from lymer.errors import StorageAwayError, StorageError
from lymer.model.deletion import Deleted
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.deletion import count_stored
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.nothing import NoEngine
from lymer.storage.clickhouse.reader import TenantReader
from lymer.storage.clickhouse.statements import schema_scripts
from lymer.storage.clickhouse.tenants import database_of, stored_tenants
from lymer.storage.contract import SpanReader
from lymer.tenancy import DEFAULT_TENANT

__all__ = ["ReadingStore"]

_LOOK_SECONDS: Final = 1.0
"""How often it is looked for new tenants."""


class ReadingStore:
    """`TenantReaders` on an engine; makes nothing, and may be opened before there is anything.

    What rollups say is as old as the last step of the collector that counts.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        retention_seconds: int,
        memory_bytes_max: int,
        query_timeout_seconds: float,
        told: str = "",
    ) -> None:
        """Remember whom to ask; nothing is asked yet.

        Args:
            engine: Closed by `close`.
            retention_seconds: As the collectors have it.
            memory_bytes_max: One statement may use at most half of it.
            query_timeout_seconds: A statement that runs longer fails.
            told: See `Catalog`.
        """
        self._told = told
        self.catch_up: Callable[[str, str, float, bool], None] | None = None
        """Brings a rollup up to date before it is read; see `ShardedStore`."""
        self._engine = engine
        self._retention_seconds = retention_seconds
        self._memory_bytes_max = memory_bytes_max
        self._timeout_seconds = query_timeout_seconds
        self._lock = threading.Lock()
        self._looked_seconds = -math.inf
        self._readers = {DEFAULT_TENANT: self._reader(DEFAULT_TENANT)}
        self._nothing = TenantReader(
            engine=NoEngine(),
            database="",
            catalog=Catalog(NoEngine(), "", retention_seconds=0),
            rollups=None,
            settled_segment_id=lambda: -1,
            timeout_seconds=1,
            memory_bytes_max=1,
        )

    def for_tenant(self, tenant: str, /) -> SpanReader:
        """See `TenantReaders.for_tenant`."""
        with self._lock:
            now = clock.monotonic_seconds()
            if now - self._looked_seconds >= _LOOK_SECONDS:
                self._looked_seconds = now
                try:
                    self._look()
                except StorageError:
                    if tenant not in self._readers:  # who asks this reader is told why
                        return self._reader(tenant)
            return self._readers.get(tenant, self._nothing)

    def count_traces(self, tenant: str, trace_ids: Sequence[str]) -> Deleted:
        """Return what is stored of traces."""
        return count_stored(self._engine, database_of(tenant), trace_ids)

    def check(self) -> None:
        """Return if questions are likely to be answered now; raise `StorageError` if not."""
        newest = schema_scripts()[-1][0]
        statement = "SELECT {mark}, max(version) FROM {db}.schema_versions"
        try:
            ((version,),) = self._engine.select(database_of(DEFAULT_TENANT), statement, 1)
        except StorageError as error:
            if not str(error).startswith(("Code: 81.", "Code: 60.")):
                raise
            raise StorageAwayError(
                "cannot read: no collector has made the tables in this ClickHouse yet"
            ) from error
        if version != newest:
            raise StorageAwayError(
                f"cannot read: the store's schema has version {version}, this program reads "
                f"{newest}; let collectors and query be of one release"
            )

    def close(self) -> None:
        """Close the engine; idempotent."""
        self._engine.close()

    def _look(self) -> None:
        for tenant in stored_tenants(self._engine):
            if tenant not in self._readers:
                self._readers[tenant] = self._reader(tenant)
        statement = "SELECT {mark}, count() FROM {db}.tail_progress"
        for tenant, reader in self._readers.items():
            if not reader.shows_rates:
                ((notes,),) = self._engine.select(database_of(tenant), statement, 1)
                reader.shows_rates = notes > 0

    def _reader(self, tenant: str) -> TenantReader:
        database = database_of(tenant)
        return TenantReader(
            self._engine,
            database,
            Catalog(
                self._engine,
                database,
                retention_seconds=self._retention_seconds,
                is_shared=True,
                told=self._told,
            ),
            _Rollups(self, tenant),
            lambda: -1,
            timeout_seconds=self._timeout_seconds,
            memory_bytes_max=self._memory_bytes_max // 2,
        )


class _Rollups:
    """Brings a tenant's rollups up to date if the process that reads can do that."""

    def __init__(self, store: ReadingStore, tenant: str) -> None:
        self._store = store
        self._tenant = tenant

    def catch_up(
        self,
        table: str,
        settled_segment_id: int,
        age_seconds_max: float = 0.0,
        *,
        one_step: bool = False,
    ) -> bool:
        """See `Rollups.catch_up`."""
        del settled_segment_id
        if self._store.catch_up is not None:
            self._store.catch_up(self._tenant, table, age_seconds_max, one_step)
        return True
