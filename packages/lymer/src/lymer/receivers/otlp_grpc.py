"""OTLP over gRPC, port 4317.

Bytes in, bytes out: the only parse is the check. gzip, deflate, zstd and snappy are taken. Source:
reference jaeger.md 2.2.
"""

from __future__ import annotations

from typing import Final, NoReturn

from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2

from lymer.errors import LymerError, OverloadedError
from lymer.receivers.door import Door, NotDurableError
from lymer.receivers.grpc_server import BytesGrpcServer, code_of, delivery_of
from lymer.receivers.otlp_http import partial_success
from lymer.transport.gate import Gate
from lymer.transport.grpc_calls import Call
from lymer.wire.translations import Format

__all__ = ["OtlpGrpcReceiver"]

_SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"
_FORMAT: Final = Format("otlp-proto")
_FULL_SUCCESS: Final = b""
"""`ExportTraceServiceResponse` without `partial_success`."""


class OtlpGrpcReceiver(BytesGrpcServer):
    """Serves `TraceService/Export`."""

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
            _SERVICE, "Export", self.export, message_bytes_max=message_bytes_max, gate=gate
        )

    async def export(self, body: bytes, call: Call) -> bytes:
        """Answer one `Export`."""
        try:
            tenant = self._door.intake.tenant_of_call(call)
            delivery = delivery_of(call)
            request = await self._door.take_message(
                body, (_FORMAT, call.compression), tenant=tenant, delivery=delivery
            )
        except NotDurableError as error:
            self._door.refuse(error.cause)
            await _abort(call, error.cause)
        except LymerError as error:
            self._door.refuse(error)
            await _abort(call, error)
        return partial_success(request) if request.refused_spans else _FULL_SUCCESS


async def _abort(call: Call, error: LymerError) -> NoReturn:
    """End the call with the error's code; an overload says when to retry.

    Source: OTLP specification, "OTLP/gRPC Throttling": RetryInfo in `grpc-status-details-bin`.
    """
    trailers: tuple[tuple[str, bytes], ...] = ()
    if isinstance(error, OverloadedError):
        status = status_pb2.Status(code=error.grpc_code, message=str(error))
        delay = duration_pb2.Duration(seconds=error.retry_after_seconds)
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
        trailers = (("grpc-status-details-bin", status.SerializeToString()),)
    await call.abort(code_of(error), str(error), trailers)
