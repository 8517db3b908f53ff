"""The sanitizer of texts: what is not UTF-8 is kept as bytes, beside a word that says so.

Protobuf's own parser finds such a request while it reads it, for nothing, so only a request that
has one is ever looked at here, text by text.

Source: Jaeger after v2.20, `internal/jptrace/sanitizer/utf8.go`. Unlike it, an attribute that has
such a word as its key already is kept beside the new one.
"""

from __future__ import annotations

from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from lymer.wire.jaeger_json import to_text

__all__ = ["INVALID_TAG_KEY", "sanitize_texts"]

INVALID_TAG_KEY: Final = "invalid-tag-key"
_SPAN_NAME: Final = b"invalid-span-name"
_EVENT_NAME: Final = b"invalid-event-name"
_STATUS_MESSAGE: Final = b"invalid-status-message"
_SCOPE_NAME: Final = b"invalid-scope-name"
_SCOPE_VERSION: Final = b"invalid-scope-version"
_TRACE_STATE: Final = b"invalid-trace-state"
_SCHEMA_URL: Final = b"invalid-schema-url"
_CLEARED: Final = b""


def sanitize_texts(request: Any) -> None:
    """Make every text of `request` UTF-8, in place.

    Args:
        request: An `ExportTraceServiceRequest` whose texts are `bytes`.
    """
    for resource_spans in request.resource_spans:
        resource = resource_spans.resource
        _keep_beside(resource_spans, "schema_url", resource.attributes, _SCHEMA_URL, _CLEARED)
        _sanitize_attributes(resource.attributes)
        known = [one for one in resource.entity_refs if _is_text_only(one)]
        if len(known) < len(resource.entity_refs):
            del resource.entity_refs[:]  # has no attributes to keep the bytes in
            resource.entity_refs.extend(known)
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope
            _keep_beside(scope_spans, "schema_url", scope.attributes, _SCHEMA_URL, _CLEARED)
            _keep_beside(scope, "name", scope.attributes, _SCOPE_NAME)
            _keep_beside(scope, "version", scope.attributes, _SCOPE_VERSION)
            _sanitize_attributes(scope.attributes)
            for span in scope_spans.spans:
                _sanitize_span(span)


def _sanitize_span(span: Any) -> None:
    attributes = span.attributes
    _keep_beside(span, "name", attributes, _SPAN_NAME)
    _keep_beside(span, "trace_state", attributes, _TRACE_STATE, _CLEARED)
    _keep_beside(span.status, "message", attributes, _STATUS_MESSAGE)
    _sanitize_attributes(attributes)
    for event in span.events:
        _keep_beside(event, "name", event.attributes, _EVENT_NAME)
        _sanitize_attributes(event.attributes)
    for link in span.links:
        _keep_beside(link, "trace_state", link.attributes, _TRACE_STATE, _CLEARED)
        _sanitize_attributes(link.attributes)


def _keep_beside(
    message: Any, field: str, attributes: Any, key: bytes, replacement: bytes | None = None
) -> None:
    """Replace a text, by its key or by `replacement`, and keep its bytes in an attribute."""
    sent = getattr(message, field)
    if _is_text(sent):
        return
    kept = attributes.add()
    kept.key = key
    kept.value.bytes_value = sent
    setattr(message, field, key if replacement is None else replacement)


def _sanitize_attributes(attributes: Any) -> None:
    """Values stay in their places; pairs whose key is no text go to the end, numbered from 1."""
    kept: list[Any] = []
    numbered: list[Any] = []
    for attribute in attributes:
        _sanitize_value(attribute.value)
        (kept if _is_text(attribute.key) else numbered).append(attribute)
    if not numbered:
        return
    for number, attribute in enumerate(numbered, start=1):
        attribute.value.bytes_value = attribute.key + b":" + _value_bytes(attribute.value)
        attribute.key = f"{INVALID_TAG_KEY}-{number}".encode()
    copies = [type(one).FromString(one.SerializeToString()) for one in (*kept, *numbered)]
    del attributes[:]
    attributes.extend(copies)


def _sanitize_value(value: Any) -> None:
    """Turn a text that is no UTF-8 into bytes; the parser bounds the depth, to 100 messages."""
    kind = value.WhichOneof("value")
    if kind == "string_value" and not _is_text(value.string_value):
        value.bytes_value = value.string_value
    elif kind == "array_value":
        for inner in value.array_value.values:
            _sanitize_value(inner)
    elif kind == "kvlist_value":
        _sanitize_attributes(value.kvlist_value.values)


def _value_bytes(value: Any) -> bytes:
    """Return what a sanitized value says, for the bytes kept with a key that is no text."""
    if value.WhichOneof("value") == "bytes_value":
        return bytes(value.bytes_value)
    return to_text(AnyValue.FromString(value.SerializeToString())).encode()


def _is_text_only(entity_ref: Any) -> bool:
    texts = (entity_ref.schema_url, entity_ref.type)
    return all(map(_is_text, (*texts, *entity_ref.id_keys, *entity_ref.description_keys)))


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
