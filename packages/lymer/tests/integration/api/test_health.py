"""Health and metrics, as probes and scrapers see them."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter
from starlette.types import ASGIApp

from lymer.api.health import Readiness, create_admin_app, create_health_app
from make import START

READY = Readiness(is_ready=True, reason="", since_unix_nano=START)
NOT_READY = Readiness(is_ready=False, reason="the journal is full", since_unix_nano=START)


def get(app: ASGIApp, path: str, accept: str = "*/*") -> httpx.Response:
    """GET without a socket."""

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://lymer") as client:
            return await client.get(path, headers={"accept": accept})

    return asyncio.run(run())


def admin(readiness: Readiness) -> ASGIApp:
    """Return the admin app, 62.3 seconds after the start."""
    registry = CollectorRegistry()
    Counter("lymer_spans", "Spans.", registry=registry).inc(5)
    return create_admin_app(
        lambda: readiness, registry, now_unix_nano=lambda: START + 62_300_000_000
    )


@pytest.mark.parametrize(
    ("readiness", "status", "expected"),
    [
        pytest.param(
            READY,
            200,
            {"start_time": "2026-11-22T16:43:40Z", "healthy": True, "status": "StatusOK"},
            id="ready",
        ),
        pytest.param(
            NOT_READY,
            503,
            {
                "start_time": "2026-11-22T16:43:40Z",
                "healthy": False,
                "status": "StatusRecoverableError",
                "error": "the journal is full",
            },
            id="not ready",
        ),
    ],
)
def test_status_of_port_13133(
    readiness: Readiness, status: int, expected: dict[str, object]
) -> None:
    """As Jaeger v2 answers it, with the reason."""
    response = get(create_health_app(lambda: readiness), "/status")

    assert (status, expected) == (response.status_code, response.json())
    assert response.headers["content-type"] == "application/json"


def test_root_of_port_14269() -> None:
    """As Jaeger v1 answers it."""
    ready, not_ready = get(admin(READY), "/"), get(admin(NOT_READY), "/")

    expected = '{"status":"Server available","upSince":"2026-11-22T16:43:40Z","uptime":"1m2.3s"}'
    assert (200, expected) == (ready.status_code, ready.text)
    assert not_ready.status_code == 503
    assert not_ready.json()["status"] == "Server not available"


def test_metrics_in_prometheus_text() -> None:
    """Also while the server is not ready: that is when they are needed."""
    response = get(admin(NOT_READY), "/metrics")

    assert response.status_code == 200
    assert "lymer_spans_total 5.0" in response.text
    assert response.headers["content-type"].startswith("text/plain; version=")


def test_metrics_in_openmetrics_if_asked_for() -> None:
    """The scraper chooses."""
    response = get(admin(READY), "/metrics", accept="application/openmetrics-text; version=1.0.0")

    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")
