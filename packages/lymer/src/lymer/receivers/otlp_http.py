"""OTLP over HTTP, port 4318: `POST /v1/traces`, protobuf and JSON.

`GET /api/lymer/v1/stored` is answered when all that has arrived by then is stored: who sends a file
again, from its beginning, first lets the store know what came before.

Source: reference
jaeger.md 2.3; opentelemetry-collector `receiver/otlpreceiver/otlphttp.go`.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

import orjson
from google.rpc import status_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from lymer.errors import LymerError, TenantError
from lymer.receivers.door import Door, NotDurableError
from lymer.receivers.http_exchange import (
    BodyReader,
    Receive,
    Send,
    SenderGoneError,
    respond,
    respond_tenant_error,
    retry_after,
)
from lymer.wire.otlp_proto import CheckedRequest
from lymer.wire.translations import Format

__all__ = ["OtlpHttpReceiver", "partial_success"]

_PATH: Final = "/v1/traces"
_STORED: Final = "/api/lymer/v1/stored"
_TRANSPORT: Final = "http"
_PROTOBUF: Final = "application/x-protobuf"
_JSON: Final = "application/json"
_TEXT: Final = "text/plain"
_SUCCESS: Final = {_PROTOBUF: b"", _JSON: b'{"partialSuccess":{}}'}
_FORMATS: Final = {_PROTOBUF: Format("otlp-proto"), _JSON: Format("otlp-json")}


class _AnswerError(Exception):
    """A request that is answered without OTLP's status body."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class OtlpHttpReceiver:
    """The ASGI application of the OTLP/HTTP port."""

    def __init__(self, door: Door, *, body_bytes_max: int) -> None:
        """Prepare; `body_bytes_max` limits a body as sent."""
        self._door = door
        self._reader = BodyReader(door.admission, body_bytes_max=body_bytes_max)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if (scope["method"], scope["path"]) == ("GET", _STORED):
            await self._answer_when_stored(send)
            return
        encoding = _PROTOBUF
        try:
            _check_target(scope)
            headers: dict[bytes, bytes] = dict(scope["headers"])
            encoding = _encoding(headers)
            tenant = self._door.intake.tenant_of_headers(scope["headers"])
            coding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
            how = _FORMATS[encoding], coding
            request = await self._door.take(
                lambda: self._reader.read(headers, receive), lambda: how, tenant=tenant
            )
        except _AnswerError as answer:
            await respond(send, answer.status, _TEXT, answer.text.encode())
        except TenantError as error:
            self._door.refuse(error)
            await respond_tenant_error(send, error)
        except NotDurableError as error:
            self._door.refuse(error.cause)
            await _send_error(send, encoding, error.cause)
        except LymerError as error:
            self._door.refuse(error)
            await _send_error(send, encoding, error)
        except SenderGoneError:
            return
        else:
            await respond(send, 200, encoding, _success(request, encoding))

    async def _answer_when_stored(self, send: Send) -> None:
        wait = self._door.intake.wait_for_store
        if wait is None:
            await respond(send, 404, _TEXT, b"spans are stored by another process\n")
            return
        try:
            await wait()
        except LymerError as error:
            await respond(send, 503, _TEXT, str(error).encode(), *retry_after(error))
        else:
            await respond(send, 204, "", b"")


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


def _success(request: CheckedRequest, encoding: str) -> bytes:
    """Say that all is stored, or how many spans are not, and why."""
    if not request.refused_spans:
        return _SUCCESS[encoding]
    if encoding == _JSON:
        refused = {
            "rejectedSpans": str(request.refused_spans), "errorMessage": request.reason
        }  # fmt: skip
        return orjson.dumps({"partialSuccess": refused})
    return partial_success(request)


def partial_success(request: CheckedRequest) -> bytes:
    """Return an `ExportTraceServiceResponse`; without refused spans it is empty."""
    answer = trace_service_pb2.ExportTraceServiceResponse()
    if request.refused_spans:
        answer.partial_success.rejected_spans = request.refused_spans
        answer.partial_success.error_message = request.reason
    return answer.SerializeToString()


async def _send_error(send: Send, encoding: str, error: LymerError) -> None:
    """Answer with a `google.rpc.Status` in the request's encoding."""
    if encoding == _JSON:
        body = orjson.dumps({"code": error.grpc_code, "message": str(error)})
    else:
        body = status_pb2.Status(code=error.grpc_code, message=str(error)).SerializeToString()
    await respond(send, error.http_status, encoding, body, *retry_after(error))
