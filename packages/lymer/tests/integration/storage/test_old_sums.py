"""Sums of a release that did not count sampled spans say all the same that they estimate."""

from __future__ import annotations

from pathlib import Path

from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.contract import SpanReader
from lymer.tenancy import DEFAULT_TENANT
from make import START, make_request, make_span, write_segment_file

MINUTE = 60 * 10**9
HOUR = 60 * MINUTE
MEMORY = 900 * 2**20


def _told(reader: SpanReader, hour: int) -> list[bool]:
    start = START // HOUR * HOUR + hour * HOUR
    minutes = start // MINUTE, start // MINUTE + 59
    slots = [
        reader.get_red_slots(
            minutes, ["shop", "cart"], ["server"], by_operation=True, slot_minutes=n
        )
        for n in (1, 60)
    ]
    found = [
        reader.get_red(start, start + MINUTE * 10, ""),
        reader.get_red(start, start + HOUR, ""),
        reader.get_dependencies(start, start + HOUR),
        *slots,
    ]
    assert all(found)
    return [any(one.is_estimated for one in rows) for rows in found]


def test_what_an_older_release_counted_says_that_it_estimates(tmp_path: Path) -> None:
    """By the minute and by the hour; of an hour without samples nothing is said."""
    hour = START % HOUR
    segment = write_segment_file(
        tmp_path,
        *(
            make_request(
                make_span(trace, 1 + child, child, kind=2, trace_state=state,
                    offset_nano=at * HOUR - hour + MINUTE),
                service=service,
            )
            for trace, at, state in ((1, 0, "ot=th:c"), (2, 2, ""))
            for child, service in enumerate(("shop", "cart"))
        ),
    )  # fmt: skip
    engine = ChdbEngine(tmp_path / "engine", memory_bytes_max=MEMORY)
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=MEMORY)
    store.write_segment(segment)
    store.catch_up()
    assert _told(store.for_tenant(DEFAULT_TENANT), 0) == [True] * 5
    assert _told(store.for_tenant(DEFAULT_TENANT), 2) == [False] * 5
    for table in ("red", "red_hours", "dependencies"):
        engine.command("lymer", f"ALTER TABLE {{db}}.{table} DROP COLUMN sampled")
    engine.command(
        "lymer", "ALTER TABLE {db}.schema_versions DELETE WHERE version >= 13",
        {}, {"mutations_sync": 1},
    )  # fmt: skip
    store.close()

    engine = ChdbEngine(tmp_path / "engine", memory_bytes_max=MEMORY)
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=MEMORY)
    try:
        assert _told(store.for_tenant(DEFAULT_TENANT), 0) == [True] * 5
        assert _told(store.for_tenant(DEFAULT_TENANT), 2) == [False] * 5
    finally:
        store.close()
