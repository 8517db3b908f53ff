"""Two processes: a collector that stores, and a query role that shows what it stores."""

from __future__ import annotations

import signal
from collections.abc import Callable

import httpx
import pytest

from e2e.lymer_process import Lymer, poll
from e2e.otlp import PROTOBUF, new_trace_id, request_of, span_of

NewRole = Callable[..., Lymer]
_AWAY_SECONDS_MAX = 15.0


def _query_of(collector: Lymer, new_role: NewRole) -> Lymer:
    target = f"127.0.0.1:{collector.ports['storage_api']}"
    return new_role("query", f"--set=remote_storage.target={target}")


def _send(collector: Lymer, trace_id: bytes, spans: int) -> None:
    request = request_of(*(span_of(trace_id) for _ in range(spans)))
    answer = collector.http.post(
        collector.otlp_http_url,
        content=request.SerializeToString(),
        headers={"Content-Type": PROTOBUF},
    )
    assert answer.status_code == 200, answer.text


def test_what_the_collector_stores_the_query_role_shows(new_role: NewRole) -> None:
    """Traces, searches, services and the UI are there; the collector itself shows nothing."""
    collector = new_role("collector")
    collector.start()
    query = _query_of(collector, new_role)
    query.start()
    trace_id = new_trace_id()

    _send(collector, trace_id, 3)

    assert len(query.wait_for_trace(trace_id.hex(), 3)["spans"]) == 3
    # The catalog is told a moment after the spans are there.
    services: list[str] = []
    for _ in poll(10):
        services = query.http.get(f"{query.query_url}/api/services").json()["data"]
        if services:
            break
    found = query.find_traces(service=services[0], limit=5)
    assert [trace["traceID"] for trace in found] == [trace_id.hex()]
    assert "<html" in query.http.get(query.query_url).text
    with pytest.raises(httpx.ConnectError):
        collector.http.get(collector.query_url)
    assert query.stop() == 0
    assert collector.stop() == 0


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGKILL])
def test_a_query_role_outlives_its_collector(
    new_role: NewRole, with_signal: signal.Signals
) -> None:
    """It starts while the collector is away, answers 503 and why, and recovers by itself."""
    collector = new_role("collector")
    query = _query_of(collector, new_role)
    query.launch()
    _assert_away(query)

    collector.start()
    _assert_back(query)
    trace_id = new_trace_id()
    _send(collector, trace_id, 2)
    assert query.wait_for_trace(trace_id.hex(), 2)

    if with_signal is signal.SIGKILL:
        collector.kill()
    else:
        assert collector.stop(with_signal) == 0
    _assert_away(query)
    collector.start()
    _assert_back(query)
    assert query.wait_for_trace(trace_id.hex(), 2)


def _assert_away(query: Lymer) -> None:
    answer = None
    for _ in poll(_AWAY_SECONDS_MAX):
        try:
            answer = query.http.get(query.health_url)
        except httpx.HTTPError:
            continue  # still starting
        if answer.status_code == 503:
            break
    assert answer is not None
    assert answer.status_code == 503
    assert "cannot reach the store at 127.0.0.1" in answer.json()["error"]
    services = query.http.get(f"{query.query_url}/api/services")
    assert services.status_code == 503
    assert "cannot reach the store at 127.0.0.1" in services.json()["errors"][0]["msg"]


def _assert_back(query: Lymer) -> None:
    for _ in poll(_AWAY_SECONDS_MAX):
        if query.answers_ready():
            return
    raise AssertionError(query.log_tail())
