"""Where the time goes: worked out by hand, sums that must hold, and the error of a sample."""

from __future__ import annotations

import random
import time
from collections import defaultdict

import numpy as np
import pytest

from lymer.analysis.path_diff import compare, sentence
from lymer.analysis.profile import (
    attribute_profile,
    call_tree,
    critical_times,
    operation_profile,
)
from lymer.analysis.question import grouped_by
from lymer.analysis.span_frame import SpanFrame
from lymer.analysis.statistics import statistics_by, sums_by
from lymer.analysis.trace_findings import find_in_trace
from lymer.errors import QuestionError
from lymer.incidents.traffic import draw_traffic
from lymer.query.language import parse_field
from unit.analysis.tables import SpanLine, frame_of

MS = 1_000_000


def _two_traces(second: int = 50) -> SpanFrame:
    lines = []
    for trace, wait in enumerate((50, second)):
        first = trace * 10
        lines += [
            SpanLine(first + 1, 0, 0, (wait + 50) * MS, "shop", "GET", trace=trace),
            SpanLine(first + 2, first + 1, 10 * MS, wait * MS, "db", "SELECT", trace=trace),
            SpanLine(first + 3, first + 1, 10 * MS, 10 * MS, "cache", "GET", trace=trace),
        ]
    return frame_of(*lines)


def test_the_profile_of_two_traces() -> None:
    """GET does 50 ms itself; the cache runs beside the database, so nobody waits for it."""
    frame = _two_traces()
    critical = critical_times(frame)
    profile = {
        (one.service, one.operation): one
        for one in operation_profile(frame, critical, traces=2, of_traces=2)
    }
    get, select, cache = profile["shop", "GET"], profile["db", "SELECT"], profile["cache", "GET"]
    assert (get.spans, get.traces, get.total, get.self_time) == (2, 2, 200 * MS, 100 * MS)
    assert (select.self_time, select.critical) == (100 * MS, 100 * MS)
    assert (cache.self_time, cache.critical) == (20 * MS, 0)
    assert select.p50 == select.p99 == 50 * MS
    assert get.self_error == 0


@pytest.mark.parametrize("seed", range(6))
def test_a_profile_by_attributes_is_what_is_added_up_by_hand(seed: int) -> None:
    """Any fields of span, resource and both, against a loop; who has no value counts as none."""
    rng = random.Random(seed)
    lines = []
    for number in range(120):
        attributes = {key: rng.choice("xyz") for key in ("zone", "route") if rng.random() < 0.6}
        resource = {key: rng.choice("vwx") for key in ("zone", "pod") if rng.random() < 0.6}
        lines.append(
            SpanLine(number + 1, 0, rng.randrange(100), rng.randrange(1, 90), rng.choice("ab"),
                     rng.choice("fgh"), rng.randrange(6), number % 17, rng.random() < 0.2,
                     attributes, resource)
        )  # fmt: skip
    frame = frame_of(*lines)
    read = {
        "span.zone": lambda one: one.attributes.get("zone"),
        "resource.zone": lambda one: one.resource.get("zone"),
        ".zone": lambda one: one.attributes.get("zone", one.resource.get("zone")),
        ".pod": lambda one: one.resource.get("pod"),
        "span.missing": lambda _: None,
        "resource.service.name": lambda one: one.service,
        "name": lambda one: one.name,
        "status": lambda one: "error" if one.is_error else "unset",
        "rootName": lambda one: one.name,
        "kind": lambda one: ("unspecified", "internal", "server", "client", "producer",
                             "consumer")[one.kind],
    }  # fmt: skip
    fields = rng.sample(list(read), rng.randrange(1, 4))
    expected = defaultdict(list)
    for one in lines:
        expected[tuple(read[field](one) for field in fields)].append(one)
    groups = [grouped_by(frame, parse_field(field)) for field in fields]
    found = attribute_profile(
        frame, np.zeros(len(frame), dtype=np.int64), groups, traces=17, of_traces=17
    )
    assert {one.by for one in found} == set(expected)
    for cost in found:
        spans = expected[cost.by]
        durations = sorted(span.duration for span in spans)
        assert (cost.spans, cost.traces) == (len(spans), len({span.trace for span in spans}))
        assert cost.errors == sum(span.is_error for span in spans)
        assert cost.total == cost.self_time == sum(durations)
        assert cost.p50 == durations[(len(durations) + 1) // 2 - 1]
    own = [cost.self_time for cost in found]
    assert own == sorted(own, reverse=True)


def test_what_spans_cannot_be_grouped_by_is_refused() -> None:
    """By name, and of no spans there are no groups."""
    frame = _two_traces()
    for field in ("event.name", "duration", "parent.zone", "link:traceID"):
        with pytest.raises(QuestionError, match="cannot group"):
            grouped_by(frame, parse_field(field))
    nothing = frame_of()
    groups = [grouped_by(nothing, parse_field("span.zone"))]
    assert attribute_profile(nothing, critical_times(nothing), groups, traces=0, of_traces=0) == []


@pytest.mark.parametrize("width", [3, 2000])
def test_paths_are_what_is_walked_by_hand(width: int) -> None:
    """Of trees that are wide here and narrow there, and of whatever hangs below them."""
    rng = random.Random(width)
    lines: list[SpanLine] = []
    paths: list[tuple[str, ...]] = []
    for number in range(4_000):
        above = rng.randrange(max(0, number - width), number + 1) - 1
        name = rng.choice("abc")
        lines.append(SpanLine(number + 1, above + 1, number, 10, "shop", name, trace=0))
        paths.append((*(paths[above] if above >= 0 else ()), name))
    tree = call_tree(frame := frame_of(*lines), critical_times(frame))
    named: list[tuple[str, ...]] = []
    for parent, operation in zip(tree.parent.tolist(), tree.operation.tolist(), strict=True):
        name = frame.table.operations[operation][1]
        named.append((*(named[parent] if parent >= 0 else ()), name))
    assert len({*named}) == len(named)
    assert [named[at] for at in tree.path_of.tolist()] == paths
    assert tree.spans.sum() == len(lines)


def test_a_chain_costs_no_more_than_its_spans() -> None:
    """Twenty thousand levels of one span each: 0.03 s on a quiet machine, 0.6 if each is sorted."""
    count = 20_000
    frame = frame_of(*(SpanLine(at + 1, at, at, 2 * count - at) for at in range(count)))
    critical = critical_times(frame)
    begun = time.process_time()
    tree = call_tree(frame, critical)
    assert time.process_time() - begun < 0.3
    assert len(tree.parent) == count


def test_sums_of_the_longest_spans_do_not_go_round() -> None:
    """Spans of 292 years are cut to 146, and what they come to together to 292."""
    longest = 2**63 - 1
    lines = [SpanLine(at + 1, 0, 5, longest, "shop", "GET", kind=3, trace=at) for at in range(3)]
    lines += [SpanLine(at + 9, 1, 5, longest, "db", "GET", kind=3) for at in range(5)]
    frame = frame_of(*lines)
    critical = critical_times(frame)
    tree = call_tree(frame, critical)
    assert tree.total.tolist() == [longest, longest]
    for one in operation_profile(frame, critical, traces=3, of_traces=3):
        assert (one.total, one.p50) == (longest, 2**62 - 1)
        assert 0 <= one.critical <= longest
    _, found = statistics_by(["a", "a", "b"], [longest, 1, 7], [longest, longest, 7])
    assert (found.total, found.self_total) == ([longest, 7], [longest, 7])
    assert find_in_trace(frame_of(*lines[:1], *lines[3:]))[0].nanoseconds <= longest


@pytest.mark.parametrize("seed", range(4))
def test_sums_are_exact_as_far_as_they_fit(seed: int) -> None:
    """Of numbers below and above nothing, at the edge too; those beyond are the greatest."""
    rng = random.Random(seed)
    values = [rng.choice([rng.randrange(-9, 9), 2 ** rng.randrange(63) - 1]) for _ in range(40)]
    groups = [rng.randrange(20) for _ in values]
    found = sums_by(np.array(groups), np.array(values), 20).tolist()
    for group, got in enumerate(found):
        whole = sum(one for of, one in zip(groups, values, strict=True) if of == group)
        assert got == min(whole, 2**63 - 1)


def test_paths_are_merged_and_add_up() -> None:
    """Two traces of the same three paths."""
    frame = _two_traces()
    tree = call_tree(frame, critical_times(frame))
    assert tree.parent.tolist() == [-1, 0, 0]
    assert tree.spans.tolist() == [2, 2, 2]
    assert tree.traces.tolist() == [2, 2, 2]
    assert int(tree.self_time.sum()) == int(frame.self_time.sum())


def test_the_critical_path_is_never_longer_than_the_roots() -> None:
    """Over a whole application; nor is it longer than a span's own time."""
    frame = SpanFrame.of(draw_traffic("lock", 3, 10**18, requests_per_second=5).table)
    critical = critical_times(frame)
    roots = frame.parent < 0
    assert critical.sum() <= frame.table.duration[roots].sum()
    assert (critical <= frame.self_time + 1).all()
    assert critical.sum() > 0.95 * frame.table.duration[roots].sum()


def test_a_sample_is_as_near_as_it_says() -> None:
    """The mean self time of a trace lies within the error in 17 of 20 samples or more, of each."""
    table = draw_traffic(None, 4, 10**18, requests_per_second=10).table
    whole = SpanFrame.of(table)
    traces = int(table.trace.max()) + 1
    truth = np.zeros(len(table.operations))
    np.add.at(truth, table.operation, whole.self_time)
    truth /= traces
    within = tried = 0
    for part in range(20):
        chosen = table.trace % 20 == part
        some = _only(table, chosen)
        count = len(np.unique(some.table.trace))
        for one in operation_profile(
            some, np.zeros(len(some), dtype=np.int64), traces=count, of_traces=traces
        ):
            at = table.operations.index((one.service, one.operation))
            tried += 1
            within += abs(one.self_time / count - truth[at]) <= one.self_error
    assert tried > 300
    assert within / tried >= 0.9


def _only(table: object, chosen: np.ndarray) -> SpanFrame:
    from dataclasses import fields, replace

    from lymer.analysis.span_frame import Attributes, SpanTable

    assert isinstance(table, SpanTable)
    columns = {
        one.name: getattr(table, one.name)[chosen]
        for one in fields(table)
        if one.name not in {"operations", "attributes", "trace_hi", "trace_lo"}
    }
    return SpanFrame.of(replace(table, attributes=Attributes(), **columns))


def test_two_sides_differ_by_path() -> None:
    """The database takes 150 ms instead of 50; the sentence says so."""
    before, after = _two_traces(), _two_traces(250)
    found = compare(before, critical_times(before), after, critical_times(after))
    assert found[0].path == (("shop", "GET"), ("db", "SELECT"))
    assert found[0].self_time == (50 * MS, 150 * MS)
    assert found[0].calls == (1, 1)
    text = sentence(found)
    assert text == (
        "The second takes 200 ms where the first takes 100 ms; db SELECT itself takes 100 ms "
        "longer (100% of the difference)."
    )
    assert sentence([]) == "Neither side has spans."
