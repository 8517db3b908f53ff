"""How long others wait beside one hostile request: `python -m bench.bystander`.

Two bystanders, each on a connection of its own, send a small request and ask `/api/services`, over
and over, while another process sends one request that is small to send and much work. The slowest
answer of each is set against the slowest without such a request, measured just before. It should
be at most 250 ms more. A busy machine spoils that: the load stands above the table.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import multiprocessing
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from bench.process import require_linux
from bench.server import Server
from lymer import clock

_EXTRA_SECONDS_MAX: Final = 0.25
_WITHOUT_SECONDS: Final = 3.0
_AFTER_SECONDS: Final = 2.0
"""The bystanders are watched so long after the answer, for what is left to do."""
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"


def _span(number: int) -> Span:
    return Span(trace_id=bytes(15) + b"\x07", span_id=number.to_bytes(8, "big"), name="work")


def _request(*spans: Span, resource: str = "") -> bytes:
    described = Resource(
        attributes=[KeyValue(key="service.name", value=AnyValue(string_value="bystander"))]
    )
    if resource:
        described.attributes.add(key="big", value=AnyValue(string_value=resource))
    inside = ResourceSpans(resource=described, scope_spans=[ScopeSpans(spans=spans)])
    return ExportTraceServiceRequest(resource_spans=[inside]).SerializeToString()


def _sized(tag: bytes, content: bytes) -> bytes:
    size, length = len(content), bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    return tag + bytes([*length, size]) + content


def _in_scope(spans: bytes) -> bytes:
    return _sized(b"\x0a", _sized(b"\x12", spans))


def _json(inside: str) -> bytes:
    return ('{"resourceSpans":[{"scopeSpans":[{"spans":[' + inside + "]}]}]}").encode()


def _deep(depth: int) -> str:
    value = '{"stringValue":"x"}'
    for _ in range(depth):
        value = '{"arrayValue":{"values":[' + value + "]}}"
    return '{"attributes":[{"key":"k","value":' + value + "}]}"


_Make = Callable[[], tuple[str, str, bytes]]
SHAPES: Final[dict[str, _Make]] = {
    "4,000,000 empty spans": lambda: ("/v1/traces", _PROTOBUF, _in_scope(b"\x12\x00" * 4_000_000)),
    "9,000,000 empty attributes": lambda: (
        "/v1/traces", _PROTOBUF, _in_scope(_sized(b"\x12", b"\x4a\x00" * 9_000_000)),
    ),
    "1 MB of resource over 5,000 spans": lambda: (
        "/v1/traces", _PROTOBUF, _request(*map(_span, range(1, 5_001)), resource="r" * 1_000_000),
    ),
    "100,000 usual spans": lambda: (
        "/v1/traces", _PROTOBUF, _request(*map(_span, range(1, 100_001))),
    ),
    "protobuf cut short": lambda: ("/v1/traces", _PROTOBUF, _in_scope(b"\x12\x7f" * 4_000_000)),
    "6,000,000 empty JSON objects": lambda: ("/v1/traces", _JSON, _json("{}," * 6_000_000 + "{}")),
    "190,000 JSON spans": lambda: ("/v1/traces", _JSON, _json("{}," * 190_000 + "{}")),
    "20,000 JSON values, 30 deep": lambda: (
        "/v1/traces", _JSON, _json(",".join([_deep(29)] * 20_000)),
    ),
    "one JSON text of 18 MB": lambda: (
        "/v1/traces", _JSON, _json('{"name":"' + "\\u00e9" * 3_000_000 + '"}'),
    ),
    "2,000,000 numbers": lambda: ("/v1/traces", _JSON, b"[" + b"1," * 2_000_000 + b"1]"),
    "lists, 100,000 deep": lambda: ("/v1/traces", _JSON, b"[" * 100_000),
}  # fmt: skip


def main() -> int:
    """Measure every shape; return 1 if somebody waited too long."""
    parser = argparse.ArgumentParser(prog="python -m bench.bystander", description=__doc__)
    parser.add_argument("--only", default="", help="shapes with this in their names")
    only = parser.parse_args().only
    require_linux()
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print(f"{'':<36}{'status':>7}{'answer':>9}{'acknowledged':>20}{'/api/services':>20}")
    late = 0
    with tempfile.TemporaryDirectory(prefix="lymer-bench-") as folder, Server(Path(folder)) as it:
        for name, make in SHAPES.items():
            if only in name:
                late += _measure(it, name, *make())
    print(f"\nslowest beside (without); {late} more than {_EXTRA_SECONDS_MAX * 1000:.0f} ms longer")
    return 1 if late else 0


def _measure(server: Server, name: str, path: str, kind: str, body: bytes) -> int:
    _watched(server, threading.Event().wait, 0.5)  # whatever the last one left
    without = _watched(server, threading.Event().wait, _WITHOUT_SECONDS)
    spawning = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[tuple[int, float]] = spawning.Queue()
    packed = gzip.compress(body, 6)
    arguments = (server.ports["http"], path, kind, packed, answers)
    sender = spawning.Process(target=_send, args=arguments)
    found: list[tuple[int, float]] = []

    def send() -> None:
        sender.start()
        found.append(answers.get(timeout=180))
        sender.join()
        threading.Event().wait(_AFTER_SECONDS)

    beside = _watched(server, send)
    ((status, seconds),) = found
    cells = [
        f"{1000 * slow:.0f} ({1000 * usual:.0f}) ms"
        for slow, usual in zip(beside, without, strict=True)
    ]
    print(f"{name:<36}{status:>7}{seconds:>7.1f} s{cells[0]:>20}{cells[1]:>20}", flush=True)
    return sum(
        slow - usual > _EXTRA_SECONDS_MAX for slow, usual in zip(beside, without, strict=True)
    )


def _send(
    port: int, path: str, kind: str, body: bytes, answers: multiprocessing.Queue[tuple[int, float]]
) -> None:
    connection = http.client.HTTPConnection("localhost", port, timeout=170)
    began = clock.monotonic_seconds()
    connection.request("POST", path, body, {"Content-Type": kind, "Content-Encoding": "gzip"})
    status = connection.getresponse().status
    answers.put((status, clock.monotonic_seconds() - began))


def _watched(server: Server, call: Callable[..., object], *given: object) -> tuple[float, float]:
    """Return the slowest acknowledgement and answer while `call` runs."""
    over = threading.Event()
    small = _request(_span(1))
    slowest = [0.0, 0.0]

    def stand(which: int, port: int, method: str, path: str, body: bytes | None) -> None:
        connection = http.client.HTTPConnection("localhost", port, timeout=170)
        while not over.wait(0.02):
            began = clock.monotonic_seconds()
            connection.request(method, path, body, {"Content-Type": _PROTOBUF} if body else {})
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise RuntimeError(f"cannot measure: {path} answers {response.status}")
            slowest[which] = max(slowest[which], clock.monotonic_seconds() - began)
        connection.close()

    standing = [
        threading.Thread(target=stand, args=(0, server.ports["http"], "POST", "/v1/traces", small)),
        threading.Thread(
            target=stand, args=(1, server.ports["query"], "GET", "/api/services", None)
        ),
    ]
    for one in standing:
        one.start()
    call(*given)
    over.set()
    for one in standing:
        one.join()
    return slowest[0], slowest[1]


if __name__ == "__main__":
    sys.exit(main())
