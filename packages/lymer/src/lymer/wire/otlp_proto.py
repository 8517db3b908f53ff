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

__all__ = ["CheckedRequest", "canonical_request", "check_request", "count_spans"]

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
    """Accept what fails only because a text is not UTF-8, repaired as Jaeger's sanitizer does."""
    try:
        request = _LenientRequest.FromString(body)
    except DecodeError:
        raise UndecodableError(_message(strict_error)) from strict_error
    for resource_spans in request.resource_spans:
        _repair_attributes(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope
            scope.name, scope.version = _repaired(scope.name), _repaired(scope.version)
            scope_spans.schema_url = _repaired(scope_spans.schema_url)
            _repair_attributes(scope.attributes)
            for span in scope_spans.spans:
                _repair_span(span)
        resource_spans.schema_url = _repaired(resource_spans.schema_url)
    return CheckedRequest(bytes(request.SerializeToString()), count_spans(request))


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _repaired(value: bytes) -> bytes:
    return value if _is_text(value) else value.decode(errors="replace").encode()


def _repair_span(span: Any) -> None:
    """Source: reference jaeger.md 2.10, v2 UTF-8 sanitizer; its names are kept."""
    if not _is_text(span.name):
        original = span.attributes.add()
        original.key = b"invalid-span-name"
        original.value.bytes_value = span.name
        span.name = b"invalid-span-name"
    span.trace_state = _repaired(span.trace_state)
    span.status.message = _repaired(span.status.message)
    _repair_attributes(span.attributes)
    for event in span.events:
        event.name = _repaired(event.name)
        _repair_attributes(event.attributes)
    for link in span.links:
        link.trace_state = _repaired(link.trace_state)
        _repair_attributes(link.attributes)


def _repair_attributes(attributes: Any) -> None:
    bad_keys = 0
    for attribute in attributes:
        _repair_value(attribute.value)
        if not _is_text(attribute.key):
            bad_keys += 1
            text = any_value_bytes(attribute.value)
            attribute.value.bytes_value = attribute.key + b":" + text
            attribute.key = f"invalid-tag-key-{bad_keys}".encode()


def any_value_bytes(value: Any) -> bytes:
    """Return what a value says, for the bytes kept beside a key that is no text."""
    kind = value.WhichOneof("value")
    if kind is None:
        return b""
    inner = getattr(value, kind)
    if isinstance(inner, bytes):
        return inner
    if isinstance(inner, bool):
        return b"true" if inner else b"false"
    if isinstance(inner, int | float):
        return str(inner).encode()
    return bytes(inner.SerializeToString())


def _repair_value(value: Any) -> None:
    """Turn texts that are not UTF-8 into bytes values; depth is limited by the parser (100)."""
    kind = value.WhichOneof("value")
    if kind == "string_value" and not _is_text(value.string_value):
        value.bytes_value = value.string_value
    elif kind == "array_value":
        for inner in value.array_value.values:
            _repair_value(inner)
    elif kind == "kvlist_value":
        _repair_attributes(value.kvlist_value.values)


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
