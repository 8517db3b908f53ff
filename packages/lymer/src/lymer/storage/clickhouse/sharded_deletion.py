"""A deletion on shards: each carries its part out, now or when it is back."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from typing import Final

from lymer import clock
from lymer.errors import LymerError, OverloadedError, StorageAwayError, StorageError
from lymer.model.deletion import Deleted
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.rollup import LOOKBACK_MICROSECONDS
from lymer.storage.clickhouse.shared_deletion import ANY_SEGMENT
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.clickhouse.tenants import database_of
from lymer.storage.clickhouse.wanted_deletions import Wanted, drop_wanted, put_wanted, read_wanted
from lymer.telemetry.logs import EventLog

__all__ = ["ShardedDeletion"]

_log = EventLog(__name__)
_LOOK_SECONDS: Final = 10.0
"""How often it is looked for parts that are still wanted."""


class ShardedDeletion:
    """Deletes on shards; one thread at a time."""

    def __init__(
        self,
        shards: Sequence[ClickHouseStore],
        count: Callable[[str, Sequence[str]], Deleted],
    ) -> None:
        """Remember the shards, in their order, and who counts what all of them have."""
        self._shards = tuple(shards)
        self._count = count
        self._looked_seconds = -math.inf

    def delete(
        self, tenant: str, trace_ids: Sequence[str], who: str, question: str
    ) -> tuple[Deleted, list[LymerError]]:
        """Return what was deleted, and why shards could not do their part.

        Counting is taken over on each of them before anything is written down, so that no other
        collector carries out what is only begun here.

        Raises:
            OverloadedError: Another collector deletes; nothing was begun.
            StorageAwayError: No shard answers.
        """
        traces = self._count(tenant, trace_ids).traces
        for shard in self._shards:
            with contextlib.suppress(StorageAwayError):
                shard.take_counting(tenant)
        number = clock.unix_nano() // 1_000
        wanted = Wanted(number, 0, who, question, tuple(trace_ids))
        kept_by = self._put(tenant, wanted)
        total = Deleted()
        failed: list[LymerError] = []
        for which, shard in enumerate(self._shards):
            try:
                total += shard.delete_share(tenant, trace_ids, who, question, number, ANY_SEGMENT)
                drop_wanted(kept_by, database_of(tenant), number, which)
            except (StorageError, OverloadedError) as error:
                failed.append(error)
        # A trace and its copy in the archive may lie apart.
        return Deleted(min(traces, total.traces), total.spans, total.archived), failed

    def carry_on(self, tenants: Sequence[str]) -> None:
        """Do what is wanted of shards where this process counts, every now and then."""
        now = clock.monotonic_seconds()
        if now - self._looked_seconds < _LOOK_SECONDS:
            return
        self._looked_seconds = now
        for tenant in tenants:
            for shard in self._shards:
                with contextlib.suppress(StorageError, OverloadedError):
                    for wanted in read_wanted(shard.engine, database_of(tenant)):
                        self._carry_on(tenant, shard.engine, wanted)

    def _carry_on(self, tenant: str, kept_by: Engine, wanted: Wanted) -> None:
        shard = self._shards[wanted.shard]
        if not shard.counts_for_all:
            return
        _log.warning("carrying on with a deletion", deletion=wanted.number, shard=wanted.shard)
        shard.delete_share(
            tenant, wanted.trace_ids, wanted.who, wanted.question, wanted.number,
            # Clocks of collectors may differ; what arrived long after it was asked for stays.
            wanted.number + LOOKBACK_MICROSECONDS,
        )  # fmt: skip
        drop_wanted(kept_by, database_of(tenant), wanted.number, wanted.shard)

    def _put(self, tenant: str, wanted: Wanted) -> Engine:
        """Write down what is wanted of all shards on the first that answers; return it."""
        away: StorageError | None = None
        for shard in self._shards:
            try:
                put_wanted(shard.engine, database_of(tenant), wanted, len(self._shards))
            except StorageAwayError as error:
                away = error
            else:
                return shard.engine
        raise away or StorageAwayError("cannot delete: there are no shards")
