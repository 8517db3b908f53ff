"""Collector: receive, journal and store in one process; others show what is stored.

A timeline: `run` starts the parts in order, serves until a signal, and stops them in reverse.
"""

from __future__ import annotations

import uvloop

from lymer import __version__
from lymer.config import Config
from lymer.roles.counting import count_spans
from lymer.roles.deleting import deletion_app
from lymer.roles.lifetime import Lifetime
from lymer.roles.listening import Ports
from lymer.roles.producing import serve_producer
from lymer.roles.ready_block import otlp_rows, place, role_block, span_of_time, url
from lymer.roles.receiving import OTLP_HTTP, Receivers, make_intake
from lymer.roles.sampling import Sampling
from lymer.roles.securing import Security
from lymer.roles.serving_store import serve_store
from lymer.roles.storing import Loading, lock_data_folder, open_deliveries, open_store
from lymer.roles.watching import ADMIN, listen_for_admin, serve_admin
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics

__all__ = ["run"]

_log = EventLog(__name__)


def run(config: Config) -> int:
    """Run until SIGINT or SIGTERM; return the exit code.

    Raises:
        StartupError: It cannot start: a taken port, an unwritable or used folder, a newer schema.
    """
    serve = serve_producer if config.kafka.enabled else _serve
    uvloop.run(serve(config, Metrics(__version__)))
    return 0


async def _serve(config: Config, metrics: Metrics) -> None:
    """Start in order, serve, stop in reverse."""
    life = Lifetime()
    async with life.parts() as stack:
        data_dir = lock_data_folder(stack, config)
        # Ports are tried before the engine is opened, for that is where a start usually fails.
        ports = Ports(stack, Security(stack, config.tls, metrics))
        listen_for_admin(ports, config)
        receivers = Receivers(stack, ports, config)
        sampling = Sampling(ports, config.sampling, receivers.gate)
        store = open_store(stack, config, data_dir)
        deliveries = open_deliveries(config, data_dir)
        intake = make_intake(config, metrics, deliveries)
        loading = Loading(stack, config, data_dir, store, intake, deliveries, metrics)
        life.watch(loading.problem)
        count_spans(config, store, metrics)
        deletion = deletion_app(stack, config, ports, store, loading)
        serve_admin(ports, life, metrics, config, deletion=deletion)
        storage_port = await serve_store(stack, config, ports, store, receivers.export)
        strategies = await sampling.open(stack, metrics, store.count_throughput)
        await receivers.open(stack, intake, metrics, strategies)
        intake.wait_for_store = loading.wait_for_store
        intake.open(loading.journal, loading.tenants())
        await loading.wait_for_recovery(life)
        rows = [
            *otlp_rows(config, receivers.otlp_grpc_port, ports.number(OTLP_HTTP)),
            ("Also", receivers.foreign_described()),
            ("Sampling", sampling.described().removeprefix("sampling ")),
            ("Storage API", place(config.storage_api.host, storage_port) if storage_port else ""),
            ("Data", f"{data_dir}, kept for {span_of_time(config.storage.retention_seconds)}"),
            ("Admin", url(config, config.admin, ports.number(ADMIN))),
        ]
        await life.serve(lambda seconds: role_block("collector", rows, seconds))
    _log.info("stopped")
