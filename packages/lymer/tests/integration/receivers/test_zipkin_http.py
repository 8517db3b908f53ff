"""The Zipkin door on a real socket: which path and type is what, and what the sender is told."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from fakes.durable_log import FakeDurableLog
from fakes.otlp_attributes import attributes_of
from fakes.thrift_writer import Field, write_list
from integration.receivers.doors import door_of
from lymer.errors import OverloadedError
from lymer.receivers.admission import Admission
from lymer.receivers.intake import Intake
from lymer.receivers.zipkin_http import ZipkinHttpReceiver
from lymer.roles.listening import HttpServer, listen
from lymer.telemetry.metrics import Metrics
from lymer.wire.thrift import Protocol
from lymer.wire.zipkin_proto import ListOfSpans

_V2 = json.dumps([{"traceId": "1", "id": "2", "name": "v2", "timestamp": 1}]).encode()
_V1 = json.dumps(
    [{"traceId": "1", "id": "2", "name": "v1", "annotations": [{"value": "sr", "timestamp": 1}]}]
).encode()
_THRIFT = write_list(
    "struct",
    [[Field(1, "i64", 1), Field(3, "string", b"thrift"), Field(4, "i64", 2)]],
    Protocol.BINARY,
)
_BODY_BYTES_MAX = 2**20


def _proto() -> bytes:
    message = ListOfSpans()
    message.spans.add(trace_id=b"12345678", id=b"12345678", name=b"proto", timestamp=1)
    return bytes(message.SerializeToString())


@dataclass(slots=True)
class _Door:
    """What a test holds on to."""

    log: FakeDurableLog
    admission: Admission
    metrics: Metrics
    http: httpx.AsyncClient

    def sample(self, name: str, **labels: str) -> float:
        """Return a counter of the Zipkin door."""
        labels |= {"receiver": "zipkin", "transport": "http"}
        return self.metrics.registry.get_sample_value(name, labels) or 0

    def names(self) -> list[str]:
        """Return the names of all spans that were made durable."""
        return [
            span.name
            for body, _ in self.log.requests
            for group in trace_service_pb2.ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in group.scope_spans
            for span in scope.spans
        ]


@asynccontextmanager
async def _door(*, bytes_in_flight_max: int = 2**26) -> AsyncIterator[_Door]:
    """Serve the door; at the end nothing may be in flight any more."""
    metrics = Metrics("test")
    intake = Intake(asyncio.get_running_loop(), metrics)
    log = FakeDurableLog(intake)
    intake.open(log)
    admission = Admission(bytes_in_flight_max=bytes_in_flight_max, requests_in_flight_max=100)
    sockets = listen("127.0.0.1", 0, "Zipkin", "receivers.zipkin.port")
    made = door_of(intake, admission, "zipkin", "http", _BODY_BYTES_MAX)
    receiver = ZipkinHttpReceiver(made, body_bytes_max=_BODY_BYTES_MAX)
    server = HttpServer(receiver, sockets, grace_seconds=5)
    serving = asyncio.create_task(server.run_until_stopped())
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as http:
        yield _Door(log, admission, metrics, http)
        assert (admission.requests_in_flight, admission.bytes_in_flight) == (0, 0)
    server.stop()
    await serving


@pytest.mark.parametrize(
    ("path", "content_type", "body", "name"),
    [
        ("/api/v2/spans", "application/json", _V2, "v2"),
        ("/api/v2/spans", "application/json; charset=utf-8", _V2, "v2"),
        ("/api/v2/spans", None, _V2, "v2"),
        ("/", "text/plain", _V2, "v2"),
        ("/tracing/api/v2/spans", "application/x-protobuf", _proto(), "proto"),
        ("/api/v1/spans", "application/json", _V1, "v1"),
        ("/api/v1/spans", None, _V1, "v1"),
        ("/zipkin/api/v1/spans", "application/x-thrift", _THRIFT, "thrift"),
    ],
)
async def test_path_and_type_say_the_format(
    path: str, content_type: str | None, body: bytes, name: str
) -> None:
    """The path says v1 or v2, the type says the encoding; the answer is 202 without a body."""
    headers = {"Content-Type": content_type} if content_type else {}
    async with _door() as door:
        answer = await door.http.post(path, content=body, headers=headers)

        assert (answer.status_code, answer.content) == (202, b"")
        assert door.names() == [name]
        assert door.sample("otelcol_receiver_accepted_spans_total") == 1


@pytest.mark.parametrize(
    ("coding", "body"),
    [("gzip", gzip.compress(_V2, mtime=0)), ("deflate", zlib.compress(_V2)), ("identity", _V2)],
)
async def test_compressed_bodies(coding: str, body: bytes) -> None:
    """A body is what it was before its sender compressed it."""
    async with _door() as door:
        answer = await door.http.put(
            "/api/v2/spans", content=body, headers={"Content-Encoding": coding}
        )

        assert answer.status_code == 202
        assert door.names() == ["v2"]


async def test_a_large_body_is_translated_too() -> None:
    """What goes to a thread comes back whole."""
    spans = [{"traceId": "1", "id": f"{n:x}", "name": f"n{n}"} for n in range(1, 3001)]
    async with _door() as door:
        answer = await door.http.post("/api/v2/spans", content=json.dumps(spans).encode())

        assert answer.status_code == 202
        assert door.names() == [f"n{n}" for n in range(1, 3001)]


@pytest.mark.parametrize("flags", ["1", "0"])
async def test_a_debug_request(flags: str) -> None:
    """`X-B3-Flags: 1` makes debug spans of a protobuf request's."""
    headers = {"Content-Type": "application/x-protobuf", "X-B3-Flags": flags}
    async with _door() as door:
        await door.http.post("/api/v2/spans", content=_proto(), headers=headers)

        ((body, _),) = door.log.requests
        request = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
        span = request.resource_spans[0].scope_spans[0].spans[0]
        assert ("zipkin.debug" in attributes_of(span.attributes)) == (flags == "1")


async def test_a_request_without_spans_is_accepted() -> None:
    """An empty list is 202, and nothing is written."""
    async with _door() as door:
        assert (await door.http.post("/api/v2/spans", content=b"[]")).status_code == 202
        assert door.log.requests == []


@pytest.mark.parametrize(
    ("body", "coding", "said", "reason"),
    [
        (
            b"[{}]",
            "",
            "cannot decode Zipkin v2 JSON: [0].traceId is missing or zero",
            "undecodable",
        ),
        (b"x", "gzip", "cannot decode the body as gzip: ", "undecodable"),
        (b"x", "br", "unsupported Content-Encoding: 'br'", "undecodable"),
        (b"[" * (_BODY_BYTES_MAX + 1), "", "the body has 1048577 bytes, the limit is", "too_large"),
        (
            gzip.compress(b"[" * 2**22, mtime=0),
            "gzip",
            "the decompressed body is over the limit",
            "too_large",
        ),
    ],
)
async def test_a_bad_request_is_400_with_the_reason(
    body: bytes, coding: str, said: str, reason: str
) -> None:
    """The text says what is wrong; the refusal is counted by its reason."""
    async with _door() as door:
        answer = await door.http.post(
            "/api/v2/spans", content=body, headers={"Content-Encoding": coding} if coding else {}
        )

        assert answer.status_code == 400
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.text.startswith(said)
        assert door.sample("lymer_receiver_refused_requests_total", reason=reason) == 1


async def test_overload_says_when_to_come_again() -> None:
    """A journal that cannot take more is 503 with Retry-After; so is too much in flight."""
    async with _door(bytes_in_flight_max=len(_V2) + 200) as door:
        door.log.refusal = OverloadedError("cannot accept: full", retry_after_seconds=7)
        full = await door.http.post("/api/v2/spans", content=_V2)
        large = await door.http.post("/api/v2/spans", content=b" " * 2000)

        assert (full.status_code, full.headers["retry-after"]) == (503, "7")
        assert (large.status_code, large.headers["retry-after"]) == (503, "1")
        assert door.sample("lymer_receiver_refused_requests_total", reason="overloaded") == 2
        assert door.sample("otelcol_receiver_refused_spans_total") == 1
