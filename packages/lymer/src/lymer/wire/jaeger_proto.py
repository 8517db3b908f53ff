"""Jaeger's protobuf (`jaeger.api_v2`) as OTLP.

The messages are declared here, the fields we read and no more, so that no generated file is kept.
Texts are declared as bytes: Go senders do not check UTF-8, protobuf's parser would refuse the whole
message, and what is stored is repaired later, as on every path.

Source: jaeger-idl `proto/api_v2/model.proto` and `collector.proto`; reference jaeger.md 2.1, 2.5.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.message import DecodeError

from lymer.errors import UndecodableError
from lymer.wire.bounds import check_messages, check_span_count
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
from lymer.wire.proto_declaration import message_classes
from lymer.wire.proto_fields import Declared

__all__ = ["PostSpansRequest", "request_from_post_spans"]

_NANO_PER_SECOND: Final = 1_000_000_000
_TRACE_ID_BYTES: Final = 16
_SPAN_ID_BYTES: Final = 8
_NO_ID: Final = (0, 0)

_MESSAGES: Final = {
    "Instant": "seconds:int64=1 nanos:int32=2",
    "KeyValue": "key:bytes=1 v_type:int32=2 v_str:bytes=3 v_bool:bool=4 v_int64:int64=5 "
    "v_float64:double=6 v_binary:bytes=7",
    "Log": "timestamp:Instant=1 fields:KeyValue*=2",
    "SpanRef": "trace_id:bytes=1 span_id:bytes=2 ref_type:int32=3",
    "Process": "service_name:bytes=1 tags:KeyValue*=2",
    "Span": "trace_id:bytes=1 span_id:bytes=2 operation_name:bytes=3 references:SpanRef*=4 "
    "start_time:Instant=6 duration:Instant=7 tags:KeyValue*=8 logs:Log*=9 process:Process=10",
    "Batch": "spans:Span*=1 process:Process=2",
    "PostSpansRequest": "batch:Batch=1",
}
"""`Instant` is Timestamp and Duration, which are alike."""
_DECLARED: Final[Declared] = (
    {0x0A: 1},
    {0x0A: 2, 0x12: 4},
    {0x22: 5, 0x32: 5, 0x3A: 5, 0x42: 5, 0x4A: 3, 0x52: 4},
    {0x0A: 5, 0x12: 5},
    {0x12: 5},
    {},
)
"""What of it is a message: a batch; its spans and process; what stands in a span, a log, a process;
and what holds no message."""


def request_from_post_spans(body: bytes) -> CheckedRequest:
    """Return what a `PostSpansRequest` says; a span's own process wins over its batch's.

    Raises:
        UndecodableError: `body` is no such request, or an id has a length no id has.
    """
    check_messages(body, _DECLARED, "PostSpansRequest")
    try:
        batch = PostSpansRequest.FromString(body).batch
    except DecodeError as error:
        cause = str(error) or "the bytes are not protobuf"
        raise UndecodableError(f"cannot decode PostSpansRequest: {cause}") from error
    check_span_count(len(batch.spans), "PostSpansRequest")
    shared = _resource(batch.process) if batch.HasField("process") else b"\x00"
    by_resource: dict[bytes, list[Span]] = {}
    for span in batch.spans:
        if span.ByteSize() == 0:
            continue  # Jaeger skips a span that says nothing
        resource = _resource(span.process) if span.HasField("process") else shared
        by_resource.setdefault(resource, []).append(_span(span))
    return check_request(
        b"".join(request_bytes(resource, spans) for resource, spans in by_resource.items())
    )


def _resource(process: Any) -> bytes:
    return resource_bytes(process.service_name, _tags(process.tags))


def _tags(sent: Any) -> list[Tag]:
    return [
        # Most tags are texts, and this is the loop that costs.
        tag(each.key, Kind.TEXT, each.v_str) if each.v_type == 0 else _typed_tag(each)
        for each in sent
    ]


def _typed_tag(sent: Any) -> Tag:
    """Return a tag that is no text. The numbers are `ValueType`'s, which are not thrift's."""
    kind = sent.v_type
    if kind == 1:
        return tag(sent.key, Kind.BOOL, sent.v_bool)
    if kind == 2:
        return tag(sent.key, Kind.INT, sent.v_int64)
    if kind == 3:
        return tag(sent.key, Kind.DOUBLE, sent.v_float64)
    if kind == 4:
        return tag(sent.key, Kind.BYTES, sent.v_binary)
    return tag(sent.key, Kind.TEXT, b'<Unknown Jaeger TagType "%d">' % kind)


def _span(span: Any) -> Span:
    references = [
        Reference(each.ref_type, *_trace_id(each.trace_id), _span_id(each.span_id))
        for each in span.references
    ]
    start = _nano(span.start_time)
    return span_bytes(
        Reference(0, *_trace_id(span.trace_id), _span_id(span.span_id)),
        0,
        span.operation_name,
        (start, start + _nano(span.duration)),
        _tags(span.tags),
        [event_bytes(_nano(log.timestamp), _tags(log.fields)) for log in span.logs],
        references,
    )


def _nano(instant: Any) -> int:
    nano: int = instant.seconds * _NANO_PER_SECOND + instant.nanos
    return nano


def _trace_id(sent: bytes) -> tuple[int, int]:
    """Return high and low half; 8 bytes are a low half, none are zero."""
    if len(sent) == _TRACE_ID_BYTES:
        return int.from_bytes(sent[:8], "big"), int.from_bytes(sent[8:], "big")
    if len(sent) == 8:
        return 0, int.from_bytes(sent, "big")
    if not sent:
        return _NO_ID
    raise UndecodableError(f"invalid length for TraceID: {len(sent)} bytes, 8 or 16 are read")


def _span_id(sent: bytes) -> int:
    if len(sent) not in {0, _SPAN_ID_BYTES}:
        raise UndecodableError(f"invalid length for SpanID: {len(sent)} bytes, 8 are read")
    return int.from_bytes(sent, "big")


PostSpansRequest: Any = message_classes("api_v2", "jaeger.api_v2", _MESSAGES)["PostSpansRequest"]
"""The message; texts in it are bytes."""
