"""OTLP JSON to OTLP protobuf, the one form of OTLP that Python translates.

Rules beyond protobuf's own JSON mapping: ids are hex, not base64; enums are numbers (names are
accepted); 64-bit integers are strings or numbers; lowerCamelCase and snake_case are read; unknown
fields are ignored. Source: opentelemetry-proto `docs/specification.md`, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import orjson
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from lymer.errors import UndecodableError
from lymer.wire.otlp_proto import CheckedRequest

__all__ = ["VALUE_DEPTH_MAX", "request_from_json"]

VALUE_DEPTH_MAX: Final = 30
"""How deep arrays and key-value lists may be nested. Protobuf's parsers stop at 100 messages inside
one another; a list of key and value is three of them, and seven lead to an event's attribute."""

_U32_MAX: Final = 2**32 - 1
_U64_MAX: Final = 2**64 - 1
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
_DOUBLE: Final = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|Infinity)|NaN")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*")
_T = TypeVar("_T")
_Object = dict[str, Any]


def request_from_json(body: bytes) -> CheckedRequest:
    """Translate an `ExportTraceServiceRequest` from JSON.

    Raises:
        UndecodableError: Not JSON, or a field has the wrong type; the message names its path.
    """
    try:
        document = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        message = f"cannot decode OTLP JSON: {error}"
        raise UndecodableError(message) from error
    request: Any = trace_service_pb2.ExportTraceServiceRequest()
    spans = 0
    try:
        root = _object(document)
        for resource_json in _list(root, "resourceSpans", "resource_spans"):
            spans += _fill_resource_spans(request.resource_spans.add(), resource_json)
        return CheckedRequest(bytes(request.SerializeToString()), spans)
    except _FieldError as error:
        message = f"cannot decode OTLP JSON: {error}"
        raise UndecodableError(message) from error


class _FieldError(Exception):
    """What is wrong with a field; the path grows while the error travels up."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def inside(self, parent: str) -> _FieldError:
        path = f"{parent}.{self.path}" if self.path else parent
        return _FieldError(path, self.problem)

    def __str__(self) -> str:
        return f"{self.path or 'the document'} {self.problem}"


def _get(source: _Object, camel: str, snake: str) -> object:
    value = source.get(camel)
    return source.get(snake) if value is None and snake != camel else value


def _object(value: object) -> _Object:
    if isinstance(value, dict):
        return value
    raise _FieldError("", "is not an object")


def _list(source: _Object, camel: str, snake: str) -> Iterator[_Object]:
    """Yield the objects of a list field; errors raised while one is in use name its index."""
    value = _get(source, camel, snake)
    if value is None:
        return
    if not isinstance(value, list):
        raise _FieldError(camel, "is not a list")
    for index, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise _FieldError(f"{camel}[{index}]", "is not an object")
        yield entry


def _each(source: _Object, camel: str, snake: str, use: Callable[[_Object], _T]) -> Iterator[_T]:
    for index, entry in enumerate(_list(source, camel, snake)):
        try:
            yield use(entry)
        except _FieldError as error:
            raise error.inside(f"{camel}[{index}]") from None


def _text(source: _Object, camel: str, snake: str) -> str:
    value = _get(source, camel, snake)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise _FieldError(camel, "is not a string")


def _integer(source: _Object, camel: str, snake: str, limit: int) -> int:
    value = _get(source, camel, snake)
    if value is None:
        return 0
    number = _whole(value)
    if number is None:
        raise _FieldError(camel, "is not an integer")
    if not 0 <= number <= limit:
        raise _FieldError(camel, f"is {number}, the range is 0 to {limit}")
    return number


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    if isinstance(value, str):
        # Not all that Python reads as a number is one in JSON: 1_000, +1, other scripts' digits.
        return int(value) if _INTEGER.fullmatch(value) else None
    return None


def _identifier(source: _Object, camel: str, snake: str) -> bytes:
    text = _text(source, camel, snake)
    if not _HEX.fullmatch(text):
        raise _FieldError(camel, f"is not hex: {text[:64]!r}")
    return bytes.fromhex(text)


def _enum(source: _Object, name: str, numbers: dict[str, int]) -> int:
    value = source.get(name)
    if value is None:
        return 0
    if isinstance(value, str) and value in numbers:
        return numbers[value]
    number = _whole(value)
    if number is None or not -(2**31) <= number < 2**31:
        raise _FieldError(name, f"is not one of {', '.join(numbers)} or a number")
    return number


_KINDS: Final[dict[str, int]] = dict(trace_pb2.Span.SpanKind.items())
_CODES: Final[dict[str, int]] = dict(trace_pb2.Status.StatusCode.items())


def _fill_resource_spans(target: Any, source: _Object) -> int:
    resource = source.get("resource")
    if resource is not None:
        resource = _object(resource)
        target.resource.SetInParent()
        _fill_attributes(target.resource, resource)
        target.resource.dropped_attributes_count = _dropped(resource, "Attributes")
    target.schema_url = _text(source, "schemaUrl", "schema_url")
    spans = 0
    for scope_json in _list(source, "scopeSpans", "scope_spans"):
        spans += _fill_scope_spans(target.scope_spans.add(), scope_json)
    return spans


def _fill_scope_spans(target: Any, source: _Object) -> int:
    scope = source.get("scope")
    if scope is not None:
        scope = _object(scope)
        target.scope.name = _text(scope, "name", "name")
        target.scope.version = _text(scope, "version", "version")
        _fill_attributes(target.scope, scope)
        target.scope.dropped_attributes_count = _dropped(scope, "Attributes")
    target.schema_url = _text(source, "schemaUrl", "schema_url")
    return sum(_each(source, "spans", "spans", lambda span: _fill_span(target.spans.add(), span)))


def _fill_span(target: Any, source: _Object) -> int:
    target.trace_id = _identifier(source, "traceId", "trace_id")
    target.span_id = _identifier(source, "spanId", "span_id")
    target.parent_span_id = _identifier(source, "parentSpanId", "parent_span_id")
    target.trace_state = _text(source, "traceState", "trace_state")
    target.name = _text(source, "name", "name")
    target.kind = _enum(source, "kind", _KINDS)
    target.flags = _integer(source, "flags", "flags", _U32_MAX)
    target.start_time_unix_nano = _integer(
        source, "startTimeUnixNano", "start_time_unix_nano", _U64_MAX
    )
    target.end_time_unix_nano = _integer(source, "endTimeUnixNano", "end_time_unix_nano", _U64_MAX)
    _fill_attributes(target, source)
    target.dropped_attributes_count = _dropped(source, "Attributes")
    for _ in _each(source, "events", "events", lambda e: _fill_event(target.events.add(), e)):
        pass
    target.dropped_events_count = _dropped(source, "Events")
    for _ in _each(source, "links", "links", lambda k: _fill_link(target.links.add(), k)):
        pass
    target.dropped_links_count = _dropped(source, "Links")
    status = source.get("status")
    if status is not None:
        status = _object(status)
        target.status.message = _text(status, "message", "message")
        target.status.code = _enum(status, "code", _CODES)
    return 1


def _fill_event(target: Any, source: _Object) -> None:
    target.time_unix_nano = _integer(source, "timeUnixNano", "time_unix_nano", _U64_MAX)
    target.name = _text(source, "name", "name")
    _fill_attributes(target, source)
    target.dropped_attributes_count = _dropped(source, "Attributes")


def _fill_link(target: Any, source: _Object) -> None:
    target.trace_id = _identifier(source, "traceId", "trace_id")
    target.span_id = _identifier(source, "spanId", "span_id")
    target.trace_state = _text(source, "traceState", "trace_state")
    target.flags = _integer(source, "flags", "flags", _U32_MAX)
    _fill_attributes(target, source)
    target.dropped_attributes_count = _dropped(source, "Attributes")


def _dropped(source: _Object, what: str) -> int:
    return _integer(source, f"dropped{what}Count", f"dropped_{what.lower()}_count", _U32_MAX)


def _fill_attributes(target: Any, source: _Object) -> None:
    def fill(entry: _Object) -> None:
        _fill_key_value(target.attributes.add(), entry, 0)

    for _ in _each(source, "attributes", "attributes", fill):
        pass


def _fill_key_value(target: Any, source: _Object, depth: int) -> None:
    target.key = _text(source, "key", "key")
    value = source.get("value")
    if value is not None:
        if not isinstance(value, dict):
            raise _FieldError("value", "is not an object")
        try:
            _fill_value(target.value, value, depth)
        except _FieldError as error:
            raise error.inside("value") from None


def _fill_value(target: Any, source: _Object, depth: int) -> None:  # noqa: C901
    """Fill an `AnyValue`; one `if` per member of its oneof."""
    if depth > VALUE_DEPTH_MAX:
        raise _FieldError("", f"is nested deeper than {VALUE_DEPTH_MAX}")
    for name, value in source.items():
        if value is None:
            continue
        if name in {"stringValue", "string_value"}:
            target.string_value = _text({name: value}, name, name)
        elif name in {"boolValue", "bool_value"}:
            if not isinstance(value, bool):
                raise _FieldError(name, "is not true or false")
            target.bool_value = value
        elif name in {"intValue", "int_value"}:
            number = _whole(value)
            if number is None or not -(2**63) <= number < 2**63:
                raise _FieldError(name, "is not a 64-bit integer")
            target.int_value = number
        elif name in {"doubleValue", "double_value"}:
            target.double_value = _double(name, value)
        elif name in {"bytesValue", "bytes_value"}:
            target.bytes_value = _base64(name, value)
        elif name in {"arrayValue", "array_value"}:
            target.array_value.SetInParent()
            for inner in _list(_object(value), "values", "values"):
                _fill_value(target.array_value.values.add(), inner, depth + 1)
        elif name in {"kvlistValue", "kvlist_value"}:
            target.kvlist_value.SetInParent()
            for inner in _list(_object(value), "values", "values"):
                _fill_key_value(target.kvlist_value.values.add(), inner, depth + 1)


def _double(name: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str) and _DOUBLE.fullmatch(value):
        return float(value)
    raise _FieldError(name, "is not a number")


def _base64(name: str, value: object) -> bytes:
    if isinstance(value, str):
        text = value.replace("-", "+").replace("_", "/").rstrip("=")
        try:
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except binascii.Error:
            pass
    raise _FieldError(name, "is not base64")
