"""Whoever closes the connection, or waits too long, stops the statement that runs for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import Message

from lymer.api.answers import Answers
from lymer.clock import monotonic_seconds
from lymer.errors import OverloadedError, StorageError
from lymer.storage.caller import CALLER, Caller
from lymer.storage.clickhouse.engine_chdb import ChdbEngine

SLOW = "SELECT {mark}, count() FROM numbers(1000) WHERE sleepEachRow(0.05) = 0"
"""50 s of nothing, in blocks of which each takes a second."""
SETTINGS = {"max_block_size": 20, "function_sleep_max_microseconds_per_block": 3_000_000}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbEngine]:
    """Yield an engine."""
    opened = ChdbEngine(tmp_path_factory.mktemp("engine"), memory_bytes_max=600 * 2**20)
    yield opened
    opened.close()


@pytest.fixture
def ended() -> list[str]:
    """Return a list that gets what became of a statement."""
    return []


@pytest.fixture
def slow(engine: ChdbEngine, ended: list[str]) -> Callable[[], bytes]:
    """Return an answer that takes longer than anybody waits."""

    def ask() -> bytes:
        try:
            engine.select("", SLOW, 1, {}, SETTINGS)
        except StorageError as error:
            ended.append(str(error))
            raise
        ended.append("answered")
        return b"late"

    return ask


def _request(*, has_left: bool) -> Request:
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [],
    }  # fmt: skip

    async def receive() -> Message:
        if not has_left:
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    return Request(scope, receive)


async def _until(condition: Callable[[], object]) -> None:
    deadline = monotonic_seconds() + 30
    while not condition():
        assert monotonic_seconds() < deadline
        await asyncio.sleep(0.05)


async def test_closing_the_connection_stops_the_statement(
    slow: Callable[[], bytes], ended: list[str]
) -> None:
    """Long before it would have ended; the place is free again."""
    with ThreadPoolExecutor(1) as threads:
        answers = Answers(threads, in_flight_max=1)
        response = await answers.json(_request(has_left=True), slow)
        assert response.status_code == 499
        await _until(lambda: ended)
        assert "answered" not in ended
        other = await answers.json(_request(has_left=False), lambda: b"{}")
        assert other.body == b"{}"


async def test_an_answer_that_takes_too_long_stops_its_statement(
    slow: Callable[[], bytes], ended: list[str]
) -> None:
    """The caller is told, and the engine works no more for it."""
    with ThreadPoolExecutor(1) as threads:
        answers = Answers(threads, seconds_max=0.5)
        with pytest.raises(OverloadedError, match=r"0\.5 s"):
            await answers.json(_request(has_left=False), slow)
        await _until(lambda: ended)
        assert "answered" not in ended


def test_nothing_begins_for_whoever_has_left(engine: ChdbEngine) -> None:
    """And nobody else's statement is stopped."""
    caller = Caller()
    CALLER.set(caller)
    assert engine.select("", "SELECT {mark}, 1", 1) == [[1]]
    other: list[object] = []
    running = threading.Thread(
        target=lambda: other.append(
            engine.select(
                "", "SELECT {mark}, count() FROM numbers(20) WHERE sleepEachRow(0.05) = 0", 1
            )
        )
    )
    running.start()
    caller.leave()
    with pytest.raises(StorageError, match="nobody waits"):
        engine.select("", "SELECT {mark}, 1", 1)
    running.join()
    assert other == [[[20]]]


@pytest.fixture(autouse=True)
def _nobody(tmp_path: Path) -> Iterator[None]:
    token = CALLER.set(None)
    yield
    CALLER.reset(token)
