"""Jaeger's thrift, a `Batch` or an agent's message, as OTLP.

Source: jaeger-idl `thrift/jaeger.thrift` and `thrift/agent.thrift`; reference jaeger.md 2.1. What
is required there is required here: Go's generated readers refuse a struct without it.
"""

from __future__ import annotations

from typing import Any, Final

from lymer.wire.bounds import check_span_count
from lymer.wire.jaeger_to_otlp import (
    Kind,
    Reference,
    Span,
    Tag,
    event_bytes,
    request_bytes,
    resource_bytes,
    span_bytes,
    tag,
)
from lymer.wire.otlp_proto import CheckedRequest, check_request
from lymer.wire.thrift import (
    BINARY,
    BOOL,
    DOUBLE,
    I32,
    I64,
    Protocol,
    list_of,
    read_message,
    read_struct,
    struct,
)

__all__ = ["otlp_from_message", "request_from_batch"]

_NANO_PER_MICRO: Final = 1_000
_U64: Final = 2**64 - 1


def request_from_batch(body: bytes) -> CheckedRequest:
    """Return what a `Batch` in the binary protocol says, as a body on port 14268 holds it.

    Raises:
        UndecodableError: `body` is no such batch.
    """
    return check_request(read_struct(body, _BATCH, Protocol.BINARY))


def otlp_from_message(datagram: bytes, protocol: Protocol) -> bytes:
    """Return an `emitBatch` as an `ExportTraceServiceRequest` nobody checked for UTF-8 yet.

    Several, joined, are one request: check them together.

    Raises:
        UndecodableError: `datagram` is no `emitBatch`. `emitZipkinBatch` is none: Jaeger v2 reads
            it on no port.
    """
    otlp: bytes = read_message(datagram, _CALLS, protocol)[1]
    return otlp


def _tag(
    *,
    key: bytes,
    kind: int,
    text: bytes = b"",
    double: float = 0.0,
    flag: bool = False,
    long: int = 0,
    binary: bytes = b"",
) -> Tag:
    # By how often they come. The numbers are `TagType`'s, which are not api_v2's.
    if kind == 0:
        return tag(key, Kind.TEXT, text)
    if kind == 3:
        return tag(key, Kind.INT, long)
    if kind == 2:
        return tag(key, Kind.BOOL, flag)
    if kind == 1:
        return tag(key, Kind.DOUBLE, double)
    if kind == 4:
        return tag(key, Kind.BYTES, binary)
    return tag(key, Kind.TEXT, b'<Unknown Jaeger TagType "<UNSET>">')


def _log(*, timestamp: int, fields: list[Tag]) -> bytes:
    return event_bytes(timestamp * _NANO_PER_MICRO, fields)


def _reference(*, kind: int, trace_low: int, trace_high: int, span_id: int) -> Reference:
    return Reference(kind, trace_high & _U64, trace_low & _U64, span_id & _U64)


def _span(  # noqa: PLR0913 - the fields of the struct
    *,
    trace_low: int,
    trace_high: int,
    span_id: int,
    parent_id: int,
    name: bytes,
    flags: int,  # noqa: ARG001 - required and dropped, as in Jaeger v2
    start: int,
    duration: int,
    references: list[Reference] | tuple[()] = (),
    tags: list[Tag] | tuple[()] = (),
    logs: list[bytes] | tuple[()] = (),
) -> Span:
    own = Reference(0, trace_high & _U64, trace_low & _U64, span_id & _U64)
    times = (start * _NANO_PER_MICRO, (start + duration) * _NANO_PER_MICRO)
    return span_bytes(own, parent_id & _U64, name, times, tags, logs, references)


def _process(*, service: bytes, tags: list[Tag] | tuple[()] = ()) -> bytes:
    return resource_bytes(service, tags)


def _batch(*, process: bytes, spans: list[Span]) -> bytes:
    check_span_count(len(spans), "the batch")
    return request_bytes(process, spans)


def _arguments(*, batch: bytes) -> bytes:
    return batch


_TAG: Final = struct(_tag, {
    1: ("key", BINARY), 2: ("kind", I32), 3: ("text", BINARY), 4: ("double", DOUBLE),
    5: ("flag", BOOL), 6: ("long", I64), 7: ("binary", BINARY),
})  # fmt: skip
_LOG: Final = struct(_log, {1: ("timestamp", I64), 2: ("fields", list_of(_TAG))})
_REFERENCE: Final = struct(_reference, {
    1: ("kind", I32), 2: ("trace_low", I64), 3: ("trace_high", I64), 4: ("span_id", I64),
})  # fmt: skip
_SPAN: Final = struct(_span, {
    1: ("trace_low", I64), 2: ("trace_high", I64), 3: ("span_id", I64), 4: ("parent_id", I64),
    5: ("name", BINARY), 6: ("references", list_of(_REFERENCE)), 7: ("flags", I32),
    8: ("start", I64), 9: ("duration", I64), 10: ("tags", list_of(_TAG)),
    11: ("logs", list_of(_LOG)),
})  # fmt: skip
_PROCESS: Final = struct(_process, {1: ("service", BINARY), 2: ("tags", list_of(_TAG))})
_BATCH: Final = struct(_batch, {1: ("process", _PROCESS), 2: ("spans", list_of(_SPAN))})
_CALLS: Final[dict[str, Any]] = {"emitBatch": struct(_arguments, {1: ("batch", _BATCH)})}
