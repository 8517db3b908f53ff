"""Questions as people write them: each is answered as brute force does, or refused by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from contract.storage.corpus import HOUR, corpus_requests
from fakes.language_oracle import OracleSpan, answer, oracle_spans
from fakes.memory_store.span import to_stored_spans
from lymer.errors import QuestionError
from lymer.language import tree
from lymer.language.parsing import parse
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.contract import SpanReader
from lymer.storage.search_contract import SeriesQuestion, SpansetQuestion
from lymer.tenancy import DEFAULT_TENANT
from make import START, write_segment_file

Ground = tuple[SpanReader, dict[str, list[OracleSpan]]]
LOW, HIGH = START - HOUR, START + 2 * HOUR

TRACES = [
    # conditions as values
    '{ true = (.user = "bob") }',
    '{ (.user = "bob") = false }',
    "{ .db.ok = (.db.rows > 100) }",
    '{ (.user = "bob") != (kind = server) }',
    '{ (status = error || .user = "ann") = (duration > 20ms && .http.status_code != nil) }',
    "{ !(.user = `bob`) = (status = error) }",
    '{ (event.exception.type = "CardError") = true }',
    # one condition
    '{resource.service.name="shop"}',
    "{ resource.service.name = `shop` }",
    '{ .service.name = "shop" }',
    '{ name = "GET /cart" }',
    '{ span:name = "SELECT" }',
    '{name="charge"}',
    "{ status = error }",
    "{ status != error }",
    "{ span:status = ok }",
    "{ kind = server }",
    "{ span:kind = client }",
    "{ duration > 50ms }",
    "{ span:duration >= 0.05s }",
    "{ duration >= 10ms && duration < 1s }",
    "{ 50ms < duration }",
    "{ .http.status_code = 500 }",
    "{ .http.status_code >= 400 && .http.status_code < 600 }",
    "{ span.http.status_code != 200 }",
    '{ .http.status_code = "500" }',
    "{ .http.status_code = 500.0 }",
    '{ span.user =~ "a.*" }',
    '{ span.user !~ "a.*" }',
    '{ .user =~ "ann|bob" }',
    '{ resource.zone =~ "a|b" }',
    '{ resource.zone != "a" }',
    "{ span.user != nil }",
    "{ span.user = nil }",
    "{ nil != .user }",
    "{ .db.ok }",
    "{ !.db.ok }",
    "{ .db.ok = true }",
    '{ name =~ "GET.*" }',
    '{ name !~ "GET.*" }',
    '{ name =~ "(?i)get .*" }',
    '{ span."user" = "ann" }',
    '{ statusMessage = "card refused" }',
    '{ span:statusMessage =~ ".*refused" }',
    "{ span:parentID = `` }",
    "{ rootName = `GET /cart` }",
    '{ rootServiceName = "shop" }',
    '{ trace:rootService = "shop" && status = error }',
    "{ traceDuration > 90ms }",
    "{ trace:duration <= 90ms }",
    "{ nestedSetParent = -1 }",
    "{ nestedSetParent < 0 && true }",
    "{ nestedSetLeft = 1 }",
    "{ span:childCount > 0 }",
    "{ span:childCount = 0 && kind != server }",
    # several
    '{ resource.service.name = "shop" && status = error }',
    '{ resource.service.name = "shop" || resource.service.name = "cart" }',
    '{ (resource.service.name = "shop" || resource.service.name = "pay") && duration > 10ms }',
    '{ !(resource.service.name = "shop") }',
    '{ resource.service.name != "shop" && resource.service.name != "cart" }',
    '{ .user = "bob" && kind = server && .http.status_code >= 500 }',
    '{ name = "GET /cart" && .user = "ann" } ',
    '{ resource.service.name = "shop" } && { status = error }',
    '{ resource.service.name = "shop" } || { resource.service.name = "queue" }',
    '({ name = "SELECT" } || { name = "charge" }) && { kind = server }',
    # events and links
    '{ event:name = "exception" }',
    '{ event.exception.type = "CardError" }',
    '{ event.exception.type =~ "Card.*" && status = error }',
    "{ event:timeSinceStart > 1ms }",
    "{ event.exception.type != nil }",
    '{ instrumentation:name = "sweeper" }',
    '{ instrumentation:version != "" }',
    '{ link:traceID != "" }',
    "{ link:spanID = `0000000000000001` }",
    # arithmetic
    "{ .db.rows / 2 = 250 }",
    "{ .db.rows * 2 > 100 && duration > 1ms }",
    "{ duration * 2 > 100ms }",
    "{ .http.status_code % 100 = 0 }",
    "{ -.db.rows < 0 }",
    "{ 2 + 3 = 5 }",
    "{ .http.status_code > .db.rows }",
    # structure
    '{ resource.service.name = "shop" } >> { resource.service.name = "cart" }',
    '{ resource.service.name = "shop" } > { kind = client }',
    '{ name = "SELECT" } << { resource.service.name = "shop" }',
    '{ name = "SELECT" } < { }',
    "{ kind = client } ~ { kind = client }",
    '{ kind = server } !>> { name = "SELECT" }',
    '{ resource.service.name = "shop" } &>> { status = error }',
    "{ } !< { status = error }",
    '{ resource.service.name = "shop" } >> { .service.name = "cart" } >> { name = "SELECT" }',
    "({ kind = server } >> { status = error }) | count() > 0",
    "{nestedSetParent<0 && true} &>> {status=error} | select(status, name, nestedSetLeft)",
    '{ parent.resource.service.name = "shop" }',
    '{ parent.user = "ann" && kind != server }',
    # numbers of a set, by, coalesce, select
    "{ } | count() > 2",
    "{ status = error } | count() > 1",
    "{ } | avg(duration) > 10ms",
    "{ } | max(duration) >= 100ms",
    "{ } | min(.http.status_code) < 300",
    "{ } | sum(duration) > 100ms",
    "{ } | avg(.http.status_code) > 200",
    "{ } | count() = 3 | avg(duration) > 1ms",
    "{ } | max(duration) > 2 * avg(duration)",
    "{ } | by(resource.service.name) | count() > 1",
    "{ } | by(name) | avg(duration) > 20ms | coalesce()",
    "{ } | by(span.http.status_code) | count() > 0 | select(span.user)",
    "{ status = error } | select(resource.service.name, event.exception.type)",
    "{ kind = server } | select(trace:duration, span.user)",
    "{ } | { status = error }",
    "{ true }",
    "{ false }",
    "{}",
    "{ } // all of them",
    "{ status = error } with (most_recent=true)",
]  # fmt: skip
SERIES = [
    "{ } | rate()",
    "{ } | rate() by (resource.service.name)",
    "{ status = error } | rate() by(resource.service.name, name)",
    "{nestedSetParent<0 && true} | rate() with(sample=true)",
    "{nestedSetParent<0 && status=error} | rate() by(resource.service.name)",
    "{ kind = server } | count_over_time() by (span.http.status_code)",
    "{ } | quantile_over_time(duration, 0.5, .9, .99)",
    "{ } | quantile_over_time(duration, 0.99) by (span.user)",
    "{ } | histogram_over_time(duration) by (resource.service.name)",
    "{ } | avg_over_time(duration) by (name)",
    "{ } | max_over_time(span.http.status_code)",
    "{ } | min_over_time(duration) by (kind)",
    "{ } | sum_over_time(span.db.rows)",
    "{ } | compare({ status = error })",
    "{ kind = server } | compare({ duration > 90ms }, 10)",
    "{ } | rate() by (name) | topk(2)",
    "{ } | rate() by (name) | bottomk(1)",
    "{ } | count_over_time() by (name) > 1",
    "({ status = error } | rate()) / ({ } | rate()) * 100",
    '{ resource.service.name = "shop" } >> { } | rate()',
]
REFUSED = [
    "{ service.name = `shop` }",
    "{ resource.service.name == `shop` }",
    "{ name = 'GET /cart' }",
    "{ status = 500 }",
    "{ status = failed }",
    "{ kind = `server` }",
    "{ duration > 100 ms }",
    "{ duration > 100msec }",
    "{ .a = 1 AND .b = 2 }",
    "{ .a in (1, 2) }",
    "{ .a like `x%` }",
    "{ .user =~ `[` }",
    "resource.service.name = `shop`",
    "{ } | count()",
    "{ } | p99(duration) > 1s",
    "{ } | rate(duration)",
    "{ } | rate() | by(name)",
    "{ } | quantile_over_time(duration, 99)",
    "{ } | limit 10",
    "{ .a = 1",
    "{ .a = 1 }}",
    "SELECT * FROM spans",
    "{ parent.a = span.b }",
    "{ traceDuration > duration }",
    "{ } | topk(10)",
    "{ .a = `x` } -> { .b = `y` }",
]


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Yield a store with the corpus, and its spans."""
    folder = tmp_path_factory.mktemp("catalogue")
    requests = corpus_requests()
    engine = ChdbEngine(folder / "engine", memory_bytes_max=900 * 2**20)
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    store.write_segment(write_segment_file(folder, *requests))
    spans = [span for request in requests for span in to_stored_spans(request)]
    yield store.for_tenant(DEFAULT_TENANT), oracle_spans(spans)
    store.close()


def test_what_people_ask_is_answered_as_brute_force_does(ground: Ground) -> None:
    """Trace for trace, span for span."""
    reader, traces = ground
    differences = []
    for text in TRACES:
        query = parse(text)
        assert isinstance(query.body, tree.Pipeline | tree.Filter | tree.Combine | tree.Relate)
        expected = answer(query.body, traces, LOW, HIGH)
        found = reader.find_spansets(
            SpansetQuestion(query, LOW, HIGH, traces_max=100, spans_per_set_max=0, text=text)
        )
        actual = [
            (one.trace_id, sorted(sorted(some.span_ids) for some in one.sets))
            for one in found.traces
        ]
        if actual != expected:
            differences.append(f"{text}\n  {actual}\n  {expected}")
    assert differences == []


def test_numbers_people_ask_for_are_answered(ground: Ground) -> None:
    """Completely, and by as many as there are."""
    reader, _ = ground
    for text in SERIES:
        question = SeriesQuestion(parse(text), LOW, HIGH, step_nano=HOUR, text=text)
        found = reader.get_series(question)
        assert found.is_complete, text
        assert found.series, text


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_meant_is_refused_at_its_place(ground: Ground, text: str) -> None:
    """By the door or by the store, never with an empty answer."""
    with pytest.raises(QuestionError, match="line 1, column"):
        ground[0].find_spansets(
            SpansetQuestion(parse(text), LOW, HIGH, traces_max=10, spans_per_set_max=0, text=text)
        )
