"""What a server goes on doing for somebody who does not wait for it any more."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.lymer_process import poll
from fakes.clickhouse_server import server_url, start_server
from fakes.faulty_proxy import FaultyProxy
from fakes.two_collectors import open_collector
from lymer.clock import unix_nano
from lymer.errors import StorageAwayError, StorageError
from lymer.model.segment import SealedSegment
from lymer.storage.clickhouse.engine_server import ServerEngine
from lymer.storage.clickhouse.otlp_format import FORMAT_SETTINGS, STRUCTURE
from lymer.storage.clickhouse.statements import LOAD
from lymer.storage.clickhouse.store import ClickHouseStore
from make import make_request, make_span, write_segment_file


@pytest.fixture
def engine() -> Iterator[ServerEngine]:
    """Yield a connection to a server without tables of ours."""
    engine = ServerEngine(server_url())
    engine.command("lymer", "DROP DATABASE IF EXISTS {db} SYNC")
    yield engine
    engine.close()


def test_a_load_that_was_given_up_does_not_double(engine: ServerEngine, tmp_path: Path) -> None:
    """A connection broke, or a collector was killed, and the server goes on with its statement."""
    store = open_collector(server_url(), tmp_path / "data")
    request = make_request(*(make_span(1, number) for number in range(1, 7)))
    segment = write_segment_file(
        tmp_path, request, segment_id=store.next_segment_id(1_795_365_821_000_000)
    )
    given_up = LOAD.replace("{seg}", str(segment.segment_id)) + " WHERE NOT sleepEachRow(0.4)"

    def go_on() -> None:
        with contextlib.suppress(StorageError):
            engine.load_file("lymer", given_up, segment.path, STRUCTURE, FORMAT_SETTINGS)

    slow = threading.Thread(target=go_on)
    slow.start()
    running = "SELECT {mark}, count() FROM system.processes WHERE position(query, 'sleepEachRow(')"
    assert any(engine.select("", running, 1) > [[1]] for _ in poll(30))  # this one, and the load

    store.recover_segment(segment)

    slow.join()
    assert store.stored_spans(segment) == 6
    store.close()


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultyProxy]:
    """Yield what stands before the server."""
    proxy = FaultyProxy(server_url())
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def late(proxy: FaultyProxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseStore]:
    """Yield a collector's store behind the proxy, for the tests that follow it here."""
    with contextlib.closing(ServerEngine(server_url())) as engine:
        engine.command("lymer", "DROP DATABASE IF EXISTS {db} SYNC")
    store = open_collector(proxy.url, tmp_path_factory.mktemp("late"))
    yield store
    proxy.close()
    store.close()


def _segment(folder: Path, store: ClickHouseStore, spans: int = 6) -> SealedSegment:
    request = make_request(*(make_span(1, number) for number in range(1, spans + 1)))
    number = store.next_segment_id(unix_nano() // 1000)
    return write_segment_file(folder, request, segment_id=number)


def test_a_load_that_begins_after_it_was_given_up_stores_nothing(
    late: ClickHouseStore, proxy: FaultyProxy, tmp_path: Path
) -> None:
    """A request may lie unread until its segment was stored anew and counted."""
    segment = _segment(tmp_path, late)
    proxy.give_up(b"INSERT INTO lymer.spans", keep=True)
    with pytest.raises(StorageAwayError):
        late.write_segment(segment)
    late.recover_segment(segment)

    assert b"lease_loads" in proxy.pass_on()

    assert late.stored_spans(segment) == 6


def test_a_deletion_that_begins_after_it_was_given_up_deletes_nothing(
    late: ClickHouseStore, proxy: FaultyProxy, tmp_path: Path
) -> None:
    """It names the parts that were there."""
    segment = _segment(tmp_path, late)
    late.write_part(segment, _segment(tmp_path / "..", late, 3).path)
    proxy.give_up(b"ALTER TABLE lymer.spans DELETE", keep=True)
    with pytest.raises(StorageAwayError):
        late.recover_segment(segment)
    late.recover_segment(segment)

    assert proxy.pass_on() == b""  # it is done

    assert late.stored_spans(segment) == 6


def test_a_step_that_begins_after_it_was_given_up_counts_nothing(
    late: ClickHouseStore, proxy: FaultyProxy, tmp_path: Path
) -> None:
    """It was counted by another one meanwhile."""
    late.catch_up()
    before = _counted_calls(late)
    late.write_segment(_segment(tmp_path, late))
    proxy.give_up(b"INSERT INTO lymer.red\n", keep=True)
    with pytest.raises(StorageAwayError):
        late.catch_up()
    late.catch_up()

    assert b"lease_counts" in proxy.pass_on()

    assert _counted_calls(late) == before + 6


def _counted_calls(store: ClickHouseStore) -> int:
    counted = "SELECT {mark}, sum(calls) FROM {db}.red WHERE service != ''"
    ((calls,),) = store.engine.select("lymer", counted, 1)
    return int(calls)


def test_what_a_server_finds_in_its_socket_when_it_wakes_up_does_not_double(
    tmp_path: Path,
) -> None:
    """It stood still, its collector was killed and started anew, and all is read at once."""
    server, url = start_server(tmp_path / "server")
    proxy = FaultyProxy(url)
    try:
        store = open_collector(proxy.url, tmp_path / "data")
        segment = _segment(tmp_path, store)
        server.send_signal(signal.SIGSTOP)
        proxy.give_up(b"INSERT INTO lymer.spans", keep=False)
        with pytest.raises(StorageAwayError):
            store.write_segment(segment)
        other = _segment(tmp_path, store)
        proxy.give_up(b"INSERT INTO lymer.spans", keep=True)
        with pytest.raises(StorageAwayError):
            store.write_segment(other)
        server.send_signal(signal.SIGCONT)
        next_start = open_collector(url, tmp_path / "data")
        next_start.recover_segment(segment)
        next_start.recover_segment(other)

        assert b"lease_loads" in proxy.pass_on()

        loads = "startsWith(query, 'INSERT INTO lymer.spans')"
        busy = f"SELECT {{mark}}, count() FROM system.processes WHERE {loads}"
        assert any(next_start.engine.select("", busy, 1) == [[0]] for _ in poll(30))
        assert next_start.stored_spans(segment) == next_start.stored_spans(other) == 6
        next_start.close()
    finally:
        proxy.close()
        server.kill()
        server.wait()
