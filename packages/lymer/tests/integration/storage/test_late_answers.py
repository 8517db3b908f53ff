"""A question over its time is answered with what was counted until then, and says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lymer.errors import StorageError
from lymer.language.parsing import parse
from lymer.storage.clickhouse.engine import Parameter, Settings
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.search_contract import SeriesQuestion, SpansetQuestion
from lymer.tenancy import DEFAULT_TENANT
from make import START, make_request, make_span, write_segment_file

SECOND = 10**9


class Slow(ChdbEngine):
    """An engine that answers some statements about spans too late."""

    late: set[int]
    asked = 0

    def select(
        self,
        database: str,
        statement: str,
        width: int,
        /,
        parameters: Mapping[str, Parameter] | None = None,
        settings: Settings | None = None,
    ) -> list[list[Any]]:
        """Answer, or say what the engine says when its time is over."""
        if "interval" in statement or "rank" in statement or "flags" in statement:
            self.asked += 1
            if self.asked in self.late:
                raise StorageError("Code: 159. DB::Exception: Timeout exceeded: elapsed 18 seconds")
        return super().select(database, statement, width, parameters, settings)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[tuple[Slow, ClickHouseStore]]:
    """Yield an engine, and a store with a span in each of sixteen seconds."""
    engine = Slow(tmp_path / "engine", memory_bytes_max=900 * 2**20)
    engine.late = set()
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    spans = [make_span(n + 1, 1, offset_nano=n * SECOND + 1) for n in range(16)]
    store.write_segment(write_segment_file(tmp_path, *(make_request(one) for one in spans)))
    engine.asked = 0
    yield engine, store
    store.close()


@pytest.mark.parametrize(
    ("late", "seconds", "said"),
    [
        (set(), 16, ""),
        ({1, 4}, 4, "counted are the newest 4 of 16 intervals"),
        ({1, 2}, 0, "the time of 30 s was over"),
    ],
)
def test_numbers_are_of_the_newest_intervals(
    slow: tuple[Slow, ClickHouseStore], late: set[int], seconds: int, said: str
) -> None:
    """Whole intervals, that are what they would be in a complete answer."""
    engine, store = slow
    engine.late = late
    start = START // SECOND * SECOND
    text = "{ } | count_over_time()"
    question = SeriesQuestion(parse(text), start, start + 16 * SECOND, SECOND, text=text)
    found = store.for_tenant(DEFAULT_TENANT).get_series(question)
    assert found.is_complete == (not said)
    assert said in found.reason
    counted = [(at, number) for one in found.series for at, number in one.samples if number]
    first = start // 10**6 + (16 - seconds + 1) * 1_000
    assert counted == [(first + n * 1_000, 1.0) for n in range(seconds)]


def test_a_search_holds_what_was_found(slow: tuple[Slow, ClickHouseStore]) -> None:
    """Here nothing, for whoever names traces was too late; and it is said."""
    engine, store = slow
    engine.late = {1}
    question = SpansetQuestion(parse("{ }"), START, START + 20 * SECOND)
    found = store.for_tenant(DEFAULT_TENANT).find_spansets(question)
    assert (found.traces, found.is_complete) == ((), False)
    assert found.reason == "the time of 30 s was over"
