"""The store on several ClickHouse servers: a trace lies on one of them, by its id.

Each shard is a store of its own, with its rollups and its catalog; a segment is sent to each, which
keeps its share. Answers come from all shards together (engine_front.py).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lymer.errors import StorageAwayError, StorageError
from lymer.model.deletion import Deleted, Deletion
from lymer.model.segment import SealedSegment
from lymer.model.tail_policy import Policy
from lymer.model.throughput import OperationRate, Throughput, merge_throughput
from lymer.storage.clickhouse.offsets import PartitionClaim
from lymer.storage.clickhouse.reading_store import ReadingStore
from lymer.storage.clickhouse.sharded_deletion import ShardedDeletion
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.clickhouse.writer import check_once
from lymer.storage.contract import SpanReader
from lymer.storage.sampling_contract import SamplingStore

__all__ = ["ShardedStore"]


class ShardedStore:
    """A `SpanStore` of `ClickHouseStore`s."""

    def __init__(self, shards: Sequence[ClickHouseStore], front: ReadingStore) -> None:
        """Put them together.

        Args:
            shards: In their order; closed by `close`, as is `front`.
            front: Reads them all.
        """
        self._shards = tuple(shards)
        self._front = front
        front.catch_up = self._catch_up_rollup
        self._deleting = threading.Lock()
        self._deletion = ShardedDeletion(self._shards, self.count_traces)

    @property
    def newest_segment_id(self) -> int:
        """See `ClickHouseStore.newest_segment_id`."""
        return max(shard.newest_segment_id for shard in self._shards)

    def next_segment_id(self, at_least: int, /) -> int:
        """See `ClickHouseStore.next_segment_id`; a collector has one number on all shards."""
        return self._shards[0].next_segment_id(at_least)

    def tenants(self) -> list[str]:
        """See `ClickHouseStore.tenants`."""
        return sorted({tenant for shard in self._shards for tenant in shard.tenants()})

    def for_tenant(self, tenant: str, /) -> SpanReader:
        """See `SpanStore.for_tenant`."""
        return self._front.for_tenant(tenant)

    def write_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.write_segment`; each shard's part is atomic."""
        for shard in self._shards:
            shard.write_segment(segment)

    def recover_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.recover_segment`: all shards together have all of it, or begin anew."""
        stored = [shard.stored_spans(segment) for shard in self._shards]
        if sum(stored) == segment.span_count:
            for shard in self._shards:
                shard.settle_segment(segment)
            return
        for shard, count in zip(self._shards, stored, strict=True):
            if count:
                shard.erase_segment(segment)
        self.write_part(segment, segment.path)
        check_once(segment, self.stored_spans(segment))
        for shard in self._shards:
            shard.settle_segment(segment)

    def stored_spans(self, segment: SealedSegment, /) -> int:
        """See `ClickHouseStore.stored_spans`."""
        return sum(shard.stored_spans(segment) for shard in self._shards)

    def erase_segment(self, segment: SealedSegment, /) -> None:
        """See `ClickHouseStore.erase_segment`."""
        for shard in self._shards:
            shard.erase_segment(segment)

    def forget_segment(self, segment: SealedSegment, /) -> None:
        """See `ClickHouseStore.forget_segment`."""
        for shard in self._shards:
            shard.forget_segment(segment)

    def claim_partition(self, topic: str, partition: int, /) -> PartitionClaim:
        """See `ClickHouseStore.claim_partition`: a turn on each shard."""
        first, *others = self._shards
        return first.claim_partition(topic, partition, [shard.engine for shard in others])

    def write_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter.write_part`."""
        for shard in self._shards:
            shard.write_part(segment, path)

    def try_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter.try_part`."""
        for shard in self._shards:
            shard.try_part(segment, path)

    def expect(self, segments: Sequence[SealedSegment], /) -> None:
        """See `SpanWriter.expect`."""
        for shard in self._shards:
            shard.expect(segments)

    def announce(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.announce`."""
        for shard in self._shards:
            shard.announce(segment)

    def catch_up(self) -> bool:
        """See `ClickHouseStore.catch_up`."""
        counted = [shard.catch_up() for shard in self._shards]
        return any(counted)

    def catch_up_some(self) -> bool:
        """See `ClickHouseStore.catch_up_some`; a shard that fails does not stop the others."""
        failure = None
        counted = False
        for shard in self._shards:
            try:
                counted |= shard.catch_up_some()
            except StorageError as error:
                failure = error
        if self._deleting.acquire(blocking=False):
            try:
                self._deletion.carry_on(self.tenants())
            finally:
                self._deleting.release()
        if failure is not None:
            raise failure
        return counted

    def sample_tails(self, policies: Sequence[Policy]) -> None:
        """See `ClickHouseStore.sample_tails`; rates of a policy are those of each shard."""
        for shard in self._shards:
            shard.sample_tails(policies)

    def decide_traces(self, upto: int, /) -> tuple[int, int]:
        """See `TailSampled.decide_traces`."""
        counts = [shard.decide_traces(upto) for shard in self._shards]
        return sum(kept for kept, _ in counts), sum(dropped for _, dropped in counts)

    def count_throughput(self) -> SamplingStore:
        """See `ClickHouseStore.count_throughput`."""
        return _Sampling([shard.count_throughput() for shard in self._shards])

    def count_traces(self, tenant: str, trace_ids: Sequence[str], /) -> Deleted:
        """See `TraceDeleter.count_traces`: of the shards that answer."""
        return self._front.count_traces(tenant, trace_ids)

    def delete_traces(
        self, tenant: str, trace_ids: Sequence[str], /, *, who: str, question: str, upto: int
    ) -> Deleted:
        """See `TraceDeleter.delete_traces`; what lies on a shard that is away goes when it is back.

        Raises:
            OverloadedError: Another collector deletes; nothing was begun.
            StorageAwayError: Not all shards have done their part; the others will.
        """
        del upto  # of what each collector has settled, a shard knows itself
        with self._deleting:
            total, failed = self._deletion.delete(tenant, trace_ids, who, question)
        if failed:
            raise StorageAwayError(
                f"not all is deleted yet: {len(failed)} of {len(self._shards)} shards could not do "
                f"their part now and will when they are back ({failed[0]})"
            )
        return total

    def get_deletions(self, tenant: str, /) -> list[Deletion]:
        """See `TraceDeleter.get_deletions`: what shards did of one deletion is one entry."""
        found: dict[tuple[int, str], Deletion] = {}
        for shard in self._shards:
            for one in shard.get_deletions(tenant):
                key = one.deletion_id, one.question
                before = found.get(key)
                deleted = one.deleted + before.deleted if before else one.deleted
                found[key] = replace(one, deleted=deleted)
        return sorted(found.values(), key=lambda one: -one.deletion_id)

    def check(self) -> None:
        """Return if at least one shard is likely to answer; raise `StorageError` if not."""
        self._front.check()

    def leave(self) -> None:
        """See `ClickHouseStore.leave`."""
        for shard in self._shards:
            shard.leave()

    def close(self) -> None:
        """Close all; idempotent."""
        for shard in self._shards:
            shard.close()
        self._front.close()

    def _catch_up_rollup(
        self,
        tenant: str,
        table: str,
        age_seconds_max: float,
        one_step: bool,  # noqa: FBT001 - a callback
    ) -> None:
        """Count what a reader is about to ask for; the answer tells of a shard that is away."""
        for shard in self._shards:
            with contextlib.suppress(StorageAwayError):
                shard.catch_up_rollup(tenant, table, age_seconds_max, one_step=one_step)


class _Sampling:
    """A `SamplingStore`: throughput of all shards, rates on the first."""

    def __init__(self, shards: Sequence[SamplingStore]) -> None:
        self._shards = shards

    def get_throughput(
        self, after_unix_seconds: int, upto_unix_seconds: int, /
    ) -> list[Throughput]:
        """See `SamplingStore.get_throughput`."""
        return merge_throughput(
            [shard.get_throughput(after_unix_seconds, upto_unix_seconds) for shard in self._shards]
        )

    def put_rates(self, rates: Sequence[OperationRate], /) -> None:
        """See `SamplingStore.put_rates`."""
        self._shards[0].put_rates(rates)

    def get_rates(self) -> list[OperationRate]:
        """See `SamplingStore.get_rates`."""
        return self._shards[0].get_rates()
