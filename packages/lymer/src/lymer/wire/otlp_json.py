"""OTLP JSON to OTLP protobuf, the one form of OTLP that Python translates.

Rules beyond protobuf's own JSON mapping: ids are hex, not base64; enums are numbers (names are
accepted); 64-bit integers are strings or numbers; lowerCamelCase and snake_case are read; unknown
fields are ignored. Source: opentelemetry-proto `docs/specification.md`, "JSON Protobuf Encoding".
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import orjson
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from lymer.errors import UndecodableError
from lymer.wire.bounds import check_json
from lymer.wire.otlp_proto import CheckedRequest, count_spans

__all__ = ["VALUE_DEPTH_MAX", "request_from_document", "request_from_json"]

VALUE_DEPTH_MAX: Final = 30
"""How deep arrays and key-value lists may be nested. Protobuf's parsers stop at 100 messages inside
one another; a list of key and value is three of them, and seven lead to an event's attribute."""

_U32_MAX: Final = 2**32 - 1
_U64_MAX: Final = 2**64 - 1
_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
_DOUBLE: Final = re.compile(r"-?(?:[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|Infinity)|NaN")
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*")
_Object = dict[str, Any]
_Fill = Callable[[Any, _Object], None]
"""Fills a protobuf message, whose classes are made at run time, from a JSON object."""


def request_from_json(body: bytes) -> CheckedRequest:
    """Translate an `ExportTraceServiceRequest` from JSON.

    Raises:
        UndecodableError: Not JSON, or a field has the wrong type; the message names its path.
    """
    check_json(body, "the JSON")
    try:
        document = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        message = f"cannot decode OTLP JSON: {error}"
        raise UndecodableError(message) from error
    return request_from_document(document)


def request_from_document(document: object) -> CheckedRequest:
    """Do so with what a parser of JSON made of the bytes, however much that is.

    Raises:
        UndecodableError: A field has the wrong type; the message names its path.
    """
    request: Any = trace_service_pb2.ExportTraceServiceRequest()
    try:
        _fill_each(
            request.resource_spans,
            _object(document),
            "resourceSpans",
            "resource_spans",
            _fill_resource_spans,
        )
    except _FieldError as error:
        message = f"cannot decode OTLP JSON: {error}"
        raise UndecodableError(message) from error
    return CheckedRequest(bytes(request.SerializeToString()), count_spans(request))


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


def _fill_each(target: Any, source: _Object, camel: str, snake: str, fill: _Fill) -> None:
    """Fill a list of messages; errors name the index."""
    value = _get(source, camel, snake)
    if value is None:
        return
    if not isinstance(value, list):
        raise _FieldError(camel, "is not a list")
    for index, entry in enumerate(value):
        try:
            fill(target.add(), _object(entry))
        except _FieldError as error:
            raise error.inside(f"{camel}[{index}]") from None


def _fill_member(target: Any, source: _Object, name: str, fill: _Fill) -> None:
    """Fill a message inside a message, if it is there; one that is there and empty stays so."""
    value = source.get(name)
    if value is None:
        return
    target.SetInParent()
    try:
        fill(target, _object(value))
    except _FieldError as error:
        raise error.inside(name) from None


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


def _fill_resource_spans(target: Any, source: _Object) -> None:
    _fill_member(target.resource, source, "resource", _fill_attributes)
    target.schema_url = _text(source, "schemaUrl", "schema_url")
    _fill_each(target.scope_spans, source, "scopeSpans", "scope_spans", _fill_scope_spans)
    _fill_each(
        target.scope_spans,
        source,
        "instrumentationLibrarySpans",
        "instrumentation_library_spans",
        _fill_library_spans,
    )


def _fill_scope_spans(target: Any, source: _Object) -> None:
    _fill_member(target.scope, source, "scope", _fill_scope)
    target.schema_url = _text(source, "schemaUrl", "schema_url")
    _fill_each(target.spans, source, "spans", "spans", _fill_span)


def _fill_library_spans(target: Any, source: _Object) -> None:
    """Fill them from what they were called before OTLP 0.15."""
    for name in ("instrumentationLibrary", "instrumentation_library"):
        _fill_member(target.scope, source, name, _fill_scope)
    _fill_scope_spans(target, source)


def _fill_scope(target: Any, source: _Object) -> None:
    target.name = _text(source, "name", "name")
    target.version = _text(source, "version", "version")
    _fill_attributes(target, source)


def _fill_span(target: Any, source: _Object) -> None:
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
    _fill_each(target.events, source, "events", "events", _fill_event)
    target.dropped_events_count = _dropped(source, "Events")
    _fill_each(target.links, source, "links", "links", _fill_link)
    target.dropped_links_count = _dropped(source, "Links")
    _fill_member(target.status, source, "status", _fill_status)


def _fill_status(target: Any, source: _Object) -> None:
    target.message = _text(source, "message", "message")
    target.code = _enum(source, "code", _CODES)


def _fill_event(target: Any, source: _Object) -> None:
    target.time_unix_nano = _integer(source, "timeUnixNano", "time_unix_nano", _U64_MAX)
    target.name = _text(source, "name", "name")
    _fill_attributes(target, source)


def _fill_link(target: Any, source: _Object) -> None:
    target.trace_id = _identifier(source, "traceId", "trace_id")
    target.span_id = _identifier(source, "spanId", "span_id")
    target.trace_state = _text(source, "traceState", "trace_state")
    target.flags = _integer(source, "flags", "flags", _U32_MAX)
    _fill_attributes(target, source)


def _dropped(source: _Object, what: str) -> int:
    return _integer(source, f"dropped{what}Count", f"dropped_{what.lower()}_count", _U32_MAX)


def _fill_attributes(target: Any, source: _Object) -> None:
    """Fill what everything with attributes has: them, and how many were dropped."""
    _fill_each(target.attributes, source, "attributes", "attributes", _fill_key_value)
    target.dropped_attributes_count = _dropped(source, "Attributes")


def _fill_key_value(target: Any, source: _Object, depth: int = 0) -> None:
    target.key = _text(source, "key", "key")
    value = source.get("value")
    if value is None:
        return
    any_value = target.value
    any_value.SetInParent()
    try:
        _fill_value(any_value, _object(value), depth)
    except _FieldError as error:
        raise error.inside("value") from None


def _fill_value(target: Any, source: _Object, depth: int) -> None:
    """Fill an `AnyValue`; of several members the last one counts."""
    if depth > VALUE_DEPTH_MAX:
        raise _FieldError("", f"is nested deeper than {VALUE_DEPTH_MAX}")
    for name, value in source.items():
        fill = _MEMBERS.get(name)
        if fill is not None and value is not None:
            fill(target, name, value, depth)


def _fill_string(target: Any, name: str, value: object, _depth: int) -> None:
    if not isinstance(value, str):
        raise _FieldError(name, "is not a string")
    target.string_value = value


def _fill_bool(target: Any, name: str, value: object, _depth: int) -> None:
    if not isinstance(value, bool):
        raise _FieldError(name, "is not true or false")
    target.bool_value = value


def _fill_int(target: Any, name: str, value: object, _depth: int) -> None:
    number = _whole(value)
    if number is None or not -(2**63) <= number < 2**63:
        raise _FieldError(name, "is not a 64-bit integer")
    target.int_value = number


def _fill_double(target: Any, name: str, value: object, _depth: int) -> None:
    target.double_value = _double(name, value)


def _fill_bytes(target: Any, name: str, value: object, _depth: int) -> None:
    target.bytes_value = _base64(name, value)


def _fill_array(target: Any, name: str, value: object, depth: int) -> None:
    def fill(array: Any, source: _Object) -> None:
        _fill_each(array.values, source, "values", "values", partial(_fill_value, depth=depth + 1))

    _fill_member(target.array_value, {name: value}, name, fill)


def _fill_kvlist(target: Any, name: str, value: object, depth: int) -> None:
    def fill(pairs: Any, source: _Object) -> None:
        entry = partial(_fill_key_value, depth=depth + 1)
        _fill_each(pairs.values, source, "values", "values", entry)

    _fill_member(target.kvlist_value, {name: value}, name, fill)


_MEMBERS: Final[dict[str, Callable[[Any, str, object, int], None]]] = {
    "stringValue": _fill_string,
    "string_value": _fill_string,
    "boolValue": _fill_bool,
    "bool_value": _fill_bool,
    "intValue": _fill_int,
    "int_value": _fill_int,
    "doubleValue": _fill_double,
    "double_value": _fill_double,
    "bytesValue": _fill_bytes,
    "bytes_value": _fill_bytes,
    "arrayValue": _fill_array,
    "array_value": _fill_array,
    "kvlistValue": _fill_kvlist,
    "kvlist_value": _fill_kvlist,
}
"""Member of the oneof in `AnyValue`, in both spellings → what fills it."""


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
