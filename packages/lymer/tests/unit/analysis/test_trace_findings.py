"""Findings of one trace, each on a trace that has it and on one that has not."""

from __future__ import annotations

from lymer.analysis.trace_findings import find_in_trace
from unit.analysis.tables import SpanLine, frame_of

MS = 1_000_000


def test_equal_calls_of_one_parent_are_repetition() -> None:
    """20 selects of 4 ms in 100 ms; three are not worth a word."""
    calls = [SpanLine(n + 2, 1, n * 5 * MS, 4 * MS, name="SELECT", kind=3) for n in range(20)]
    (found, *_) = find_in_trace(frame_of(SpanLine(1, 0, 0, 100 * MS), *calls))
    assert (found.kind, found.operation, found.count) == ("repeated", "SELECT", 20)
    assert found.nanoseconds == 80 * MS
    assert found.part == 0.8
    assert len(found.spans) == 20
    few = find_in_trace(frame_of(SpanLine(1, 0, 0, 100 * MS), *calls[:2]))
    assert not [one for one in few if one.kind == "repeated"]


def test_a_call_made_again_after_it_failed_is_a_retry() -> None:
    """Two failures, then success."""
    calls = [
        SpanLine(n + 2, 1, n * 30 * MS, 20 * MS, name="charge", kind=3, is_error=n < 2)
        for n in range(3)
    ]
    found = find_in_trace(frame_of(SpanLine(1, 0, 0, 100 * MS), *calls))
    assert [(one.kind, one.count, one.nanoseconds) for one in found if one.kind == "retried"] == [
        ("retried", 3, 60 * MS)
    ]


def test_calls_in_a_row_could_run_together() -> None:
    """Three of 30 ms would take 30 instead of 90."""
    calls = [SpanLine(n + 2, 1, n * 32 * MS, 30 * MS, name=f"call {n}", kind=3) for n in range(3)]
    found = find_in_trace(frame_of(SpanLine(1, 0, 0, 100 * MS), *calls))
    assert [(one.kind, one.nanoseconds) for one in found if one.kind == "serial"] == [
        ("serial", 60 * MS)
    ]
    together = [SpanLine(n + 2, 1, n, 30 * MS, name=f"call {n}", kind=3) for n in range(3)]
    found = find_in_trace(frame_of(SpanLine(1, 0, 0, 100 * MS), *together))
    assert not [one for one in found if one.kind == "serial"]


def test_time_that_no_span_explains_is_a_gap() -> None:
    """40 ms between two calls."""
    found = find_in_trace(
        frame_of(
            SpanLine(1, 0, 0, 100 * MS),
            SpanLine(2, 1, 0, 30 * MS, kind=3),
            SpanLine(3, 1, 70 * MS, 30 * MS, kind=3),
        )
    )
    assert [(one.kind, one.nanoseconds, one.spans) for one in found] == [("gap", 40 * MS, [0])]


def test_a_server_that_begins_before_its_client_has_another_clock() -> None:
    """By 5 ms; one that ends late has answered early."""
    found = find_in_trace(
        frame_of(SpanLine(1, 0, 10 * MS, 100 * MS, kind=3), SpanLine(2, 1, 5 * MS, 90 * MS, kind=2))
    )
    assert [(one.kind, one.nanoseconds) for one in found if one.kind == "skew"] == [
        ("skew", 5 * MS)
    ]


def test_spans_without_their_parents_are_orphans() -> None:
    """Two of three."""
    found = find_in_trace(frame_of(SpanLine(1), SpanLine(2, 77), SpanLine(3, 78)))
    assert [(one.kind, one.count, one.spans) for one in found if one.kind == "orphans"] == [
        ("orphans", 2, [1, 2])
    ]


def test_no_spans_no_findings() -> None:
    """And a plain trace has none."""
    assert find_in_trace(frame_of()) == []
    assert find_in_trace(frame_of(SpanLine(1, 0, 0, 100), SpanLine(2, 1, 0, 95))) == []
