"""How long after its acknowledgement a span can be found, by id and by search.

Traces of one span are sent at a steady pace; two pollers look for the oldest one not yet seen. What
is reported is the time of the answer that showed it, so polling itself is included.
"""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.asking import get
from bench.numbers import Spread, spread_of
from bench.server import Server
from lymer import clock
from lymer.roles.load_sender import Outcome, open_sender

__all__ = ["Freshness", "measure_freshness"]

_PERIOD_SECONDS = 0.25
_POLL_SECONDS = 0.02
_WAIT_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Freshness:
    """Milliseconds from acknowledgement to the first answer with the span."""

    by_id: Spread
    by_search: Spread


class _Probes:
    def __init__(self, server: Server, service: str) -> None:
        self.server = server
        self.service = service
        self.acknowledged: list[tuple[str, float]] = []
        self.sending = True

    def send(self, count: int, is_over: Callable[[], bool]) -> None:
        """Send probes at a steady pace until `count` are out or the load is over."""
        draw = random.Random()
        sender = open_sender(f"http://localhost:{self.server.ports['grpc']}", "grpc", {})
        pace = threading.Event()
        while len(self.acknowledged) < count and not is_over():
            trace_id = draw.randbytes(16)
            reply = sender.send(_probe(self.service, trace_id, draw.randbytes(8)))
            if reply.outcome is Outcome.ACCEPTED:
                self.acknowledged.append((trace_id.hex(), clock.monotonic_seconds()))
            pace.wait(_PERIOD_SECONDS * draw.uniform(0.5, 1.5))
        sender.close()
        self.sending = False

    def watch(self, is_visible: Callable[[http.client.HTTPConnection, str], bool]) -> list[float]:
        """Look for one probe after the other; return milliseconds."""
        connection = http.client.HTTPConnection(
            "localhost", self.server.ports["query"], timeout=_WAIT_SECONDS_MAX
        )
        pace, seen = threading.Event(), list[float]()
        while self.sending or len(seen) < len(self.acknowledged):
            if len(seen) == len(self.acknowledged):
                pace.wait(_POLL_SECONDS)
                continue
            trace_id, acknowledged = self.acknowledged[len(seen)]
            if is_visible(connection, trace_id):
                seen.append((clock.monotonic_seconds() - acknowledged) * 1000)
            elif clock.monotonic_seconds() - acknowledged > _WAIT_SECONDS_MAX:
                raise RuntimeError(f"refusing to report: trace {trace_id} does not appear")
            else:
                pace.wait(_POLL_SECONDS)
        connection.close()
        return seen

    def by_id(self, connection: http.client.HTTPConnection, trace_id: str) -> bool:
        return get(connection, f"/api/traces/{trace_id}")[0] == 200

    def by_search(self, connection: http.client.HTTPConnection, trace_id: str) -> bool:
        query = {"service": self.service, "tags": f'{{"probe":"{trace_id}"}}', "limit": "5"}
        _, answer = get(connection, f"/api/traces?{urlencode(query)}")
        return any(trace["traceID"] == trace_id for trace in answer["data"])


def measure_freshness(server: Server, count: int, load: Callable[[], object] | None) -> Freshness:
    """Send probes and watch for them.

    Args:
        server: Where to.
        count: Most probes.
        load: Runs meanwhile; when it ends, no more probes are sent. None for no other load.
    """
    over = threading.Event()
    probes = _Probes(server, f"bench-probe-{'idle' if load is None else 'load'}")
    results: dict[str, list[float]] = {}

    def watch(name: str) -> None:
        results[name] = probes.watch(getattr(probes, name))

    threads = [
        threading.Thread(target=probes.send, args=(count, over.is_set)),
        threading.Thread(target=watch, args=("by_id",)),
        threading.Thread(target=watch, args=("by_search",)),
    ]
    for thread in threads:
        thread.start()
    if load is not None:
        load()
        over.set()
    for thread in threads:
        thread.join()
    if len(results) < 2:
        raise RuntimeError("refusing to report: probes did not appear")
    return Freshness(spread_of(results["by_id"]), spread_of(results["by_search"]))


def _probe(service: str, trace_id: bytes, span_id: bytes) -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    name = resource.resource.attributes.add(key="service.name")
    name.value.string_value = service
    now = clock.unix_nano()
    span = resource.scope_spans.add().spans.add(
        trace_id=trace_id,
        span_id=span_id,
        name="probe",
        start_time_unix_nano=now - 1_000_000,
        end_time_unix_nano=now,
    )
    span.attributes.add(key="probe").value.string_value = trace_id.hex()
    return request.SerializeToString()
