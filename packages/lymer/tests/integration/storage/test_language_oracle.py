"""Random questions in the search language: the store answers as brute force in Python does.

Trace for trace, span for span, and in order.
"""

from __future__ import annotations

import contextvars
import math
import os
import random
from collections import Counter, defaultdict
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
from lymer.storage.clickhouse.spansets.asking import Asking
from lymer.storage.clickhouse.spansets.plan import Plan
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
QUESTIONS = int(os.environ.get("LYMER_ORACLE_QUESTIONS", "1000"))
ASKED_WHOLE = QUESTIONS // 20
"""Asked as a user asks; of the others, some share a statement, for most of what one costs is
planning (docs/adr/063-values-decide-minutes.md)."""
ASKED_WITH_ARRAYS = ASKED_WHOLE
"""Of those that share a statement; to look into arrays is eight times as dear."""
BITS_SHARED = 40
ARRAY_FREE = frozenset(KEYS) - {ARRAYS_KEY}
END = START + 10**11
T = TypeVar("T")
STEP = 10**9


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


Numbers = list[tuple[float, float]]
"""What was measured of each span, and how many spans it stands for."""


def _quantile(numbers: Numbers, quantile: float) -> float:
    """Return the least number such that more than the quantile of all weight is not above it."""
    total, seen = sum(weight for _, weight in numbers), 0.0
    for number, weight in sorted(numbers):
        seen += weight
        if seen > quantile * total * (1 + 1e-9):
            return number
    return max(numbers)[0]


def _sum(numbers: Numbers) -> float:
    return sum(number * weight for number, weight in numbers)


def _count(numbers: Numbers) -> float:
    return sum(weight for _, weight in numbers)


def _histogram(numbers: Numbers) -> dict[float, float]:
    """Return the weight of what is not above each power of two, and above the one before."""
    found: dict[float, float] = defaultdict(float)
    for number, weight in numbers:
        if number >= 2:
            found[2.0 ** math.ceil(math.log2(number))] += weight
    return found


FUNCTIONS: dict[str, Callable[[Numbers, float], float | dict[float, float] | None]] = {
    "rate": lambda _, spans: spans / (STEP / 10**9),
    "count_over_time": lambda _, spans: spans,
    "sum_over_time": lambda numbers, _: _sum(numbers) if numbers else None,
    "min_over_time": lambda numbers, _: min(numbers)[0] if numbers else None,
    "max_over_time": lambda numbers, _: max(numbers)[0] if numbers else None,
    "avg_over_time": lambda numbers, _: _sum(numbers) / _count(numbers) if numbers else None,
    "quantile_over_time": lambda numbers, _: _quantile(numbers, 0.5) if numbers else None,
    "histogram_over_time": lambda numbers, _: _histogram(numbers),
}
"""All of the language, by weight; the least and the most are of spans as they are."""
MEASURED: tuple[tree.Field, ...] = (
    tree.Intrinsic("span:duration"),
    tree.Attribute("a", "span"),
)
LABELS: tuple[tree.Field, ...] = (
    tree.Attribute("service.name", "resource"),
    tree.Intrinsic("span:name"),
    tree.Intrinsic("trace:rootName"),
)


def measured(
    query: tree.MetricsQuery, traces: dict[str, list[OracleSpan]], step: int
) -> dict[tuple[object, ...], float]:
    """Return label, interval and bound of a bucket (0 if it is none) → value, by brute force."""
    groups: dict[tuple[str, int], tuple[Numbers, list[float]]] = {}
    divisor = 1.0
    for spans in traces.values():
        chosen = {id(one): one for some in run([query.source], [spans]) for one in some}
        for span in chosen.values():
            place = (span.start - START // step * step - 1) // step
            if place < 0:
                continue  # an interval begins behind its first instant
            label = value(query.by[0], span)
            key = (label[1] if label else "", place)
            numbers, counted = groups.setdefault(key, ([], []))
            counted.append(span.weight)
            if query.operand is not None:
                found = value(query.operand, span)
                if found is not None and found[0] in {"int", "float", "duration"}:
                    numbers.append((found[1], span.weight))
                    divisor = 1e9 if found[0] == "duration" else 1.0
    results: dict[tuple[object, ...], float] = {}
    for key, (numbers, counted) in groups.items():
        result = FUNCTIONS[query.function](numbers, sum(counted))
        buckets = result if isinstance(result, dict) else {0.0: result}
        for bound, number in buckets.items():
            is_bucket = isinstance(result, dict)
            if number is not None:
                at = bound / divisor
                results[*key, at] = number if is_bucket else number / divisor
    return results


def numbers_of(parts: list[FoundSeries]) -> dict[tuple[object, int], float]:
    """Return series and instant → value."""
    series = [one for part in parts for one in part.series]
    return {(one.labels, at): number for one in series for at, number in one.samples}


def test_numbers_over_time_are_those_of_brute_force(
    stored: tuple[SpanReader, dict[str, list[OracleSpan]]],
) -> None:
    """All functions, of random spans, some of which were sampled; labels of span and trace."""
    reader, traces = stored
    asked: Counter[str] = Counter()
    shown = 0
    for seed in range(48):
        rng = random.Random(seed)
        asker = Asker(rng)
        function = list(FUNCTIONS)[seed % len(FUNCTIONS)]
        field = rng.choice(MEASURED)
        made = tree.MetricsQuery(
            tree.Pipeline((asker.spanset(rng.choice([0, 0, 1])),)),
            function,
            None if function in {"rate", "count_over_time"} else field,
            (0.5,) if function == "quantile_over_time" else (),
            (rng.choice(LABELS),),
        )
        text = printed(tree.Query(made))
        try:
            query = parse(text)
            measuring = SeriesQuestion(query, START, END, STEP, exemplars_max=9, text=text)
            answer_of = reader.get_series(measuring)
            again, parts = in_parts(lambda asked=measuring: reader.get_series(asked))  # type: ignore[misc]
        except QuestionError:
            continue
        asked[function] += 1
        whole, first_ones = numbers_of([answer_of]), numbers_of(parts)
        shown += len(parts) > 1
        assert numbers_of([again]) == pytest.approx(whole, rel=1e-9), text
        assert len(first_ones) == sum(len(numbers_of([one])) for one in parts), text
        assert first_ones == pytest.approx({key: whole[key] for key in first_ones}, rel=1e-9), text
        assert isinstance(query.body, tree.MetricsQuery)
        first = START // STEP * STEP
        found = {}
        for one in answer_of.series:
            labels = dict(one.labels)
            bound = labels.pop("__bucket", None)
            labels.pop("p", None)
            ((_, label),) = labels.items()
            for at, number in one.samples:
                if number or function not in {"rate", "count_over_time", "histogram_over_time"}:
                    place = (at * 10**6 - first) // STEP - 1
                    found[label[1] if label else "", place, bound[1] if bound else 0.0] = number
        assert found == pytest.approx(measured(query.body, traces, STEP), rel=1e-9), text
        assert answer_of.is_estimated == _is_estimated(query.body, traces), text
    assert len(asked) == len(FUNCTIONS)
    assert min(asked.values()) > 3
    assert shown > sum(asked.values()) // 4


def _is_estimated(query: tree.MetricsQuery, traces: dict[str, list[OracleSpan]]) -> bool:
    return any(
        one.weight > 1
        for spans in traces.values()
        for some in run([query.source], [spans])
        for one in some
        if one.start > START // STEP * STEP
    )


def test_comparisons_are_those_of_brute_force(
    stored: tuple[SpanReader, dict[str, list[OracleSpan]]],
) -> None:
    """By weight: what a selection has, and what the rest has."""
    reader, traces = stored
    text = "{ duration > 2ms } | compare({ status = error }, 1000)"
    found = reader.get_series(SeriesQuestion(parse(text), START, END, STEP, text=text))
    counted: dict[tuple[str, str, object], float] = defaultdict(float)
    for span in (one for spans in traces.values() for one in spans):
        if span.duration <= 2_000_000 or span.start <= START // STEP * STEP:
            continue
        side = "selection" if span.status == "error" else "baseline"
        pairs = [("resource.service.name", span.resource["service.name"])]
        pairs += [("name", ("string", span.name)), ("kind", ("kind", span.kind))]
        pairs += [("status", ("status", span.status))]
        pairs += [("span.a", span.attributes["a"])] if "a" in span.attributes else []
        for key, content in pairs:
            counted[side, key, content] += span.weight
            counted[f"{side}_total", key, ("string", "nil")] += span.weight
    actual = {
        (str(one.labels[0][1][1]), *one.labels[1]): total  # type: ignore[index]
        for one in found.series
        if (total := sum(number for _, number in one.samples))
        and one.labels[1][0] in {"resource.service.name", "name", "kind", "status", "span.a"}
    }
    assert found.is_estimated
    assert actual == pytest.approx(counted, rel=1e-9)
