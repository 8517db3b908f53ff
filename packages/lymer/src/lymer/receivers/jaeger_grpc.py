"""Jaeger's protobuf over gRPC, port 14250: what its agents and older exporters send.

Source: reference jaeger.md 2.5, column v2.
"""

from __future__ import annotations

from typing import Final

from lymer.errors import LymerError
from lymer.receivers.door import Door, NotDurableError
from lymer.receivers.grpc_server import BytesGrpcServer, code_of, delivery_of
from lymer.transport.gate import Gate
from lymer.transport.grpc_calls import Call
from lymer.wire.translations import Format

__all__ = ["JaegerGrpcReceiver"]

_SERVICE: Final = "jaeger.api_v2.CollectorService"
_FORMAT: Final = Format("jaeger-proto")
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

    async def _post_spans(self, body: bytes, call: Call) -> bytes:
        try:
            tenant = self._door.intake.tenant_of_call(call)
            delivery = delivery_of(call)
            await self._door.take_message(
                body, (_FORMAT, call.compression), tenant=tenant, delivery=delivery
            )
        except NotDurableError as error:
            self._door.refuse(error.cause)
            await call.abort(code_of(error.cause), str(error))
        except LymerError as error:
            self._door.refuse(error)
            await call.abort(code_of(error), str(error))
        return _POST_SPANS_RESPONSE
