"""A collector on a real gRPC port that does what it is told with each request."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

__all__ = ["Act", "FakeCollector", "accept_and_die", "answer_with", "hang"]

_SERVICES = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "Export",
    "jaeger.api_v2.CollectorService": "PostSpans",
}
_SAMPLING = ("jaeger.api_v2.SamplingManager", "GetSamplingStrategy")


@dataclass(slots=True)
class FakeCollector:
    """Takes requests; `act` may say no. Takes each delivery name once, as ours does."""

    acts: list[Act] = field(default_factory=list)
    """What happens to the next requests, in order; then they are accepted."""
    always: Act | None = None
    """What happens to all others."""
    taken: dict[str, bytes] = field(default_factory=dict)
    """Delivery name to body."""
    arrivals: Counter[str] = field(default_factory=Counter)
    """How often each name came."""
    settled: list[int] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    strategy: bytes | None = None
    """What everybody who asks about sampling is told; None is an error."""
    asked: list[bytes] = field(default_factory=list)
    port: int = 0
    message_bytes_max: int = 2**26
    in_flight: int = 0
    in_flight_most: int = 0
    _server: grpc.aio.Server | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on loopback."""
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", self.message_bytes_max),
                ("grpc.so_reuseport", 0),
            ]
        )
        for service, method in _SERVICES.items():
            handler = grpc.unary_unary_rpc_method_handler(self._take)
            self._server.add_generic_rpc_handlers(
                (grpc.method_handlers_generic_handler(service, {method: handler}),)
            )
        handler = grpc.unary_unary_rpc_method_handler(self._strategy)
        service, method = _SAMPLING
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {method: handler}),)
        )
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port or self.port}")
        await self._server.start()

    async def stop(self) -> None:
        """End all connections at once."""
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[FakeCollector]:
        """Listen until the block ends."""
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    def spans(self) -> list[bytes]:
        """Return the ids of all spans that were taken, sorted; each delivery counts once."""
        found = []
        for body in self.taken.values():
            for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope_spans in resource_spans.scope_spans:
                    found += [span.span_id for span in scope_spans.spans]
        return sorted(found)

    def take(self, body: bytes, name: str) -> None:
        """Remember a request."""
        self.taken.setdefault(name, body)

    async def _strategy(self, body: bytes, context: Any) -> bytes:
        self.asked.append(body)
        if self.strategy is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "no strategies by order")
        assert self.strategy is not None
        return self.strategy

    async def _take(self, body: bytes, context: Any) -> bytes:
        metadata = dict(context.invocation_metadata())
        name = metadata.get("lymer-delivery", f"nameless {len(self.taken)}")
        self.arrivals[name] += 1
        self.metadata.append(metadata)
        self.settled.append(int(metadata.get("lymer-settled", 0)))
        self.in_flight += 1
        self.in_flight_most = max(self.in_flight, self.in_flight_most)
        try:
            act = self.acts.pop(0) if self.acts else self.always
            if act is not None and not await act(self, body, name, context):
                return b""
            self.take(body, name)
            return b""
        finally:
            self.in_flight -= 1


Act = Callable[[FakeCollector, bytes, str, Any], Awaitable[bool]]
"""Returns whether to accept the request after all."""


def answer_with(
    code: grpc.StatusCode, text: str = "by order", *, retry_after_seconds: float | None = None
) -> Act:
    """Refuse with `code`."""

    async def act(_collector: FakeCollector, _body: bytes, _name: str, context: Any) -> bool:
        trailers: tuple[tuple[str, bytes], ...] = ()
        if retry_after_seconds is not None:
            info = RetryInfo()
            info.retry_delay.FromNanoseconds(int(retry_after_seconds * 1e9))
            status = Status(code=code.value[0])
            status.details.add().Pack(info)
            trailers = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(code, text, trailers)
        return False

    return act


def accept_and_die() -> Act:
    """Take the request, and end with a word that says nothing about it."""

    async def act(collector: FakeCollector, body: bytes, name: str, context: Any) -> bool:
        collector.take(body, name)
        await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        return False

    return act


def hang(seconds: float) -> Act:
    """Take so long, then accept."""

    async def act(_collector: FakeCollector, _body: bytes, _name: str, _context: Any) -> bool:
        await asyncio.sleep(seconds)
        return True

    return act
