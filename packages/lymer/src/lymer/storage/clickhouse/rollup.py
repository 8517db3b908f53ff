"""Rollups by ingest watermark: each batch of segments is counted once, however late its spans are.

`max(batch)` of a rollup says up to which segment it has counted. A step counts the segments after
it, up to the highest that is safely stored, and inserts the sums as one part: all or nothing, so a
crash leaves the watermark and the sums in step. Merging rows keeps the highest batch.

A call between services is known when the later of its two spans arrives; the earlier one is looked
for among the spans of the lookback (`sql/count_dependencies.sql`).
"""

from __future__ import annotations

import math
import threading
from typing import Final

from lymer import clock
from lymer.storage.clickhouse.engine import ONE_PART, Engine, Settings
from lymer.storage.clickhouse.graph import BUCKET, LEAF, LEAF_ATTRIBUTES, TEXTS, WEIGHT
from lymer.storage.clickhouse.statements import WINDOW_SPANS_MAX, statement
from lymer.storage.clickhouse.throughput import HISTORY_MICROSECONDS

__all__ = ["LOOKBACK_MICROSECONDS", "LOOKBACK_SPANS_MAX", "Rollups"]

LOOKBACK_MICROSECONDS: Final = 300 * 1_000_000
"""Parent and child that arrive further apart than this are not counted as a call."""
LOOKBACK_SPANS_MAX: Final = 2_000_000
"""Nor are they if so many spans arrived between them: looking back costs every step."""

_MINUTE: Final = "toUInt32(least(intDiv(start, 60000000000), 4294967295))"
_NUMBER: Final = "bitShiftRight(cityHash64(service), 1)"
_COUNTING: Final[dict[str, str | int]] = {
    **ONE_PART,
    "join_algorithm": "hash",
    "query_plan_join_swap_table": "false",
}
COUNT_RED: Final = statement("count_red", minute=_MINUTE, weight=WEIGHT)
COUNT_DEPENDENCIES: Final = statement(
    "count_dependencies",
    special_spans=statement("special_spans"),
    services=statement("services"),
    minute=_MINUTE,
    number=_NUMBER,
)
COUNT_GRAPH: Final = statement(
    "count_graph",
    special_spans=statement("graph_special"),
    services=statement("services"),
    leaf_attributes=LEAF_ATTRIBUTES,
    texts=TEXTS,
    leaf=LEAF,
    figures=f"({_MINUTE}, {BUCKET}, toUInt8(status = 2), {WEIGHT}, toFloat64(duration))",
    weight=WEIGHT,
    bucket=BUCKET,
    minute=_MINUTE,
    number=_NUMBER,
)
COUNT_ROOTS: Final = statement("count_roots")


class Rollups:
    """Counts stored segments into the rollup tables; thread-safe."""

    def __init__(self, engine: Engine, database: str, *, memory_bytes_max: int) -> None:
        """Read how far each rollup has come."""
        self._engine = engine
        self._database = database
        self._settings: Settings = {**_COUNTING, "max_memory_usage": memory_bytes_max}
        self._statements = {
            "red": COUNT_RED,
            "dependencies": COUNT_DEPENDENCIES,
            "graph": COUNT_GRAPH,
        }
        self._counted = {table: self._progress(table) for table in self._statements}
        # One each: a reader waits for its own rollup only, and one that fails stops no other.
        self._locks = {table: threading.Lock() for table in self._statements}
        self._in_doubt: set[str] = set()
        self._ended: dict[str, float] = {}

    def count_throughput(self, settled_segment_id: int) -> None:
        """Count throughput too from now on: what arrives, and what arrived just before."""
        begin = settled_segment_id - HISTORY_MICROSECONDS
        self._counted["throughput"] = max(self._progress("throughput"), begin)
        self._locks["throughput"] = threading.Lock()
        self._statements["throughput"] = COUNT_ROOTS

    def tables(self) -> list[str]:
        """Return the rollups there are."""
        return list(self._statements)

    def catch_up(
        self,
        table: str,
        settled_segment_id: int,
        age_seconds_max: float = 0.0,
        *,
        one_step: bool = False,
    ) -> bool:
        """Count into one rollup every segment up to `settled_segment_id` that is not counted.

        Args:
            table: The rollup.
            settled_segment_id: Up to which segment all is stored.
            age_seconds_max: If counting ended less than so long ago, nothing is counted.
            one_step: Count one step at most: an old answer is better than a long wait.

        Returns:
            Whether there was any.

        Raises:
            StorageError: The rollup is where it was, or some steps further; calling again is right.
        """
        if self._counted[table] >= settled_segment_id:
            return False
        with self._locks[table]:
            if clock.monotonic_seconds() - self._ended.get(table, -math.inf) < age_seconds_max:
                return False
            if table in self._in_doubt:
                self._counted[table] = max(self._counted[table], self._progress(table))
                self._in_doubt.discard(table)
            while self._counted[table] < settled_segment_id:
                self._step(table, settled_segment_id)
                if one_step:
                    break
            self._ended[table] = clock.monotonic_seconds()
        return True

    def _progress(self, table: str) -> int:
        statement = f"SELECT {{mark}}, max(batch) FROM {{db}}.{table}"
        ((batch,),) = self._engine.select(self._database, statement, 1)
        return int(batch)

    def _step(self, table: str, settled_segment_id: int) -> None:
        after = self._counted[table]
        upto, lookback = self._window(after, settled_segment_id)
        filled = (
            self._statements[table]
            .replace("{after}", str(after))
            .replace("{upto}", str(upto))
            .replace("{lookback}", str(lookback))
        )
        self._in_doubt.add(table)  # a step that fails may have counted
        self._engine.command(self._database, filled, {}, self._settings)
        self._in_doubt.discard(table)
        self._counted[table] = upto

    def _window(self, after: int, settled_segment_id: int) -> tuple[int, int]:
        """Return the last segment of the next step, and the one behind which its lookback begins.

        A step is so many segments that they hold about enough spans.
        """
        lookback = max(0, after - LOOKBACK_MICROSECONDS)
        filled = statement(
            "window",
            after=after,
            upto=settled_segment_id,
            lookback=lookback,
            window_spans_max=WINDOW_SPANS_MAX,
            lookback_spans_max=LOOKBACK_SPANS_MAX,
        )
        ((full_end,), (too_far_back,)) = self._engine.select(self._database, filled, 2)
        return full_end or settled_segment_id, max(lookback, too_far_back)
