"""Random traces that arrive in random order, and everything that a store says of them."""

from __future__ import annotations

import random
from typing import Any, Final

from lymer.storage.contract import SpanReader
from make import START, make_link, make_resource_spans, make_span, trace_hex

__all__ = ["FIRST", "SECOND", "answers", "any_trace", "batches_of", "random_arrivals"]

DAY: Final = 86_400 * 10**9
FIRST: Final = 1_795_365_821_000_000
SECOND: Final = 1_000_000


def any_trace(rng: random.Random, trace: int) -> list[Any]:
    """Return the resource spans of a random trace: shared ids, copies, weights, leaves, links."""
    spans = []
    for number in range(1, rng.randint(2, 9)):
        # The first id is one span's, as links lead there.
        span_id = rng.choice([number, max(2, number - 1)]) if rng.random() < 0.2 else number
        attrs: dict[str, Any] = {}
        if rng.random() < 0.3:
            attrs |= {"db.system": rng.choice(["redis", "mysql"]), "server.address": "db.internal"}
        if rng.random() < 0.2:
            attrs |= {"messaging.system": "kafka", "messaging.destination.name": "orders"}
        if rng.random() < 0.1:
            attrs[f"only.{trace}"] = "x"
        kind = rng.randint(0, 5)
        links = [make_link(rng.randint(1, 12), 1)] if kind == 5 else []
        made = make_span(
            trace, span_id, rng.randint(0, number - 1), kind=kind, status=rng.choice([0, 0, 2]),
            name=rng.choice(["GET /", "POST /cart", f"only {trace}"]), attrs=attrs, links=links,
            offset_nano=rng.randrange(3 * 3600) * 10**9, duration_nano=rng.randrange(1, 10**8),
            trace_state=rng.choice(["", "", "ot=th:8", "ot=th:fd70a3d70a3d71"]),
        )  # fmt: skip
        service = rng.choice(["web", "cart", "mailer", "books", f"service-of-{trace}"])
        spans.append(make_resource_spans([made], service=service))
    return spans


def answers(reader: SpanReader) -> dict[str, Any]:
    """Return everything that a store says."""
    ids = [trace_hex(one) for one in range(1, 13)]
    start, end = START - DAY, START + DAY
    services = reader.get_services()
    columns = reader.get_traces(ids, raw=True, skeleton=False)
    slots = reader.get_red_slots(
        (start // 60_000_000_000, end // 60_000_000_000), services,
        ["unspecified", "internal", "server", "client", "producer", "consumer"],
        by_operation=True, slot_minutes=1,
    )  # fmt: skip
    return {
        "services": services,
        "operations": {one: reader.get_operations(one, "") for one in services},
        "spans": sorted(zip(columns.trace_id, columns.span_id, strict=True)),
        "otlp": len(reader.get_otlp(ids)),
        "summaries": reader.get_summaries(ids),
        "dependencies": reader.get_dependencies(start, end),
        "graph": sorted(
            (one.source_kind, one.source, one.target_kind, one.target, one.type,
             round(one.calls, 6), round(one.errors, 6), round(one.duration_nano_sum),
             tuple((bucket, round(count, 6)) for bucket, count in one.buckets), one.span_count)
            for one in reader.get_graph(start, end)
        ),
        "red": sorted(map(repr, reader.get_red(start, end, ""))),
        "slots": sorted(map(repr, slots)),
        "keys": [one for one in reader.get_tag_keys() if one],
    }  # fmt: skip


def random_arrivals(
    rng: random.Random, gap_seconds: int
) -> tuple[list[tuple[int, list[Any]]], dict[int, list[tuple[int, Any]]]]:
    """Return eight segments, and of twelve traces which spans come with which of them."""
    arrived: list[tuple[int, list[Any]]] = [
        (FIRST + number * gap_seconds * SECOND, []) for number in range(8)
    ]
    kinds: dict[int, list[tuple[int, Any]]] = {}
    for trace in range(1, 13):
        begin = rng.randrange(len(arrived))
        kinds[trace] = [
            (min(begin + rng.choice([0, 0, 0, 1, 2]), len(arrived) - 1), one)
            for one in any_trace(rng, trace)
            for _ in range(rng.choice([1, 1, 1, 1, 2]))
        ]
    return arrived, kinds


def batches_of(
    arrived: list[tuple[int, list[Any]]], kinds: dict[int, list[tuple[int, Any]]], gone: set[int]
) -> list[tuple[int, list[Any]]]:
    """Return what arrived with each segment of the traces that are not gone."""
    batches: list[tuple[int, list[Any]]] = [(segment, []) for segment, _ in arrived]
    for trace, spans in kinds.items():
        for place, one in spans:
            if trace not in gone:
                batches[place][1].append(one)
    return batches
