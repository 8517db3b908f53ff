"""The store on a ClickHouse engine: one database for each tenant.

Nothing of one tenant can be met by another: there is no statement that names two databases, and no
reader without a tenant. Why: docs/adr/020-one-database-for-each-tenant.md.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lymer import clock
from lymer.errors import StartupError, StorageError
from lymer.model.segment import SealedSegment
from lymer.model.tail_policy import Policy
from lymer.model.throughput import OperationRate, Throughput, merge_throughput
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.nothing import NoEngine
from lymer.storage.clickhouse.reader import TenantReader
from lymer.storage.clickhouse.rollup import Rollups
from lymer.storage.clickhouse.schema_migration import ARCHIVE_SECONDS, Kept, migrate
from lymer.storage.clickhouse.tail import TailSampler, check_policies
from lymer.storage.clickhouse.tenants import database_of, stored_tenants
from lymer.storage.clickhouse.throughput import put_rates, select_rates, select_throughput
from lymer.storage.clickhouse.writer import SegmentWriter
from lymer.storage.contract import SpanReader
from lymer.storage.sampling_contract import SamplingStore
from lymer.telemetry.logs import EventLog
from lymer.tenancy import DEFAULT_TENANT

__all__ = ["ClickHouseStore"]

_log = EventLog(__name__)
_GRAPH_AGES_UNASKED: Final = 15
"""How many times as old as for a reader a service graph may become that nobody looks at."""
_TENANTS_CAUGHT_UP_MAX: Final = 10
"""Tenants whose rollups are brought up to date in one go."""
_UNCOUNTED_SPANS_MAX: Final = 20_000
_UNCOUNTED_SECONDS_MAX: Final = 60.0
"""Rollups are brought up to date though nobody asks when so many spans are not counted, or for so
long. Until then a reader counts them in a tenth of a second; each step costs as much."""


@dataclass(slots=True)
class _Tenant:
    """One tenant's parts, which share a database."""

    database: str
    writer: SegmentWriter
    rollups: Rollups
    reader: TenantReader
    tail: TailSampler | None = None
    counted_spans: int = 0
    """Of `writer.stored_spans`, when the rollups were last brought up to date here."""
    counted_seconds: float = -math.inf

    def is_due(self) -> bool:
        """Tell whether rollups should be brought up to date though nobody asks."""
        age = clock.monotonic_seconds() - self.counted_seconds
        return (
            age >= _UNCOUNTED_SECONDS_MAX
            or self.writer.stored_spans - self.counted_spans >= _UNCOUNTED_SPANS_MAX
        )

    def catch_up(self, graph_age_seconds_max: float = 0.0) -> bool:
        """Bring every rollup up to what is stored; one that fails does not stop the others.

        A service graph that was counted less than `graph_age_seconds_max` ago is left as it is.
        """
        stored, settled = self.writer.stored_spans, self.writer.settled_segment_id
        failure = None
        counted = False
        for table in self.rollups.tables():
            try:
                age = graph_age_seconds_max if table == "graph" else 0.0
                counted |= self.rollups.catch_up(table, settled, age)
            except StorageError as error:
                failure = error
        if failure is not None:
            raise failure
        self.counted_spans, self.counted_seconds = stored, clock.monotonic_seconds()
        return counted


class ClickHouseStore:
    """A `SpanStore` on an `Engine`, which it owns."""

    def __init__(
        self,
        engine: Engine,
        *,
        retention_seconds: int,
        memory_bytes_max: int,
        query_timeout_seconds: float = 30.0,
        archive_retention_seconds: int = ARCHIVE_SECONDS,
        graph_age_seconds_max: float = 0.0,
    ) -> None:
        """Bring every tenant's schema up to date and read how far its store has come.

        Args:
            engine: Closed by `close`.
            retention_seconds: Spans are kept so long after they arrived, whole days at a time.
            memory_bytes_max: What the engine may use for all tenants together; one load gets at
                most two thirds, one query at most half of it.
            query_timeout_seconds: A statement of a reader that runs longer fails.
            archive_retention_seconds: Archived traces are kept so long after that.
            graph_age_seconds_max: A service graph counted so recently is not counted anew for a
                reader.

        Raises:
            StartupError: A database was made by a newer program.
        """
        self._engine = engine
        self._kept = Kept(retention_seconds, archive_retention_seconds)
        self._memory_bytes_max = memory_bytes_max
        self._query_timeout_seconds = query_timeout_seconds
        self._graph_age_seconds_max = graph_age_seconds_max
        self._lock = threading.Lock()
        self._tenants: dict[str, _Tenant] = {}
        self._policies: tuple[Policy, ...] = ()
        self._next_caught_up = 0
        self._counts_throughput = False
        # Of a tenant that never sent a span: nothing is made for whoever only asks.
        self._nothing = TenantReader(
            engine=NoEngine(),
            database="",
            catalog=Catalog(NoEngine(), "", retention_seconds=0),
            rollups=None,
            settled_segment_id=lambda: 0,
            timeout_seconds=1,
            memory_bytes_max=1,
        )
        for tenant in [DEFAULT_TENANT, *stored_tenants(engine)]:
            self._tenants[tenant] = self._opened(tenant)
        self._warn_of_detached_parts()

    @property
    def newest_segment_id(self) -> int:
        """The highest segment of which anything was ever stored, of any tenant; 0 if none."""
        return max(
            max(tenant.writer.newest_segment_id, tenant.tail.decided_segment_id)
            if tenant.tail
            else tenant.writer.newest_segment_id
            for tenant in self._all()
        )

    def tenants(self) -> list[str]:
        """Return who has ever stored a span, sorted; the default tenant is always among them."""
        with self._lock:
            return sorted(self._tenants)

    def for_tenant(self, tenant: str, /) -> SpanReader:
        """See `SpanStore.for_tenant`."""
        with self._lock:
            known = self._tenants.get(tenant)
        return known.reader if known else self._nothing

    def write_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.write_segment`."""
        self._made(segment.tenant).writer.write_segment(segment)

    def recover_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.recover_segment`."""
        self._made(segment.tenant).writer.recover_segment(segment)

    def write_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter.write_part`."""
        self._made(segment.tenant).writer.write_part(segment, path)

    def expect(self, segments: Sequence[SealedSegment], /) -> None:
        """See `SpanWriter.expect`."""
        for segment in segments:
            self._made(segment.tenant).writer.expect(segment.segment_id)

    def announce(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.announce`."""
        self._made(segment.tenant).writer.announce(segment)

    def catch_up(self) -> bool:
        """Bring all rollups up to what is stored; return whether there was anything to do."""
        return self._catch_up(self._all(), len(self._tenants), 0.0) > 0

    def catch_up_some(self) -> bool:
        """Do so for a few tenants, and for others at the next call; readers do it for themselves.

        A step costs 0.06 s of processor time even for a few spans, so a few may wait.
        """
        tenants = [tenant for tenant in self._all() if tenant.is_due()]
        if not tenants:
            return False
        first = self._next_caught_up % len(tenants)
        # Planning a step of the graph costs as much as counting a hundred thousand spans.
        age = _GRAPH_AGES_UNASKED * self._graph_age_seconds_max
        seen = self._catch_up(tenants[first:] + tenants[:first], _TENANTS_CAUGHT_UP_MAX, age)
        self._next_caught_up = first + seen
        return seen > 0

    def sample_tails(self, policies: Sequence[Policy]) -> None:
        """Begin to decide on every tenant's traces; call it before the first segment.

        Raises:
            StartupError: The engine cannot use a policy.
            StorageError: It failed.
        """
        problem = check_policies(self._engine, policies)
        if problem:
            raise StartupError(f"cannot sample: {problem}")
        self._policies = tuple(policies)
        for tenant in self._all():
            self._sample_tails(tenant)

    def decide_traces(self, upto: int, /) -> tuple[int, int]:
        """See `TailSampled.decide_traces`."""
        kept = dropped = 0
        for tenant in self._all():
            if tenant.tail is None:
                continue
            tenant.catch_up()  # rollups count what may be dropped
            settled = tenant.writer.settled_segment_id
            of_tenant = tenant.tail.decide(upto, settled)
            kept, dropped = kept + of_tenant[0], dropped + of_tenant[1]
        return kept, dropped

    def count_throughput(self) -> SamplingStore:
        """Begin to count what adaptive sampling asks for, and return who answers it."""
        self._counts_throughput = True
        for tenant in self._all():
            tenant.rollups.count_throughput(tenant.writer.settled_segment_id)
        return _Sampling(self._engine, self._all)

    def check(self) -> None:
        """Return if the store is likely to answer now; raise `StorageError` if not."""
        self._engine.check()

    def close(self) -> None:
        """Close the engine; idempotent."""
        self._engine.close()

    def _all(self) -> list[_Tenant]:
        with self._lock:
            return list(self._tenants.values())

    def _catch_up(
        self, tenants: Sequence[_Tenant], steps_max: int, graph_age_seconds_max: float
    ) -> int:
        """Return how many tenants were looked at until so many had something to do."""
        steps = seen = 0
        failure = None
        for tenant in tenants:
            seen += 1
            try:
                steps += tenant.catch_up(graph_age_seconds_max)
            except StorageError as error:  # must not hold up the others
                steps, failure = steps + 1, error
            if steps >= steps_max:
                break
        if failure is not None:
            raise failure
        return seen if steps else 0

    def _opened(self, tenant: str) -> _Tenant:
        """Bring a tenant's database up to date, making it if needed."""
        database = database_of(tenant)
        memory_bytes_max = self._memory_bytes_max
        migrate(self._engine, database, self._kept)
        catalog = Catalog(self._engine, database, retention_seconds=self._kept.spans)
        writer = SegmentWriter(
            self._engine,
            database,
            catalog,
            load_memory_bytes_max=memory_bytes_max * 2 // 3,
        )
        rollups = Rollups(self._engine, database, memory_bytes_max=memory_bytes_max // 2)
        reader = TenantReader(
            self._engine,
            database,
            catalog,
            rollups,
            lambda: writer.settled_segment_id,
            timeout_seconds=self._query_timeout_seconds,
            memory_bytes_max=memory_bytes_max // 2,
        )
        reader.graph_age_seconds_max = self._graph_age_seconds_max
        return _Tenant(database, writer, rollups, reader)

    def _sample_tails(self, tenant: _Tenant) -> None:
        """Begin to decide on traces; what was stored before the first time stays."""
        tail = TailSampler(
            self._engine,
            tenant.database,
            self._policies,
            memory_bytes_max=self._memory_bytes_max // 2,
        )
        tail.begin_after(tenant.writer.settled_segment_id)
        tenant.tail = tail
        tenant.reader.shows_rates = True

    def _made(self, name: str) -> _Tenant:
        """Return the tenant; only the one thread that writes makes new ones."""
        with self._lock:
            tenant = self._tenants.get(name)
        if tenant is None:
            tenant = self._opened(name)
            if self._policies:
                self._sample_tails(tenant)
            if self._counts_throughput:
                tenant.rollups.count_throughput(tenant.writer.settled_segment_id)
            _log.info("tenant added", tenant=name, database=tenant.database)
            with self._lock:
                self._tenants[name] = tenant
        return tenant

    def _warn_of_detached_parts(self) -> None:
        """Say loudly what the engine set aside: rows are missing from every answer."""
        names = ", ".join(f"'{tenant.database}'" for tenant in self._all())
        statement = (
            "SELECT {mark}, database, table, name, reason FROM system.detached_parts "
            f"WHERE database IN ({names})"
        )
        for part in zip(*self._engine.select("", statement, 4), strict=True):
            text = " ".join(str(value, "utf-8", "replace") for value in part)
            _log.error("part set aside by the engine, its rows are missing", part=text)


class _Sampling:
    """A `SamplingStore`: throughput of all tenants, and rates in the default tenant's database."""

    def __init__(self, engine: Engine, tenants: Callable[[], list[_Tenant]]) -> None:
        self._engine = engine
        self._tenants = tenants

    def get_throughput(
        self, after_unix_seconds: int, upto_unix_seconds: int, /
    ) -> list[Throughput]:
        """See `SamplingStore.get_throughput`."""
        parts = []
        for tenant in self._tenants():
            tenant.rollups.catch_up("throughput", tenant.writer.settled_segment_id)
            parts.append(
                select_throughput(
                    self._engine, tenant.database, after_unix_seconds, upto_unix_seconds
                )
            )
        return merge_throughput(parts)

    def put_rates(self, rates: Sequence[OperationRate], /) -> None:
        """See `SamplingStore.put_rates`; what was computed last has the highest instant."""
        put_rates(self._engine, database_of(DEFAULT_TENANT), rates, clock.unix_nano())

    def get_rates(self) -> list[OperationRate]:
        """See `SamplingStore.get_rates`."""
        return select_rates(self._engine, database_of(DEFAULT_TENANT))
