"""OTLP over HTTP on a real socket: what is answered, and when."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import random
import zlib
from collections.abc import AsyncIterator, Callable

import cramjam
import pytest
import zstandard
from google.rpc import status_pb2

from integration.receivers.doors import JSON, PROTOBUF, Doors, doors, eventually
from lymer.errors import OverloadedError
from make import make_request, make_span

BODY = make_request(make_span(1, 1), make_span(1, 2)).SerializeToString()
JSON_BODY = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"one"}]}]}]}'


def _status(body: bytes) -> tuple[int, str]:
    status = status_pb2.Status.FromString(body)
    return status.code, status.message


@pytest.mark.parametrize(
    ("body", "sent", "answered", "expected", "spans"),
    [
        pytest.param(BODY, PROTOBUF, PROTOBUF, b"", 2, id="protobuf"),
        pytest.param(BODY, f"{PROTOBUF}; proto=x", PROTOBUF, b"", 2, id="with a parameter"),
        pytest.param(BODY, "Application/X-Protobuf", PROTOBUF, b"", 2, id="in capitals"),
        pytest.param(JSON_BODY, JSON, JSON, b'{"partialSuccess":{}}', 1, id="JSON"),
        pytest.param(
            JSON_BODY, f"{JSON};charset=utf-8", JSON, b'{"partialSuccess":{}}', 1, id="with charset"
        ),
    ],
)
async def test_a_good_request_is_answered_in_its_own_encoding(
    body: bytes, sent: str, answered: str, expected: bytes, spans: int
) -> None:
    """200, and exactly what the Collector answers."""
    async with doors() as door:
        answer = await door.post(body, sent)

        assert (answer.status_code, answer.content) == (200, expected)
        assert answer.headers["content-type"] == answered
        assert [count for _, count in door.log.requests] == [spans]
        assert door.accepted_spans("http") == spans


async def test_who_asks_is_told_when_what_has_arrived_is_stored() -> None:
    """Not before; where the store is too far behind, or another process', that is said."""
    async with doors() as door:
        stored = asyncio.Event()
        door.intake.wait_for_store = stored.wait
        asking = asyncio.create_task(door.http.get("/api/lymer/v1/stored"))
        await asyncio.sleep(0.05)
        assert not asking.done()
        stored.set()
        assert (await asking).status_code == 204

        async def too_far_behind() -> None:
            raise OverloadedError("not stored yet", retry_after_seconds=7)

        door.intake.wait_for_store = too_far_behind
        answer = await door.http.get("/api/lymer/v1/stored")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "7")

        door.intake.wait_for_store = None
        assert (await door.http.get("/api/lymer/v1/stored")).status_code == 404


async def test_what_is_journaled_is_what_was_sent() -> None:
    """Byte for byte."""
    async with doors() as door:
        await door.post(BODY)

        assert door.log.requests == [(BODY, 2)]


async def test_nobody_is_told_before_it_is_durable() -> None:
    """The answer waits for the journal, and so does the count of what is in flight."""
    async with doors() as door:
        door.log.hold()
        sending = asyncio.create_task(door.post(BODY))
        await door.log.arrived.wait()
        await asyncio.sleep(0.05)

        assert not sending.done()
        assert door.in_flight() == (1, len(BODY))
        door.log.release()

        assert (await sending).status_code == 200


@pytest.mark.parametrize(("body", "content_type"), [(b"", PROTOBUF), (b"{}", JSON)])
async def test_no_spans_are_answered_without_the_journal(body: bytes, content_type: str) -> None:
    """Source: OTLP specification, "Full Success"; the Collector calls no consumer."""
    async with doors(opened=False) as door:
        assert (await door.post(body, content_type)).status_code == 200
        assert door.log.requests == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_another_method(method: str) -> None:
    """405 with the Collector's text."""
    async with doors() as door:
        answer = await door.http.request(method, "/v1/traces", content=BODY)

        assert answer.status_code == 405
        assert answer.text == "405 method not allowed, supported: [POST]"
        assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-thrift", "", "x" * 5_000])
async def test_another_content_type(content_type: str) -> None:
    """415 with the Collector's text."""
    async with doors() as door:
        answer = await door.post(BODY, content_type)

        assert answer.status_code == 415
        assert answer.text == (
            "415 unsupported media type, supported: [application/json, application/x-protobuf]"
        )
        assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/", "/v1/trace", "/v1/traces/", "/v1/metrics", "/V1/TRACES"])
async def test_another_path(path: str) -> None:
    """404 with Go's text, whatever the method."""
    async with doors() as door:
        answer = await door.http.post(path, content=BODY, headers={"Content-Type": PROTOBUF})

        assert (answer.status_code, answer.text) == (404, "404 page not found\n")


async def test_an_undecodable_body_is_answered_in_its_own_encoding() -> None:
    """400 with a google.rpc.Status of INVALID_ARGUMENT; the connection goes on."""
    async with doors() as door:
        binary = await door.post(BODY[:-1])
        text = await door.post(b'{"resourceSpans":5}', JSON)
        good = await door.post(BODY)

        assert (binary.status_code, text.status_code, good.status_code) == (400, 400, 200)
        assert binary.headers["content-type"] == PROTOBUF
        code, message = _status(binary.content)
        assert code == 3
        assert message.startswith("cannot decode ExportTraceServiceRequest: ")
        assert text.headers["content-type"] == JSON
        assert text.json() == {
            "code": 3,
            "message": "cannot decode OTLP JSON: resourceSpans is not a list",
        }
        assert door.refused("http", "undecodable") == 2


async def test_an_overload_says_when_to_come_back() -> None:
    """503, Retry-After in seconds, a Status of UNAVAILABLE; nothing is acknowledged."""
    async with doors() as door:
        door.log.refusal = OverloadedError("the journal is full", retry_after_seconds=7)
        refused = await door.post(BODY)
        door.log.refusal = None
        door.log.failure = OverloadedError("cannot write to the journal")
        failed = await door.post(JSON_BODY, JSON)

        assert (refused.status_code, refused.headers["retry-after"]) == (503, "7")
        assert _status(refused.content) == (14, "the journal is full")
        assert (failed.status_code, failed.headers["retry-after"]) == (503, "1")
        assert failed.json() == {"code": 14, "message": "cannot write to the journal"}
        assert door.refused("http", "overloaded") == 2
        assert door.accepted_spans("http") == 0


async def test_before_the_journal_is_open_senders_wait() -> None:
    """They repeat what was not taken."""
    async with doors(opened=False) as door:
        assert (await door.post(BODY)).status_code == 503


ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "GZIP": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "zlib": zlib.compress,
    "deflate": zlib.compress,
    "snappy": lambda body: bytes(cramjam.snappy.compress_raw(body)),
    "x-snappy-framed": lambda body: bytes(cramjam.snappy.compress(body)),
    "lz4": lambda body: bytes(cramjam.lz4.compress(body)),
}


@pytest.mark.parametrize("coding", ENCODERS)
async def test_content_codings(coding: str) -> None:
    """Small and large bodies, which go by another thread, protobuf and JSON."""
    large = make_request(
        make_span(attrs={"random": random.Random(1).randbytes(400_000)})
    ).SerializeToString()
    async with doors() as door:
        for body, content_type in [(BODY, PROTOBUF), (large, PROTOBUF), (JSON_BODY, JSON)]:
            answer = await door.post(ENCODERS[coding](body), content_type, Content_Encoding=coding)
            assert answer.status_code == 200, answer.text

        assert [body for body, _ in door.log.requests][:2] == [BODY, large]


async def test_an_unknown_coding() -> None:
    """400, as the Collector; the text names the known ones."""
    async with doors() as door:
        answer = await door.post(BODY, Content_Encoding="br")

        assert answer.status_code == 400
        assert _status(answer.content)[1].startswith("unsupported Content-Encoding: 'br', ")


async def _chunks(body: bytes, size: int = 60_000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def test_a_body_in_chunks() -> None:
    """Without a Content-Length, put together."""
    large = make_request(make_span(attrs={"a": "x" * 500_000})).SerializeToString()
    async with doors() as door:
        answer = await door.http.post(
            "/v1/traces", content=_chunks(large), headers={"Content-Type": PROTOBUF}
        )

        assert answer.status_code == 200
        assert door.log.requests == [(large, 1)]


@pytest.mark.parametrize("size", [100_001, 250_000, 1_000_000])
async def test_a_body_over_the_limit_with_its_length_announced(size: int) -> None:
    """400 before a byte of it is kept; the connection goes on."""
    async with doors(body_bytes_max=100_000) as door:
        answer = await door.post(bytes(size))

        assert answer.status_code == 400
        assert _status(answer.content) == (3, f"the body has {size} bytes, the limit is 100000")
        assert door.refused("http", "too_large") == 1
        assert (await door.post(BODY)).status_code == 200


@pytest.mark.parametrize("size", [100_001, 250_000, 1_000_000])
async def test_a_body_over_the_limit_in_chunks(size: int) -> None:
    """400 as soon as the limit is passed."""
    async with doors(body_bytes_max=100_000) as door:
        answer = await door.http.post(
            "/v1/traces", content=_chunks(bytes(size)), headers={"Content-Type": PROTOBUF}
        )

        assert answer.status_code == 400
        assert "the limit is 100000" in _status(answer.content)[1]
        assert (await door.post(BODY)).status_code == 200


async def test_a_body_of_the_limit_is_taken() -> None:
    """The limit itself is inside."""
    body = make_request(make_span(attrs={"a": "x" * 99_000})).SerializeToString()
    async with doors(body_bytes_max=len(body)) as door:
        assert (await door.post(body)).status_code == 200


async def test_a_bomb_is_refused() -> None:
    """The limit counts after decompression too."""
    async with doors(body_bytes_max=100_000) as door:
        answer = await door.post(gzip.compress(bytes(5_000_000)), Content_Encoding="gzip")

        assert answer.status_code == 400
        assert _status(answer.content) == (
            3,
            "the decompressed body is over the limit of 100000 bytes",
        )
        assert door.refused("http", "too_large") == 1


async def test_bytes_in_flight_are_limited() -> None:
    """While one request waits for the disk, one that would go over the limit is sent away."""
    async with doors(bytes_in_flight_max=len(BODY) + 10) as door:
        door.log.hold()
        first = asyncio.create_task(door.post(BODY))
        await door.log.arrived.wait()

        second = await door.post(BODY)
        assert second.status_code == 503
        assert _status(second.content)[1] == (
            f"cannot accept the request: {len(BODY)} bytes are in flight, "
            f"the limit is {len(BODY) + 10}"
        )
        door.log.release()
        assert (await first).status_code == 200
        assert (await door.post(BODY)).status_code == 200


async def test_what_a_body_unpacks_to_is_in_flight_too() -> None:
    """A small body that becomes a large one counts as large."""
    body = make_request(make_span(attrs={"a": "x" * 50_000})).SerializeToString()
    async with doors(bytes_in_flight_max=40_000) as door:
        answer = await door.post(gzip.compress(body), Content_Encoding="gzip")

        assert answer.status_code == 503
        assert door.log.requests == []


async def test_requests_in_flight_are_limited() -> None:
    """Likewise for their number."""
    async with doors(requests_in_flight_max=2) as door:
        door.log.hold()
        first = [asyncio.create_task(door.post(BODY)) for _ in range(2)]
        await eventually(lambda: len(door.log.requests) == 2)

        third = await door.post(BODY)
        assert third.status_code == 503
        assert "2 requests are in flight, the limit is 2" in _status(third.content)[1]
        door.log.release()
        assert {(await one).status_code for one in first} == {200}


async def test_an_overload_in_the_middle_of_a_body() -> None:
    """A body that outgrows what may be in flight is answered, and the connection goes on."""
    async with doors(bytes_in_flight_max=100_000, body_bytes_max=2**23) as door:
        answer = await door.http.post(
            "/v1/traces", content=_chunks(bytes(3_000_000)), headers={"Content-Type": PROTOBUF}
        )
        assert answer.status_code == 503
        assert (await door.post(BODY)).status_code == 200


async def _begin(door: Doors, head: str, body: bytes) -> asyncio.StreamWriter:
    _, writer = await asyncio.open_connection("127.0.0.1", door.http_port)
    writer.write(f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {PROTOBUF}\r\n".encode())
    writer.write(head.encode() + b"\r\n\r\n" + body)
    await writer.drain()
    return writer


@pytest.mark.parametrize(
    ("head", "body", "bytes_held"),
    [
        pytest.param("Content-Length: 50000", b"x" * 20_000, 20_000, id="with length"),
        pytest.param(
            "Transfer-Encoding: chunked",
            b"4e20\r\n" + b"x" * 20_000 + b"\r\n",
            20_000,
            id="chunked",
        ),
        pytest.param("Content-Length: 50000", b"", 0, id="before the body"),
    ],
)
async def test_a_sender_that_goes_away_gives_back_its_room(
    head: str, body: bytes, bytes_held: int
) -> None:
    """In the middle of a body: nothing stays in flight, nothing is journaled."""
    async with doors() as door:
        writer = await _begin(door, head, body)
        await eventually(lambda: door.in_flight() == (1, bytes_held))

        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

        await eventually(lambda: door.in_flight() == (0, 0))
        assert door.log.requests == []


async def test_a_sender_that_goes_away_while_it_waits_is_stored() -> None:
    """It never learns so, and sends again: that is its right."""
    async with doors() as door:
        door.log.hold()
        writer = await _begin(door, f"Content-Length: {len(BODY)}", BODY)
        await door.log.arrived.wait()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        await asyncio.sleep(0.05)

        assert door.in_flight() == (1, len(BODY))
        door.log.release()
        await eventually(lambda: door.in_flight() == (0, 0))
        assert door.log.requests == [(BODY, 2)]


async def test_many_requests_on_many_connections() -> None:
    """A hundred at once, all answered, all journaled."""
    async with doors() as door:
        answers = await asyncio.gather(*(door.post(BODY) for _ in range(100)))

        assert {answer.status_code for answer in answers} == {200}
        assert len(door.log.requests) == 100


async def test_invalid_utf8_is_repaired_and_taken() -> None:
    """As from Go senders; what is journaled is good protobuf."""
    async with doors() as door:
        body = make_request(make_span(name="broken-name")).SerializeToString()
        assert (await door.post(body.replace(b"broken-", b"broken\xff"))).status_code == 200

        ((stored, spans),) = door.log.requests
        assert spans == 1
        assert b"invalid-span-name" in stored


async def test_json_is_journaled_as_protobuf() -> None:
    """There is one format behind the door."""
    async with doors() as door:
        document = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "0a" * 16}]}]}]}
        assert (await door.post(json.dumps(document).encode(), JSON)).status_code == 200

        expected = make_request(service=None)
        expected.resource_spans[0].ClearField("resource")
        expected.resource_spans[0].scope_spans[0].ClearField("scope")
        expected.resource_spans[0].scope_spans[0].spans.add().trace_id = b"\x0a" * 16
        assert door.log.requests == [(expected.SerializeToString(), 1)]
