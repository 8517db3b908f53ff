"""One request over HTTP/2 and its answer, which waits for what the peer lets through.

Source: RFC 9113, 5.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from lymer.transport.http2_frames import DATA, END_HEADERS, END_STREAM, HEADERS, frame
from lymer.transport.http2_headers import Headers

__all__ = ["FLUSH_BYTES", "POLL_SECONDS", "Stream", "Writer"]

FLUSH_BYTES: Final = 256 * 1024
"""Of an answer, written before it is looked whether the socket takes more."""
POLL_SECONDS: Final = 0.02
"""How often it is looked whether a peer has read."""
_WAITING_BYTES: Final = 1024 * 1024
_STALLED_SECONDS_MAX: Final = 60.0


class Writer(Protocol):
    """What a stream needs of its connection."""

    send_window: int
    peer_frame_max: int

    def send(self, stream: Stream, headers: bytes, body: bytes, trailers: bytes | None) -> None:
        """Send a part of an answer; with trailers it is the last one."""

    def finish(self, stream: Stream) -> None:
        """Forget a stream that is answered."""


class Stream:
    """One request and its answer."""

    __slots__ = (
        "_connection",
        "_pending",
        "began",
        "cancelled",
        "feed",
        "has_begun",
        "headers",
        "ident",
        "is_done",
        "is_whole",
        "parts",
        "send_window",
        "size",
        "task",
        "too_large",
        "trailers",
        "unacknowledged",
    )  # fmt: skip

    def __init__(self, connection: Writer, ident: int, headers: Headers, window: int) -> None:
        """Begin with the request's headers."""
        self._connection = connection
        self.ident: Final = ident
        self.headers: Final = headers
        self.parts: list[bytes] = []
        self.size = self.unacknowledged = 0
        self.too_large = ""
        """Why the body was not kept; empty if it was."""
        self.began = asyncio.get_running_loop().time()
        self.send_window = window
        self.task: asyncio.Task[None] | None = None
        self.feed: Callable[[bytes | None], None] | None = None
        """Takes pieces of the body as they come, and None behind the last."""
        self.is_whole = False
        self.is_done = False
        self.cancelled = False
        self.has_begun = False
        """Whether headers of an answer were sent."""
        self._pending = bytearray()
        self.trailers: bytes | None = None

    @property
    def body(self) -> bytes:
        """The whole body."""
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)

    def send(self, headers: bytes, body: bytes) -> None:
        """Send headers (empty if they are sent) and a piece of body, as windows allow."""
        if not self.is_done:
            self.has_begun = True
            self._connection.send(self, headers, body, None)

    def end(self, headers: bytes, body: bytes, trailers: bytes) -> None:
        """Send what is left of an answer; `headers` empty if they are sent."""
        if not self.is_done:
            self._connection.send(self, headers, body, trailers)

    def flush(self) -> bytes:
        """Return some frames of what waits for the peer's windows and may go now."""
        out = []
        written = 0
        while self._pending and written < FLUSH_BYTES:
            size = min(
                len(self._pending), self.send_window, self._connection.send_window,
                self._connection.peer_frame_max, FLUSH_BYTES,
            )  # fmt: skip
            if size <= 0:
                break
            out.append(frame(DATA, 0, self.ident, bytes(self._pending[:size])))
            del self._pending[:size]
            written += size
            self.send_window -= size
            self._connection.send_window -= size
        if not self._pending and self.trailers is not None:
            out.append(frame(HEADERS, END_HEADERS | END_STREAM, self.ident, self.trailers))
            self.trailers = None
            self._connection.finish(self)
        return b"".join(out)

    def queue(self, body: bytes) -> None:
        """Put a piece of body behind what waits."""
        self._pending += body

    @property
    def waits(self) -> bool:
        """Whether something waits for the peer."""
        return bool(self._pending) or self.trailers is not None

    async def room(self) -> bool:
        """Wait until little of the answer waits for the peer; False: it has read nothing for long.

        An answer of many messages is not made faster than it is read.
        """
        seconds, before = 0.0, len(self._pending)
        while len(self._pending) > _WAITING_BYTES and not self.is_done:
            await asyncio.sleep(POLL_SECONDS)
            seconds += POLL_SECONDS
            if len(self._pending) < before:
                seconds, before = 0.0, len(self._pending)
            if seconds > _STALLED_SECONDS_MAX:
                return False
        return True
