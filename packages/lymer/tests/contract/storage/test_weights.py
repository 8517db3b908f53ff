"""Spans that were sampled count as many as they stand for: OpenTelemetry's threshold, `ot=th:…`."""

from __future__ import annotations

import random
from typing import Final

import pytest

from contract.storage.conftest import Store, Write
from lymer.language.parsing import parse
from lymer.model.question import DependencyLink
from lymer.storage.search_contract import SeriesQuestion
from make import START, make_request, make_span

MINUTE: Final = 60_000_000_000
HUNDREDTH = "fd70a3d70a3d71"
"""The threshold of one in a hundred: (1 - 1 / 100) * 2^56 in hex."""


STATES: Final = (
    ("", 1),
    ("ot=th:0", 1),
    ("ot=th:8", 2),
    ("a=b, ot=rv:aaaaaaaaaaaaaa;th:c ,c=d", 4),
    (f"ot=th:{HUNDREDTH}", 100),
    ("ot=th:", 1),
    ("ot=th:xyz", 1),
    ("ot=p:8;r:62", 1),
    ("other=th:8", 1),
)
"""What a sender may say → for how many a span stands."""


def test_a_span_counts_by_its_weight(store: Store, write: Write) -> None:
    """In RED and in the graph, errors and durations too, and in Jaeger's dependencies."""
    requests = []
    for trace, (state, _) in enumerate(STATES, 1):
        front = make_span(trace, 1, kind=2, status=2, duration_nano=1_000, trace_state=state)
        back = make_span(trace, 2, 1, kind=2, trace_state=state)
        requests += [
            make_request(front, service=f"shop{trace}"),
            make_request(back, service=f"cart{trace}"),
        ]
    write(*requests)
    shops = [f"shop{trace}" for trace in range(1, len(STATES) + 1)]
    edges = store.get_graph(START, START + 1)
    calls = {one.parent: one for one in store.get_dependencies(START, START + 1)}
    red = {one.service: one for one in store.get_red(START, START + 1, "")}
    minutes = (START // MINUTE, START // MINUTE)
    slots = {
        one.service: one
        for one in store.get_red_slots(
            minutes, shops, ["server"], by_operation=True, slot_minutes=1
        )
    }
    assert {*calls} == {*slots} == {*shops}
    for trace, (_, weight) in enumerate(STATES, 1):
        shop = f"shop{trace}"
        assert (red[shop].call_count, red[shop].error_count, red[shop].duration_nano_sum) == (
            weight, weight, 1_000 * weight,
        )  # fmt: skip
        node = next(one for one in edges if one.target == shop)
        assert (node.calls, node.errors) == pytest.approx((weight, weight))
        assert node.span_count == 1
        is_estimated = weight > 1
        assert calls[shop] == DependencyLink(shop, f"cart{trace}", weight, is_estimated)
        assert red[shop].is_estimated == slots[shop].is_estimated == is_estimated


def test_every_aggregate_counts_by_weight(store: Store, write: Write) -> None:
    """What `test_aggregates.py` lists: four times what spans that stand for themselves make."""
    for trace, state in ((1, ""), (2, "ot=th:c")):
        service = f"shop{trace}"
        write(
            make_request(make_span(trace, 1, kind=2, trace_state=state), service=service),
            make_request(make_span(trace, 2, 1, kind=2, trace_state=state), service=f"cart{trace}"),
        )
    minutes = (START // MINUTE, START // MINUTE)
    window = (START - START % MINUTE, START - START % MINUTE + MINUTE)

    def counted(trace: int) -> dict[str, float]:
        shop, cart = f"shop{trace}", f"cart{trace}"
        text = f'{{ resource.service.name = "{shop}" }} | count_over_time()'
        question = SeriesQuestion(parse(text), *window, step_nano=0, text=text)
        (series,) = store.get_series(question).series
        edges = store.get_minute_counts(minutes, [shop], of="edges")
        links = [one for one in store.get_dependencies(*window) if one.parent == shop]
        slots = store.get_red_slots(minutes, [shop], ["server"], by_operation=True, slot_minutes=1)
        return {
            "get_dependencies": sum(one.call_count for one in links),
            "get_graph": sum(one.calls for one in store.get_graph(*window) if one.target == cart),
            "get_minute_counts": float(edges.calls.sum()),
            "get_red": sum(one.call_count for one in store.get_red(*window, shop)),
            "get_red_slots": sum(one.call_count for one in slots),
            "get_series": series.samples[0][1],
        }

    once, weighted = counted(1), counted(2)
    assert min(once.values()) > 0
    assert weighted == pytest.approx({name: 4 * number for name, number in once.items()})


def test_weights_that_are_no_whole_numbers_are_right_on_average(store: Store, write: Write) -> None:
    """Two in five: each span counts two or three, a thousand of them 2,500."""
    write(
        make_request(
            *(
                make_span(one, 1, kind=2, trace_state="ot=th:9999999999999a")
                for one in range(1, 1001)
            )
        )
    )
    (red,) = store.get_red(START, START + 1, "shop")
    if red.call_count != 2_000:  # the oracle in memory rounds
        assert red.call_count == pytest.approx(2_500, rel=0.03)
    (node,) = store.get_graph(START, START + 1)
    assert node.calls == pytest.approx(2_500, rel=1e-6)


def test_hours_and_minutes_are_the_same_sums(store: Store, write: Write) -> None:
    """Whatever window is asked for: its whole hours come from hours, its ends from minutes."""
    chance = random.Random(7)
    minutes = [chance.randrange(400) for _ in range(300)]
    for part in range(3):
        write(
            make_request(
                *(
                    make_span(number + 1, 1, kind=2, offset_nano=minutes[number] * MINUTE)
                    for number in range(part, len(minutes), 3)
                )
            )
        )
    first = -(START % MINUTE)
    for begin, end in ((0, 400), (17, 378), (20, 80), (33, 34), (59, 181), (0, 1), (120, 240)):
        counted = sum(begin <= one < end for one in minutes)
        window = START + first + begin * MINUTE, START + first + end * MINUTE
        found = store.get_red(*window, "shop")
        assert sum(one.call_count for one in found) == counted
        slots = store.get_red_slots(
            (window[0] // MINUTE, window[1] // MINUTE - 1), ["shop"], ["server"],
            by_operation=True, slot_minutes=1,
        )  # fmt: skip
        assert sum(one.call_count for one in slots) == counted
        hours = store.get_red_slots(
            (window[0] // MINUTE, window[1] // MINUTE - 1), ["shop"], ["server"],
            by_operation=True, slot_minutes=60,
        )  # fmt: skip
        lowest = window[0] // (60 * MINUTE) * 60 * MINUTE
        expected = sum(lowest <= START + first + one * MINUTE < window[1] for one in minutes)
        assert sum(one.call_count for one in hours) == expected
