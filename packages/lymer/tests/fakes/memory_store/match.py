"""Does a span match a question?

Source: Jaeger v2.20, `internal/storage/v2/memory/tenant.go`, `validSpan`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from fakes.memory_store.columns import with_ip_text
from fakes.memory_store.span import Attributes, StoredSpan
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
        and all(_tag_matches(span, key, value) for key, value in question.tags)
    )


def _tag_matches(  # noqa: PLR0911 - one line for each special key
    span: StoredSpan, key: str, value: str
) -> bool:
    match key:
        case "error":
            return _status_matches(span.status_code, value) or _attribute_matches(span, key, value)
        case "span.kind":
            return value.lower() == SPAN_KINDS[span.kind]
        case "span.status":
            return value.lower() == STATUS_NAMES[span.status_code]
        case "scope.name":
            return value == span.scope.name
        case "scope.version":
            return value == span.scope.version
        case "otel.status_code":
            return value == ("", "OK", "ERROR")[span.status_code] != "" or _attribute_matches(
                span, key, value
            )
        case (
            "otel.status_description" | "w3c.tracestate" | "otel.scope.name" | "otel.scope.version"
        ):
            return value == _shown_field(span, key) != "" or _attribute_matches(span, key, value)
        case "ip" | "peer.ipv4":
            return _address_matches(span, key, value) or _attribute_matches(span, key, value)
        case _ if key.startswith("resource."):
            return value in _texts(_resource(span), key.removeprefix("resource."))
        case _:
            return _attribute_matches(span, key, value)


def _address_matches(span: StoredSpan, key: str, value: str) -> bool:
    return any(
        value == to_text(with_ip_text((key, number))[1])
        for attributes in _levels(span)
        for name, number in attributes
        if name == key
    )


def _shown_field(span: StoredSpan, key: str) -> str:
    return {
        "otel.status_description": span.span.status.message,
        "w3c.tracestate": span.span.trace_state,
        "otel.scope.name": span.scope.name,
        "otel.scope.version": span.scope.version,
    }[key]


def _status_matches(status_code: int, value: str) -> bool:
    """Tell whether `error=value` fits the status: true is ERROR, false is OK, unset is neither."""
    try:
        wanted = 2 if from_bool_text(value) else 1
    except ValueError:
        return False
    return status_code == wanted


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
    return {to_text(value) for name, value in attributes if name == key}
