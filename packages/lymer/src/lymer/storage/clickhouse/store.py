"""The store on a ClickHouse engine: one database for each tenant.

Nothing of one tenant can be met by another: there is no statement that names two databases, and no
reader without a tenant. Why: docs/adr/020-one-database-for-each-tenant.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from lymer import clock
from lymer.errors import StartupError, StorageError
from lymer.model.segment import SealedSegment
from lymer.model.tail_policy import Policy
from lymer.model.throughput import OperationRate, Throughput, merge_throughput
from lymer.storage.clickhouse.database import Database, database_of, stored_tenants
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.tail import check_policies
from lymer.storage.clickhouse.tenant_store import StoreLimits, TenantStore
from lymer.storage.contract import SpanReader
from lymer.storage.memory import MemoryStore
from lymer.storage.sampling_contract import SamplingStore
from lymer.telemetry.logs import EventLog
from lymer.tenancy import DEFAULT_TENANT

__all__ = ["ClickHouseStore"]

_log = EventLog(__name__)
_TENANTS_CAUGHT_UP_MAX: Final = 10
"""Tenants whose rollups are brought up to date in one go."""
_NOTHING: Final = MemoryStore()
"""What a tenant has that never sent a span: nothing is made for whoever only asks."""


class ClickHouseStore:
    """A `SpanStore` on an `Engine`, which it owns."""

    def __init__(
        self,
        engine: Engine,
        *,
        retention_seconds: int,
        memory_bytes_max: int,
        query_timeout_seconds: float = 30.0,
    ) -> None:
        """Bring every tenant's schema up to date and read how far its store has come.

        Args:
            engine: Closed by `close`.
            retention_seconds: See `StoreLimits`, likewise the others.
            memory_bytes_max: Of all tenants together.
            query_timeout_seconds: Of one statement.

        Raises:
            StartupError: A database was made by a newer program.
        """
        self._engine = engine
        self._limits = StoreLimits(retention_seconds, memory_bytes_max, query_timeout_seconds)
        self._lock = threading.Lock()
        self._stores: dict[str, TenantStore] = {}
        self._policies: tuple[Policy, ...] = ()
        self._next_caught_up = 0
        self._counts_throughput = False
        for tenant in [DEFAULT_TENANT, *stored_tenants(engine)]:
            self._stores[tenant] = TenantStore(Database(engine, tenant), self._limits)
        self._warn_of_detached_parts()

    @property
    def settled_segment_id(self) -> int:
        """The highest segment known to be stored, of any tenant; 0 if none."""
        return max(store.settled_segment_id for store in self._all())

    def tenants(self) -> list[str]:
        """Return who has ever stored a span, sorted; the default tenant is always among them."""
        with self._lock:
            return sorted(self._stores)

    def for_tenant(self, tenant: str, /) -> SpanReader:
        """See `SpanStore.for_tenant`."""
        with self._lock:
            return self._stores.get(tenant) or _NOTHING.for_tenant(tenant)

    def write_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.write_segment`."""
        self._made(segment.tenant).write_segment(segment)

    def recover_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.recover_segment`."""
        self._made(segment.tenant).recover_segment(segment)

    def can_decode(self, path: Path, /) -> bool:
        """See `SpanWriter.can_decode`."""
        return self._made(DEFAULT_TENANT).can_decode(path)

    def catch_up(self) -> bool:
        """Bring all rollups up to what is stored; return whether there was anything to do."""
        return self._catch_up(self._all(), len(self._stores)) > 0

    def catch_up_some(self) -> bool:
        """Do so for a few tenants, and for others at the next call; readers do it for themselves.

        A step costs 0.06 s of processor time even for a few spans.
        """
        stores = self._all()
        first = self._next_caught_up % len(stores)
        seen = self._catch_up(stores[first:] + stores[:first], _TENANTS_CAUGHT_UP_MAX)
        self._next_caught_up = first + seen
        return seen > 0

    def sample_tails(self, policies: Sequence[Policy]) -> None:
        """Begin to decide on every tenant's traces; call it before the first segment.

        Raises:
            StartupError: The engine cannot use a policy.
            StorageError: It failed.
        """
        problem = check_policies(Database(self._engine, DEFAULT_TENANT), policies)
        if problem:
            raise StartupError(f"cannot sample: {problem}")
        self._policies = tuple(policies)
        for store in self._all():
            store.sample_tails(self._policies)

    def decide_traces(self, upto: int, /) -> tuple[int, int]:
        """See `TailSampled.decide_traces`."""
        kept = dropped = 0
        for store in self._all():
            store_kept, store_dropped = store.decide_traces(upto)
            kept, dropped = kept + store_kept, dropped + store_dropped
        return kept, dropped

    def count_throughput(self) -> SamplingStore:
        """Begin to count what adaptive sampling asks for, and return who answers it."""
        self._counts_throughput = True
        for store in self._all():
            store.count_throughput()
        return _Sampling(self._all, self._stores[DEFAULT_TENANT])

    def check(self) -> None:
        """Return if the store is likely to answer now; raise `StorageError` if not."""
        self._engine.check()

    def close(self) -> None:
        """Close the engine; idempotent."""
        self._engine.close()

    def _all(self) -> list[TenantStore]:
        with self._lock:
            return list(self._stores.values())

    def _catch_up(self, stores: Sequence[TenantStore], steps_max: int) -> int:
        """Return how many stores were looked at until so many had something to do."""
        steps = seen = 0
        failure = None
        for store in stores:
            seen += 1
            try:
                steps += store.catch_up()
            except StorageError as error:  # must not hold up the others
                steps, failure = steps + 1, error
            if steps >= steps_max:
                break
        if failure is not None:
            raise failure
        return seen if steps else 0

    def _made(self, tenant: str) -> TenantStore:
        """Return the tenant's store; only the one thread that writes makes new ones."""
        with self._lock:
            store = self._stores.get(tenant)
        if store is None:
            database = Database(self._engine, tenant)
            store = TenantStore(database, self._limits)
            if self._policies:
                store.sample_tails(self._policies)
            if self._counts_throughput:
                store.count_throughput()
            _log.info("tenant added", tenant=tenant, database=database.name)
            with self._lock:
                self._stores[tenant] = store
        return store

    def _warn_of_detached_parts(self) -> None:
        """Say loudly what the engine set aside: rows are missing from every answer."""
        names = ", ".join(f"'{database_of(tenant)}'" for tenant in self._stores)
        output = self._engine.query(
            "SELECT database, table, name, reason FROM system.detached_parts "
            f"WHERE database IN ({names}) FORMAT TSV",
            {},
            {},
        )
        for line in output.decode(errors="replace").splitlines():
            _log.error("part set aside by the engine, its rows are missing", part=line)


class _Sampling:
    """A `SamplingStore`: throughput of all tenants, and rates in the default tenant's database."""

    def __init__(self, stores: Callable[[], list[TenantStore]], keeper: TenantStore) -> None:
        self._stores = stores
        self._keeper = keeper

    def get_throughput(
        self, after_unix_seconds: int, upto_unix_seconds: int, /
    ) -> list[Throughput]:
        """See `SamplingStore.get_throughput`."""
        return merge_throughput(
            store.get_throughput(after_unix_seconds, upto_unix_seconds) for store in self._stores()
        )

    def put_rates(self, rates: Sequence[OperationRate], /) -> None:
        """See `SamplingStore.put_rates`."""
        self._keeper.put_rates(rates, clock.unix_nano())

    def get_rates(self) -> list[OperationRate]:
        """See `SamplingStore.get_rates`."""
        return self._keeper.get_rates()
