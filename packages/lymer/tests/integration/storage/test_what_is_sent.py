"""A segment on its way to a ClickHouse server."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.clickhouse_server import server_url
from lymer.errors import StorageAwayError, StorageError
from lymer.storage.clickhouse.engine_server import ServerEngine
from lymer.storage.clickhouse.otlp_format import FORMAT_SETTINGS, STRUCTURE
from make import make_request, make_span, write_segment_file

_COUNT = "INSERT INTO {db}.counted SELECT arrayCount(x -> 1, resource_spans) FROM {source}"


@pytest.fixture
def engine() -> Iterator[ServerEngine]:
    """Yield a connection to a server with an empty table that counts."""
    with contextlib.closing(ServerEngine(server_url())) as engine:
        engine.command("sent", "DROP DATABASE IF EXISTS {db} SYNC")
        engine.command("sent", "CREATE DATABASE {db}")
        engine.command("sent", "CREATE TABLE {db}.counted (n UInt64) ENGINE = Memory")
        yield engine
        engine.command("sent", "DROP DATABASE {db} SYNC")


def _counted(engine: ServerEngine) -> int:
    ((count,),) = engine.select("sent", "SELECT {mark}, sum(n) FROM {db}.counted", 1)
    return int(count)


def test_a_segment_is_never_in_memory_whole(engine: ServerEngine, tmp_path: Path) -> None:
    """It goes to the server in pieces: collectors are small, segments may be large."""
    request = make_request(*(make_span(at, 1, attrs={"key": "v" * 2_000}) for at in range(1, 101)))
    segment = write_segment_file(tmp_path, *([request] * 20))
    tracemalloc.start()
    engine.load_file("sent", _COUNT, segment.path, STRUCTURE, FORMAT_SETTINGS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert _counted(engine) == 20
    assert peak < 0.2 * segment.byte_count


@pytest.mark.parametrize("first", b"\n \t\r;")
def test_a_segment_may_begin_with_what_looks_like_a_blank(
    engine: ServerEngine, tmp_path: Path, first: int
) -> None:
    """The statement stands before it, and the length of a message may be any byte."""
    file = tmp_path / "segment"
    # One resource without anything, and a field that nobody knows, so that it is as long as asked.
    unknown = first - 4
    body = b"\x0a\x00" + bytes([0x7A, unknown]) + b"x" * unknown
    assert len(body) == first
    file.write_bytes(bytes([first]) + body)
    engine.load_file("sent", _COUNT, file, STRUCTURE, FORMAT_SETTINGS)
    assert _counted(engine) == 1


def test_a_file_that_cannot_be_read_is_no_fault_of_the_server(
    engine: ServerEngine, tmp_path: Path
) -> None:
    """The store is not away then."""
    with pytest.raises(StorageError, match="cannot read") as caught:
        engine.load_file("sent", _COUNT, tmp_path / "none", STRUCTURE, FORMAT_SETTINGS)
    assert not isinstance(caught.value, StorageAwayError)
