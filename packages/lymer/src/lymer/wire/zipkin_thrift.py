"""Zipkin v1 spans in thrift, a bare list of `zipkincore.Span` in the binary protocol, to OTLP.

Source: reference jaeger.md 2.1 (`zipkincore.thrift`: field ids and types) and 2.7.
"""

from __future__ import annotations

import base64
import functools
import struct as packing
from typing import Any, Final

from lymer.errors import UndecodableError
from lymer.wire.bounds import check_span_count
from lymer.wire.otlp_proto import CheckedRequest
from lymer.wire.thrift import (
    BINARY,
    BOOL,
    I16,
    I32,
    I64,
    Protocol,
    list_of,
    read_list,
    read_message,
    struct,
)
from lymer.wire.zipkin_fields import MICRO_MAX, Endpoint, FieldError
from lymer.wire.zipkin_otlp import OtlpRequest, Value
from lymer.wire.zipkin_proto import address
from lymer.wire.zipkin_v1 import Annotation, BinaryAnnotation, SpanV1, add_span_v1

__all__ = ["otlp_from_zipkin_message", "request_from_zipkin_thrift"]

_WHAT: Final = "Zipkin v1 thrift"
_U64_MASK: Final = 2**64 - 1
_CACHED_BYTES_MAX: Final = 64
"""Endpoints with more in them are not remembered."""
_STRING: Final = 6
_NUMBERS: Final = {2: ">h", 3: ">i", 4: ">q", 5: ">d"}
"""`AnnotationType` of a number → how its bytes are packed."""


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _endpoint(
    *, ipv4: int = 0, port: int = 0, service_name: bytes = b"", ipv6: bytes = b""
) -> Endpoint:
    if len(service_name) + len(ipv6) <= _CACHED_BYTES_MAX:
        return _short_endpoint(ipv4, port, service_name, ipv6)
    return _new_endpoint(ipv4, port, service_name, ipv6)


def _new_endpoint(ipv4: int, port: int, service_name: bytes, ipv6: bytes) -> Endpoint:
    return Endpoint(
        _text(service_name),
        address((ipv4 & 0xFFFFFFFF).to_bytes(4, "big")) if ipv4 else "",
        address(ipv6) if any(ipv6) else "",
        port & 0xFFFF,
    )


_short_endpoint: Final = functools.lru_cache(1024)(_new_endpoint)
"""Every annotation of a span names its endpoint again."""


# Fields that every sender writes are required: a struct of one byte must not become an object of
# seventy, or a body within its limit would take more memory than the machine has.


def _annotation(*, timestamp: int = 0, value: bytes, host: Endpoint | None = None) -> Annotation:
    return timestamp, _text(value), host


def _binary_annotation(
    *,
    key: bytes,
    value: bytes = b"",
    annotation_type: int = _STRING,
    host: Endpoint | None = None,
) -> BinaryAnnotation:
    return _text(key), _value(annotation_type, value), host


def _value(kind: int, packed: bytes) -> Value:
    """Return a value by its `AnnotationType`; bytes are base64, and so is a number cut short."""
    if kind == _STRING:
        return _text(packed)
    if kind == 0:
        return packed == b"\x01"
    if kind in _NUMBERS and len(packed) == packing.calcsize(_NUMBERS[kind]):
        number: int | float = packing.unpack(_NUMBERS[kind], packed)[0]
        return number
    return base64.b64encode(packed).decode()


def _fields(*, id: int, **fields: Any) -> dict[str, Any]:  # noqa: A002 - the field's name
    """Keep a span's fields until its place in the list is known, which errors name."""
    fields["id"] = id
    return fields


_ENDPOINT: Final = struct(
    _endpoint,
    {1: ("ipv4", I32), 2: ("port", I16), 3: ("service_name", BINARY), 4: ("ipv6", BINARY)},
)
_ANNOTATION: Final = struct(
    _annotation, {1: ("timestamp", I64), 2: ("value", BINARY), 3: ("host", _ENDPOINT)}
)
_BINARY_ANNOTATION: Final = struct(
    _binary_annotation,
    {
        1: ("key", BINARY),
        2: ("value", BINARY),
        3: ("annotation_type", I32),
        4: ("host", _ENDPOINT),
    },
)
_SPAN: Final = struct(
    _fields,
    {
        1: ("trace_id", I64),
        3: ("name", BINARY),
        4: ("id", I64),
        5: ("parent_id", I64),
        6: ("annotations", list_of(_ANNOTATION)),
        8: ("binary_annotations", list_of(_BINARY_ANNOTATION)),
        9: ("debug", BOOL),
        10: ("timestamp", I64),
        11: ("duration", I64),
        12: ("trace_id_high", I64),
    },
)


def _arguments(*, spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return spans


_CALLS: Final = {"emitZipkinBatch": struct(_arguments, {1: ("spans", list_of(_SPAN))})}


def request_from_zipkin_thrift(body: bytes, now_unix_nano: int) -> CheckedRequest:
    """Translate a thrift list of v1 spans.

    Args:
        body: The list in the binary protocol, without a message around it.
        now_unix_nano: Start of spans that say nothing about it.

    Raises:
        UndecodableError: Not that list, or an id is missing or zero; the message names it.
    """
    try:
        spans = read_list(body, _SPAN, Protocol.BINARY)
    except UndecodableError as error:
        message = f"cannot decode {_WHAT}: {str(error).removeprefix('cannot decode thrift: ')}"
        raise UndecodableError(message) from None
    return _request(spans, now_unix_nano)


def otlp_from_zipkin_message(datagram: bytes, protocol: Protocol, now_unix_nano: int) -> bytes:
    """Translate an `emitZipkinBatch` message, as Jaeger's agent takes it by UDP.

    Source: jaeger-idl `thrift/agent.thrift`; reference jaeger.md 2.1.

    Raises:
        UndecodableError: `datagram` is no such message, or an id is missing or zero.
    """
    spans = read_message(datagram, _CALLS, protocol)[1]
    return _request(spans, now_unix_nano).body


def _request(spans: list[Any], now_unix_nano: int) -> CheckedRequest:
    check_span_count(len(spans), _WHAT)
    request = OtlpRequest()
    for index, span in enumerate(spans):
        try:
            add_span_v1(request, _span(span), now_unix_nano)
        except FieldError as error:
            request.refuse(f"cannot decode {_WHAT}: {error.inside(f'[{index}]')}")
    return request.checked()


def _span(span: dict[str, Any]) -> SpanV1:
    return SpanV1(
        trace_id=_required(
            _packed(span.get("trace_id_high", 0)) + _packed(span.get("trace_id", 0)), "trace_id"
        ),
        span_id=_required(_packed(span.get("id", 0)), "id"),
        parent_id=_packed(span["parent_id"]) if span.get("parent_id") else b"",
        name=_text(span.get("name", b"")),
        start_micro=_micro(span.get("timestamp", 0), "timestamp"),
        duration_micro=_micro(span.get("duration", 0), "duration"),
        debug=span.get("debug", False),
        annotations=[
            (_micro(micro, f"annotations[{index}].timestamp"), text, host)
            for index, (micro, text, host) in enumerate(span.get("annotations", ()))
        ],
        binary_annotations=span.get("binary_annotations", []),
    )


def _packed(number: int) -> bytes:
    return (number & _U64_MASK).to_bytes(8, "big")


def _required(value: bytes, name: str) -> bytes:
    if not any(value):
        raise FieldError(name, "is missing or zero")
    return value


def _micro(value: int, name: str) -> int:
    """Return microseconds; what lies before the epoch is unknown."""
    if value > MICRO_MAX:
        raise FieldError(name, f"is {value} microseconds, the limit is {MICRO_MAX}")
    return max(value, 0)
