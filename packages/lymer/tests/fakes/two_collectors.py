"""Two collectors on one ClickHouse server, whose segments alternate, as one store."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lymer.model.segment import SealedSegment
from lymer.storage.clickhouse.collectors import share
from lymer.storage.clickhouse.engine_server import ServerEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.contract import SpanReader

__all__ = ["TwoCollectors", "open_collector"]

_MEMORY_BYTES_MAX: Final = 900 * 2**20
_LOOKED_SECONDS: Final = 0.11
"""After that long a catalog looks again."""


def open_collector(url: str, data_dir: Path) -> ClickHouseStore:
    """Return the store as the collector of a data folder opens it."""
    data_dir.mkdir(exist_ok=True)
    engine = ServerEngine(url)
    return ClickHouseStore(
        engine,
        retention_seconds=10**9,
        memory_bytes_max=_MEMORY_BYTES_MAX,
        sharing=share([engine], data_dir)[0],
    )


class TwoCollectors:
    """A `SpanStore`; the first counts what both store, and is read."""

    def __init__(self, url: str, folder: Path) -> None:
        """Open both."""
        self._stores = [open_collector(url, folder / name) for name in ("first", "second")]
        self._last = [0, 0]
        self._known: dict[tuple[str, int], tuple[int, int]] = {}

    def for_tenant(self, tenant: str, /) -> SpanReader:
        """Return the first one's reader, once the second has said how far it is."""
        self._stores[1].catch_up_some()
        time.sleep(_LOOKED_SECONDS)
        self._stores[0].catch_up_some()
        return self._stores[0].for_tenant(tenant)

    def write_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter`."""
        which, ours = self._whose(segment)
        self._stores[which].write_segment(ours)

    def recover_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter`."""
        which, ours = self._whose(segment)
        self._stores[which].recover_segment(ours)

    def write_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter`."""
        which, ours = self._whose(segment)
        self._stores[which].write_part(ours, path)

    def try_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter`."""
        which, ours = self._whose(segment)
        self._stores[which].try_part(ours, path)

    def expect(self, segments: Sequence[SealedSegment], /) -> None:
        """See `SpanWriter`."""
        for segment in segments:
            which, ours = self._whose(segment)
            self._stores[which].expect([ours])

    def announce(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter`."""
        which, ours = self._whose(segment)
        self._stores[which].announce(ours)

    def close(self) -> None:
        """Close both."""
        for store in self._stores:
            store.close()

    def _whose(self, segment: SealedSegment) -> tuple[int, SealedSegment]:
        """Return who stores a segment, and it under an id that is theirs."""
        key = (segment.tenant, segment.segment_id)
        if key not in self._known:
            which = len(self._known) % 2
            lowest = max(segment.segment_id, self._last[which] + 1)
            self._last[which] = self._stores[which].next_segment_id(lowest)
            self._known[key] = (which, self._last[which])
        which, segment_id = self._known[key]
        return which, dataclasses.replace(segment, segment_id=segment_id)
