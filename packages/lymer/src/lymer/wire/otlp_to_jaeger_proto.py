"""OTLP as a `PostSpansRequest` of `jaeger.api_v2`: for collectors that know nothing else.

Source: opentelemetry-collector-contrib v0.155, `pkg/translator/jaeger/traces_to_jaegerproto.go`;
reference jaeger.md 2.11. One request holds what several resources hold: `process` of a span wins
over that of its batch. Lost, as there: counts of what was dropped, attributes of links.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lymer.wire.jaeger_json import to_text
from lymer.wire.jaeger_proto import PostSpansRequest

__all__ = ["post_spans_from_otlp"]

_NO_SERVICE: Final = b"OTLPResourceNoServiceName"
_NANO_PER_SECOND: Final = 1_000_000_000
_KINDS: Final = (b"", b"internal", b"server", b"client", b"producer", b"consumer")
_STATUS_CODES: Final = (b"", b"OK", b"ERROR")
_ERROR: Final = 2
_CHILD_OF, _FOLLOWS_FROM = 0, 1
_STRING, _BOOL, _INT64, _FLOAT64, _BINARY = range(5)
"""`ValueType`."""


def post_spans_from_otlp(body: bytes) -> bytes:
    """Return an `ExportTraceServiceRequest` as a `PostSpansRequest`.

    Args:
        body: A request that a parser accepted.
    """
    parsed = ExportTraceServiceRequest.FromString(body)
    message = PostSpansRequest()
    batch = message.batch
    for place, resource_spans in enumerate(parsed.resource_spans):
        process = batch.process if place == 0 else type(batch.process)()
        _set_process(process, resource_spans.resource)
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                made = batch.spans.add()
                _set_span(made, span, scope_spans.scope)
                if place:
                    made.process.CopyFrom(process)
    sent: bytes = message.SerializeToString()
    return sent


def _set_process(process: Any, resource: Any) -> None:
    if not resource.attributes:
        process.service_name = _NO_SERVICE
        return
    for attribute in resource.attributes:
        if attribute.key == "service.name" and attribute.value.HasField("string_value"):
            process.service_name = attribute.value.string_value.encode()
        else:
            _add_tag(process.tags, attribute.key, attribute.value)


def _set_span(made: Any, span: Any, scope: Any) -> None:
    made.trace_id, made.span_id = span.trace_id, span.span_id
    made.operation_name = span.name.encode()
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    _set_instant(made.start_time, start)
    _set_instant(made.duration, end - start)
    _add_references(made.references, span)
    tags = made.tags
    _add_text(tags, b"otel.scope.name", scope.name.encode())
    _add_text(tags, b"otel.scope.version", scope.version.encode())
    for attribute in span.attributes:
        _add_tag(tags, attribute.key, attribute.value)
    _add_text(tags, b"span.kind", _KINDS[span.kind] if 0 < span.kind < len(_KINDS) else b"")
    code = span.status.code
    _add_text(tags, b"otel.status_code", _STATUS_CODES[code] if 0 < code <= _ERROR else b"")
    if code == _ERROR:
        tags.add(key=b"error", v_type=_BOOL, v_bool=True)
    _add_text(tags, b"otel.status_description", span.status.message.encode())
    _add_text(tags, b"w3c.tracestate", span.trace_state.encode())
    for event in span.events:
        log = made.logs.add()
        _set_instant(log.timestamp, event.time_unix_nano)
        if not any(attribute.key == "event" for attribute in event.attributes):
            _add_text(log.fields, b"event", event.name.encode())
        for attribute in event.attributes:
            _add_tag(log.fields, attribute.key, attribute.value)


def _add_references(references: Any, span: Any) -> None:
    """Add the parent first; a link to it says of which type it is."""
    found: list[tuple[bytes, bytes, int]] = []
    parent = span.parent_span_id
    if parent and any(parent):
        found.append((span.trace_id, parent, _CHILD_OF))
    for link in span.links:
        kind = _FOLLOWS_FROM
        for attribute in link.attributes:
            if attribute.key == "opentracing.ref_type":
                kind = _CHILD_OF if attribute.value.string_value == "child_of" else _FOLLOWS_FROM
        if found and (link.trace_id, link.span_id) == (span.trace_id, parent):
            found[0] = (span.trace_id, parent, kind)
        else:
            found.append((link.trace_id, link.span_id, kind))
    for trace_id, span_id, kind in found:
        references.add(trace_id=trace_id, span_id=span_id, ref_type=kind)


def _set_instant(instant: Any, nano: int) -> None:
    """Set seconds and nanoseconds, both of one sign, as protobuf's Duration asks."""
    seconds, rest = divmod(abs(nano), _NANO_PER_SECOND)
    instant.seconds, instant.nanos = (seconds, rest) if nano >= 0 else (-seconds, -rest)


def _add_text(tags: Any, key: bytes, text: bytes) -> None:
    if text:
        tags.add(key=key, v_type=_STRING, v_str=text)


def _add_tag(tags: Any, key: str, value: Any) -> None:
    tag = tags.add(key=key.encode())
    kind = value.WhichOneof("value")
    if kind == "string_value":
        tag.v_str = value.string_value.encode()
    elif kind == "bool_value":
        tag.v_type, tag.v_bool = _BOOL, value.bool_value
    elif kind == "int_value":
        tag.v_type, tag.v_int64 = _INT64, value.int_value
    elif kind == "double_value":
        tag.v_type, tag.v_float64 = _FLOAT64, value.double_value
    elif kind == "bytes_value":
        tag.v_type, tag.v_binary = _BINARY, value.bytes_value
    else:
        tag.v_str = to_text(value).encode()
