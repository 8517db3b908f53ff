"""Zipkin over HTTP, port 9411: v1 JSON and thrift, v2 JSON and protobuf.

Every path and method is answered, as the Collector's receiver does: a path with `api/v1/spans` in
it is v1, any other is v2. Source: reference jaeger.md 2.7.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from concurrent.futures import Executor
from typing import Any, Final

from lymer import clock
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
from lymer.wire.otlp_proto import CheckedRequest
from lymer.wire.zipkin_proto import request_from_zipkin_proto
from lymer.wire.zipkin_thrift import request_from_zipkin_thrift
from lymer.wire.zipkin_v1 import request_from_zipkin_v1_json
from lymer.wire.zipkin_v2 import request_from_zipkin_v2_json

__all__ = ["ZipkinHttpReceiver"]

_RECEIVER: Final = "zipkin"
_TRANSPORT: Final = "http"
_V1_PATH: Final = "api/v1/spans"
_THRIFT: Final = "application/x-thrift"
_PROTOBUF: Final = "application/x-protobuf"
_TEXT: Final = "text/plain; charset=utf-8"
_INLINE_BYTES_MAX: Final = 64 * 1024
"""Larger bodies are translated on a thread: about 100 spans take 4 ms, the hop 0.1 ms."""
_INLINE_COMPRESSED_BYTES_MAX: Final = 8 * 1024
"""Likewise, where nobody knows yet how large the body is."""


class ZipkinHttpReceiver:
    """The ASGI application of the Zipkin port."""

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
        try:
            tenant = self._intake.tenant_of_headers(scope["headers"])
            await self._take(scope["path"], dict(scope["headers"]), receive, tenant)
        except TenantError as error:
            self._intake.refuse(error, _TRANSPORT, _RECEIVER)
            await respond_tenant_error(send, error)
        except LymerError as error:
            self._intake.refuse(error, _TRANSPORT, _RECEIVER)
            text = f"{error}\n".encode()
            await respond(send, error.http_status, _TEXT, text, *retry_after(error))
        except SenderGoneError:
            return
        else:
            await respond(send, 202, "", b"")

    async def _take(
        self, path: str, headers: dict[bytes, bytes], receive: Receive, tenant: str
    ) -> None:
        admission = self._admission
        admission.enter()
        taken = 0
        try:
            body = await self._reader.read(headers, receive)
            taken = len(body)
            is_compressed = headers.get(b"content-encoding", b"").strip() not in {b"", b"identity"}
            inline = _INLINE_COMPRESSED_BYTES_MAX if is_compressed else _INLINE_BYTES_MAX
            if taken > inline:
                loop = asyncio.get_running_loop()
                request = await loop.run_in_executor(
                    self._executor, self._decode, path, headers, body
                )
            else:
                request = self._decode(path, headers, body)
            grown = max(len(request.body) - taken, 0)
            admission.take(grown)
            taken += grown
            await self._intake.accept(request, _TRANSPORT, _RECEIVER, tenant=tenant)
        finally:
            admission.give_back(taken)
            admission.leave()

    def _decode(self, path: str, headers: dict[bytes, bytes], body: bytes) -> CheckedRequest:
        coding = headers.get(b"content-encoding", b"").decode("latin-1").strip().lower()
        content = decode_content(coding, body, self._body_bytes_max)
        sent = headers.get(b"content-type", b"").decode("latin-1")
        media_type = sent.partition(";")[0].strip().lower()
        if _V1_PATH in path:
            if media_type == _THRIFT:
                return request_from_zipkin_thrift(content, clock.unix_nano())
            return request_from_zipkin_v1_json(content, clock.unix_nano())
        if media_type == _PROTOBUF:
            debug = headers.get(b"x-b3-flags", b"") == b"1"
            return request_from_zipkin_proto(content, debug=debug)
        return request_from_zipkin_v2_json(content)
