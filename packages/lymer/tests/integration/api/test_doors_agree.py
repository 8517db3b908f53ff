"""The same trace through every door: adjusted alike, raw alike."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from contract.storage.test_oracle import TRACES, random_request
from fakes.asgi_client import Client
from fakes.memory_store import MemoryStore
from lymer.api.app import create_app
from lymer.query.service import Queries
from make import make_link, make_request, make_span, trace_hex, write_segment_file

SHARED, TWICE, NAMELESS, SKEWED = 901, 902, 903, 904


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Yield a client of a store with random traces and those that adjusters repair."""
    rng = random.Random(3)
    request = ExportTraceServiceRequest()
    for _ in range(8):
        request.MergeFrom(random_request(rng))
    twice = make_span(TWICE, 1, attrs={"k": 1, "a": 2}, status=2)
    request.MergeFrom(
        make_request(
            make_span(SHARED, 1, kind=3, duration_nano=1000),
            make_span(SHARED, 1, kind=2, offset_nano=100, duration_nano=500),
            make_span(SHARED, 2, 1, offset_nano=200, duration_nano=100),
            twice,
            twice,
            twice,
            make_span(SKEWED, 1, duration_nano=10_000, links=[make_link()]),
            make_span(SKEWED, 2, 1, offset_nano=-5_000, duration_nano=100),
            make_span(SKEWED, 3, 77, attrs={"telemetry.sdk.name": "x", "ip": 1}),
        )
    )
    request.MergeFrom(make_request(make_span(NAMELESS, 1), service=None))
    store = MemoryStore()
    store.write_segment(write_segment_file(tmp_path_factory.mktemp("doors"), request))
    queries = Queries(store, max_clock_skew_adjust_seconds=1.0)
    with ThreadPoolExecutor(2) as threads:
        yield Client(create_app(queries, executor=threads))


def legacy(client: Client, trace_id: str, *, raw: bool) -> list[tuple[Any, ...]]:
    """Return what the legacy API says of each span."""
    answer = client.get(f"/api/traces/{trace_id}?raw={str(raw).lower()}")
    if answer.status_code == 404:
        return []
    (trace,) = answer.json()["data"]
    return sorted(
        (
            span["spanID"],
            next((ref["spanID"] for ref in span["references"] if ref["traceID"] == trace_id), ""),
            span["startTime"],
            span["duration"],
            trace["processes"][span["processID"]]["serviceName"],
            sorted(span["warnings"] or []) if not raw else [],
            sorted(log["timestamp"] for log in span["logs"]),
        )
        for span in trace["spans"]
    )


def v3(client: Client, trace_id: str, *, raw: bool) -> list[tuple[Any, ...]]:
    """Return what v3 says of each span, in the same words."""
    answer = client.get(f"/api/v3/traces/{trace_id}?rawTraces={str(raw).lower()}")
    if answer.status_code == 404:
        return []
    found = []
    for resource in answer.json()["result"]["resourceSpans"]:
        service = next(
            one["value"].get("stringValue", "")
            for one in resource["resource"]["attributes"]
            if one["key"] == "service.name"
        )
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
                links = [one["spanId"] for one in span.get("links", [])
                         if one.get("traceId") == trace_id]  # fmt: skip
                warnings = [
                    text["stringValue"]
                    for one in span.get("attributes", [])
                    if one.get("key") == "@jaeger@warnings"
                    for text in one["value"]["arrayValue"]["values"]
                ]
                found.append(
                    (
                        span["spanId"],
                        span.get("parentSpanId") or (links or [""])[0],
                        start // 1000,
                        (end - start) // 1000,
                        service,
                        sorted(warnings) if not raw else [],
                        sorted(int(one["timeUnixNano"]) // 1000 for one in span.get("events", [])),
                    )
                )
    return sorted(found)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("number", [SHARED, TWICE, SKEWED, NAMELESS])
def test_v3_is_adjusted_as_the_legacy_api(client: Client, number: int, *, raw: bool) -> None:
    """Shared ids, copies, skew, lost parents; a service without a name has its stand-in."""
    expected = legacy(client, trace_hex(number), raw=raw)
    assert expected == v3(client, trace_hex(number), raw=raw)
    assert expected
    if number == TWICE:
        assert len(expected) == (3 if raw else 1)


def test_random_traces_have_the_same_spans(client: Client) -> None:
    """Ids, parents, times and services of every random trace."""
    for number in range(1, TRACES):
        for raw in (False, True):
            ours = [row[:5] for row in v3(client, trace_hex(number), raw=raw)]
            assert ours == [row[:5] for row in legacy(client, trace_hex(number), raw=raw)]


def test_summaries_count_no_copies(client: Client) -> None:
    """Three deliveries of a span are one span, one error."""
    query = "query.startTimeMin=2026-11-22T16:40:00Z&query.startTimeMax=2026-11-22T18:43:40Z"
    found = client.get(f"/api/v3/trace-summaries?{query}&query.searchDepth=1000").json()
    (one,) = (each for each in found["summaries"] if each["traceId"] == trace_hex(TWICE))
    assert (one["spanCount"], one["errorSpanCount"]) == (1, 1)
    assert one["services"] == [{"name": "shop", "spanCount": 1, "errorSpanCount": 1}]
