"""OTLP as api_v2: there and back again, and what does not come back."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from lymer.wire.jaeger_proto import PostSpansRequest, request_from_post_spans
from lymer.wire.otlp_to_jaeger_proto import post_spans_from_otlp
from make import attributes, make_request, make_span

_VALUES = st.one_of(
    st.builds(AnyValue, string_value=st.text()),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
    st.builds(AnyValue, double_value=st.floats(allow_nan=False)),
    st.builds(AnyValue, bytes_value=st.binary()),
)
_ATTRIBUTES = st.lists(
    # Keys that mean something in Jaeger's format are its own business, see below.
    st.builds(KeyValue, key=st.text(max_size=4).map("k".__add__), value=_VALUES),
    max_size=4,
)
_IDS16 = st.binary(min_size=16, max_size=16).filter(any)
_IDS8 = st.binary(min_size=8, max_size=8).filter(any)
_TIMES = st.integers(0, 2**62)


@st.composite
def _links(draw: st.DrawFn) -> Span.Link:
    kind = draw(st.sampled_from(["child_of", "follows_from"]))
    return Span.Link(
        trace_id=draw(_IDS16),
        span_id=draw(_IDS8),
        attributes=attributes({"opentracing.ref_type": kind}),
    )


@st.composite
def _spans(draw: st.DrawFn) -> Span:
    start = draw(_TIMES)
    code = draw(st.sampled_from([0, 1, 2]))
    message = draw(st.text(max_size=5)) if code else ""
    # A FOLLOWS_FROM of the same trace would be taken for the parent of a span without one.
    return Span(
        trace_id=draw(_IDS16),
        span_id=draw(_IDS8),
        parent_span_id=draw(st.just(b"") | _IDS8),
        name=draw(st.text(max_size=5)),
        kind=draw(st.integers(0, 5)),
        trace_state=draw(st.text(max_size=5)),
        start_time_unix_nano=start,
        end_time_unix_nano=draw(st.integers(start, 2**63)),
        attributes=draw(_ATTRIBUTES),
        events=draw(
            st.lists(
                st.builds(
                    Span.Event, time_unix_nano=_TIMES, name=st.text(), attributes=_ATTRIBUTES
                ),
                max_size=2,
            )
        ),
        links=draw(st.lists(_links(), max_size=2)),
        status=Status(code=code, message=message),
    )


_REQUESTS = st.builds(
    ExportTraceServiceRequest,
    resource_spans=st.lists(
        st.builds(
            ResourceSpans,
            resource=st.builds(
                Resource,
                attributes=st.lists(
                    st.builds(KeyValue, key=st.text(max_size=4).map("k".__add__), value=_VALUES),
                    max_size=3,
                ).map(lambda rest: [*attributes({"service.name": "svc"}), *rest]),
            ),
            scope_spans=st.lists(
                st.builds(
                    ScopeSpans,
                    scope=st.builds(
                        InstrumentationScope, name=st.text(max_size=3), version=st.text(max_size=3)
                    ),
                    spans=st.lists(_spans(), min_size=1, max_size=2),
                ),
                min_size=1,
                max_size=2,
            ),
        ),
        max_size=3,
    ),
)

_Flat = list[tuple[bytes, tuple[str, str], bytes]]


def _flat(body: bytes) -> _Flat:
    """Return (resource, scope, span) of every span, sorted: groups may be made anew."""
    found: _Flat = []
    for resource_spans in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = resource_spans.resource.SerializeToString()
        for scope_spans in resource_spans.scope_spans:
            # A version is written for whoever has a name.
            name = scope_spans.scope.name
            scope = (name, scope_spans.scope.version if name else "")
            for span in scope_spans.spans:
                span.status.SetInParent()
                found.append((resource, scope, span.SerializeToString()))
    return sorted(found)


@given(request=_REQUESTS)
def test_there_and_back_again(request: ExportTraceServiceRequest) -> None:
    """Ids, times, names, kinds, status, typed attributes, events, links, scope and resource."""
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            if not scope_spans.scope.name:
                scope_spans.scope.version = ""
            for span in scope_spans.spans:
                if not span.parent_span_id:
                    # To a root such a link is what says who the parent is; it comes back as that.
                    assume(all(link.trace_id != span.trace_id for link in span.links))
                # One to the parent that says how it refers to it is the reference to the parent.
                assume(
                    not any(
                        (link.trace_id, link.span_id) == (span.trace_id, span.parent_span_id)
                        and any(one.key == "opentracing.ref_type" for one in link.attributes)
                        for link in span.links
                    )
                )

    sent = request_from_post_spans(post_spans_from_otlp(request.SerializeToString()))

    assert _flat(request.SerializeToString()) == _flat(sent.body)


def test_order_of_tags_is_the_collectors() -> None:
    """Scope, attributes, kind, status, error, description, tracestate."""
    request = make_request(make_span(1, 1, kind=3, attrs={"a": 1, "b": "x"}, status=2))
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.status.message, span.trace_state = "no", "k=v"
    scope = request.resource_spans[0].scope_spans[0].scope
    scope.name, scope.version = "lib", "1"

    batch = PostSpansRequest.FromString(post_spans_from_otlp(request.SerializeToString())).batch

    tags = [tag.key.decode() for tag in batch.spans[0].tags]
    assert tags == [
        "otel.scope.name", "otel.scope.version", "a", "b", "span.kind", "otel.status_code",
        "error", "otel.status_description", "w3c.tracestate",
    ]  # fmt: skip


def test_a_resource_without_attributes_has_a_service_that_says_so() -> None:
    """And comes back without."""
    request = make_request(make_span(1, 1), service=None)
    request.resource_spans[0].resource.Clear()
    body = request.SerializeToString()

    batch = PostSpansRequest.FromString(post_spans_from_otlp(body)).batch

    assert batch.process.service_name == b"OTLPResourceNoServiceName"
    assert _flat(body) == _flat(request_from_post_spans(batch_bytes(batch)).body)


def batch_bytes(batch: object) -> bytes:
    """Return the request around a batch."""
    return bytes(PostSpansRequest(batch=batch).SerializeToString())


def test_lists_become_json_and_a_link_to_the_parent_sets_its_type() -> None:
    """Jaeger has neither lists nor two references to one span."""
    span = make_span(1, 2, 1)
    span.attributes.append(
        KeyValue(
            key="list",
            value=AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1)])),
        )
    )
    span.links.add(trace_id=span.trace_id, span_id=span.parent_span_id)

    body = make_request(span).SerializeToString()
    (made,) = PostSpansRequest.FromString(post_spans_from_otlp(body)).batch.spans

    (reference,) = made.references
    assert (reference.span_id, reference.ref_type) == (span.parent_span_id, 1)
    assert {tag.key: tag.v_str for tag in made.tags}[b"list"] == b"[1]"


@pytest.mark.parametrize(("start", "end"), [(10, 5), (2 * 10**9, 1), (1, 10**9 + 1)])
def test_a_span_that_ends_before_it_starts_comes_back_so(start: int, end: int) -> None:
    """Seconds and nanoseconds of a duration have one sign."""
    span = make_span(1, 1)
    span.start_time_unix_nano, span.end_time_unix_nano = start, end
    body = make_request(span).SerializeToString()

    sent = post_spans_from_otlp(body)

    duration = PostSpansRequest.FromString(sent).batch.spans[0].duration
    assert duration.seconds * duration.nanos >= 0
    assert _flat(body) == _flat(request_from_post_spans(sent).body)
