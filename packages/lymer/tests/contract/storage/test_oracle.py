"""Random traces and questions: every store answers as the store in memory does."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from contract.storage.conftest import STORES, Store
from fakes.memory_store import MemoryStore
from lymer.model.columns import SpanColumns
from lymer.model.question import TraceQuestion
from make import (
    START,
    Plain,
    make_event,
    make_link,
    make_request,
    make_span,
    trace_hex,
    write_segment_file,
)

OTHERS = [name for name in STORES if name != "memory"]
TRACES = 40


def _plain(rng: random.Random, depth: int = 0) -> Plain:
    choices: list[Plain] = [
        rng.choice(["", "a", "b", "500", "주문", 'q"\\', "\0"]),
        rng.choice([0, 1, 500, -7, 2**53, 2**63 - 1, -(2**63)]),
        rng.choice([0.5, 500.0, -1e300, 2.5e-9, 1e16]),
        rng.choice([True, False]),
        rng.choice([b"", b"\x00\xff"]),
        None,
    ]
    if depth < 2:
        choices.append([_plain(rng, depth + 1) for _ in range(rng.randrange(3))])
        choices.append({key: _plain(rng, depth + 1) for key in rng.sample("abc", rng.randrange(3))})
    return rng.choice(choices)


def _pairs(rng: random.Random, keys: str) -> list[tuple[str, Plain]]:
    return [(rng.choice(keys), _plain(rng)) for _ in range(rng.randrange(5))]


def random_request(rng: random.Random) -> ExportTraceServiceRequest:
    """Return spans with whatever may stand anywhere."""
    spans = [
        make_span(
            rng.randrange(1, TRACES),
            rng.randrange(1, 2**40),
            rng.choice([0, rng.randrange(1, 50)]),
            name=rng.choice(["get", "put", "", "SELECT 1"]),
            kind=rng.randrange(6),
            offset_nano=rng.randrange(10**10),
            duration_nano=rng.choice([-5, 0, 1, 10**6, 10**9]),
            attrs=_pairs(rng, "klm"),
            events=[
                make_event(name, offset_nano=offset, attrs=_pairs(rng, "ek"))
                for offset, name in enumerate(sorted(rng.choices("xyz", k=rng.randrange(3))))
            ],
            links=[
                make_link(rng.randrange(5), rng.randrange(5), attrs=_pairs(rng, "ok"))
                for _ in range(rng.randrange(2))
            ],
            status=rng.randrange(3),
            message=rng.choice(["", "boom"]),
        )
        for _ in range(rng.randrange(1, 30))
    ]
    return make_request(
        *spans,
        service=rng.choice(["shop", "cart", "", None]),
        resource=_pairs(rng, "rk"),
        scope=rng.choice(["", "lib"]),
        scope_attrs=_pairs(rng, "sk"),
    )


def _question(rng: random.Random) -> TraceQuestion:
    keys = [
        "k",
        "l",
        "e",
        "o",
        "r",
        "s",
        "event",
        "resource.k",
        "error",
        "span.kind",
        "scope.name",
        "otel.status_code",
        "otel.status_description",
        "otel.scope.name",
    ]
    values = [
        "a",
        "b",
        "500",
        "0.5",
        "true",
        "",
        "x",
        "server",
        "lib",
        "ERROR",
        "boom",
        "主",
        "9007199254740992",
    ]
    return TraceQuestion(
        start_unix_nano_min=START + rng.randrange(10**10) // 4,
        start_unix_nano_max=START + 10**10 - rng.randrange(10**10) // 4,
        service=rng.choice(["", "", "shop", "cart"]),
        operation=rng.choice(["", "", "get"]),
        tags=tuple((rng.choice(keys), rng.choice(values)) for _ in range(rng.randrange(3))),
        present=tuple(
            rng.choice([*keys, "x", "y", "w3c.tracestate"]) for _ in range(rng.choice([0, 0, 1, 2]))
        ),
        duration_nano_min=rng.choice([None, None, 2, 10**6]),
        duration_nano_max=rng.choice([None, None, 10**6]),
        limit=rng.choice([1, 5, 100]),
    )


def _comparable(columns: SpanColumns) -> list[tuple[object, ...]]:
    """Return the columns row by row; identities are compared by which rows share one."""
    first: dict[int, int] = {}
    return [
        (
            columns.trace_id[row],
            columns.span_id[row],
            columns.parent_span_id[row],
            columns.service[row],
            columns.name[row],
            columns.kind[row],
            columns.status_code[row],
            columns.start_unix_nano[row],
            columns.duration_nano[row],
            columns.host[row],
            first.setdefault(columns.identity[row], row),
            sorted(columns.warnings[row]),
            json.loads(columns.tags_json[row]),
            columns.event_unix_nano[row],
            [json.loads(text) for text in columns.event_fields_json[row]],
            columns.links[row],
            json.loads(columns.process_json[columns.process[row]]),
        )
        for row in range(len(columns))
    ]


def _by_minute(
    store: Store, minutes: tuple[int, int], services: list[str], of: str
) -> dict[tuple[str, str, int, str], float]:
    counts = store.get_minute_counts(minutes, services, of=of)
    found: dict[tuple[str, str, int, str], float] = {}
    for what in ("calls", "errors", "logs"):
        values = getattr(counts, what).tolist()
        for at, minute, value in zip(
            counts.series.tolist(), counts.minute.tolist(), values, strict=True
        ):
            key = (*counts.names[at], minute, what)
            found[key] = found.get(key, 0.0) + value
    return {key: value for key, value in found.items() if value}


SEEDS = [
    ("clickhouse", 1), ("clickhouse", 2), ("remote", 3), ("two-collectors", 1), ("two-shards", 2)
]  # fmt: skip
"""Each store reads with the same statements: so each has a seed of its own."""
if "LYMER_TEST_THOROUGH" in os.environ:
    SEEDS = [(name, seed) for name in OTHERS for seed in range(1, 10)]


@pytest.mark.parametrize(("name", "seed"), SEEDS)
def test_a_store_answers_as_the_store_in_memory(name: str, seed: int, tmp_path: Path) -> None:
    """The same random segments, the same random questions, the same answers."""
    rng = random.Random(seed)
    oracle, other = Store(MemoryStore()), Store(STORES[name](tmp_path))
    for number in range(3):
        requests = [random_request(rng) for _ in range(8)]
        segment = write_segment_file(tmp_path, *requests, segment_id=1_795_365_821_000_000 + number)
        oracle.write_segment(segment)
        other.write_segment(segment)
    ids = [trace_hex(number) for number in range(TRACES)]

    for raw in (False, True):
        expected = oracle.get_traces(ids, raw=raw, skeleton=False)
        assert _comparable(expected) == _comparable(other.get_traces(ids, raw=raw, skeleton=False))
    assert oracle.get_services() == other.get_services()
    for service in oracle.get_services():
        assert oracle.get_operations(service, "") == other.get_operations(service, "")
    assert oracle.get_summaries(ids) == other.get_summaries(ids)
    for by_operation, size in ((False, 1), (True, 1), (True, 7)):
        asked = ((START // 60_000_000_000, START // 60_000_000_000 + 3), ("shop", "cart", "x"))
        red = [
            sorted(
                one.get_red_slots(
                    *asked, ("server", "client", "unspecified"), by_operation=by_operation,
                    slot_minutes=size,
                ),
                key=lambda slot: (slot.service, slot.operation, slot.minute),
            )
            for one in (oracle, other)
        ]  # fmt: skip
        assert red[0] == red[1]
        assert red[0]
    for of in ("operations", "edges"):
        minutes = (START // 60_000_000_000, START // 60_000_000_000 + 3)
        for services in ([], ["shop"]):
            assert _by_minute(oracle, minutes, services, of) == pytest.approx(
                _by_minute(other, minutes, services, of)
            )
    assert oracle.get_tag_keys() == other.get_tag_keys()
    for key, service in (("k", ""), ("r", "shop"), ("service.name", "cart"), ("nothing", "")):
        assert oracle.get_tag_values(key, service) == other.get_tag_values(key, service)
    for _ in range(60):
        question = _question(rng)
        assert oracle.find_traces(question) == other.find_traces(question), question
    other.close()
