"""A segment on its way to a ClickHouse server."""

from __future__ import annotations

import contextlib
import tracemalloc
from pathlib import Path

from fakes.clickhouse_server import server_url
from lymer.storage.clickhouse.engine_server import ServerEngine
from lymer.storage.clickhouse.otlp_format import FORMAT_SETTINGS, STRUCTURE
from make import make_request, make_span, write_segment_file

_COUNT = "INSERT INTO {db}.counted SELECT arrayCount(x -> 1, resource_spans) FROM {source}"


def test_a_segment_is_in_memory_once_or_twice(tmp_path: Path) -> None:
    """As bytes, never as text: collectors are small, segments may be large."""
    request = make_request(*(make_span(at, 1, attrs={"key": "v" * 2_000}) for at in range(1, 101)))
    segment = write_segment_file(tmp_path, *([request] * 20))
    with contextlib.closing(ServerEngine(server_url())) as engine:
        engine.command("sent", "DROP DATABASE IF EXISTS {db} SYNC")
        engine.command("sent", "CREATE DATABASE {db}")
        engine.command("sent", "CREATE TABLE {db}.counted (n UInt64) ENGINE = Memory")
        tracemalloc.start()
        engine.load_file("sent", _COUNT, segment.path, STRUCTURE, FORMAT_SETTINGS)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert engine.select("sent", "SELECT {mark}, sum(n) FROM {db}.counted", 1) == [[20]]
        engine.command("sent", "DROP DATABASE {db} SYNC")
    assert peak < 2.5 * segment.byte_count
