"""OTLP over gRPC, port 4317.

Bytes in, bytes out: grpcio hands over the message undecoded, and the only parse is the check.
Compression is the transport's (gzip and deflate; grpcio has no zstd or snappy and says
UNIMPLEMENTED, as gRPC asks). Source: reference jaeger.md 2.2.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2

from lymer.errors import LymerError, OverloadedError
from lymer.receivers.admission import Admission
from lymer.receivers.grpc_server import STATUS_CODES, BytesGrpcServer, delivery_of
from lymer.receivers.intake import Intake
from lymer.transport.gate import Gate
from lymer.wire.otlp_proto import check_as_sent, check_request

__all__ = ["OtlpGrpcReceiver"]

_SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"
_TRANSPORT: Final = "grpc"
_FULL_SUCCESS: Final = b""
"""`ExportTraceServiceResponse` without `partial_success`."""


class OtlpGrpcReceiver(BytesGrpcServer):
    """Serves `TraceService/Export`."""

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
            _SERVICE, "Export", self._export, message_bytes_max=message_bytes_max, gate=gate
        )

    async def _export(self, body: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        admission, taken = self._admission, len(body)
        try:
            admission.enter()
            try:
                admission.take(taken)
                try:
                    tenant = self._intake.tenant_of_call(context)
                    request = check_as_sent(body)
                    if request is None:
                        request = await asyncio.to_thread(check_request, body)
                        grown = max(len(request.body) - taken, 0)
                        admission.take(grown)
                        taken += grown
                    delivery = delivery_of(context)
                    await self._intake.accept(request, _TRANSPORT, delivery=delivery, tenant=tenant)
                finally:
                    admission.give_back(taken)
            finally:
                admission.leave()
        except LymerError as error:
            self._intake.refuse(error, _TRANSPORT)
            await _abort(context, error)
        return _FULL_SUCCESS


async def _abort(context: grpc.aio.ServicerContext[Any, Any], error: LymerError) -> None:
    """End the call with the error's code; an overload says when to retry.

    Source: OTLP specification, "OTLP/gRPC Throttling": RetryInfo in `grpc-status-details-bin`.
    """
    trailers: tuple[tuple[str, bytes], ...] = ()
    if isinstance(error, OverloadedError):
        status = status_pb2.Status(code=error.grpc_code, message=str(error))
        delay = duration_pb2.Duration(seconds=error.retry_after_seconds)
        status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
        trailers = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(STATUS_CODES[error.grpc_code], str(error), trailers)
