"""OTLP over HTTP, port 4318: `POST /v1/traces`, protobuf and JSON.

Source: reference
jaeger.md 2.3; opentelemetry-collector `receiver/otlpreceiver/otlphttp.go`.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from concurrent.futures import Executor
from typing import Any, Final

import orjson
from google.rpc import status_pb2

from lymer.errors import LymerError, TenantError
from lymer.receivers.admission import Admission
from lymer.receivers.http_exchange import (
    BodyReader,
    Receive,
    Send,
    SenderGoneError,
    respond,
    respond_tenant_error,
    retry_after,
)
from lymer.receivers.intake import Intake
from lymer.wire.content_encoding import decode_content
from lymer.wire.otlp_json import request_from_json
from lymer.wire.otlp_proto import CheckedRequest, check_as_sent, check_request

__all__ = ["OtlpHttpReceiver"]

_PATH: Final = "/v1/traces"
_TRANSPORT: Final = "http"
_PROTOBUF: Final = "application/x-protobuf"
_JSON: Final = "application/json"
_TEXT: Final = "text/plain"
_SUCCESS: Final = {_PROTOBUF: b"", _JSON: b'{"partialSuccess":{}}'}
_INLINE_BYTES_MAX: Final = 256 * 1024
"""Larger bodies are decompressed and translated on a thread; the hop costs 0.1 ms."""


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
        self._reader = BodyReader(admission, body_bytes_max=body_bytes_max)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        encoding = _PROTOBUF
        try:
            _check_target(scope)
            headers: dict[bytes, bytes] = dict(scope["headers"])
            encoding = _encoding(headers)
            tenant = self._intake.tenant_of_headers(scope["headers"])
            await self._export(headers, encoding, receive, tenant)
        except _AnswerError as answer:
            await respond(send, answer.status, _TEXT, answer.text.encode())
        except TenantError as error:
            self._intake.refuse(error, _TRANSPORT)
            await respond_tenant_error(send, error)
        except LymerError as error:
            self._intake.refuse(error, _TRANSPORT)
            await _send_error(send, encoding, error)
        except SenderGoneError:
            return
        else:
            await respond(send, 200, encoding, _SUCCESS[encoding])

    async def _export(
        self, headers: dict[bytes, bytes], encoding: str, receive: Receive, tenant: str
    ) -> None:
        admission = self._admission
        admission.enter()
        taken = 0
        try:
            body = await self._reader.read(headers, receive)
            taken = len(body)
            coding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
            is_plain = encoding == _PROTOBUF and not coding
            request = check_as_sent(body) if is_plain else None
            if request is None and (is_plain or len(body) > _INLINE_BYTES_MAX):
                loop = asyncio.get_running_loop()
                request = await loop.run_in_executor(
                    self._executor, self._decode, body, coding, encoding
                )
            elif request is None:
                request = self._decode(body, coding, encoding)
            grown = max(len(request.body) - taken, 0)
            admission.take(grown)
            taken += grown
            await self._intake.accept(request, _TRANSPORT, tenant=tenant)
        finally:
            admission.give_back(taken)
            admission.leave()

    def _decode(self, body: bytes, coding: str, encoding: str) -> CheckedRequest:
        content = decode_content(coding, body, self._body_bytes_max)
        return request_from_json(content) if encoding == _JSON else check_request(content)


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


async def _send_error(send: Send, encoding: str, error: LymerError) -> None:
    """Answer with a `google.rpc.Status` in the request's encoding."""
    if encoding == _JSON:
        body = orjson.dumps({"code": error.grpc_code, "message": str(error)})
    else:
        body = status_pb2.Status(code=error.grpc_code, message=str(error)).SerializeToString()
    await respond(send, error.http_status, encoding, body, *retry_after(error))
