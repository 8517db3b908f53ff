"""Does a span match a question?

Source: Jaeger v2.20, `internal/storage/v2/memory/tenant.go`, `validSpan`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from fakes.memory_store.columns import with_ip_text
from fakes.memory_store.span import Attributes, StoredSpan
from lymer.model.conventions import names_of
from lymer.model.question import SPAN_KINDS, TraceQuestion
from lymer.wire.go_text import from_bool_text
from lymer.wire.jaeger_json import to_text

__all__ = ["is_match"]

STATUS_NAMES: Final = ("unset", "ok", "error")


def is_match(span: StoredSpan, question: TraceQuestion) -> bool:
    """Tell whether every condition of `question` holds on `span`."""
    start = span.start_unix_nano
    return (
        question.start_unix_nano_min <= start <= question.start_unix_nano_max
        and question.service in {"", span.service}
        and question.operation in {"", span.name}
        and (question.duration_nano_min or 0) <= span.duration_nano
        and (question.duration_nano_max is None or span.duration_nano <= question.duration_nano_max)
        and all(
            any(
                _tag_matches(span, name, value)
                for name in (names_of(key) if question.any_name else (key,))
            )
            for key, value in question.tags
        )
        and all(_is_present(span, text) for text in question.present)
    )


def _is_present(span: StoredSpan, text: str) -> bool:
    """Tell whether a tag has this key, or an event this name."""
    fields = {
        "error": span.status_code == 2,
        "otel.status_code": span.status_code in {1, 2},
        "otel.status_description": bool(span.span.status.message),
        "span.kind": span.kind != 0,
        "w3c.tracestate": bool(span.span.trace_state),
    }
    return (
        fields.get(text, False)
        or any(event.name == text for event in span.span.events)
        or any(
            key == text
            for attributes in _levels(span)
            for key, _ in attributes
            if key != "event" or attributes is span.attributes
        )
    )


def _tag_matches(span: StoredSpan, key: str, value: str) -> bool:
    """Tell whether a field or an attribute is met: what is shown as a tag is found."""
    return _attribute_matches(span, key, value) or _field_matches(span, key, value)


def _field_matches(span: StoredSpan, key: str, value: str) -> bool:
    fields = {
        "otel.scope.name": span.scope.name,
        "otel.scope.version": span.scope.version,
        "otel.status_code": ("", "OK", "ERROR")[span.status_code],
        "otel.status_description": span.span.status.message,
        "w3c.tracestate": span.span.trace_state,
    }
    match key:
        case "error":
            return _status_matches(span.status_code, value)
        case "span.kind":
            return value.lower() == SPAN_KINDS[span.kind]
        case "span.status":
            return value.lower() == STATUS_NAMES[span.status_code]
        case "scope.name":
            return value == span.scope.name
        case "scope.version":
            return value == span.scope.version
        case _ if key.startswith("resource."):
            return value in _texts(_resource(span), key.removeprefix("resource."))
        case _:
            return value == fields.get(key) and value != ""


def _status_matches(status_code: int, value: str) -> bool:
    """Tell whether `error=value` fits the status: true is ERROR, false is any other."""
    try:
        wanted = from_bool_text(value)
    except ValueError:
        return False
    return (status_code == 2) == wanted


def _attribute_matches(span: StoredSpan, key: str, value: str) -> bool:
    return any(value in _texts(attributes, key) for attributes in _levels(span))


def _levels(span: StoredSpan) -> Iterator[Attributes]:
    """Yield the attributes of every level; an event's name is its attribute `event` too."""
    yield span.attributes
    yield _resource(span)
    yield tuple((pair.key, pair.value) for pair in span.scope.attributes)
    for event in span.span.events:
        yield (
            ("event", AnyValue(string_value=event.name)),
            *((pair.key, pair.value) for pair in event.attributes),
        )
    for link in span.links:
        yield link[3]


def _resource(span: StoredSpan) -> Attributes:
    return (("service.name", AnyValue(string_value=span.service)), *span.resource)


def _texts(attributes: Attributes, key: str) -> set[str]:
    found = [pair for pair in attributes if pair[0] == key]
    return {to_text(value) for pair in found for value in (pair[1], with_ip_text(pair)[1])}
