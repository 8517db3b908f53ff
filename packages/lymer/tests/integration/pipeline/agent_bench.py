"""An agent without doors: a journal on a real folder and a forwarder behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry

from lymer.clock import monotonic_seconds, unix_nano
from lymer.errors import LymerError
from lymer.journal.agent_names import AgentNames
from lymer.journal.journal import Journal, JournalLimits
from lymer.pipeline.collector_link import OPTIONS, CollectorLink, grpc_target
from lymer.pipeline.collectors import Collectors
from lymer.pipeline.forward import Forwarder
from lymer.pipeline.forward_plan import ForwardLimits
from lymer.telemetry.forward_metrics import ForwardMetrics
from lymer.tenancy import DEFAULT_TENANT
from lymer.transport.grpc_link import GrpcLink
from make import make_request, make_span

__all__ = ["Agent", "body_of", "running_agent", "span_ids"]

_WAIT_SECONDS_MAX = 20.0


def body_of(*numbers: int) -> bytes:
    """Return a request with spans of these numbers."""
    return make_request(*(make_span(1, number) for number in numbers)).SerializeToString()


def span_ids(*numbers: int) -> list[bytes]:
    """Return the ids of spans by their numbers, sorted."""
    return sorted(make_span(1, number).span_id for number in numbers)


@dataclass(slots=True)
class Agent:
    """What a test holds on to."""

    folder: Path
    journal: Journal[str]
    forwarder: Forwarder
    collectors: Collectors
    registry: CollectorRegistry
    durable: asyncio.Queue[list[str]] = field(default_factory=asyncio.Queue)

    async def put(self, *numbers: int, tenant: str = DEFAULT_TENANT) -> None:
        """Have a request of so many spans acknowledged."""
        self.journal.append(body_of(*numbers), len(numbers), str(numbers), tenant)
        await asyncio.wait_for(self.durable.get(), 10)

    async def sent(self) -> None:
        """Wait until nothing is left in the journal; a segment grows old within 0.2 s."""
        deadline = monotonic_seconds() + _WAIT_SECONDS_MAX
        while self.journal.state().backlog_bytes:
            assert monotonic_seconds() < deadline, f"not sent: {self.forwarder.problem}"
            await asyncio.sleep(0.01)

    def count(self, name: str, **labels: str) -> float:
        """Return a metric's value."""
        return self.registry.get_sample_value(name, labels) or 0

    def files(self) -> list[str]:
        """Return what lies in the journal's folder, by suffix."""
        return sorted(file.suffix for file in (self.folder / "journal").iterdir())


@asynccontextmanager
async def running_agent(
    folder: Path,
    ports: Sequence[int],
    *,
    protocol: str = "otlp",
    segment_age_seconds_max: float = 0.2,
    requests_in_flight_max: int = 8,
    request_seconds_max: float = 5.0,
    move_seconds: float = 60.0,
    message_bytes_max: int = 2**22,
    flush_seconds: float = 5.0,
    source: Callable[[Journal[str]], Journal[str]] = lambda journal: journal,
) -> AsyncIterator[Agent]:
    """Run an agent on `folder` that sends to `ports` of loopback, each a collector of its own."""
    loop = asyncio.get_running_loop()
    durable: asyncio.Queue[list[str]] = asyncio.Queue()

    def on_durable(tickets: Sequence[str], error: LymerError | None) -> None:
        assert error is None
        loop.call_soon_threadsafe(durable.put_nowait, list(tickets))

    journal: Journal[str] = Journal(
        folder / "journal",
        JournalLimits(2**20, segment_age_seconds_max, 2**30),
        on_durable=on_durable,
        unix_nano=unix_nano,
        monotonic_seconds=monotonic_seconds,
    )
    names = AgentNames(folder / "agent.json", journal.recovered())
    registry = CollectorRegistry()

    def make_link(target: str, address: str, port: int) -> CollectorLink:
        link = GrpcLink(grpc_target(address, port), options=OPTIONS)
        return CollectorLink(target, f"{address}:{port}", link, protocol=protocol)

    collectors = Collectors(
        [(f"127.0.0.1:{port}", "127.0.0.1", port) for port in ports],
        make_link,
        resolve_seconds=0.2,
    )
    forwarder = Forwarder(
        source(journal),
        names,
        collectors,
        ForwardLimits(
            requests_in_flight_max=requests_in_flight_max,
            request_seconds_max=request_seconds_max,
            backoff_seconds_min=0.02,
            backoff_seconds_max=0.1,
            move_seconds=move_seconds,
            message_bytes_max=message_bytes_max,
        ),
        data_dir=folder,
        metrics=ForwardMetrics(registry, "grpc"),
    )
    await forwarder.start()
    try:
        yield Agent(folder, journal, forwarder, collectors, registry, durable)
    finally:
        await asyncio.to_thread(journal.close)
        await forwarder.stop(flush_seconds)
