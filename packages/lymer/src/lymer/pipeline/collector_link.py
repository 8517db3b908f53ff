"""One collector: requests go to it over gRPC, and what it answers is one of four things.

Source: OTLP specification 1.9, "OTLP/gRPC Response" (which codes may be repeated, RetryInfo).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from lymer.errors import OverloadedError
from lymer.pipeline.outcome import Accepted, Outcome, Refused, Repeat
from lymer.transport.grpc_link import GrpcLink
from lymer.wire.otlp_to_jaeger_proto import post_spans_from_otlp

__all__ = ["OPTIONS", "CollectorLink", "grpc_target"]

METHODS: Final = {
    "otlp": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "jaeger": "/jaeger.api_v2.CollectorService/PostSpans",
}
OPTIONS: Final[tuple[tuple[str, str | int], ...]] = (
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),  # repeating is ours, and knows names
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
)
_TRANSLATE_INLINE_BYTES_MAX: Final = 16 * 1024
"""Larger requests are translated on a thread."""
_REFUSED: Final = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.NOT_FOUND,
}
"""The request is at fault, whoever is asked. UNAUTHENTICATED, PERMISSION_DENIED and UNIMPLEMENTED
are not among them: there the link is set up wrongly, and what was acknowledged must not pay."""
_SUSPICIOUS: Final = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}
_NOT_CONNECTED: Final = (
    "failed to connect",
    "connections to all backends failing",
    "dns resolution",
)
"""What gRPC says, in lower case, when nothing can have been sent."""
_PAUSE_SECONDS_MAX: Final = 60.0
"""A collector that asks for a longer pause is asked earlier."""


def grpc_target(address: str, port: int) -> str:
    """Return an IP address as gRPC takes it without looking it up."""
    return f"ipv6:[{address}]:{port}" if ":" in address else f"ipv4:{address}:{port}"


class CollectorLink:
    """A connection to one address. Lives on one event loop."""

    def __init__(
        self,
        target: str,
        address: str,
        link: GrpcLink,
        *,
        protocol: str,
        metadata: Callable[[], Sequence[tuple[str, str]]] = tuple,
    ) -> None:
        """Prepare.

        Args:
            target: The name that was looked up.
            address: What was found, `ip:port`.
            link: Closed by `close`.
            protocol: `otlp` or `jaeger`.
            metadata: Asked for before each call: who we are.
        """
        self.target = target
        self.address = address
        self.reference = f"{target}|{address}"
        """What is written down about where a segment went."""
        self._link = link
        self._metadata = metadata
        self._protocol = protocol

    async def send(
        self, body: bytes, metadata: Sequence[tuple[str, str]], seconds_max: float
    ) -> Outcome:
        """Send one OTLP request, and say what became of it; never raises but for cancellation."""
        if self._protocol == "jaeger":
            if len(body) > _TRANSLATE_INLINE_BYTES_MAX:
                body = await asyncio.to_thread(post_spans_from_otlp, body)
            else:
                body = post_spans_from_otlp(body)
        try:
            answer = await self._call(METHODS[self._protocol], body, seconds_max, metadata)
        except grpc.aio.AioRpcError as error:
            return _outcome(error)
        if self._protocol == "otlp" and answer:
            return Accepted(_rejected_spans(answer))
        return Accepted()

    async def ask(self, method: str, body: bytes, seconds_max: float) -> bytes:
        """Return the answer to another call.

        Args:
            method: `/package.Service/Method`.
            body: The message.
            seconds_max: Deadline.

        Raises:
            OverloadedError: There is none; the message says why.
        """
        try:
            return await self._call(method, body, seconds_max)
        except grpc.aio.AioRpcError as error:
            raise OverloadedError(f"{self.reference}: {_reason(error)}") from error

    def _call(
        self,
        method: str,
        body: bytes,
        seconds_max: float,
        metadata: Sequence[tuple[str, str]] = (),
    ) -> Awaitable[bytes]:
        call: Any = self._link.channel().unary_unary(method, None, None)
        answer: Awaitable[bytes] = call(
            body, timeout=seconds_max, metadata=(*metadata, *self._metadata())
        )
        return answer

    async def close(self) -> None:
        """End all calls."""
        await self._link.close()


def _rejected_spans(answer: bytes) -> int:
    try:
        response = ExportTraceServiceResponse.FromString(answer)
    except DecodeError:
        return 0
    return int(response.partial_success.rejected_spans)


def _outcome(error: grpc.aio.AioRpcError) -> Outcome:
    code, said, reason = error.code(), (error.details() or "").lower(), _reason(error)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in said:
        return Refused(reason, is_too_large=True)
    if code in _REFUSED:
        return Refused(reason)
    pause = _retry_delay(error)
    is_unsent = code is grpc.StatusCode.UNAVAILABLE and any(text in said for text in _NOT_CONNECTED)
    is_answer = pause is not None or code in {
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
    return Repeat(
        reason,
        min(pause or 0.0, _PAUSE_SECONDS_MAX),
        is_unknown=not (is_unsent or is_answer),
        is_suspicious=code in _SUSPICIOUS,
    )


def _reason(error: grpc.aio.AioRpcError) -> str:
    return f"{error.code().name}: {(error.details() or '')[:500]}"


def _retry_delay(error: grpc.aio.AioRpcError) -> float | None:
    """Return the pause the collector asks for, seconds, or None if it asks for none."""
    trailers: Any = error.trailing_metadata() or ()
    for key, value in trailers:
        if key != "grpc-status-details-bin" or not isinstance(value, bytes):
            continue
        try:
            status = status_pb2.Status.FromString(value)
            for detail in status.details:
                info = error_details_pb2.RetryInfo()
                if detail.Unpack(info):
                    delay = info.retry_delay
                    return float(max(delay.seconds + delay.nanos / 1e9, 0.0))
        except DecodeError:
            return None
    return None
