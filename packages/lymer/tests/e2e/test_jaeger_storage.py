"""Lymer as the remote storage of a Jaeger: `jaeger.storage.v2` and OTLP on one port."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import grpc
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from e2e.lymer_process import Lymer, poll
from lymer.wire.jaeger_storage_proto import CAPABILITIES, DEPENDENCIES, STORAGE, TRACES
from make import START, make_request, make_span, trace_hex

_OTLP = "opentelemetry.proto.collector.trace.v1.TraceService"


class _Jaeger:
    """What a Jaeger asks its storage."""

    def __init__(self, port: int) -> None:
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.close = self._channel.close

    def export(self, body: bytes, tenant: str = "") -> bytes:
        """Write."""
        metadata = [("x-tenant", tenant)] if tenant else []
        call = self._channel.unary_unary(f"/{_OTLP}/Export")
        answer: bytes = call(body, metadata=metadata)
        return answer

    def one(self, service: str, method: str, question: Any = None) -> Any:
        """Ask what has one answer."""
        body = b"" if question is None else question.SerializeToString()
        call = self._channel.unary_unary(f"/{service}/{method}")
        return STORAGE[f"{method}Response"].FromString(call(body))

    def several(self, method: str, question: Any) -> list[bytes]:
        """Ask for a stream."""
        return list(self._channel.unary_stream(f"/{TRACES}/{method}")(question.SerializeToString()))

    def traces(self, ids: Sequence[int]) -> list[TracesData]:
        """Read traces by their ids."""
        question = STORAGE["GetTracesRequest"]()
        for number in ids:
            question.query.add(trace_id=bytes.fromhex(trace_hex(number)))
        return [TracesData.FromString(one) for one in self.several("GetTraces", question)]

    def is_healthy(self) -> bool:
        """Ask for health."""
        check: bytes = self._channel.unary_unary("/grpc.health.v1.Health/Check")(b"")
        return check == b"\x08\x01"


@pytest.fixture
def jaeger(new_lymer: Callable[..., Lymer]) -> Iterator[_Jaeger]:
    """Yield the storage of a running Lymer."""
    lymer = new_lymer(LYMER__STORAGE_API__ENABLED="true")
    lymer.start()
    asking = _Jaeger(lymer.ports["storage_api"])
    yield asking
    asking.close()


def _ids_of(traces: Sequence[TracesData]) -> list[set[str]]:
    return [
        {
            span.trace_id.hex()
            for resource_spans in one.resource_spans
            for scope_spans in resource_spans.scope_spans
            for span in scope_spans.spans
        }
        for one in traces
    ]


def _find(**terms: Any) -> Any:
    question = STORAGE["FindTracesRequest"]()
    attributes = terms.pop("attributes", {})
    for name, value in terms.items():
        setattr(question.query, name, value)
    for key, value in attributes.items():
        question.query.attributes.add(key=key, value=value)
    question.query.start_time_min.FromNanoseconds(START - 10**9)
    question.query.start_time_max.FromNanoseconds(START + 3_600 * 10**9)
    return question


def test_a_jaeger_keeps_its_traces_here(jaeger: _Jaeger) -> None:
    """It writes, reads by id, searches, lists, and asks for dependencies and capabilities."""
    assert jaeger.is_healthy()
    large = [make_span(7, at, attrs={"text": "x" * 300, "at": at}) for at in range(1, 6_001)]
    request = make_request(
        make_span(1, 1, name="front", kind=2, attrs={"code": 500, "share": 1.5, "ok": True}),
        make_span(1, 2, 1, name="back", duration_nano=5_000_000),
        make_span(2, 1, name="front", attrs={"code": 200}),
    )
    assert jaeger.export(request.SerializeToString()) == b""
    assert jaeger.export(make_request(*large, service="bulk").SerializeToString()) == b""
    for _ in poll(20):
        if jaeger.traces([2]) and len(jaeger.traces([7])) > 1:
            break

    found = jaeger.traces([2, 99, 7, 1])
    ids = _ids_of(found)
    assert all(len(one) == 1 for one in ids), "a chunk holds spans of one trace"
    order = list(dict.fromkeys(next(iter(one)) for one in ids))
    assert order == [trace_hex(2), trace_hex(7), trace_hex(1)], "chunks follow one another"
    assert len(found) > 3
    spans = sum(len(s.spans) for one in found for r in one.resource_spans for s in r.scope_spans)
    assert spans == 6_003
    assert all(one.ByteSize() < 4 * 2**20 for one in found)

    assert jaeger.one(TRACES, "GetServices").services == ["bulk", "shop"]
    operations = jaeger.one(
        TRACES, "GetOperations", STORAGE["GetOperationsRequest"](service="shop")
    )
    assert ("front", "server") in {(one.name, one.span_kind) for one in operations.operations}
    by_number = _find(service_name="shop", attributes={"code": b"\x18\xf4\x03"})
    assert _ids_of(
        [TracesData.FromString(one) for one in jaeger.several("FindTraces", by_number)]
    ) == [{trace_hex(1)}]
    by_text = _find(attributes={"code": b"\x0a\x03200"}, search_depth=5)
    found_ids = jaeger.one(TRACES, "FindTraceIDs", by_text).trace_ids
    assert [one.trace_id.hex() for one in found_ids] == [trace_hex(2)]
    assert found_ids[0].start.ToNanoseconds() >= START
    (summaries,) = jaeger.several("FindTraceSummaries", _find(service_name="shop", search_depth=9))
    shown = STORAGE["FindTraceSummariesResponse"].FromString(summaries).summaries
    assert {one.trace_id.hex(): one.span_count for one in shown} == {
        trace_hex(1): 2,
        trace_hex(2): 1,
    }

    question = STORAGE["GetDependenciesRequest"]()
    question.start_time.FromNanoseconds(START - 60 * 10**9)
    question.end_time.FromNanoseconds(START + 3_600 * 10**9)
    links = jaeger.one(DEPENDENCIES, "GetDependencies", question).dependencies
    assert [(one.parent, one.child, one.call_count) for one in links] == [("shop", "shop", 1)]
    search = jaeger.one(CAPABILITIES, "GetCapabilities").search
    assert search.without_service_name
    assert "regex" in search.filter.operators


def test_what_cannot_be_read_is_refused_with_a_status(jaeger: _Jaeger) -> None:
    """A question and a request that are no protobuf, and an id of the wrong length."""
    with pytest.raises(grpc.RpcError) as refused:
        jaeger.export(b"\xff\xff")
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT  # type: ignore[attr-defined]
    question = STORAGE["GetTracesRequest"]()
    question.query.add(trace_id=b"short")
    with pytest.raises(grpc.RpcError) as refused:
        jaeger.several("GetTraces", question)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT  # type: ignore[attr-defined]
    assert jaeger.traces([]) == []
