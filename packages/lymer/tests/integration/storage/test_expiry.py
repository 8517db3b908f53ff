"""Tenants and services that are kept for another time than all others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.clickhouse_server import server_url
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.engine_server import ServerEngine
from lymer.storage.clickhouse.store import ClickHouseStore, Retention
from lymer.tenancy import DEFAULT_TENANT
from make import make_request, make_span, trace_hex, write_segment_file

_NOON = 1_795_348_800
"""A day's beginning is 43,200 s before."""
_DAY = 86_400
_SERVICES = ("shop", "debug-a", "debug-b", "it's")


def _embedded(folder: Path) -> Engine:
    return ChdbEngine(folder / "engine", memory_bytes_max=600 * 2**20)


def _server(folder: Path) -> Engine:
    del folder
    engine = ServerEngine(server_url())
    statement = "SELECT {mark}, name FROM system.databases WHERE match(name, '^(all_)?lymer')"
    for (name,) in zip(*engine.select("", statement, 1), strict=True):
        engine.command(name.decode(), "DROP DATABASE {db} SYNC")
    return engine


@pytest.mark.parametrize("make_engine", [_embedded, _server])
def test_spans_of_a_service_go_when_their_day_is_past_its_time(
    make_engine: Callable[[Path], Engine], tmp_path: Path
) -> None:
    """Only that service's, only of that day, and once; names with quotes and `*` are understood."""
    engine = make_engine(tmp_path)
    store = ClickHouseStore(
        engine,
        retention_seconds=10**9,
        memory_bytes_max=600 * 2**20,
        retention=Retention((), (("debug-*", _DAY), ("it's", 2 * _DAY))),
    )
    for day in range(2):
        spans = [
            (service, make_span(100 * day + at, 1)) for at, service in enumerate(_SERVICES, start=1)
        ]
        requests = [make_request(span, service=service) for service, span in spans]
        segment_id = (_NOON + day * _DAY) * 1_000_000
        store.write_segment(write_segment_file(tmp_path, *requests, segment_id=segment_id))

    def left() -> set[int]:
        ids = {trace_hex(100 * day + at): 100 * day + at for day in range(2) for at in range(1, 5)}
        reader = store.for_tenant(DEFAULT_TENANT)
        return {ids[one] for one in reader.get_traces([*ids], raw=True, skeleton=True).trace_id}

    midnight = _NOON + _DAY // 2
    assert store.expire(midnight + _DAY - 1) == 0
    assert left() == {1, 2, 3, 4, 101, 102, 103, 104}
    assert store.expire(midnight + _DAY) == 1
    _settle(engine)
    assert left() == {1, 4, 101, 102, 103, 104}
    assert store.expire(midnight + _DAY) == 0, "there is nothing left to remove"
    assert store.expire(midnight + 2 * _DAY) == 2
    _settle(engine)
    assert left() == {1, 101, 104}
    store.close()


def _settle(engine: Engine) -> None:
    statement = (
        "SELECT {mark}, count() FROM system.mutations WHERE database = '{db}' AND NOT is_done"
    )
    while engine.select("lymer", statement, 1) != [[0]]:
        pass


def _server_again(folder: Path) -> Engine:
    del folder
    return ServerEngine(server_url())


@pytest.mark.parametrize("engines", [(_embedded, _embedded), (_server, _server_again)])
def test_a_tenant_has_its_own_time(
    engines: tuple[Callable[[Path], Engine], ...], tmp_path: Path
) -> None:
    """In the span table's TTL, also when the setting changes; others have everybody's."""
    for seconds, make_engine in zip((7_200, 10_800), engines, strict=True):
        engine = make_engine(tmp_path)
        store = ClickHouseStore(
            engine,
            retention_seconds=86_400,
            memory_bytes_max=600 * 2**20,
            retention=Retention((("acme", seconds),)),
        )
        segment = write_segment_file(tmp_path, make_request(make_span(1, 1)), tenant="acme")
        store.recover_segment(segment)
        statement = (
            "SELECT {mark}, database, "
            r"extract(create_table_query, 'toIntervalSecond\\((\\d+)\\)') "
            "FROM system.tables WHERE name = 'spans' ORDER BY database"
        )
        databases, ttl = engine.select("", statement, 2)
        assert databases[0] == b"lymer"
        assert ttl == [b"86400", str(seconds).encode()]
        store.close()
