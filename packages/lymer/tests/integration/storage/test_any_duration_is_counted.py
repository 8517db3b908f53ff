"""No duration, from nothing to all 64 bits, stops what counts durations."""

from __future__ import annotations

from pathlib import Path

from lymer import clock
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.span_counts import SpanCounts
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.tenancy import DEFAULT_TENANT
from make import START, make_request, make_span, write_segment_file

BYTES = 900 * 2**20


def test_any_duration_is_counted(tmp_path: Path) -> None:
    """By the rollups, and for Prometheus."""
    engine = ChdbEngine(tmp_path / "engine", memory_bytes_max=BYTES)
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=BYTES)
    settled = [0]
    counts = SpanCounts(engine, "lymer", DEFAULT_TENANT, lambda: settled[0], memory_bytes_max=BYTES)
    spans = [make_span(1, at + 1, duration_nano=nano) for at, nano in enumerate((0, 1, 2**40))]
    longest = make_span(1, 9)
    longest.start_time_unix_nano, longest.end_time_unix_nano = 0, 2**64 - 1
    settled[0] = clock.unix_nano() // 1_000
    request = make_request(*spans, longest)
    store.write_segment(write_segment_file(tmp_path, request, segment_id=settled[0]))

    found = counts.look().spans
    assert sum(one.calls for one in found) == 4
    # A span without a duration is stored with a nanosecond: 8 log2(1e-6 ms) is -159.
    assert sorted({one.native for one in found}) == [-159, 161, 345]
    reader = store.for_tenant(DEFAULT_TENANT)
    reader.get_dependencies(START - 10**12, START + 10**12)
    store.close()
