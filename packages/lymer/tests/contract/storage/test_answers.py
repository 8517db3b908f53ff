"""Names, summaries, dependencies and RED: what is derived from spans."""

from __future__ import annotations

import pytest

from contract.storage.conftest import Store
from contract.storage.corpus import HOUR, MS
from lymer.model.question import DependencyLink, Operation, TraceQuestion, TraceSummary
from make import START, trace_hex


def test_services_are_sorted(corpus: Store) -> None:
    """Each service once."""
    assert corpus.get_services() == ["cart", "pay", "queue", "shop"]


@pytest.mark.parametrize(
    ("service", "kind", "expected"),
    [
        pytest.param(
            "cart",
            "",
            [("SELECT", "client"), ("get", "server"), ("sweep", "internal")],
            id="every kind",
        ),
        pytest.param("cart", "server", [("get", "server")], id="one kind"),
        pytest.param("cart", "producer", [], id="a kind it has not"),
        pytest.param("nobody", "", [], id="unknown service"),
    ],
)
def test_operations(
    corpus: Store, service: str, kind: str, expected: list[tuple[str, str]]
) -> None:
    """Operations are distinct, sorted by name, then kind."""
    assert [Operation(*one) for one in expected] == corpus.get_operations(service, kind)


def test_summaries_come_in_the_order_asked_for(corpus: Store) -> None:
    """Root, times, counts and services of a trace; unknown ids are absent."""
    summaries = corpus.get_summaries([trace_hex(2), trace_hex(404), trace_hex(1)])

    assert [
        TraceSummary(
            trace_id=trace_hex(2),
            root_service_name="shop",
            root_operation_name="GET /pay",
            min_start_unix_nano=START + 1_000 * MS,
            max_end_unix_nano=START + 1_050 * MS,
            span_count=2,
            error_span_count=2,
            orphan_span_count=0,
            services=(("pay", 1, 1), ("shop", 1, 1)),
        ),
        TraceSummary(
            trace_id=trace_hex(1),
            root_service_name="shop",
            root_operation_name="GET /cart",
            min_start_unix_nano=START,
            max_end_unix_nano=START + 100 * MS,
            span_count=3,
            error_span_count=0,
            orphan_span_count=0,
            services=(("cart", 2, 0), ("shop", 1, 0)),
        ),
    ] == summaries


@pytest.mark.parametrize("count", [1, 100, 10_000])
def test_any_number_of_traces_is_read_at_once(corpus: Store, count: int) -> None:
    """As many as a query string can name."""
    wanted = [trace_hex(1), *(trace_hex(10_000 + one) for one in range(count - 1))]
    assert [one.trace_id for one in corpus.get_summaries(wanted)] == [trace_hex(1)]
    assert {*corpus.get_traces(wanted, raw=False, skeleton=False).trace_id} == {trace_hex(1)}
    assert corpus.get_otlp(wanted) == corpus.get_otlp([trace_hex(1)])


@pytest.mark.parametrize("size", [1, 1_500, 3_000, 50_000, 400_000])
def test_a_text_of_any_size_is_looked_for(corpus: Store, size: int) -> None:
    """A statement has a limit, what is asked for has none."""
    question = TraceQuestion(
        service="shop",
        operation="",
        tags=(("http.route", "v" * size),),
        start_unix_nano_min=0,
        start_unix_nano_max=2 * START,
        duration_nano_min=None,
        duration_nano_max=None,
        limit=20,
    )
    assert corpus.find_traces(question) == []


def test_a_span_whose_parent_is_missing_is_an_orphan(corpus: Store) -> None:
    """An orphan is no root."""
    (summary,) = corpus.get_summaries([trace_hex(5)])

    assert summary.orphan_span_count == 1
    assert summary.error_span_count == 1
    assert (summary.root_service_name, summary.root_operation_name) == ("queue", "publish")


def test_dependencies_count_calls_between_services(corpus: Store) -> None:
    """Same-service edges are included, orphans are not."""
    assert [
        DependencyLink("cart", "cart", 1),
        DependencyLink("shop", "cart", 1),
        DependencyLink("shop", "pay", 1),
    ] == corpus.get_dependencies(START, START + 2 * HOUR)


def test_dependencies_are_counted_by_whole_minutes_of_the_child(corpus: Store) -> None:
    """A minute that overlaps [start, end) counts whole; where the parent starts does not matter."""
    child = START + 1_010 * MS
    minute = child - child % (60_000 * MS)

    assert corpus.get_dependencies(START, START + 2 * HOUR) == corpus.get_dependencies(
        child, child + 1
    )
    assert corpus.get_dependencies(minute + 60_000 * MS, START + 2 * HOUR) == []
    assert corpus.get_dependencies(minute - HOUR, minute) == []


def test_red_sums_calls_errors_and_time(corpus: Store) -> None:
    """One row per operation; quantiles within 4.5 %."""
    rows = {
        (one.operation, one.span_kind): one
        for one in corpus.get_red(START, START + 2 * HOUR, "shop")
    }

    assert {("GET /cart", "server"), ("GET /pay", "server")} == set(rows)
    cart, pay = rows["GET /cart", "server"], rows["GET /pay", "server"]
    assert (cart.call_count, cart.error_count, cart.duration_nano_sum) == (3, 0, 111 * MS)
    assert (pay.call_count, pay.error_count, pay.duration_nano_sum) == (1, 1, 50 * MS)
    assert pytest.approx(cart.duration_nano_p50, rel=0.05) == 10 * MS
    assert pytest.approx(cart.duration_nano_p99, rel=0.05) == 100 * MS


def test_red_takes_minutes_that_overlap_the_range(corpus: Store) -> None:
    """An empty service means all of them, and an hour later only one call happened."""
    rows = corpus.get_red(START + HOUR, START + HOUR + 1, "")

    assert [(one.service, one.operation, one.call_count) for one in rows] == [
        ("shop", "GET /cart", 1)
    ]
