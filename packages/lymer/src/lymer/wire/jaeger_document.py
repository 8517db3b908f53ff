"""Jaeger's JSON, as its interface downloads traces, as OTLP.

Read leniently, for such files come from many programs: a number may be a text, a process may stand
in its span (as Elasticsearch has it), a parent may stand beside the references, types may be
missing. Bytes are base64 in a downloaded trace, and hex digits in a document of Elasticsearch.

Source: Jaeger `internal/uimodel/model.go`, `internal/storage/elasticsearch/dbmodel/model.go`,
`internal/storage/v2/elasticsearch/tracestore/to_dbmodel.go`.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from lymer.errors import UndecodableError
from lymer.wire.jaeger_to_otlp import (
    CHILD_OF,
    Kind,
    Reference,
    Span,
    Tag,
    event_bytes,
    request_bytes,
    resource_bytes,
    span_bytes,
    tag,
)
from lymer.wire.otlp_proto import CheckedRequest, check_request

__all__ = ["request_from_jaeger_span", "request_from_jaeger_trace"]

_REFERENCES: Final = {"CHILD_OF": CHILD_OF, "FOLLOWS_FROM": 1}
_TRUE: Final = frozenset({"true", "True", "1"})
_INT64: Final = 2**63
_U32: Final = 2**32 - 1
_U64: Final = 2**64 - 1

_Decode = Callable[[str], bytes]
"""Makes bytes of the text that stands for them; raises `ValueError`."""
_of_base64: Final[_Decode] = partial(base64.b64decode, validate=True)


def request_from_jaeger_trace(trace: Mapping[str, Any]) -> CheckedRequest:
    """Return what a trace says: an object with `spans` and `processes`.

    Raises:
        UndecodableError: It is none; the message names the span and the field.
    """
    processes = {
        name: _resource(process, f"processes.{name}", _of_base64)
        for name, process in _object(trace.get("processes") or {}, "processes").items()
    }
    spans = trace.get("spans")
    if not isinstance(spans, list):
        raise UndecodableError("cannot read a trace of Jaeger: spans is not a list")
    by_resource: dict[bytes, list[Span]] = {}
    for number, span in enumerate(spans):
        place = f"spans[{number}]"
        resource = _resource_of(_object(span, place), place, processes)
        made = _span(span, place, trace.get("traceID"), _of_base64)
        by_resource.setdefault(resource, []).append(made)
    return _checked(by_resource)


def request_from_jaeger_span(span: Mapping[str, Any]) -> CheckedRequest:
    """Return what a span says that holds its process, as Elasticsearch's documents do.

    Raises:
        UndecodableError: It is none.
    """
    place = "the span"
    resource = _resource(span.get("process"), f"{place}.process", bytes.fromhex)
    return _checked({resource: [_span(span, place, None, bytes.fromhex)]})


def _checked(by_resource: Mapping[bytes, list[Span]]) -> CheckedRequest:
    return check_request(
        b"".join(request_bytes(resource, spans) for resource, spans in by_resource.items())
    )


def _resource_of(span: Mapping[str, Any], place: str, processes: Mapping[str, bytes]) -> bytes:
    own = span.get("process")
    if isinstance(own, dict):
        return _resource(own, f"{place}.process", _of_base64)
    named = span.get("processID", "")
    if named not in processes:
        raise UndecodableError(
            f"cannot read {place}: there is no process {str(named)[:64]!r} in the trace"
        )
    return processes[named]


def _resource(process: object, place: str, decode: _Decode) -> bytes:
    fields = _object(process, place)
    return resource_bytes(_text(fields.get("serviceName", "")), _tags(fields, place, decode))


def _span(span: Mapping[str, Any], place: str, trace_id: object, decode: _Decode) -> Span:
    high, low = _trace_id(span.get("traceID") or trace_id, f"{place}.traceID")
    own = Reference(0, high, low, _span_id(span.get("spanID"), f"{place}.spanID"))
    references = []
    for number, each in enumerate(_list(span.get("references"), f"{place}.references")):
        where = f"{place}.references[{number}]"
        fields = _object(each, where)
        references.append(
            Reference(
                _REFERENCES.get(str(fields.get("refType", "CHILD_OF")).upper(), CHILD_OF),
                *_trace_id(fields.get("traceID") or span.get("traceID") or trace_id, where),
                _span_id(fields.get("spanID"), where),
            )
        )
    parent = span.get("parentSpanID")
    start = _micros(span.get("startTime"), f"{place}.startTime")
    events = []
    for number, log in enumerate(_list(span.get("logs"), f"{place}.logs")):
        where = f"{place}.logs[{number}]"
        fields = _object(log, where)
        made = [_tag(one, where, decode) for one in _list(fields.get("fields"), where)]
        events.append(event_bytes(_micros(fields.get("timestamp"), where), made))
    return span_bytes(
        own,
        _span_id(parent, f"{place}.parentSpanID") if parent else 0,
        _text(span.get("operationName", "")),
        (start, start + _micros(span.get("duration"), f"{place}.duration")),
        _tags(span, place, decode),
        events,
        references,
        flags=_flags(span.get("flags")),
    )


def _flags(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value <= _U32 else 0


def _tags(holder: Mapping[str, Any], place: str, decode: _Decode) -> list[Tag]:
    """Return the tags of a span or a process: a list of them, and maybe an object of texts."""
    listed = _list(holder.get("tags"), f"{place}.tags")
    made = [_tag(one, f"{place}.tags", decode) for one in listed]
    plain = holder.get("tag")
    if isinstance(plain, dict):
        # As Elasticsearch keeps tags that are fields; a dot in a key is written as @ there.
        made += [_value_tag(key.replace("@", ".").encode(), value) for key, value in plain.items()]
    return made


def _tag(sent: object, place: str, decode: _Decode) -> Tag:
    fields = _object(sent, place)
    key, value = _text(fields.get("key", "")), fields.get("value")
    kind = str(fields.get("type") or "").lower()
    try:
        if kind == "bool":
            truth = value if isinstance(value, bool) else str(value) in _TRUE
            return tag(key, Kind.BOOL, truth)
        if kind == "int64" and value is not None:
            number = int(value)
            if -_INT64 <= number < _INT64:
                return tag(key, Kind.INT, number)
            return tag(key, Kind.TEXT, str(number).encode())
        if kind == "float64" and value is not None:
            return tag(key, Kind.DOUBLE, float(value))
        if kind == "binary":
            return tag(key, Kind.BYTES, decode(str(value or "")))
    except (ValueError, TypeError) as error:
        raise UndecodableError(
            f"cannot read {place}: {fields.get('key')!r} is no {kind}: {str(value)[:64]!r}"
        ) from error
    return _value_tag(key, value) if kind == "" else tag(key, Kind.TEXT, _text(value))


def _value_tag(key: bytes, value: object) -> Tag:
    """Return a tag of the type that its JSON has."""
    if isinstance(value, bool):
        return tag(key, Kind.BOOL, value)
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return tag(key, Kind.INT, value)
    if isinstance(value, float):
        return tag(key, Kind.DOUBLE, value)
    return tag(key, Kind.TEXT, _text(value))


def _text(value: object) -> bytes:
    return b"" if value is None else str(value).encode(errors="replace")


def _micros(value: object, place: str) -> int:
    """Return microseconds as nanoseconds; a fraction of one is kept."""
    try:
        if isinstance(value, float) and math.isfinite(value):
            return max(round(value * 1_000), 0)
        if not isinstance(value, bool) and isinstance(value, int | str):
            return min(max(int(value), 0) * 1_000, _U64)
    except ValueError:
        pass
    if value is None:
        return 0
    raise UndecodableError(f"cannot read {place}: {str(value)[:64]!r} is no number of microseconds")


def _trace_id(value: object, place: str) -> tuple[int, int]:
    number = _hex(value, 32, place)
    return number >> 64, number & _U64


def _span_id(value: object, place: str) -> int:
    return _hex(value, 16, place)


def _hex(value: object, digits_max: int, place: str) -> int:
    text = str(value or "").removeprefix("0x")
    if not 1 <= len(text) <= digits_max or text.strip("0123456789abcdefABCDEF"):
        raise UndecodableError(
            f"cannot read {place}: {str(value)[:64]!r} is not 1 to {digits_max} hex digits"
        )
    return int(text, 16)


def _object(value: object, place: str) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise UndecodableError(f"cannot read {place}: it is not an object")


def _list(value: object, place: str) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, list):
        return value
    raise UndecodableError(f"cannot read {place}: it is not a list")
