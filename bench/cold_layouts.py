"""How few bytes a span that is old can take: layouts of the span table, on the same spans.

    .venv/bin/python -m bench.cold_layouts [SPANS]

Stores copies of recorded spans as Lymer does, merges them into one part, writes the same rows into
tables of other layouts, each merged into one part as well, and prints bytes a span, by column, the
processor time that writing took, and that of reading twenty traces by their ids, one by one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.workload import make_workload
from lymer import clock
from lymer.model.segment import SealedSegment
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore

_MEMORY: Final = 4 * 2**30
_SEGMENT_BYTES: Final = 32 * 2**20
_DATABASE: Final = "lymer"

_LARGE_BLOCKS: Final = (
    "index_granularity = 8192, min_bytes_for_wide_part = 0, "
    "min_compress_block_size = 1048576, max_compress_block_size = 4194304"
)
_COMPACT: Final = "index_granularity = 2048, min_bytes_for_wide_part = 1099511627776"
"""As the table is."""
_ATTRIBUTES: Final = {"attrs": "ZSTD(12)", "events": "ZSTD(12)"}
_DEFAULT: Final = {"attrs": "Default", "events": "Default", "duration": "T64, Default"}
_HARD: Final = {
    "attrs": "ZSTD(12)",
    "events": "ZSTD(12)",
    "trace_id": "ZSTD(9)",
    "parent_span_id": "ZSTD(9)",
    "start": "Delta(8), ZSTD(9)",
    "duration": "T64, ZSTD(9)",
    "name": "ZSTD(9)",
    "resource": "ZSTD(9)",
}
_NO_INDEXES: Final = ("ix_trace", "ix_values", "ix_nested", "ix_duration", "ix_service",
                      "ix_resource", "ix_seg")  # fmt: skip
_RANKED: Final = """
SELECT s.*, t.ordinal AS ordinal, toInt64(s.start) - toInt64(t.began) AS since,
    toUInt16(ifNull(indexOf(t.ids, s.parent_span_id), 0)) AS parent_rank,
    if(parent_rank = 0, s.parent_span_id, toFixedString('', 8)) AS far_parent
FROM {db}.spans AS s INNER JOIN
(
    SELECT trace_id, min(start) AS began,
        arrayMap(one -> one.2, arraySort(groupArray((start, span_id)))) AS ids,
        toUInt32(row_number() OVER (ORDER BY min(start))) AS ordinal
    FROM {db}.spans GROUP BY trace_id
) AS t USING trace_id
"""


def main(spans: int) -> None:
    """Measure one layout after the other."""
    with tempfile.TemporaryDirectory(prefix="lymer-bench-") as name:
        folder = Path(name)
        engine = ChdbEngine(folder / "store", memory_bytes_max=_MEMORY)
        store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=_MEMORY)
        count = _fill(store, folder, spans)
        engine.command(_DATABASE, "OPTIMIZE TABLE {db}.spans FINAL")
        print(f"{count} spans")
        _tell(engine, "as it is", "spans", count, 0.0)

        _like(engine, "rewritten", "start", {}, _COMPACT, count)
        _like(engine, "attributes_hard", "start", _ATTRIBUTES, _COMPACT, count)
        _like(engine, "all_hard", "start", _HARD, _COMPACT, count)
        _like(
            engine, "default_recompress", "start", _DEFAULT,
            f"{_COMPACT}, default_compression_codec = 'ZSTD(3)'", count, recompress=True,
        )  # fmt: skip
        _like(engine, "blocks", "start", {}, _LARGE_BLOCKS, count)
        _like(engine, "codecs", "start", _HARD, _LARGE_BLOCKS, count)
        _like(engine, "recompress", "start", {}, _LARGE_BLOCKS, count, recompress=True)
        _like(engine, "service_order", "service, name, start", _HARD, _LARGE_BLOCKS, count)
        _like(engine, "no_indexes", "start", _HARD, _LARGE_BLOCKS, count, indexes=False)
        for order in ("ordinal, since", "service, name, ordinal, since"):
            _encoded(engine, f"encoded_{'trace' if order[0] == 'o' else 'search'}", order, count)
        store.close()


def _fill(store: ClickHouseStore, folder: Path, spans: int) -> int:
    workload = make_workload(folder / "workload", spans, 200, None)
    stored = begin = size = waiting = 0
    content = (folder / "workload").read_bytes()
    for _, end, count in workload.requests:
        waiting, size = waiting + count, end - begin
        if size < _SEGMENT_BYTES and end < len(content):
            continue
        file = folder / "segment"
        file.write_bytes(content[begin:end])
        store.write_segment(SealedSegment(clock.unix_nano() // 1000, file, waiting, size))
        stored, begin, waiting = stored + waiting, end, 0
    return stored


def _like(
    engine: ChdbEngine, name: str, order: str, codecs: dict[str, str], settings: str, count: int,
    *, indexes: bool = True, recompress: bool = False,
) -> None:  # fmt: skip
    """Write the rows into a table with the same columns."""
    began = time.process_time()
    ttl = "TTL toDateTime(intDiv(seg, 1000000)) + toIntervalSecond(1) RECOMPRESS CODEC(ZSTD(12))"
    engine.command(
        _DATABASE,
        f"CREATE TABLE {{db}}.{name} AS {{db}}.spans ENGINE = MergeTree ORDER BY ({order}) "
        f"{ttl if recompress else ''} SETTINGS {settings}",
    )
    changes = [f"MODIFY COLUMN {column} CODEC({codec})" for column, codec in codecs.items()]
    changes += [] if indexes else [f"DROP INDEX {one}" for one in _NO_INDEXES]
    if changes:
        engine.command(_DATABASE, f"ALTER TABLE {{db}}.{name} {', '.join(changes)}")
    engine.command(_DATABASE, f"INSERT INTO {{db}}.{name} SELECT * FROM {{db}}.spans")
    engine.command(_DATABASE, f"OPTIMIZE TABLE {{db}}.{name} FINAL")
    _tell(engine, name, name, count, time.process_time() - began)


def _encoded(engine: ChdbEngine, name: str, order: str, count: int) -> None:
    """Write traces as numbers, parents as ranks, starts as distances; a table has the ids."""
    began = time.process_time()
    engine.command(
        _DATABASE,
        f"CREATE TABLE {{db}}.{name}_ids ENGINE = MergeTree ORDER BY ordinal "
        f"SETTINGS {_LARGE_BLOCKS} AS SELECT DISTINCT ordinal, trace_id, start - since AS began "
        f"FROM ({_RANKED}) WHERE since = 0",
    )
    columns = (
        "seg UInt64 CODEC(ZSTD(1)), ordinal UInt32 CODEC(Delta(4), ZSTD(9)), "
        "since Int64 CODEC(T64, ZSTD(9)), span_id FixedString(8) CODEC(NONE), "
        "parent_rank UInt16 CODEC(ZSTD(9)), far_parent FixedString(8) CODEC(ZSTD(9)), "
        "duration Int64 CODEC(T64, ZSTD(9)), service LowCardinality(String) CODEC(ZSTD(9)), "
        "name LowCardinality(String) CODEC(ZSTD(9)), "
        "resource LowCardinality(String) CODEC(ZSTD(9)), "
        "scope LowCardinality(String) CODEC(ZSTD(9)), kind Int32 CODEC(T64, ZSTD(1)), "
        "status Int32 CODEC(T64, ZSTD(1)), "
        "attrs Map(LowCardinality(String), String) CODEC(ZSTD(12)), "
        "INDEX ix_values mapValues(attrs) TYPE bloom_filter(0.005) GRANULARITY 1"
    )
    rest = "events, links, status_message, trace_state, flags, dropped, warnings, rare"
    engine.command(
        _DATABASE,
        f"CREATE TABLE {{db}}.{name}_rest ENGINE = MergeTree ORDER BY tuple() "
        f"SETTINGS {_LARGE_BLOCKS} AS SELECT {rest} FROM ({_RANKED}) ORDER BY {order}",
    )
    engine.command(
        _DATABASE,
        f"CREATE TABLE {{db}}.{name} ({columns}) ENGINE = MergeTree ORDER BY ({order}) "
        f"SETTINGS {_LARGE_BLOCKS}",
    )
    names = (
        "seg, ordinal, since, span_id, parent_rank, far_parent, duration, service, name, resource, "
        "scope, kind, status, attrs"
    )
    engine.command(
        _DATABASE, f"INSERT INTO {{db}}.{name} ({names}) SELECT {names} FROM ({_RANKED})"
    )
    for one in (name, f"{name}_rest", f"{name}_ids"):
        engine.command(_DATABASE, f"OPTIMIZE TABLE {{db}}.{one} FINAL")
    _tell(engine, name, f"{name}%", count, time.process_time() - began)


def _tell(engine: ChdbEngine, name: str, table: str, count: int, seconds: float) -> None:
    bytes_ = (
        "SELECT {mark}, sum(bytes_on_disk) FROM system.parts WHERE active AND database = '{db}' "
    )
    ((size,),) = engine.select(_DATABASE, bytes_ + f"AND table LIKE '{table}'", 1)
    columns, sizes = engine.select(
        _DATABASE,
        "SELECT {mark}, column, sum(column_bytes_on_disk) AS size FROM system.parts_columns WHERE "
        f"active AND database = '{{db}}' AND table LIKE '{table}' GROUP BY column "
        "ORDER BY size DESC LIMIT 8",
        2,
    )
    shown = ", ".join(
        f"{column.decode()} {size / count:.2f}" for column, size in zip(columns, sizes, strict=True)
    )
    reading = _read_seconds(engine, table) if "%" not in table else 0.0
    print(
        f"{name}: {size / count:.1f} bytes a span; written in {seconds:.1f} CPU-s, "
        f"{seconds * 1e6 / count:.1f} a million; a trace {reading * 1e3:.1f} CPU-ms; {shown}",
        flush=True,
    )


def _read_seconds(engine: ChdbEngine, table: str) -> float:
    """Return the least processor time of reading one trace whole, of twenty."""
    (ids,) = engine.select(
        _DATABASE,
        "SELECT {mark}, hex(trace_id) FROM (SELECT DISTINCT trace_id FROM {db}.spans "
        "ORDER BY cityHash64(trace_id) LIMIT 20)",
        1,
    )
    taken = []
    for one in ids:
        began = time.process_time()
        engine.select(
            _DATABASE,
            "SELECT {mark}, span_id, parent_span_id, start, duration, service, name, kind, attrs, "
            f"events FROM {{db}}.{table} WHERE trace_id = unhex('{one.decode()}')",
            9,
            {},
            {"max_threads": 1},
        )
        taken.append(time.process_time() - began)
    return min(taken)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300_000)
