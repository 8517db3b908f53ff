"""Builders of test spans: say what matters, get the rest."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from lymer.storage.contract import SealedSegment
from lymer.tenancy import DEFAULT_TENANT

__all__ = [
    "START",
    "attributes",
    "make_event",
    "make_link",
    "make_request",
    "make_resource_spans",
    "make_span",
    "span_hex",
    "trace_hex",
    "value",
    "write_segment_file",
]

START = 1_795_365_820_000_000_000
"""2026-11-22T16:43:40Z: the instant most test spans start, nanoseconds since the epoch."""

Plain: TypeAlias = (
    "str | bool | int | float | bytes | list[Plain] | dict[str, Plain] | AnyValue | None"
)
Pairs: TypeAlias = "Mapping[str, Plain] | Sequence[tuple[str, Plain]]"


def trace_hex(number: int) -> str:
    """Return the stored id of trace `number`: 32 hex digits, high half not zero."""
    return f"{0xABCD:016x}{number:016x}"


def span_hex(number: int) -> str:
    """Return the stored id of span `number`: 16 hex digits."""
    return f"{number:016x}"


def value(plain: Plain) -> AnyValue:
    """Return the AnyValue of a Python value; None is a value that is not set."""
    match plain:
        case AnyValue():
            return plain
        case None:
            return AnyValue()
        case list():
            return AnyValue(array_value=ArrayValue(values=[value(one) for one in plain]))
        case dict():
            return AnyValue(kvlist_value=KeyValueList(values=attributes(plain)))
        case bytes():
            return AnyValue(bytes_value=plain)
        case str():
            return AnyValue(string_value=plain)
        case _:
            return _number(plain)


def attributes(pairs: Pairs) -> list[KeyValue]:
    """Return attributes in the order given; a list of pairs may repeat a key."""
    listed = pairs.items() if isinstance(pairs, Mapping) else pairs
    return [KeyValue(key=key, value=value(plain)) for key, plain in listed]


def make_event(
    name: str = "event", *, offset_nano: int = 0, attrs: Pairs = (), dropped: int = 0
) -> Span.Event:
    """Return an event `offset_nano` after `START`."""
    return Span.Event(
        name=name,
        time_unix_nano=START + offset_nano,
        attributes=attributes(attrs),
        dropped_attributes_count=dropped,
    )


def make_link(trace: int = 900, span: int = 900, *, attrs: Pairs = ()) -> Span.Link:
    """Return a link to span `span` of trace `trace`."""
    return Span.Link(
        trace_id=bytes.fromhex(trace_hex(trace)),
        span_id=bytes.fromhex(span_hex(span)),
        attributes=attributes(attrs),
    )


def make_span(
    trace: int | bytes = 1,
    span: int | bytes = 1,
    parent: int | bytes = 0,
    *,
    name: str = "work",
    kind: int = 1,
    offset_nano: int = 0,
    duration_nano: int = 1_000_000,
    attrs: Pairs = (),
    events: Iterable[Span.Event] = (),
    links: Iterable[Span.Link] = (),
    status: int = 0,
    message: str = "",
    trace_state: str = "",
    flags: int = 0,
) -> Span:
    """Return an OTLP span that starts `offset_nano` after `START`; ids by number or as bytes."""
    return Span(
        trace_id=bytes.fromhex(trace_hex(trace)) if isinstance(trace, int) else trace,
        span_id=bytes.fromhex(span_hex(span)) if isinstance(span, int) else span,
        parent_span_id=_parent_bytes(parent),
        name=name,
        kind=Span.SpanKind.ValueType(kind),
        start_time_unix_nano=START + offset_nano,
        end_time_unix_nano=START + offset_nano + duration_nano,
        attributes=attributes(attrs),
        events=events,
        links=links,
        status=Status(code=Status.StatusCode.ValueType(status), message=message),
        trace_state=trace_state,
        flags=flags,
    )


def make_resource_spans(
    spans: Iterable[Span],
    *,
    service: str | None = "shop",
    resource: Pairs = (),
    scope: str = "",
    scope_version: str = "",
    scope_attrs: Pairs = (),
) -> ResourceSpans:
    """Return spans of one resource and one scope; service None leaves `service.name` out."""
    named: Pairs = [] if service is None else [("service.name", service)]
    return ResourceSpans(
        resource=Resource(attributes=[*attributes(named), *attributes(resource)]),
        scope_spans=[
            ScopeSpans(
                scope=InstrumentationScope(
                    name=scope, version=scope_version, attributes=attributes(scope_attrs)
                ),
                spans=spans,
            )
        ],
    )


def make_request(
    *spans: Span,
    service: str | None = "shop",
    resource: Pairs = (),
    scope: str = "",
    scope_version: str = "",
    scope_attrs: Pairs = (),
) -> ExportTraceServiceRequest:
    """Return a request with spans of one resource and one scope."""
    return ExportTraceServiceRequest(
        resource_spans=[
            make_resource_spans(
                spans,
                service=service,
                resource=resource,
                scope=scope,
                scope_version=scope_version,
                scope_attrs=scope_attrs,
            )
        ]
    )


def write_segment_file(
    folder: Path,
    *requests: ExportTraceServiceRequest,
    segment_id: int = 1_795_365_821_000_000,
    tenant: str = DEFAULT_TENANT,
) -> SealedSegment:
    """Write requests as the journal does: length, request, trailer in field 500."""
    path = folder / f"{segment_id}.segment"
    content = b"".join(_record(request) for request in requests)
    path.write_bytes(content)
    return SealedSegment(
        segment_id=segment_id,
        path=path,
        span_count=sum(map(_span_count, requests)),
        byte_count=len(content),
        tenant=tenant,
    )


def _number(plain: float) -> AnyValue:
    if isinstance(plain, bool):
        return AnyValue(bool_value=plain)
    if isinstance(plain, int):
        return AnyValue(int_value=plain)
    return AnyValue(double_value=plain)


def _parent_bytes(parent: int | bytes) -> bytes:
    if isinstance(parent, bytes):
        return parent
    return bytes.fromhex(span_hex(parent)) if parent else b""


def _span_count(request: ExportTraceServiceRequest) -> int:
    return sum(
        len(scope_spans.spans)
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
    )


def _record(request: ExportTraceServiceRequest) -> bytes:
    body = request.SerializeToString()
    count = _span_count(request).to_bytes(4, "little")
    crc = zlib.crc32(count, zlib.crc32(body)).to_bytes(4, "little")
    message = body + b"\xa2\x1f\x08" + count + crc
    length, prefix = len(message), bytearray()
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes(prefix) + bytes([length]) + message
