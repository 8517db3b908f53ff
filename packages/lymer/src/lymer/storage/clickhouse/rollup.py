"""Rollups by ingest watermark: each batch of segments is counted once, however late its spans are.

`max(batch)` of a rollup says up to which segment it has counted. A step counts the segments after
it, up to the highest that is safely stored, and inserts the sums as one part: all or nothing, so a
crash leaves the watermark and the sums in step. Merging rows keeps the highest batch.

A dependency is counted when the later of its two spans arrives; the earlier one is looked for among
the spans stored up to `LOOKBACK_MICROSECONDS` before.
"""

from __future__ import annotations

import threading
from typing import Final

from lymer.storage.clickhouse.engine import ONE_PART, Engine, Settings
from lymer.storage.clickhouse.expressions import select_window_end
from lymer.storage.clickhouse.throughput import COUNT_ROOTS, HISTORY_MICROSECONDS

__all__ = ["LOOKBACK_MICROSECONDS", "Rollups"]

LOOKBACK_MICROSECONDS: Final = 30 * 1_000_000
"""Parent and child that arrive further apart than this are not counted as a call."""

_SEGMENTS: Final = "seg > {after} AND seg <= {upto}"
_BEFORE: Final = "seg > {lookback} AND seg <= {after}"
_UP_TO_NOW: Final = "seg > {lookback} AND seg <= {upto}"
_MINUTE: Final = "toUInt32(least(intDiv(start, 60000000000), 4294967295))"
# Buckets are counted first and gathered into maps after: a map per span would cost ten times that.
_RED: Final = f"""
INSERT INTO {{db}}.red
SELECT service, name, kind, minute, sum(calls), sum(errors), sum(durations),
    mapFromArrays(groupArray(bucket), groupArray(calls)), {{upto}}
FROM
(
    SELECT service, name, kind, {_MINUTE} AS minute,
        toInt16(floor(log2(duration + 1) * 8)) AS bucket,
        count() AS calls, countIf(status = 2) AS errors, sum(toUInt64(duration)) AS durations
    FROM {{db}}.spans WHERE {_SEGMENTS} GROUP BY service, name, kind, minute, bucket
)
GROUP BY service, name, kind, minute
UNION ALL
SELECT '', '', 0, 0, 0, 0, 0, CAST(map(), 'Map(Int16, UInt64)'), {{upto}}
"""


_CHILDREN: Final = (
    f"SELECT cityHash64(trace_id, parent_span_id) AS id, service, {_MINUTE} AS minute, "
    "rowNumberInAllBlocks() AS row FROM {db}.spans "
    "WHERE {condition} AND parent_span_id != toFixedString('', 8)"
)
_PARENTS: Final = (
    "SELECT cityHash64(trace_id, span_id) AS id, service, 1 AS found FROM {db}.spans "
    "WHERE {condition}"
)


def _new_children() -> str:
    """Return the statement of (parent, child, minute, calls) for the children of this step.

    The right side of a join is held in memory: here the step's children. A parent that was sent
    twice counts once, hence the grouping by the child's row.
    """
    return (
        "SELECT parent, child, minute, count() AS calls FROM ("
        "SELECT any(p.service) AS parent, any(c.service) AS child, any(c.minute) AS minute "
        f"FROM ({_PARENTS.replace('{condition}', _UP_TO_NOW)}) AS p "
        f"INNER JOIN ({_CHILDREN.replace('{condition}', _SEGMENTS)}) AS c ON p.id = c.id "
        "GROUP BY c.row) GROUP BY parent, child, minute"
    )


def _new_parents() -> str:
    """Return the same for the parents of this step whose children came before, held likewise."""
    return (
        "SELECT p.service AS parent, c.service AS child, c.minute AS minute, count() AS calls "
        f"FROM ({_CHILDREN.replace('{condition}', _BEFORE)}) AS c "
        f"LEFT ANY JOIN ({_PARENTS.replace('{condition}', _SEGMENTS)}) AS p ON c.id = p.id "
        "WHERE p.found = 1 GROUP BY parent, child, minute"
    )


_DEPENDENCIES: Final = f"""
INSERT INTO {{db}}.dependencies
SELECT parent, child, minute, sum(calls), {{upto}} FROM
(
    {_new_children()}
    UNION ALL
    {_new_parents()}
)
GROUP BY parent, child, minute
UNION ALL
SELECT '', '', 0, 0, {{upto}}
"""
_COUNTING: Final[dict[str, str | int]] = {
    **ONE_PART,
    "join_algorithm": "hash",
    "query_plan_join_swap_table": "false",
}


class Rollups:
    """Counts stored segments into the rollup tables; thread-safe."""

    def __init__(self, engine: Engine, database: str, *, memory_bytes_max: int) -> None:
        """Read how far each rollup has come."""
        self._engine = engine
        self._database = database
        self._settings: Settings = {**_COUNTING, "max_memory_usage": memory_bytes_max}
        self._statements = {"red": _RED, "dependencies": _DEPENDENCIES}
        self._counted = {table: self._progress(table) for table in self._statements}
        # One each: a reader waits for its own rollup only, and one that fails stops no other.
        self._locks = {table: threading.Lock() for table in self._statements}
        self._in_doubt: set[str] = set()

    def count_throughput(self, settled_segment_id: int) -> None:
        """Count throughput too from now on: what arrives, and what arrived just before."""
        begin = settled_segment_id - HISTORY_MICROSECONDS
        self._counted["throughput"] = max(self._progress("throughput"), begin)
        self._locks["throughput"] = threading.Lock()
        self._statements["throughput"] = COUNT_ROOTS

    def tables(self) -> list[str]:
        """Return the rollups there are."""
        return list(self._statements)

    def catch_up(self, table: str, settled_segment_id: int) -> bool:
        """Count into one rollup every segment up to `settled_segment_id` that is not counted.

        Returns:
            Whether there was any.

        Raises:
            StorageError: The rollup is where it was, or some steps further; calling again is right.
        """
        if self._counted[table] >= settled_segment_id:
            return False
        with self._locks[table]:
            if table in self._in_doubt:
                self._counted[table] = max(self._counted[table], self._progress(table))
                self._in_doubt.discard(table)
            while self._counted[table] < settled_segment_id:
                self._step(table, settled_segment_id)
        return True

    def _progress(self, table: str) -> int:
        statement = f"SELECT {{mark}}, max(batch) FROM {{db}}.{table}"
        ((batch,),) = self._engine.select(self._database, statement, 1)
        return int(batch)

    def _step(self, table: str, settled_segment_id: int) -> None:
        after = self._counted[table]
        upto = self._step_end(after, settled_segment_id)
        filled = (
            self._statements[table]
            .replace("{after}", str(after))
            .replace("{upto}", str(upto))
            .replace("{lookback}", str(max(0, after - LOOKBACK_MICROSECONDS)))
        )
        self._in_doubt.add(table)  # a step that fails may have counted
        self._engine.command(self._database, filled, {}, self._settings)
        self._in_doubt.discard(table)
        self._counted[table] = upto

    def _step_end(self, after: int, settled_segment_id: int) -> int:
        """Return the last segment of the next step: so many that it holds about enough spans."""
        statement = select_window_end(after, settled_segment_id)
        ((end,),) = self._engine.select(self._database, statement, 1)
        return int(end) or settled_segment_id
