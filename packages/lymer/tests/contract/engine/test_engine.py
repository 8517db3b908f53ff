"""What every engine must do: answer what it was asked, and nothing that another statement wrote."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import copy_context
from itertools import product
from pathlib import Path
from typing import Final

import pytest

from fakes.clickhouse_server import server_url
from lymer import clock
from lymer.errors import StorageError
from lymer.storage.caller import CALLER, Caller
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.engine_server import ServerEngine

MEMORY_BYTES_MAX: Final = 600 * 2**20
SECRET: Final = "SELECT {mark}, 'secret', number"


class Subject:
    """An engine under test, with two tenants' databases in it."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.engine: Engine = (
            ServerEngine(server_url())
            if kind == "server"
            else ChdbEngine(folder / "engine", memory_bytes_max=MEMORY_BYTES_MAX)
        )
        for tenant in ("one", "two"):
            self.engine.command(tenant, "DROP DATABASE IF EXISTS {db} SYNC")
            self.engine.command(tenant, "CREATE DATABASE {db}")
            self.engine.command(
                tenant,
                "CREATE TABLE {db}.t (number UInt64, text String) ENGINE = MergeTree "
                "ORDER BY number SETTINGS index_granularity = 1024, min_bytes_for_wide_part = 0",
            )
            self.engine.command(
                tenant,
                "INSERT INTO {db}.t SELECT number, concat('{db} ', toString(number)) "
                "FROM numbers(200000)",
            )

    def asked_of_two(self) -> list[list[object]]:
        """Ask about the second tenant, in the thread whose statement failed before."""
        return self.engine.select("two", "SELECT {mark}, text FROM {db}.t WHERE number = 7", 1)


def _by_throwing(subject: Subject) -> None:
    subject.engine.select(
        "one",
        SECRET + ", throwIf(number = 150000) FROM {db}.t",
        3,
        settings={"max_block_size": 1000, "max_threads": 1},
    )


def _by_time(subject: Subject) -> None:
    subject.engine.select(
        "one",
        SECRET + ", sleepEachRow(0.001) FROM {db}.t",
        3,
        settings={"max_block_size": 100, "max_threads": 1, "max_execution_time": 1},
    )


def _by_memory(subject: Subject) -> None:
    subject.engine.select(
        "one",
        SECRET + ", length(repeat(text, if(number < 100000, 1, 1000000))) FROM {db}.t",
        3,
        settings={"max_block_size": 1000, "max_threads": 1, "max_memory_usage": 30_000_000},
    )


def _by_bad_sql(subject: Subject) -> None:
    subject.engine.select("one", SECRET + " FROM {db}.no_such_table", 2)


def _by_kill(subject: Subject) -> None:
    def kill() -> None:
        killed: list[list[object]] = [[]]
        deadline = clock.monotonic_seconds() + 20
        while not killed[0] and clock.monotonic_seconds() < deadline:
            killed = subject.engine.select(
                "", "SELECT {mark}, query_id FROM system.processes WHERE query LIKE '%0.00199%' "
                "AND query NOT LIKE '%processes%'", 1
            )  # fmt: skip
        subject.engine.command("", "KILL QUERY WHERE query LIKE '%0.00199%' SYNC FORMAT Null")

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        subject.engine.select(
            "one",
            SECRET + ", sleepEachRow(0.00199) FROM {db}.t",
            3,
            settings={"max_block_size": 10, "max_threads": 1},
        )
    finally:
        killer.join()


def _by_a_damaged_part(subject: Subject) -> None:
    (file,) = (subject.folder / "engine" / "store").glob("*/*/all_1_1_0/text.bin")
    with file.open("r+b") as damaged:
        damaged.seek(file.stat().st_size * 3 // 4)
        byte = damaged.read(1)[0]
        damaged.seek(-1, 1)
        damaged.write(bytes([byte ^ 0xFF]))
    subject.engine.select(
        "one", SECRET + ", text FROM {db}.t", 3, settings={"max_block_size": 1000, "max_threads": 1}
    )


WAYS: Final[dict[str, Callable[[Subject], None]]] = {
    "throw": _by_throwing,
    "time": _by_time,
    "memory": _by_memory,
    "bad SQL": _by_bad_sql,
    "kill": _by_kill,
    "damaged part": _by_a_damaged_part,
}
"""Ways for a statement to fail, most after a part of its rows was written."""


@pytest.fixture(params=["embedded", "server"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """Yield an engine with two tenants."""
    made = Subject(tmp_path, request.param)
    yield made
    made.engine.close()


@pytest.mark.parametrize(
    ("subject", "way"),
    # A server's files are not ours to damage.
    [*product(["embedded"], WAYS), *product(["server"], [*WAYS][:-1])],
    indirect=["subject"],
)
def test_a_failed_statement_leaves_nothing_for_the_next_tenants_question(
    subject: Subject, way: str
) -> None:
    """Whatever the first one failed from, the second reads its own row and no other."""
    if way == "damaged part":  # of the first tenant alone
        subject.engine.command("two", "DROP TABLE {db}.t SYNC")
        subject.engine.command(
            "two", "CREATE TABLE {db}.t (number UInt64, text String) ENGINE = Memory"
        )
        subject.engine.command("two", "INSERT INTO {db}.t SELECT 7, 'two 7'")
    for _ in range(1 if way == "damaged part" else 3):
        with pytest.raises(StorageError):
            WAYS[way](subject)

        assert subject.asked_of_two() == [[b"two 7"]]
        subject.engine.command("two", "INSERT INTO {db}.t SELECT 8, 'two 8'")
        assert subject.engine.select("two", "SELECT {mark}, 1", 1) == [[1]]


def test_a_question_that_nobody_waits_for_is_stopped(subject: Subject) -> None:
    """Long before it would have ended; nobody else's is, and nothing begins for who has left."""
    caller, ended = Caller(), list[str]()
    slow = "SELECT {mark}, count() FROM numbers(1000) WHERE sleepEachRow(0.0501) = 0"
    found = "SELECT {mark}, count() FROM system.processes WHERE query LIKE '%sleepEachRow(0.0501)%'"

    def ask() -> None:
        CALLER.set(caller)
        for _ in range(2):
            with pytest.raises(StorageError) as raised:
                subject.engine.select("one", slow, 1, settings={"max_block_size": 20})
            ended.append(str(raised.value))

    thread = threading.Thread(target=copy_context().run, args=(ask,))
    thread.start()
    deadline = clock.monotonic_seconds() + 30
    while subject.engine.select("", found, 1) < [[2]]:  # this one is the other
        assert clock.monotonic_seconds() < deadline
    caller.leave()
    thread.join(25)

    assert len(ended) == 2
    assert "nobody waits" in ended[1]
    while subject.engine.select("", found, 1) != [[1]]:
        assert clock.monotonic_seconds() < deadline


def test_threads_whose_statements_fail_read_their_own_rows(subject: Subject) -> None:
    """Many at once, failing and asking in turns."""
    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in range(20):
            with pytest.raises(StorageError):
                _by_throwing(subject)
            found = subject.engine.select(
                "two", f"SELECT {{mark}}, text FROM {{db}}.t WHERE number = {number + turn}", 1
            )
            if found != [[f"two {number + turn}".encode()]]:
                wrong.append(found)

    threads = [threading.Thread(target=work, args=(number * 100,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_a_statement_whose_rows_bear_no_mark_is_not_asked(subject: Subject) -> None:
    """Its answer could not be told from another's."""
    with pytest.raises(ValueError, match=r"there is no \{mark\}"):
        subject.engine.select("two", "SELECT text FROM {db}.t", 1)


def test_closing_stops_what_still_runs(subject: Subject) -> None:
    """Nobody waits for a question of a store that is being closed."""
    failed = threading.Event()

    def ask() -> None:
        with pytest.raises(StorageError):
            subject.engine.select(
                "one",
                "SELECT {mark}, sleepEachRow(0.01) FROM {db}.t",
                1,
                settings={"max_block_size": 10},
            )
        failed.set()

    thread = threading.Thread(target=ask)
    thread.start()
    deadline = clock.monotonic_seconds() + 20
    running = "SELECT {mark}, 1 FROM system.processes WHERE query LIKE '%sleepEachRow(0.01)%' AND query NOT LIKE '%processes%'"  # noqa: E501
    while not subject.engine.select("", running, 1)[0] and clock.monotonic_seconds() < deadline:
        pass
    started = clock.monotonic_seconds()

    subject.engine.close()
    thread.join()

    assert failed.is_set()
    assert clock.monotonic_seconds() - started < 10
