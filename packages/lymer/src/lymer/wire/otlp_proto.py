"""OTLP protobuf at the door: is it readable, and how many spans does it hold.

One C-level parse answers both; no span is touched in Python. Only a request with invalid UTF-8 is
taken apart, because Go senders do produce it and Jaeger stores it sanitized.

Source: opentelemetry-proto 1.9, `collector/trace/v1/trace_service.proto`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from lymer.errors import UndecodableError
from lymer.wire.otlp_text import sanitize_texts

__all__ = ["CheckedRequest", "canonical_request", "check_as_sent", "check_request", "count_spans"]

_Request: Any = trace_service_pb2.ExportTraceServiceRequest


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """An `ExportTraceServiceRequest` that can be stored."""

    body: bytes
    """Protobuf bytes, as sent unless a text in them was not UTF-8."""
    span_count: int


def check_request(body: bytes) -> CheckedRequest:
    """Parse `body` once and count its spans.

    Raises:
        UndecodableError: `body` is not an `ExportTraceServiceRequest`.
    """
    try:
        request = _Request.FromString(body)
    except DecodeError as error:
        return _check_with_bytes_for_text(body, error)
    return CheckedRequest(body, count_spans(request))


def check_as_sent(body: bytes) -> CheckedRequest | None:
    """Do what `check_request` does if that takes one parse; None if more is to be said or done.

    For an event loop: what is left takes 20 us a span, and belongs on a thread.
    """
    try:
        return CheckedRequest(body, count_spans(_Request.FromString(body)))
    except DecodeError:
        return None


def count_spans(request: Any) -> int:
    """Return the number of spans of a parsed request, looking at no span."""
    return sum(
        len(scope_spans.spans)
        for resource_spans in request.resource_spans
        for scope_spans in resource_spans.scope_spans
    )


def canonical_request(body: bytes) -> bytes:
    """Write `body` anew with known fields only.

    What protobuf's own parser accepts and the engine's does not (groups, a field with another wire
    type, a uint32 over its range) is gone after that.

    Raises:
        UndecodableError: `body` is not an `ExportTraceServiceRequest`.
    """
    try:
        request = _LenientRequest.FromString(body)
    except DecodeError as error:
        raise UndecodableError(_message(error)) from error
    request.DiscardUnknownFields()
    return bytes(request.SerializeToString())


def _message(error: DecodeError) -> str:
    return f"cannot decode ExportTraceServiceRequest: {str(error) or 'the bytes are not protobuf'}"


def _check_with_bytes_for_text(body: bytes, strict_error: DecodeError) -> CheckedRequest:
    """Accept what fails only because a text is not UTF-8, sanitized."""
    try:
        request = _LenientRequest.FromString(body)
    except DecodeError:
        raise UndecodableError(_message(strict_error)) from strict_error
    sanitize_texts(request)
    return CheckedRequest(bytes(request.SerializeToString()), count_spans(request))


def _lenient_request_class() -> Any:
    """Make the request class with `bytes` wherever the schema says `string`."""
    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2, trace_service_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        pending = list(file.message_type)
        while pending:
            message = pending.pop()
            pending.extend(message.nested_type)
            for field in message.field:
                if field.type == descriptor_pb2.FieldDescriptorProto.TYPE_STRING:
                    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
        pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(
            "opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest"
        )
    )


_LenientRequest: Any = _lenient_request_class()
