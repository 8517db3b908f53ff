"""The service graph: who is called, by whom, how often, however the spans arrive."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from contract.storage.conftest import Store
from contract.storage.test_dependencies import Arrivals
from fakes.memory_store import MemoryStore
from lymer.model.graph import GraphEdge
from make import START, make_link, make_resource_spans, make_span, write_segment_file

INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(1, 6)
DAY: Final = 86_400 * 10**9


@pytest.fixture
def arrive(store: Store, tmp_path: Path) -> Arrivals:
    """Return a function that stores what arrives together."""
    return Arrivals(store, tmp_path)


def span(service: str, kind: int, span_id: int, parent: int = 0, **parts: Any) -> ResourceSpans:
    """Return one span of a service; later ids start later."""
    trace = parts.pop("trace", 1)
    made = make_span(trace, span_id, parent, kind=kind, offset_nano=span_id, **parts)
    return make_resource_spans([made], service=service)


def edges_of(store: Any) -> dict[tuple[str, ...], tuple[float, float, int]]:
    """Return (from, to, kinds) → calls, errors, spans."""
    return {
        (one.source_kind, one.source, one.target_kind, one.target, one.type): (
            round(one.calls, 6), round(one.errors, 6), one.span_count
        )
        for one in store.get_graph(START - DAY, START + DAY)
    }  # fmt: skip


SHOP: Final = [
    span("web", SERVER, 1),
    span("web", CLIENT, 2, 1, attrs={"server.address": "cart.internal"}),
    span("cart", SERVER, 3, 2, status=2, duration_nano=5_000),
    span("cart", INTERNAL, 4, 3),
    span("cart", CLIENT, 5, 4, attrs={"db.system": "redis", "db.name": "carts"}, status=2),
    span("cart", CLIENT, 6, 4, attrs={"db.system.name": "postgresql"}),
    span("cart", CLIENT, 7, 4, attrs={"peer.service": "stripe", "net.peer.name": "1.2.3.4"}),
    span("cart", CLIENT, 8, 4, attrs={"net.peer.name": "mail.example"}),
    span("cart", CLIENT, 9, 4),
    span("cart", PRODUCER, 10, 4,
         attrs={"messaging.system": "kafka", "messaging.destination": "orders"}),
    span("mailer", CONSUMER, 11, 10,
         attrs={"messaging.system": "kafka", "messaging.destination.name": "orders"}),
    span("books", CONSUMER, 12, trace=2, links=[make_link(1, 10), make_link(3, 3)]),
]  # fmt: skip
GRAPH: Final = {
    ("", "", "service", "web", "call"): (1, 0, 1),
    ("", "", "service", "cart", "call"): (1, 1, 1),
    ("", "", "service", "mailer", "call"): (1, 0, 1),
    ("", "", "service", "books", "call"): (1, 0, 1),
    ("service", "web", "service", "cart", "call"): (1, 1, 1),
    ("service", "cart", "service", "mailer", "call"): (1, 0, 1),
    ("service", "cart", "service", "books", "link"): (1, 0, 1),
    ("service", "cart", "database", "redis/carts", "call"): (1, 1, 1),
    ("service", "cart", "database", "postgresql", "call"): (1, 0, 1),
    ("service", "cart", "external", "stripe", "call"): (1, 0, 1),
    ("service", "cart", "external", "mail.example", "call"): (1, 0, 1),
    ("service", "cart", "messaging", "kafka/orders", "call"): (1, 0, 1),
    ("messaging", "kafka/orders", "service", "mailer", "call"): (1, 0, 1),
}


def test_a_shop_is_drawn_with_what_is_around_it(store: Store, arrive: Arrivals) -> None:
    """Databases, peers, destinations; a peer that was seen to answer is a service and no peer."""
    arrive(*SHOP)
    assert edges_of(store) == GRAPH
    (cart,) = [one for one in store.get_graph(START, START + 1) if one.target == "redis/carts"]
    assert cart.duration_nano_sum == 1_000_000
    assert cart.buckets == ((159, 1),)


def test_an_edge_is_counted_by_the_minute(store: Store, arrive: Arrivals) -> None:
    """Links with calls; the ends are named as the graph names its nodes."""
    minute = 60 * 10**9
    late = [
        make_resource_spans(
            [make_span(1, number, parent, kind=kind, offset_nano=minute)], service=name
        )
        for name, kind, number, parent in (("web", CLIENT, 21, 1), ("cart", SERVER, 23, 21))
    ]
    arrive(*SHOP, *late)
    first = START // minute
    found = store.get_minute_counts((first, first + 1), [], of="edges")
    columns = (found.series, found.minute, found.calls, found.errors, found.logs)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    by_name = {(*found.names[row[0]], row[1] - first): row[2:] for row in rows}
    assert by_name["web", "cart", 0] == (1, 1, pytest.approx(12.3, abs=0.1))
    assert by_name["web", "cart", 1][:2] == (1, 0)
    assert {key[:2] for key in by_name} == {
        ("web", "cart"), ("cart", "mailer"), ("cart", "books"), ("cart", "database:redis/carts"),
        ("cart", "database:postgresql"), ("cart", "external:stripe"),
        ("cart", "external:mail.example"), ("cart", "messaging:kafka/orders"),
        ("messaging:kafka/orders", "mailer"),
    }  # fmt: skip
    some = store.get_minute_counts((first, first + 1), ["web"], of="edges")
    assert some.names == [("web", "cart")]
    assert len(store.get_minute_counts((first - 9, first - 1), [], of="edges").calls) == 0


def test_the_order_of_arrival_does_not_matter(store: Store, arrive: Arrivals) -> None:
    """Each span in a segment of its own, and the graph read in between."""
    spans = [*SHOP]
    consumer = spans.pop()  # a link is known if what it leads to has arrived
    random.Random(1).shuffle(spans)
    for one in spans:
        arrive(one)
        if one.scope_spans[0].spans[0].kind == CLIENT:
            store.get_graph(START - DAY, START + DAY)
    arrive(consumer)
    assert edges_of(store) == GRAPH


@pytest.mark.parametrize("seed", range(2))
def test_any_traces_are_counted_as_by_hand(store: Store, tmp_path: Path, seed: int) -> None:
    """Random kinds, parents, shared ids, weights and arrivals, held to a slow definition."""
    rng = random.Random(seed)
    arrive, oracle, plain = Arrivals(store, tmp_path), MemoryStore(), tmp_path / "plain"
    plain.mkdir()
    spans = []
    for trace, number in itertools.product(range(1, 5), range(1, 9)):
        kind = rng.randrange(1, 6)
        attrs = rng.choice([{}, {"db.system": "x"}, {"peer.service": "p"},
                            {"messaging.destination.name": "q"}])  # fmt: skip
        parent = rng.randrange(number) if rng.random() < 0.9 else 77
        shared = kind == SERVER and parent and rng.random() < 0.3
        spans.append(
            span(
                rng.choice("abc"), kind, parent if shared else number, parent if not shared else 0,
                trace=trace, attrs=attrs, status=rng.choice([0, 2]),
                duration_nano=rng.randrange(1, 10**6),
                trace_state=rng.choice(["", "", "ot=th:8", "x=1,ot=rv:1;th:c", "ot=p:8"]),
            )
        )  # fmt: skip
    rng.shuffle(spans)
    while spans:
        count = rng.randrange(1, 16)
        some, spans = spans[:count], spans[count:]
        arrive(*some)
        request = arrive.request(*some)
        oracle.write_segment(write_segment_file(plain, request, segment_id=len(spans) + 1))
        if rng.random() < 0.3:
            store.get_graph(START, START + DAY)
    expected = edges_of(oracle.for_tenant(""))
    assert edges_of(store) == expected
    assert len(expected) > 8
    ours, theirs = (
        {
            (one.source, one.target_kind, one.target, one.type, one.source_kind): one
            for one in reader.get_graph(START, START + DAY)
        }
        for reader in (store, oracle.for_tenant(""))
    )
    for key, mine in ours.items():
        assert dict(mine.buckets) == pytest.approx(dict(theirs[key].buckets))
        assert mine.duration_nano_sum == pytest.approx(theirs[key].duration_nano_sum)


def test_a_window_is_whole_minutes(store: Store, tmp_path: Path) -> None:
    """Hours in the middle and minutes at the ends count each span once."""
    starts = [minute * 60 * 10**9 for minute in range(0, 400, 7)]
    request = make_resource_spans(
        [make_span(one + 1, 1, kind=SERVER, offset_nano=at) for one, at in enumerate(starts)]
    )
    Arrivals(store, tmp_path)(request)
    whole = START // 60_000_000_000 * 60_000_000_000
    rng = random.Random(1)
    for _ in range(20):
        first, last = sorted(rng.sample(range(-10, 420), 2))
        graph = store.get_graph(whole + first * 60 * 10**9, whole + last * 60 * 10**9)
        expected = sum(
            first * 60 * 10**9 <= START + at - whole < last * 60 * 10**9 for at in starts
        )
        assert sum(one.calls for one in graph) == expected, (first, last)


def test_nothing_is_nothing(store: Store) -> None:
    """An empty store has an empty graph."""
    found: list[GraphEdge] = store.get_graph(0, START)
    assert found == []
