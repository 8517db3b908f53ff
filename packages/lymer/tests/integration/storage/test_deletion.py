"""Deleted traces are gone from every table and every sum, and nothing else is."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fakes.mortal_engine import KilledError, MortalEngine
from integration.storage.random_traces import (
    FIRST,
    answers,
    any_trace,
    batches_of,
    random_arrivals,
)
from lymer.model.deletion import Deleted
from lymer.model.tail_policy import Policy, Probabilistic
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.tenancy import DEFAULT_TENANT
from make import trace_hex, write_segment_file

pytestmark = pytest.mark.timeout(1200)


def open_store(folder: Path) -> ClickHouseStore:
    """Open a store in a folder."""
    engine = ChdbEngine(folder, memory_bytes_max=900 * 2**20)
    return ClickHouseStore(engine, retention_seconds=10**8, memory_bytes_max=900 * 2**20)


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
    arrived, kinds = random_arrivals(rng, gap_seconds)
    gone = set(rng.sample(range(1, 13), 5))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    sampled = stored(tmp_path / "b", batches_of(arrived, kinds, set()), catch_up=2, tails=tails)
    there = sampled.for_tenant(DEFAULT_TENANT)
    gone = {one for one in gone if there.get_summaries([trace_hex(one)])}
    sampled.close()
    without = batches_of(arrived, kinds, gone)
    never = stored(tmp_path / "a", without, catch_up=2, tails=tails)
    expected = answers(never.for_tenant(DEFAULT_TENANT))
    never.close()
    store = open_store(tmp_path / "b" / "store")
    try:
        reader = store.for_tenant(DEFAULT_TENANT)
        assert reader.archive_trace(trace_hex(min(gone)))
        assert tails is None or "th:" in str(reader.get_otlp([trace_hex(min(gone))]))
        before = answers(store.for_tenant(DEFAULT_TENANT))
        ids = [trace_hex(one) for one in sorted(gone)]
        counted = store.count_traces(DEFAULT_TENANT, ids)
        assert answers(store.for_tenant(DEFAULT_TENANT)) == before
        deleted = store.delete_traces(DEFAULT_TENANT, ids, who="ada", question="q", upto=2**63)
        assert deleted == counted
        assert deleted.traces == len(gone) > 0
        assert deleted.archived > 0
        found = answers(store.for_tenant(DEFAULT_TENANT))
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
    expected = answers(never.for_tenant(DEFAULT_TENANT))
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
            assert answers(store.for_tenant(DEFAULT_TENANT)) == expected, statements
        store.close()
        if is_done:
            break
    assert begun >= 3
    assert is_done
