"""The receivers and the admin port as a role opens them, on free ports, with a fake journal."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx

from fakes.durable_log import FakeDurableLog
from lymer.api.health import Readiness, create_admin_app, create_health_app
from lymer.config import load_config
from lymer.receivers.intake import Intake
from lymer.roles.listening import Ports
from lymer.roles.receiving import OTLP_HTTP, Receivers
from lymer.roles.securing import Security
from lymer.roles.watching import ADMIN, HEALTH, listen_for_admin
from lymer.telemetry.metrics import Metrics
from lymer.transport.http_gate import behind_gate
from make import make_request, make_span

__all__ = ["BODY", "EXPORT", "HTTP_PORTS", "POST_SPANS", "Secured", "secured"]

BODY = make_request(make_span(1, 1)).SerializeToString()
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
POST_SPANS = "/jaeger.api_v2.CollectorService/PostSpans"
HTTP_PORTS = ("OTLP HTTP", "Jaeger HTTP", "Zipkin", ADMIN, HEALTH)
_DOORS = ("otlp_grpc", "otlp_http", "jaeger_grpc", "jaeger_http", "zipkin")
_UDP = ("jaeger_udp_compact", "jaeger_udp_binary")


@dataclass(slots=True)
class Secured:
    """What a test holds on to."""

    ports: dict[str, int]
    """What is listened for → port."""
    metrics: Metrics
    log: FakeDurableLog

    def count(self, name: str, **labels: str) -> float:
        """Return a metric."""
        return self.metrics.registry.get_sample_value(name, labels) or 0

    async def get(
        self, what: str, verify: ssl.SSLContext, path: str = "/", **headers: str
    ) -> httpx.Response:
        """Ask an HTTP port over TLS, on a connection of its own."""
        async with httpx.AsyncClient(verify=verify, trust_env=False, timeout=20) as client:
            url = f"https://localhost:{self.ports[what]}{path}"
            return await client.get(url, headers=headers)

    def channel(
        self, what: str, ca: bytes, key: bytes | None = None, certificate: bytes | None = None
    ) -> grpc.aio.Channel:
        """Return a channel to a gRPC port over TLS."""
        credentials = grpc.ssl_channel_credentials(ca, key, certificate)
        options = [("grpc.use_local_subchannel_pool", 1)]
        target = f"localhost:{self.ports[what]}"
        return grpc.aio.secure_channel(target, credentials, options=options)


@asynccontextmanager
async def secured(folder: Path, **settings: str) -> AsyncIterator[Secured]:
    """Open every door; `settings` are paths with `__` for the dots."""
    given = {f"receivers.{door}.port": "0" for door in (*_DOORS, *_UDP)}
    given |= {"admin.port": "0", "health.port": "0", "tls.reload_interval_seconds": "100ms"}
    given |= {path.replace("__", "."): text for path, text in settings.items()}
    given["storage.data_dir"] = str(folder)
    config = load_config(None, {}, given)
    metrics = Metrics("test")
    intake = Intake(asyncio.get_running_loop(), metrics)
    log = FakeDurableLog(intake)
    intake.open(log)

    def readiness() -> Readiness:
        return Readiness(is_ready=True, reason="", since_unix_nano=0)

    async with AsyncExitStack() as stack:
        ports = Ports(stack, Security(stack, config.tls, metrics))
        listen_for_admin(ports, config)
        receivers = Receivers(stack, ports, config)
        ports.serve(create_health_app(readiness), HEALTH)
        gate = ports.security.gate(config.admin.auth, "admin.auth")
        ports.serve(behind_gate(create_admin_app(readiness, metrics.registry), gate), ADMIN)
        await receivers.open(stack, intake, metrics)
        numbers = {what: ports.number(what) for what in (*HTTP_PORTS, OTLP_HTTP)}
        numbers["OTLP gRPC"] = receivers.otlp_grpc_port
        numbers["Jaeger gRPC"] = int(
            receivers.foreign_described().split("gRPC ")[1].split(",", maxsplit=1)[0]
        )
        yield Secured(numbers, metrics, log)
