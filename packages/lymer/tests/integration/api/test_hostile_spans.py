"""Spans that say what we say ourselves, in every type: each door shows them, and all the same."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fakes.asgi_client import Client
from lymer.api.app import create_app, create_tempo_app
from lymer.api.query_grpc import QueryGrpc
from lymer.query.service import Queries
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.wire.query_proto import SERVICE_V2, V2
from make import make_event, make_link, make_request, make_span, trace_hex, write_segment_file

KEYS: Final = (
    "@jaeger@warnings", "span.kind", "error", "otel.status_code", "otel.status_description",
    "internal.span.format", "service.name", "w3c.tracestate", "opentracing.ref_type",
    "peer.service", "db.system", "messaging.destination.name", "http.status_code", "net.peer.ip",
    "ip", "telemetry.sdk.name", "otel.scope.name", "event", "", "\0", "k\0k", "zipkin.shared",
    "lc", "sa", "sampler.param", "exception.message", "duration", "traceID",
)  # fmt: skip
"""Names that some reader gives a meaning."""
VALUES: Final[tuple[Any, ...]] = (
    "", "x", "\0", "[1", "[1]", '["a"]', '{"a":1}', "null", "\u202e\ud7ff\U0010ffff\u2028", "NaN",
    "'; DROP TABLE spans; --", "\r\nX: y", 0, -1, 2**63 - 1, -(2**63), float("nan"), float("-inf"),
    5e-324, True, False, b"", b"\xff\x00", [], [1, "a", b"\xff", [{}]], {"": "", "k": {"k": [1]}},
    ["w", 2, {"a": []}],
)  # fmt: skip
PLACES: Final = ("span", "resource", "event", "link", "scope")
TYPES: Final = ("string", "bool", "int64", "float64", "binary")
TRACE: Final = trace_hex(1)


def hostile() -> ExportTraceServiceRequest:
    """Return one trace with each value in each place, under every key."""
    request = ExportTraceServiceRequest()
    number = 0
    for value in VALUES:
        attrs = dict.fromkeys(KEYS, value)
        for place in PLACES:
            number += 2
            span = make_span(
                1,
                number,
                attrs=attrs if place == "span" else {},
                events=[make_event("e", attrs=attrs)] if place == "event" else [],
                links=[make_link(attrs=attrs)] if place == "link" else [],
            )
            # The child is skewed: a warning joins whatever stands where warnings are kept.
            child = make_span(1, number + 1, number, offset_nano=-5_000, attrs=attrs)
            made = make_request(
                span, child, service=None if place == "resource" else f"hostile {number}",
                resource=attrs if place == "resource" else {},
            )  # fmt: skip
            if place == "scope":
                scope = made.resource_spans[0].scope_spans[0].scope
                scope.attributes.extend(make_span(1, 1, attrs=attrs).attributes)
            request.MergeFrom(made)
    return request


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queries]:
    """Yield who answers, over the store as it is in the product."""
    folder = tmp_path_factory.mktemp("hostile")
    engine = ChdbEngine(folder / "engine", memory_bytes_max=900 * 2**20)
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    store.write_segment(write_segment_file(folder, hostile()))
    yield Queries(store, max_clock_skew_adjust_seconds=1.0)
    store.close()


@pytest.mark.parametrize(
    "path",
    [
        f"/api/traces/{TRACE}",
        f"/api/traces/{TRACE}?raw=true",
        f"/api/v3/traces/{TRACE}",
        f"/api/v3/traces/{TRACE}?rawTraces=true",
        f"/zipkin/api/v2/trace/{TRACE}",
        f"/api/lymer/v1/traces/{TRACE}/columns",
        f"/tempo/api/traces/{TRACE}",
        f"/tempo/api/v2/traces/{TRACE}",
    ],
)
def test_every_door_shows_them(queries: Queries, path: str) -> None:
    """With 200."""
    with ThreadPoolExecutor(2) as threads:
        make_app = create_tempo_app if path.startswith("/tempo") else create_app
        answer = Client(make_app(queries, executor=threads)).get(path.removeprefix("/tempo"))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("raw", [False, True])
def test_api_v2_says_what_the_legacy_api_says(queries: Queries, *, raw: bool) -> None:
    """The same tags with the same types, the same warnings, of every span."""

    async def over_grpc(threads: ThreadPoolExecutor) -> dict[str, Any]:
        server = QueryGrpc(queries, threads)
        port = server.bind("127.0.0.1:0")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                method = channel.unary_stream(
                    f"/{SERVICE_V2}/GetTrace",
                    request_serializer=V2["GetTraceRequest"].SerializeToString,
                    response_deserializer=V2["SpansResponseChunk"].FromString,
                )
                asked = V2["GetTraceRequest"](trace_id=bytes.fromhex(TRACE), raw_traces=raw)
                return {
                    span.span_id.hex(): _said(span)
                    async for chunk in method(asked)
                    for span in chunk.spans
                }
        finally:
            await server.stop(1)

    with ThreadPoolExecutor(2) as threads:
        client = Client(create_app(queries, executor=threads))
        answer = client.get(f"/api/traces/{TRACE}?raw={str(raw).lower()}")
        (trace,) = answer.json()["data"]
        ours = asyncio.run(over_grpc(threads))
    theirs = {span["spanID"]: _shown(span) for span in trace["spans"]}
    assert {k: (v, theirs.get(k)) for k, v in ours.items() if v != theirs.get(k)} == {}
    assert len(ours) == 2 * len(VALUES) * len(PLACES)


def _said(span: Any) -> tuple[list[Any], list[str]]:
    """Return tags and warnings of a message in the words of the JSON."""
    tags = []
    for tag in span.tags:
        value = (
            tag.v_str, tag.v_bool, tag.v_int64, tag.v_float64,
            base64.b64encode(tag.v_binary).decode(),
        )[tag.v_type]  # fmt: skip
        tags.append((tag.key, TYPES[tag.v_type], json.dumps(value)))
    return sorted(tags), sorted(span.warnings)


def _shown(span: Any) -> tuple[list[Any], list[str]]:
    tags = []
    for tag in span["tags"]:
        value = tag["value"]
        if tag["type"] == "int64":
            value = int(value)  # beyond 2^53 it is text
        elif tag["type"] == "float64":
            value = float("nan" if value is None else value)
        tags.append((tag["key"], tag["type"], json.dumps(value)))
    return sorted(tags), sorted(span["warnings"] or [])
