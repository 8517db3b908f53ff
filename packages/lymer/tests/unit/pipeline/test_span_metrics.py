"""Span metrics: what a scraper gets of what was counted, in every format."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary
from prometheus_client.parser import text_string_to_metric_families

from lymer.errors import StorageError
from lymer.model.graph import GraphEdge
from lymer.model.span_counts import EdgeCount, NewCounts, SpanCount
from lymer.pipeline.span_metrics import SpanMetrics
from lymer.telemetry.exposition import _FAMILY, PROTOBUF, exposition

COUNT: Final = SpanCount(
    "cart", "GET", "server", 0, classic=4, native=27, calls=3, duration_ms_sum=30.0,
    trace_id="0a" * 16, span_id="0b" * 8, duration_ms=10.0,
    start_unix_nano=1_795_365_821_000_000_000,
)  # fmt: skip
EDGE: Final = GraphEdge(
    "service", "web", "service", "cart", "call", 5.0, 1.0, 5e7, ((186, 5.0),), 5
)
ACCEPT: Final = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
    "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


def registry_of(
    *looks: Iterable[NewCounts], series_max: int = 1_000, with_tenants: bool = False
) -> CollectorRegistry:
    """Return a registry whose spans are counted look by look."""
    waiting = list(looks)

    def look() -> Iterable[NewCounts]:
        return waiting.pop(0) if waiting else ()

    registry = CollectorRegistry()
    registry.register(
        SpanMetrics(
            look,
            namespace="traces_span_metrics",
            series_max=series_max,
            with_tenants=with_tenants,
        )
    )
    return registry


def samples(registry: CollectorRegistry) -> dict[str, float]:
    """Scrape as text; series as they are written → value."""
    text = exposition(registry, "")[0].decode()
    return {
        one.name + re.sub(r"'(\w+)': ", r"\1=", str(dict(sorted(one.labels.items())))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def families(body: bytes) -> dict[str, Any]:
    """Read the protobuf format."""
    found = {}
    place = 0
    while place < len(body):
        size = shift = 0
        while True:
            byte = body[place]
            place += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        message = _FAMILY.FromString(body[place : place + size])
        found[message.name] = message
        place += size
    return found


def test_spans_have_the_connectors_names_and_labels() -> None:
    """Counts add up over scrapes, buckets are cumulative."""
    registry = registry_of(
        [NewCounts("", [COUNT], [])], [NewCounts("", [replace(COUNT, status=2, classic=16)], [])]
    )
    samples(registry)
    found = samples(registry)
    of = "{{service_name='cart', span_kind='SPAN_KIND_SERVER', span_name='GET', status_code='{}'}}"
    calls = "traces_span_metrics_calls_total"
    assert found[calls + of.format("STATUS_CODE_UNSET")] == 3
    assert found[calls + of.format("STATUS_CODE_ERROR")] == 3
    rest = of.format("STATUS_CODE_UNSET")[1:]
    bucket = "traces_span_metrics_duration_milliseconds_bucket{le='"
    assert [found[f"{bucket}{le}', {rest}"] for le in ("8.0", "10.0", "+Inf")] == [0, 3, 3]


def test_edges_never_go_down() -> None:
    """What a minute is found to have is absolute; corrections only lower what comes next."""
    less = replace(EDGE, calls=4.0, buckets=((186, 4.0),))
    more = replace(EDGE, calls=7.0, buckets=((186, 7.0),))
    registry = registry_of(
        *([NewCounts("", [], [EdgeCount(7, one)])] for one in (EDGE, EDGE, less, more))
    )
    name = "traces_service_graph_request_total{client='web', connection_type='', server='cart'}"
    assert [samples(registry)[name] for _ in range(4)] == [5, 5, 5, 7]


def test_there_are_so_many_series_and_no_more() -> None:
    """What comes after is counted together, so that sums stay true."""
    counts = [replace(COUNT, operation=str(one)) for one in range(50)]
    registry = registry_of([NewCounts("", counts, [])], series_max=10)
    found = {
        k: v for k, v in samples(registry).items() if k.startswith("traces_span_metrics_calls")
    }
    assert len(found) == 11
    assert sum(found.values()) == 150
    assert found["traces_span_metrics_calls_total{otel_metric_overflow='true'}"] == 120


def test_tenants_are_told_apart_where_there_are_some() -> None:
    """By a label."""
    looks = [NewCounts("a", [COUNT], []), NewCounts("b", [COUNT], [])]
    found = samples(registry_of(looks, with_tenants=True))
    assert sum("tenant='a'" in one and "calls" in one for one in found) == 1
    assert sum("tenant='b'" in one and "calls" in one for one in found) == 1


def test_a_store_that_fails_takes_no_other_metric_with_it() -> None:
    """That is when they are needed."""

    def look() -> Iterable[NewCounts]:
        raise StorageError("away")

    registry = CollectorRegistry()
    registry.register(SpanMetrics(look, namespace="x", series_max=1, with_tenants=False))
    Counter("good", "", registry=registry).inc()
    text = exposition(registry, "")[0].decode()
    assert "good_total 1.0" in text
    assert "lymer_span_metrics_failures_total 1.0" in text


def test_protobuf_carries_native_histograms_and_everything_else() -> None:
    """As client_model has it: spans of neighbours, differences of counts, exemplars."""
    counts = [replace(COUNT, native=native, calls=calls) for native, calls in
              ((27, 3), (28, 5), (40, 1), (-3, 2))]  # fmt: skip
    registry = registry_of([NewCounts("", counts, [])])
    Counter("c", "help c", ["l"], registry=registry).labels("x").inc(2)
    Gauge("g", "", registry=registry).set(1.5)
    Summary("s", "", registry=registry).observe(4)
    Histogram("h", "", registry=registry, buckets=(1, 2)).observe(1.5)
    body, content_type = exposition(registry, ACCEPT)
    assert content_type == PROTOBUF
    found = families(body)
    assert found["c_total"].type == 0
    assert found["c_total"].metric[0].counter.value == 2
    assert [(one.name, one.value) for one in found["c_total"].metric[0].label] == [("l", "x")]
    assert found["g"].metric[0].gauge.value == 1.5
    assert found["s"].metric[0].summary.sample_sum == 4
    plain = found["h"].metric[0].histogram
    assert [(one.upper_bound, one.cumulative_count) for one in plain.bucket][:2] == [(1, 0), (2, 1)]
    assert not plain.positive_span
    ((metric),) = found["traces_span_metrics_duration_milliseconds"].metric
    histogram = metric.histogram
    assert (histogram.schema, histogram.sample_count) == (3, 11)
    assert [(one.offset, one.length) for one in histogram.positive_span] == [
        (-3, 1),
        (29, 2),
        (11, 1),
    ]
    assert list(histogram.positive_delta) == [2, 1, 2, -4]
    (exemplar,) = [one.exemplar for one in histogram.bucket if one.exemplar.label]
    assert exemplar.label[0].value == "0a" * 16
    assert exemplar.timestamp.seconds == 1_795_365_821


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "text/plain"),
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text"),
        ("application/vnd.google.protobuf;proto=other;encoding=delimited", "text/plain"),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text",
         "text/plain"),
        (ACCEPT, "application/vnd.google.protobuf"),
    ],
)  # fmt: skip
def test_a_scraper_gets_what_it_asks_for(accept: str, expected: str) -> None:
    """And text, if it asks for nothing we have."""
    assert exposition(registry_of(), accept)[1].startswith(expected)
