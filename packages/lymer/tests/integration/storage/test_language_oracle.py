"""Random questions in the search language: the store answers as brute force in Python does.

Trace for trace, span for span, and in order.
"""

from __future__ import annotations

import contextvars
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from typing import TypeVar

import pytest

from fakes.language_oracle import OracleSpan, answer, oracle_spans, run
from fakes.language_oracle.conditions import value
from fakes.language_oracle.questions import ARRAYS_KEY, KEYS, Asker, random_traces
from fakes.memory_store.span import to_stored_spans
from lymer.errors import QuestionError
from lymer.language import tree
from lymer.language.operands import PlaceError
from lymer.language.parsing import parse
from lymer.language.printing import text as printed
from lymer.storage.caller import CALLER, Caller
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.spansets import minute_values
from lymer.storage.clickhouse.spansets.plan import Plan
from lymer.storage.clickhouse.spansets.search import Asking
from lymer.storage.clickhouse.spansets.walk import LOOK_AGAIN
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.contract import SpanReader
from lymer.storage.search_contract import (
    FoundSeries,
    FoundSpansets,
    SeriesQuestion,
    SpansetQuestion,
)
from lymer.tenancy import DEFAULT_TENANT
from make import START, write_segment_file

TRACES = 60
QUESTIONS = int(os.environ.get("LYMER_ORACLE_QUESTIONS", "2000"))
ASKED_WHOLE = QUESTIONS // 20
"""Asked as a user asks; of the others, some share a statement, for most of what one costs is
planning (docs/adr/063-values-decide-minutes.md)."""
ASKED_WITH_ARRAYS = ASKED_WHOLE
"""Of those that share a statement; to look into arrays is eight times as dear."""
BITS_SHARED = 40
ARRAY_FREE = frozenset(KEYS) - {ARRAYS_KEY}
END = START + 10**11
T = TypeVar("T")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> ChdbEngine:
    """Return the engine of a store, which closes it."""
    return ChdbEngine(tmp_path_factory.mktemp("engine"), memory_bytes_max=900 * 2**20)


@pytest.fixture(scope="module")
def stored(
    engine: ChdbEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[SpanReader, dict[str, list[OracleSpan]]]]:
    """Yield a store with random traces, and the traces."""
    folder = tmp_path_factory.mktemp("oracle")
    requests = random_traces(random.Random(11), TRACES)
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    half = len(requests) // 2
    store.write_segment(write_segment_file(folder, *requests[:half]))
    store.write_segment(
        write_segment_file(folder, *requests[half:], segment_id=1_795_365_822_000_000)
    )
    spans = [span for request in requests for span in to_stored_spans(request)]
    yield store.for_tenant(DEFAULT_TENANT), oracle_spans(spans)
    store.close()


def differences(
    reader: SpanReader, traces: dict[str, list[OracleSpan]], seed: int
) -> tuple[str, bool]:
    """Ask one random question; return what differs, and whether anything was found."""
    rng = random.Random(seed)
    text = printed(Asker(rng).question())
    try:
        query = parse(text)
    except QuestionError:
        return "", False  # types that do not fit: refused with a place
    assert isinstance(query.body, tree.Pipeline | tree.Filter | tree.Combine | tree.Relate)
    low, high = START, END
    if rng.random() < 0.3:
        low, high = START + rng.randrange(10**9), START + rng.randrange(10**9, 3 * 10**9)
    expected = answer(query.body, traces, low, high)
    question = SpansetQuestion(
        query, low, high, traces_max=rng.choice([1, 3, 20, 100]), spans_per_set_max=0, text=text
    )
    try:
        found, parts = in_parts(lambda: reader.find_spansets(question))
    except QuestionError as error:
        return ("" if "at line" in str(error) else f"{text}: {error}"), False
    if (shown := [one for part in parts for one in part.traces]) != [*found.traces[: len(shown)]]:
        return f"seed {seed}: {text}: in parts {[one.trace_id for one in shown]}", True
    actual = [
        (one.trace_id, sorted(sorted(some.span_ids) for some in one.sets)) for one in found.traces
    ]
    wanted = expected[: question.traces_max]
    if actual != wanted:
        wrong = next(
            pair
            for pair in zip([*actual, None], [*wanted, None], strict=False)
            if pair[0] != pair[1]
        )
        return f"seed {seed}: {text} [{low - START}, {high - START}]\n  {wrong}", True
    assert found.is_complete, text
    assert found.has_more == (len(expected) > question.traces_max), text
    followed = "" if seed % 8 else _followed(reader, question, found, [one for one, _ in expected])
    return followed, bool(actual)


def in_parts(ask: Callable[[], T]) -> tuple[T, list[T]]:
    """Ask as somebody who takes what there is; return the answer, and what was shown before."""
    parts: list[T] = []
    caller = Caller()
    caller.on_part = parts.append
    context = contextvars.copy_context()
    context.run(CALLER.set, caller)
    return context.run(ask), parts


def _followed(
    reader: SpanReader, question: SpansetQuestion, first: FoundSpansets, expected: list[str]
) -> str:
    """Follow the cursor of an answer a few pages far; return what differs."""
    met, found = [one.trace_id for one in first.traces], first
    for _ in range(3):
        if found.cursor is None:
            break
        found = reader.find_spansets(replace(question, after=found.cursor))
        met += [one.trace_id for one in found.traces]
    wanted = expected if found.cursor is None else expected[: len(met)]
    return "" if met == wanted else f"{question.text}: behind the cursor {met} is not {wanted}"


@pytest.mark.timeout(1_800)
def test_the_store_answers_random_questions_as_brute_force_does(
    stored: tuple[SpanReader, dict[str, list[OracleSpan]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every operator, in a store that is small and in one that is large; many find something."""
    outcomes = []
    for seed in range(ASKED_WHOLE):
        monkeypatch.setattr(minute_values, "ROWS_MIN", 0 if seed % 2 else 10**9)
        outcomes.append(differences(*stored, seed))

    assert [what for what, _ in outcomes if what] == []
    assert sum(found for _, found in outcomes) > ASKED_WHOLE // 4


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("with_arrays", [False, True], ids=["plain", "arrays"])
def test_questions_that_share_a_statement_are_answered_as_brute_force_does(
    engine: ChdbEngine,
    stored: tuple[SpanReader, dict[str, list[OracleSpan]]],
    *,
    with_arrays: bool,
) -> None:
    """Each is compiled and walked as it is alone, over all traces."""
    _, traces = stored
    catalog = Catalog(engine, "lymer", retention_seconds=10**9)
    batch: list[tuple[tree.Query, Plan]] = []
    asked = found = 0
    wrong: list[str] = []

    def answered() -> None:
        nonlocal found
        question = SpansetQuestion(batch[0][0], START, END)
        asking = Asking(engine, "lymer", {}, question)
        members, _ = asking.members(batch[0][1], "1", "1", 10**6)
        assert with_arrays or not any(flags & LOOK_AGAIN for one in members for flags in one.flags)
        for query, plan in batch:
            try:
                sets = {one.trace_id.hex(): plan.evaluate(one) for one in members}
            except PlaceError:
                continue
            assert isinstance(query.body, tree.Pipeline)
            expected = {one: sorted(ids) for one, ids in answer(query.body, traces, START, END)}
            ids = {one.trace_id.hex(): one.span_ids for one in members}
            actual = {
                trace: sorted(sorted(ids[trace][row].hex() for row in one.spans) for one in some)
                for trace, some in sets.items()
                if some
            }
            found += bool(actual)
            if actual != expected:
                wrong.append(printed(query))
        batch.clear()

    wanted = ASKED_WITH_ARRAYS if with_arrays else QUESTIONS - ASKED_WHOLE - ASKED_WITH_ARRAYS
    for seed in count(ASKED_WHOLE):
        if asked == wanted:
            break
        text = printed(Asker(random.Random(seed)).question())
        try:
            query = parse(text)
            assert isinstance(query.body, tree.Pipeline)
            alone = Plan(query.body, catalog, array_free=ARRAY_FREE)
            if (alone.arrays != "0") != with_arrays:
                continue
            plan = Plan(
                query.body,
                catalog,
                with_arrays,
                ARRAY_FREE,
                beside=batch[0][1] if batch else None,
            )
        except (QuestionError, PlaceError):
            continue
        asked += 1
        batch.append((query, plan))
        if len(plan.bits) > BITS_SHARED:
            answered()
    answered()
    assert wrong == []
    assert found > asked // 4


FUNCTIONS: dict[str, Callable[[list[float], int], float | None]] = {
    "count_over_time": lambda _, spans: float(spans),
    "sum_over_time": lambda numbers, _: sum(numbers) if numbers else None,
    "min_over_time": lambda numbers, _: min(numbers) if numbers else None,
    "max_over_time": lambda numbers, _: max(numbers) if numbers else None,
    "avg_over_time": lambda numbers, _: sum(numbers) / len(numbers) if numbers else None,
    "quantile_over_time": lambda numbers, _: (
        sorted(numbers)[min(int(0.5 * len(numbers)), len(numbers) - 1)] if numbers else None
    ),
}
LABELS: tuple[tree.Field, ...] = (
    tree.Attribute("service.name", "resource"),
    tree.Intrinsic("span:name"),
    tree.Intrinsic("trace:rootName"),
)


def measured(
    query: tree.MetricsQuery, traces: dict[str, list[OracleSpan]], step: int
) -> dict[tuple[str, int], float]:
    """Return label and interval → value, by brute force."""
    groups: dict[tuple[str, int], tuple[list[float], list[int]]] = {}
    for spans in traces.values():
        chosen = {id(one): one for some in run([query.source], [spans]) for one in some}
        for span in chosen.values():
            place = (span.start - START // step * step - 1) // step
            if place < 0:
                continue  # an interval begins behind its first instant
            label = value(query.by[0], span)
            key = (label[1] if label else "", place)
            numbers, counted = groups.setdefault(key, ([], []))
            counted.append(1)
            if query.operand is not None:
                found = value(query.operand, span)
                if found is not None and found[0] in {"int", "float", "duration"}:
                    numbers.append(found[1] / (1e9 if found[0] == "duration" else 1))
    results = {
        key: FUNCTIONS[query.function](numbers, len(counted))
        for key, (numbers, counted) in groups.items()
    }
    return {key: result for key, result in results.items() if result is not None}


def numbers_of(parts: list[FoundSeries]) -> dict[tuple[object, int], float]:
    """Return series and instant → value."""
    series = [one for part in parts for one in part.series]
    return {(one.labels, at): number for one in series for at, number in one.samples}


def test_numbers_over_time_are_those_of_brute_force(
    stored: tuple[SpanReader, dict[str, list[OracleSpan]]],
) -> None:
    """Functions of random spans, by labels of span, resource and trace."""
    reader, traces = stored
    step, asked, shown = 10**9, 0, 0
    for seed in range(40):
        rng = random.Random(seed)
        asker = Asker(rng)
        function = rng.choice(list(FUNCTIONS))
        fields: list[tree.Field] = [
            tree.Intrinsic("span:duration"),
            tree.Attribute("a", "span"),
        ]
        field = rng.choice(fields)
        made = tree.MetricsQuery(
            tree.Pipeline((asker.spanset(rng.choice([0, 0, 1])),)),
            function,
            None if function == "count_over_time" else field,
            (0.5,) if function == "quantile_over_time" else (),
            (rng.choice(LABELS),),
        )
        text = printed(tree.Query(made))
        try:
            query = parse(text)
            measuring = SeriesQuestion(query, START, END, step, exemplars_max=9, text=text)
            answer_of = reader.get_series(measuring)
            again, parts = in_parts(lambda asked=measuring: reader.get_series(asked))  # type: ignore[misc]
        except QuestionError:
            continue
        asked += 1
        whole, first_ones = numbers_of([answer_of]), numbers_of(parts)
        shown += len(parts) > 1
        assert numbers_of([again]) == pytest.approx(whole, rel=1e-9), text
        assert len(first_ones) == sum(len(numbers_of([one])) for one in parts), text
        assert first_ones == pytest.approx({key: whole[key] for key in first_ones}, rel=1e-9), text
        assert isinstance(query.body, tree.MetricsQuery)
        first = START // step * step
        found = {
            (
                one.labels[0][1][1] if one.labels[0][1] else "",
                (at * 10**6 - first) // step - 1,
            ): number
            for one in answer_of.series
            for at, number in one.samples
            if number or function != "count_over_time"
        }
        assert found == pytest.approx(measured(query.body, traces, step), rel=1e-9), text
    assert asked > 25
    assert shown > asked // 4
