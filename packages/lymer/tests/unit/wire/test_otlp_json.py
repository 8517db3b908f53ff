"""OTLP JSON: it says the same as protobuf, in both spellings, or names what is wrong."""

from __future__ import annotations

import base64
import math
import random
from typing import Any

import orjson
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from lymer.errors import UndecodableError
from lymer.wire.otlp_json import VALUE_DEPTH_MAX, request_from_json
from lymer.wire.otlp_proto import check_request

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_U32, _U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
_SCALAR = st.one_of(
    st.builds(AnyValue),
    st.builds(AnyValue, string_value=_TEXT),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
    st.builds(AnyValue, double_value=st.floats(allow_nan=False) | st.just(math.nan)),
    st.builds(AnyValue, bytes_value=st.binary(max_size=9)),
)
_VALUE = st.recursive(
    _SCALAR,
    lambda inner: st.one_of(
        st.builds(
            AnyValue,
            array_value=st.builds(ArrayValue, values=st.lists(inner, max_size=3)),
        ),
        st.builds(
            AnyValue,
            kvlist_value=st.builds(
                KeyValueList,
                values=st.lists(st.builds(KeyValue, key=_TEXT, value=inner), max_size=3),
            ),
        ),
    ),
    max_leaves=6,
)
_ATTRIBUTES = st.lists(st.builds(KeyValue, key=_TEXT, value=_VALUE), max_size=3)
_TRACE_ID, _SPAN_ID = st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8)
_SPAN = st.builds(
    Span,
    trace_id=_TRACE_ID,
    span_id=_SPAN_ID,
    parent_span_id=st.one_of(st.just(b""), _SPAN_ID),
    trace_state=_TEXT,
    flags=_U32,
    name=_TEXT,
    kind=st.integers(0, 5),
    start_time_unix_nano=_U64,
    end_time_unix_nano=_U64,
    attributes=_ATTRIBUTES,
    dropped_attributes_count=_U32,
    events=st.lists(
        st.builds(
            Span.Event,
            time_unix_nano=_U64,
            name=_TEXT,
            attributes=_ATTRIBUTES,
            dropped_attributes_count=_U32,
        ),
        max_size=2,
    ),
    dropped_events_count=_U32,
    links=st.lists(
        st.builds(
            Span.Link,
            trace_id=_TRACE_ID,
            span_id=_SPAN_ID,
            trace_state=_TEXT,
            attributes=_ATTRIBUTES,
            dropped_attributes_count=_U32,
            flags=_U32,
        ),
        max_size=2,
    ),
    dropped_links_count=_U32,
    status=st.builds(Status, message=_TEXT, code=st.integers(0, 2)),
)
_SCOPE = st.builds(
    InstrumentationScope,
    name=_TEXT,
    version=_TEXT,
    attributes=_ATTRIBUTES,
    dropped_attributes_count=_U32,
)
_REQUEST = st.builds(
    ExportTraceServiceRequest,
    resource_spans=st.lists(
        st.builds(
            ResourceSpans,
            resource=st.builds(Resource, attributes=_ATTRIBUTES, dropped_attributes_count=_U32),
            schema_url=_TEXT,
            scope_spans=st.lists(
                st.builds(
                    ScopeSpans, scope=_SCOPE, schema_url=_TEXT, spans=st.lists(_SPAN, max_size=2)
                ),
                max_size=2,
            ),
        ),
        max_size=2,
    ),
)
_IDS = {"trace_id", "span_id", "parent_span_id"}


def _written(message: Message, chance: random.Random) -> dict[str, Any]:
    """Write a message as OTLP JSON, in any of the spellings a sender may choose."""
    out: dict[str, Any] = {}
    for field, value in message.ListFields():
        name = field.json_name if chance.random() < 0.5 else field.name
        is_list = isinstance(value, list) or hasattr(value, "append")
        if is_list and not isinstance(value, bytes | str):
            out[name] = [_one(field, one, chance) for one in value]
        else:
            out[name] = _one(field, value, chance)
    if chance.random() < 0.3:
        out["fieldOfTheFuture"] = {"any": ["thing", 1]}
    return out


def _one(field: FieldDescriptor, value: Any, chance: random.Random) -> Any:
    if isinstance(value, Message):
        return _written(value, chance)
    if isinstance(value, bytes):
        if field.name in _IDS:
            return value.hex() if chance.random() < 0.5 else value.hex().upper()
        return base64.b64encode(value).decode()
    if field.enum_type is not None and chance.random() < 0.5:
        return field.enum_type.values_by_number[value].name
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return value if chance.random() < 0.5 else repr(value)
    if isinstance(value, int) and not isinstance(value, bool) and chance.random() < 0.5:
        return str(value)
    return value


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(_REQUEST, st.randoms(use_true_random=False))
def test_json_says_what_protobuf_says(
    request: ExportTraceServiceRequest, chance: random.Random
) -> None:
    """Every field of every message comes through, and the spans are counted."""
    found = request_from_json(orjson.dumps(_written(request, chance)))

    read = ExportTraceServiceRequest.FromString(found.body)
    # Compared as bytes: NaN is not equal to itself.
    assert read.SerializeToString(deterministic=True) == request.SerializeToString(
        deterministic=True
    )
    assert found.span_count == check_request(found.body).span_count


def _document(span: object) -> bytes:
    return orjson.dumps({"resourceSpans": [{}, {"scopeSpans": [{"spans": [{}, span]}]}]})


def _read_span(span: object) -> Span:
    request = ExportTraceServiceRequest.FromString(request_from_json(_document(span)).body)
    return request.resource_spans[1].scope_spans[0].spans[1]


def _read_value(value: object) -> AnyValue:
    return _read_span({"attributes": [{"key": "k", "value": value}]}).attributes[0].value


_AT_SPAN = "resourceSpans[1].scopeSpans[0].spans[1]"


@pytest.mark.parametrize(
    ("span", "problem"),
    [
        ({"name": 5}, "name is not a string"),
        ({"traceId": "xyz"}, "traceId is not hex: 'xyz'"),
        ({"traceId": "abc"}, "traceId is not hex: 'abc'"),
        ({"traceId": "ab cd"}, "traceId is not hex: 'ab cd'"),
        ({"spanId": 12}, "spanId is not a string"),
        ({"kind": "CLIENT"}, "kind is not one of SPAN_KIND_UNSPECIFIED, "),
        ({"kind": 2**31}, "kind is not one of "),
        ({"kind": 1.5}, "kind is not one of "),
        ({"startTimeUnixNano": -1}, "startTimeUnixNano is -1, the range is 0 to 1844674407370955"),
        ({"startTimeUnixNano": "1e3"}, "startTimeUnixNano is not an integer"),
        ({"startTimeUnixNano": "1_000"}, "startTimeUnixNano is not an integer"),
        ({"startTimeUnixNano": " 1"}, "startTimeUnixNano is not an integer"),
        ({"startTimeUnixNano": "\u0661"}, "startTimeUnixNano is not an integer"),
        ({"endTimeUnixNano": True}, "endTimeUnixNano is not an integer"),
        ({"endTimeUnixNano": "9" * 5_000}, "endTimeUnixNano is not an integer"),
        ({"endTimeUnixNano": "18446744073709551616"}, "endTimeUnixNano is 18446744073709551616, "),
        ({"flags": 2**32}, "flags is 4294967296, the range is 0 to 4294967295"),
        ({"droppedEventsCount": []}, "droppedEventsCount is not an integer"),
        ({"attributes": {}}, "attributes is not a list"),
        ({"attributes": [1]}, "attributes[0] is not an object"),
        ({"attributes": [{"key": 1}]}, "attributes[0].key is not a string"),
        ({"attributes": [{"value": 1}]}, "attributes[0].value is not an object"),
        (
            {"attributes": [{}, {"value": {"intValue": "x"}}]},
            "attributes[1].value.intValue is not a 64-bit integer",
        ),
        (
            {"attributes": [{"value": {"arrayValue": {"values": [{}, {"boolValue": 1}]}}}]},
            "attributes[0].value.arrayValue.values[1].boolValue is not true or false",
        ),
        (
            {"attributes": [{"value": {"kvlistValue": {"values": [{"key": 1}]}}}]},
            "attributes[0].value.kvlistValue.values[0].key is not a string",
        ),
        ({"events": [{"name": []}]}, "events[0].name is not a string"),
        ({"events": [{"timeUnixNano": "x"}]}, "events[0].timeUnixNano is not an integer"),
        ({"links": [{}, {"spanId": "q"}]}, "links[1].spanId is not hex: 'q'"),
        ({"status": []}, "status is not an object"),
        ({"status": {"code": "OK"}}, "status.code is not one of STATUS_CODE_UNSET, "),
        ([], "is not an object"),
        (None, "is not an object"),
    ],
)
def test_a_wrong_type_is_named_with_its_path(span: object, problem: str) -> None:
    """The sender's developer finds the place without a debugger."""
    with pytest.raises(UndecodableError) as refused:
        request_from_json(_document(span))

    separator = " " if problem.startswith("is ") else "."
    assert str(refused.value).startswith(f"cannot decode OTLP JSON: {_AT_SPAN}{separator}{problem}")
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"[]", "the document is not an object"),
        (b'"x"', "the document is not an object"),
        (b'{"resourceSpans":{}}', "resourceSpans is not a list"),
        (b'{"resourceSpans":[1]}', "resourceSpans[0] is not an object"),
        (b'{"resourceSpans":[{"resource":[]}]}', "resourceSpans[0].resource is not an object"),
        (
            b'{"resourceSpans":[{"resource":{"attributes":[{"key":2}]}}]}',
            "resourceSpans[0].resource.attributes[0].key is not a string",
        ),
        (
            b'{"resourceSpans":[{},{"scopeSpans":[{"scope":{"name":[]}}]}]}',
            "resourceSpans[1].scopeSpans[0].scope.name is not a string",
        ),
        (
            b'{"resourceSpans":[{"schemaUrl":7}]}',
            "resourceSpans[0].schemaUrl is not a string",
        ),
    ],
)
def test_above_a_span_the_path_is_named_too(document: bytes, problem: str) -> None:
    """From the top of the document."""
    with pytest.raises(UndecodableError) as refused:
        request_from_json(document)

    assert str(refused.value) == f"cannot decode OTLP JSON: {problem}"


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="cut off"),
        pytest.param(b"\xff{}", id="not UTF-8"),
        pytest.param(b'{"a":"\xff"}', id="a text that is not UTF-8"),
        pytest.param(b'{"a":"\\ud800"}', id="half a surrogate pair"),
        pytest.param(b'{"a":NaN}', id="NaN as JavaScript writes it"),
        pytest.param(b"{} {}", id="two documents"),
        pytest.param(b"[" * 1_000_000, id="a million lists"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="deep objects"),
        pytest.param(b'{"a":1' + b"0" * 400 + b"e400}", id="a number out of all range"),
    ],
)
def test_what_is_no_json_is_refused(document: bytes) -> None:
    """With a sentence, and not with a crash."""
    with pytest.raises(UndecodableError, match=r"^cannot decode OTLP JSON: ") as refused:
        request_from_json(document)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("spans", "library"),
    [
        ("instrumentationLibrarySpans", "instrumentationLibrary"),
        ("instrumentation_library_spans", "instrumentation_library"),
    ],
)
def test_spans_of_a_library_are_spans_of_a_scope(spans: str, library: str) -> None:
    """As they were called before OTLP 0.15; a request may hold both."""
    old = {library: {"name": "lib", "version": "1"}, "spans": [{"name": "old"}]}
    new = {"scope": {"name": "scope"}, "spans": [{"name": "new"}]}
    body = orjson.dumps({"resourceSpans": [{"scopeSpans": [new], spans: [old]}]})

    checked = request_from_json(body)

    request = ExportTraceServiceRequest.FromString(checked.body)
    assert checked.span_count == 2
    assert [
        (scope.scope.name, scope.scope.version, scope.spans[0].name)
        for scope in request.resource_spans[0].scope_spans
    ] == [("scope", "", "new"), ("lib", "1", "old")]


@pytest.mark.parametrize("document", [b"{}", b'{"resourceSpans":null}', b'{"resource_spans":[]}'])
def test_no_spans_are_no_error(document: bytes) -> None:
    """An empty request is good."""
    assert request_from_json(document).span_count == 0


def test_both_spellings_mean_the_same() -> None:
    """The camel one counts where both are there; null is as good as absent."""
    assert _read_span({"trace_id": "0A" * 16}).trace_id == b"\x0a" * 16
    assert _read_span({"traceId": "0b" * 16, "trace_id": "0a" * 16}).trace_id == b"\x0b" * 16
    assert _read_span({"traceId": None, "trace_id": "0a" * 16}).trace_id == b"\x0a" * 16


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"stringValue": "a\0b"}, AnyValue(string_value="a\0b")),
        ({"stringValue": ""}, AnyValue(string_value="")),
        ({"intValue": "-9223372036854775808"}, AnyValue(int_value=-(2**63))),
        ({"intValue": 9223372036854775807}, AnyValue(int_value=2**63 - 1)),
        ({"intValue": 5.0}, AnyValue(int_value=5)),
        ({"doubleValue": "-Infinity"}, AnyValue(double_value=-math.inf)),
        ({"doubleValue": 3}, AnyValue(double_value=3.0)),
        ({"doubleValue": "1e3"}, AnyValue(double_value=1000.0)),
        ({"doubleValue": 2**64 - 1}, AnyValue(double_value=2.0**64)),
        ({"bytesValue": "_-8"}, AnyValue(bytes_value=b"\xff\xef")),
        ({"bytesValue": "/+8="}, AnyValue(bytes_value=b"\xff\xef")),
        ({"arrayValue": {}}, AnyValue(array_value=ArrayValue())),
        ({"kvlistValue": {"values": []}}, AnyValue(kvlist_value=KeyValueList())),
        ({"boolValue": False}, AnyValue(bool_value=False)),
        ({"boolValue": None}, AnyValue()),
        ({}, AnyValue()),
        ({"valueOfTheFuture": 1}, AnyValue()),
    ],
)
def test_values(value: object, expected: AnyValue) -> None:
    """Limits of every type, and the spellings of bytes."""
    found = _read_value(value)

    assert found == expected
    assert found.WhichOneof("value") == expected.WhichOneof("value")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"intValue": "9223372036854775808"}, "intValue is not a 64-bit integer"),
        ({"intValue": 1e300}, "intValue is not a 64-bit integer"),
        ({"intValue": 1.5}, "intValue is not a 64-bit integer"),
        ({"doubleValue": "1_0"}, "doubleValue is not a number"),
        ({"doubleValue": "infinity"}, "doubleValue is not a number"),
        ({"doubleValue": True}, "doubleValue is not a number"),
        ({"bytesValue": "a"}, "bytesValue is not base64"),
        ({"bytesValue": "****"}, "bytesValue is not base64"),
        ({"bytesValue": 1}, "bytesValue is not base64"),
        ({"stringValue": 1}, "stringValue is not a string"),
        ({"arrayValue": []}, "arrayValue is not an object"),
        ({"kvlistValue": {"values": {}}}, "kvlistValue.values is not a list"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(value: object, problem: str) -> None:
    """It is named."""
    with pytest.raises(UndecodableError) as refused:
        _read_value(value)
    assert str(refused.value).endswith(f"attributes[0].value.{problem}")


def _nested(depth: int, kind: str) -> dict[str, object]:
    value: dict[str, object] = {"stringValue": "deep"}
    for _ in range(depth):
        entry = value if kind == "arrayValue" else {"key": "k", "value": value}
        value = {kind: {"values": [entry]}}
    return value


@pytest.mark.parametrize("kind", ["arrayValue", "kvlistValue"])
def test_the_deepest_value_that_is_taken_can_be_read_back(kind: str) -> None:
    """By protobuf's parser, which stops at 100 messages; one level more is refused."""
    deepest = {"key": "k", "value": _nested(VALUE_DEPTH_MAX, kind)}
    found = request_from_json(_document({"events": [{"attributes": [deepest]}]}))

    assert check_request(found.body).span_count == 2
    with pytest.raises(UndecodableError, match="is nested deeper than 30"):
        _read_value(_nested(VALUE_DEPTH_MAX + 1, kind))


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.floats(allow_nan=False)
        | st.integers(-(2**63), 2**64 - 1)
        | st.sampled_from(["", "0a", "1", "x", "SPAN_KIND_CLIENT"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "resourceSpans",
                        "scopeSpans",
                        "spans",
                        "attributes",
                        "key",
                        "value",
                        "values",
                        "events",
                        "links",
                        "status",
                        "code",
                        "traceId",
                        "spanId",
                        "kind",
                        "intValue",
                        "arrayValue",
                        "kvlistValue",
                        "stringValue",
                        "doubleValue",
                        "bytesValue",
                        "resource",
                        "scope",
                        "name",
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=40,
    )
)
def test_any_json_is_taken_or_refused(document: object) -> None:
    """Nothing but our own error comes out, and what is taken is a good request."""
    try:
        found = request_from_json(orjson.dumps({"resourceSpans": [document]}))
    except UndecodableError:
        return
    assert check_request(found.body).span_count == found.span_count
