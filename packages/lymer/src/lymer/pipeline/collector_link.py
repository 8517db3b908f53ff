"""One collector: requests go to it over gRPC, and what it answers is one of four things.

Source: OTLP specification 1.9, "OTLP/gRPC Response" (which codes may be repeated, RetryInfo).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from lymer.errors import OverloadedError
from lymer.pipeline.outcome import Accepted, Outcome, Refused, Repeat, TooLarge
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


class Channels(Protocol):
    """Gives the channel for the next call; certificates may have changed."""

    def channel(self) -> grpc.aio.Channel:
        """Return it."""

    async def close(self) -> None:
        """End all calls."""


def grpc_target(address: str, port: int) -> str:
    """Return an IP address as gRPC takes it without looking it up."""
    return f"ipv6:[{address}]:{port}" if ":" in address else f"ipv4:{address}:{port}"


class CollectorLink:
    """A connection to one address. Lives on one event loop."""

    def __init__(
        self,
        target: str,
        address: str,
        channels: Channels,
        *,
        protocol: str,
        metadata: Callable[[], Sequence[tuple[str, str]]] = tuple,
    ) -> None:
        """Prepare.

        Args:
            target: The name that was looked up.
            address: What was found, `ip:port`.
            channels: Closed by `close`.
            protocol: `otlp` or `jaeger`.
            metadata: Asked for before each call: who we are.
        """
        self.target = target
        self.address = address
        self.reference = f"{target}|{address}"
        """What is written down about where a segment went."""
        self._channels = channels
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
        call: Any = self._channels.channel().unary_unary(
            METHODS[self._protocol], request_serializer=None, response_deserializer=None
        )
        try:
            answer = await call(body, timeout=seconds_max, metadata=(*metadata, *self._metadata()))
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
        call: Any = self._channels.channel().unary_unary(
            method, request_serializer=None, response_deserializer=None
        )
        try:
            answer: bytes = await call(body, timeout=seconds_max, metadata=tuple(self._metadata()))
        except grpc.aio.AioRpcError as error:
            reason = f"{error.code().name}: {(error.details() or '')[:500]}"
            raise OverloadedError(f"{self.reference}: {reason}") from error
        return answer

    async def close(self) -> None:
        """End all calls."""
        await self._channels.close()


def _rejected_spans(answer: bytes) -> int:
    try:
        response = ExportTraceServiceResponse.FromString(answer)
    except DecodeError:
        return 0
    return int(response.partial_success.rejected_spans)


def _outcome(error: grpc.aio.AioRpcError) -> Outcome:
    code, details = error.code(), error.details() or ""
    reason = f"{code.name}: {details[:500]}"
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in details.lower():
        return TooLarge(reason)
    if code in _REFUSED:
        return Refused(reason)
    pause = _retry_delay(error)
    said = details.lower()
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
