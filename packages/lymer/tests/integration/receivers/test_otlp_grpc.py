"""OTLP over gRPC on a real socket: which code, which details, and when."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from integration.receivers.doors import EXPORT, Doors, doors, eventually
from lymer.errors import OverloadedError
from make import make_request, make_span

BODY = make_request(make_span(1, 1), make_span(1, 2)).SerializeToString()
OK = (grpc.StatusCode.OK, "", None)


async def test_a_good_request_is_journaled_as_it_was_sent() -> None:
    """OK with an empty answer."""
    async with doors() as door:
        assert await door.export(BODY) == OK
        assert door.log.requests == [(BODY, 2)]
        assert door.accepted_spans("grpc") == 2


async def test_nobody_is_told_before_it_is_durable() -> None:
    """The answer waits for the journal."""
    async with doors() as door:
        door.log.hold()
        sending = asyncio.create_task(door.export(BODY))
        await door.log.arrived.wait()
        await asyncio.sleep(0.05)

        assert not sending.done()
        assert door.in_flight() == (1, len(BODY))
        door.log.release()

        assert await sending == OK


async def test_no_spans_are_answered_without_the_journal() -> None:
    """As the Collector does."""
    async with doors(opened=False) as door:
        assert await door.export(b"") == OK
        assert door.log.requests == []


async def test_an_undecodable_message_is_an_invalid_argument() -> None:
    """The sender must not repeat it."""
    async with doors() as door:
        code, text, details = await door.export(BODY[:-1])

        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert text.startswith("cannot decode ExportTraceServiceRequest: ")
        assert details is None
        assert door.refused("grpc", "undecodable") == 1


async def _refuse_at_once(door: Doors, error: OverloadedError) -> None:
    door.log.refusal = error


async def _refuse_later(door: Doors, error: OverloadedError) -> None:
    door.log.failure = error


@pytest.mark.parametrize("refuse", [_refuse_at_once, _refuse_later])
async def test_an_overload_says_when_to_come_back(refuse: object) -> None:
    """UNAVAILABLE with RetryInfo. Source: OTLP specification, "OTLP/gRPC Throttling"."""
    async with doors() as door:
        await refuse(door, OverloadedError("the journal is full", retry_after_seconds=7))  # type: ignore[operator]

        code, text, details = await door.export(BODY)

        assert (code, text) == (grpc.StatusCode.UNAVAILABLE, "the journal is full")
        assert details is not None
        status = status_pb2.Status.FromString(details)
        assert (status.code, status.message) == (14, "the journal is full")
        retry = error_details_pb2.RetryInfo()
        assert status.details[0].Unpack(retry)
        assert retry.retry_delay.seconds == 7
        assert door.refused("grpc", "overloaded") == 1


async def test_a_message_over_the_limit_is_refused_by_the_transport() -> None:
    """RESOURCE_EXHAUSTED; the limit itself is inside, and the connection goes on."""
    body = make_request(make_span(attrs={"a": "x" * 60_000})).SerializeToString()
    async with doors(message_bytes_max=len(body)) as door:
        assert await door.export(body) == OK
        assert (await door.export(body + b"\xa0\x06\x01"))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await door.export(BODY) == OK


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.Deflate])
async def test_compression(compression: grpc.Compression) -> None:
    """What is journaled is unpacked."""
    async with doors() as door:
        assert await door.export(BODY, compression) == OK
        assert door.log.requests == [(BODY, 2)]


async def test_a_bomb_is_refused() -> None:
    """The limit counts after decompression."""
    async with doors(message_bytes_max=100_000) as door:
        code, _, _ = await door.export(bytes(20_000_000), grpc.Compression.Gzip)

        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await door.export(BODY) == OK


@pytest.mark.parametrize(
    "method",
    [
        "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    ],
)
async def test_another_method_is_not_implemented(method: str) -> None:
    """The code every gRPC server gives."""
    async with doors() as door:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await door.channel.unary_unary(method)(BODY, timeout=20)

        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_bytes_and_requests_in_flight_are_limited() -> None:
    """Both limits are those of all doors together."""
    async with doors(requests_in_flight_max=1) as door:
        door.log.hold()
        over_http = asyncio.create_task(door.post(BODY))
        await door.log.arrived.wait()

        code, text, _ = await door.export(BODY)
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "1 requests are in flight, the limit is 1" in text
        door.log.release()
        assert (await over_http).status_code == 200

    async with doors(bytes_in_flight_max=len(BODY) - 1) as door:
        code, text, _ = await door.export(BODY)
        assert code is grpc.StatusCode.UNAVAILABLE
        assert f"0 bytes are in flight, the limit is {len(BODY) - 1}" in text


async def test_a_sender_that_gives_up_is_in_flight_until_the_journal_lets_go() -> None:
    """Otherwise impatient senders would fill the memory behind a slow disk."""
    async with doors() as door:
        door.log.hold()
        call = door.channel.unary_unary(EXPORT)(BODY)
        waiting = asyncio.ensure_future(call)
        await door.log.arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0.1)

        assert door.in_flight() == (1, len(BODY))
        door.log.release()
        await eventually(lambda: door.in_flight() == (0, 0))
        assert door.log.requests == [(BODY, 2)]


async def test_a_deadline_that_passes_ends_the_call_and_not_the_server() -> None:
    """Likewise."""
    async with doors() as door:
        door.log.hold()
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await door.channel.unary_unary(EXPORT)(BODY, timeout=0.1)
        assert ended.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        door.log.release()

        assert await door.export(BODY) == OK


async def test_many_requests_at_once() -> None:
    """Two hundred on one connection: a limit of a hundred turns some away, the rest is stored."""
    async with doors(requests_in_flight_max=100) as door:
        answers = await asyncio.gather(*(door.export(BODY) for _ in range(200)))

        codes = [code for code, _, _ in answers]
        assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
        assert codes.count(grpc.StatusCode.OK) == len(door.log.requests) >= 100
