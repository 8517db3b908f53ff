"""What spans share is read once: a large resource or scope on many spans keeps nobody from them."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from lymer.api.query_grpc import _chunks as chunks_of_v2
from lymer.api.zipkin_v2 import _one_of_many as zipkin_found
from lymer.api.zipkin_v2 import _spans as zipkin_spans
from lymer.errors import StorageMemoryError, TooLargeError
from lymer.files.importing import Importer
from lymer.files.reading import Piece, read_spans
from lymer.files.writing import FORMATS, FormatName, SpanFile
from lymer.model.columns import SpanColumns
from lymer.model.find_terms import FindTerms
from lymer.model.question import TraceQuestion
from lymer.model.span_table import SpanSample
from lymer.query.service import QueryService
from lymer.storage.caller import CALLER, Caller
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.otlp_parts import OtlpParts
from lymer.storage.clickhouse.reader import TenantReader
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.tenancy import DEFAULT_TENANT
from lymer.wire.otlp_proto import CheckedRequest
from make import make_request, make_resource_spans, make_span, trace_hex, write_segment_file

MEMORY = 500 * 2**20
"""Half of it for one statement; the texts of all rows are more."""
VALUE = "x" * 1_000_000
SCOPE = "s" * 200_000
SPANS = 500
RESOURCE, ATTRIBUTES, SCOPED, SMALL = (trace_hex(number) for number in (1, 2, 3, 4))
EVERY = [RESOURCE, ATTRIBUTES, SCOPED, SMALL]
LONG = 2**62


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChdbEngine]:
    """Yield an engine."""
    opened = ChdbEngine(tmp_path_factory.mktemp("engine"), memory_bytes_max=MEMORY)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def reader(engine: ChdbEngine, tmp_path_factory: pytest.TempPathFactory) -> TenantReader:
    """Return a reader of a large attribute, many attributes, a large scope, and a usual trace."""
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=MEMORY)
    request = make_request()
    many = [(f"k{number}", number) for number in range(20_000)]
    for number, count, resource, scope in (
        (1, SPANS, [("large", VALUE)], ""),
        (2, 100, many, ""),
        (3, 2 * SPANS, [], SCOPE),
        (4, 3, [], ""),
    ):
        spans = [make_span(number, one + 1, number) for one in range(count)]
        shared = make_resource_spans(spans, service="shop", resource=resource, scope=scope)
        request.resource_spans.append(shared)
    store.write_segment(write_segment_file(tmp_path_factory.mktemp("segments"), request))
    made = store.for_tenant(DEFAULT_TENANT)
    assert isinstance(made, TenantReader)
    return made


@pytest.fixture
def query(reader: TenantReader) -> QueryService:
    """Return the service over it."""
    return QueryService(reader)


@pytest.mark.parametrize("skeleton", [True, False])
@pytest.mark.parametrize("raw", [True, False])
def test_traces_are_read_with_what_they_share(
    reader: TenantReader, *, raw: bool, skeleton: bool
) -> None:
    """A process stands in the answer once."""
    found = reader.get_traces(EVERY, raw=raw, skeleton=skeleton)
    assert len(found) == SPANS + 100 + 2 * SPANS + 3
    texts = "".join(found.process_json)
    assert texts.count(VALUE) == 1
    assert '"k19999"' in texts


def test_one_trace_is_read_with_what_they_share(reader: TenantReader) -> None:
    """Likewise with a limit of spans."""
    found = reader.get_traces([RESOURCE], raw=True, skeleton=False, spans_max=SPANS)
    assert [VALUE in one for one in found.process_json] == [True]


def test_a_search_answers(query: QueryService) -> None:
    """Traces, summaries and OTLP, as all of them are of one service."""
    found = query.find_traces(TraceQuestion(0, LONG, service="shop"))
    assert {one.trace_id[0] for one in found} == {*EVERY}
    assert len(query.find_summaries(TraceQuestion(0, LONG, service="shop"))) == 4
    (otlp,) = query.find_otlp_in_parts(TraceQuestion(0, LONG, service="shop"))
    assert (
        sum(len(two.spans) for one in otlp.resource_spans for two in one.scope_spans)
        == 3 * SPANS + 103
    )


def test_one_trace_in_every_form(reader: TenantReader, query: QueryService) -> None:
    """Arrays, a span, what is found, OTLP, tables of spans, values of a key."""
    for trace_id, count in ((RESOURCE, SPANS), (ATTRIBUTES, 100), (SCOPED, 2 * SPANS)):
        assert len(query.get_trace_arrays(trace_id)) == count
        assert len(reader.get_span(trace_id, "0000000000000001")) == 1
        assert reader.find_in_trace(trace_id, FindTerms(("no such",), ())).count == count
        (of_resource,) = TracesData.FromString(reader.get_otlp([trace_id])).resource_spans
        assert len(of_resource.scope_spans[0].spans) == count
    assert (
        len(
            reader.get_span_table(
                SpanSample(start_unix_nano_min=0, start_unix_nano_max=LONG)
            ).span_id
        )
        == 1603
    )
    assert reader.get_tag_values("k77", "shop") == ["77"]
    assert len(reader.get_tag_keys()) == 1_000


@pytest.mark.parametrize("trace_id", [RESOURCE, ATTRIBUTES, SCOPED])
def test_the_archive_has_them(engine: ChdbEngine, reader: TenantReader, trace_id: str) -> None:
    """They are copied, and read from there as before in every form when they are gone."""
    otlp = reader.get_otlp([trace_id])
    shown = reader.get_traces([trace_id], raw=False, skeleton=False)
    arrays = reader.get_trace_arrays(trace_id)

    assert reader.archive_trace(trace_id)
    engine.command("lymer", "RENAME TABLE {db}.spans TO {db}.kept")
    engine.command("lymer", "CREATE TABLE {db}.spans AS {db}.kept")
    try:
        assert spans_of(reader.get_otlp([trace_id])) == spans_of(otlp)
        read = reader.get_traces([trace_id], raw=False, skeleton=False)
        assert [read.process_json[one] for one in read.process] == [
            shown.process_json[one] for one in shown.process
        ]
        assert (read.span_id, read.tags_json) == (shown.span_id, shown.tags_json)
        assert len(reader.get_trace_arrays(trace_id)) == len(arrays)
    finally:
        engine.command("lymer", "DROP TABLE {db}.spans SYNC")
        engine.command("lymer", "RENAME TABLE {db}.kept TO {db}.spans")


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_file_has_them_and_is_imported(reader: TenantReader, format_name: FormatName) -> None:
    """Each span once, and what they share not once for each: files are no larger than that."""
    ids = [RESOURCE, ATTRIBUTES]
    stream = io.BytesIO()
    file = SpanFile(stream, format_name)
    for trace_id in ids:
        file.write(reader.get_otlp([trace_id]))
    file.commit()
    file.end()
    size = stream.tell()
    assert size < 20 * len(VALUE)

    stream.seek(0)
    read_again = [*read_spans(stream)]
    pieces = [one for one in read_again if isinstance(one, Piece)]
    assert pieces == read_again
    sent: list[int] = []

    def send(request: CheckedRequest) -> int:
        sent.append(request.span_count)
        return 0

    for read, new in ((reader.get_otlp, 0), (lambda _: b"", SPANS + 100)):
        importer = Importer(read, send)
        for piece in pieces:
            importer.add(piece.request)
        importer.finish()
        assert sum(sent) == new


def test_tags_that_move_to_a_large_process_are_bounded(engine: ChdbEngine, tmp_path: Path) -> None:
    """Each value of such a tag makes a copy of the process; what is beyond the limit stays."""
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=MEMORY)
    spans = [
        make_span(9, number, attrs=[("telemetry.sdk.version", f"v{number}")])
        for number in range(1, 1 + SPANS)
    ]
    request = make_request(*spans, service="many", resource=[("large", VALUE)])
    store.write_segment(write_segment_file(tmp_path, request))

    read = store.for_tenant(DEFAULT_TENANT).get_traces([trace_hex(9)], raw=False, skeleton=False)

    assert sum(map(len, read.process_json)) < 40 * 2**20
    moved = ['"telemetry.sdk.version"' in read.process_json[place] for place in read.process]
    stayed = ['"telemetry.sdk.version"' in tags for tags in read.tags_json]
    assert [one != other for one, other in zip(moved, stayed, strict=True)] == [True] * SPANS
    assert stayed == [any("stay here" in one for one in some) for some in read.warnings]
    assert 0 < sum(moved) < SPANS


def test_otlp_of_large_origins_is_what_it_is_of_small_ones(reader: TenantReader) -> None:
    """Nothing is lost on the way by hashes."""
    read = TracesData.FromString(reader.get_otlp([RESOURCE]))
    (of_resource,) = read.resource_spans
    assert [one.value.string_value for one in of_resource.resource.attributes] == ["shop", VALUE]
    (scoped,) = TracesData.FromString(reader.get_otlp([SCOPED])).resource_spans
    assert scoped.scope_spans[0].scope.name == SCOPE


def test_otlp_is_read_in_as_many_parts_as_memory_asks_for(
    engine: ChdbEngine, reader: TenantReader
) -> None:
    """Fewer traces, then fewer spans; nothing is lost or there twice, one span may be refused."""

    class Small:
        """An engine that refuses answers over a size."""

        def __init__(self, bytes_max: int) -> None:
            self.bytes_max = bytes_max

        def select(self, *asked: Any) -> list[list[Any]]:
            answer = engine.select(*asked)
            if len(answer) == 1 and len(answer[0][0]) > self.bytes_max:
                raise StorageMemoryError("cannot answer")
            return answer

    whole = reader.get_otlp([SCOPED, SMALL])
    read = OtlpParts(cast("Engine", Small(210_000)), "lymer", {}).read([SCOPED, SMALL])
    assert len(read) == 9
    assert len(spans_of(whole)) == 2 * SPANS + 3
    assert spans_of(b"".join(read)) == spans_of(whole)
    with pytest.raises(StorageMemoryError):
        OtlpParts(cast("Engine", Small(200_000)), "lymer", {}).read([SCOPED])


def spans_of(message: bytes) -> list[bytes]:
    """Return each span with its resource and scope, sorted."""
    return sorted(
        of_resource.resource.SerializeToString() + of_scope.scope.SerializeToString() + one
        for of_resource in TracesData.FromString(message).resource_spans
        for of_scope in of_resource.scope_spans
        for one in (span.SerializeToString() for span in of_scope.spans)
    )


def test_a_scope_that_fills_an_answer_is_cut_and_says_so(reader: TenantReader) -> None:
    """Alone it is whole."""
    found = reader.get_traces([SCOPED], raw=False, skeleton=False)
    assert sum(map(len, found.tags_json)) < 4 * 2**20
    assert all("read the trace as OTLP" in one[-1] for one in found.warnings)
    alone = reader.get_span(SCOPED, "0000000000000001")
    assert SCOPE in alone.tags_json[0]
    assert alone.warnings == [[]]


def test_a_format_that_repeats_them_refuses_one_and_leaves_it_out_of_many(
    query: QueryService,
) -> None:
    """Zipkin, and api_v2."""
    large = query.get_otlp(RESOURCE, raw=True)
    with pytest.raises(TooLargeError, match="repeats resource and scope for each span"):
        zipkin_spans(RESOURCE, large)
    assert not list(zipkin_found(RESOURCE, [large]))
    chunk = next(chunks_of_v2(large))
    assert chunk.count(VALUE.encode()) == 10
    with pytest.raises(TooLargeError, match="limit is"):
        next(chunks_of_v2(query.get_otlp(SCOPED, raw=True)))


def test_a_search_leaves_out_what_needs_too_much_memory(
    reader: TenantReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer says so; alone it is refused."""
    read = reader.get_traces

    def failing(trace_ids: list[str], **asked: bool) -> SpanColumns:
        if RESOURCE in trace_ids:
            raise StorageMemoryError("cannot answer")
        return read(trace_ids, **asked)

    monkeypatch.setattr(reader, "get_traces", failing)
    query = QueryService(reader)
    caller = Caller()
    reset = CALLER.set(caller)
    assert [one.trace_id[0] for one in query.get_traces([RESOURCE, SMALL])] == [SMALL]
    CALLER.reset(reset)
    assert caller.partial == f"trace {RESOURCE} is left out: cannot answer"
    with pytest.raises(StorageMemoryError):
        query.get_trace(RESOURCE)


def test_the_engines_refusal_is_a_sentence(engine: ChdbEngine) -> None:
    """It names the limit, and is 503."""
    text = "SELECT {mark}, groupArray(repeat('x', 1000000)) FROM numbers(1000)"
    with pytest.raises(StorageMemoryError, match=r"storage\.memory_bytes_max") as caught:
        engine.select("default", text, 1, {}, {"max_memory_usage": 10**8})
    assert "Code:" not in str(caught.value)
    assert caught.value.http_status == 503
