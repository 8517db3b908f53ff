"""Who calls whom: shared ids, repeated deliveries, any order of arrival."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from contract.storage.conftest import Store
from fakes.memory_store import MemoryStore
from make import START, make_request, make_resource_spans, make_span, write_segment_file

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(1, 6)
SECOND: Final = 1_000_000
DAY: Final = 86_400 * 10**9
Calls = dict[tuple[str, str], int]


def calls_of(store: Store) -> Calls:
    """Return (parent, child) → calls."""
    links = store.get_dependencies(START - DAY, START + DAY)
    return {(link.parent, link.child): link.call_count for link in links}


def span(service: str, kind: int, span_id: int, parent: int = 0, trace: int = 1) -> ResourceSpans:
    """Return one span of a service."""
    return make_resource_spans(
        [make_span(trace, span_id, parent, kind=kind, offset_nano=span_id)], service=service
    )


class Arrivals:
    """Stores spans as they arrive, one segment each time."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._seconds = itertools.count()

    @staticmethod
    def request(*spans: ResourceSpans) -> ExportTraceServiceRequest:
        """Return what arrives together."""
        request = make_request()
        del request.resource_spans[:]
        request.resource_spans.extend(spans)
        return request

    def __call__(self, *spans: ResourceSpans, at: float | None = None) -> None:
        """Store what arrives `at` seconds after the beginning, a second after the last if None."""
        request = self.request(*spans)
        seconds = next(self._seconds) if at is None else at
        self._store.write_segment(
            write_segment_file(
                self._folder, request, segment_id=1_795_365_821 * SECOND + round(seconds * SECOND)
            )
        )


@pytest.fixture
def arrive(store: Store, tmp_path: Path) -> Arrivals:
    """Return a function that stores what arrives together."""
    return Arrivals(store, tmp_path)


CASES: Final[dict[str, tuple[list[ResourceSpans], Calls]]] = {
    "a client, a server, and what the server does": (
        [
            span("web", CLIENT, 1, 9),
            span("shop", SERVER, 2, 1),
            span("shop", INTERNAL, 3, 2),
            span("shop", CLIENT, 4, 3),
        ],
        {("web", "shop"): 1, ("shop", "shop"): 2},
    ),
    "a server that shares its client's id": (
        [
            span("web", SERVER, 1),
            span("web", CLIENT, 2, 1),
            span("shop", SERVER, 2, 1),
            span("shop", CLIENT, 3, 2),
            span("cart", SERVER, 3, 2),
            span("cart", INTERNAL, 4, 3),
        ],
        {
            ("web", "web"): 1,
            ("web", "shop"): 1,
            ("shop", "shop"): 1,
            ("shop", "cart"): 1,
            ("cart", "cart"): 1,
        },
    ),
    "a root client whose server shares its id": (
        [span("web", CLIENT, 1), span("shop", SERVER, 1)],
        {("web", "shop"): 1},
    ),
    "a message": (
        [span("web", PRODUCER, 1), span("mail", CONSUMER, 1), span("mail", INTERNAL, 2, 1)],
        {("web", "mail"): 1, ("mail", "mail"): 1},
    ),
    "a client and a server of one service": (
        [span("shop", CLIENT, 1), span("shop", SERVER, 1)],
        {("shop", "shop"): 1},
    ),
    "a parent nobody sent": ([span("shop", SERVER, 2, 77)], {}),
    "a span that is its own parent": (
        [span("shop", INTERNAL, 2, 2)],
        {("shop", "shop"): 1},
    ),
}


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("together", [True, False])
def test_calls_between_services(
    store: Store, arrive: Arrivals, case: str, *, together: bool
) -> None:
    """Whether spans arrive together or each in a segment of its own, counted in between."""
    spans, expected = CASES[case]
    if together:
        arrive(*spans)
    else:
        for one in spans:
            arrive(one)
            calls_of(store)

    assert calls_of(store) == expected


@pytest.mark.parametrize("case", list(CASES))
def test_the_order_of_arrival_does_not_matter(store: Store, arrive: Arrivals, case: str) -> None:
    """Nor that some are delivered twice."""
    spans, expected = CASES[case]
    for one in [*reversed(spans), *spans[::2]]:
        arrive(one)
        calls_of(store)

    assert calls_of(store) == expected


@pytest.mark.parametrize("case", list(CASES))
def test_spans_that_were_delivered_often_count_once(
    store: Store, arrive: Arrivals, case: str
) -> None:
    """In one segment, and in several."""
    spans, expected = CASES[case]
    for _ in range(3):
        arrive(*spans, *spans)
        calls_of(store)

    assert calls_of(store) == expected


@pytest.mark.parametrize("seconds", [31, 60, 299])
@pytest.mark.parametrize("late", ["parent", "child"])
def test_parent_and_child_that_arrive_far_apart_are_joined(
    store: Store, arrive: Arrivals, seconds: float, late: str
) -> None:
    """Up to 300 s, while others arrive in between."""
    parent, child = span("web", CLIENT, 1), span("shop", SERVER, 2, 1)
    first, second = (child, parent) if late == "parent" else (parent, child)
    arrive(first, at=0)
    for number in range(1, 4):
        arrive(span("noise", SERVER, 1, trace=number + 1), at=seconds * number / 4)
        calls_of(store)
    arrive(second, at=seconds)

    assert calls_of(store) == {("web", "shop"): 1}


@pytest.mark.parametrize("seed", range(2))
def test_random_traces_give_the_calls_of_the_store_in_memory(
    store: Store, arrive: Arrivals, seed: int, tmp_path: Path
) -> None:
    """Shared ids, repetitions, and any order and grouping of arrival."""
    rng = random.Random(seed)
    spans = list(_random_spans(rng))
    spans += rng.sample(spans, len(spans) // 3)
    rng.shuffle(spans)
    memory = Store(MemoryStore())
    into_memory = Arrivals(memory, tmp_path)
    while spans:
        size = rng.choice([3, 20, 40])
        some, spans = spans[:size], spans[size:]
        arrive(*some)
        into_memory(*some)
        if rng.random() < 0.5:
            assert calls_of(store) == calls_of(memory)

    assert calls_of(store) == calls_of(memory)


def _random_spans(rng: random.Random) -> list[ResourceSpans]:
    """Return the spans of some traces; of each id at most one caller and one callee."""
    made: list[ResourceSpans] = []
    service: Callable[[], str] = lambda: rng.choice("abcd")  # noqa: E731
    for trace in range(1, 12):
        for number in range(1, rng.randrange(2, 12)):
            parent = rng.randrange(number + 2)
            if rng.random() < 0.4:
                pair = rng.choice([(CLIENT, SERVER), (PRODUCER, CONSUMER)])
                made.append(span(service(), pair[0], number, parent, trace))
                made.append(span(service(), pair[1], number, parent, trace))
            else:
                made.append(span(service(), rng.randrange(6), number, parent, trace))
    return made
