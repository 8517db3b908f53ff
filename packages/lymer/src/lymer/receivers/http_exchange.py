"""One HTTP request of a receiver: its body read within the limits, its answer sent.

For plain ASGI applications: receivers have one path, and every microsecond per request counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, NoReturn

from lymer.errors import BodyTooLargeError, LymerError, OverloadedError, RejectedError, TenantError
from lymer.receivers.admission import Admission

__all__ = [
    "BODY_SECONDS_MAX",
    "BodyReader",
    "Message",
    "Receive",
    "Send",
    "SenderGoneError",
    "respond",
    "respond_tenant_error",
    "retry_after",
]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

BODY_SECONDS_MAX: Final = 60.0
"""A body must be whole after so long: each one that is not keeps a connection."""
_DRAIN_FACTOR: Final = 4
"""A body that is too large is read to its end, so that its sender reads the answer, but no further
than so many times the limit."""


class SlowSenderError(RejectedError):
    """The body does not come to its end; the connection is closed."""

    http_status = 408


class SenderGoneError(Exception):
    """The sender closed the connection before the body was whole."""


class BodyReader:
    """Reads bodies that are not too large, counting their bytes as in flight."""

    def __init__(self, admission: Admission, *, body_bytes_max: int) -> None:
        """Set the limit on a body as sent, bytes."""
        self._admission = admission
        self._body_bytes_max = body_bytes_max

    async def read(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """Return the body; the caller gives its length back to admission.

        Raises:
            BodyTooLargeError: It is over the limit; nothing is counted.
            OverloadedError: Too much is in flight; nothing is counted.
            SenderGoneError: There is nobody to answer.
        """
        try:
            async with asyncio.timeout(BODY_SECONDS_MAX):
                return await self._read(headers, receive)
        except TimeoutError:
            message = f"the body is not whole after {BODY_SECONDS_MAX:g} s"
            raise SlowSenderError(message) from None

    async def _read(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self._body_bytes_max:
            await self._drain(receive, 0)
            message = f"the body has {int(announced)} bytes, the limit is {self._body_bytes_max}"
            raise BodyTooLargeError(message)
        chunks: list[bytes] = []
        size, more = 0, True
        try:
            while more:
                message_in = await receive()
                chunk = _chunk(message_in)
                self._admission.take(len(chunk))
                chunks.append(chunk)
                size += len(chunk)
                more = message_in.get("more_body", False)
                if size > self._body_bytes_max:
                    await self._refuse_too_large(receive, size, more=more)
        except BaseException:
            self._admission.give_back(size)
            raise
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _refuse_too_large(self, receive: Receive, size: int, *, more: bool) -> NoReturn:
        if more:
            await self._drain(receive, size)
        message = f"the body has at least {size} bytes, the limit is {self._body_bytes_max}"
        raise BodyTooLargeError(message)

    async def _drain(self, receive: Receive, size: int) -> None:
        limit = _DRAIN_FACTOR * self._body_bytes_max
        while size < limit:
            message = await receive()
            size += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                return


def _chunk(message: Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise SenderGoneError
    chunk: bytes = message.get("body", b"")
    return chunk


async def respond(
    send: Send, status: int, content_type: str, body: bytes, *extra: tuple[bytes, bytes]
) -> None:
    """Send a whole answer; an empty content type is none."""
    headers = [(b"content-length", str(len(body)).encode()), *extra]
    if content_type:
        headers.insert(0, (b"content-type", content_type.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def respond_tenant_error(send: Send, error: TenantError) -> None:
    """Answer a request without a tenant of its own, as Jaeger does, whatever it speaks."""
    await respond(send, error.http_status, "text/plain; charset=utf-8", str(error).encode())


def retry_after(error: LymerError) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header that says when to come again, if that is what the error means."""
    if isinstance(error, SlowSenderError):
        return ((b"connection", b"close"),)
    if isinstance(error, OverloadedError):
        return ((b"retry-after", str(error.retry_after_seconds).encode()),)
    return ()
