"""Rollups: each has its own watermark, those of calls look at the same spans."""

from __future__ import annotations

from typing import Any

import pytest

from lymer.errors import StorageError
from lymer.storage.clickhouse.nothing import NoEngine
from lymer.storage.clickhouse.rollup import Rollups

SETTLED = 1_000_000_000


class _Engine(NoEngine):
    """Counts nothing, remembers what it was told, and fails in what inserts into `failing`."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.failing: str = ""

    def select(self, *_arguments: Any, **_settings: Any) -> list[list[Any]]:
        """Nothing was counted; a window has no end of its own."""
        return [[0]] if "max(batch)" in _arguments[1] else [[0], [0]]

    def command(self, _database: str, statement: str, /, *_arguments: Any, **_: Any) -> None:
        """Take a statement."""
        what = statement.split("{db}.", 1)[1].split(maxsplit=1)[0]
        if what == self.failing and statement.startswith("INSERT"):
            raise StorageError("failed")
        self.told.append(what if statement.startswith("INSERT") else f"-{what}")

    def counted(self) -> list[str]:
        """Return the tables that were inserted into, and forget."""
        told, self.told = self.told, []
        return [what for what in told if not what.startswith("-")]


@pytest.fixture
def engine() -> _Engine:
    """Return an engine."""
    return _Engine()


@pytest.fixture
def rollups(engine: _Engine) -> Rollups:
    """Return rollups on it."""
    return Rollups(engine, "lymer", memory_bytes_max=2**30)


def test_dependencies_and_graph_look_once(engine: _Engine, rollups: Rollups) -> None:
    """What they look at is read once, and forgotten when both have counted."""
    assert rollups.catch_up_all(SETTLED)
    assert engine.told[-2:] == ["-step_spans", "-step_shared"]
    assert engine.counted() == [
        "red", "red_hours", "step_spans", "step_shared", "dependencies", "graph",
    ]  # fmt: skip
    assert not rollups.catch_up_all(SETTLED)


@pytest.mark.parametrize("failing", ["red", "red_hours", "dependencies", "graph", "step_spans"])
def test_one_that_fails_stops_no_other(engine: _Engine, rollups: Rollups, failing: str) -> None:
    """And counts later what it has missed."""
    engine.failing = failing
    with pytest.raises(StorageError, match="failed"):
        rollups.catch_up_all(SETTLED)
    missed = {"dependencies", "graph"} if failing == "step_spans" else {failing}
    every = {"red", "red_hours", "dependencies", "graph"}
    assert every & set(engine.counted()) == every - missed
    engine.failing = ""
    assert rollups.catch_up_all(SETTLED)
    assert every & set(engine.counted()) == missed


def test_those_who_are_apart_look_for_themselves(engine: _Engine, rollups: Rollups) -> None:
    """A reader of one of them counts that one only; the other looks at its own window later."""
    rollups.catch_up("dependencies", SETTLED)
    assert engine.counted() == ["step_spans", "step_shared", "dependencies"]
    rollups.catch_up_all(2 * SETTLED)
    assert engine.counted() == [
        *("red", "red_hours"),
        *("step_spans", "step_shared", "dependencies"),
        *("step_spans", "step_shared", "graph"),
    ]


def test_calls_counted_a_moment_ago_may_wait(engine: _Engine, rollups: Rollups) -> None:
    """RED does not."""
    rollups.catch_up_all(SETTLED)
    engine.counted()
    rollups.catch_up_all(2 * SETTLED, 3600.0)
    assert engine.counted() == ["red", "red_hours"]
