"""The part that lets spans in: OTLP and what is not OTLP, on one intake and one admission."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any, Final

import grpc

from lymer.config import Config
from lymer.journal.deliveries import Deliveries
from lymer.receivers.admission import Admission
from lymer.receivers.door import Door, Workers
from lymer.receivers.intake import Intake
from lymer.receivers.otlp_grpc import OtlpGrpcReceiver
from lymer.receivers.otlp_http import OtlpHttpReceiver
from lymer.receivers.sampling_grpc import add_sampling
from lymer.receivers.translator import Translator
from lymer.roles.foreign_receivers import ForeignReceivers
from lymer.roles.listening import Ports
from lymer.roles.tenancy import tenancy_of, udp_tenant_of
from lymer.sampling.answering import StrategyAnswers
from lymer.telemetry.metrics import Metrics
from lymer.transport.grpc_calls import Call, CallEndedError
from lymer.transport.http_gate import App

__all__ = ["OTLP_HTTP", "Receivers", "make_intake"]

OTLP_HTTP: Final = "OTLP HTTP"
_CODES: Final = {int(code.value[0]): code for code in grpc.StatusCode}
_DECODE_THREADS: Final = 2


def make_intake(config: Config, metrics: Metrics, deliveries: Deliveries) -> Intake:
    """Return the intake of a role that stores, on this event loop; the journal opens it."""
    return Intake(
        asyncio.get_running_loop(),
        metrics,
        tenancy_of(config),
        tenants_max=config.tenancy.tenants_max,
        tags=config.collector.tags,
        deliveries=deliveries,
    )


class Receivers:
    """All doors, opened in two steps: ports first, then what serves them."""

    def __init__(self, stack: AsyncExitStack, ports: Ports, config: Config) -> None:
        """Take the ports; gRPC binds for itself, later.

        Raises:
            StartupError: One cannot be had.
        """
        self._settings = settings = config.receivers
        self._ports = ports
        self.gate = self._gate = ports.security.gate(settings.auth, "receivers.auth")
        """Who may send, and ask what to sample."""
        udp_tenant = udp_tenant_of(config)
        self._foreign = ForeignReceivers(settings, ports, self._gate, udp_tenant=udp_tenant)
        if settings.otlp_http.enabled:
            ports.take(OTLP_HTTP, settings.otlp_http, "receivers.otlp_http.port", gate=self._gate)
        self._foreign.listen(stack)
        self._storage_door: OtlpGrpcReceiver | None = None
        self.otlp_grpc_port = settings.otlp_grpc.port if settings.otlp_grpc.enabled else 0

    async def export(self, body: bytes, context: Any) -> bytes:
        """Take a request of a Jaeger that keeps its traces here, as the OTLP door does."""
        if self._storage_door is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "cannot take spans yet: starting")
            raise AssertionError("aborting raises")
        headers = [
            (key.encode(), value if isinstance(value, bytes) else value.encode())
            for key, value in context.invocation_metadata() or ()
        ]
        try:
            return await self._storage_door.export(body, Call(headers, ""))
        except CallEndedError as error:
            await context.abort(_CODES[error.code], error.details, error.trailers)
            raise

    async def open(
        self,
        stack: AsyncExitStack,
        intake: Intake,
        metrics: Metrics,
        strategies: StrategyAnswers | None = None,
        zipkin_questions: App | None = None,
    ) -> None:
        """Serve until the stack unwinds.

        gRPC and Jaeger's HTTP answer from `strategies` too, Zipkin's port from `zipkin_questions`.

        Raises:
            StartupError: The port of a gRPC door cannot be had.
        """
        settings = self._settings
        admission = Admission(
            bytes_in_flight_max=settings.admission.bytes_in_flight_max,
            requests_in_flight_max=settings.admission.requests_in_flight_max,
        )
        metrics.in_flight_bytes.set_function(lambda: admission.bytes_in_flight)
        executor = ThreadPoolExecutor(_DECODE_THREADS, thread_name_prefix="decode")
        stack.callback(executor.shutdown, wait=False, cancel_futures=True)
        translator = Translator()
        stack.push_async_callback(translator.close)
        workers = Workers(executor, translator)

        def door(receiver: str, transport: str, bytes_max: int) -> Door:
            return Door(
                intake, admission, workers,
                receiver=receiver, transport=transport, bytes_max=bytes_max,
            )  # fmt: skip

        limit = settings.otlp_grpc.message_bytes_max
        self._storage_door = OtlpGrpcReceiver(
            door("storage", "grpc", limit), message_bytes_max=limit
        )
        if settings.otlp_http.enabled:
            limit = settings.otlp_http.body_bytes_max
            http = OtlpHttpReceiver(door("otlp", "http", limit), body_bytes_max=limit)
            self._ports.serve(http, OTLP_HTTP, cors=settings.otlp_http.cors)
        if settings.otlp_grpc.enabled:
            limit = settings.otlp_grpc.message_bytes_max
            receiver = OtlpGrpcReceiver(
                door("otlp", "grpc", limit), message_bytes_max=limit, gate=self._gate
            )
            if strategies is not None:
                add_sampling(receiver, strategies)  # agents ask where they send
            self.otlp_grpc_port = await self._ports.serve_grpc(
                receiver, settings.otlp_grpc, "OTLP gRPC", "receivers.otlp_grpc.port"
            )
        # Last, just before the journal opens: what came by UDP before that would be lost.
        await self._foreign.open(stack, intake, door, strategies, zipkin_questions)
        stack.push_async_callback(translator.leave)  # before the doors wait for their requests

    def foreign_described(self) -> str:
        """Say in one line which doors beside OTLP are open and where; empty if none is."""
        return self._foreign.described()
