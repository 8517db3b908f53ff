"""Deleted traces are gone from every shard, also from one that was away, and nothing else is."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fakes.clickhouse_server import Shards
from fakes.two_shards import open_sharded
from integration.storage.collectors import drop_databases
from integration.storage.random_traces import answers, batches_of, random_arrivals
from lymer.errors import StorageAwayError
from lymer.model.deletion import Deleted
from lymer.storage.clickhouse.sharded_store import ShardedStore
from lymer.tenancy import DEFAULT_TENANT
from make import trace_hex, write_segment_file

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def shards(tmp_path: Path) -> Iterator[Shards]:
    """Yield two servers."""
    started = Shards(tmp_path / "shards")
    yield started
    started.close()


def stored(shards: Shards, folder: Path, batches: list[tuple[int, list[Any]]]) -> ShardedStore:
    """Store what arrived on servers without databases of ours, counting now and then."""
    for url in shards.urls:
        drop_databases(url)
    folder.mkdir()
    store = open_sharded(shards.urls, folder)
    for number, (segment, spans) in enumerate(batches):
        request = ExportTraceServiceRequest(resource_spans=spans)
        if spans:
            store.write_segment(write_segment_file(folder, request, segment_id=segment))
        if number % 4 == 0:
            store.catch_up()
    store.catch_up()
    return store


def delete(store: ShardedStore, traces: list[int]) -> Deleted:
    """Delete some of the traces."""
    ids = [trace_hex(one) for one in traces]
    return store.delete_traces(DEFAULT_TENANT, ids, who="ada", question="q", upto=0)


def test_shards_answer_as_if_deleted_traces_had_never_been(shards: Shards, tmp_path: Path) -> None:
    """Each deletes what it has; one that is away says so, and does it when it is back."""
    rng = random.Random(4)
    arrived, kinds = random_arrivals(rng, 40)
    gone = sorted(rng.sample(range(1, 13), 7))
    never = stored(shards, tmp_path / "never", batches_of(arrived, kinds, {*gone}))
    expected = answers(never.for_tenant(DEFAULT_TENANT))
    never.close()
    store = stored(shards, tmp_path / "all", batches_of(arrived, kinds, set()))
    reader = store.for_tenant(DEFAULT_TENANT)
    assert reader.archive_trace(trace_hex(gone[0]))
    counted = store.count_traces(DEFAULT_TENANT, [trace_hex(one) for one in gone[:3]])
    deleted = delete(store, gone[:3])
    assert deleted == counted
    assert deleted.traces == 3
    assert deleted.archived > 0
    (record,) = store.get_deletions(DEFAULT_TENANT)
    assert (record.question, record.deleted.spans) == ("q", deleted.spans)

    shards.kill(1)
    with pytest.raises(StorageAwayError, match="1 of 2 shards"):
        delete(store, gone[3:])
    shards.start(1)
    left = [one for one in gone if reader.get_summaries([trace_hex(one)])]
    assert left, "some lie on the shard that was away"
    assert {*left} < {*gone[3:]}
    for shard in store._shards:  # noqa: SLF001 - its lease ended while it was away
        shard.take_counting(DEFAULT_TENANT)
    store._deletion._looked_seconds = -math.inf  # noqa: SLF001 - as ten seconds later
    store.catch_up_some()

    found = answers(store.for_tenant(DEFAULT_TENANT))
    for name, answer in expected.items():
        assert found[name] == answer, name
    assert len(store.get_deletions(DEFAULT_TENANT)) == 2
    text = "SELECT {mark}, count() FROM {db}.deletions_wanted"
    assert [shard.engine.select("lymer", text, 1) for shard in store._shards] == [[[0]]] * 2  # noqa: SLF001
    assert delete(store, gone) == Deleted()
    store.close()
