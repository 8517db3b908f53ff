"""A collector that stores nothing: it takes spans and puts them into a topic of Kafka."""

from __future__ import annotations

import asyncio
from typing import NoReturn

from lymer.config import Config
from lymer.errors import StartupError
from lymer.pipeline.topic_log import TopicLog
from lymer.receivers.intake import Ticket
from lymer.roles.kafka import kafka_client
from lymer.roles.lifetime import Lifetime
from lymer.roles.listening import Ports
from lymer.roles.ready_block import otlp_rows, role_block, url
from lymer.roles.receiving import OTLP_HTTP, Receivers, make_intake
from lymer.roles.sampling import Sampling
from lymer.roles.securing import Security
from lymer.roles.storing import open_deliveries
from lymer.roles.watching import ADMIN, listen_for_admin, serve_admin
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics
from lymer.wire.kafka_encodings import WRITTEN

__all__ = ["serve_producer"]

_log = EventLog(__name__)


async def serve_producer(config: Config, metrics: Metrics) -> None:
    """Start in order, serve, stop in reverse."""
    settings = config.kafka
    if settings.encoding not in WRITTEN:
        raise StartupError(f"cannot write {settings.encoding} to Kafka, only {', '.join(WRITTEN)}")
    if config.sampling.adaptive.enabled:
        raise StartupError(
            "cannot sample adaptively: a collector in front of Kafka counts no spans; set "
            "sampling.adaptive.enabled where they are stored"
        )
    life = Lifetime()
    async with life.parts() as stack:
        security = Security(stack, config.tls, metrics)
        client = kafka_client(config, security.client_tls(config.kafka.tls, "kafka.tls"))
        ports = Ports(stack, security)
        listen_for_admin(ports, config)
        receivers = Receivers(stack, ports, config)
        sampling = Sampling(ports, config.sampling, receivers.gate)
        deliveries = open_deliveries(config, config.storage.data_dir.absolute())
        intake = make_intake(config, metrics, deliveries)
        log: TopicLog[Ticket] = TopicLog(
            client,
            settings.topic,
            encoding=settings.encoding,
            message_bytes_max=settings.message_bytes_max,
            on_durable=intake.on_durable,
            metrics=metrics,
        )
        stack.push_async_callback(asyncio.to_thread, log.close)
        life.watch(log.problem)
        serve_admin(ports, life, metrics, config)
        strategies = await sampling.open(stack, metrics, _no_throughput)
        await receivers.open(stack, intake, metrics, strategies)
        intake.open(log)
        rows = [
            *otlp_rows(config, receivers.otlp_grpc_port, ports.number(OTLP_HTTP)),
            ("Also", receivers.foreign_described()),
            ("Sampling", sampling.described().removeprefix("sampling ")),
            ("Kafka", f"{settings.brokers}, topic {settings.topic} ({settings.encoding})"),
            ("Admin", url(config, config.admin, ports.number(ADMIN))),
        ]
        await life.serve(lambda seconds: role_block("collector", rows, seconds))
    _log.info("stopped")


def _no_throughput() -> NoReturn:
    raise AssertionError("adaptive sampling was refused")
