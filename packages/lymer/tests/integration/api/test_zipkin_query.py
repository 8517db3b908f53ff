# ruff: noqa: E501 - a row of a table of sentences is one line
"""Zipkin's query API as Lens and Grafana's Zipkin data source call it.

Their calls are in Zipkin's `zipkin-lens/src/constants/api.ts`, `src/slices/*.ts` and
`src/components/DiscoverPage/DiscoverPageContent.tsx`, and in Grafana's
`public/app/plugins/datasource/zipkin/datasource.ts` and `pkg/tsdb/zipkin/client.go`. What Zipkin
answers is in its `ITZipkinServer.java` and `SpanBytesEncoderTest.java`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import quote

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fakes.asgi_client import Client
from fakes.memory_store import MemoryStore
from lymer.api.app import create_app, create_zipkin_app
from lymer.query.service import Queries
from lymer.wire.zipkin_v2 import request_from_zipkin_v2_json
from make import (
    START,
    make_event,
    make_link,
    make_request,
    make_span,
    trace_hex,
    write_segment_file,
)

MICRO: Final = START // 1000
END_MS: Final = START // 1_000_000 + 60_000
CLIENT: Final[dict[str, Any]] = {
    "traceId": "7180c278b62e8f6a",
    "parentId": "6b221d5bc9e6496c",
    "id": "5b4185666d50f68b",
    "kind": "CLIENT",
    "name": "get /주문",
    "timestamp": MICRO,
    "duration": 207_000,
    "localEndpoint": {"serviceName": "frontend", "ipv4": "127.0.0.1", "ipv6": "2001:db8::c001"},
    "remoteEndpoint": {"serviceName": "backend", "ipv4": "192.168.99.101", "port": 9000},
    "annotations": [
        {"timestamp": MICRO + 1_900, "value": "foo"},
        {"timestamp": MICRO + 2_000, "value": "ws"},
    ],
    "tags": {"clnt/finagle.version": "6.45.0", "http.path": '/api "\\]]'},
}
SERVER: Final[dict[str, Any]] = {
    **{key: CLIENT[key] for key in ("traceId", "parentId", "id")},
    "kind": "SERVER",
    "name": "get",
    "timestamp": MICRO + 500,
    "duration": 100,
    "localEndpoint": {"serviceName": "backend", "port": 9000},
    "debug": True,
    "shared": True,
}
FAILED: Final[dict[str, Any]] = {
    "traceId": "4e441824ec2b6a44ffdc9bb9a6453df3",
    "id": "ffdc9bb9a6453df3",
    "name": "job",
    "timestamp": MICRO + 9_000,
    "localEndpoint": {"serviceName": "frontend"},
    "tags": {"error": "no disk", "http.path": "/a", "otel.status_code": "ERROR"},
}
SENT: Final = [[FAILED], [CLIENT, SERVER]]
"""By trace, newest first, as `V2SpanWriter.java` writes them."""


@pytest.fixture(scope="module", params=["/zipkin on 16686", "9411", "/zipkin on 9411"])
def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[_At]:
    """Yield a client of each place where the API is."""
    body = json.dumps([span for trace in SENT for span in trace]).encode()
    sent = ExportTraceServiceRequest.FromString(request_from_zipkin_v2_json(body).body)
    store = MemoryStore()
    store.write_segment(write_segment_file(tmp_path_factory.mktemp("zipkin"), sent))
    with ThreadPoolExecutor(2) as threads:
        make = create_app if "16686" in request.param else create_zipkin_app
        app = make(Queries(store), executor=threads, now_unix_nano=lambda: START + 60 * 10**9)
        yield _At(Client(app), "/zipkin" if "/zipkin" in request.param else "")


class _At:
    """Asks below a path."""

    def __init__(self, client: Client, path: str) -> None:
        self._client = client
        self._path = path

    def get(self, target: str) -> Any:
        return self._client.get(self._path + target)


def test_a_trace_comes_back_as_it_was_sent(client: _At) -> None:
    """Byte by byte: ids, order of fields, both ends, annotations, tags, `debug`, `shared`."""
    for trace in SENT:
        answer = client.get(f"/api/v2/trace/{trace[0]['traceId']}")

        assert (200, "application/json") == (answer.status_code, answer.headers["content-type"])
        assert json.dumps(trace, ensure_ascii=False, separators=(",", ":")) == answer.text


def test_short_and_padded_ids_are_the_same_trace(client: _At) -> None:
    """As `Span.normalizeTraceId` has it."""
    padded = client.get(f"/api/v2/trace/{CLIENT['traceId'].rjust(32, '0')}")
    assert [CLIENT, SERVER] == padded.json()


@pytest.mark.parametrize(
    ("target", "status", "text"),
    [
        ("/api/v2/trace/0000000000000abc", 404, "0000000000000abc not found"),
        ("/api/v2/trace/0e8b46e1-81b", 400, "0e8b46e1-81b should be lower-hex encoded with no prefix"),
        (f"/api/v2/trace/{'a' * 33}", 400, "traceId.length > 32"),
        ("/api/v2/trace/000", 400, "traceId is all zeros"),
        ("/api/v2/traceMany?traceIds=", 400, "traceIds parameter is empty"),
        ("/api/v2/traceMany?traceIds=abcd", 400, "Use /api/v2/trace/{traceId} endpoint to retrieve a single trace"),
        ("/api/v2/traceMany?traceIds=abcd,abcd", 400, "redundant traceId: abcd"),
        ("/api/v2/traces?limit=0", 400, "limit <= 0"),
        ("/api/v2/traces?endTs=0", 400, "endTs <= 0"),
        ("/api/v2/traces?lookback=-1", 400, "lookback <= 0"),
        ("/api/v2/traces?minDuration=0", 400, "minDuration <= 0"),
        ("/api/v2/traces?maxDuration=5", 400, "maxDuration is only valid with minDuration"),
        ("/api/v2/traces?minDuration=9&maxDuration=5", 400, "maxDuration < minDuration"),
        ("/api/v2/traces?limit=many", 400, "limit is not a number: many"),
        ("/api/v2/spans", 400, "serviceName parameter is required"),
        ("/api/v2/dependencies", 400, "endTs parameter is required"),
        ("/api/v2/nothing", 404, "404 page not found\n"),
    ],
)  # fmt: skip
def test_refusals_are_texts(client: _At, target: str, status: int, text: str) -> None:
    """Zipkin's sentences."""
    answer = client.get(target)

    assert (status, text) == (answer.status_code, answer.text)
    assert answer.headers["content-type"].startswith("text/plain")


def test_several_traces_by_id(client: _At) -> None:
    """What is not there is left out."""
    ids = ",".join([CLIENT["traceId"], "abcd", FAILED["traceId"]])
    assert [[CLIENT, SERVER], [FAILED]] == client.get(f"/api/v2/traceMany?traceIds={ids}").json()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", [FAILED, CLIENT]),
        ("limit=1", [FAILED]),
        ("serviceName=frontend&spanName=all", [FAILED, CLIENT]),
        ("serviceName=backend", [CLIENT]),
        ("serviceName=frontend&spanName=job", [FAILED]),
        ("remoteServiceName=backend", [CLIENT]),
        ("remoteServiceName=frontend", []),
        ("annotationQuery=error", [FAILED]),
        ("annotationQuery=error%3Dno disk", [FAILED]),
        ("annotationQuery=foo", [CLIENT]),
        ("annotationQuery=ws and http.path", [CLIENT]),
        ("annotationQuery=http.path and error", [FAILED]),
        ("annotationQuery=http.path%3D/a and http.path", [FAILED]),
        ("annotationQuery=nothing", []),
        ("minDuration=100&maxDuration=100", [CLIENT]),
        ("minDuration=207001", []),
        ("endTs=1000&lookback=1000", []),
        (f"lookback={60_000 - 5}", [FAILED]),
    ],
)  # fmt: skip
def test_search(client: _At, asked: str, found: list[dict[str, Any]]) -> None:
    """Each parameter of `/api/v2/traces`; whole traces, newest first."""
    answer = client.get(f"/api/v2/traces?endTs={END_MS}&{asked}" if "endTs" not in asked
                        else f"/api/v2/traces?{asked}")  # fmt: skip

    assert answer.status_code == 200
    assert [one["traceId"] for one in found] == [trace[0]["traceId"] for trace in answer.json()]
    for trace in answer.json():
        assert trace in SENT


def test_what_lens_asks_before_a_search(client: _At) -> None:
    """Names sorted, keys and values of tags, and its configuration."""
    assert ["backend", "frontend"] == client.get("/api/v2/services").json()
    assert ["get /주문", "job"] == client.get("/api/v2/spans?serviceName=frontend").json()
    assert ["backend"] == client.get("/api/v2/remoteServices?serviceName=frontend").json()
    assert [] == client.get("/api/v2/remoteServices?serviceName=backend").json()
    assert "http.path" in client.get("/api/v2/autocompleteKeys").json()
    values = client.get("/api/v2/autocompleteValues?key=http.path").json()
    assert ["/a", '/api "\\]]'] == values
    assert client.get("/config.json").json()["searchEnabled"] is True


def test_dependencies(client: _At) -> None:
    """As `DependencyLinkBytesEncoder.java` writes them."""
    answer = client.get(f"/api/v2/dependencies?endTs={END_MS}&lookback=86400000")

    assert '[{"parent":"frontend","child":"backend","callCount":1}]' == answer.text


def test_dependencies_say_how_many_calls_failed(tmp_path: Any) -> None:
    """Lens colours lines by it; calls that did not fail have none."""
    store = MemoryStore()
    requests = [
        make_request(make_span(1, 1, kind=3), make_span(1, 3, kind=3), service="shop"),
        make_request(
            make_span(1, 2, 1, kind=2, status=2), make_span(1, 4, 3, kind=2), service="cart"
        ),
        make_request(make_span(1, 5, 3, kind=2), service="pay"),
    ]
    store.write_segment(write_segment_file(tmp_path, *requests))
    with ThreadPoolExecutor(1) as threads:
        client = Client(create_zipkin_app(Queries(store), executor=threads))
        found = client.get(f"/api/v2/dependencies?endTs={END_MS}").json()

    assert [
        {"parent": "shop", "child": "cart", "callCount": 2, "errorCount": 1},
        {"parent": "shop", "child": "pay", "callCount": 1},
    ] == found


def test_spans_of_otlp_are_written_as_exporters_write_them(tmp_path: Any) -> None:
    """Resource and scope are tags, links and events packed, a failure is `error`; copies go."""
    span = make_span(
        1, 1, 2, kind=1, duration_nano=1_500, attrs={"n": 5, "l": [1, "a"], "peer.service": "db"},
        events=[make_event("exception", attrs={"exception.type": "E", "code": 7})],
        links=[make_link(3, 4)], status=2, message="boom",
    )  # fmt: skip
    request = make_request(span, span, service="shop", resource={"zone": "a"}, scope="lib")
    store = MemoryStore()
    store.write_segment(write_segment_file(tmp_path, request))
    with ThreadPoolExecutor(1) as threads:
        client = Client(create_zipkin_app(Queries(store), executor=threads))
        (shown,) = client.get(f"/api/v2/trace/{trace_hex(1)}").json()

    assert shown["tags"]["otlp.link.0"].startswith(f"{trace_hex(3)}|{4:016x}|")
    assert {
        "l": '[1,"a"]', "n": "5", "zone": "a", "otel.scope.name": "lib", "error": "boom",
        "otel.status_code": "ERROR", "span.kind": "internal",
    } == {key: value for key, value in shown["tags"].items() if not key.startswith("otlp.")}  # fmt: skip
    assert {"serviceName": "db"} == shown["remoteEndpoint"]
    assert 1 == shown["duration"]
    (annotation,) = shown["annotations"]
    assert 'exception|{"exception.type":"E","code":7}|0' == annotation["value"]
    again = ExportTraceServiceRequest.FromString(
        request_from_zipkin_v2_json(json.dumps([shown]).encode()).body
    )
    (back,) = again.resource_spans[0].scope_spans[0].spans
    (event,), (link,) = back.events, back.links
    assert ("exception", 2, trace_hex(3)) == (
        event.name, len(event.attributes), link.trace_id.hex(),
    )  # fmt: skip
    assert (2, "boom", 1) == (back.status.code, back.status.message, back.kind)


def test_hostile_texts_are_answered(client: _At) -> None:
    """Whatever stands in a parameter is 200 or 400."""
    for name in ("serviceName", "spanName", "annotationQuery", "endTs", "limit", "minDuration"):
        for value in ("", "null", "-1", "9" * 30, "\x00", "'; DROP", " and ", "=", "= and =", "é"):
            answer = client.get(f"/api/v2/traces?{name}={quote(value)}")
            assert answer.status_code in {200, 400}, (name, value)
