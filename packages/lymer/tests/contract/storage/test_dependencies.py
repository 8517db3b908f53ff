"""Who calls whom: shared ids, repeated deliveries, any order of arrival."""

from __future__ import annotations

import collections
import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

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


class Seen(NamedTuple):
    """A span of a case, as its service saw it."""

    service: str
    kind: int
    span_id: int
    parent: int = 0


CASES: Final[dict[str, tuple[list[Seen], Calls]]] = {
    "a client, a server, and what the server does": (
        [
            Seen("web", CLIENT, 1, 9),
            Seen("shop", SERVER, 2, 1),
            Seen("shop", INTERNAL, 3, 2),
            Seen("shop", CLIENT, 4, 3),
        ],
        {("web", "shop"): 1, ("shop", "shop"): 2},
    ),
    "a server that shares its client's id": (
        [
            Seen("web", SERVER, 1),
            Seen("web", CLIENT, 2, 1),
            Seen("shop", SERVER, 2, 1),
            Seen("shop", CLIENT, 3, 2),
            Seen("cart", SERVER, 3, 2),
            Seen("cart", INTERNAL, 4, 3),
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
        [Seen("web", CLIENT, 1), Seen("shop", SERVER, 1)],
        {("web", "shop"): 1},
    ),
    "a message": (
        [Seen("web", PRODUCER, 1), Seen("mail", CONSUMER, 1), Seen("mail", INTERNAL, 2, 1)],
        {("web", "mail"): 1, ("mail", "mail"): 1},
    ),
    "a client and a server of one service": (
        [Seen("shop", CLIENT, 1), Seen("shop", SERVER, 1)],
        {("shop", "shop"): 1},
    ),
    "a parent nobody sent": ([Seen("shop", SERVER, 2, 77)], {}),
    "a span that is its own parent": ([Seen("shop", INTERNAL, 2, 2)], {("shop", "shop"): 1}),
}
"""Each is a trace, and services, of its own, so one store is asked about all of them at once."""
EXPECTED: Final[Calls] = {
    (f"{case}: {parent}", f"{case}: {child}"): calls
    for case, (_, expected) in CASES.items()
    for (parent, child), calls in expected.items()
}


def arrivals_of_cases(
    order: Callable[[list[Seen]], list[Seen]],
) -> Iterator[list[ResourceSpans]]:
    """Yield what arrives first of each case, then what arrives second, and so on."""
    ordered = [
        [span(f"{case}: {seen.service}", *seen[1:], trace=trace) for seen in order(CASES[case][0])]
        for trace, case in enumerate(CASES, 1)
    ]
    for arriving in itertools.zip_longest(*ordered):
        yield [one for one in arriving if one is not None]


ORDERS: Final[dict[str, Callable[[list[Seen]], list[Seen]]]] = {
    "as they began": lambda seen: seen,
    "backwards, some twice": lambda seen: [*reversed(seen), *seen[::2]],
}


def test_calls_between_services(store: Store, arrive: Arrivals) -> None:
    """Of spans that arrive together; delivered again and again they count once."""
    spans = [one for arriving in arrivals_of_cases(ORDERS["as they began"]) for one in arriving]
    arrive(*spans)
    assert calls_of(store) == EXPECTED
    for _ in range(2):
        arrive(*spans, *spans)
        assert calls_of(store) == EXPECTED


@pytest.mark.parametrize("order", list(ORDERS))
def test_the_order_of_arrival_does_not_matter(store: Store, arrive: Arrivals, order: str) -> None:
    """Each span of a trace in a segment of its own, counted in between."""
    for arriving in arrivals_of_cases(ORDERS[order]):
        arrive(*arriving)
        calls_of(store)

    assert calls_of(store) == EXPECTED


def test_parent_and_child_that_arrive_far_apart_are_joined(store: Store, arrive: Arrivals) -> None:
    """Up to 300 s, while others arrive in between."""
    arriving: dict[float, list[ResourceSpans]] = collections.defaultdict(list)
    apart = list(itertools.product((31, 60, 299), ("parent", "child")))
    for trace, (seconds, late) in enumerate(apart, 1):
        parent = span(f"web {seconds} {late}", CLIENT, 1, trace=trace)
        child = span(f"shop {seconds} {late}", SERVER, 2, 1, trace=trace)
        first, second = (child, parent) if late == "parent" else (parent, child)
        arriving[0].append(first)
        arriving[seconds].append(second)
        for number in range(1, 4):
            noise = span("noise", SERVER, 1, trace=100 * trace + number)
            arriving[seconds * number / 4].append(noise)
    for at in sorted(arriving):
        arrive(*arriving[at], at=at)
        calls_of(store)

    assert calls_of(store) == {
        (f"web {seconds} {late}", f"shop {seconds} {late}"): 1 for seconds, late in apart
    }


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
