"""A store on two real ClickHouse servers, as one."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fakes.clickhouse_server import CLUSTER
from lymer.clock import monotonic_seconds
from lymer.model.segment import SealedSegment
from lymer.storage.clickhouse.collectors import share
from lymer.storage.clickhouse.engine_front import FrontEngine, told_by_shards
from lymer.storage.clickhouse.engine_server import ServerEngine
from lymer.storage.clickhouse.reading_store import ReadingStore
from lymer.storage.clickhouse.sharded_store import ShardedStore
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.contract import SpanReader

__all__ = ["open_sharded"]

_MEMORY_BYTES_MAX: Final = 900 * 2**20
_LOOKED_SECONDS: Final = 1.5
"""After that long readers look for new tenants, and catalogs for what was told."""


class _Looking(ShardedStore):
    """Gives segments ids of its own, and waits until readers look at what was written last."""

    def __init__(self, shards: Sequence[ClickHouseStore], front: ReadingStore) -> None:
        super().__init__(shards, front)
        self._written_seconds = 0.0
        self._last = 0
        self._known: dict[tuple[str, int], int] = {}

    def for_tenant(self, tenant: str, /) -> SpanReader:
        """Return a reader that sees all that was written before."""
        wait = self._written_seconds + _LOOKED_SECONDS - monotonic_seconds()
        if wait > 0:
            time.sleep(wait)
        return super().for_tenant(tenant)

    def announce(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter`."""
        super().announce(self._ours(segment))

    def write_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter`."""
        super().write_segment(self._ours(segment))

    def recover_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter`."""
        super().recover_segment(self._ours(segment))

    def write_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter`."""
        super().write_part(self._ours(segment), path)

    def try_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter`."""
        super().try_part(self._ours(segment), path)

    def expect(self, segments: Sequence[SealedSegment], /) -> None:
        """See `SpanWriter`."""
        super().expect([self._ours(segment) for segment in segments])

    def _ours(self, segment: SealedSegment) -> SealedSegment:
        """Return it under an id of this collector, the same each time."""
        self._written_seconds = monotonic_seconds()
        if segment.segment_id in self._known.values():
            return segment  # recovery writes
        key = (segment.tenant, segment.segment_id)
        if key not in self._known:
            self._last = self.next_segment_id(max(segment.segment_id, self._last + 1))
            self._known[key] = self._last
        return dataclasses.replace(segment, segment_id=self._known[key])


def open_sharded(urls: Sequence[str], folder: Path) -> ShardedStore:
    """Return the store as a collector opens it."""
    engines = [ServerEngine(url) for url in urls]
    stores = [
        ClickHouseStore(
            engine, retention_seconds=10**9, memory_bytes_max=_MEMORY_BYTES_MAX, sharing=one
        )
        for engine, one in zip(engines, share(engines, folder, CLUSTER), strict=True)
    ]
    front = ReadingStore(
        FrontEngine([ServerEngine(url) for url in urls], CLUSTER),
        retention_seconds=10**9,
        memory_bytes_max=_MEMORY_BYTES_MAX,
        query_timeout_seconds=30,
        told=told_by_shards(CLUSTER),
    )
    return _Looking(stores, front)
