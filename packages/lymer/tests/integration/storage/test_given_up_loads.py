"""What a server goes on doing for somebody who does not wait for it any more."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.lymer_process import poll
from fakes.clickhouse_server import server_url
from fakes.two_collectors import open_collector
from lymer.errors import StorageError
from lymer.storage.clickhouse.engine_server import ServerEngine
from lymer.storage.clickhouse.otlp_format import FORMAT_SETTINGS, STRUCTURE
from lymer.storage.clickhouse.statements import LOAD
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
