"""All in one: receive, journal, store, answer and show in one process.

A timeline: `run` starts the parts in order, serves until a signal, and stops them in reverse.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from lymer import __version__
from lymer.config import Config
from lymer.roles.answering import UI, listen_for_queries, serve_queries
from lymer.roles.counting import count_spans
from lymer.roles.deleting import deletion_app
from lymer.roles.lifetime import Lifetime
from lymer.roles.listening import Ports
from lymer.roles.practising import PracticeGround, is_loopback_address
from lymer.roles.ready_block import Endpoints, ready_block
from lymer.roles.receiving import OTLP_HTTP, Receivers, make_intake
from lymer.roles.sampling import Sampling
from lymer.roles.securing import Security
from lymer.roles.serving_store import serve_store
from lymer.roles.storing import Loading, lock_data_folder, open_deliveries, open_store
from lymer.roles.watching import ADMIN, HEALTH, listen_for_admin, serve_admin
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics

__all__ = ["run"]

_log = EventLog(__name__)


def run(config: Config) -> int:
    """Run until SIGINT or SIGTERM; return the exit code.

    Raises:
        StartupError: It cannot start: a taken port, an unwritable or used folder, a newer schema.
    """
    uvloop.run(_serve(config, Metrics(__version__)))
    return 0


def _practice(
    stack: AsyncExitStack, config: Config, data_dir: Path, endpoints: Endpoints, loading: Loading
) -> PracticeGround | None:
    """Return what the first page's buttons start; None where others than this machine reach it."""
    if not is_loopback_address(config.query.host) or config.tenancy.enabled:
        return None
    ground = PracticeGround(
        lambda: endpoints.otlp_grpc(config),
        lambda: endpoints.otlp_http(config),
        loading.newest_complete,
        data_dir / "practice",
    )
    stack.push_async_callback(ground.close)
    return ground


async def _serve(config: Config, metrics: Metrics) -> None:
    """Start in order, serve, stop in reverse."""
    life = Lifetime()
    async with life.parts() as stack:
        data_dir = lock_data_folder(stack, config)
        # Ports are tried before the engine is opened, for that is where a start usually fails.
        ports = Ports(stack, Security(stack, config.tls, metrics))
        listen_for_queries(ports, config)
        listen_for_admin(ports, config)
        receivers = Receivers(stack, ports, config)
        sampling = Sampling(ports, config.sampling, receivers.gate)
        endpoints = Endpoints(
            ui_port=ports.number(UI),
            otlp_http_port=ports.number(OTLP_HTTP),
            admin_port=ports.number(ADMIN),
            health_port=ports.number(HEALTH),
        )
        store = open_store(stack, config, data_dir)
        deliveries = open_deliveries(config, data_dir)
        intake = make_intake(config, metrics, deliveries)
        loading = Loading(stack, config, data_dir, store, intake, deliveries, metrics)
        life.watch(loading.problem)
        zipkin_questions = await serve_queries(
            stack,
            config,
            ports,
            store,
            otlp_grpc=endpoints.otlp_grpc(config),
            otlp_http=endpoints.otlp_http(config),
            practice=_practice(stack, config, data_dir, endpoints, loading),
        )
        count_spans(config, store, metrics)
        deletion = deletion_app(stack, config, ports, store, loading)
        serve_admin(ports, life, metrics, config, deletion=deletion)
        await serve_store(stack, config, ports, store, receivers.export)
        strategies = await sampling.open(stack, metrics, store.count_throughput)
        await receivers.open(stack, intake, metrics, strategies, zipkin_questions)
        endpoints.otlp_grpc_port = receivers.otlp_grpc_port
        endpoints.foreign = "; ".join(
            filter(None, (receivers.foreign_described(), sampling.described()))
        )
        intake.wait_for_store = loading.wait_for_store
        intake.open(loading.journal, loading.tenants())
        await loading.wait_for_recovery(life)
        await life.serve(lambda seconds: ready_block(config, data_dir, endpoints, seconds))
    _log.info("stopped")
