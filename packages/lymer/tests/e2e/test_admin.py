"""Health and metrics, as a supervisor and Prometheus read them."""

from __future__ import annotations

import re
from pathlib import Path

from e2e.lymer_process import Lymer, poll
from e2e.otlp import PROTOBUF, new_trace_id, request_of, span_of

OPERATIONS = Path(__file__).parents[4] / "docs" / "operations.md"


def _metrics(lymer: Lymer) -> str:
    response = lymer.http.get(f"{lymer.admin_url}/metrics")
    assert response.status_code == 200
    return response.text


def _sum_of(text: str, name: str) -> float:
    samples = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
    return sum(map(float, samples))


def test_both_health_ports_say_ready(shared_lymer: Lymer) -> None:
    """Jaeger v2's JSON on one port, Jaeger v1's on the other."""
    v2 = shared_lymer.http.get(shared_lymer.health_url)
    v1 = shared_lymer.http.get(f"{shared_lymer.admin_url}/")

    assert (v2.status_code, v2.json()["healthy"]) == (200, True)
    assert (v1.status_code, v1.json()["status"]) == (200, "Server available")


def test_spans_are_counted_where_they_pass(shared_lymer: Lymer) -> None:
    """Seven spans are seven accepted ones, and soon seven stored ones."""
    before = _metrics(shared_lymer)
    trace_id = new_trace_id()
    request = request_of(*(span_of(trace_id) for _ in range(7)))

    response = shared_lymer.http.post(
        shared_lymer.otlp_http_url,
        content=request.SerializeToString(),
        headers={"Content-Type": PROTOBUF},
    )

    assert response.status_code == 200
    accepted, stored = "otelcol_receiver_accepted_spans_total", "lymer_store_spans_total"
    after = _metrics(shared_lymer)
    assert _sum_of(after, accepted) - _sum_of(before, accepted) == 7
    for _ in poll(10):
        if _sum_of(_metrics(shared_lymer), stored) - _sum_of(before, stored) >= 7:
            break
    assert _sum_of(_metrics(shared_lymer), stored) - _sum_of(before, stored) >= 7


def test_every_metric_is_documented(shared_lymer: Lymer) -> None:
    """docs/operations.md names every metric that is ours."""
    names = set(
        re.findall(r"^# TYPE ((?:lymer|otelcol)_\w+) ", _metrics(shared_lymer), re.MULTILINE)
    )
    text = OPERATIONS.read_text(encoding="utf-8")

    undocumented = sorted(
        name for name in names if f"`{name}`" not in text and not name.endswith("_created")
    )
    assert names
    assert undocumented == []
