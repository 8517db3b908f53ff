"""Jaeger's monitor: `/api/metrics/*`, byte by byte and against what was sent."""

# ruff: noqa: E501 - a row of a table of sentences is one line
from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fakes.asgi_client import Client
from fakes.memory_store import MemoryStore
from lymer.api.app import create_app
from lymer.query.service import Queries
from make import START, make_request, make_span, write_segment_file

MINUTE = 60_000_000_000
FIRST = START // MINUTE * MINUTE
END_MS = (FIRST + 10 * MINUTE) // 1_000_000


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Yield a client of a store with 60 calls a minute for ten minutes, every fourth a failure."""
    spans = [
        make_span(
            number,
            number,
            name=f"op{number % 2}",
            kind=2,
            offset_nano=FIRST - START + number * 1_000_000_000,
            duration_nano=(number % 100 + 1) * 1_000_000,
            status=2 if number % 4 == 0 else 0,
        )
        for number in range(1, 600)
    ]
    store = MemoryStore()
    folder = tmp_path_factory.mktemp("metrics")
    store.write_segment(write_segment_file(folder, make_request(*spans)))
    with ThreadPoolExecutor(2) as threads:
        yield Client(create_app(Queries(store), executor=threads))


def metrics(client: Client, what: str, **parameters: object) -> dict[str, Any]:
    """Return an answer with one point at `END_MS`."""
    given = {"service": "shop", "endTs": END_MS, "lookback": 1, "step": 60_000, **parameters}
    query = "&".join(f"{name}={value}" for name, value in given.items())
    answer = client.get(f"/api/metrics/{what}?{query}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def values(family: dict[str, Any]) -> list[float]:
    """Return the last value of each series."""
    return [one["metricPoints"][-1]["gaugeValue"]["doubleValue"] for one in family["metrics"]]


def test_calls_are_calls_per_second(client: Client) -> None:
    """One a second."""
    family = metrics(client, "calls", lookback=60_000)
    assert (family["name"], family["type"]) == ("service_call_rate", "GAUGE")
    assert family["help"] == "calls/sec, grouped by service"
    assert family["metrics"][0]["labels"] == [{"name": "service_name", "value": "shop"}]
    assert [point["timestamp"] for point in family["metrics"][0]["metricPoints"]] == [
        "2026-11-22T16:52:00Z",
        "2026-11-22T16:53:00Z",
    ]
    assert values(family) == pytest.approx([1.0], rel=0.01)


def test_by_operation(client: Client) -> None:
    """Each operation has a series; labels are sorted by name."""
    family = metrics(client, "calls", groupByOperation="true")
    assert family["name"] == "service_operation_call_rate"
    assert family["help"] == "calls/sec, grouped by service & operation"
    assert [one["labels"][0] for one in family["metrics"]] == [
        {"name": "operation", "value": "op0"},
        {"name": "operation", "value": "op1"},
    ]
    assert values(family) == pytest.approx([0.5, 0.5], rel=0.01)


def test_errors_are_a_share(client: Client) -> None:
    """Every fourth; operations without one have 0, not nothing."""
    family = metrics(client, "errors", groupByOperation="true")
    assert family["name"] == "service_operation_error_rate"
    assert values(family) == pytest.approx([0.5, 0.0], rel=0.02)
    assert values(metrics(client, "errors")) == pytest.approx([0.25], rel=0.02)


@pytest.mark.parametrize(("quantile", "expected"), [(0.5, 50), (0.95, 95), (1, 100)])
def test_latencies_are_milliseconds(client: Client, quantile: float, expected: float) -> None:
    """Within a bucket of 9 % of the exact value."""
    family = metrics(client, "latencies", quantile=quantile)
    assert family["name"] == "service_latencies"
    assert family["help"] == f"{quantile:.2f}th quantile latency, grouped by service"
    assert values(family) == pytest.approx([expected], rel=0.06)


def test_nothing_is_an_empty_list(client: Client) -> None:
    """A service that is not known, a kind nobody sent."""
    assert metrics(client, "calls", service="nobody")["metrics"] == []
    assert metrics(client, "calls", spanKind="client")["metrics"] == []


def test_a_window_without_calls(client: Client) -> None:
    """A rate of zero; a quantile and a share of nothing are NaN."""
    late = {"endTs": END_MS + 3_600_000, "lookback": 3_600_000}
    assert values(metrics(client, "calls", **late)) == [0.0]
    assert values(metrics(client, "latencies", quantile=0.5, **late)) == ["NaN"]
    assert values(metrics(client, "errors", **late)) == ["NaN"]


def test_minstep(client: Client) -> None:
    """Its old shape: milliseconds in the envelope."""
    assert client.get("/api/metrics/minstep").json()["data"] == 60_000


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("calls?", "unable to parse param 'service': please provide at least one service name"),
        (
            "latencies?service=a",
            "unable to parse param 'quantile': strconv.ParseFloat: parsing \"\": invalid syntax",
        ),
        (
            "calls?service=a&groupByOperation=x",
            "unable to parse param 'groupByOperation': strconv.ParseBool: parsing \"x\": invalid syntax",
        ),
        (
            "calls?service=a&endTs=x",
            "unable to parse param 'endTs': strconv.ParseInt: parsing \"x\": invalid syntax",
        ),
        (
            "errors?service=a&spanKind=x",
            "unable to parse param 'spanKind': unsupported span kind: 'x'",
        ),
        (
            "errors?service=a&step=0",
            "unable to parse param 'step': it must be greater than 0",
        ),
    ],
)
def test_bad_parameters_are_refused(client: Client, query: str, message: str) -> None:
    """400 with Jaeger's sentence."""
    answer = client.get(f"/api/metrics/{query}")
    assert answer.status_code == 400
    assert json.loads(answer.text)["errors"][0]["msg"] == message


def test_unknown_metrics_are_not_there(client: Client) -> None:
    """404, as for any path."""
    assert client.get("/api/metrics/heat?service=a").status_code == 404


def test_what_is_weighted_says_so(tmp_path: Path) -> None:
    """In a header, as Jaeger's shapes have no place for it; dependencies too."""
    with ThreadPoolExecutor(1) as threads:
        for trace_state, told in (("", False), ("ot=th:8", True)):
            store = MemoryStore()
            spans = [
                make_span(1, number, number - 1, kind=2, trace_state=trace_state)
                for number in (1, 2)
            ]
            store.write_segment(write_segment_file(tmp_path, make_request(*spans)))
            client = Client(create_app(Queries(store), executor=threads))
            end = START // 10**6 + 60_000
            for path in (
                f"/api/dependencies?endTs={end}&lookback=3600000",
                f"/api/metrics/calls?service=shop&endTs={end}&ratePer=60000",
            ):
                answer = client.get(path)
                assert answer.status_code == 200
                assert ("lymer-estimate" in answer.headers) == told
