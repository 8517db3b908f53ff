"""OTLP protobuf at the door: is it readable, and how many spans does it hold.

One C-level parse answers both; no span is touched in Python. Only a request with invalid UTF-8 or
very deep values is taken apart, because Go senders do produce them, and one that is too large to be
parsed at once.

Source: opentelemetry-proto 1.9, `collector/trace/v1/trace_service.proto`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from lymer.errors import UndecodableError
from lymer.wire.otlp_classes import LenientRequest
from lymer.wire.otlp_cost import check_cost
from lymer.wire.otlp_depth import VALUE_DEPTH_MAX, with_shallow_values
from lymer.wire.otlp_large import ELEMENTS_MAX, PIECE_BYTES, Checked, check_large
from lymer.wire.otlp_text import sanitize_texts
from lymer.wire.proto_fields import field_bytes, iter_fields

__all__ = ["CheckedRequest", "canonical_request", "check_as_sent", "check_request", "count_spans"]

_Request: Any = trace_service_pb2.ExportTraceServiceRequest
_RESOURCE_SPANS: Final = 0x0A
_SCOPE_SPANS: Final = 0x12
_LIBRARY_SPANS: Final = 1000 << 3 | 2
"""Field `instrumentation_library_spans`, the name of `scope_spans` before OTLP 0.15."""
_LIBRARY_SPANS_BYTES: Final = b"\xc2\x3e"
_REFUSED: Final = (
    f"a span may have {ELEMENTS_MAX} attributes, events, links and members of lists, and lists "
    f"nested {VALUE_DEPTH_MAX} deep in a value"
)


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """An `ExportTraceServiceRequest` that can be stored."""

    body: bytes
    """Protobuf bytes, as sent unless something in them had to be put right."""
    span_count: int
    refused_spans: int = 0
    """Spans that were left out of it."""
    reason: str = ""
    """Why, for the sender."""


def check_request(body: bytes) -> CheckedRequest:
    """Check `body`, count its spans, and leave out those that cannot be stored.

    Raises:
        UndecodableError: `body` is not an `ExportTraceServiceRequest`.
        TooLargeError: What belongs to all its spans is over a limit.
    """
    if _LIBRARY_SPANS_BYTES in body:
        body = _with_scope_spans(body)
    checked = _check_piece(body) if len(body) <= PIECE_BYTES else check_large(body, _check_piece)
    reason = _REFUSED if checked.refused else ""
    return CheckedRequest(checked.body, checked.span_count, checked.refused, reason)


def check_as_sent(body: bytes) -> CheckedRequest | None:
    """Do what `check_request` does if that takes one short parse; None if it does not.

    For an event loop: what is left takes 20 us a span, or has very many, and belongs on a thread.

    Raises:
        TooLargeError: Its spans share too much.
    """
    if len(body) > PIECE_BYTES or _LIBRARY_SPANS_BYTES in body:
        return None
    try:
        span_count = count_spans(_Request.FromString(body))
    except DecodeError:
        return None
    check_cost(body, span_count)
    return CheckedRequest(body, span_count)


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
        request = LenientRequest.FromString(body)
    except DecodeError as error:
        raise UndecodableError(_message(error)) from error
    request.DiscardUnknownFields()
    return bytes(request.SerializeToString())


def _message(error: DecodeError) -> str:
    return f"cannot decode ExportTraceServiceRequest: {str(error) or 'the bytes are not protobuf'}"


def _check_piece(body: bytes) -> Checked:
    try:
        return Checked(body, count_spans(_Request.FromString(body)), 0)
    except DecodeError as error:
        strict_error = error
    refused = 0
    try:
        request = LenientRequest.FromString(body)
    except DecodeError:
        try:
            shallow, refused = with_shallow_values(body)
            request = LenientRequest.FromString(shallow)
        except DecodeError:
            raise UndecodableError(_message(strict_error)) from strict_error
    sanitize_texts(request)
    return Checked(bytes(request.SerializeToString()), count_spans(request), refused)


def _with_scope_spans(body: bytes) -> bytes:
    """Give `instrumentation_library_spans` the number it has now; its content is the same.

    Source: opentelemetry-proto 0.15 to 0.19, `trace.proto` and its change log.
    """
    parts: list[bytes] = []
    try:
        for start, content, end, tag in iter_fields(body, 0, len(body)):
            if tag == _RESOURCE_SPANS and body.find(_LIBRARY_SPANS_BYTES, content, end) >= 0:
                inner = [
                    field_bytes(_SCOPE_SPANS, body[within:behind])
                    if number == _LIBRARY_SPANS
                    else body[begin:behind]
                    for begin, within, behind, number in iter_fields(body, content, end)
                ]
                parts.append(field_bytes(tag, *inner))
            else:
                parts.append(body[start:end])
    except ValueError:
        return body  # which is no request, and the parser says so better
    return b"".join(parts)
