"""What a store keeps, for how long, and what it says when it opens."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.engine_lines import engine_lines
from lymer import clock
from lymer.errors import StartupError
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.schema_migration import Kept, migrate
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.clickhouse.tenants import database_of
from lymer.tenancy import DEFAULT_TENANT
from make import make_request, make_span, trace_hex, write_segment_file

MEMORY_BYTES = 900 * 2**20
HOUR_SECONDS = 3600
DAY_SECONDS = 24 * HOUR_SECONDS
TABLES = ("spans", "operations", "origins", "red", "dependencies")


def _open(folder: Path, retention_seconds: int) -> tuple[ChdbEngine, ClickHouseStore]:
    engine = ChdbEngine(folder / "engine", memory_bytes_max=MEMORY_BYTES)
    store = ClickHouseStore(
        engine, retention_seconds=retention_seconds, memory_bytes_max=MEMORY_BYTES
    )
    return engine, store


def _is_true_within(seconds: float, condition: Callable[[], bool]) -> bool:
    end = clock.monotonic_seconds() + seconds
    while not condition():
        if clock.monotonic_seconds() > end:
            return False
        time.sleep(0.1)
    return True


def _segment_id(age_seconds: int) -> int:
    return clock.unix_nano() // 1000 - age_seconds * 1_000_000


def _ttl(engine: ChdbEngine, table: str) -> str:
    (text,) = engine_lines(
        engine, f"SELECT create_table_query FROM system.tables WHERE name = '{table}'"
    )
    return text.partition(" TTL ")[2].partition(" SETTINGS ")[0]


def test_spans_go_when_their_time_is_over_and_later_ones_stay(tmp_path: Path) -> None:
    """Age counts from arrival; a trace that is too old is not found any more."""
    engine, store = _open(tmp_path, HOUR_SECONDS)
    old = write_segment_file(
        tmp_path, make_request(make_span(1, 1)), segment_id=_segment_id(2 * HOUR_SECONDS)
    )
    new = write_segment_file(tmp_path, make_request(make_span(2, 2)), segment_id=_segment_id(60))
    store.write_segment(old)
    store.write_segment(new)
    engine.command("lymer", "OPTIMIZE TABLE {db}.spans FINAL")

    def only_new() -> bool:
        found = store.for_tenant(DEFAULT_TENANT).get_traces(
            [trace_hex(1), trace_hex(2)], raw=True, skeleton=True
        )
        return found.trace_id == [trace_hex(2)]

    assert _is_true_within(20, only_new)
    store.close()


def test_each_tenants_spans_go_when_their_time_is_over(tmp_path: Path) -> None:
    """The same trace id, old in one and new in the other, and the other way round."""
    engine, store = _open(tmp_path, HOUR_SECONDS)
    for tenant, ages in {"a": (2 * HOUR_SECONDS, 60), "b": (2 * HOUR_SECONDS + 1, 61)}.items():
        for trace, age in zip((1, 2) if tenant == "a" else (2, 1), ages, strict=True):
            request = make_request(make_span(trace, trace), service=tenant)
            segment_id = _segment_id(age)
            store.write_segment(
                write_segment_file(tmp_path, request, segment_id=segment_id, tenant=tenant)
            )
        engine.command(database_of(tenant), "OPTIMIZE TABLE {db}.spans FINAL")

    def kept(tenant: str) -> list[str]:
        reader = store.for_tenant(tenant)
        return reader.get_traces([trace_hex(1), trace_hex(2)], raw=True, skeleton=True).trace_id

    assert _is_true_within(20, lambda: kept("a") == [trace_hex(2)])
    assert _is_true_within(20, lambda: kept("b") == [trace_hex(1)])
    assert [store.for_tenant(one).get_services() for one in ("a", "b")] == [["a"], ["b"]]
    store.close()
    _, store = _open(tmp_path, HOUR_SECONDS)
    assert [kept(one) for one in ("a", "b")] == [[trace_hex(2)], [trace_hex(1)]]
    store.close()


def test_another_retention_is_set_on_tables_that_exist(tmp_path: Path) -> None:
    """Opening with another retention changes every table, and keeps the rows."""
    _, store = _open(tmp_path, 7 * DAY_SECONDS)
    store.write_segment(
        write_segment_file(tmp_path, make_request(make_span(1, 1)), segment_id=_segment_id(60))
    )
    store.close()
    engine, store = _open(tmp_path, 3 * DAY_SECONDS)

    assert {str(3 * DAY_SECONDS) in _ttl(engine, table) for table in TABLES} == {True}
    assert (
        len(store.for_tenant(DEFAULT_TENANT).get_traces([trace_hex(1)], raw=True, skeleton=True))
        == 1
    )
    store.close()


def test_no_statistics_are_made_of_spans_in_a_folder_of_an_older_release_either(
    tmp_path: Path,
) -> None:
    """They cost CPU at each load; a merge drops those that are there."""
    traces = [
        write_segment_file(
            tmp_path, make_request(make_span(trace, 1)), segment_id=_segment_id(60 - trace)
        )
        for trace in (1, 2)
    ]

    def has_statistics(engine: ChdbEngine) -> bool:
        engine.command("lymer", "OPTIMIZE TABLE {db}.spans FINAL")
        of_parts = (
            "SELECT max(notEmpty(statistics)) FROM system.parts_columns "
            "WHERE database = 'lymer' AND table = 'spans' AND active"
        )
        return engine_lines(engine, of_parts) == ["1"]

    engine, store = _open(tmp_path, DAY_SECONDS)
    store.write_segment(traces[0])
    engine.command("lymer", "ALTER TABLE {db}.spans RESET SETTING auto_statistics_types")
    store.close()
    older = ChdbEngine(tmp_path / "engine", memory_bytes_max=MEMORY_BYTES)
    assert has_statistics(older)
    older.close()

    engine, store = _open(tmp_path, DAY_SECONDS)
    store.write_segment(traces[1])
    assert not has_statistics(engine)
    assert store.for_tenant(DEFAULT_TENANT).get_otlp([trace_hex(1), trace_hex(2)])
    store.close()


def test_a_store_of_a_newer_program_is_not_touched(tmp_path: Path) -> None:
    """The message says which version it has and what to do."""
    engine, store = _open(tmp_path, DAY_SECONDS)
    engine.command("lymer", "INSERT INTO {db}.schema_versions (version, name) SELECT 999, 'future'")

    with pytest.raises(StartupError, match="its schema has version 999, this program knows"):
        migrate(engine, "lymer", Kept(DAY_SECONDS))
    store.close()


def test_nothing_is_written_into_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It need not be writable; the engine's schema files live with the store."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    _, store = _open(tmp_path, DAY_SECONDS)
    store.write_segment(write_segment_file(tmp_path, make_request(make_span(1, 1))))
    store.for_tenant(DEFAULT_TENANT).get_otlp([trace_hex(1)])
    store.close()

    assert list(here.iterdir()) == []


def test_a_part_the_engine_set_aside_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its rows are missing from every answer, so the log says so loudly."""
    engine, store = _open(tmp_path, DAY_SECONDS)
    store.write_segment(write_segment_file(tmp_path, make_request(make_span(1, 1))))
    (name,) = engine_lines(engine, "SELECT name FROM system.parts WHERE table = 'spans' AND active")
    engine.command("lymer", f"ALTER TABLE {{db}}.spans DETACH PART '{name}'")
    store.close()
    caplog.clear()

    _, store = _open(tmp_path, DAY_SECONDS)
    store.close()

    assert any("set aside by the engine" in record.getMessage() for record in caplog.records)


def test_a_few_spans_wait_to_be_counted_until_somebody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step costs as much for a few as for thousands, so it is made once a minute."""
    now = clock.monotonic_seconds()
    monkeypatch.setattr(clock, "monotonic_seconds", lambda: now)
    engine, store = _open(tmp_path, DAY_SECONDS)

    def counted() -> int:
        return int(engine_lines(engine, "SELECT sum(calls) FROM lymer.red")[0])

    def stored(number: int) -> None:
        request = make_request(make_span(number, 1))
        store.write_segment(write_segment_file(tmp_path, request, segment_id=_segment_id(0)))

    stored(1)
    assert store.catch_up_some()
    assert counted() == 1

    stored(2)
    assert not store.catch_up_some()
    assert counted() == 1
    assert sum(one.call_count for one in store.for_tenant(DEFAULT_TENANT).get_red(0, 2**62, ""))
    assert counted() == 2

    stored(3)
    now += 61
    assert store.catch_up_some()
    assert counted() == 3
    store.close()


def test_a_segment_that_needs_repair_is_stored_once(tmp_path: Path) -> None:
    """The statement that repairs nothing refuses it whole; others after it go on."""
    engine, store = _open(tmp_path, DAY_SECONDS)
    good, bad = make_span(1, 1), make_span(2, 2)
    bad.end_time_unix_nano = bad.start_time_unix_nano
    long_id = make_span(3, 3)
    long_id.span_id = b"123456789"
    for number, spans in enumerate([(good,), (good, bad), (good,), (long_id,)]):
        file = write_segment_file(
            tmp_path, make_request(*spans), segment_id=_segment_id(100 - number)
        )
        store.write_segment(file)
        assert engine_lines(
            engine, f"SELECT count() FROM lymer.spans WHERE seg = {file.segment_id}"
        ) == [str(len(spans))]

    lines = engine_lines(
        engine, "SELECT arrayStringConcat(warnings) FROM lymer.spans WHERE rare > 0 ORDER BY seg"
    )

    assert [line.split(" ")[0] for line in lines] == ["Negative", "span"]
    store.close()
