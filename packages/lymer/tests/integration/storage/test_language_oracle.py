"""Random questions in the search language: the store answers as brute force in Python does.

Trace for trace, span for span, and in order.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from fakes.language_oracle import OracleSpan, answer, oracle_spans
from fakes.language_oracle.questions import Asker, random_traces
from fakes.memory_store.span import to_stored_spans
from lymer.errors import QuestionError
from lymer.language import tree
from lymer.language.parsing import parse
from lymer.language.printing import text as printed
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.contract import SpanReader
from lymer.storage.search_contract import SpansetQuestion
from lymer.tenancy import DEFAULT_TENANT
from make import START, write_segment_file

TRACES = 60
END = START + 10**11


@pytest.fixture(scope="module")
def stored(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[SpanReader, dict[str, list[OracleSpan]]]]:
    """Yield a store with random traces, and the traces."""
    folder = tmp_path_factory.mktemp("oracle")
    requests = random_traces(random.Random(11), TRACES)
    engine = ChdbEngine(folder / "engine", memory_bytes_max=900 * 2**20)
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
        found = reader.find_spansets(question)
    except QuestionError as error:
        return ("" if "at line" in str(error) else f"{text}: {error}"), False
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
    return "", bool(actual)


def test_the_store_answers_random_questions_as_brute_force_does(
    stored: tuple[SpanReader, dict[str, list[OracleSpan]]],
) -> None:
    """200 random questions of every operator agree, and many of them find something."""
    outcomes = [differences(*stored, seed) for seed in range(200)]

    assert [what for what, _ in outcomes if what] == []
    assert sum(found for _, found in outcomes) > 60
