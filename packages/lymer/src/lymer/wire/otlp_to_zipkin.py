"""OTLP spans as Zipkin v2 JSON: the way back of `zipkin_v2.py`.

What came from Zipkin goes out as it came: ends of the call, `shared`, `debug`, links and events
that an exporter packed. What came as OTLP is written as OpenTelemetry's exporters and the Collector
write it. Ids are not repaired: to Zipkin a server that shares its client's id is `shared`.
Source: Zipkin, `V2SpanWriter.java` (order of fields, what is left out); OpenTelemetry
specification, `trace/sdk_exporters/zipkin.md`; Collector contrib, `pkg/translator/zipkin/zipkinv2`.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from lymer.wire.jaeger_json import short_trace_id, to_text

__all__ = [
    "REMOTE_SERVICE_KEYS",
    "zipkin_spans_in_pieces",
    "zipkin_traces_in_pieces",
    "zipkin_traces_of",
]

REMOTE_SERVICE_KEYS: Final = ("service.peer.name", "peer.service")
"""Tags that name the service at the other end, the first that is there."""

_SERVICE_KEY: Final = "service.name"
_KINDS: Final = {2: "SERVER", 3: "CLIENT", 4: "PRODUCER", 5: "CONSUMER"}
_INTERNAL: Final = 1
_STATUSES: Final = {1: "OK", 2: "ERROR"}
_ERROR: Final = 2
_ABSENT_START: Final = "otel.zipkin.absentField.startTime"
_LOCAL: Final = ("network.local.address", "net.host.ip", "net.host.port")
_REMOTE: Final = ("network.peer.address", "net.peer.ip", "net.peer.port")
_PORT_MAX: Final = 65_535
_SPANS_PER_PIECE: Final = 500


def zipkin_traces_of(traces: TracesData) -> dict[str, list[dict[str, Any]]]:
    """Return the spans by trace id (32 hex digits), earliest first; copies of a span once.

    Args:
        traces: Spans as they are stored.
    """
    found: dict[str, dict[bytes, dict[str, Any]]] = {}
    for resource_spans in traces.resource_spans:
        resource = _texts(resource_spans.resource.attributes)
        service = resource.pop(_SERVICE_KEY, "")
        for scope_spans in resource_spans.scope_spans:
            beside = {**resource, **_scope_tags(scope_spans.scope)}
            for span in scope_spans.spans:
                spans = found.setdefault(span.trace_id.hex(), {})
                identity = service.encode() + b"\0" + span.SerializeToString(deterministic=True)
                if identity not in spans:
                    spans[identity] = _span(span, service, beside)
    return {
        trace_id: sorted(spans.values(), key=lambda one: (one.get("timestamp", 0), one["id"]))
        for trace_id, spans in found.items()
    }


def zipkin_spans_in_pieces(parts: Iterable[Sequence[Mapping[str, Any]]]) -> Iterator[bytes]:
    """Yield a JSON list of the spans of all parts, some hundred at a time."""
    before = b"["
    for spans in parts:
        for first in range(0, len(spans), _SPANS_PER_PIECE):
            yield before + orjson.dumps(spans[first : first + _SPANS_PER_PIECE])[1:-1]
            before = b","
    yield b"[]" if before == b"[" else b"]"


def zipkin_traces_in_pieces(
    traces: Iterable[Iterable[Sequence[Mapping[str, Any]]]],
) -> Iterator[bytes]:
    """Yield a JSON list of such lists; those of no span are left out."""
    before = b"["
    for parts in traces:
        for piece in zipkin_spans_in_pieces(parts):
            if piece != b"[]":
                yield before + piece
                before = b""
        before = before or b","
    yield b"[]" if before == b"[" else b"]"


def _span(span: Span, service: str, beside: Mapping[str, str]) -> dict[str, Any]:
    tags = {**beside, **_texts(span.attributes)}
    tags.pop(_SERVICE_KEY, None)
    shown: dict[str, Any] = {"traceId": short_trace_id(span.trace_id.hex())}
    if any(span.parent_span_id):
        shown["parentId"] = span.parent_span_id.hex()
    shown["id"] = span.span_id.hex()
    if span.kind in _KINDS:
        shown["kind"] = _KINDS[span.kind]
    elif span.kind == _INTERNAL:
        tags.setdefault("span.kind", "internal")
    if span.name:
        shown["name"] = span.name
    _add_times(shown, span, is_start_known=tags.pop(_ABSENT_START, "") != "true")
    flags = {flag: tags.pop(f"zipkin.{flag}", "") for flag in ("debug", "shared")}
    fields = {
        "localEndpoint": _endpoint(tags, service, *_LOCAL),
        "remoteEndpoint": _endpoint(tags, _remote_service(tags), *_REMOTE),
        "annotations": _annotations(span),
        "tags": _with_fields(tags, span),
    }
    shown.update((name, value) for name, value in fields.items() if value)
    shown.update((flag, True) for flag, text in flags.items() if text == "true")
    return shown


def _annotations(span: Span) -> list[dict[str, Any]]:
    return sorted(
        (
            {"timestamp": event.time_unix_nano // 1000, "value": _annotation(event)}
            for event in span.events
        ),
        key=lambda one: (one["timestamp"], one["value"]),
    )


def _with_fields(tags: dict[str, str], span: Span) -> dict[str, str]:
    """Return the tags and the fields that are shown as tags, by key."""
    _add_status(tags, span)
    if span.trace_state:
        tags["w3c.tracestate"] = span.trace_state
    for number, link in enumerate(span.links):
        tags[f"otlp.link.{number}"] = "|".join(
            (link.trace_id.hex(), link.span_id.hex(), link.trace_state, _packed(link))
        )
    return dict(sorted(tags.items()))


def _texts(attributes: Iterable[KeyValue]) -> dict[str, str]:
    """Return attributes as Jaeger's JSON and the search show them; of equal keys the first."""
    texts: dict[str, str] = {}
    for attribute in attributes:
        if attribute.key not in texts:
            texts[attribute.key] = to_text(attribute.value)
    return texts


def _scope_tags(scope: InstrumentationScope) -> dict[str, str]:
    tags = _texts(scope.attributes)
    if scope.name:
        tags["otel.scope.name"] = scope.name
    if scope.version:
        tags["otel.scope.version"] = scope.version
    return tags


def _add_times(shown: dict[str, Any], span: Span, *, is_start_known: bool) -> None:
    """Add start and duration in microseconds; less than one is one, and none is left out."""
    if is_start_known and span.start_time_unix_nano:
        shown["timestamp"] = max(span.start_time_unix_nano // 1000, 1)
    nano = span.end_time_unix_nano - span.start_time_unix_nano
    if nano > 1:  # 1 is what stands for none
        shown["duration"] = max(nano // 1000, 1)


def _add_status(tags: dict[str, str], span: Span) -> None:
    code, message = span.status.code, span.status.message
    if code in _STATUSES:
        tags["otel.status_code"] = _STATUSES[code]
    if code == _ERROR:
        tags.setdefault("error", message or "true")
    elif message:
        tags["otel.status_description"] = message
    if message and tags.get("error") != message:
        tags["otel.status_description"] = message


def _remote_service(tags: dict[str, str]) -> str:
    """Take the names of the other end that say the same out of the tags."""
    name = next((tags[key] for key in REMOTE_SERVICE_KEYS if tags.get(key)), "")
    for key in REMOTE_SERVICE_KEYS:
        if name and tags.get(key) == name:
            del tags[key]
    return name


def _endpoint(
    tags: dict[str, str], service: str, address: str, second: str, port: str
) -> dict[str, Any]:
    """Take what the tags say of one end out of them; what is no address or port stays a tag."""
    end: dict[str, Any] = {"serviceName": service} if service else {}
    found: dict[str, str] = {}
    for key in (address, second):
        version = _ip_version(tags.get(key, ""))
        if version and version not in found:
            found[version] = tags.pop(key)
    end.update(sorted(found.items()))
    text = tags.get(port, "")
    if text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= _PORT_MAX:
        end["port"] = int(tags.pop(port))
    return end


def _ip_version(text: str) -> str:
    try:
        return f"ipv{ipaddress.ip_address(text).version}"
    except ValueError:
        return ""


def _annotation(event: Span.Event) -> str:
    """Return an event as an annotation; with attributes, as the Collector packs it."""
    if not event.attributes and not event.dropped_attributes_count:
        return event.name
    return f"{event.name}|{_packed(event)}"


def _packed(holder: Any) -> str:
    """Return attributes and how many were dropped; numbers and truth values stay such."""
    values: dict[str, Any] = {}
    for attribute in holder.attributes:
        kind = attribute.value.WhichOneof("value")
        is_plain = kind in {"bool_value", "int_value"}
        value = getattr(attribute.value, kind) if is_plain else to_text(attribute.value)
        if kind == "double_value" and math.isfinite(attribute.value.double_value):
            value = attribute.value.double_value
        values.setdefault(attribute.key, value)
    return f"{orjson.dumps(values).decode()}|{holder.dropped_attributes_count}"
