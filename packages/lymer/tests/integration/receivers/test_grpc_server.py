"""The gRPC door on the wire: compressions, tools, flow control, and peers that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import struct
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import cramjam
import grpc
import hpack
import pytest
import zstandard

from integration.receivers.doors import EXPORT, Doors, doors
from lymer.receivers.grpc_server import BytesGrpcServer
from lymer.sampling.strategy_proto import SERVICE
from lymer.transport.grpc_calls import Call, CallServer
from lymer.transport.http2_frames import header_block
from make import make_request, make_span

BODY = make_request(make_span(1, 1), make_span(1, 2)).SerializeToString()
HEALTH = "/grpc.health.v1.Health/"
REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Return one frame."""
    size = struct.pack(">L", len(payload))[1:]
    return size + bytes((kind, flags)) + struct.pack(">L", stream) + payload


def head(*more: tuple[bytes, bytes], path: str = EXPORT) -> bytes:
    """Return the header block of a call."""
    return header_block(
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()),
        (b":authority", b"x"), (b"content-type", b"application/grpc"), (b"te", b"trailers"), *more,
    )  # fmt: skip


async def talk(port: int, *frames: bytes) -> tuple[dict[str, str], list[tuple[int, int, bytes]]]:
    """Send bytes; return the headers that came, and all frames, until a stream or all ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"".join(frames))
    decoder, found, came = hpack.Decoder(), {}, []
    try:
        async with asyncio.timeout(10):
            while True:
                top = await reader.readexactly(9)
                payload = await reader.readexactly(int.from_bytes(top[:3], "big"))
                came.append((top[3], top[4], payload))
                if top[3] == 1:
                    found.update(decoder.decode(payload))
                    if top[4] & 1:
                        break
    except asyncio.IncompleteReadError:
        pass
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return found, came


def call(body: bytes, *headers: tuple[bytes, bytes], flag: int = 1) -> list[bytes]:
    """Return the frames of one call."""
    message = bytes((flag,)) + len(body).to_bytes(4, "big") + body
    return [HELLO, frame(1, 4, 1, head(*headers)), frame(0, 1, 1, message)]


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Doors, int]]:
    """Serve, and say on which port."""
    async with doors(message_bytes_max=2**22) as made:
        yield made, made.grpc_port


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
        ("snappy", lambda body: bytes(cramjam.snappy.compress(body))),
        ("snappy", lambda body: bytes(cramjam.snappy.compress_raw(body))),
    ],
)
async def test_every_compression_of_real_clients_is_taken(
    name: str, compress: Callable[[bytes], bytes]
) -> None:
    """The Collector's and tonic's zstd and snappy too; snappy framed, as Go, and raw."""
    async with served() as (made, port):
        found, _ = await talk(port, *call(compress(BODY), (b"grpc-encoding", name.encode())))
        assert found["grpc-status"] == "0"
        assert made.log.requests == [(BODY, 2)]


async def test_an_unknown_compression_is_told_which_are_known() -> None:
    """UNIMPLEMENTED, and the header that says what would be taken."""
    async with served() as (made, port):
        found, _ = await talk(port, *call(BODY, (b"grpc-encoding", b"br")))
        assert found["grpc-status"] == "12"
        assert found["grpc-accept-encoding"] == "identity,gzip,deflate,zstd,snappy"
        assert made.log.requests == []


async def test_a_bomb_is_unpacked_no_further_than_the_limit() -> None:
    """RESOURCE_EXHAUSTED, as gRPC says of messages that are too large."""
    async with served() as (_, port):
        bomb = gzip.compress(bytes(2**23))
        found, _ = await talk(port, *call(bomb, (b"grpc-encoding", b"gzip")))
        assert found["grpc-status"] == "8"


async def test_headers_in_pieces_padding_and_priority_are_understood() -> None:
    """What the standard allows and few clients do."""
    async with served() as (made, port):
        block, message = head(), b"\0" + len(BODY).to_bytes(4, "big") + BODY
        found, _ = await talk(
            port, HELLO,
            frame(1, 0x28, 1, b"\3" + b"\0\0\0\0\x10" + block[:20] + b"\0\0\0"),
            frame(9, 0, 1, block[20:40]), frame(9, 4, 1, block[40:]),
            frame(0, 8, 1, b"\2" + message[:7] + b"\0\0"), frame(0, 1, 1, message[7:]),
        )  # fmt: skip
        assert found["grpc-status"] == "0"
        assert made.log.requests == [(BODY, 2)]


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param([b"GET / HTTP/1.1\r\n\r\n"], id="HTTP/1"),
        pytest.param([HELLO, b"\xff\xff\xff\0\0\0\0\0\1"], id="a frame of 16 MB"),
        pytest.param([HELLO, frame(1, 4, 2, head())], id="an even stream"),
        pytest.param([HELLO, frame(1, 4, 1, b"\xff\xff\xff\xff\xff")], id="no headers"),
        pytest.param([HELLO, frame(0, 0, 1, b"x")], id="data of no stream"),
        pytest.param([HELLO, frame(8, 0, 0, bytes(4))], id="a window of nothing"),
        pytest.param([HELLO, frame(9, 4, 1, b"")], id="a continuation of nothing"),
        pytest.param([HELLO, frame(1, 0, 1, head()), frame(6, 0, 0, bytes(8))], id="interrupted"),
        pytest.param(
            [HELLO, frame(1, 0, 1, b""), *[frame(9, 0, 1, bytes(16000))] * 5], id="a header flood"
        ),
        pytest.param([HELLO, frame(6, 0, 0, b"x")], id="a short ping"),
        pytest.param(
            [
                HELLO,
                *[frame(1, 4, n, head()) + frame(3, 0, n, bytes(4)) for n in range(1, 5000, 2)],
            ],
            id="rapid resets",
        ),
    ],
)
async def test_a_peer_that_misbehaves_is_left(frames: list[bytes]) -> None:
    """With GOAWAY and a reason; others are served on."""
    async with served() as (made, port):
        _, came = await talk(port, *frames)
        goaways = [payload for kind, _, payload in came if kind == 7]
        assert len(goaways) == 1
        assert goaways[0][4:8] != bytes(4)
        assert await made.export(BODY) == (grpc.StatusCode.OK, "", None)


async def test_what_the_reader_of_health_and_reflection_asks_is_answered() -> None:
    """On the port of spans, with a real client; an unknown service is NOT_FOUND."""
    async with served() as (made, _):
        check = made.channel.unary_unary(HEALTH + "Check")
        assert await check(b"") == b"\x08\x01"
        name = b"opentelemetry.proto.collector.trace.v1.TraceService"
        assert await check(b"\x0a" + bytes((len(name),)) + name) == b"\x08\x01"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await check(b"\x0a\x04nope")
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        watch = made.channel.unary_stream(HEALTH + "Watch")(b"")
        assert await watch.read() == b"\x08\x01"
        watch.cancel()

        asking = made.channel.stream_stream(REFLECTION)()
        await asking.write(b"\x3a\x00")  # list_services
        assert name in await asking.read()
        await asking.write(b"\x22" + bytes((len(name),)) + name)
        described = await asking.read()
        assert b"ExportTraceServiceRequest" in described
        assert b"opentelemetry.proto.trace.v1" in described
        await asking.write(b"\x22\x04nope")
        assert b"not described here" in await asking.read()
        await asking.done_writing()
        assert await asking.read() == grpc.aio.EOF


@pytest.mark.parametrize("service", ["jaeger.api_v2.CollectorService", SERVICE])
async def test_each_service_of_a_port_is_described(service: str) -> None:
    """Those that we read as bytes too: a tool calls only what it is told the messages of."""
    server = BytesGrpcServer(service, "Method", _nothing, message_bytes_max=1_000)
    port = server.bind("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        asking = channel.stream_stream(REFLECTION)()
        for name in server.services:
            sent = name.encode()
            await asking.write(b"\x22" + bytes((len(sent),)) + sent)
            described = await asking.read()
            assert b"not described here" not in described
            assert name.rpartition(".")[2].encode() in described[len(sent) + 4 :]
        await asking.done_writing()
    await server.stop(1)


async def _nothing(_message: bytes, _call: Call) -> bytes:
    return b""


async def test_a_message_larger_than_every_window_arrives() -> None:
    """The windows are widened while it comes; many at once share them."""
    large = make_request(make_span(1, 1, attrs={"x": "y" * 3_500_000})).SerializeToString()
    async with served() as (made, _):
        answers = await asyncio.gather(*(made.export(large) for _ in range(12)))
        assert answers == [(grpc.StatusCode.OK, "", None)] * 12


async def test_answers_are_made_as_they_are_read() -> None:
    """Messages of any size arrive, and what a slow reader leaves is not made; trailers follow."""
    made = 0

    async def many(_message: bytes, call: Call) -> AsyncIterator[bytes]:
        nonlocal made
        for _ in range(6):
            made += 1
            yield bytes(12 * 2**20)
        call.trailers.append(("lymer-partial", "one is left out"))

    server = CallServer(message_bytes_max=1_000)
    server.add("large.Service", "Many", many)
    port = server.bind("127.0.0.1:0")
    await server.start()
    options = [("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        stream = channel.unary_stream("/large.Service/Many")(b"", timeout=60)
        assert len(await stream.read()) == 12 * 2**20
        await asyncio.sleep(0.5)
        assert made < 6
        for _ in range(5):
            assert len(await stream.read()) == 12 * 2**20
        assert await stream.read() is grpc.aio.EOF
        assert ("lymer-partial", "one is left out") in [*await stream.trailing_metadata()]
    await server.stop(1)


async def test_a_method_nobody_serves_is_unimplemented() -> None:
    """As any server of gRPC says."""
    async with served() as (made, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await made.channel.unary_unary("/a.B/C")(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
