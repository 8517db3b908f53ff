"""Every operator asks the index that it can: the plan of every statement is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from lymer.language import tree
from lymer.language.parsing import parse
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.contract import SpanReader
from lymer.storage.search_contract import SeriesQuestion, SpansetQuestion
from lymer.tenancy import DEFAULT_TENANT
from make import START, make_request, make_span, trace_hex, write_segment_file

RANGE = (START - 10**9, START + 10**10)
FINDS = {
    '{ span.a = "b" }': "ix_values",
    '{ .a = "b" }': "ix_values",
    "{ span.n = 700 }": "ix_values",
    '{ span.a = "b" || span.a = "c" }': "ix_values",
    '{ span.a = "b" } | count() > 0': "ix_values",
    '{ span.a = "b" } | by(name) | avg(duration) > 0': "ix_values",
    '{ span.a = "b" } | select(span.n)': "ix_values",
    '{ span.a = "b" } && { resource.service.name = "pay" }': "ix_service ix_trace ix_values",
    '{ span.a = "b" } || { resource.service.name = "pay" }': "ix_service ix_values",
    '{ span.a = "b" } > { resource.service.name = "pay" }': "ix_service ix_trace",
    '{ span.a = "b" } >> { resource.service.name = "pay" }': "ix_service ix_trace",
    '{ span.a = "b" } < { resource.service.name = "pay" }': "ix_service ix_trace",
    '{ span.a = "b" } << { resource.service.name = "pay" }': "ix_service ix_trace",
    '{ span.a = "b" } ~ { resource.service.name = "pay" }': "ix_service ix_trace",
    '{ span.a = "b" } !> { resource.service.name = "pay" }': "ix_service",
    "{ duration > 5ms }": "ix_duration",
    "{ duration <= 5ms }": "ix_duration",
    '{ resource.service.name = "pay" }': "ix_service",
    '{ resource.service.name != "shop" }': "ix_service",
    '{ resource.service.name =~ "pa.*" }': "ix_service",
    '{ resource.host = "h" }': "ix_resource",
    '{ resource.host =~ "h.*" }': "ix_resource",
    f'{{ trace:id = "{trace_hex(1)}" }}': "ix_trace",
    f'{{ trace:id = "{trace_hex(1).lstrip("0")}" || trace:id = "{trace_hex(2)}" }}': "ix_trace",
    '{ rootServiceName = "shop" }': "ix_trace",
    '{ parent.a = "b" }': "ix_trace",
    '{ !(parent.a = "b") }': "",
    # What decides by reading every value in the range: docs/adr/043-ranges-read-the-column.md.
    "{ span.n > 500 }": "",
    '{ span.a =~ "b.*" }': "",
    '{ span.a != "c" }': "",
    "{ span.a != nil }": "",
    '{ name = "work" }': "",
    "{ status = error }": "",
    "{ kind = server }": "",
    '{ span.a = "b" } | rate() by (name)': "ix_values",
    "{ duration > 5ms } | quantile_over_time(duration, 0.5) by (span.a)": "ix_duration",
    '{ resource.service.name = "pay" } | count_over_time()': "ix_service",
}
"""Question → indexes of the statement that finds, beside the primary key."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ChdbEngine, SpanReader]]:
    """Yield an engine, and the reader of a small store in it."""
    folder = tmp_path_factory.mktemp("plans")
    engine = ChdbEngine(folder / "engine", memory_bytes_max=900 * 2**20)
    made = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    one = make_request(make_span(1, 1, attrs=(("n", 700), ("a", "b"))), make_span(1, 3, 1))
    other = make_request(make_span(1, 2, 1), service="pay", resource=(("host", "h"),))
    made.write_segment(write_segment_file(folder, one, other))
    yield engine, made.for_tenant(DEFAULT_TENANT)
    made.close()


def _asked(engine: ChdbEngine, reader: SpanReader, text: str) -> list[tuple[str, Any]]:
    """Return the statements that a question became, with their parameters."""
    asked: list[tuple[str, Any]] = []
    select = engine.select

    def remember(database: str, statement: str, width: int, /, *rest: Any) -> Any:
        asked.append((statement, rest[0] if rest else None))
        return select(database, statement, width, *rest)

    query = parse(text)
    engine.select = remember  # type: ignore[method-assign, assignment]
    try:
        if isinstance(query.body, tree.Pipeline):
            reader.find_spansets(SpansetQuestion(query, *RANGE, text=text))
        else:
            reader.get_series(SeriesQuestion(query, *RANGE, 10**9, text=text))
    finally:
        engine.select = select  # type: ignore[method-assign]
    return [one for one in asked if "{db}.spans" in one[0]]


def _indexes(engine: ChdbEngine, statement: str, parameters: Any) -> set[str]:
    inner = statement.replace("{mark}", "1")
    plan = f"SELECT {{mark}}, explain FROM (EXPLAIN indexes = 1 {inner})"
    (lines,) = engine.select("lymer", plan, 1, parameters, {"use_query_condition_cache": 0})
    text = b"\n".join(lines).decode(errors="replace")
    return {*re.findall(r"Name: (ix_\w+)", text), *re.findall(r"PrimaryKey", text)}


@pytest.mark.parametrize("text", FINDS)
def test_who_finds_asks_an_index(store: tuple[ChdbEngine, SpanReader], text: str) -> None:
    """And time, always; whole traces are read by their ids."""
    engine, reader = store
    first, *others = [_indexes(engine, *one) for one in _asked(engine, reader, text)]
    assert first == {"PrimaryKey", *FINDS[text].split()}
    assert all(one == {"PrimaryKey", "ix_trace"} for one in others)


def test_ids_are_found_however_they_are_written(store: tuple[ChdbEngine, SpanReader]) -> None:
    """A trace's without its zeros, as Tempo shows it; what is no id is nobody's."""
    _, reader = store
    short = trace_hex(1).lstrip("0")
    for text, count in {
        f'{{ trace:id = "{short}" }}': 1, f'{{ trace:id = "{short.upper()}" }}': 1,
        f'{{ trace:id != "{short}" }}': 0, '{ trace:id = "" }': 0, '{ trace:id = "xyz" }': 0,
        '{ span:parentID = "" }': 1, '{ span:parentID != "" }': 1, '{ span:id = "1" }': 0,
        '{ span:id = "0000000000000001" }': 1, '{ span:parentID = "0000000000000000" }': 0,
    }.items():  # fmt: skip
        found = reader.find_spansets(SpansetQuestion(parse(text), *RANGE, text=text))
        assert len(found.traces) == count, text
