"""What several collectors on one ClickHouse server agree on: numbers, leases, the schema."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fakes.clickhouse_server import server_url
from fakes.two_collectors import open_collector
from lymer.errors import StartupError, StorageError
from lymer.storage.clickhouse.collectors import collector_identity, collector_number
from lymer.storage.clickhouse.engine_server import ServerEngine
from lymer.storage.clickhouse.lease import Lease
from lymer.storage.clickhouse.reading_store import ReadingStore
from lymer.tenancy import DEFAULT_TENANT
from make import make_request, make_span, write_segment_file

_SHORT_SECONDS: Final = 1.5


@pytest.fixture
def engine() -> Iterator[ServerEngine]:
    """Yield a connection to a server without databases of ours."""
    engine = ServerEngine(server_url())
    statement = "SELECT {mark}, name FROM system.databases WHERE startsWith(name, 'lymer')"
    for (name,) in zip(*engine.select("", statement, 1), strict=True):
        engine.command(name.decode(), "DROP DATABASE {db} SYNC")
    engine.command("lymer", "CREATE DATABASE {db}")
    yield engine
    engine.close()


def test_collectors_that_start_together_get_different_numbers(engine: ServerEngine) -> None:
    """And each its own again when it comes back."""
    identities = [f"{one:032x}" for one in range(8)]
    numbers: dict[str, int] = {}

    def start(identity: str) -> None:
        numbers[identity] = collector_number([engine], identity)

    threads = [threading.Thread(target=start, args=(one,)) for one in identities]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers.values()) == list(range(1, 9))
    assert {one: collector_number([engine], one) for one in identities} == numbers


def test_a_data_folder_says_who_its_collector_is(tmp_path: Path) -> None:
    """The same at each start; a file that holds something else is not guessed at."""
    first = collector_identity(tmp_path)
    assert collector_identity(tmp_path) == first
    (tmp_path / "collector-id").write_text("nonsense")
    with pytest.raises(StartupError, match="does not hold 32 hex digits"):
        collector_identity(tmp_path)


def test_one_holds_a_lease_and_the_next_takes_over(engine: ServerEngine) -> None:
    """When it is given back at once, when its holder is gone after the time."""
    one = Lease(engine, "test", "one", seconds=_SHORT_SECONDS)
    two = Lease(engine, "test", "two", seconds=_SHORT_SECONDS)
    one.start()
    two.start()
    assert one.is_held
    assert not two.is_held
    time.sleep(2 * _SHORT_SECONDS)
    assert one.is_held, "it is renewed"
    one.release()
    assert not one.is_held
    assert two.wait(5)
    two.release()


def test_a_holder_that_was_paused_changes_nothing(engine: ServerEngine) -> None:
    """What it had begun is killed, what it begins is refused, before the next one looks."""
    engine.command(
        "lymer", "CREATE TABLE {db}.counted (one UInt64) ENGINE = MergeTree ORDER BY one"
    )
    paused = Lease(engine, "test", "paused", seconds=_SHORT_SECONDS)
    assert paused.wait(5)  # and never renews: it was not started
    ended: list[str] = []

    def count_slowly() -> None:
        try:
            engine.command(
                "lymer",
                f"INSERT INTO {{db}}.counted SELECT number + sleepEachRow(0.1) FROM numbers(200) "
                f"WHERE {paused.fence()}",
                {},
                {**paused.settings(), "max_block_size": 1},
            )
        except StorageError as error:
            ended.append(str(error))

    slow = threading.Thread(target=count_slowly)
    slow.start()
    time.sleep(0.5)
    following = Lease(engine, "test", "next", seconds=_SHORT_SECONDS)
    assert following.wait(10)
    slow.join(10)
    assert ended, "the statement ran to its end"
    with pytest.raises(StorageError, match="lease_"):
        engine.command(
            "lymer",
            f"INSERT INTO {{db}}.counted SELECT 1 WHERE {paused.fence()}",
            {},
            paused.settings(),
        )
    engine.command("lymer", f"INSERT INTO {{db}}.counted SELECT 7 WHERE {following.fence()}")
    assert engine.select("lymer", "SELECT {mark}, one FROM {db}.counted", 1) == [[7]]
    following.release()


def test_collectors_that_start_together_make_one_schema(
    engine: ServerEngine, tmp_path: Path
) -> None:
    """One of them makes it, the others find it; a reader finds what each has stored."""
    failures: list[BaseException] = []

    def start(name: str) -> None:
        try:
            store = open_collector(server_url(), tmp_path / name)
            request = make_request(make_span(1, 1), service=f"of-{name}")
            segment_id = store.next_segment_id(1_795_365_821_000_000)
            store.write_segment(write_segment_file(tmp_path / name, request, segment_id=segment_id))
            store.close()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)

    reading = ReadingStore(
        ServerEngine(server_url()),
        retention_seconds=10**9,
        memory_bytes_max=2**30,
        query_timeout_seconds=30,
    )
    with pytest.raises(StorageError, match="no collector has made the tables"):
        reading.check()
    threads = [threading.Thread(target=start, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    statement = "SELECT {mark}, version, count() FROM {db}.schema_versions GROUP BY version"
    versions, counts = engine.select("lymer", statement, 2)
    assert len(versions) > 5
    assert {*counts} == {1}
    reading.check()
    assert reading.for_tenant(DEFAULT_TENANT).get_services() == ["of-a", "of-b", "of-c"]
    reading.close()
