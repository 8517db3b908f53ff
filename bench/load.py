"""Sending: a fixed number of connections, each with one request on its way at a time."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import grpc.aio
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.numbers import Spread, spread_of
from bench.server import Server
from bench.workload import Workload
from lymer import clock
from lymer.roles.load_sender import Outcome, open_sender

__all__ = ["Sent", "send_all", "send_paced", "send_small", "small_requests"]

_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_RETRY_SECONDS = 0.1
_STANDSTILL_SECONDS_MAX = 120.0
"""Nothing acknowledged for so long: nobody is there any more."""
_SMALL_SPANS_MAX = 10


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a load; all of it was acknowledged."""

    spans: int
    requests: int
    seconds: float
    """From the first byte to the last acknowledgement."""
    began_seconds: float
    """Monotonic clock at the first byte."""
    ack_seconds: Spread
    retries: int
    """Times the server asked to try again, which it may under overload."""


class _Queue:
    """Requests for several threads, each when it is due."""

    def __init__(self, bodies: Iterator[tuple[bytes, int]], pace: float | None) -> None:
        self._bodies = bodies
        self._pace = pace
        self._began = clock.monotonic_seconds()
        self._taken = 0
        self._lock = threading.Lock()
        self.moved = self._began
        """When something was last acknowledged."""
        self.latencies: list[float] = []
        self.spans = self.retries = 0
        self.refused = ""

    def take(self) -> tuple[bytes, int] | None:
        with self._lock:
            taken = None if self.refused else next(self._bodies, None)
            if taken is None or self._pace is None:
                return taken
            due = self._began + self._taken / self._pace
            self._taken += taken[1]
        time.sleep(max(0.0, due - clock.monotonic_seconds()))
        return taken

    def done(self, latencies: list[float], spans: int, retries: int) -> None:
        with self._lock:
            self.latencies += latencies
            self.spans += spans
            self.retries += retries


def send_all(
    endpoint: str,
    workload: Workload,
    protocol: str,
    connections: int,
    pace_spans_per_second: float | None = None,
) -> Sent:
    """Send the whole workload; return when everything is acknowledged.

    Args:
        endpoint: Where to, such as `http://localhost:4318`.
        workload: What.
        protocol: `grpc` or `http/protobuf`.
        connections: Each has one request on its way.
        pace_spans_per_second: No faster than this; None is as fast as it goes.

    Raises:
        RuntimeError: A request was refused for good, or not acknowledged after a long time.
    """
    with workload.bodies() as bodies:
        queue = _Queue(bodies, pace_spans_per_second)
        threads = [
            threading.Thread(target=_send, args=(queue, endpoint, protocol))
            for _ in range(connections)
        ]
        began = clock.monotonic_seconds()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = clock.monotonic_seconds() - began
    if queue.refused:
        raise RuntimeError(f"refusing to report: a request was refused: {queue.refused}")
    return Sent(
        queue.spans,
        len(queue.latencies),
        seconds,
        began,
        spread_of(queue.latencies),
        queue.retries,
    )


def _send(queue: _Queue, endpoint: str, protocol: str) -> None:
    sender = open_sender(endpoint, protocol, {})
    latencies: list[float] = []
    sent = retries = 0
    pause = threading.Event()
    while (taken := queue.take()) is not None:
        body, spans = taken
        while True:
            started = clock.monotonic_seconds()
            reply = sender.send(body)
            if reply.outcome is not Outcome.RETRY:
                break
            if clock.monotonic_seconds() - queue.moved > _STANDSTILL_SECONDS_MAX:
                break
            retries += 1
            pause.wait(reply.retry_after_seconds or _RETRY_SECONDS)
        if reply.outcome is not Outcome.ACCEPTED or reply.refused_spans:
            queue.refused = reply.message or "spans were rejected"
            break
        queue.moved = clock.monotonic_seconds()
        latencies.append(queue.moved - started)
        sent += spans
    sender.close()
    queue.done(latencies, sent, retries)


def small_requests(workload: Workload, count: int, seed: int = 11) -> list[tuple[bytes, int]]:
    """Return `count` requests of 1 to 10 spans of the workload, with span ids of their own."""
    draw = random.Random(seed)
    small: list[tuple[bytes, int]] = []
    with workload.bodies() as bodies:
        for body, _ in bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans = list(scope.spans)
                    while spans and len(small) < count:
                        part = spans[: draw.randint(1, _SMALL_SPANS_MAX)]
                        del spans[: len(part)]
                        request = ExportTraceServiceRequest()
                        group = request.resource_spans.add(resource=resource.resource)
                        for span in part:
                            span.span_id = draw.randbytes(8)
                        group.scope_spans.add(scope=scope.scope, spans=part)
                        small.append((request.SerializeToString(), len(part)))
            if len(small) == count:
                break
    return small


async def _send_small(
    port: int, requests: list[tuple[bytes, int]], channels: int, calls: int
) -> None:
    """Keep `calls` requests on their way over each of `channels` connections."""
    queue = iter(requests)

    async def run(export: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]) -> None:
        for body, _ in queue:
            await export(body, timeout=30)

    options = (("grpc.use_local_subchannel_pool", 1),)
    open_channels = [
        grpc.aio.insecure_channel(f"localhost:{port}", options) for _ in range(channels)
    ]
    exports = [channel.unary_unary(_EXPORT, bytes, bytes) for channel in open_channels]
    await asyncio.gather(*(run(export) for export in exports for _ in range(calls)))
    for channel in open_channels:
        await channel.close(None)


def send_small(
    server: Server, requests: list[tuple[bytes, int]], channels: int, calls: int
) -> tuple[float, float]:
    """Send small requests over gRPC.

    Returns:
        Requests a second of wall time, and processor seconds of the server for each request until
        all are acknowledged.
    """
    cpu, began = server.cpu(), clock.monotonic_seconds()
    asyncio.run(_send_small(server.ports["grpc"], requests, channels, calls))
    seconds = clock.monotonic_seconds() - began
    return len(requests) / seconds, (server.cpu() - cpu) / len(requests)


def send_paced(
    server: Server, requests: list[tuple[bytes, int]], pace_spans_per_second: float
) -> None:
    """Send requests over one gRPC connection, no faster than the pace."""
    sender = open_sender(f"http://localhost:{server.ports['grpc']}", "grpc", {})
    began, sent = clock.monotonic_seconds(), 0
    for body, spans in requests:
        time.sleep(max(0.0, began + sent / pace_spans_per_second - clock.monotonic_seconds()))
        if sender.send(body).outcome is not Outcome.ACCEPTED:
            raise RuntimeError("refusing to report: a request of the trickle was refused")
        sent += spans
    sender.close()
