"""The store on a ClickHouse engine: one database for each tenant.

Nothing of one tenant can be met by another: there is no statement that names two databases, and no
reader without a tenant. Why: docs/adr/020-one-database-for-each-tenant.md.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lymer import clock
from lymer.errors import StartupError, StorageError
from lymer.model.deletion import Deleted, Deletion
from lymer.model.segment import SealedSegment
from lymer.model.segment_id import next_segment_id
from lymer.model.span_counts import NewCounts
from lymer.model.tail_policy import Policy
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.collectors import MAKE_WRITERS, Sharing
from lymer.storage.clickhouse.deletion import Deletions
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.engine_front import make_front
from lymer.storage.clickhouse.expiry import EXPIRY_PERIOD_SECONDS, Expiry
from lymer.storage.clickhouse.lease import Lease
from lymer.storage.clickhouse.nothing import NoEngine
from lymer.storage.clickhouse.offsets import PartitionClaim
from lymer.storage.clickhouse.open_tenant import OpenTenant, TenantsSampling
from lymer.storage.clickhouse.reader import TenantReader
from lymer.storage.clickhouse.rollup import Rollups
from lymer.storage.clickhouse.schema_migration import ARCHIVE_SECONDS, NO_TIERS, Kept, migrate
from lymer.storage.clickhouse.shared_deletion import (
    ANY_SEGMENT,
    delete_shared,
    finish_begun,
    take_counting,
)
from lymer.storage.clickhouse.shared_rollup import ADD_MARKS, SharedRollups
from lymer.storage.clickhouse.span_counts import SpanCounts
from lymer.storage.clickhouse.tail import TailSampler, check_policies
from lymer.storage.clickhouse.tenants import database_of, stored_tenants
from lymer.storage.clickhouse.tiers import Tiers
from lymer.storage.clickhouse.wanted_deletions import MAKE_WANTED
from lymer.storage.clickhouse.writer import SegmentWriter
from lymer.storage.contract import SpanReader
from lymer.storage.sampling_contract import SamplingStore
from lymer.telemetry.logs import EventLog
from lymer.tenancy import DEFAULT_TENANT

__all__ = ["ClickHouseStore", "Retention"]

_log = EventLog(__name__)
_GRAPH_AGES_UNASKED: Final = 15
"""How many times as old as for a reader a service graph may become that nobody looks at."""
_GRAPH_LOOK_SECONDS: Final = 15.0
"""A service graph that was counted so recently is good enough for metrics."""
_TENANTS_CAUGHT_UP_MAX: Final = 10
"""Tenants whose rollups are brought up to date in one go."""
_LOOK_SECONDS: Final = 0.5
"""How often it is looked for tenants that other collectors have made."""
_MIGRATION_SECONDS_MAX: Final = 600


@dataclass(frozen=True, slots=True)
class Retention:
    """Spans that are not kept as long as all others, or not on the local disk."""

    seconds_by_tenant: tuple[tuple[str, int], ...] = ()
    seconds_by_service: tuple[tuple[str, int], ...] = ()
    """A name that ends in `*` stands for all that begin so."""
    tiers: Tiers = NO_TIERS


NO_EXCEPTIONS: Final = Retention()


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
        sharing: Sharing | None = None,
        retention: Retention = NO_EXCEPTIONS,
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
            sharing: Which of several collectors this is; None: nobody else writes.
            retention: Of tenants and services that are kept for another time, and when spans leave
                the local disk.

        Raises:
            StartupError: A database was made by a newer program.
        """
        self._engine = engine
        self._sharing = sharing
        self._kept = Kept(retention_seconds, archive_retention_seconds, retention.tiers)
        self._retention = retention
        self._expired_seconds = -math.inf
        self._memory_bytes_max = memory_bytes_max
        self._query_timeout_seconds = query_timeout_seconds
        self._graph_age_seconds_max = graph_age_seconds_max
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._tenants: dict[str, OpenTenant] = {}
        self._policies: tuple[Policy, ...] = ()
        self._next_caught_up = 0
        self._counts_throughput = False
        self._finished_turn = 0
        """Of the lease: deletions that others had begun are carried out."""
        self.before_dropping: Callable[[], None] = lambda: None
        """Called before tail sampling drops spans: whoever counts them does it now."""
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
        if sharing is not None:
            sharing.counts.start()
        for tenant in [DEFAULT_TENANT, *stored_tenants(engine)]:
            self._tenants[tenant] = self._opened(tenant)
        self._looked_for_tenants = clock.monotonic_seconds()
        self._warn_of_detached_parts()

    @property
    def newest_segment_id(self) -> int:
        """The highest segment of which anything was ever stored, of any tenant; 0 if none.

        Where several collectors write: the highest of ours.
        """
        return max(
            max(
                tenant.writer.newest_segment_id,
                tenant.tail.decided_segment_id if tenant.tail and not self._sharing else 0,
                tenant.rollups.base_segment_id,
            )
            for tenant in self._all()
        )

    def next_segment_id(self, at_least: int, /) -> int:
        """Return the lowest id not below `at_least` that no other collector draws."""
        if self._sharing is None:
            return at_least
        return next_segment_id(at_least, self._sharing.collector)

    def tenants(self) -> list[str]:
        """Return who has ever stored a span, sorted; the default tenant is always among them."""
        with self._lock:
            return sorted(self._tenants)

    def for_tenant(self, tenant: str, /) -> SpanReader:
        """See `SpanStore.for_tenant`."""
        known = self._known_or_met(tenant)
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

    def try_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter.try_part`."""
        self._made(segment.tenant).writer.try_part(segment, path)

    def expect(self, segments: Sequence[SealedSegment], /) -> None:
        """See `SpanWriter.expect`."""
        for segment in segments:
            self._made(segment.tenant).writer.expect(segment.segment_id)

    def announce(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.announce`."""
        self._made(segment.tenant).writer.announce(segment)

    def stored_spans(self, segment: SealedSegment, /) -> int:
        """Return how many spans of a segment are stored here."""
        return self._made(segment.tenant).writer.spans_of(segment)

    def settle_segment(self, segment: SealedSegment, /) -> None:
        """Know that all that this shard keeps of a segment is stored."""
        self._made(segment.tenant).writer.settle(segment)

    def forget_segment(self, segment: SealedSegment, /) -> None:
        """Know that a segment will not be stored by us after all."""
        self._made(segment.tenant).writer.forget(segment.segment_id)

    def claim_partition(
        self, topic: str, partition: int, also: Sequence[Engine] = (), /
    ) -> PartitionClaim:
        """Take a partition of Kafka; `also` are the engines of other shards.

        Raises:
            StorageError: An engine failed.
        """
        holder = self._sharing.identity if self._sharing else ""
        return PartitionClaim([self._engine, *also], topic, partition, holder=holder)

    @property
    def engine(self) -> Engine:
        """The engine it is on."""
        return self._engine

    def erase_segment(self, segment: SealedSegment, /) -> None:
        """Delete what is stored of a segment here."""
        self._made(segment.tenant).writer.erase(segment)

    def catch_up_rollup(
        self, tenant: str, table: str, age_seconds_max: float, *, one_step: bool
    ) -> None:
        """Bring one rollup of a tenant up to what is stored, for a reader who waits."""
        with self._lock:
            known = self._tenants.get(tenant)
        if known is not None:
            settled = known.writer.settled_segment_id
            known.rollups.catch_up(table, settled, age_seconds_max, one_step=one_step)

    def catch_up(self) -> bool:
        """Bring all rollups up to what is stored; return whether there was anything to do."""
        return self._catch_up(self._all(), len(self._tenants), 0.0) > 0

    def expire(self, now_unix_seconds: float) -> int:
        """Remove spans of services that are kept for a shorter time; return of how many days."""
        if self._sharing is not None and not self._sharing.counts.is_held:
            return 0
        return sum(tenant.expiry.remove(now_unix_seconds) for tenant in self._all())

    def catch_up_some(self) -> bool:
        """Do so for a few tenants, and for others at the next call; readers do it for themselves.

        A step costs 0.06 s of processor time even for a few spans, so a few may wait.
        """
        now = clock.monotonic_seconds()
        if now - self._expired_seconds >= EXPIRY_PERIOD_SECONDS:
            self.expire(clock.unix_nano() / 1e9)
            self._expired_seconds = now
        # Planning a step of calls costs as much as counting fifty thousand spans.
        age = _GRAPH_AGES_UNASKED * self._graph_age_seconds_max
        if self._sharing is not None:
            return self._catch_up_for_all(self._sharing, age)
        tenants = [tenant for tenant in self._all() if tenant.is_due()]
        if not tenants:
            return False
        first = self._next_caught_up % len(tenants)
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
            if tenant.tail is None or (self._sharing and not self._sharing.counts.is_held):
                continue
            self.before_dropping()
            with tenant.changing:
                tenant.catch_up()  # rollups count what may be dropped
                settled, end = tenant.writer.settled_segment_id, upto
                if isinstance(tenant.rollups, SharedRollups):
                    # Of others, too; what they have stored and rollups have not counted waits.
                    settled = ANY_SEGMENT
                    end = tenant.rollups.counted_before(tenant.tail.decided_segment_id, upto)
                of_tenant = tenant.tail.decide(end, settled)
            kept, dropped = kept + of_tenant[0], dropped + of_tenant[1]
        return kept, dropped

    def count_traces(self, tenant: str, trace_ids: Sequence[str], /) -> Deleted:
        """See `TraceDeleter.count_traces`."""
        known = self._known_or_met(tenant)
        if known is None:
            return Deleted()
        upto = known.writer.settled_segment_id if self._sharing is None else ANY_SEGMENT
        return known.deletions.count(trace_ids, f"seg <= {upto}")

    def delete_traces(
        self, tenant: str, trace_ids: Sequence[str], /, *, who: str, question: str, upto: int
    ) -> Deleted:
        """See `TraceDeleter.delete_traces`."""
        known = self._known_or_met(tenant)
        if known is None:
            return Deleted()
        with known.changing:
            if self._sharing is not None:
                return delete_shared(known, self._sharing.counts, trace_ids, who, question)
            upto = min(upto, known.writer.settled_segment_id)
            known.rollups.catch_up_all(upto)
            return known.deletions.delete(trace_ids, who, question, upto)

    def take_counting(self, tenant: str) -> None:
        """Be the one of several collectors who counts; see `take_counting`."""
        known = self._known_or_met(tenant)
        if known is not None and self._sharing is not None:
            take_counting(known, self._sharing.counts)

    @property
    def counts_for_all(self) -> bool:
        """Whether this is the one of several collectors who counts."""
        return self._sharing is None or self._sharing.counts.is_held

    def delete_share(
        self, tenant: str, trace_ids: Sequence[str], who: str, question: str, number: int, upto: int
    ) -> Deleted:
        """Delete what this shard has of traces; see `delete_shared`."""
        known = self._known_or_met(tenant)
        if known is None or self._sharing is None:
            return Deleted()
        with known.changing:
            lease = self._sharing.counts
            return delete_shared(known, lease, trace_ids, who, question, upto=upto, number=number)

    def get_deletions(self, tenant: str, /) -> list[Deletion]:
        """See `TraceDeleter.get_deletions`."""
        known = self._known_or_met(tenant)
        return known.deletions.records() if known else []

    def look_at_spans(self) -> list[NewCounts]:
        """Return what was stored of each tenant since the last look, counted for metrics.

        What was stored before this process began is not. One thread at a time.
        """
        found = []
        for tenant in self._all():
            if self._sharing is None:
                settled = tenant.writer.settled_segment_id
                tenant.rollups.catch_up("graph", settled, _GRAPH_LOOK_SECONDS)
            # Of collectors that share a server, each shows its own spans, and one the edges of all.
            has_edges = self._sharing is None or self._sharing.counts.is_held
            found.append(tenant.counts.look(with_edges=has_edges))
        return found

    def count_throughput(self) -> SamplingStore:
        """Begin to count what adaptive sampling asks for, and return who answers it."""
        self._counts_throughput = True
        for tenant in self._all():
            tenant.rollups.count_throughput(tenant.writer.settled_segment_id)
        return TenantsSampling(self._engine, self._all)

    def check(self) -> None:
        """Return if the store is likely to answer now; raise `StorageError` if not."""
        self._engine.check()

    def close(self) -> None:
        """Close the engine; idempotent."""
        self.leave()
        self._engine.close()

    def leave(self) -> None:
        """Tell other collectors how far we have come and let them go on; idempotent."""
        if self._sharing is None:
            return
        with contextlib.suppress(StorageError):
            for tenant in self._all():
                tenant.rollups.publish()
        self._sharing.counts.release()

    def _catch_up_for_all(self, sharing: Sharing, calls_age_seconds_max: float) -> bool:
        """Tell how far we have come, and count what all have stored if we are to."""
        if sharing.counts.is_held:
            for name in stored_tenants(self._engine):
                self._met(name)
        tenants = self._all()
        for tenant in tenants:
            tenant.rollups.publish()
        if not sharing.counts.is_held:
            return False
        if self._finished_turn != sharing.counts.turn:  # what a former holder may have left
            if not finish_begun(tenants, sharing.counts):
                return False
            self._finished_turn = sharing.counts.turn
        return self._catch_up(tenants, len(tenants) + 1, calls_age_seconds_max) > 0

    def _met(self, name: str) -> OpenTenant | None:
        """Return a tenant that another collector has made meanwhile; None: there is none."""
        now = clock.monotonic_seconds()
        with self._lock:
            known = self._tenants.get(name)
            if known is not None or now - self._looked_for_tenants < _LOOK_SECONDS:
                return known
            self._looked_for_tenants = now
        return self._made(name) if name in stored_tenants(self._engine) else None

    def _known_or_met(self, tenant: str) -> OpenTenant | None:
        known = self._known(tenant)
        if known is None and self._sharing is not None:
            known = self._met(tenant)
        return known

    def _known(self, tenant: str) -> OpenTenant | None:
        with self._lock:
            return self._tenants.get(tenant)

    def _all(self) -> list[OpenTenant]:
        with self._lock:
            return list(self._tenants.values())

    def _catch_up(
        self, tenants: Sequence[OpenTenant], steps_max: int, calls_age_seconds_max: float
    ) -> int:
        """Return how many tenants were looked at until so many had something to do."""
        steps = seen = 0
        failure = None
        for tenant in tenants:
            seen += 1
            try:
                steps += tenant.catch_up(calls_age_seconds_max)
            except StorageError as error:  # must not hold up the others
                steps, failure = steps + 1, error
            if steps >= steps_max:
                break
        if failure is not None:
            raise failure
        return seen if steps else 0

    def _opened(self, tenant: str) -> OpenTenant:
        """Bring a tenant's database up to date, making it if needed."""
        database = database_of(tenant)
        memory_bytes_max = self._memory_bytes_max
        sharing = self._sharing
        self._migrate(tenant, database)
        catalog = Catalog(
            self._engine,
            database,
            retention_seconds=self._kept_of(tenant).spans,
            is_shared=sharing is not None,
        )
        writer = SegmentWriter(
            self._engine,
            database,
            catalog,
            load_memory_bytes_max=memory_bytes_max * 2 // 3,
            ours="" if sharing is None else sharing.ours,
            share="" if sharing is None else sharing.share,
            collector=0 if sharing is None else sharing.collector,
            turn=None if sharing is None else sharing.loads,
        )
        rollups = (
            Rollups(self._engine, database, memory_bytes_max=memory_bytes_max // 2)
            if sharing is None
            else SharedRollups(
                self._engine,
                database,
                memory_bytes_max=memory_bytes_max // 2,
                collector=sharing.collector,
                lease=sharing.counts,
                own_settled=lambda: writer.settled_segment_id,
            )
        )
        deletions = Deletions(  # before anybody counts or writes
            self._engine,
            database,
            catalog,
            rollups,
            retention_seconds=self._kept_of(tenant).spans,
            memory_bytes_max=memory_bytes_max // 2,
            fence=None if sharing is None else sharing.counts.fence,
        )
        reader = TenantReader(
            self._engine,
            database,
            catalog,
            rollups,
            (lambda: writer.settled_segment_id) if sharing is None else (lambda: -1),
            timeout_seconds=self._query_timeout_seconds,
            memory_bytes_max=memory_bytes_max // 2,
        )
        reader.graph_age_seconds_max = self._graph_age_seconds_max
        expiry = Expiry(self._engine, database, self._retention.seconds_by_service)
        counts = SpanCounts(
            self._engine,
            database,
            tenant,
            lambda: writer.settled_segment_id,
            memory_bytes_max=memory_bytes_max // 2,
            ours="" if sharing is None else sharing.ours,
        )
        return OpenTenant(database, writer, rollups, reader, expiry, deletions, counts)

    def _kept_of(self, tenant: str) -> Kept:
        seconds = dict(self._retention.seconds_by_tenant).get(tenant, self._kept.spans)
        return replace(self._kept, spans=seconds)

    def _migrate(self, tenant: str, database: str) -> None:
        """Bring the schema up to date; of several collectors, one after the other does so."""
        if self._sharing is None:
            migrate(self._engine, database, self._kept_of(tenant))
            return
        turn = Lease(self._engine, "schema", self._sharing.identity)
        turn.start()
        try:
            if not turn.wait(_MIGRATION_SECONDS_MAX):
                raise StartupError(
                    "cannot bring the schema up to date: another collector has been at it for "
                    f"{_MIGRATION_SECONDS_MAX} s; start again when it has finished"
                )
            cluster = self._sharing.cluster
            besides = (
                MAKE_WRITERS,
                MAKE_WANTED,
                *ADD_MARKS,
                *(make_front(cluster) if cluster else ()),
            )
            migrate(self._engine, database, self._kept_of(tenant), besides=besides)
        finally:
            turn.release()

    def _sample_tails(self, tenant: OpenTenant) -> None:
        """Begin to decide on traces; what was stored before the first time stays."""
        tail = TailSampler(
            self._engine,
            tenant.database,
            self._policies,
            memory_bytes_max=self._memory_bytes_max // 2,
            fence=self._sharing.counts.fence if self._sharing else None,
        )
        tail.begin_after(tenant.writer.settled_segment_id)
        tenant.tail = tail
        tenant.reader.shows_rates = True

    def _made(self, name: str) -> OpenTenant:
        """Return the tenant, made if there is none."""
        with self._lock:
            tenant = self._tenants.get(name)
        if tenant is not None:
            return tenant
        with self._making:
            tenant = self._tenants.get(name)
            if tenant is not None:
                return tenant
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
