# ruff: noqa: E501 - a row of a table of sentences is one line
"""The query port as a stock gRPC client sees it: listed, described, called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from contract.storage.corpus import corpus_requests
from fakes.memory_store import MemoryStore
from lymer.api.query_grpc import QueryGrpc
from lymer.query.service import Queries
from lymer.receivers.grpc_services import add_health, add_reflection
from lymer.wire.proto_declaration import message_classes
from lymer.wire.query_proto import SERVICE_V2, SERVICE_V3, V2, V3
from make import START, make_request, make_span, trace_hex, write_segment_file

Ask = Callable[[grpc.aio.Channel], Any]
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
REFLECTED = message_classes(
    "test_reflection",
    "test.reflection",
    {
        "Question": "file_containing_symbol:string=4 list_services:string=7",
        "Files": "file:bytes*=1",
        "Service": "name:string=1",
        "Services": "service:Service*=1",
        "Answer": "files:Files=4 services:Services=6",
    },
)


def ask(folder: Path, question: Ask) -> Any:
    """Return what `question` makes of a channel to a server over the corpus."""
    shared = [make_span(70, 1, kind=3), make_span(70, 1, kind=2), make_span(70, 2, 1)]
    many = [make_span(71, number, name=f"s{number}") for number in range(1, 26)]
    store = MemoryStore()
    requests = [*corpus_requests(), make_request(*shared, service="z")]
    store.write_segment(write_segment_file(folder, *requests, make_request(*many, service="y")))

    async def run() -> Any:
        with ThreadPoolExecutor(2) as threads:
            server = QueryGrpc(Queries(store), threads)
            add_health(server)
            add_reflection(server)
            port = server.bind("127.0.0.1:0")
            await server.start()
            try:
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                    return await question(channel)
            finally:
                await server.stop(1)

    return asyncio.run(run())


def call(method: str, message: Any, answer: Any) -> Ask:
    """Return a question to one method: its answer, or its answers."""

    async def one(channel: grpc.aio.Channel) -> Any:
        options = {"request_serializer": type(message).SerializeToString,
                   "response_deserializer": answer.FromString}  # fmt: skip
        if method.rsplit("/", 1)[1] in {"GetTrace", "FindTraces"}:
            return [part async for part in channel.unary_stream(method, **options)(message)]
        return await channel.unary_unary(method, **options)(message)

    return one


def v2(name: str, answer: str, **fields: Any) -> Ask:
    """Return a question to api_v2."""
    return call(f"/{SERVICE_V2}/{name}", V2[f"{name}Request"](**fields), V2[answer])


def v3(name: str, answer: Any, **fields: Any) -> Ask:
    """Return a question to api_v3."""
    return call(f"/{SERVICE_V3}/{name}", V3[f"{name}Request"](**fields), answer)


def test_a_trace_comes_in_chunks_of_ten(tmp_path: Path) -> None:
    """Whole, each span with its process."""
    trace_id = bytes.fromhex(trace_hex(71))
    chunks = ask(tmp_path, v2("GetTrace", "SpansResponseChunk", trace_id=trace_id))
    assert [len(chunk.spans) for chunk in chunks] == [10, 10, 5]
    spans = [span for chunk in chunks for span in chunk.spans]
    assert sorted(span.operation_name for span in spans) == sorted(f"s{n}" for n in range(1, 26))
    assert {span.process.service_name for span in spans} == {"y"}
    assert spans[0].start_time.seconds == START // 10**9


@pytest.mark.parametrize("raw", [False, True])
def test_adjusted_unless_raw(tmp_path: Path, *, raw: bool) -> None:
    """A server that shares its client's id gets one of its own."""
    question = {"trace_id": bytes.fromhex(trace_hex(70)), "raw_traces": raw}
    (chunk,) = ask(tmp_path, v2("GetTrace", "SpansResponseChunk", **question))
    ids = {span.span_id for span in chunk.spans}
    assert len(ids) == (2 if raw else 3)
    question = {"trace_id": trace_hex(70), "raw_traces": raw}
    (traces,) = ask(tmp_path, v3("GetTrace", TracesData, **question))
    spans = traces.resource_spans[0].scope_spans[0].spans
    assert {span.span_id for span in spans} == ids


def test_warnings_are_a_field(tmp_path: Path) -> None:
    """Not a tag."""
    trace_id = bytes.fromhex(trace_hex(5))
    (chunk,) = ask(tmp_path, v2("GetTrace", "SpansResponseChunk", trace_id=trace_id))
    warned = [list(span.warnings) for span in chunk.spans if span.warnings]
    assert warned == [
        ["parent span ID=000000000000003b is not in the trace; skipping clock skew adjustment"]
    ]


def test_search(tmp_path: Path) -> None:
    """By service and tag, in both services."""
    query = {"service_name": "shop", "start_time_min": {"seconds": START // 10**9 - 1},
             "start_time_max": {"seconds": START // 10**9 + 7200}}  # fmt: skip
    chunks = ask(
        tmp_path,
        v2("FindTraces", "SpansResponseChunk", query={**query, "tags": {"user": "bob"}}),
    )
    found = [chunk.spans[0].trace_id.hex() for chunk in chunks]
    assert found == [trace_hex(4), trace_hex(2)]
    parts = ask(
        tmp_path, v3("FindTraces", TracesData, query={**query, "attributes": {"user": "bob"}})
    )
    ids = [part.resource_spans[0].scope_spans[0].spans[0].trace_id.hex() for part in parts]
    assert ids == found


def test_a_trace_is_archived(tmp_path: Path) -> None:
    """By api_v2 alone, which answers nothing; what is not there is NOT_FOUND."""
    trace_id = bytes.fromhex(trace_hex(71))
    answer = ask(tmp_path, v2("ArchiveTrace", "ArchiveTraceResponse", trace_id=trace_id))
    assert answer == V2["ArchiveTraceResponse"]()


def test_names_and_dependencies(tmp_path: Path) -> None:
    """Services, operations with kinds, edges."""
    answer = ask(tmp_path, v2("GetServices", "GetServicesResponse"))
    assert list(answer.services) == ["cart", "pay", "queue", "shop", "y", "z"]
    answer = ask(tmp_path, v3("GetServices", V3["GetServicesResponse"]))
    assert list(answer.services) == ["cart", "pay", "queue", "shop", "y", "z"]
    answer = ask(tmp_path, v2("GetOperations", "GetOperationsResponse", service="cart"))
    assert [(one.name, one.span_kind) for one in answer.operations] == [
        ("SELECT", "client"), ("get", "server"), ("sweep", "internal"),
    ]  # fmt: skip
    assert list(answer.operationNames) == ["SELECT", "get", "sweep"]
    span = {"start_time": {"seconds": START // 10**9}, "end_time": {"seconds": START // 10**9 + 60}}
    answer = ask(tmp_path, v2("GetDependencies", "GetDependenciesResponse", **span))
    edges = {(one.parent, one.child, one.call_count) for one in answer.dependencies}
    assert {("shop", "cart", 1), ("shop", "pay", 1)} <= edges
    answer = ask(tmp_path, v3("GetDependencies", V3["DependenciesResponse"], **span))
    assert {(one.parent, one.child, one.call_count) for one in answer.dependencies} == edges


def test_a_range_that_ends_before_it_starts_has_no_dependencies(tmp_path: Path) -> None:
    """Not those of the minute in which both lie."""
    second = START // 10**9
    span = {"start_time": {"seconds": second + 1}, "end_time": {"seconds": second}}
    answer = ask(tmp_path, v2("GetDependencies", "GetDependenciesResponse", **span))
    assert list(answer.dependencies) == []


@pytest.mark.parametrize(
    ("question", "code", "message"),
    [
        (v2("GetTrace", "SpansResponseChunk"), "INVALID_ARGUMENT", "uninitialized TraceID is not allowed"),
        (v2("GetTrace", "SpansResponseChunk", trace_id=b"x" * 16), "NOT_FOUND", "trace not found"),
        (v2("ArchiveTrace", "ArchiveTraceResponse"), "INVALID_ARGUMENT", "uninitialized TraceID is not allowed"),
        (v2("ArchiveTrace", "ArchiveTraceResponse", trace_id=b"x" * 16), "NOT_FOUND", "trace not found"),
        (v2("FindTraces", "SpansResponseChunk"), "INVALID_ARGUMENT", "missing query"),
        (v3("FindTraces", TracesData), "INVALID_ARGUMENT", "missing query"),
        (v3("GetTrace", TracesData, trace_id=trace_hex(404)), "NOT_FOUND", "trace not found"),
        (v2("GetDependencies", "GetDependenciesResponse"), "INVALID_ARGUMENT", "StartTime and EndTime must be initialized."),
        (v3("GetDependencies", V3["DependenciesResponse"]), "INVALID_ARGUMENT", "start_time is required"),
        (v3("GetDependencies", V3["DependenciesResponse"], start_time={"seconds": 1}), "INVALID_ARGUMENT", "end_time is required"),
        (v3("GetDependencies", V3["DependenciesResponse"], start_time={"seconds": 1}, end_time={"seconds": 1}), "INVALID_ARGUMENT", "end_time must be after start_time"),
    ],
)  # fmt: skip
def test_refusals(tmp_path: Path, question: Ask, code: str, message: str) -> None:
    """Jaeger's codes and words."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        ask(tmp_path, question)
    assert refused.value.code().name == code
    assert refused.value.details() == message


def test_reflection_lists_and_describes(tmp_path: Path) -> None:
    """What grpcurl needs: names, and of each service the files that make its messages readable."""

    async def reflect(channel: grpc.aio.Channel) -> list[Any]:
        method = channel.stream_stream(
            REFLECTION,
            request_serializer=REFLECTED["Question"].SerializeToString,
            response_deserializer=REFLECTED["Answer"].FromString,
        )
        talk = method()
        await talk.write(REFLECTED["Question"](list_services="*"))
        listed = await talk.read()
        described = []
        for one in listed.services.service:
            await talk.write(REFLECTED["Question"](file_containing_symbol=one.name))
            described.append((one.name, await talk.read()))
        await talk.done_writing()
        return described

    services: dict[str, Any] = {}
    for service, answer in ask(tmp_path, reflect):
        pool = descriptor_pool.DescriptorPool()
        pending = [descriptor_pb2.FileDescriptorProto.FromString(one) for one in answer.files.file]
        for file in reversed(pending):  # what it imports stands behind a file
            pool.Add(file)
        services[service] = pool.FindServiceByName(service)
    assert {SERVICE_V2, SERVICE_V3, "grpc.health.v1.Health"} <= services.keys()
    for service in (SERVICE_V2, SERVICE_V3):
        names = set(services[service].methods_by_name)
        assert {"GetTrace", "FindTraces", "GetServices", "GetOperations"} <= names
    chunk = services[SERVICE_V2].methods_by_name["GetTrace"].output_type
    tag = chunk.fields_by_name["spans"].message_type.fields_by_name["tags"].message_type
    kinds = tag.fields_by_name["v_type"].enum_type.values_by_number
    assert [kinds[number].name for number in range(5)] == [
        "STRING", "BOOL", "INT64", "FLOAT64", "BINARY",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "service", ["", SERVICE_V2, SERVICE_V3, "jaeger.api_v2.metrics.MetricsQueryService"]
)
def test_each_service_that_jaeger_calls_well_is(tmp_path: Path, service: str) -> None:
    """Also the one that is gone: probes still name it."""

    async def check(channel: grpc.aio.Channel) -> bytes:
        name = service.encode()
        asked = b"\x0a" + bytes([len(name)]) + name
        answer: bytes = await channel.unary_unary("/grpc.health.v1.Health/Check")(asked)
        return answer

    assert ask(tmp_path, check) == b"\x08\x01"
