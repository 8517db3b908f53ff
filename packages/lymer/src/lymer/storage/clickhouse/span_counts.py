"""What was stored since somebody last looked, counted for metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from lymer import clock
from lymer.model.question import SPAN_KINDS
from lymer.model.span_counts import DURATION_BOUNDS_MS, EdgeCount, NewCounts, SpanCount
from lymer.storage.clickhouse.engine import Engine, Settings
from lymer.storage.clickhouse.graph import GRAPH_WIDTH, edges_of
from lymer.storage.clickhouse.sampling_threshold import WEIGHT
from lymer.storage.clickhouse.statements import statement

__all__ = ["SpanCounts"]

LOOK_BACK_SECONDS: Final = 600
"""Who looks less often misses what was stored before; it bounds what one look costs."""
EDGE_MINUTES_MAX: Final = 60
"""Edges of so many minutes before now are looked at: spans may come late."""
_BOUNDS: Final = [round(bound * 1e6) for bound in DURATION_BOUNDS_MS]
_COUNT: Final = statement("span_counts", weight=WEIGHT, bounds=str(_BOUNDS))
_EDGES: Final = statement("edge_counts")
_MICRO: Final = 1_000_000


class SpanCounts:
    """Looks at one tenant's store; one thread at a time."""

    def __init__(
        self,
        engine: Engine,
        database: str,
        tenant: str,
        settled_segment_id: Callable[[], int],
        *,
        memory_bytes_max: int,
        ours: str = "",
    ) -> None:
        """Begin now: what is stored already was counted by nobody.

        Args:
            engine: Holds the tables.
            database: The tenant's.
            tenant: Whose.
            settled_segment_id: Tells up to which segment all is stored.
            memory_bytes_max: What a statement may use.
            ours: A clause WHERE for segments of this collector; empty if it is the only one.
        """
        self._count = _COUNT.replace("{ours}", ours.replace(" WHERE ", " AND ", 1))
        self._engine = engine
        self._database = database
        self._tenant = tenant
        self._settled_segment_id = settled_segment_id
        self._settings: Settings = {"max_threads": 1, "max_memory_usage": memory_bytes_max}
        self._seen = settled_segment_id()
        self._since_minute = clock.unix_nano() // 60_000_000_000

    def look(self, *, with_edges: bool = True) -> NewCounts:
        """Return what is new.

        Raises:
            StorageError: The next look will return it.
        """
        settled = self._settled_segment_id()
        now = clock.unix_nano() // 1_000
        after = max(self._seen, now - LOOK_BACK_SECONDS * _MICRO)
        spans: list[SpanCount] = []
        if settled > after:
            text = self._count.replace("{after}", str(after)).replace("{upto}", str(settled))
            columns = self._engine.select(self._database, text, 9, {}, self._settings)
            spans = [_count(row) for row in zip(*columns, strict=True)]
        first = max(self._since_minute, now // (60 * _MICRO) - EDGE_MINUTES_MAX)
        edges: list[list[Any]] = [[] for _ in range(GRAPH_WIDTH + 1)]
        if with_edges:
            text = _EDGES.replace("{first}", str(first))
            edges = self._engine.select(self._database, text, GRAPH_WIDTH + 1, {}, self._settings)
        self._seen = max(settled, self._seen)
        return NewCounts(
            self._tenant,
            spans,
            [
                EdgeCount(minute, edge)
                for minute, edge in zip(
                    edges[0], edges_of(zip(*edges[1:], strict=True)), strict=True
                )
            ],
        )


def _count(row: tuple[Any, ...]) -> SpanCount:
    service, name, kind, status, place, native, calls, duration_ms, example = row
    trace_id, span_id, duration, start = example
    return SpanCount(
        service=service.decode(errors="replace"),
        operation=name.decode(errors="replace"),
        span_kind=SPAN_KINDS[kind if 0 < kind < len(SPAN_KINDS) else 0],
        status=status,
        classic=place - 1 if place else len(DURATION_BOUNDS_MS),
        native=native,
        calls=calls,
        duration_ms_sum=duration_ms,
        trace_id=trace_id.hex(),
        span_id=span_id.hex(),
        duration_ms=duration / 1e6,
        start_unix_nano=start,
    )
