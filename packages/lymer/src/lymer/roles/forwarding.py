"""The part that sends on what a journal holds: the agent's place of a store."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from lymer.config import Config
from lymer.config.addresses import split_target
from lymer.errors import StartupError
from lymer.journal.agent_names import AgentNames
from lymer.journal.deliveries import Deliveries
from lymer.pipeline.collector_link import OPTIONS, CollectorLink, grpc_target
from lymer.pipeline.collectors import Collectors
from lymer.pipeline.forward import Forwarder
from lymer.pipeline.forward_plan import ForwardLimits
from lymer.receivers.intake import Intake
from lymer.roles.storing import open_journal
from lymer.telemetry.forward_metrics import ForwardMetrics
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics
from lymer.transport.client_auth import ClientAuth
from lymer.transport.grpc_link import GrpcLink
from lymer.transport.tls_client import ClientTls

__all__ = ["Forwarding", "check_targets"]

_log = EventLog(__name__)
_FLUSH_SECONDS_MAX: Final = 5.0
"""Collectors may take so long for what is left at the end; the rest waits for the next start."""


def check_targets(config: Config) -> None:
    """Refuse to start without a collector.

    Raises:
        StartupError: None is named.
    """
    if not config.agent.targets:
        raise StartupError(
            "cannot forward: no collector is named; say where one listens for OTLP with "
            "--set agent.targets=HOST:4317, or as with Jaeger's agent "
            "--reporter.grpc.host-port=HOST:14250"
        )


class Forwarding:
    """Journal and forwarder, at work from the first moment until the stack unwinds."""

    def __init__(self, config: Config, data_dir: Path, intake: Intake, metrics: Metrics) -> None:
        """Recover what a former run left; `intake` is not opened yet.

        Raises:
            CorruptJournalError: The buffer of a former run cannot be read.
        """
        journal = self.journal = open_journal(config, data_dir, intake, metrics)
        self._names = AgentNames(data_dir / "agent.json", journal.recovered())
        self._data_dir = data_dir
        self._config = config
        self._backlog_bytes_max = config.journal.backlog_bytes_max

    @property
    def own_name(self) -> bytes:
        """The name this start delivers under."""
        return self._names.own

    async def start(
        self,
        stack: AsyncExitStack,
        deliveries: Deliveries,
        tls: ClientTls | None,
        auth: ClientAuth | None,
        metrics: Metrics,
    ) -> None:
        """Begin to send, encrypted with `tls`, in the name of `auth`; stopped after receivers.

        Raises:
            StartupError: gRPC cannot do what `tls` asks.
        """
        if tls is not None:
            tls.grpc_credentials()
        self._tls = tls
        self._auth = auth
        deliveries.recover(self.journal.recovered())
        agent = self._config.agent
        targets = [(target, *split_target(target)) for target in agent.targets.split(",")]
        collectors = self.collectors = Collectors(
            targets, self._make_link, resolve_seconds=agent.resolve_seconds
        )
        self._forwarder = Forwarder(
            self.journal,
            self._names,
            collectors,
            ForwardLimits(
                requests_in_flight_max=agent.requests_in_flight_max,
                request_seconds_max=agent.request_seconds_max,
                backoff_seconds_min=agent.backoff_seconds_min,
                backoff_seconds_max=agent.backoff_seconds_max,
                move_seconds=agent.move_seconds,
                message_bytes_max=agent.message_bytes_max,
            ),
            data_dir=self._data_dir,
            metrics=ForwardMetrics(metrics.registry, "grpc"),
            before_remove=deliveries.settle,
            tenant_metadata=self._tenant_metadata,
        )
        await self._forwarder.start()
        stack.push_async_callback(self._drain)

    def problem(self) -> str:
        """Say why spans are turned away now; nothing while there is room for them.

        A collector that is away is no such reason: that is what the buffer is for.
        """
        backlog = self.journal.state().backlog_bytes
        if backlog < self._backlog_bytes_max * 0.98:
            return self.journal.problem()
        return (
            f"the buffer is full: {backlog} bytes wait, the limit is {self._backlog_bytes_max}; "
            f"{self._forwarder.problem or 'collectors are too slow'}"
        )

    def _make_link(self, target: str, address: str, port: int) -> CollectorLink:
        place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        options = list(OPTIONS)
        host, _ = split_target(target)
        if self._tls is not None:
            # gRPC refuses a call whose authority is not the name that was checked.
            host = self._tls.options.server_name or host
            if not self._tls.options.server_name:
                # What is dialled is an address; the certificate is for the name.
                options.append(("grpc.ssl_target_name_override", host))
        options.append(("grpc.default_authority", f"{host}:{port}" if ":" not in host else place))
        link = GrpcLink(grpc_target(address, port), tls=self._tls, options=options)
        auth = self._auth.metadata if self._auth else tuple
        return CollectorLink(
            target, place, link, protocol=self._config.agent.protocol, metadata=auth
        )

    def _tenant_metadata(self, tenant: str) -> tuple[tuple[str, str], ...]:
        """Name the tenant of a segment; spans of nobody in particular are `agent.tenant`'s."""
        tenancy = self._config.tenancy
        name = tenant or self._config.agent.tenant or tenancy.default_tenant
        return ((tenancy.header, name),) if name else ()

    async def _drain(self) -> None:
        """Make durable what waits, send what is durable."""
        await asyncio.to_thread(self.journal.close)
        if not await self._forwarder.stop(_FLUSH_SECONDS_MAX):
            backlog = self.journal.state().backlog_bytes
            _log.warning("stopped before all was sent; the next start will", bytes=backlog)
