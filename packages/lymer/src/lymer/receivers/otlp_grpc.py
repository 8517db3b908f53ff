"""OTLP over gRPC, port 4317.

Bytes in, bytes out: grpcio hands over the message undecoded, and the only parse is the check.
Compression is the transport's (gzip and deflate; grpcio has no zstd or snappy and says
UNIMPLEMENTED, as gRPC asks). Source: reference jaeger.md 2.2.
"""

from __future__ import annotations

from typing import Any, Final

import grpc
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2

from lymer.errors import LymerError, OverloadedError
from lymer.receivers.admission import Admission
from lymer.receivers.intake import Intake
from lymer.wire.otlp_proto import check_request

__all__ = ["OtlpGrpcReceiver"]

_SERVICE: Final = "opentelemetry.proto.collector.trace.v1.TraceService"
_TRANSPORT: Final = "grpc"
_FULL_SUCCESS: Final = b""
"""`ExportTraceServiceResponse` without `partial_success`."""
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class OtlpGrpcReceiver:
    """Serves `TraceService/Export`."""

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
                # SDKs ping idle connections; the default would end them with too_many_pings.
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
                ("grpc.http2.max_ping_strikes", 0),
            ]
        )
        export = grpc.unary_unary_rpc_method_handler(self._export)
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(_SERVICE, {"Export": export}),)
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

    async def _export(self, body: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        admission, size = self._admission, len(body)
        try:
            admission.enter()
            try:
                admission.take(size)
                try:
                    await self._intake.accept(check_request(body), _TRANSPORT)
                finally:
                    admission.give_back(size)
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
    await context.abort(_CODES[error.grpc_code], str(error), trailers)
