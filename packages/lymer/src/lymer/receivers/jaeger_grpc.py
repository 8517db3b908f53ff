"""Jaeger's protobuf over gRPC, port 14250: what its agents and older exporters send.

Source: reference jaeger.md 2.5, column v2.
"""

from __future__ import annotations

from typing import Any, Final

import grpc

from lymer.errors import LymerError
from lymer.receivers.door import Door, NotDurableError
from lymer.receivers.grpc_server import STATUS_CODES, BytesGrpcServer, delivery_of
from lymer.transport.gate import Gate
from lymer.wire.translations import Format

__all__ = ["JaegerGrpcReceiver"]

_SERVICE: Final = "jaeger.api_v2.CollectorService"
_HOW: Final = Format("jaeger-proto"), ""
_POST_SPANS_RESPONSE: Final = b""
"""`PostSpansResponse` has no fields."""


class JaegerGrpcReceiver(BytesGrpcServer):
    """Serves `CollectorService/PostSpans`."""

    def __init__(
        self,
        door: Door,
        *,
        message_bytes_max: int,
        gate: Gate | None = None,
    ) -> None:
        """Prepare the server; `bind` and `start` make it reachable.

        Args:
            door: The way of requests.
            message_bytes_max: A larger message, also once decompressed, is refused by the
                transport with RESOURCE_EXHAUSTED.
            gate: Who may send; None is everybody.
        """
        self._door = door
        super().__init__(
            _SERVICE,
            "PostSpans",
            self._post_spans,
            message_bytes_max=message_bytes_max,
            gate=gate,
        )

    async def _post_spans(self, body: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        try:
            tenant = self._door.intake.tenant_of_call(context)
            delivery = delivery_of(context)
            await self._door.take_message(body, _HOW, tenant=tenant, delivery=delivery)
        except NotDurableError as error:
            self._door.refuse(error.cause)
            await context.abort(STATUS_CODES[error.cause.grpc_code], str(error))
        except LymerError as error:
            self._door.refuse(error)
            await context.abort(STATUS_CODES[error.grpc_code], str(error))
        return _POST_SPANS_RESPONSE
