"""Ingester: store what collectors put into Kafka; others show what is stored.

A timeline: `run` starts the parts in order, serves until a signal, and stops them in reverse.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Final

import uvloop

from lymer import __version__
from lymer.config import Config
from lymer.errors import TenantError
from lymer.pipeline.loader import Loader
from lymer.pipeline.rollup import RollupWorker
from lymer.pipeline.tail import TailWorker
from lymer.pipeline.topic_source import TopicLimits, TopicSource
from lymer.roles.counting import count_spans
from lymer.roles.kafka import kafka_client
from lymer.roles.lifetime import Lifetime
from lymer.roles.listening import Ports
from lymer.roles.ready_block import place, role_block, span_of_time, url
from lymer.roles.securing import Security
from lymer.roles.serving_store import serve_store
from lymer.roles.storing import Store, lock_data_folder, open_store
from lymer.roles.tenancy import tenancy_of
from lymer.roles.watching import ADMIN, listen_for_admin, serve_admin
from lymer.storage.clickhouse.collectors import collector_identity
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics

__all__ = ["run"]

_log = EventLog(__name__)
_DRAIN_SECONDS_MAX: Final = 15.0
"""The store may take so long for what is cut; the rest is still in the topic."""


def run(config: Config) -> int:
    """Run until SIGINT or SIGTERM; return the exit code.

    Raises:
        StartupError: It cannot start: a taken port, an unwritable or used folder, a newer schema.
    """
    uvloop.run(_serve(config, Metrics(__version__)))
    return 0


async def _serve(config: Config, metrics: Metrics) -> None:
    """Start in order, serve, stop in reverse."""
    life = Lifetime()
    async with life.parts() as stack:
        data_dir = lock_data_folder(stack, config)
        security = Security(stack, config.tls, metrics)
        client = kafka_client(config, security.client_tls(config.kafka.tls, "kafka.tls"))
        ports = Ports(stack, security)
        listen_for_admin(ports, config)
        store = open_store(stack, config, data_dir)
        settings = config.kafka
        source = TopicSource(
            {
                **client,
                "group.id": settings.group_id,
                # Who comes back soon finds its partitions as it left them.
                "group.instance.id": f"{settings.client_id}-{collector_identity(data_dir)[:12]}",
                "auto.offset.reset": settings.initial_offset,
            },
            settings.topic,
            encoding=settings.encoding,
            store=store,
            folder=data_dir / "ingest",
            quarantine=data_dir / "quarantine",
            limits=TopicLimits(
                config.journal.segment_bytes_max, config.journal.segment_age_seconds_max
            ),
            metrics=metrics,
            tenant_of=_TenantRule(config, store),
        )
        loader = Loader(
            source, source, data_dir / "quarantine", metrics, before_store=source.before_store
        )
        rollup = RollupWorker(store, metrics)
        life.watch(lambda: source.problem() or loader.problem or rollup.problem)
        count_spans(config, store, metrics)
        serve_admin(ports, life, metrics, config)
        storage_port = await serve_store(stack, config, ports, store)
        _start_tail(stack, config, store, source, metrics)
        rollup.start()
        stack.push_async_callback(asyncio.to_thread, rollup.stop)
        loader.start()
        source.start()
        stack.push_async_callback(asyncio.to_thread, _stop, source, loader)
        rows = [
            ("Kafka", f"{settings.brokers}, topic {settings.topic} ({settings.encoding})"),
            ("Storage API", place(config.storage_api.host, storage_port) if storage_port else ""),
            ("Data", f"{data_dir}, kept for {span_of_time(config.storage.retention_seconds)}"),
            ("Admin", url(config, config.admin, ports.number(ADMIN))),
        ]
        await life.serve(lambda seconds: role_block("ingester", rows, seconds))
    _log.info("stopped")


def _stop(source: TopicSource, loader: Loader) -> None:
    """Store what is cut, then leave the group."""
    source.stop_reading()
    if not loader.finish(_DRAIN_SECONDS_MAX):
        _log.warning("stopped before all was stored; it is read again")
    source.close()


def _start_tail(
    stack: AsyncExitStack, config: Config, store: Store, source: TopicSource, metrics: Metrics
) -> None:
    if config.tail_sampling.policies_file is None:
        return
    tail = TailWorker(
        store,
        metrics,
        grace_seconds=config.tail_sampling.grace_seconds,
        newest_complete=source.newest_complete,
    )
    tail.start()
    stack.push_async_callback(asyncio.to_thread, tail.stop)


class _TenantRule:
    """Whose a message may be: with tenancy, who may be a tenant; without, nobody in particular."""

    def __init__(self, config: Config, store: Store) -> None:
        self._tenancy = tenancy_of(config)
        self._tenants_max = config.tenancy.tenants_max
        self._known = set(store.tenants())

    def __call__(self, name: str) -> str:
        if self._tenancy is None:
            return ""
        tenant = self._tenancy.tenant_of([name])
        if tenant not in self._known:
            if len(self._known) > self._tenants_max:
                raise TenantError(f"too many tenants: {self._tenants_max} (tenancy.tenants_max)")
            self._known.add(tenant)
        return tenant
