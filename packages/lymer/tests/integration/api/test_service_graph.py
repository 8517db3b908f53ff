"""The service graph over HTTP: figures, leaves, and what changed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fakes.asgi_client import Client
from fakes.memory_store import MemoryStore
from lymer.api.app import create_app
from lymer.query.service import Queries
from lymer.query.service_graph import quantile_nano
from make import START, make_request, make_span, write_segment_file

HOUR_MS = 3_600_000
PATH = f"/api/lymer/v1/service-graph?endTs={START // 10**6 + HOUR_MS}&lookback={2 * HOUR_MS}"
DATABASE = {"db.system": "redis"}


@pytest.fixture
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Yield a client of a store with a call now, and another two hours before."""
    store = MemoryStore()
    folder = tmp_path_factory.mktemp("graph")
    before = -2 * HOUR_MS * 10**6
    store.write_segment(
        write_segment_file(
            folder,
            make_request(
                make_span(1, 1, kind=3, attrs={"peer.service": "x"}),
                make_span(2, 1, kind=3, offset_nano=before, attrs=DATABASE),
                make_span(3, 1, kind=3, trace_state="ot=th:8", attrs=DATABASE, status=2),
                service="web",
            ),
            make_request(make_span(1, 2, 1, kind=2, duration_nano=2_000_000), service="shop"),
        )
    )
    with ThreadPoolExecutor(2) as threads:
        yield Client(
            create_app(Queries(store), executor=threads, now_unix_nano=lambda: START + 10**12)
        )


def _named(answer: dict[str, Any]) -> tuple[dict[str, Any], dict[tuple[str, str], Any]]:
    nodes = {one["id"]: one for one in answer["nodes"]}
    return nodes, {(one["from"], one["to"]): one for one in answer["edges"]}


def test_figures(client: Client) -> None:
    """Nodes of services by what came in, leaves by who called them; weights are an estimate."""
    answer = client.get(PATH).json()
    nodes, edges = _named(answer)
    assert answer["estimated"] is True
    assert {one: (nodes[one]["kind"], nodes[one]["calls"]) for one in nodes} == {
        "web": ("service", 3), "shop": ("service", 1), "database:redis": ("database", 2),
    }  # fmt: skip
    call = edges["web", "shop"]
    assert (call["calls"], call["errors"], call["type"]) == (1, 0, "call")
    assert call["avgNano"] == 2_000_000
    assert 1_900_000 < call["p50Nano"] < call["p99Nano"] < 2_200_000
    redis = edges["web", "database:redis"]
    assert (redis["calls"], redis["errors"], redis["spans"]) == (2, 2, 1)
    assert "before" not in redis


def test_what_changed(client: Client) -> None:
    """Every figure comes with what it was; null is new."""
    nodes, edges = _named(client.get(f"{PATH}&compare=true").json())
    assert edges["web", "shop"]["before"] is None
    assert edges["web", "database:redis"]["before"]["calls"] == 1
    assert nodes["database:redis"]["before"]["calls"] == 1
    assert nodes["shop"]["before"] is None
    later = PATH.replace(str(START // 10**6 + HOUR_MS), str(START // 10**6 + 3 * HOUR_MS))
    _, edges = _named(client.get(f"{later}&compare=true").json())
    assert edges["web", "shop"]["calls"] == 0
    assert edges["web", "shop"]["before"]["calls"] == 1


def test_what_is_refused(client: Client) -> None:
    """Windows that end before they start, or hold a life; words that are no numbers."""
    for bad in ("lookback=0", "lookback=-5", "lookback=99999999999999", "endTs=x", "compare=may"):
        assert client.get(f"/api/lymer/v1/service-graph?{bad}").status_code == 400, bad


def test_quantiles() -> None:
    """Within a bucket, in proportion; of nothing there is none."""
    assert quantile_nano([], 0.5) is None
    assert quantile_nano([(80, 1.0)], 1.0) == round(2 ** (81 / 8) - 1)
    assert quantile_nano([(8, 99.0), (80, 1.0)], 0.5) == round(1 + (2**1.125 - 2) * 50 / 99)
