"""Jaeger's HTTP door on a real socket: which status, which text, and when."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from fakes import jaeger_batch as jaeger
from fakes.durable_log import FakeDurableLog
from fakes.jaeger_batch import Batch, thrift_batch
from fakes.recorded_wire import recorded
from integration.receivers.doors import door_of, eventually
from lymer.errors import OverloadedError
from lymer.receivers.admission import Admission
from lymer.receivers.intake import Intake
from lymer.receivers.jaeger_http import JaegerHttpReceiver
from lymer.roles.listening import HttpServer, listen
from lymer.telemetry.metrics import Metrics
from lymer.wire.jaeger_thrift import request_from_batch

THRIFT = "application/x-thrift"
BODY = thrift_batch(Batch("svc", [jaeger.Span(), jaeger.Span(span_id=3)]))
OTLP = request_from_batch(BODY).body
LARGE = thrift_batch(Batch("svc", [jaeger.Span(tags=[("k", "v" * 100)])] * 1_000))


@dataclass(slots=True)
class Door:
    """What a test holds on to."""

    log: FakeDurableLog
    metrics: Metrics
    http: httpx.AsyncClient

    async def post(
        self, body: bytes, content_type: str | None = THRIFT, path: str = "/api/traces", **more: str
    ) -> httpx.Response:
        """Send one request."""
        headers = {name.replace("_", "-"): value for name, value in more.items()}
        if content_type is not None:
            headers["Content-Type"] = content_type
        return await self.http.post(path, content=body, headers=headers)

    def refused(self, reason: str) -> float:
        """Return how many requests were counted as turned away."""
        labels = {"receiver": "jaeger", "transport": "thrift_http", "reason": reason}
        name = "lymer_receiver_refused_requests_total"
        return self.metrics.registry.get_sample_value(name, labels) or 0

    def accepted_spans(self) -> float:
        """Return how many spans were counted as acknowledged."""
        labels = {"receiver": "jaeger", "transport": "thrift_http"}
        name = "otelcol_receiver_accepted_spans_total"
        return self.metrics.registry.get_sample_value(name, labels) or 0


@asynccontextmanager
async def door(
    *, body_bytes_max: int = 2**20, bytes_in_flight_max: int = 2**26
) -> AsyncIterator[Door]:
    """Serve; at the end nothing may be in flight any more."""
    metrics = Metrics("test")
    intake = Intake(asyncio.get_running_loop(), metrics)
    log = FakeDurableLog(intake)
    intake.open(log)
    admission = Admission(bytes_in_flight_max=bytes_in_flight_max, requests_in_flight_max=100)
    made = door_of(intake, admission, "jaeger", "thrift_http", body_bytes_max)
    receiver = JaegerHttpReceiver(made, body_bytes_max=body_bytes_max)
    sockets = listen("127.0.0.1", 0, "Jaeger HTTP", "port")
    server = HttpServer(receiver, sockets, grace_seconds=5)
    serving = asyncio.create_task(server.run_until_stopped())
    base_url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    async with httpx.AsyncClient(base_url=base_url, trust_env=False, timeout=20) as http:
        yield Door(log, metrics, http)
    await eventually(lambda: (admission.requests_in_flight, admission.bytes_in_flight) == (0, 0))
    server.stop()
    await serving


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-thrift",
        "application/vnd.apache.thrift.binary",
        "Application/X-Thrift; charset=utf-8",
        'application/x-thrift ; a="b;c" ;',
    ],
)
async def test_a_batch_is_accepted_without_a_word(content_type: str) -> None:
    """202, no body, and journaled as OTLP."""
    async with door() as jaeger_door:
        answer = await jaeger_door.post(BODY, content_type)
        assert (answer.status_code, answer.content) == (202, b"")
        assert "content-type" not in answer.headers
        assert jaeger_door.log.requests == [(OTLP, 2)]
        assert jaeger_door.accepted_spans() == 2


async def test_the_format_parameter_of_old_clients_is_ignored() -> None:
    """`?format=jaeger.thrift`."""
    async with door() as jaeger_door:
        answer = await jaeger_door.post(BODY, path="/api/traces?format=jaeger.thrift")
        assert answer.status_code == 202


async def test_what_the_node_client_sent_is_accepted() -> None:
    """Its recorded body."""
    body = recorded("js-jaeger-client-http", "001-http14268.body")
    async with door() as jaeger_door:
        assert (await jaeger_door.post(body)).status_code == 202
        assert jaeger_door.accepted_spans() == 3


@pytest.mark.parametrize("body", [BODY, LARGE], ids=["small", "large"])
async def test_gzip(body: bytes) -> None:
    """What is journaled is unpacked; large bodies go through a thread."""
    async with door() as jaeger_door:
        answer = await jaeger_door.post(gzip.compress(body), Content_Encoding="gzip")
        assert answer.status_code == 202
        assert (await jaeger_door.post(body)).status_code == 202
        expected = request_from_batch(body)
        assert jaeger_door.log.requests == [(expected.body, expected.span_count)] * 2


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        (None, "Cannot parse content type: mime: no media type"),
        ("", "Cannot parse content type: mime: no media type"),
        ("application/", "Cannot parse content type: mime: expected token after slash"),
        ("a b", "Cannot parse content type: mime: expected slash after first token"),
        (
            "application/x-thrift x",
            "Cannot parse content type: mime: unexpected content after media subtype",
        ),
        ("application/x-thrift; a", "Cannot parse content type: mime: invalid media parameter"),
        ("application/json", "Unsupported content type: application/json"),
        ("a'b", "Unsupported content type: a&#39;b"),
    ],
)
async def test_other_content_types_are_refused(content_type: str | None, text: str) -> None:
    """With the texts and the escapes of Go's."""
    async with door() as jaeger_door:
        answer = await jaeger_door.post(BODY, content_type)
        assert (answer.status_code, answer.text) == (400, text + "\n")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert jaeger_door.log.requests == []


@pytest.mark.parametrize("headers", [{}, {"Content_Encoding": "gzip"}])
async def test_an_undecodable_body_is_refused(headers: dict[str, str]) -> None:
    """And counted; the next one is taken."""
    async with door() as jaeger_door:
        answer = await jaeger_door.post(BODY[:-1], **headers)
        assert answer.status_code == 400
        assert answer.text.startswith("Unable to process request body: cannot decode ")
        assert answer.text.endswith("\n")
        assert jaeger_door.refused("undecodable") == 1
        assert (await jaeger_door.post(BODY)).status_code == 202


@pytest.mark.parametrize("is_compressed", [False, True])
async def test_a_body_over_the_limit_is_refused(*, is_compressed: bool) -> None:
    """Jaeger cannot read it to its end and says 500."""
    async with door(body_bytes_max=len(BODY)) as jaeger_door:
        assert (await jaeger_door.post(BODY)).status_code == 202
        if is_compressed:
            body = gzip.compress(bytes(100_000))
            answer = await jaeger_door.post(body, Content_Encoding="gzip")
        else:
            answer = await jaeger_door.post(BODY + b"\x00")
        assert answer.status_code == 500
        assert answer.text.startswith("Unable to process request body: the ")
        assert "limit" in answer.text
        assert jaeger_door.refused("too_large") == 1


async def test_what_is_read_and_over_another_limit_is_the_senders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """400, as everywhere: it would be refused again."""
    monkeypatch.setattr("lymer.wire.bounds.SPANS_MAX", 1)
    async with door() as jaeger_door:
        answer = await jaeger_door.post(BODY)
        assert answer.status_code == 400
        assert "the limit is 1" in answer.text


async def test_a_batch_that_is_not_durable_is_not_accepted() -> None:
    """500, when to come again, and counted."""
    async with door() as jaeger_door:
        jaeger_door.log.failure = OverloadedError("the journal is full", retry_after_seconds=7)
        answer = await jaeger_door.post(BODY)
        assert answer.status_code == 500
        assert answer.text == "Cannot submit Jaeger batch: the journal is full\n"
        assert answer.headers["retry-after"] == "7"
        assert jaeger_door.refused("overloaded") == 1


async def test_what_grows_over_the_limit_in_flight_is_refused() -> None:
    """The OTLP counts, not only what was sent."""
    async with door(bytes_in_flight_max=len(OTLP) - 1) as jaeger_door:
        answer = await jaeger_door.post(gzip.compress(BODY), Content_Encoding="gzip")
        assert answer.status_code == 500
        assert answer.text.startswith("Cannot submit Jaeger batch: cannot accept the request: ")


async def test_other_paths_and_methods_are_refused() -> None:
    """404 as Go writes it; 405 without a word."""
    async with door() as jaeger_door:
        answer = await jaeger_door.http.get("/api/sampling?service=a")
        assert (answer.status_code, answer.text) == (404, "404 page not found\n")
        answer = await jaeger_door.http.get("/api/traces")
        assert (answer.status_code, answer.text) == (405, "")
