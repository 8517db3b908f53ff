"""HTTP/2 for a server of small calls: a request is whole before it is answered.

The least that a gRPC server needs, on asyncio: headers, data, flow control both ways, ping,
settings, reset, GOAWAY. A message is never parsed here.

What a peer can make us hold or do is bounded: streams, headers, frames that ask for answers,
resets, bytes of requests that are not whole, and their time.

Source: RFC 9113, RFC 7541.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Final, Protocol, cast

from lymer.transport.http2_frames import (
    ACK,
    CALM,
    CONTINUED,
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW_ERROR,
    GOAWAY,
    HEAD,
    HEADERS,
    INITIAL_WINDOW,
    MAX_FRAME,
    MAX_HEADERS,
    MAX_STREAMS,
    PING,
    PRIORITIZED,
    PROTOCOL_ERROR,
    PUSH,
    REFUSED,
    RST_STREAM,
    SETTINGS,
    SIZE_ERROR,
    STREAM_CLOSED,
    WIDEN,
    PeerError,
    frame,
    unpadded,
)
from lymer.transport.http2_headers import HEADER_BYTES_MAX, HeaderBlocks
from lymer.transport.http2_stream import FLUSH_BYTES, POLL_SECONDS, Stream

__all__ = ["BUFFERED_BYTES_MAX", "Buffered", "Connection"]

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DEFAULT_WINDOW: Final = 65_535
_WINDOW_MAX: Final = 2**31 - 1
_FRAME_BYTES_MAX: Final = 16_384
_STREAM_WINDOW: Final = 1024 * 1024
_CONNECTION_WINDOW: Final = 16 * 1024 * 1024
_STREAMS_MAX: Final = 1024
"""Calls at once on one connection."""
_UNREAD_BYTES_MAX: Final = 4 * 1024 * 1024
"""Answers that a peer does not read; over it the connection is closed."""
_SOCKET_BYTES: Final = 512 * 1024
_RESETS_MAX: Final = 2000
"""Streams a peer may cancel, more than it lets end."""
BUFFERED_BYTES_MAX: Final = 64 * 1024 * 1024
"""Bytes of requests that are not whole yet, of all connections; over it new ones are refused."""
_REQUEST_SECONDS_MAX: Final = 60.0
"""A request must be whole after so long."""


class Buffered:
    """Bytes of requests that are not whole, shared by connections."""

    def __init__(self) -> None:
        """Begin with none."""
        self.byte_count = 0


class Handler(Protocol):
    """What takes requests."""

    def take(self, stream: Stream, /) -> None:
        """Answer a whole request, now or later."""

    def open(self, stream: Stream, /) -> None:
        """Look at a request's headers; set `feed` to take its body piece by piece."""


class Connection(asyncio.Protocol):
    """One connection of a server. Lives on one event loop."""

    def __init__(
        self,
        handler: Handler,
        connections: set[Connection],
        buffered: Buffered,
        *,
        body_bytes_max: int,
    ) -> None:
        """Prepare.

        Args:
            handler: Called with each whole request.
            connections: This one is in it while it lives.
            buffered: Counts what is not whole.
            body_bytes_max: A larger request is taken to its end and not kept.
        """
        self._handler = handler
        self._connections = connections
        self._buffered = buffered
        self._body_bytes_max = body_bytes_max
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._has_preface = self._has_settings = self._is_leaving = False
        self._streams: dict[int, Stream] = {}
        self._last_stream = self._resets = 0
        self._window = self._unacknowledged = 0
        self.send_window = _DEFAULT_WINDOW
        self._peer_window = _DEFAULT_WINDOW
        self._is_paused = self._pumps_later = False
        self.peer_frame_max = _FRAME_BYTES_MAX
        self._blocks = HeaderBlocks()
        self._open_block: tuple[int, int, bytearray] | None = None
        self._sweep: asyncio.TimerHandle | None = None

    # asyncio's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello: settings, and a wider window for the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        settings = b"".join(
            struct.pack(">HL", name, value)
            for name, value in (
                (MAX_STREAMS, _STREAMS_MAX),
                (INITIAL_WINDOW, _STREAM_WINDOW),
                (MAX_HEADERS, HEADER_BYTES_MAX),
            )
        )
        wider = struct.pack(">L", _CONNECTION_WINDOW - _DEFAULT_WINDOW)
        self._transport.write(frame(SETTINGS, 0, 0, settings) + frame(WIDEN, 0, 0, wider))
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel what runs."""
        self._connections.discard(self)
        if self._sweep is not None:
            self._sweep.cancel()
        for stream in list(self._streams.values()):
            self._forget(stream, cancel=True)

    def data_received(self, data: bytes) -> None:
        """Take frames; what is not whole waits for more."""
        received = self._received
        received += data
        try:
            if self._has_preface or self._take_preface():
                self._take_frames()
        except PeerError as error:
            self._leave(error.code, str(error))

    def _take_preface(self) -> bool:
        received = self._received
        if received[: len(_PREFACE)] != _PREFACE[: len(received)]:
            raise PeerError(PROTOCOL_ERROR, "this is not HTTP/2")
        if len(received) < len(_PREFACE):
            return False
        del received[: len(_PREFACE)]
        self._has_preface = True
        return True

    def _take_frames(self) -> None:
        received, offset = self._received, 0
        while len(received) - offset >= 9:
            high, low, kind, flags, ident = HEAD.unpack_from(received, offset)
            size = high << 8 | low
            if size > _FRAME_BYTES_MAX:
                raise PeerError(SIZE_ERROR, f"a frame has {size} bytes")
            end = offset + 9 + size
            if end > len(received):
                break
            payload = bytes(received[offset + 9 : end])
            offset = end
            self._dispatch(kind, flags, ident & _WINDOW_MAX, payload)
        del received[:offset]

    # Frames.

    def _dispatch(self, kind: int, flags: int, ident: int, payload: bytes) -> None:
        if not self._has_settings and kind != SETTINGS:
            raise PeerError(PROTOCOL_ERROR, "the first frame is no SETTINGS")
        if self._open_block is not None and kind != CONTINUED:
            raise PeerError(PROTOCOL_ERROR, "a header block is interrupted")
        if kind == DATA:
            self._on_data(flags, ident, payload)
        elif kind == HEADERS:
            self._on_headers(flags, ident, payload)
        elif kind == WIDEN:
            self._on_window(ident, payload)
        elif kind == PING:
            self._on_ping(flags, payload)
        elif kind == SETTINGS:
            self._on_settings(flags, payload)
        elif kind == RST_STREAM:
            self._on_reset(ident, payload)
        elif kind == CONTINUED:
            self._on_continued(flags, ident, payload)
        elif kind == PUSH:
            raise PeerError(PROTOCOL_ERROR, "clients push nothing")

    def _on_headers(self, flags: int, ident: int, payload: bytes) -> None:
        payload = unpadded(flags, payload)
        if flags & PRIORITIZED:
            payload = payload[5:]
        if flags & END_HEADERS:
            self._headers(ident, payload, ends=bool(flags & END_STREAM))
        else:
            self._open_block = ident, flags, bytearray(payload)

    def _on_continued(self, flags: int, ident: int, payload: bytes) -> None:
        if self._open_block is None or self._open_block[0] != ident:
            raise PeerError(PROTOCOL_ERROR, "a CONTINUATION continues nothing")
        _, first_flags, block = self._open_block
        block += payload
        if len(block) > HEADER_BYTES_MAX:
            raise PeerError(CALM, "a header block is too large")
        if flags & END_HEADERS:
            self._open_block = None
            self._headers(ident, bytes(block), ends=bool(first_flags & END_STREAM))

    def _headers(self, ident: int, block: bytes, *, ends: bool) -> None:
        headers = self._blocks.decoded(block)
        stream = self._streams.get(ident)
        if stream is not None:  # trailers, which gRPC's clients do not send
            if ends:
                self._request_is_whole(stream)
            return
        if ident <= self._last_stream:
            raise PeerError(STREAM_CLOSED, "headers of a stream that is closed")
        if not ident & 1:
            raise PeerError(PROTOCOL_ERROR, "a client's streams are odd")
        self._last_stream = ident
        if self._is_leaving or len(self._streams) >= _STREAMS_MAX:
            self._write(frame(RST_STREAM, 0, ident, struct.pack(">L", REFUSED)))
            return
        stream = self._streams[ident] = Stream(self, ident, headers, self._peer_window)
        self._handler.open(stream)
        if ends:
            self._request_is_whole(stream)

    def _on_data(self, flags: int, ident: int, payload: bytes) -> None:
        size = len(payload)
        self._unacknowledged += size
        if self._unacknowledged > _CONNECTION_WINDOW:
            raise PeerError(FLOW_ERROR, "more data than the connection's window")
        if self._unacknowledged > _CONNECTION_WINDOW // 2:
            self._widen(0, self._unacknowledged)
            self._unacknowledged = 0
        stream = self._streams.get(ident)
        if stream is None:
            if ident > self._last_stream or not ident:
                raise PeerError(PROTOCOL_ERROR, "data of no stream")
            return  # of one that was refused or answered
        if stream.is_whole:
            raise PeerError(STREAM_CLOSED, "data behind the end of a stream")
        stream.unacknowledged += size
        if stream.unacknowledged > _STREAM_WINDOW:
            raise PeerError(FLOW_ERROR, "more data than the stream's window")
        content = unpadded(flags, payload)
        if stream.feed is not None:
            stream.feed(content)
        elif content and not stream.too_large:
            self._keep(stream, content)
        if flags & END_STREAM:
            self._request_is_whole(stream)
        elif stream.unacknowledged > _STREAM_WINDOW // 2:
            self._widen(ident, stream.unacknowledged)
            stream.unacknowledged = 0

    def _keep(self, stream: Stream, content: bytes) -> None:
        size = stream.size + len(content)
        if size > self._body_bytes_max:
            stream.too_large = f"the message has at least {size} bytes, the limit is "
            stream.too_large += str(self._body_bytes_max)
        elif self._buffered.byte_count + len(content) > BUFFERED_BYTES_MAX:
            stream.too_large = "overloaded"
        if stream.too_large:
            self._buffered.byte_count -= stream.size
            stream.parts.clear()
            stream.size = 0
            return
        stream.parts.append(content)
        stream.size = size
        self._buffered.byte_count += len(content)

    def _request_is_whole(self, stream: Stream) -> None:
        if stream.is_whole:
            raise PeerError(STREAM_CLOSED, "a stream ends twice")
        stream.is_whole = True
        self._buffered.byte_count -= stream.size
        if stream.feed is not None:
            stream.feed(None)
        else:
            self._handler.take(stream)

    def _on_window(self, ident: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise PeerError(SIZE_ERROR, "a WINDOW_UPDATE has 4 bytes")
        more = int.from_bytes(payload, "big") & _WINDOW_MAX
        if not more:
            raise PeerError(PROTOCOL_ERROR, "a window is widened by nothing")
        if ident:
            stream = self._streams.get(ident)
            if stream is not None:
                stream.send_window += more
                if stream.send_window > _WINDOW_MAX:
                    raise PeerError(FLOW_ERROR, "a window is too wide")
                self._pump(stream)
            return
        self.send_window += more
        if self.send_window > _WINDOW_MAX:
            raise PeerError(FLOW_ERROR, "the connection's window is too wide")
        for stream in list(self._streams.values()):
            if stream.waits:
                self._pump(stream)

    def _on_ping(self, flags: int, payload: bytes) -> None:
        if len(payload) != 8:
            raise PeerError(SIZE_ERROR, "a PING has 8 bytes")
        if not flags & ACK:
            self._write(frame(PING, ACK, 0, payload))

    def _on_settings(self, flags: int, payload: bytes) -> None:
        if flags & ACK:
            return
        if len(payload) % 6:
            raise PeerError(SIZE_ERROR, "SETTINGS are cut off")
        self._has_settings = True
        for name, value in struct.iter_unpack(">HL", payload):
            if name == INITIAL_WINDOW:
                if value > _WINDOW_MAX:
                    raise PeerError(FLOW_ERROR, "a window is too wide")
                for stream in self._streams.values():
                    stream.send_window += value - self._peer_window
                self._peer_window = value
            elif name == MAX_FRAME:
                if not _FRAME_BYTES_MAX <= value < 2**24:
                    raise PeerError(PROTOCOL_ERROR, "a frame size that may not be")
                self.peer_frame_max = value
        self._write(frame(SETTINGS, ACK, 0, b""))
        for stream in list(self._streams.values()):
            if stream.waits:
                self._pump(stream)

    def _on_reset(self, ident: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise PeerError(SIZE_ERROR, "a RST_STREAM has 4 bytes")
        if ident > self._last_stream or not ident:
            raise PeerError(PROTOCOL_ERROR, "a reset of no stream")
        stream = self._streams.get(ident)
        if stream is not None:
            self._resets += 1
            self._forget(stream, cancel=True)
            if self._resets > _RESETS_MAX:
                raise PeerError(CALM, "too many resets")

    # What goes out.

    def send(self, stream: Stream, headers: bytes, body: bytes, trailers: bytes | None) -> None:
        """Send a part of an answer; with trailers it is the last one."""
        size = len(body)
        if (
            trailers is not None
            and not stream.waits
            and size <= min(stream.send_window, self.send_window, self.peer_frame_max, FLUSH_BYTES)
        ):
            # Almost every answer: all of it in one write.
            stream.send_window -= size
            self.send_window -= size
            self._write(
                (frame(HEADERS, END_HEADERS, stream.ident, headers) if headers else b"")
                + (frame(DATA, 0, stream.ident, body) if body else b"")
                + frame(HEADERS, END_HEADERS | END_STREAM, stream.ident, trailers)
            )
            self.finish(stream)
            return
        stream.queue(body)
        stream.trailers = trailers
        first = frame(HEADERS, END_HEADERS, stream.ident, headers) if headers else b""
        self._write(first)
        self._pump(stream)

    def finish(self, stream: Stream) -> None:
        """Forget a stream that is answered."""
        self._resets = max(0, self._resets - 1)
        self._forget(stream, cancel=False)

    def leave(self) -> None:
        """Take no new requests; the connection ends with the last answer."""
        if not self._is_leaving and self._transport is not None:
            self._is_leaving = True
            self._write(frame(GOAWAY, 0, 0, struct.pack(">LL", self._last_stream, 0)))
            if not self._streams:
                self._transport.close()

    def abort(self) -> None:
        """End at once."""
        if self._transport is not None:
            self._transport.abort()

    def _forget(self, stream: Stream, *, cancel: bool) -> None:
        if self._streams.pop(stream.ident, None) is None:
            return
        stream.is_done = True
        if cancel:
            stream.cancelled = True
            if stream.task is not None:
                stream.task.cancel()
            if not stream.is_whole:
                self._buffered.byte_count -= stream.size
        if self._is_leaving and not self._streams and self._transport is not None:
            self._transport.close()

    def _widen(self, ident: int, size: int) -> None:
        self._write(frame(WIDEN, 0, ident, struct.pack(">L", size)))

    def _write(self, frames: bytes) -> None:
        transport = self._transport
        if frames and transport is not None and not transport.is_closing():
            transport.write(frames)
            if transport.get_write_buffer_size() > _UNREAD_BYTES_MAX:
                transport.abort()

    def _pump(self, stream: Stream) -> None:
        """Write what the windows allow, no faster than the socket takes it."""
        transport = self._transport
        while transport is not None and not self._is_paused:
            if transport.get_write_buffer_size() > _SOCKET_BYTES:
                # Not every loop says at once that the socket is behind.
                if not self._pumps_later:
                    self._pumps_later = True
                    asyncio.get_running_loop().call_later(POLL_SECONDS, self._pump_all)
                return
            frames = stream.flush()
            if not frames:
                return
            self._write(frames)

    def pause_writing(self) -> None:
        """See `asyncio.BaseProtocol`: the socket is behind."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """See `asyncio.BaseProtocol`."""
        self._is_paused = False
        self._pump_all()

    def _pump_all(self) -> None:
        self._pumps_later = False
        for stream in list(self._streams.values()):
            if stream.waits:
                self._pump(stream)

    def _leave(self, code: int, text: str) -> None:
        """End the connection for an error of the peer's."""
        self._is_leaving = True
        self._received.clear()
        last = struct.pack(">LL", self._last_stream, code)
        self._write(frame(GOAWAY, 0, 0, last + text.encode()))
        if self._transport is not None:
            self._transport.close()

    def _look(self) -> None:
        """Now and then end what does not come to an end."""
        loop = asyncio.get_running_loop()
        limit = loop.time() - _REQUEST_SECONDS_MAX
        for stream in list(self._streams.values()):
            if not stream.is_whole and stream.feed is None and stream.began < limit:
                self._write(frame(RST_STREAM, 0, stream.ident, struct.pack(">L", CALM)))
                self._forget(stream, cancel=True)
        if not self._has_settings and self._sweep is not None:
            self.abort()  # it has not even said hello
            return
        self._sweep = loop.call_later(_REQUEST_SECONDS_MAX / 4, self._look)
