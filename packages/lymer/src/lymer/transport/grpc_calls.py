"""gRPC on `http2`: methods that take one message as bytes, and give one or several.

The message is handed over as it was sent, with the name of its compression: who takes it decides
where it is decompressed, and how far.

Source: grpc/doc/PROTOCOL-HTTP2.md, `compression.md`, `statuscodes.md`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, NoReturn, TypeAlias
from urllib.parse import quote

from lymer.errors import OverloadedError
from lymer.telemetry.logs import EventLog
from lymer.transport.gate import Gate
from lymer.transport.http2 import Buffered, Connection
from lymer.transport.http2_frames import header_block
from lymer.transport.http2_headers import Headers
from lymer.transport.http2_stream import Stream

__all__ = ["COMPRESSIONS", "Call", "CallEndedError", "CallServer", "Code", "Method"]

_log = EventLog(__name__)
COMPRESSIONS: Final = frozenset({"identity", "gzip", "deflate", "zstd", "snappy"})
"""What a message may be compressed with."""
_SNAPPY_FRAMES: Final = b"\xff\x06\x00\x00sNaPpY"
_PREFIX_BYTES: Final = 5
_STOP_POLL_SECONDS: Final = 0.02
_ACCEPTED: Final = (b"grpc-accept-encoding", b"identity,gzip,deflate,zstd,snappy")
_TYPE: Final = (b"content-type", b"application/grpc")
_HEAD: Final = b"\x88" + header_block(_TYPE, _ACCEPTED)
"""`:status: 200` stands in every decoder's table."""
_FINE: Final = header_block((b"grpc-status", b"0"))
_NO_LIMIT: Final = contextlib.nullcontext()
_TIMEOUT: Final = re.compile(rb"([0-9]{1,8})([HMSmun])")
_UNITS: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_PRINTABLE: Final = " !#$&'()*+,/:;=?@[]~^{}|\"<>`\\"
"""What stands in `grpc-message` as it is."""
_TALK_MESSAGES_MAX: Final = 64
_TALK_BYTES_MAX: Final = 64 * 1024
_BACKLOG: Final = 2048
_HANDSHAKE_SECONDS_MAX: Final = 30.0


class Code:
    """gRPC's status codes by name."""

    CANCELLED: Final = 1
    INVALID_ARGUMENT: Final = 3
    DEADLINE_EXCEEDED: Final = 4
    RESOURCE_EXHAUSTED: Final = 8
    UNIMPLEMENTED: Final = 12
    INTERNAL: Final = 13
    UNAVAILABLE: Final = 14
    UNAUTHENTICATED: Final = 16


Trailers: TypeAlias = Sequence[tuple[str, str | bytes]]


class CallEndedError(Exception):
    """A call that ends with a status that is not OK."""

    def __init__(self, code: int, details: str, trailers: Trailers = ()) -> None:
        """Remember what the caller is told."""
        super().__init__(details)
        self.code, self.details, self.trailers = code, details, trailers


class Call:
    """What a method may know of the call it answers."""

    __slots__ = ("_metadata", "compression", "headers", "trailers")

    def __init__(self, headers: Headers, compression: str) -> None:
        """Remember its headers, and what its message is compressed with; nothing if it is not."""
        self.headers: Final = headers
        self.compression: Final = compression
        self.trailers: list[tuple[str, str]] = []
        """Sent behind the answer, if it is fine."""
        self._metadata: tuple[tuple[str, str | bytes], ...] | None = None

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Return its headers as names and texts; a `-bin` one is bytes."""
        if self._metadata is None:
            self._metadata = tuple(
                _metadata(name, value) for name, value in self.headers if not name.startswith(b":")
            )
        return self._metadata

    async def abort(self, code: int, details: str, trailers: Trailers = ()) -> NoReturn:
        """End the call with a status."""
        raise CallEndedError(code, details, trailers)


Method: TypeAlias = Callable[[bytes, Call], Awaitable[bytes] | AsyncIterator[bytes]]
"""Takes a message, and gives one, or an iterator of several."""
Talk: TypeAlias = Callable[[bytes], bytes]
"""Answers one message of a stream at once, or raises `ValueError`."""
OnUnknownCompression: TypeAlias = Callable[[str], None]


class CallServer:
    """Serves methods. Lives on one event loop."""

    def __init__(
        self,
        *,
        message_bytes_max: int,
        gate: Gate | None = None,
        on_unknown_compression: OnUnknownCompression | None = None,
    ) -> None:
        """Prepare.

        Args:
            message_bytes_max: A larger message, as sent, is RESOURCE_EXHAUSTED.
            gate: Who may call; None is everybody.
            on_unknown_compression: Told the name of one we do not know.
        """
        self._methods: dict[bytes, Method] = {}
        self._talks: dict[bytes, Talk] = {}
        self._message_bytes_max = message_bytes_max
        self._gate = gate
        self._on_unknown_compression = on_unknown_compression
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._connections: set[Connection] = set()
        self._buffered = Buffered()

    def add(self, service: str, method: str, answer: Method) -> None:
        """Serve a method; before `start`."""
        self._methods[f"/{service}/{method}".encode()] = answer

    def add_talk(self, service: str, method: str, talk: Talk) -> None:
        """Serve a method that answers each message of a stream with one."""
        self._talks[f"/{service}/{method}".encode()] = talk

    @property
    def services(self) -> list[str]:
        """Names of the services that are served."""
        return sorted({path.decode().split("/")[1] for path in (*self._methods, *self._talks)})

    def bind(self, address: str) -> int:
        """Listen on `host:port` and return the port; for several call it again.

        Raises:
            OSError: The address cannot be had.
        """
        host, _, port = address.rpartition(":")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        self._sockets.append(listener)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host.strip("[]"), int(port)))
        return int(listener.getsockname()[1])

    def adopt(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on sockets that are bound."""
        self._sockets += sockets

    async def start(self, context: ssl.SSLContext | None = None) -> None:
        """Begin to serve, encrypted with `context` if there is one."""
        loop = asyncio.get_running_loop()
        for listener in self._sockets:
            server = await loop.create_server(
                self.connection,
                sock=listener,
                backlog=_BACKLOG,
                ssl=context,
                ssl_handshake_timeout=None if context is None else _HANDSHAKE_SECONDS_MAX,
            )
            self._servers.append(server)

    async def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let running ones end within `grace_seconds`."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.leave()
        deadline = asyncio.get_running_loop().time() + grace_seconds
        while self._connections and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_STOP_POLL_SECONDS)
        for connection in list(self._connections):
            connection.abort()

    def connection(self) -> Connection:
        """Return a protocol of asyncio for a connection that somebody else accepted."""
        return Connection(
            self,
            self._connections,
            self._buffered,
            body_bytes_max=self._message_bytes_max + _PREFIX_BYTES,
        )

    def open(self, stream: Stream, /) -> None:
        """See `http2.Handler`."""
        path = next((value for name, value in stream.headers if name == b":path"), b"")
        talk = self._talks.get(path)
        if talk is not None:
            messages: asyncio.Queue[bytes | None] = asyncio.Queue(_TALK_MESSAGES_MAX)
            stream.feed = _Feed(messages)
            stream.task = asyncio.create_task(self._talk(stream, talk, messages))

    async def _talk(
        self, stream: Stream, talk: Talk, messages: asyncio.Queue[bytes | None]
    ) -> None:
        headers = _HEAD
        try:
            if self._gate is not None:
                await self._pass_gate(self._gate, stream.headers)
            while (message := await messages.get()) is not None:
                stream.send(headers, _prefixed(talk(message)))
                headers = b""
            stream.end(headers, b"", _FINE)
        except CallEndedError as error:
            _end(stream, error)
        except ValueError as error:
            _end(stream, CallEndedError(Code.INVALID_ARGUMENT, str(error)), headers)

    def take(self, stream: Stream, /) -> None:
        """See `http2.Handler`."""
        stream.task = asyncio.create_task(self._answer(stream))

    async def _answer(self, stream: Stream) -> None:
        try:
            method, call, message, seconds = await self._understood(stream)
            async with asyncio.timeout(seconds) if seconds is not None else _NO_LIMIT:
                await self._run(stream, method, call, message)
        except CallEndedError as error:
            _end(stream, error)
        except TimeoutError:
            _end(stream, CallEndedError(Code.DEADLINE_EXCEEDED, "the deadline has passed"))
        except asyncio.CancelledError:
            if not stream.cancelled:
                raise
        except Exception as error:  # noqa: BLE001 - a bug costs one answer, no server
            _log.exception("BUG in a gRPC method", error)
            _end(stream, CallEndedError(Code.INTERNAL, "internal error: the log has the details"))

    async def _run(self, stream: Stream, method: Method, call: Call, message: bytes) -> None:
        answer = method(message, call)
        if isinstance(answer, AsyncIterator):
            headers = _HEAD
            async for part in answer:
                stream.send(headers, _prefixed(part))
                headers = b""
                if not await stream.room():
                    raise CallEndedError(Code.DEADLINE_EXCEEDED, "the answer is not read")
            stream.end(headers, b"", _fine(call))
        else:
            stream.end(_HEAD, _prefixed(await answer), _fine(call))

    async def _understood(self, stream: Stream) -> tuple[Method, Call, bytes, float | None]:
        """Return what is asked for, or end the call."""
        found = dict(stream.headers)
        if not found.get(b"content-type", b"").startswith(b"application/grpc"):
            raise CallEndedError(Code.INTERNAL, "the content type is not application/grpc")
        if self._gate is not None:
            await self._pass_gate(self._gate, stream.headers)
        method = self._methods.get(found.get(b":path", b""))
        if method is None:
            path = found.get(b":path", b"").decode("latin-1")
            raise CallEndedError(Code.UNIMPLEMENTED, f"unknown method {path[:200]}")
        if stream.too_large == "overloaded":
            raise CallEndedError(
                Code.UNAVAILABLE, "cannot accept the call: too many bytes are being received"
            )
        if stream.too_large:
            raise CallEndedError(Code.RESOURCE_EXHAUSTED, stream.too_large)
        message, compression = self._message(stream.body, found)
        timeout = _TIMEOUT.fullmatch(found.get(b"grpc-timeout", b""))
        seconds = int(timeout[1]) * _UNITS[timeout[2]] if timeout else None
        return method, Call(stream.headers, compression), message, seconds

    async def _pass_gate(self, gate: Gate, headers: Headers) -> None:
        sent = [value for name, value in headers if name == b"authorization"]
        try:
            # Two of them are none: who put the second there is not known.
            reason = await gate.refusal(sent[0].decode("latin-1") if len(sent) == 1 else "")
        except OverloadedError as error:
            raise CallEndedError(Code.UNAVAILABLE, str(error)) from error
        if reason:
            raise CallEndedError(
                Code.UNAUTHENTICATED, "send a token or a user and password that are known here"
            )

    def _message(self, body: bytes, headers: dict[bytes, bytes]) -> tuple[bytes, str]:
        """Return the message and what it is compressed with."""
        if len(body) < _PREFIX_BYTES or body[0] > 1:
            raise CallEndedError(Code.INTERNAL, "the call holds no message")
        size = int.from_bytes(body[1:_PREFIX_BYTES], "big")
        if len(body) != _PREFIX_BYTES + size:
            raise CallEndedError(
                Code.INTERNAL,
                f"the message should have {size} bytes, the call holds {len(body) - _PREFIX_BYTES}",
            )
        message = body[_PREFIX_BYTES:]
        if not body[0]:
            return message, ""
        name = headers.get(b"grpc-encoding", b"identity").decode("latin-1")
        if name not in COMPRESSIONS or name == "identity":
            if self._on_unknown_compression is not None:
                self._on_unknown_compression(name)
            raise CallEndedError(
                Code.UNIMPLEMENTED,
                f"unknown compression {name[:64]!r}: {', '.join(sorted(COMPRESSIONS))} are known",
            )
        if name == "snappy" and message.startswith(_SNAPPY_FRAMES):
            name = "x-snappy-framed"
        return message, name


class _Feed:
    """Cuts messages out of pieces of a body."""

    def __init__(self, messages: asyncio.Queue[bytes | None]) -> None:
        self._messages = messages
        self._received = b""

    def __call__(self, piece: bytes | None) -> None:
        if piece is None:
            self._put(None)
            return
        self._received += piece
        while len(self._received) >= _PREFIX_BYTES:
            end = _PREFIX_BYTES + int.from_bytes(self._received[1:_PREFIX_BYTES], "big")
            if end > _TALK_BYTES_MAX:
                self._put(None)
                return
            if len(self._received) < end:
                return
            self._put(self._received[_PREFIX_BYTES:end])
            self._received = self._received[end:]

    def _put(self, message: bytes | None) -> None:
        if not self._messages.full():
            self._messages.put_nowait(message)


def _end(stream: Stream, error: CallEndedError, headers: bytes = _HEAD) -> None:
    trailers = [(b"grpc-status", str(error.code).encode())]
    if error.details:
        trailers.append((b"grpc-message", quote(error.details, safe=_PRINTABLE).encode()))
    for name, value in error.trailers:
        sent = base64.b64encode(value).rstrip(b"=") if isinstance(value, bytes) else value.encode()
        trailers.append((name.encode(), sent))
    stream.end(b"" if stream.has_begun else headers, b"", header_block(*trailers))


def _fine(call: Call) -> bytes:
    if not call.trailers:
        return _FINE
    return _FINE + header_block(*((name.encode(), text.encode()) for name, text in call.trailers))


def _prefixed(message: bytes) -> bytes:
    return b"\x00" + len(message).to_bytes(4, "big") + message


def _metadata(name: bytes, value: bytes) -> tuple[str, str | bytes]:
    if name.endswith(b"-bin"):
        try:
            return name.decode("latin-1"), base64.b64decode(value + b"=" * (-len(value) % 4))
        except binascii.Error:
            return name.decode("latin-1"), b""
    return name.decode("latin-1"), value.decode("latin-1")
