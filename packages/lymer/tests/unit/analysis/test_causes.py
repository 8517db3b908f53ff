"""Planted causes are found first, quiet periods are quiet, and the plain rule is told beside."""

from __future__ import annotations

import numpy as np
import pytest

from lymer.analysis.attribution import attribute, clearest, fact_of
from lymer.analysis.cohort import Fact, differences
from lymer.analysis.root_cause import Causes, find_causes
from lymer.analysis.scan import log_likelihood_ratio, scan
from lymer.analysis.span_frame import SpanFrame
from lymer.incidents.kinds import KINDS, Fault
from lymer.incidents.traffic import BASELINE_SECONDS, INCIDENT_SECONDS, Traffic, draw_traffic
from unit.analysis.tables import SpanLine, frame_of

_END = 1_700_000_000_000_000_000
_BEGIN = _END - (BASELINE_SECONDS + INCIDENT_SECONDS) * 10**9


def _causes(traffic: Traffic) -> tuple[SpanFrame, Causes]:
    frame = SpanFrame.of(traffic.table)
    return frame, find_causes(frame, _BEGIN, _END)


def _is_first(causes: Causes, fault: Fault) -> bool:
    if not causes.candidates:
        return False
    place = causes.candidates[0].place
    return (place.service, fault.operation) in {
        (fault.service, None),
        (fault.service, place.operation),
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_planted_cause_comes_first(kind: str) -> None:
    """One incident of each kind; a hundred are in `bench/incidents.py`."""
    traffic = draw_traffic(kind, 7, _END)
    frame, causes = _causes(traffic)
    assert traffic.fault is not None
    assert _is_first(causes, traffic.fault), causes.candidates[:3]
    assert abs(causes.start_unix_nano - traffic.start_unix_nano) <= 30e9
    assert causes.by_rule
    if traffic.fault.attribute is not None:
        during = (frame.table.start >= causes.start_unix_nano) & (
            frame.table.start < causes.end_unix_nano
        )
        found = attribute(frame, causes.candidates[0], during)
        told = found[0].fact if found else fact_of(causes.candidates[0].place)
        assert (told.key, told.value) == (traffic.fault.attribute, traffic.fault.value)


def test_examples_of_repeated_calls_have_them() -> None:
    """Not those that took longest by themselves: the callers with the most of the calls."""
    traffic = draw_traffic("n-plus-one", 21, _END)
    frame, causes = _causes(traffic)
    place = next(one.place for one in causes.candidates if one.place.what == "calls")
    during = frame.table.start >= causes.start_unix_nano
    names = [" ".join(one) for one in frame.table.operations]
    calls = [
        sum(names[frame.table.operation[child]] == place.below for child in children)
        for row in clearest(frame, place, during, 5)
        if len(children := np.flatnonzero(frame.parent == row))
    ]
    assert len(calls) == 5
    assert min(calls) >= 5


@pytest.mark.parametrize("seed", range(4))
def test_a_quiet_period_has_no_cause(seed: int) -> None:
    """Though a service is busier, a customer bigger and another service new."""
    causes = _causes(draw_traffic(None, 500 + seed, _END))[1]
    assert causes == Causes(0, 0, [], [])


def test_names_say_nothing_about_causes() -> None:
    """The same incident with other names has the same cause."""
    traffic = draw_traffic("slow-callee", 1, _END)
    table = traffic.table
    other = [(f"x{service}", f"y{name}") for service, name in table.operations]
    from dataclasses import replace

    causes = _causes(traffic)[1]
    renamed = _causes(replace(traffic, table=replace(table, operations=other)))[1]
    first, second = causes.candidates[0].place, renamed.candidates[0].place
    assert (f"x{first.service}", f"y{first.operation}") == (second.service, second.operation)
    assert causes.candidates[0].score == pytest.approx(renamed.candidates[0].score)


def _shop(slow: range, gap: int = 0) -> list[SpanLine]:
    """Return a hundred traces a second apart; a way to `cart` takes 50 times as long in some.

    No span says its kind; from the fiftieth trace on everything is `gap` later.
    """
    lines = []
    for number in range(100):
        at = number * 10**9 + (gap if number >= 50 else 0)
        way = 50_000_000 if number in slow else 1_000_000
        for trace, id_, parent, start, duration, service, name in (
            (number, 1, 0, 0, way + 9_000_000, "web", "GET /"),
            (number, 2, 1, 0, way + 5_000_000 + number % 7, "web", "call cart"),
            (number, 3, 2, way // 2, 5_000_000, "cart", "get"),
            (number, 4, 1, 0, 3_000_000 + number % 5, "web", "call ads"),
            (number, 5, 4, 10, 2_000_000, "ads", "get"),
        ):
            lines.append(
                SpanLine(id_ + 10 * number, parent and parent + 10 * number, at + start, duration,
                         service, name, 0, trace)
            )  # fmt: skip
    return lines


@pytest.mark.parametrize("gap", [0, 3_600 * 10**9])
def test_a_slow_way_is_found_though_no_span_says_its_kind(gap: int) -> None:
    """Few traces; and an hour without any between what was usual and what was not."""
    frame = frame_of(*_shop(range(50, 100), gap))
    end = int(frame.table.start.max()) + 1
    causes = find_causes(frame, 0, end)
    assert causes.candidates[0].place.what == "network"
    assert causes.candidates[0].place.service == "cart"
    assert abs(causes.start_unix_nano - gap - 50 * 10**9) < 5 * 10**9
    known = find_causes(frame, 0, end, window=(gap + 50 * 10**9, end))
    assert known.candidates[0].place.service == "cart"


def test_with_nothing_to_compare_with_it_is_where_the_time_goes() -> None:
    """Errors where they began, before time; ways count for the one that is called."""
    frame = frame_of(*_shop(range(100)))
    causes = find_causes(frame, 0, 100 * 10**9, window=(0, 100 * 10**9))
    assert causes.candidates[0].place.service == "cart"
    assert causes.candidates[0].ratio == 0
    failed = [*_shop(range(0)), SpanLine(5_001, 1, 0, 9, "ads", "fail", 2, 0, is_error=True)]
    first = find_causes(frame_of(*failed), 0, 100 * 10**9, window=(0, 10**12)).candidates[0]
    assert (first.place.what, first.place.operation) == ("error", "fail")


def test_no_spans_no_cause() -> None:
    """Nor with one span."""
    assert find_causes(frame_of(), 0, 100).candidates == []
    assert find_causes(frame_of(SpanLine(1)), 0, 100).candidates == []


def test_a_window_that_is_known_is_not_looked_for() -> None:
    """Half an incident is enough to find what it is."""
    traffic = draw_traffic("error-burst", 2, _END)
    frame = SpanFrame.of(traffic.table)
    window = (traffic.start_unix_nano, traffic.start_unix_nano + 60 * 10**9)
    causes = find_causes(frame, _BEGIN, _END, window=window)
    assert (causes.start_unix_nano, causes.end_unix_nano) == window
    assert traffic.fault is not None
    assert _is_first(causes, traffic.fault)


def test_the_likelihood_ratio_by_hand() -> None:
    """10 of 20 inside against 10 of 80 outside: 20 log 2 ... as the formula says; lower is 0."""
    one = [np.array([value]) for value in (10.0, 20.0, 20.0, 100.0)]
    expected = (
        10 * np.log(0.5) + 10 * np.log(0.5)
        + 10 * np.log(10 / 80) + 70 * np.log(70 / 80)
        - 20 * np.log(0.2) - 80 * np.log(0.8)
    )  # fmt: skip
    assert log_likelihood_ratio(*one)[0] == pytest.approx(expected)
    lower = [np.array([value]) for value in (1.0, 20.0, 20.0, 100.0)]
    assert log_likelihood_ratio(*lower)[0] == 0


def test_the_likeliest_window_is_the_planted_one() -> None:
    """Twice as often in bins 30 to 44."""
    events = np.full((1, 80), 10.0)
    events[0, 30:45] = 20
    (found,) = scan(events, np.full((1, 80), 100.0), bins_min=2, bins_max=40)
    assert (found.first, found.end) == (30, 45)


def test_what_is_different_is_what_the_selection_has() -> None:
    """Half of the slow are of one version; the host comes along; a common value says nothing."""
    lines = []
    for number in range(200):
        slow = number < 100
        bad = number < 50 or number % 25 == 0
        lines.append(
            SpanLine(
                number + 1,
                duration=100 if slow else 10,
                trace=number,
                attributes={"region": "eu"},
                resource={"service.version": "2" if bad else "1", "host": "b" if bad else "a"},
            )
        )
    frame = frame_of(*lines)
    slow = frame.table.duration > 50
    found = differences(frame, slow, ~slow)
    assert found[0].fact in {
        Fact("resource", "service.version", "2"),
        Fact("resource", "host", "b"),
    }
    assert len(found[0].along) == 1
    assert found[0].sample == 100
    assert found[0].own == found[0].support
    assert found[0].effect == pytest.approx(0.52 - 0.04)
    assert all(one.fact.key != "region" for one in found)
    assert differences(frame, slow, np.zeros(200, dtype=bool)) == []


def test_what_a_callee_has_is_told_of_the_caller() -> None:
    """Slow requests are those whose database span is of the new version."""
    lines = []
    for number in range(100):
        bad = number % 2 == 0
        lines += [
            SpanLine(2 * number + 1, duration=100 if bad else 10, trace=number),
            SpanLine(
                2 * number + 2,
                2 * number + 1,
                service="db",
                duration=90 if bad else 5,
                trace=number,
                resource={"service.version": "new" if bad else "old"},
            ),
        ]
    frame = frame_of(*lines)
    roots = frame.parent < 0
    slow = frame.table.duration > 50
    found = differences(frame, roots & slow, roots & ~slow)
    assert found[0].fact == Fact("resource", "service.version", "new")
    assert found[0].effect == 1
    # The callers have it from their callees, none has it itself.
    assert (found[0].own, found[0].support) == (0, 50)
