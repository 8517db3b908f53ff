"""Memory of a server beside readers of very large traces: `python -m bench.large_answers`.

Several different traces of so many spans, ten attributes each, half of them unlike all others, are
read over and over at once by their ids; the most that the process ever held is set against what the
operations page says. Each reader repeats what is refused for want of its turn.
"""

from __future__ import annotations

import argparse
import http.client
import os
import secrets
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from bench.process import require_linux
from bench.server import Server
from lymer import clock

_REQUEST_SPANS: Final = 2_000
_MEMORY_BYTES_MAX: Final = 1.2 * 2**30
_PIECE_BYTES: Final = 2**20
_READ_SECONDS_MAX: Final = 1_800.0


def _attribute(key: str, text: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=text))


def _request(trace: int, first: int, count: int) -> bytes:
    service = Resource(attributes=[_attribute("service.name", "large")])
    start = clock.unix_nano()
    spans = [
        Span(
            trace_id=trace.to_bytes(16, "big"),
            span_id=(number + 1).to_bytes(8, "big"),
            parent_span_id=(number // 10 + 1).to_bytes(8, "big") if number else b"",
            name=f"operation {number % 50}",
            start_time_unix_nano=start + number * 1_000,
            end_time_unix_nano=start + number * 1_000 + 500_000,
            attributes=[_attribute(f"own.{one}", secrets.token_hex(16)) for one in range(5)]
            + [_attribute(f"shared.{one}", f"value {number % 7} of many") for one in range(5)],
        )
        for number in range(first, first + count)
    ]
    inside = ResourceSpans(resource=service, scope_spans=[ScopeSpans(spans=spans)])
    return ExportTraceServiceRequest(resource_spans=[inside]).SerializeToString()


def _send(server: Server, traces: int, spans: int) -> None:
    link = http.client.HTTPConnection("localhost", server.ports["http"], timeout=120)
    for trace in range(1, 1 + traces):
        for first in range(0, spans, _REQUEST_SPANS):
            body = _request(trace, first, min(_REQUEST_SPANS, spans - first))
            link.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
            answer = link.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"cannot measure: status {answer.status}")
    server.wait_stored(traces * spans)


class _Reader(threading.Thread):
    """Reads one trace once, however often it is told to come back."""

    def __init__(self, port: int, trace: int) -> None:
        super().__init__()
        self._port = port
        self._trace = trace
        self.bytes_read = self.refused = 0
        self.first_seconds = self.seconds = 0.0

    def run(self) -> None:
        started = clock.monotonic_seconds()
        while clock.monotonic_seconds() - started < _READ_SECONDS_MAX:
            link = http.client.HTTPConnection("localhost", self._port, timeout=300)
            link.request("GET", f"/api/traces/{self._trace:032x}")
            answer = link.getresponse()
            size = len(answer.read(1))
            self.first_seconds = clock.monotonic_seconds() - started
            while piece := answer.read(_PIECE_BYTES):
                size += len(piece)
            link.close()
            if answer.status == http.HTTPStatus.OK:
                self.bytes_read = size
                self.seconds = clock.monotonic_seconds() - started
                return
            self.refused += 1
            time.sleep(float(answer.headers.get("Retry-After", "1")))


def main() -> int:
    """Measure; return whether the memory was kept to."""
    parser = argparse.ArgumentParser(prog="python -m bench.large_answers", description=__doc__)
    parser.add_argument("--spans", type=int, default=300_000, help="of each trace (300,000)")
    parser.add_argument("--traces", type=int, default=2, help="different ones (2)")
    parser.add_argument("--readers", type=int, default=8, help="at once (8)")
    arguments = parser.parse_args()
    require_linux()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        with Server(Path(folder)) as server:
            _send(server, arguments.traces, arguments.spans)
            server.wait_loaded()
        with Server(Path(folder)) as server:  # another one: its peak is the readers' alone
            idle = server.memory()
            readers = [
                _Reader(server.ports["query"], 1 + number % arguments.traces)
                for number in range(arguments.readers)
            ]
            for reader in readers:
                reader.start()
            for reader in readers:
                reader.join()
            peak, cpu = server.peak_memory(), server.cpu()
    print(f"load of the machine before: {load:.1f}")
    print(
        f"memory at rest: {idle / 2**20:.0f} MiB; at most: {peak / 2**20:.0f} MiB; CPU {cpu:.0f} s"
    )
    for reader in readers:
        print(
            f"answer of {reader.bytes_read / 1e6:.0f} MB, first byte after "
            f"{reader.first_seconds:.0f} s, last after {reader.seconds:.0f} s, "
            f"told to come back {reader.refused} times"
        )
    is_whole = len({reader.bytes_read for reader in readers}) == 1 and readers[0].bytes_read > 0
    return 0 if peak <= _MEMORY_BYTES_MAX and is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
