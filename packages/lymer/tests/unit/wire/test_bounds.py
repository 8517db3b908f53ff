"""How much work a request may be: counted before it is parsed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymer.errors import TooLargeError
from lymer.wire import bounds
from lymer.wire.bounds import OBJECTS_MAX, SPANS_MAX, VALUES_MAX, check_json, check_span_count
from lymer.wire.jaeger_proto import request_from_post_spans
from lymer.wire.otlp_json import request_from_json
from lymer.wire.zipkin_proto import request_from_zipkin_proto
from lymer.wire.zipkin_v2 import request_from_zipkin_v2_json


@pytest.mark.parametrize("empty", [b"{}", b"[]", b"[ ]"])
def test_more_objects_than_the_limit_are_refused_unparsed(empty: bytes) -> None:
    """Six million empty spans in 18 MB of JSON would be 40 s of work."""
    spans = b",".join([empty] * (OBJECTS_MAX + 1))
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + spans + b"]}]}]}"
    with pytest.raises(TooLargeError, match=f"the limit is {OBJECTS_MAX}"):
        request_from_json(body)


def test_more_values_than_the_limit_are_refused() -> None:
    """Numbers are cheap, and not for nothing."""
    with pytest.raises(TooLargeError, match=f"the limit is {VALUES_MAX}"):
        check_json(b"[" + b"1," * (VALUES_MAX + 1) + b"1]", "the JSON")


def test_signs_in_texts_are_no_objects() -> None:
    """However many: a program may log another one's JSON."""
    text = json.dumps('{"[,\\' * (OBJECTS_MAX + 1))
    attribute = f'{{"key":"k","value":{{"stringValue":{text}}}}}'
    span = f'{{"traceId":"{"1" * 32}","spanId":"{"2" * 16}","attributes":[{attribute}]}}'
    body = f'{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}'
    assert request_from_json(body.encode()).span_count == 1


_documents = st.recursive(
    st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@given(_documents)
def test_what_is_counted_is_what_is_there(document: object) -> None:
    """Objects exactly, values at least."""

    def objects(value: object) -> int:
        inside = value.values() if isinstance(value, dict) else value
        return 1 + sum(map(objects, inside)) if isinstance(inside, list | type({}.values())) else 0

    counted, _ = bounds._outside_texts(json.dumps(document).encode())  # noqa: SLF001
    assert counted == objects(document)


@pytest.mark.parametrize("inside", [b"\x0a\x00", b"\x0a\x02\x5a\x00"])
def test_more_messages_than_the_limit_are_refused_unparsed(inside: bytes) -> None:
    """Spans, or tags in one."""
    many = inside * (OBJECTS_MAX + 1)
    with pytest.raises(TooLargeError, match=f"the limit is {OBJECTS_MAX}"):
        request_from_zipkin_proto(many)
    size = len(many)
    varint = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14 & 127 | 128, size >> 21])
    with pytest.raises(TooLargeError, match=f"the limit is {OBJECTS_MAX}"):
        request_from_post_spans(b"\x0a" + varint + many)


def test_spans_are_counted() -> None:
    """Each costs 20 us to translate."""
    check_span_count(SPANS_MAX, "it")
    with pytest.raises(TooLargeError, match=f"the limit is {SPANS_MAX}"):
        request_from_zipkin_v2_json(b"[" + b"{}," * SPANS_MAX + b"{}]")
