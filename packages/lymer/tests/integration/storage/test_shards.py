"""A cluster that grows, and what a query process says of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.clickhouse_server import Shards
from fakes.two_shards import open_sharded
from lymer.storage.caller import CALLER, Caller
from lymer.tenancy import DEFAULT_TENANT
from make import make_request, make_span, trace_hex, write_segment_file


@pytest.fixture
def shards(tmp_path: Path) -> Iterator[Shards]:
    """Yield two servers."""
    started = Shards(tmp_path / "shards")
    yield started
    started.close()


def test_a_shard_that_is_added_takes_its_share(shards: Shards, tmp_path: Path) -> None:
    """What was stored before is still found; until the shard has tables, answers are partial."""
    asked = [trace_hex(number) for number in range(1, 41)]
    first = make_request(*(make_span(number, 1) for number in range(1, 21)))
    second = make_request(*(make_span(number, 1) for number in range(21, 41)))
    store = open_sharded(shards.urls[:1], tmp_path)
    store.write_segment(write_segment_file(tmp_path, first, segment_id=1_795_365_821_000_000))
    caller = Caller()
    token = CALLER.set(caller)
    found = store.for_tenant(DEFAULT_TENANT).get_traces(asked, raw=True, skeleton=False)
    CALLER.reset(token)
    assert {*found.trace_id} == {*asked[:20]}
    assert caller.lacks, "the cluster has a shard more than the tables"
    store.close()

    store = open_sharded(shards.urls, tmp_path)
    store.write_segment(write_segment_file(tmp_path, second, segment_id=1_795_365_822_000_000))
    caller = Caller()
    token = CALLER.set(caller)
    found = store.for_tenant(DEFAULT_TENANT).get_traces(asked, raw=True, skeleton=False)
    CALLER.reset(token)
    assert {*found.trace_id} == {*asked}
    assert caller.lacks == ()
    store.close()
