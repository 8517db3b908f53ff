"""Jaeger's protobuf over gRPC, port 14250: what its agents and older exporters send.

Source: reference jaeger.md 2.5, column v2.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import grpc

from lymer.errors import LymerError
from lymer.receivers.admission import Admission
from lymer.receivers.grpc_server import STATUS_CODES, BytesGrpcServer, delivery_of
from lymer.receivers.intake import Intake
from lymer.transport.gate import Gate
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


class JaegerGrpcReceiver(BytesGrpcServer):
    """Serves `CollectorService/PostSpans`."""

    def __init__(
        self,
        intake: Intake,
        admission: Admission,
        *,
        message_bytes_max: int,
        gate: Gate | None = None,
    ) -> None:
        """Prepare the server; `bind` and `start` make it reachable.

        Args:
            intake: Where requests go.
            admission: The process-wide limit.
            message_bytes_max: A larger message, also once decompressed, is refused by the
                transport with RESOURCE_EXHAUSTED.
            gate: Who may send; None is everybody.
        """
        self._intake = intake
        self._admission = admission
        super().__init__(
            _SERVICE,
            "PostSpans",
            self._post_spans,
            message_bytes_max=message_bytes_max,
            gate=gate,
        )

    async def _post_spans(self, body: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        admission, taken = self._admission, 0
        try:
            admission.enter()
            try:
                admission.take(len(body))
                taken = len(body)
                tenant = self._intake.tenant_of_call(context)
                request = await _translate(body)
                grown = max(len(request.body) - taken, 0)
                admission.take(grown)
                taken += grown
                delivery = delivery_of(context)
                await self._intake.accept(request, _TRANSPORT, _RECEIVER, delivery, tenant=tenant)
            finally:
                admission.give_back(taken)
                admission.leave()
        except LymerError as error:
            self._intake.refuse(error, _TRANSPORT, _RECEIVER)
            await context.abort(STATUS_CODES[error.grpc_code], str(error))
        return _POST_SPANS_RESPONSE


async def _translate(body: bytes) -> CheckedRequest:
    if len(body) > _INLINE_BYTES_MAX:
        return await asyncio.to_thread(request_from_post_spans, body)
    return request_from_post_spans(body)
