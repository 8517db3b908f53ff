"""Jaeger's protobuf over gRPC, port 14250: what its agents and older exporters send.

Source: reference jaeger.md 2.5, column v2.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import grpc

from lymer.errors import LymerError
from lymer.receivers.admission import Admission
from lymer.receivers.intake import Intake
from lymer.wire.jaeger_proto import request_from_post_spans
from lymer.wire.otlp_proto import CheckedRequest

__all__ = ["JaegerGrpcReceiver"]

_SERVICE: Final = "jaeger.api_v2.CollectorService"
_RECEIVER: Final = "jaeger"
_TRANSPORT: Final = "grpc"
_POST_SPANS_RESPONSE: Final = b""
"""`PostSpansResponse` has no fields."""
_INLINE_BYTES_MAX: Final = 64 * 1024
"""Larger messages are translated on a thread: about 150 spans take 4 ms, the hop 0.1 ms."""
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class JaegerGrpcReceiver:
    """Serves `CollectorService/PostSpans`."""

    def __init__(self, intake: Intake, admission: Admission, *, message_bytes_max: int) -> None:
        """Prepare the server; `bind` and `start` make it reachable.

        Args:
            intake: Where requests go.
            admission: The process-wide limit.
            message_bytes_max: A larger message, also once decompressed, is refused by the
                transport with RESOURCE_EXHAUSTED.
        """
        self._intake = intake
        self._admission = admission
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", message_bytes_max),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),
                # Agents keep a connection open for days and ping it.
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
                ("grpc.http2.max_ping_strikes", 0),
            ]
        )
        post_spans = grpc.unary_unary_rpc_method_handler(self._post_spans)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(_SERVICE, {"PostSpans": post_spans}),)
        )

    def bind(self, address: str) -> int:
        """Listen on `host:port`; return the port.

        Raises:
            RuntimeError: The address cannot be had.
        """
        return int(self._server.add_insecure_port(address))

    async def start(self) -> None:
        """Begin to serve."""
        await self._server.start()

    async def stop(self, grace_seconds: float) -> None:
        """Refuse new calls, let running ones end within `grace_seconds`."""
        await self._server.stop(grace_seconds)

    async def _post_spans(self, body: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        admission, taken = self._admission, 0
        try:
            admission.enter()
            try:
                admission.take(len(body))
                taken = len(body)
                request = await _translate(body)
                grown = max(len(request.body) - taken, 0)
                admission.take(grown)
                taken += grown
                await self._intake.accept(request, _TRANSPORT, _RECEIVER)
            finally:
                admission.give_back(taken)
                admission.leave()
        except LymerError as error:
            self._intake.refuse(error, _TRANSPORT, _RECEIVER)
            await context.abort(_CODES[error.grpc_code], str(error))
        return _POST_SPANS_RESPONSE


async def _translate(body: bytes) -> CheckedRequest:
    if len(body) > _INLINE_BYTES_MAX:
        return await asyncio.to_thread(request_from_post_spans, body)
    return request_from_post_spans(body)
