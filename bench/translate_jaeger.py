"""Spans a second of one core, Jaeger to checked OTLP: `python -m bench.translate_jaeger`.

A batch of 100 spans with ten tags, three of them different on every span, and one log. Beside our
translation, end to end, stands what the format's reference library takes only to decode the same
bytes to objects: Apache's `thrift` in C and in Python, Google's `protobuf` in C.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, Final

from thrift.protocol.TBinaryProtocol import (  # type: ignore[import-untyped]
    TBinaryProtocol,
    TBinaryProtocolAccelerated,
)
from thrift.protocol.TCompactProtocol import (  # type: ignore[import-untyped]
    TCompactProtocolAccelerated,
)
from thrift.Thrift import TType  # type: ignore[import-untyped]
from thrift.transport.TTransport import TMemoryBuffer  # type: ignore[import-untyped]

from lymer.wire.jaeger_proto import PostSpansRequest, request_from_post_spans
from lymer.wire.jaeger_thrift import otlp_from_message, request_from_batch
from lymer.wire.otlp_proto import check_request
from lymer.wire.thrift import Protocol

_SPANS: Final = 100
_START_MICRO: Final = 1_795_365_820_000_000
_GOAL: Final = 25_000
"""Spans a second of one core that Lymer promises."""


class _Struct:
    """What thrift's generator makes of a struct: attributes and a list of them."""

    thrift_spec: tuple[Any, ...] = ()

    def __init__(self, **values: object) -> None:
        for spec in self.thrift_spec[1:]:
            setattr(self, spec[2], values.get(spec[2]))

    def read(self, protocol: Any) -> None:
        """Fill from a protocol."""
        if protocol._fast_decode is not None:  # noqa: SLF001 - what generated code calls
            protocol._fast_decode(self, protocol, [self.__class__, self.thrift_spec])  # noqa: SLF001
        else:
            protocol.readStruct(self, self.thrift_spec)


def _spec(*fields: tuple[int, str, object]) -> tuple[Any, ...]:
    numbered = [(n, kind, name, arg, None) for n, (kind, name, arg) in enumerate(fields, 1)]
    return (None, *numbered)


class _Tag(_Struct):
    thrift_spec = _spec(
        (TType.STRING, "key", "UTF8"), (TType.I32, "vType", None), (TType.STRING, "vStr", "UTF8"),
        (TType.DOUBLE, "vDouble", None), (TType.BOOL, "vBool", None), (TType.I64, "vLong", None),
    )  # fmt: skip


_TAGS: Final = (TType.STRUCT, [_Tag, _Tag.thrift_spec], False)


class _Log(_Struct):
    thrift_spec = _spec((TType.I64, "timestamp", None), (TType.LIST, "fields", _TAGS))


class _Span(_Struct):
    thrift_spec = _spec(
        (TType.I64, "traceIdLow", None), (TType.I64, "traceIdHigh", None),
        (TType.I64, "spanId", None), (TType.I64, "parentSpanId", None),
        (TType.STRING, "operationName", "UTF8"),
        (TType.LIST, "references", (TType.STRUCT, [_Tag, _Tag.thrift_spec], False)),
        (TType.I32, "flags", None), (TType.I64, "startTime", None), (TType.I64, "duration", None),
        (TType.LIST, "tags", _TAGS),
        (TType.LIST, "logs", (TType.STRUCT, [_Log, _Log.thrift_spec], False)),
    )  # fmt: skip


class _Process(_Struct):
    thrift_spec = _spec((TType.STRING, "serviceName", "UTF8"), (TType.LIST, "tags", _TAGS))


class _Batch(_Struct):
    thrift_spec = _spec(
        (TType.STRUCT, "process", [_Process, _Process.thrift_spec]),
        (TType.LIST, "spans", (TType.STRUCT, [_Span, _Span.thrift_spec], False)),
    )


class _EmitBatch(_Struct):
    thrift_spec = _spec((TType.STRUCT, "batch", [_Batch, _Batch.thrift_spec]))


def _tags(number: int) -> list[tuple[str, object]]:
    return [
        ("span.kind", "server"),
        ("component", "net/http"),
        ("http.method", "GET"),
        ("http.status_code", 200),
        ("http.url", f"http://shop.example/orders/{number * 7919}?page={number}"),
        ("peer.ipv4", f"10.0.{number % 256}.{number % 199}"),
        ("request.id", f"{number * 2_654_435_761:032x}"),
        ("cached", number % 2 == 0),
        ("internal.span.format", "jaeger"),
        ("sampler.type", "const"),
    ]


def _thrift_tag(key: str, value: object) -> _Tag:
    if isinstance(value, bool):
        return _Tag(key=key, vType=2, vBool=value)
    if isinstance(value, int):
        return _Tag(key=key, vType=3, vLong=value)
    return _Tag(key=key, vType=0, vStr=value)


def _thrift_batch(first: int, spans: int = _SPANS) -> _Batch:
    return _Batch(
        process=_Process(serviceName="shop", tags=[_thrift_tag("hostname", "host-1")]),
        spans=[
            _Span(
                traceIdLow=number * 31, traceIdHigh=number, spanId=number, parentSpanId=1,
                operationName="GET /orders", flags=1, startTime=_START_MICRO + number,
                duration=1_000 + number,
                tags=[_thrift_tag(key, value) for key, value in _tags(number)],
                logs=[
                    _Log(
                        timestamp=_START_MICRO + number,
                        fields=[_thrift_tag("event", "found"), _thrift_tag("rows", number % 9)],
                    )
                ],
            )
            for number in range(first, first + spans)
        ],
    )  # fmt: skip


def _encode(struct: _Struct, accelerated: Any) -> bytes:
    protocol = accelerated(TMemoryBuffer(), fallback=False)
    body: bytes = protocol._fast_encode(  # noqa: SLF001 - what generated code calls
        struct, [struct.__class__, struct.thrift_spec]
    )
    return body


def compact_message(first: int, spans: int = _SPANS) -> bytes:
    """Return a datagram of `spans` spans as Jaeger's clients send it to port 6831."""
    name = b"emitBatch"
    head = b"\x82\x81\x01" + bytes((len(name),)) + name
    return head + _encode(
        _EmitBatch(batch=_thrift_batch(first, spans)), TCompactProtocolAccelerated
    )


def _fill_tag(tag: Any, key: str, value: object) -> None:
    tag.key = key.encode()
    if isinstance(value, bool):
        tag.v_type, tag.v_bool = 1, value
    elif isinstance(value, int):
        tag.v_type, tag.v_int64 = 2, value
    else:
        tag.v_str = str(value).encode()


def _post_spans(first: int) -> bytes:
    request = PostSpansRequest()
    batch = request.batch
    batch.process.service_name = b"shop"
    _fill_tag(batch.process.tags.add(), "hostname", "host-1")
    for number in range(first, first + _SPANS):
        span = batch.spans.add(
            trace_id=number.to_bytes(16, "big"),
            span_id=number.to_bytes(8, "big"),
            operation_name=b"GET /orders",
        )
        span.references.add(trace_id=span.trace_id, span_id=(1).to_bytes(8, "big"))
        span.start_time.seconds, span.duration.nanos = _START_MICRO // 1_000_000, number
        for key, value in _tags(number):
            _fill_tag(span.tags.add(), key, value)
        log = span.logs.add()
        log.timestamp.seconds = _START_MICRO // 1_000_000
        _fill_tag(log.fields.add(), "event", "found")
        _fill_tag(log.fields.add(), "rows", number % 9)
    body: bytes = request.SerializeToString()
    return body


def _decode_thrift(protocol_class: Any, **options: object) -> Callable[[bytes], object]:
    def decode(body: bytes) -> object:
        batch = _Batch()
        batch.read(protocol_class(TMemoryBuffer(body), **options))
        return batch

    return decode


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
    firsts = range(1, 400 * _SPANS, _SPANS)
    binary = [_encode(_thrift_batch(first), TBinaryProtocolAccelerated) for first in firsts]
    compact = [compact_message(first) for first in firsts]
    proto = [_post_spans(first) for first in firsts]
    lines: list[tuple[str, Callable[[bytes], object], list[bytes]]] = [
        ("thrift binary: Lymer, to OTLP", request_from_batch, binary),
        (
            "thrift binary: Apache in C, decode only",
            _decode_thrift(TBinaryProtocolAccelerated, fallback=False), binary,
        ),
        (
            "thrift binary: Apache in Python, decode only",
            _decode_thrift(TBinaryProtocol), binary,
        ),
        (
            "thrift compact message: Lymer, to OTLP",
            lambda body: check_request(otlp_from_message(body, Protocol.COMPACT)), compact,
        ),
        ("api_v2 protobuf: Lymer, to OTLP", request_from_post_spans, proto),
        ("api_v2 protobuf: Google in C, decode only", PostSpansRequest.FromString, proto),
    ]  # fmt: skip
    for name, work, bodies in lines:
        rate = _measure(work, bodies, seconds)
        size = sum(map(len, bodies)) // (len(bodies) * _SPANS)
        verdict = ""
        if "Lymer" in name:
            verdict = "reached" if rate >= _GOAL else "MISSED"
            verdict = f"  goal {_GOAL:,}: {verdict}"
        print(f"{name:46} {rate:10,.0f} spans/s  {1e6 / rate:6.1f} µs  {size:4} B{verdict}")


if __name__ == "__main__":
    main()
