"""The calls of Jaeger UI's and Grafana's newest sources, and what they read of the answers.

Jaeger UI at c321fb3 (2026-08-18): `packages/jaeger-ui/src/api/v3/client.ts`, and the shapes that it
refuses to go without in `schemas.ts` and `generated-client.ts`. Grafana's Jaeger data source, a
repository of its own, at 9d46d95 (2026-07-21): `pkg/jaeger/client.go`, `grpc_client.go`,
`types/*.go`. Its Zipkin data source at 5d436ca (2026-07-28) makes the calls that
`test_zipkin_query.py` has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import quote, urlencode

import pytest

from contract.storage.corpus import HOUR, corpus_requests
from fakes.asgi_client import Client
from fakes.memory_store import MemoryStore
from lymer.api.app import create_app
from lymer.query.service import Queries
from make import START, write_segment_file

COUNTS: Final = ("spanCount", "errorSpanCount", "orphanSpanCount")
MICRO: Final = START // 1000


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Yield a client of an API over the corpus."""
    store = MemoryStore()
    store.write_segment(write_segment_file(tmp_path_factory.mktemp("api"), *corpus_requests()))
    with ThreadPoolExecutor(2) as threads:
        app = create_app(Queries(store), executor=threads, now_unix_nano=lambda: START + 2 * HOUR)
        yield Client(app)


def instant(unix_nano: int) -> str:
    """Return what `Date.toISOString` writes."""
    at = datetime.fromtimestamp(unix_nano // 10**9, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.000Z"


def summaries(client: Client, **wanted: str) -> list[dict[str, Any]]:
    """Ask as `fetchTraceSummaries` and hold the answer against its schema."""
    times = {
        "query.startTimeMin": instant(START - HOUR),
        "query.startTimeMax": instant(START + HOUR),
    }
    found = client.get(f"/api/v3/trace-summaries?{urlencode(times | wanted)}")
    assert found.status_code == 200, found.text
    listed: list[dict[str, Any]] = found.json().get("summaries", [])
    for one in listed:
        assert re.fullmatch("[0-9a-f]{32}", one["traceId"])
        for name in ("minStartTimeUnixNano", "maxEndTimeUnixNano"):
            assert re.fullmatch(r"\d+", one.get(name, "0"))
        for counted in (one, *one.get("services", [])):
            assert all(type(counted.get(name, 0)) is int for name in COUNTS)
            assert all(counted.get(name, 0) >= 0 for name in COUNTS)
        assert all(isinstance(service["name"], str) for service in one["services"])
    return listed


def test_the_lists_of_the_search_form(client: Client) -> None:
    """Both fields of an operation are texts and neither may be missing."""
    assert "cart" in client.get("/api/v3/services").json()["services"]
    for service in client.get("/api/v3/services").json()["services"]:
        found = client.get(f"/api/v3/operations?service={quote(service, safe='')}").json()
        for operation in found["operations"]:
            assert isinstance(operation["name"], str)
            assert isinstance(operation["spanKind"], str)


def test_summaries_of_all_services_and_of_one(client: Client) -> None:
    """All services is no parameter at all; times are Go's texts, tags the text of the form."""
    everything = summaries(client, **{"query.searchDepth": "100"})
    of_cart = summaries(client, **{"query.serviceName": "cart", "query.searchDepth": "100"})
    slow = summaries(
        client,
        **{"query.serviceName": "cart", "query.durationMin": "1.2s", "query.searchDepth": "20"},
    )
    tagged = summaries(client, **{"query.attributes": json.dumps({"error": "true"})})

    ids = {one["traceId"] for one in everything}
    assert {one["traceId"] for one in of_cart} < ids
    assert {one["traceId"] for one in slow} <= {one["traceId"] for one in of_cart}
    assert tagged
    assert {one["traceId"] for one in tagged} <= ids


@pytest.mark.parametrize("query", ["", "?start={start}&end={end}"])
def test_grafana_asks_for_a_trace_with_milliseconds(client: Client, query: str) -> None:
    """Where Jaeger counts microseconds: they are a hint, and hide nothing."""
    hint = query.format(start=START // 10**6 - 60_000, end=START // 10**6 + 60_000)
    for one in summaries(client):
        (trace,) = client.get(f"/api/traces/{one['traceId']}{hint}").json()["data"]
        for span in trace["spans"]:
            assert type(span["startTime"]) is int
            assert type(span["duration"]) is int
            assert span["processID"] in trace["processes"]


def test_grafana_searches_by_its_form(client: Client) -> None:
    """Values of logfmt are texts, whatever they look like."""
    form = {
        "service": "cart",
        "tags": json.dumps({"http.response.status_code": "500"}),
        "limit": 20,
        "start": MICRO - 3_600_000_000,
        "end": MICRO + 3_600_000_000,
    }
    found = client.get(f"/api/traces?{urlencode(form)}")
    assert found.status_code == 200
    assert isinstance(found.json()["data"], list)
    edges = {"endTs": START // 10**6 + 60_000, "lookback": 3_600_000}
    for edge in client.get(f"/api/dependencies?{urlencode(edges)}").json()["data"]:
        assert type(edge["callCount"]) is int


@pytest.mark.parametrize("hours", [0, 2, -5])
def test_grafana_writes_the_offset_of_its_zone_unescaped(client: Client, hours: int) -> None:
    """A plus in a query is a blank, and means a plus where only an offset can stand."""
    zone = timezone(timedelta(hours=hours))

    def text(unix_nano: int) -> str:
        at = datetime.fromtimestamp(unix_nano // 10**9, UTC).astimezone(zone)
        return at.isoformat().replace("+00:00", "Z")

    one = summaries(client, **{"query.serviceName": "cart"})[0]["traceId"]
    times = f"start_time={text(START - HOUR)}&end_time={text(START + HOUR)}"
    trace = client.get(f"/api/v3/traces/{one}?{times}")
    assert trace.status_code == 200, trace.text
    for resource_spans in trace.json()["result"]["resourceSpans"]:
        for scope_spans in resource_spans["scopeSpans"]:
            for span in scope_spans["spans"]:
                assert type(span.get("kind", 0)) is int
                assert isinstance(span["startTimeUnixNano"], str)

    range_ = f"query.start_time_min={text(START - HOUR)}&query.start_time_max={text(START + HOUR)}"
    found = client.get(f"/api/v3/traces?query.service_name=cart&{range_}")
    assert found.status_code == 200, found.text
