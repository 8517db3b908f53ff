"""Many spans are read in parts, and are what they are when they are read at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from lymer.model.columns import SpanColumns
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.reader import TenantReader
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.tenancy import DEFAULT_TENANT
from make import (
    make_event,
    make_link,
    make_request,
    make_resource_spans,
    make_span,
    trace_hex,
    write_segment_file,
)

MEMORY = 600 * 2**20


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbEngine]:
    """Yield an engine."""
    opened = ChdbEngine(tmp_path_factory.mktemp("engine"), memory_bytes_max=MEMORY)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def reader(engine: ChdbEngine, tmp_path_factory: pytest.TempPathFactory) -> TenantReader:
    """Return a reader of three traces: starts and ids that meet, copies, and all that is rare."""
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=MEMORY)
    rng = random.Random(3)
    request = make_request()
    for _ in range(300):
        attrs: dict[str, Any] = {"k": rng.randrange(5), "v": str(rng.random())}
        if rng.random() < 0.1:
            attrs["telemetry.sdk.name"] = rng.choice("ab")
        one = make_span(
            rng.randrange(1, 4),
            rng.randrange(1, 60),
            rng.randrange(60),
            kind=rng.randrange(6),
            offset_nano=rng.randrange(20),
            duration_nano=rng.choice([0, 5]),
            attrs=attrs,
            status=rng.randrange(3),
            message=rng.choice(["", "m"]),
            events=[make_event("e", attrs={"x": rng.random()})] * rng.randrange(2),
            links=[make_link(9, 9)] * rng.randrange(2),
            trace_state=rng.choice(["", "a=b"]),
        )
        copies = [one] * rng.choice([1, 1, 1, 3])
        request.resource_spans.append(make_resource_spans(copies, service=rng.choice("xyz")))
    store.write_segment(write_segment_file(tmp_path_factory.mktemp("segments"), request))
    made = store.for_tenant(DEFAULT_TENANT)
    assert isinstance(made, TenantReader)
    return made


def _plain(columns: SpanColumns) -> list[tuple[Any, ...]]:
    """Return the spans as rows, processes as texts, identities as first places."""
    first: dict[int, int] = {}
    fields = asdict(columns)
    texts = fields.pop("process_json")
    fields["process"] = [texts[place] for place in columns.process]
    fields["identity"] = [first.setdefault(one, row) for row, one in enumerate(columns.identity)]
    return sorted(zip(*fields.values(), strict=True), key=repr)


def _groups(columns: SpanColumns) -> list[int]:
    counts: dict[int, int] = {}
    for one in columns.identity:
        counts[one] = counts.get(one, 0) + 1
    return sorted(counts.values())


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("skeleton", [True, False])
@pytest.mark.parametrize("traces", [(1,), (2, 1, 3)])
@pytest.mark.parametrize("part", [1, 7, 100])
def test_parts_are_the_whole(
    reader: TenantReader, traces: tuple[int, ...], part: int, *, raw: bool, skeleton: bool
) -> None:
    """Whatever lies between two parts; traces in the order asked for, spans by start and id."""
    ids = [trace_hex(trace) for trace in traces]
    reader.part_spans_max = 100_000
    whole = reader.get_traces(ids, raw=raw, skeleton=skeleton)
    reader.part_spans_max = part
    parts = reader.get_traces(ids, raw=raw, skeleton=skeleton)
    assert len(whole) > 100
    assert whole.trace_id == parts.trace_id
    assert whole.span_id == parts.span_id
    assert whole.start_unix_nano == parts.start_unix_nano
    assert _groups(whole) == _groups(parts)
    whole.identity, parts.identity = [0] * len(whole), [0] * len(parts)
    assert _plain(whole) == _plain(parts)


def test_an_archived_trace_is_read_in_parts(engine: ChdbEngine, reader: TenantReader) -> None:
    """Beside one that is stored; each from one place."""
    ids = [trace_hex(1), trace_hex(2)]
    reader.part_spans_max = 100_000
    whole = reader.get_traces(ids, raw=True, skeleton=False)
    assert reader.archive_trace(ids[0])
    engine.command(
        "lymer",
        "ALTER TABLE {db}.spans DELETE WHERE trace_id = unhex({id:String})",
        {"id": bytes.fromhex(ids[0]).hex()},
        {"mutations_sync": 1},
    )
    reader.part_spans_max = 7
    parts = reader.get_traces(ids, raw=True, skeleton=False)
    assert whole.span_id == parts.span_id
    assert sorted(whole.tags_json) == sorted(parts.tags_json)


def test_who_may_have_few_spans_gets_one_more_at_most(reader: TenantReader) -> None:
    """More than that are not read at all; exactly so many are whole."""
    ids = [trace_hex(2)]
    reader.part_spans_max = 100_000
    whole = reader.get_traces(ids, raw=True, skeleton=False)
    few = reader.get_traces(ids, raw=True, skeleton=False, spans_max=len(whole) - 1)
    assert len(few) == len(whole)
    enough = reader.get_traces(ids, raw=True, skeleton=False, spans_max=len(whole))
    assert _plain(enough) == _plain(whole)
