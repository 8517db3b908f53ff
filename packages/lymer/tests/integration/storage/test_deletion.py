"""Deleted traces are gone from every table and every sum, and nothing else is."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fakes.mortal_engine import KilledError, MortalEngine
from lymer.model.deletion import Deleted
from lymer.model.tail_policy import Policy, Probabilistic
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.tenancy import DEFAULT_TENANT
from make import (
    START,
    make_link,
    make_resource_spans,
    make_span,
    trace_hex,
    write_segment_file,
)

DAY: Final = 86_400 * 10**9
FIRST: Final = 1_795_365_821_000_000
SECOND: Final = 1_000_000
pytestmark = pytest.mark.timeout(1200)


def open_store(folder: Path) -> ClickHouseStore:
    """Open a store in a folder."""
    engine = ChdbEngine(folder, memory_bytes_max=900 * 2**20)
    return ClickHouseStore(engine, retention_seconds=10**8, memory_bytes_max=900 * 2**20)


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


def answers(store: ClickHouseStore) -> dict[str, Any]:
    """Return everything that a store says."""
    reader = store.for_tenant(DEFAULT_TENANT)
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


def stored(
    folder: Path,
    batches: list[tuple[int, list[Any]]],
    *,
    catch_up: int = 0,
    tails: list[Policy] | None = None,
) -> ClickHouseStore:
    """Store what arrived, each batch by its segment, counting after every so many; then sample."""
    store = open_store(folder / "store")
    if tails:
        store.sample_tails(tails)
    for number, (segment, spans) in enumerate(batches):
        if spans:
            request = ExportTraceServiceRequest(resource_spans=spans)
            store.write_segment(write_segment_file(folder, request, segment_id=segment))
        if catch_up and number % catch_up == 0:
            store.catch_up()
    store.catch_up()
    if tails:
        store.decide_traces(FIRST + 10**10)
    return store


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


@pytest.mark.parametrize(
    ("seed", "gap_seconds", "tails"),
    [(0, 1, [Policy("half", Probabilistic(60))]), (1, 40, None), (2, 4000, None)],
)
def test_a_store_answers_as_if_deleted_traces_had_never_been(
    tmp_path: Path, seed: int, gap_seconds: int, tails: list[Policy] | None
) -> None:
    """Random traces in random arrivals, over minutes and days; some of them are deleted.

    If tails are sampled, sums are of what was dropped, too, and spans say what they stand for.
    """
    rng = random.Random(f"{seed} {gap_seconds}")
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
    gone = set(rng.sample(range(1, 13), 5))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    sampled = stored(tmp_path / "b", batches_of(arrived, kinds, set()), catch_up=2, tails=tails)
    there = sampled.for_tenant(DEFAULT_TENANT)
    gone = {one for one in gone if there.get_summaries([trace_hex(one)])}
    sampled.close()
    without = batches_of(arrived, kinds, gone)
    never = stored(tmp_path / "a", without, catch_up=2, tails=tails)
    expected = answers(never)
    never.close()
    store = open_store(tmp_path / "b" / "store")
    try:
        reader = store.for_tenant(DEFAULT_TENANT)
        assert reader.archive_trace(trace_hex(min(gone)))
        assert tails is None or "th:" in str(reader.get_otlp([trace_hex(min(gone))]))
        before = answers(store)
        ids = [trace_hex(one) for one in sorted(gone)]
        counted = store.count_traces(DEFAULT_TENANT, ids)
        assert answers(store) == before
        deleted = store.delete_traces(DEFAULT_TENANT, ids, who="ada", question="q", upto=2**63)
        assert deleted == counted
        assert deleted.traces == len(gone) > 0
        assert deleted.archived > 0
        found = answers(store)
        if tails:  # a consumer that was dropped is not known any more, nor where its links led
            for one in (found, expected):
                one["graph"] = [edge for edge in one["graph"] if edge[4] != "link"]
        for name, answer in expected.items():
            assert found[name] == answer, name
        assert (
            store.delete_traces(DEFAULT_TENANT, ids, who="ada", question="q", upto=2**63)
            == Deleted()
        )
        (record,) = store.get_deletions(DEFAULT_TENANT)
        assert (record.who, record.question, record.deleted) == ("ada", "q", deleted)
    finally:
        store.close()


def test_a_deletion_that_was_interrupted_is_carried_on(tmp_path: Path) -> None:
    """Wherever it breaks off: the next start ends it, and takes nothing back twice."""
    spans = any_trace(random.Random(7), 1)
    other = any_trace(random.Random(8), 2)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    never = stored(tmp_path / "a", [(FIRST, other)])
    expected = answers(never)
    never.close()
    stored(tmp_path / "b", [(FIRST, [*spans, *other])]).close()
    begun = 0
    for statements in (3, 13, 15, 17, 20, 23, 10**6):
        folder = tmp_path / f"c{statements}"
        shutil.copytree(tmp_path / "b" / "store", folder / "store", symlinks=True)
        engine = MortalEngine(ChdbEngine(folder / "store", memory_bytes_max=900 * 2**20))
        store = ClickHouseStore(engine, retention_seconds=10**8, memory_bytes_max=900 * 2**20)
        engine.commands_left = statements
        try:
            store.delete_traces(DEFAULT_TENANT, [trace_hex(1)], who="ada", question="q", upto=2**63)
        except KilledError:
            is_done = False
        else:
            is_done = True
        store.close()
        store = open_store(folder / "store")
        records = store.get_deletions(DEFAULT_TENANT)
        if records:
            begun += not is_done
            assert answers(store) == expected, statements
        store.close()
        if is_done:
            break
    assert begun >= 3
    assert is_done
