"""Agent: take spans beside the applications, keep them on disk, send them to collectors.

A timeline: `run` starts the parts in order, serves until a signal, and stops them in reverse.
"""

from __future__ import annotations

import asyncio

import uvloop

from lymer import __version__
from lymer.config import Config
from lymer.pipeline.remote_sampling import RemoteSampling
from lymer.receivers.intake import Intake
from lymer.roles.forwarding import Forwarding, check_targets
from lymer.roles.lifetime import Lifetime
from lymer.roles.listening import Ports
from lymer.roles.ready_block import otlp_rows, role_block, url
from lymer.roles.receiving import OTLP_HTTP, Receivers
from lymer.roles.sampling import Sampling
from lymer.roles.securing import Security
from lymer.roles.storing import lock_data_folder, open_deliveries
from lymer.roles.tenancy import tenancy_of
from lymer.roles.watching import ADMIN, listen_for_admin, serve_admin
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics

__all__ = ["run"]

_log = EventLog(__name__)


def run(config: Config) -> int:
    """Run until SIGINT or SIGTERM; return the exit code.

    Raises:
        StartupError: It cannot start: no collector, a taken port, an unwritable or used folder.
    """
    uvloop.run(_serve(config, Metrics(__version__)))
    return 0


async def _serve(config: Config, metrics: Metrics) -> None:
    """Start in order, serve, stop in reverse."""
    check_targets(config)
    life = Lifetime()
    async with life.parts() as stack:
        data_dir = lock_data_folder(stack, config)
        security = Security(stack, config.tls, metrics)
        ports = Ports(stack, security)
        listen_for_admin(ports, config)
        receivers = Receivers(stack, ports, config)
        sampling = Sampling(ports, config.sampling, receivers.gate)
        deliveries = open_deliveries(config, data_dir)
        intake = Intake(
            asyncio.get_running_loop(),
            metrics,
            tenancy_of(config),
            tenants_max=config.tenancy.tenants_max,
            tags=config.agent.tags,
            deliveries=deliveries,
        )
        forwarding = Forwarding(config, data_dir, intake, metrics)
        intake.refuse_from(forwarding.own_name)
        tls = security.client_tls(config.agent.tls, "agent.tls")
        auth = security.client_auth(config.agent.auth, "agent.auth")
        await forwarding.start(stack, deliveries, tls, auth, metrics)
        life.watch(forwarding.problem)
        serve_admin(ports, life, metrics, config)
        strategies = await sampling.serve(RemoteSampling(forwarding.collectors), metrics)
        await receivers.open(stack, intake, metrics, strategies)
        intake.open(forwarding.journal, forwarding.journal.tenants())
        rows = [
            *otlp_rows(config, receivers.otlp_grpc_port, ports.number(OTLP_HTTP)),
            (
                "Also",
                "; ".join(filter(None, (receivers.foreign_described(), sampling.described()))),
            ),
            ("Collectors", f"{config.agent.targets} ({config.agent.protocol})"),
            ("Buffer", f"{data_dir}, at most {config.journal.backlog_bytes_max >> 20} MiB"),
            ("Admin", url(config, config.admin, ports.number(ADMIN))),
        ]
        await life.serve(lambda seconds: role_block("agent", rows, seconds))
    _log.info("stopped")
