"""A store on two real ClickHouse servers, as one."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from fakes.clickhouse_server import CLUSTER
from lymer.clock import monotonic_seconds
from lymer.model.segment import SealedSegment
from lymer.storage.clickhouse.collectors import share
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.engine_front import FrontEngine, told_by_shards
from lymer.storage.clickhouse.engine_server import ServerEngine
from lymer.storage.clickhouse.reading_store import ReadingStore
from lymer.storage.clickhouse.sharded_store import ShardedStore
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.contract import SpanReader
from lymer.tenancy import DEFAULT_TENANT

__all__ = ["open_sharded"]

_MEMORY_BYTES_MAX: Final = 900 * 2**20
_LOOKED_SECONDS: Final = 0.11
"""After that long a catalog looks for what was told."""
_MET_SECONDS: Final = 1.05
"""After that long readers look for new tenants."""


class _Looking(ShardedStore):
    """Gives segments ids of its own, and waits until readers look at what was written last."""

    def __init__(self, shards: Sequence[ClickHouseStore], front: ReadingStore) -> None:
        super().__init__(shards, front)
        self._written_seconds: dict[str, float] = {}
        """When each tenant was written to last."""
        self._met = {DEFAULT_TENANT}
        """Whom the readers know."""
        self._last = 0
        self._known: dict[tuple[str, int], int] = {}

    def for_tenant(self, tenant: str, /) -> SpanReader:
        """Return a reader that sees all that was written before."""
        written = self._written_seconds.get(tenant)
        if written is not None:
            seconds = _LOOKED_SECONDS if tenant in self._met else _MET_SECONDS
            time.sleep(max(0.0, written + seconds - monotonic_seconds()))
            self._met.add(tenant)
        return super().for_tenant(tenant)

    def announce(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter`."""
        with self._ours(segment) as ours:
            super().announce(ours)

    def write_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter`."""
        with self._ours(segment) as ours:
            super().write_segment(ours)

    def recover_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter`."""
        with self._ours(segment) as ours:
            super().recover_segment(ours)

    def write_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter`."""
        with self._ours(segment) as ours:
            super().write_part(ours, path)

    def try_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter`."""
        with self._ours(segment) as ours:
            super().try_part(ours, path)

    def expect(self, segments: Sequence[SealedSegment], /) -> None:
        """See `SpanWriter`."""
        for segment in segments:
            with self._ours(segment) as ours:
                super().expect([ours])

    @contextlib.contextmanager
    def _ours(self, segment: SealedSegment) -> Iterator[SealedSegment]:
        """Yield it under an id of this collector, the same each time; note when it was written."""
        try:
            yield self._numbered(segment)
        finally:
            self._written_seconds[segment.tenant] = monotonic_seconds()

    def _numbered(self, segment: SealedSegment) -> SealedSegment:
        if segment.segment_id in self._known.values():
            return segment  # recovery writes
        key = (segment.tenant, segment.segment_id)
        if key not in self._known:
            self._last = self.next_segment_id(max(segment.segment_id, self._last + 1))
            self._known[key] = self._last
        return dataclasses.replace(segment, segment_id=self._known[key])


def open_sharded(
    urls: Sequence[str], folder: Path, around: Callable[[Engine], Engine] = lambda one: one
) -> ShardedStore:
    """Return the store as a collector opens it; `around` is put around each shard's engine."""
    engines = [ServerEngine(url) for url in urls]
    stores = [
        ClickHouseStore(
            around(engine), retention_seconds=10**9, memory_bytes_max=_MEMORY_BYTES_MAX, sharing=one
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
