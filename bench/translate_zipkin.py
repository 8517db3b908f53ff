"""Spans a second of one core, Zipkin to checked OTLP: `python -m bench.translate_zipkin`.

A request of 100 spans as a web service sends them: eight tags, three of them different on every
span, one annotation, both endpoints. Beside our translation, end to end, stands what the format's
reference library takes only to decode the same bytes to objects: orjson for JSON, Google's
`protobuf` in C.
"""

from __future__ import annotations

import argparse
import struct
import time
from collections.abc import Callable
from typing import Any, Final

import orjson

from lymer.wire.zipkin_proto import ListOfSpans, request_from_zipkin_proto
from lymer.wire.zipkin_thrift import request_from_zipkin_thrift
from lymer.wire.zipkin_v1 import request_from_zipkin_v1_json
from lymer.wire.zipkin_v2 import request_from_zipkin_v2_json

_SPANS: Final = 100
_REQUESTS: Final = 200
_START_MICRO: Final = 1_795_365_820_000_000
_GOAL: Final = 20_000
"""Spans a second of one core that Lymer promises for Zipkin's JSON."""
_GOAL_FORMATS: Final = ("v1 JSON", "v2 JSON")


def _tags(number: int) -> dict[str, str]:
    return {
        "component": "net/http",
        "http.method": "GET",
        "http.path": "/orders",
        "http.status_code": "200",
        "http.url": f"http://shop.example/orders/{number * 7919}?page={number}",
        "node_id": "node-1",
        "request.id": f"{number * 2_654_435_761:032x}",
        "request_size": str(number % 5000),
    }


def _v2(number: int) -> dict[str, Any]:
    return {
        "traceId": f"{number * 31:032x}",
        "id": f"{number:016x}",
        "parentId": f"{number + 1:016x}",
        "name": "get /orders",
        "kind": "SERVER",
        "timestamp": _START_MICRO + number,
        "duration": 1_000 + number,
        "localEndpoint": {"serviceName": "shop", "ipv4": "10.0.0.1", "port": 8080},
        "remoteEndpoint": {"ipv4": f"10.0.{number % 256}.{number % 199}", "port": number % 60_000},
        "annotations": [{"timestamp": _START_MICRO + number, "value": "found"}],
        "tags": _tags(number),
    }


def _v1(number: int) -> dict[str, Any]:
    here = {"serviceName": "shop", "ipv4": "10.0.0.1", "port": 8080}
    there = {"serviceName": "web", "ipv4": f"10.0.{number % 256}.{number % 199}", "port": 1}
    tags = [{"key": key, "value": value, "endpoint": here} for key, value in _tags(number).items()]
    start = _START_MICRO + number
    return {
        "traceId": f"{number * 31:032x}",
        "id": f"{number:016x}",
        "parentId": f"{number + 1:016x}",
        "name": "get /orders",
        "timestamp": start,
        "duration": 1_000 + number,
        "annotations": [
            {"timestamp": start + after, "value": value, "endpoint": here}
            for after, value in ((0, "sr"), (5, "found"), (1_000 + number, "ss"))
        ],
        "binaryAnnotations": [*tags, {"key": "ca", "value": True, "endpoint": there}],
    }


def _proto(numbers: range) -> bytes:
    message = ListOfSpans()
    for number in numbers:
        span = message.spans.add(
            trace_id=number.to_bytes(16, "big"),
            id=number.to_bytes(8, "big"),
            parent_id=(number + 1).to_bytes(8, "big"),
            name=b"get /orders",
            kind=2,
            timestamp=_START_MICRO + number,
            duration=1_000 + number,
        )
        span.local_endpoint.service_name = b"shop"
        span.local_endpoint.ipv4, span.local_endpoint.port = b"\x0a\0\0\x01", 8080
        span.remote_endpoint.ipv4 = bytes((10, 0, number % 256, number % 199))
        span.remote_endpoint.port = number % 60_000
        span.annotations.add(timestamp=_START_MICRO + number, value=b"found")
        for key, value in _tags(number).items():
            span.tags.add(key=key.encode(), value=value.encode())
    body: bytes = message.SerializeToString()
    return body


def _field(kind: int, number: int, content: bytes) -> bytes:
    return struct.pack(">bh", kind, number) + content


def _text(number: int, value: bytes) -> bytes:
    return _field(11, number, struct.pack(">i", len(value)) + value)


def _structs(number: int, members: list[bytes]) -> bytes:
    head = struct.pack(">bi", 12, len(members))
    return _field(15, number, head + b"".join(member + b"\0" for member in members))


def _i64(number: int, value: int) -> bytes:
    return _field(10, number, struct.pack(">q", value))


def _thrift_span(number: int) -> bytes:
    host = _field(8, 1, b"\x0a\0\0\x01") + _field(6, 2, struct.pack(">h", 8080)) + _text(3, b"shop")
    here = _field(12, 3, host + b"\0")
    start = _START_MICRO + number
    annotations = [
        _i64(1, start + after) + _text(2, value) + here
        for after, value in ((0, b"sr"), (5, b"found"), (1_000 + number, b"ss"))
    ]
    tags = [
        _text(1, key.encode())
        + _text(2, value.encode())
        + _field(8, 3, b"\0\0\0\x06")
        + _field(12, 4, host + b"\0")
        for key, value in _tags(number).items()
    ]
    return (
        _i64(1, number * 31) + _text(3, b"get /orders") + _i64(4, number) + _i64(5, number + 1)
        + _structs(6, annotations) + _structs(8, tags) + _i64(10, start) + _i64(11, 1_000 + number)
        + b"\0"
    )  # fmt: skip


def _thrift(numbers: range) -> bytes:
    return struct.pack(">bi", 12, len(numbers)) + b"".join(map(_thrift_span, numbers))


def _measure(work: Callable[[bytes], object], bodies: list[bytes], seconds: float) -> float:
    """Return spans a second of CPU, the best of five runs; each body is seen once in a run."""
    best = 0.0
    for _ in range(5):
        done = 0
        started = time.process_time()
        while time.process_time() - started < seconds / 5:
            work(bodies[done % len(bodies)])
            done += 1
        best = max(best, done * _SPANS / (time.process_time() - started))
    return best


def main() -> None:
    """Measure all formats and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="CPU seconds for each line")
    seconds = parser.parse_args().seconds
    batches = [range(n, n + _SPANS) for n in range(1, _REQUESTS * _SPANS, _SPANS)]
    v2_json = [orjson.dumps([_v2(number) for number in batch]) for batch in batches]
    v1_json = [orjson.dumps([_v1(number) for number in batch]) for batch in batches]
    v2_proto = [_proto(batch) for batch in batches]
    v1_thrift = [_thrift(batch) for batch in batches]
    lines: list[tuple[str, Callable[[bytes], object], list[bytes]]] = [
        ("v2 JSON: Lymer, to OTLP", request_from_zipkin_v2_json, v2_json),
        ("v2 JSON: orjson, decode only", orjson.loads, v2_json),
        ("v2 protobuf: Lymer, to OTLP", request_from_zipkin_proto, v2_proto),
        ("v2 protobuf: Google in C, decode only", ListOfSpans.FromString, v2_proto),
        ("v1 JSON: Lymer, to OTLP", lambda body: request_from_zipkin_v1_json(body, 1), v1_json),
        ("v1 JSON: orjson, decode only", orjson.loads, v1_json),
        ("v1 thrift: Lymer, to OTLP", lambda body: request_from_zipkin_thrift(body, 1), v1_thrift),
    ]
    for name, work, bodies in lines:
        rate = _measure(work, bodies, seconds)
        size = sum(map(len, bodies)) // (len(bodies) * _SPANS)
        verdict = ""
        if "Lymer" in name and name.startswith(_GOAL_FORMATS):
            verdict = f"  goal {_GOAL:,}: {'reached' if rate >= _GOAL else 'MISSED'}"
        print(f"{name:40} {rate:10,.0f} spans/s  {1e6 / rate:6.1f} µs  {size:4} B{verdict}")


if __name__ == "__main__":
    main()
