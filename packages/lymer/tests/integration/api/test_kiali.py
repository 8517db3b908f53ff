"""What Kiali asks of Jaeger and of Tempo, as it builds its questions and reads the answers.

Source: Kiali's main of 2026-08-20, `tracing/jaeger/{grpc,http}_client.go`,
`tracing/tempo/{grpc_client,http_client,traceQLBuilder}.go`, `tracing/otel/model/**`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import urlencode

import grpc
import pytest

from contract.storage.corpus import HOUR, corpus_requests
from fakes.asgi_client import Client
from lymer.api.app import create_app, create_tempo_app
from lymer.api.query_grpc import QueryGrpc
from lymer.query.service import Queries
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.wire.query_proto import SERVICE_V2, V2
from lymer.wire.tempo_proto import SERVICE as TEMPO_SERVICE
from lymer.wire.tempo_proto import TEMPO
from make import START, make_request, make_span, trace_hex, write_segment_file

FIRST, LAST = (START - HOUR) // 10**9, (START + 2 * HOUR) // 10**9
SELECTS: Final = (
    "status, .service_name, .node_id, .component, .upstream_cluster, .http.method, "
    ".response_flags, .istio.destination_workload, .istio.destination_namespace, "
    ".istio.destination_instance_name, .istio.destination_canonical_service, "
    ".istio.source_workload, .istio.source_namespace, .istio.source_instance_name, "
    ".istio.source_canonical_service, resource.hostname, name"
)
HEADERS: Final = {"accept": "application/json", "content-type": "application/json"}


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queries]:
    """Yield who answers: the corpus, and a waypoint of a mesh whose trace id has 64 bits."""
    folder = tmp_path_factory.mktemp("kiali")
    engine = ChdbEngine(folder / "engine", memory_bytes_max=900 * 2**20)
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    mesh = {"node_id": "sidecar~10.0.0.1~a.b", "response_flags": "-", "http.status_code": "200"}
    ours = make_span(bytes(8) + b"\x01" * 8, 1, name="a:80/*", kind=2, attrs=mesh)
    requests = [*corpus_requests(), make_request(ours, service="a.b")]
    store.write_segment(write_segment_file(folder, *requests))
    yield Queries(store)
    store.close()


def over_grpc(queries: Queries, service: str, method: str, question: Any, answer: Any) -> list[Any]:
    """Return the answers of one call."""

    async def run() -> list[Any]:
        with ThreadPoolExecutor(2) as threads:
            server = QueryGrpc(queries, threads)
            port = server.bind("127.0.0.1:0")
            await server.start()
            try:
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                    call = channel.unary_stream(
                        f"/{service}/{method}",
                        request_serializer=type(question).SerializeToString,
                        response_deserializer=answer.FromString,
                    )
                    return [one async for one in call(question)]
            finally:
                await server.stop(1)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("service", "tags", "duration", "traces"),
    [
        ("shop", {}, {}, {4, 6, 2, 1}),
        ("shop", {"user": "bob"}, {}, {4, 2}),
        ("shop", {"error": "true"}, {}, {2}),
        ("shop", {}, {"nanos": 90_000_000}, {1}),
        ("nobody", {}, {}, set()),
    ],
)
def test_jaeger_over_grpc_finds(
    queries: Queries, service: str, tags: dict[str, str], duration: Any, traces: set[int]
) -> None:
    """A duration that is not asked for is sent as 0; Kiali counts on each span's trace id."""
    query = {
        "service_name": service, "start_time_min": {"seconds": FIRST},
        "start_time_max": {"seconds": LAST}, "tags": tags, "duration_min": duration,
        "search_depth": 100,
    }  # fmt: skip
    question = V2["FindTracesRequest"](query=query)
    chunks = over_grpc(queries, SERVICE_V2, "FindTraces", question, V2["SpansResponseChunk"])
    spans = [span for chunk in chunks for span in chunk.spans]
    assert {span.trace_id.hex() for span in spans} == {trace_hex(one) for one in traces}


def test_jaeger_over_grpc_shows_a_trace(queries: Queries) -> None:
    """Of 64 bits it asks with 16 bytes, and looks for the same among the spans."""
    trace_id = bytes(8) + b"\x01" * 8
    question = V2["GetTraceRequest"](trace_id=trace_id)
    (chunk,) = over_grpc(queries, SERVICE_V2, "GetTrace", question, V2["SpansResponseChunk"])
    (span,) = chunk.spans
    assert (span.trace_id, span.process.service_name) == (trace_id, "a.b")
    (names,) = over_grpc(
        queries, SERVICE_V2, "GetServices", V2["GetServicesRequest"](), V2["GetServicesResponse"]
    )
    assert {"a.b", "shop"} <= set(names.services)


def test_jaeger_over_http(queries: Queries) -> None:
    """`minDuration` is microseconds with the unit, `tags` are JSON; a trace is the first datum."""
    with ThreadPoolExecutor(2) as threads:
        client = Client(create_app(queries, executor=threads))
        asked = {
            "service": "shop", "start": FIRST * 10**6, "end": LAST * 10**6,
            "tags": json.dumps({"user": "ann"}), "minDuration": "90000us", "limit": 100,
        }  # fmt: skip
        found = client.get(f"/api/traces?{urlencode(asked)}", **HEADERS).json()
        assert [one["traceID"] for one in found["data"]] == [trace_hex(1)]
        shown = client.get(f"/api/traces/{trace_hex(1)}", **HEADERS).json()
        assert {span["operationName"] for span in shown["data"][0]["spans"]} == {
            "GET /cart", "get", "SELECT",
        }  # fmt: skip
        assert "shop" in client.get("/api/services", **HEADERS).json()["data"]
        missing = client.get(f"/api/traces/{trace_hex(404)}", **HEADERS).json()
        assert missing["data"] in (None, [])
        assert missing["errors"][0]["code"] == 404


def test_tempo_over_http(queries: Queries) -> None:
    """The conditions of a span and a set of any, with what is selected of it; then whole traces.

    Kiali reads the first span of `spanSet` without asking whether there is one.
    """
    question = f'{{ .service.name = "shop"  && .user = "bob"  }} && {{  }} | select({SELECTS})'
    asked = {"start": FIRST, "end": LAST, "q": question, "spss": 10, "limit": 100}
    with ThreadPoolExecutor(2) as threads:
        client = Client(create_tempo_app(queries, executor=threads))
        assert client.get("/api/echo", **HEADERS).status_code == 200
        found = client.get(f"/api/search?{urlencode(asked)}", **HEADERS).json()["traces"]
        ids = [one["traceID"].rjust(32, "0") for one in found]  # Tempo leaves zeros out
        assert set(ids) == {trace_hex(4), trace_hex(2)}
        for one in found:
            assert isinstance(one["durationMs"], int)
            for span in one["spanSet"]["spans"]:
                assert int(span["startTimeUnixNano"]) >= START
                assert int(span["durationNanos"]) > 0
        failed = next(one for one in found if trace_hex(2).endswith(one["traceID"]))
        said = {
            (attribute["key"], attribute["value"].get("stringValue"))
            for span in failed["spanSet"]["spans"]
            for attribute in span["attributes"]
        }
        assert ("status", "error") in said
        shown = client.get(f"/api/traces/{trace_hex(2)}", **HEADERS).json()
        spans = [
            span
            for batch in shown["batches"]
            for scope in batch["scopeSpans"]
            for span in scope["spans"]
        ]
        assert {span["name"] for span in spans} == {"GET /pay", "charge"}
        assert {span["kind"] for span in spans} == {"SPAN_KIND_SERVER", "SPAN_KIND_CLIENT"}
        assert {span["status"]["code"] for span in spans} == {"STATUS_CODE_ERROR"}


def test_tempo_over_grpc(queries: Queries) -> None:
    """Spans of a mesh alone; an empty search says that somebody is there."""
    question = (
        '{ .service.name = "a.b"  && .node_id =~ ".*"  && .http.status_code = "200"  } '
        f"&& {{  }} | select({SELECTS})"
    )
    asked = TEMPO["SearchRequest"](
        start=FIRST, end=LAST, Limit=100, Query=question, SpansPerSpanSet=10
    )
    parts = over_grpc(queries, TEMPO_SERVICE, "Search", asked, TEMPO["SearchResponse"])
    (found,) = [trace for part in parts for trace in part.traces]
    assert found.traceID.rjust(32, "0") == "0" * 16 + "01" * 8
    said = {
        attribute.key: attribute.value.string_value
        for span in found.spanSet.spans
        for attribute in span.attributes
    }
    assert said["node_id"] == "sidecar~10.0.0.1~a.b"
    empty = TEMPO["SearchRequest"]()
    assert over_grpc(queries, TEMPO_SERVICE, "Search", empty, TEMPO["SearchResponse"])
