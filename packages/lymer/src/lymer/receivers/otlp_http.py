"""OTLP over HTTP, port 4318: `POST /v1/traces`, protobuf and JSON.

A plain ASGI application: one path, and every microsecond per request counts. Source: reference
jaeger.md 2.3; opentelemetry-collector `receiver/otlpreceiver/otlphttp.go`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import Executor
from typing import Any, Final, NoReturn

import orjson
from google.rpc import status_pb2

from lymer.errors import LymerError, OverloadedError, TooLargeError
from lymer.receivers.admission import Admission
from lymer.receivers.intake import Intake
from lymer.wire.content_encoding import decode_content
from lymer.wire.otlp_json import request_from_json
from lymer.wire.otlp_proto import CheckedRequest, check_request

__all__ = ["OtlpHttpReceiver"]

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]

_PATH: Final = "/v1/traces"
_TRANSPORT: Final = "http"
_PROTOBUF: Final = "application/x-protobuf"
_JSON: Final = "application/json"
_TEXT: Final = "text/plain"
_SUCCESS: Final = {_PROTOBUF: b"", _JSON: b'{"partialSuccess":{}}'}
_INLINE_BYTES_MAX: Final = 256 * 1024
"""Larger bodies are decompressed and translated on a thread; the hop costs 0.1 ms."""
_DRAIN_FACTOR: Final = 4
"""A body that is too large is read to its end, so that its sender reads the answer, but no further
than so many times the limit."""


class _AnswerError(Exception):
    """A request that is answered without OTLP's status body."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class OtlpHttpReceiver:
    """The ASGI application of the OTLP/HTTP port."""

    def __init__(
        self, intake: Intake, admission: Admission, executor: Executor, *, body_bytes_max: int
    ) -> None:
        """Prepare.

        Args:
            intake: Where requests go.
            admission: The process-wide limit.
            executor: For work on large bodies.
            body_bytes_max: Limit on a body, both as sent and decompressed, bytes.
        """
        self._intake = intake
        self._admission = admission
        self._executor = executor
        self._body_bytes_max = body_bytes_max

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: _Receive, send: _Send
    ) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        encoding = _PROTOBUF
        try:
            _check_target(scope)
            headers: dict[bytes, bytes] = dict(scope["headers"])
            encoding = _encoding(headers)
            await self._export(headers, encoding, receive)
        except _AnswerError as answer:
            await _send(send, answer.status, _TEXT, answer.text.encode())
        except LymerError as error:
            self._intake.refuse(error, _TRANSPORT)
            await _send_error(send, encoding, error)
        except _SenderGoneError:
            return
        else:
            await _send(send, 200, encoding, _SUCCESS[encoding])

    async def _export(self, headers: dict[bytes, bytes], encoding: str, receive: _Receive) -> None:
        admission = self._admission
        admission.enter()
        taken = 0
        try:
            announced = headers.get(b"content-length", b"")
            if announced.isdigit() and int(announced) > self._body_bytes_max:
                await self._drain(receive, 0)
                message = (
                    f"the body has {int(announced)} bytes, the limit is {self._body_bytes_max}"
                )
                raise TooLargeError(message)
            body, taken = await self._read(receive)
            coding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
            if len(body) > _INLINE_BYTES_MAX and (coding or encoding == _JSON):
                loop = asyncio.get_running_loop()
                request = await loop.run_in_executor(
                    self._executor, self._decode, body, coding, encoding
                )
            else:
                request = self._decode(body, coding, encoding)
            grown = max(len(request.body) - taken, 0)
            admission.take(grown)
            taken += grown
            await self._intake.accept(request, _TRANSPORT)
        finally:
            admission.give_back(taken)
            admission.leave()

    async def _read(self, receive: _Receive) -> tuple[bytes, int]:
        """Read the body; return it and the bytes of admission it holds."""
        chunks: list[bytes] = []
        size, more = 0, True
        try:
            while more:
                message = await receive()
                chunk = _chunk(message)
                self._admission.take(len(chunk))
                chunks.append(chunk)
                size += len(chunk)
                more = message.get("more_body", False)
                if size > self._body_bytes_max:
                    await self._refuse_too_large(receive, size, more=more)
        except BaseException:
            self._admission.give_back(size)
            raise
        return (chunks[0] if len(chunks) == 1 else b"".join(chunks)), size

    async def _refuse_too_large(self, receive: _Receive, size: int, *, more: bool) -> NoReturn:
        if more:
            await self._drain(receive, size)
        message = f"the body has at least {size} bytes, the limit is {self._body_bytes_max}"
        raise TooLargeError(message)

    async def _drain(self, receive: _Receive, size: int) -> None:
        limit = _DRAIN_FACTOR * self._body_bytes_max
        while size < limit:
            message = await receive()
            size += len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                return

    def _decode(self, body: bytes, coding: str, encoding: str) -> CheckedRequest:
        content = decode_content(coding, body, self._body_bytes_max)
        return request_from_json(content) if encoding == _JSON else check_request(content)


class _SenderGoneError(Exception):
    """The sender closed the connection before the body was whole."""


def _chunk(message: _Message) -> bytes:
    if message["type"] == "http.disconnect":
        raise _SenderGoneError
    chunk: bytes = message.get("body", b"")
    return chunk


def _check_target(scope: MutableMapping[str, Any]) -> None:
    if scope["path"] != _PATH:
        raise _AnswerError(404, "404 page not found\n")
    if scope["method"] != "POST":
        raise _AnswerError(405, "405 method not allowed, supported: [POST]")


def _encoding(headers: dict[bytes, bytes]) -> str:
    sent = headers.get(b"content-type", b"").decode("latin-1")
    media_type = sent.partition(";")[0].strip().lower()
    if media_type in _SUCCESS:
        return media_type
    text = f"415 unsupported media type, supported: [{_JSON}, {_PROTOBUF}]"
    raise _AnswerError(415, text)


async def _send(
    send: _Send, status: int, content_type: str, body: bytes, *extra: tuple[bytes, bytes]
) -> None:
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_error(send: _Send, encoding: str, error: LymerError) -> None:
    """Answer with a `google.rpc.Status` in the request's encoding."""
    if encoding == _JSON:
        body = orjson.dumps({"code": error.grpc_code, "message": str(error)})
    else:
        body = status_pb2.Status(code=error.grpc_code, message=str(error)).SerializeToString()
    extra: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(error, OverloadedError):
        extra = ((b"retry-after", str(error.retry_after_seconds).encode()),)
    await _send(send, error.http_status, encoding, body, *extra)
