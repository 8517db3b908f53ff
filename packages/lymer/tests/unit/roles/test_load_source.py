"""Made-up traffic is what its description says, again and again."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from lymer.roles.load_shape import LoadShape
from lymer.roles.load_source import LoadSource

_NOW = 1_700_000_000_000_000_000


def _requests(shape: LoadShape, traces: int, now: int = _NOW) -> list[ExportTraceServiceRequest]:
    source = LoadSource(shape, traces_max=traces)
    requests: list[ExportTraceServiceRequest] = []
    while (request := source.next_request(now)) is not None:
        decoded = ExportTraceServiceRequest.FromString(request.body)
        assert request.spans == len(_spans([decoded]))
        requests.append(decoded)
    return requests


def _spans(requests: list[ExportTraceServiceRequest]) -> list[Span]:
    return [
        span
        for request in requests
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def test_the_same_seed_makes_the_same_bytes() -> None:
    """Two sources of one shape agree on every byte if they agree on the time."""
    one, other = LoadSource(LoadShape(seed=7)), LoadSource(LoadShape(seed=7))

    for _ in range(5):
        assert one.next_request(_NOW) == other.next_request(_NOW)


def test_only_the_instants_depend_on_the_time() -> None:
    """A request made later differs by the same shift in every start, end and event."""
    shift = 12_345_678_901
    early, late = (
        _requests(LoadShape(errors=0.5), 40),
        _requests(LoadShape(errors=0.5), 40, _NOW + shift),
    )

    for span in _spans(late):
        span.start_time_unix_nano -= shift
        span.end_time_unix_nano -= shift
        for event in span.events:
            event.time_unix_nano -= shift

    assert early == late


def test_another_seed_makes_other_traces() -> None:
    """Ids do not repeat from seed to seed."""
    ids = [
        {span.trace_id for span in _spans(_requests(LoadShape(seed=seed), 20))} for seed in (1, 2)
    ]

    assert set() == ids[0] & ids[1]


@settings(max_examples=25, deadline=None)
@given(
    st.builds(
        LoadShape,
        services=st.integers(1, 30),
        operations=st.integers(1, 12),
        depth=st.integers(2, 7),
        spans_per_trace=st.integers(1, 25),
        attributes=st.integers(0, 20),
        attribute_keys=st.integers(20, 40),
        attribute_values=st.integers(1, 50),
        errors=st.floats(0, 1),
        latency_seconds=st.floats(0.001, 10),
        seed=st.integers(0, 2**40),
        spans_per_request=st.integers(1, 200),
    )
)
def test_every_shape_makes_whole_traces(shape: LoadShape) -> None:
    """Trees are connected, within depth and time, and every count is as asked."""
    requests = _requests(shape, 12)
    spans = _spans(requests)
    by_id = {span.span_id: span for span in spans}

    assert 12 * shape.spans_per_trace == len(by_id) == len(spans)
    assert sum(1 for span in spans if not span.parent_span_id) == 12
    assert {shape.spans_per_trace} == set(Counter(span.trace_id for span in spans).values())
    assert all(len(_spans([request])) == shape.spans_per_request for request in requests[:-1])
    for span in spans:
        assert shape.attributes == len(span.attributes) == len({a.key for a in span.attributes})
        assert span.start_time_unix_nano <= span.end_time_unix_nano <= _NOW
        depth, above = 1, span
        while above.parent_span_id:
            below, above = above, by_id[above.parent_span_id]
            depth += 1
            assert above.trace_id == below.trace_id
            assert above.start_time_unix_nano <= below.start_time_unix_nano
            assert below.end_time_unix_nano <= above.end_time_unix_nano
        assert depth <= shape.depth


@pytest.mark.parametrize(("errors", "failed"), [(0.0, 0), (1.0, 30)])
def test_errors_reach_from_an_exception_to_the_root(errors: float, failed: int) -> None:
    """A failed trace has one span with an exception, and every span above it failed too."""
    spans = _spans(_requests(LoadShape(errors=errors), 30))
    by_id = {span.span_id: span for span in spans}
    throwing = [span for span in spans if span.events]

    assert failed == len(throwing) == len({span.trace_id for span in throwing})
    for span in throwing:
        assert span.events[0].name == "exception"
        while span.parent_span_id:
            assert span.status.code == Status.STATUS_CODE_ERROR
            span = by_id[span.parent_span_id]  # noqa: PLW2901 - going up
        assert span.status.code == Status.STATUS_CODE_ERROR


def test_the_median_latency_is_as_asked() -> None:
    """Half of the roots take longer, to within a tenth."""
    roots = [
        span.end_time_unix_nano - span.start_time_unix_nano
        for span in _spans(_requests(LoadShape(latency_seconds=0.2, attributes=0), 4000))
        if not span.parent_span_id
    ]

    assert pytest.approx(sorted(roots)[2000], rel=0.1) == 0.2e9


def test_calls_go_from_a_client_to_a_server() -> None:
    """What a client span calls is a server span, and only a call changes the service."""
    requests = _requests(LoadShape(), 60)
    services = {
        span.span_id: group.resource.attributes[0].value.string_value
        for request in requests
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    }
    by_id = {span.span_id: span for span in _spans(requests)}
    assert len(set(services.values())) == 10

    for span in by_id.values():
        if span.parent_span_id:
            called = by_id[span.parent_span_id].kind == Span.SPAN_KIND_CLIENT
            assert called == (span.kind == Span.SPAN_KIND_SERVER)
            assert called or services[span.span_id] == services[span.parent_span_id]
