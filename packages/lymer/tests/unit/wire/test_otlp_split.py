"""One request as several: the same spans, with what is around them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fakes.heavy_requests import request_of
from lymer.wire.otlp_proto import count_spans
from lymer.wire.otlp_split import split_request
from make import make_request, make_span


def _described(body: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Return resource, scope and span of each span."""
    return [
        (
            resource.resource.SerializeToString() + resource.schema_url.encode(),
            scope.scope.SerializeToString() + scope.schema_url.encode(),
            span.SerializeToString(),
        )
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


@given(
    shape=st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=4),
    spans_max=st.integers(1, 12),
    bytes_max=st.sampled_from([1, 100, 10_000]),
)
def test_parts_hold_all_spans_in_their_order(
    shape: list[list[int]], spans_max: int, bytes_max: int
) -> None:
    """Each with its resource and scope, and no part is larger than asked for, or much."""
    request = ExportTraceServiceRequest()
    number = 0
    for place, scopes in enumerate(shape):
        resource = make_request(service=f"s{place}").resource_spans[0]
        resource.schema_url = f"url{place}"
        del resource.scope_spans[:]
        for index, count in enumerate(scopes):
            scope = resource.scope_spans.add(schema_url=f"u{index}")
            scope.scope.name = f"scope{index}"
            for _ in range(count):
                number += 1
                scope.spans.append(make_span(1, number))
        request.resource_spans.append(resource)
    body = request.SerializeToString()

    parts = list(split_request(body, spans_max=spans_max, bytes_max=bytes_max))

    assert [one for part, _ in parts for one in _described(part)] == _described(body)
    for part, count in parts:
        assert count == count_spans(ExportTraceServiceRequest.FromString(part)) > 0
        assert count <= max(1, spans_max + spans_max // 4)


def test_empty_spans_are_parted_too() -> None:
    """They are walked many at a time, and still counted one by one."""
    parts = list(split_request(request_of(b"\x12\x00" * 1000), spans_max=100, bytes_max=10_000))

    assert [count for _, count in parts] == [100] * 10
