"""Is the server ready? Two small applications that say so, each as the tool behind it expects.

Source: opentelemetry-collector-contrib v0.155, `extension/healthcheckv2extension` (`/status`);
Jaeger v1.76, `internal/healthcheck` and `cmd/internal/flags/admin.go` (`/`, `/metrics`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lymer import clock
from lymer.telemetry.exposition import exposition
from lymer.wire.go_text import duration_text, rfc3339_text

__all__ = ["Readiness", "create_admin_app", "create_health_app"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a server says of itself."""

    is_ready: bool
    reason: str
    """Why it is not ready; empty if it is."""
    since_unix_nano: int
    """When it was started, nanoseconds since the epoch."""


def create_health_app(check: Callable[[], Readiness]) -> ASGIApp:
    """Return `GET /status` of port 13133: 200 when ready, else 503 with the reason.

    Args:
        check: Returns at once.
    """
    return Starlette(routes=[_status_route(check), _LIVE])


async def _get_live(_request: Request) -> Response:
    """Answer whoever asks if the process lives: restarting it would make nothing better."""
    return Response(b"alive\n", media_type="text/plain")


_LIVE: Final = Route("/livez", _get_live)


def _status_route(check: Callable[[], Readiness]) -> Route:
    async def get_status(_request: Request) -> Response:
        readiness = check()
        status: dict[str, object] = {
            "start_time": rfc3339_text(readiness.since_unix_nano),
            "healthy": readiness.is_ready,
            "status": "StatusOK" if readiness.is_ready else "StatusRecoverableError",
        }
        if not readiness.is_ready:
            status["error"] = readiness.reason
        return _json(status, is_ready=readiness.is_ready)

    return Route("/status", get_status)


def create_admin_app(
    check: Callable[[], Readiness],
    registry: CollectorRegistry,
    *,
    now_unix_nano: Callable[[], int] = clock.unix_nano,
) -> ASGIApp:
    """Return `GET /` and `GET /metrics` of port 14269, and `GET /status` as on port 13133.

    Args:
        check: Returns at once.
        registry: The metrics to show; collected in a thread.
        now_unix_nano: The clock, nanoseconds since the epoch.
    """

    async def get_health(_request: Request) -> Response:
        readiness = check()
        if not readiness.is_ready:
            status = {
                "status": "Server not available",
                "upSince": "0001-01-01T00:00:00Z",
                "uptime": "",
            }
        else:
            status = {
                "status": "Server available",
                "upSince": rfc3339_text(readiness.since_unix_nano),
                "uptime": duration_text(max(now_unix_nano() - readiness.since_unix_nano, 0)),
            }
        return _json(status, is_ready=readiness.is_ready)

    async def get_metrics(request: Request) -> Response:
        accept = ",".join(request.headers.getlist("accept"))
        # Some metrics are asked of the store when they are collected.
        body, content_type = await asyncio.to_thread(exposition, registry, accept)
        return Response(body, headers={"content-type": content_type})

    return Starlette(
        routes=[Route("/", get_health), Route("/metrics", get_metrics), _status_route(check), _LIVE]
    )


def _json(document: object, *, is_ready: bool) -> Response:
    return Response(orjson.dumps(document), 200 if is_ready else 503, media_type="application/json")
