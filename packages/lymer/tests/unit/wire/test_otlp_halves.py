"""A request in two parts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lymer.wire.otlp_halves import halves
from lymer.wire.otlp_proto import CheckedRequest, check_request
from make import make_resource_spans, make_span


def _request(shape: list[list[int]]) -> CheckedRequest:
    """Return resources with scopes of so many spans."""
    request = ExportTraceServiceRequest()
    number = 0
    for place, scopes in enumerate(shape):
        resource_spans = make_resource_spans([], service=f"service-{place}")
        del resource_spans.scope_spans[:]
        for count in scopes:
            scope_spans = resource_spans.scope_spans.add(schema_url=f"scope-{place}")
            for _ in range(count):
                number += 1
                scope_spans.spans.append(make_span(1, number))
        request.resource_spans.append(resource_spans)
    return check_request(request.SerializeToString())


def _spans(request: CheckedRequest) -> list[tuple[str, str, bytes]]:
    return [
        (resource.resource.attributes[0].value.string_value, scope.schema_url, span.span_id)
        for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


@given(shape=st.lists(st.lists(st.integers(0, 4), max_size=3), max_size=3))
def test_halves_are_the_whole(shape: list[list[int]]) -> None:
    """Every span in its order, with its resource and scope; both halves have some."""
    whole = _request(shape)
    parts = halves(whole)

    if whole.span_count < 2:
        assert parts is None
        return
    assert parts is not None
    assert [whole.span_count // 2, whole.span_count - whole.span_count // 2] == [
        part.span_count for part in parts
    ]
    assert _spans(whole) == _spans(parts[0]) + _spans(parts[1])
    assert parts == halves(whole)
