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

from lymer.storage.clickhouse.engine import Engine, Settings

__all__ = ["LOOKBACK_MICROSECONDS", "Rollups"]

LOOKBACK_MICROSECONDS: Final = 300 * 1_000_000
"""Parent and child that arrive further apart than this are not counted as a call."""

_SEGMENTS: Final = "seg > {after} AND seg <= {upto}"
_MINUTE: Final = "toUInt32(least(intDiv(start, 60000000000), 4294967295))"
_RED: Final = f"""
INSERT INTO lymer.red
SELECT service, name, kind, {_MINUTE} AS minute, count(), countIf(status = 2),
    sum(toUInt64(duration)), sumMap(map(toInt16(floor(log2(duration + 1) * 8)), toUInt64(1))),
    {{upto}}
FROM lymer.spans WHERE {_SEGMENTS} GROUP BY service, name, kind, minute
UNION ALL
SELECT '', '', 0, 0, 0, 0, 0, CAST(map(), 'Map(Int16, UInt64)'), {{upto}}
"""
_CHILDREN: Final = (
    f"SELECT trace_id, parent_span_id AS id, service, {_MINUTE} AS minute FROM lymer.spans "
    "WHERE {condition} AND parent_span_id != toFixedString('', 8)"
)
_PARENTS: Final = (
    "SELECT trace_id, span_id AS id, argMin(service, start) AS service FROM lymer.spans "
    "WHERE {condition} GROUP BY trace_id, id"
)
_BEFORE: Final = "seg > {lookback} AND seg <= {after}"


def _edges(children: str, parents: str) -> str:
    return (
        "SELECT p.service AS parent, c.service AS child, c.minute AS minute, count() AS calls "
        f"FROM ({_CHILDREN.replace('{condition}', children)}) AS c "
        f"INNER JOIN ({_PARENTS.replace('{condition}', parents)}) AS p "
        "ON c.trace_id = p.trace_id AND c.id = p.id GROUP BY parent, child, minute"
    )


_DEPENDENCIES: Final = f"""
INSERT INTO lymer.dependencies
SELECT parent, child, minute, sum(calls), {{upto}} FROM
(
    {_edges(_SEGMENTS, "seg > {lookback} AND seg <= {upto}")}
    UNION ALL
    {_edges(_BEFORE, _SEGMENTS)}
)
GROUP BY parent, child, minute
UNION ALL
SELECT '', '', 0, 0, {{upto}}
"""
_ONE_PART: Final[dict[str, str | int]] = {
    "max_insert_threads": 1,
    "max_threads": 1,
    "max_insert_block_size": 100_000_000,
    "min_insert_block_size_rows": 100_000_000,
    "min_insert_block_size_bytes": 100_000_000_000,
    "async_insert": 0,
    "join_algorithm": "hash",
}


class Rollups:
    """Counts stored segments into the rollup tables; thread-safe."""

    def __init__(self, engine: Engine, *, memory_bytes_max: int) -> None:
        """Read how far each rollup has come."""
        self._engine = engine
        self._settings: Settings = {**_ONE_PART, "max_memory_usage": memory_bytes_max}
        self._lock = threading.Lock()
        self._counted = {
            table: int(engine.query(f"SELECT max(batch) FROM lymer.{table} FORMAT TSV", {}, {}))
            for table in ("red", "dependencies")
        }

    def behind(self, settled_segment_id: int) -> bool:
        """Tell whether there is anything to count."""
        return any(counted < settled_segment_id for counted in self._counted.values())

    def catch_up(self, settled_segment_id: int) -> None:
        """Count every segment up to `settled_segment_id` that is not counted.

        Raises:
            StorageError: Some rollup is where it was; calling again is right.
        """
        with self._lock:
            for table, statement in (("red", _RED), ("dependencies", _DEPENDENCIES)):
                after = self._counted[table]
                if after >= settled_segment_id:
                    continue
                filled = (
                    statement.replace("{after}", str(after))
                    .replace("{upto}", str(settled_segment_id))
                    .replace("{lookback}", str(max(0, after - LOOKBACK_MICROSECONDS)))
                )
                self._engine.command(filled, self._settings)
                self._counted[table] = settled_segment_id
