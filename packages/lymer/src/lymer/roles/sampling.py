"""The part that answers about sampling: who knows the strategies, and the two doors of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final

from lymer.api.sampling import create_sampling_app
from lymer.config.sampling_settings import SamplingAdaptiveSettings, SamplingSettings
from lymer.receivers.sampling_grpc import SamplingGrpc
from lymer.roles.listening import Ports
from lymer.sampling.adaptive import AdaptiveOptions
from lymer.sampling.adaptive_provider import AdaptiveProvider
from lymer.sampling.answering import StrategyAnswers
from lymer.sampling.file_provider import FileProvider
from lymer.sampling.strategies import StrategyProvider
from lymer.storage.sampling_contract import SamplingStore
from lymer.telemetry.metrics import Metrics
from lymer.transport.gate import Gate

__all__ = ["SAMPLING", "Sampling"]

SAMPLING: Final = "sampling"


class Sampling:
    """Opened in two steps: the port of HTTP first, then what answers."""

    def __init__(self, ports: Ports, settings: SamplingSettings, gate: Gate | None) -> None:
        """Take the port of HTTP; gRPC binds for itself, later.

        Args:
            ports: Who listens and serves.
            settings: What is wanted.
            gate: Who may ask; None is everybody.

        Raises:
            StartupError: It cannot be had.
        """
        self._ports = ports
        self._settings = settings
        self._gate = gate
        self._grpc_port = 0
        if settings.http.enabled:
            ports.take(SAMPLING, settings.http, "sampling.http.port", gate=gate)

    async def open(
        self,
        stack: AsyncExitStack,
        metrics: Metrics,
        count_throughput: Callable[[], SamplingStore],
    ) -> StrategyAnswers:
        """Learn the strategies and serve them until the stack unwinds.

        Args:
            stack: Unwound in reverse.
            metrics: Where to count.
            count_throughput: Has the store count what adaptive sampling needs; called if it is on.

        Returns:
            What Jaeger's own ports answer from, too.

        Raises:
            StartupError: The strategies file cannot be used, or the port of gRPC not be had.
            StorageError: The store does not answer.
        """
        provider: FileProvider | AdaptiveProvider
        if self._settings.adaptive.enabled:
            store = await asyncio.to_thread(count_throughput)
            provider = _adaptive(self._settings.adaptive, store, metrics)
        else:
            file = self._settings.file
            provider = FileProvider(
                file.path,
                default_probability=file.default_probability,
                reload_seconds=file.reload_seconds,
                metrics=metrics.sampling,
            )
        stack.push_async_callback(provider.stop)
        await provider.start()
        return await self.serve(provider, metrics)

    async def serve(self, provider: StrategyProvider, metrics: Metrics) -> StrategyAnswers:
        """Serve what `provider` says on both doors; see `open`."""
        answers = StrategyAnswers(provider, metrics.sampling)
        if self._settings.http.enabled:
            self._ports.serve(create_sampling_app(answers), SAMPLING)
        door = self._settings.grpc
        if door.enabled:
            self._grpc_port = await self._ports.serve_grpc(
                SamplingGrpc(answers, self._gate), door, "sampling gRPC", "sampling.grpc.port"
            )
        return answers

    def described(self) -> str:
        """Say in one line which doors are open and where; empty if none is."""
        doors = {"HTTP": self._ports.number(SAMPLING), "gRPC": self._grpc_port}
        listed = ", ".join(f"{what} {port}" for what, port in doors.items() if port)
        return f"sampling {listed}" if listed else ""


def _adaptive(
    settings: SamplingAdaptiveSettings, store: SamplingStore, metrics: Metrics
) -> AdaptiveProvider:
    return AdaptiveProvider(
        store,
        AdaptiveOptions(
            target_samples_per_second=settings.target_samples_per_second,
            delta_tolerance=settings.delta_tolerance,
            calculation_buckets=settings.calculation_buckets,
            aggregation_buckets=settings.aggregation_buckets,
            initial_sampling_probability=settings.initial_sampling_probability,
            min_sampling_probability=settings.min_sampling_probability,
            client_poll_seconds=settings.client_poll_seconds,
        ),
        interval_seconds=settings.calculation_interval_seconds,
        delay_seconds=settings.calculation_delay_seconds,
        min_samples_per_second=settings.min_samples_per_second,
        metrics=metrics.sampling,
    )
