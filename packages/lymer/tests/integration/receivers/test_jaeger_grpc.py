"""Jaeger's gRPC door on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import pytest

from fakes import jaeger_batch as jaeger
from fakes.durable_log import FakeDurableLog
from fakes.jaeger_batch import Batch, to_post_spans
from integration.receivers.doors import door_of, eventually
from lymer.errors import OverloadedError
from lymer.receivers.admission import Admission
from lymer.receivers.intake import Intake
from lymer.receivers.jaeger_grpc import JaegerGrpcReceiver
from lymer.telemetry.metrics import Metrics
from lymer.wire.jaeger_proto import request_from_post_spans

POST_SPANS = "/jaeger.api_v2.CollectorService/PostSpans"
SMALL = to_post_spans(Batch("svc", [jaeger.Span(), jaeger.Span(span_id=3)]))
LARGE = to_post_spans(Batch("svc", [jaeger.Span(tags=[("k", "v" * 100)])] * 1_000))
OK = (grpc.StatusCode.OK, "")


@dataclass(slots=True)
class Door:
    """What a test holds on to."""

    log: FakeDurableLog
    metrics: Metrics
    channel: grpc.aio.Channel

    async def post(
        self, body: bytes, compression: grpc.Compression | None = None
    ) -> tuple[grpc.StatusCode, str]:
        """Send one request; return code and text."""
        call = self.channel.unary_unary(POST_SPANS)(body, compression=compression, timeout=20)
        try:
            assert await call == b""
        except grpc.aio.AioRpcError as error:
            return error.code(), str(error.details())
        return OK

    def sample(self, name: str, **labels: str) -> float:
        """Return a counter of this door."""
        labels = {"receiver": "jaeger", "transport": "grpc", **labels}
        return self.metrics.registry.get_sample_value(name, labels) or 0


@asynccontextmanager
async def door(*, bytes_in_flight_max: int = 2**26) -> AsyncIterator[Door]:
    """Serve; at the end nothing may be in flight any more."""
    metrics = Metrics("test")
    intake = Intake(asyncio.get_running_loop(), metrics)
    log = FakeDurableLog(intake)
    intake.open(log)
    admission = Admission(bytes_in_flight_max=bytes_in_flight_max, requests_in_flight_max=100)
    receiver = JaegerGrpcReceiver(
        door_of(intake, admission, "jaeger", "grpc"), message_bytes_max=2**20
    )
    port = receiver.bind("127.0.0.1:0")
    await receiver.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Door(log, metrics, channel)
    await eventually(lambda: (admission.requests_in_flight, admission.bytes_in_flight) == (0, 0))
    await receiver.stop(1)


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("compression", [None, grpc.Compression.Gzip])
async def test_a_batch_is_journaled_as_otlp(
    body: bytes, compression: grpc.Compression | None
) -> None:
    """With an empty answer; large ones go through a thread."""
    async with door() as jaeger_door:
        assert await jaeger_door.post(body, compression) == OK
        expected = request_from_post_spans(body)
        assert jaeger_door.log.requests == [(expected.body, expected.span_count)]
        accepted = jaeger_door.sample("otelcol_receiver_accepted_spans_total")
        assert accepted == expected.span_count


async def test_an_undecodable_message_is_an_invalid_argument() -> None:
    """And counted; the next one is taken."""
    async with door() as jaeger_door:
        code, text = await jaeger_door.post(SMALL[:-1])
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert text.startswith("cannot decode PostSpansRequest: ")
        name = "lymer_receiver_refused_requests_total"
        assert jaeger_door.sample(name, reason="undecodable") == 1
        assert await jaeger_door.post(SMALL) == OK


async def test_what_is_not_durable_is_unavailable() -> None:
    """The sender may try again."""
    async with door() as jaeger_door:
        jaeger_door.log.failure = OverloadedError("the journal is full")
        code, text = await jaeger_door.post(SMALL)
        assert (code, text) == (grpc.StatusCode.UNAVAILABLE, "the journal is full")
        name = "lymer_receiver_refused_requests_total"
        assert jaeger_door.sample(name, reason="overloaded") == 1


async def test_too_much_in_flight_is_unavailable() -> None:
    """The limit is the process's."""
    async with door(bytes_in_flight_max=10) as jaeger_door:
        assert (await jaeger_door.post(SMALL))[0] is grpc.StatusCode.UNAVAILABLE
        assert jaeger_door.log.requests == []
