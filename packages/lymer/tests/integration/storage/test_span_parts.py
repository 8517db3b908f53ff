"""Many spans are read in parts, and are what they are when they are read at once."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from lymer.errors import StorageMemoryError
from lymer.model.columns import SpanColumns
from lymer.query import large, service
from lymer.query.service import QueryService
from lymer.storage.clickhouse import span_parts
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.reader import TenantReader
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.tenancy import DEFAULT_TENANT
from lymer.wire.jaeger_json import encode_parts, encode_traces_in_pieces
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


class Counting:
    """A reader that knows what it was asked for in parts, and may find a part too large."""

    def __init__(self, reader: TenantReader, spans_max: int = 10**9) -> None:
        self._reader = reader
        self._spans_max = spans_max
        self.parts: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def get_traces(self, trace_ids: Sequence[str], /, **how: Any) -> SpanColumns:
        """Count what comes."""
        found = self._reader.get_traces(trace_ids, **how)
        if how.get("within") and how["within"][:2] != how["within"][2:]:
            if len(found) > self._spans_max:
                raise StorageMemoryError("too large")
            self.parts.append(len(found))
        return found


def _shown(pieces: Iterable[bytes]) -> list[Any]:
    """Return traces with spans in no order, each with its process instead of the name of one."""
    traces = json.loads(b"".join(pieces))
    for trace in traces:
        processes = trace.pop("processes")
        for span in trace["spans"]:
            span["processID"] = processes[span["processID"]]
        trace["spans"].sort(key=lambda one: json.dumps(one, sort_keys=True))
    return list(traces)


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("skew", [0.0, 1.0])
@pytest.mark.parametrize("shown_max", [0, 50])
def test_a_large_trace_is_sent_in_parts(
    reader: TenantReader,
    monkeypatch: pytest.MonkeyPatch,
    skew: float,
    shown_max: int,
    *,
    raw: bool,
) -> None:
    """What is sent is what it would be at once, and no statement hands over more than its part."""
    monkeypatch.setattr(service, "SMALL_ANSWER_SPANS_MAX", 20)
    monkeypatch.setattr(large, "PART_SPANS_MAX", 8)
    counting: Any = Counting(reader, spans_max=6)
    query = QueryService(
        counting, max_clock_skew_adjust_seconds=skew, max_trace_size_spans=shown_max
    )
    ids = [trace_hex(2), trace_hex(404), trace_hex(1)]
    whole = query.get_traces(ids, raw=raw)
    parts = query.get_traces_in_parts(ids, raw=raw)
    assert _shown(encode_parts(one for _, one in parts)) == _shown(encode_traces_in_pieces(whole))
    # Of two traces or, once another test has archived one of them, of one.
    assert len(counting.parts) > 8
    assert max(counting.parts) <= 6


@pytest.mark.parametrize("raw", [True, False])
def test_a_large_trace_is_sent_in_parts_as_otlp(
    reader: TenantReader, monkeypatch: pytest.MonkeyPatch, *, raw: bool
) -> None:
    """Likewise, whatever the door."""
    monkeypatch.setattr(large, "PART_SPANS_MAX", 8)
    query = QueryService(reader, max_clock_skew_adjust_seconds=1.0)
    whole = _spans(query.get_otlp(trace_hex(2), raw=raw))
    monkeypatch.setattr(service, "SMALL_ANSWER_SPANS_MAX", 20)
    found = list(query.get_otlp_in_parts(trace_hex(2), raw=raw))
    assert len(found) > 5
    assert len([one for part in found for one in _spans(part)]) == len(whole)
    assert _alone(one for part in found for one in _spans(part)) == _alone(whole)
    stored = list(query.get_stored_otlp([trace_hex(2)]))
    assert len(stored) > 5
    if raw:
        assert sorted(_spans(TracesData.FromString(b"".join(stored)))) == sorted(whole)


def _spans(traces: TracesData) -> list[bytes]:
    """Return the spans; without what is said of the resource, which each part has again."""
    for span in _each_span(traces):
        kept = [one for one in span.attributes if not one.key.startswith("telemetry.")]
        for one in kept:
            texts = one.value.array_value.values
            left = [text for text in texts if "conflicting" not in text.string_value]
            if len(left) < len(texts):
                one.value.array_value.CopyFrom(ArrayValue(values=left))
        kept = [
            one for one in kept if one.key != "@jaeger@warnings" or one.value.array_value.values
        ]
        copies = [KeyValue.FromString(one.SerializeToString()) for one in kept]
        del span.attributes[:]
        span.attributes.extend(copies)
    return [span.SerializeToString(deterministic=True) for span in _each_span(traces)]


def _alone(spans: Iterable[bytes]) -> list[bytes]:
    """Return the spans that have an id of their own: of others it is open which is the copy."""
    known = [(Span.FromString(one).span_id, one) for one in spans]
    ids = Counter(one for one, _ in known)
    return sorted(one for span_id, one in known if ids[span_id] == 1)


def _each_span(traces: TracesData) -> list[Any]:
    return [
        span
        for resource_spans in traces.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]


def test_a_part_has_a_limit_of_bytes(reader: TenantReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement hands over no more; one span alone it does."""
    monkeypatch.setattr(span_parts, "PART_BYTES_MAX", 2_000)
    arrays = reader.get_trace_arrays(trace_hex(1))
    keys = list(zip(arrays.start.tolist(), arrays.span_id.tolist(), strict=True))
    for ask in (partial(reader.get_traces, raw=True, skeleton=False), reader.get_otlp):
        with pytest.raises(StorageMemoryError, match="2000 bytes"):
            ask([trace_hex(1)], within=(*keys[0], *keys[-1]))
        assert ask([trace_hex(1)], within=(*keys[0], *keys[0]))
