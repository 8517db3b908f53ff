"""Tags added on bytes: what a parser would have done, without parsing spans."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans

from lymer.errors import UndecodableError
from lymer.wire.resource_tags import ResourceTags
from make import make_span

_KEYS = st.sampled_from(["a", "b", "cluster", "é"])
_RESOURCES = st.builds(
    Resource,
    attributes=st.lists(
        st.builds(KeyValue, key=_KEYS, value=st.builds(AnyValue, string_value=st.text())),
        max_size=3,
    ),
    dropped_attributes_count=st.integers(0, 300),
)
_RESOURCE_SPANS = st.builds(
    ResourceSpans,
    resource=st.none() | _RESOURCES,
    scope_spans=st.lists(
        st.builds(ScopeSpans, spans=st.lists(st.builds(lambda: make_span(1, 1)), max_size=3)),
        max_size=2,
    ),
    schema_url=st.text(max_size=3),
)
_REQUESTS = st.builds(
    ExportTraceServiceRequest, resource_spans=st.lists(_RESOURCE_SPANS, max_size=3)
)
_TAGS = st.dictionaries(_KEYS, st.text(max_size=300), max_size=3).map(lambda d: list(d.items()))


@given(request=_REQUESTS, tags=_TAGS)
def test_tags_are_added_where_the_key_is_missing(
    request: ExportTraceServiceRequest, tags: list[tuple[str, str]]
) -> None:
    """Behind what is there, in their order; nothing else changes."""
    made = ResourceTags(tags).add_to(request.SerializeToString())

    for resource_spans in request.resource_spans:
        attributes = resource_spans.resource.attributes
        keys = {attribute.key for attribute in attributes}
        resource_spans.resource.SetInParent()
        for key, value in tags:
            if key not in keys:
                attributes.add(key=key, value=AnyValue(string_value=value))
    assert request == ExportTraceServiceRequest.FromString(made)


def test_a_resource_written_in_two_pieces_is_one() -> None:
    """As protobuf's parsers merge it; fields nobody knows are kept."""
    first = Resource(attributes=[KeyValue(key="a")]).SerializeToString()
    second = Resource(attributes=[KeyValue(key="b")]).SerializeToString()
    unknown = b"\x98\x06\x01" + b"\xa1\x06" + bytes(8) + b"\xa5\x06" + bytes(4)
    pieces = bytes([10, len(first)]) + first + unknown + bytes([10, len(second)]) + second
    body = bytes([10, len(pieces)]) + pieces

    made = ResourceTags([("b", "new"), ("c", "new")]).add_to(body)

    (resource_spans,) = ExportTraceServiceRequest.FromString(made).resource_spans
    assert [one.key for one in resource_spans.resource.attributes] == ["a", "b", "c"]
    assert unknown in made


def test_no_tags_are_none() -> None:
    """So that callers can save the walk."""
    assert not ResourceTags([])
    assert ResourceTags([("a", "")])


@given(body=st.binary(max_size=60))
def test_what_is_no_protobuf_is_one_error(body: bytes) -> None:
    """Nothing else escapes, and no loop is endless."""
    with contextlib.suppress(UndecodableError):
        ResourceTags([("a", "b")]).add_to(body)


@pytest.mark.parametrize("body", [b"\x0a\x05abc", b"\x0b", b"\x0a" + b"\xff" * 11])
def test_broken_lengths_are_refused(body: bytes) -> None:
    """A field that is longer than its message, a group, a number without end."""
    with pytest.raises(UndecodableError):
        ResourceTags([("a", "b")]).add_to(body)
