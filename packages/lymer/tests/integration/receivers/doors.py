"""Both OTLP doors on free ports, in the test's own event loop, in front of a fake journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import httpx

from fakes.durable_log import FakeDurableLog
from lymer.clock import monotonic_seconds
from lymer.receivers.admission import Admission
from lymer.receivers.door import Door, Workers
from lymer.receivers.intake import DeliveryLog, Intake
from lymer.receivers.otlp_grpc import OtlpGrpcReceiver
from lymer.receivers.otlp_http import OtlpHttpReceiver
from lymer.receivers.translator import Translator
from lymer.roles.listening import HttpServer, listen
from lymer.telemetry.metrics import Metrics

__all__ = ["EXPORT", "JSON", "PROTOBUF", "Doors", "door_of", "doors", "eventually"]

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@dataclass(slots=True)
class Doors:
    """What a test holds on to."""

    log: FakeDurableLog
    intake: Intake
    admission: Admission
    metrics: Metrics
    http: httpx.AsyncClient
    http_port: int
    channel: grpc.aio.Channel
    grpc_port: int

    async def post(
        self, body: bytes, content_type: str = PROTOBUF, **headers: str
    ) -> httpx.Response:
        """Send one request over HTTP."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(
            "/v1/traces", content=body, headers={"Content-Type": content_type, **named}
        )

    async def export(
        self,
        body: bytes,
        compression: grpc.Compression | None = None,
        *,
        metadata: Sequence[tuple[str, str]] = (),
        seconds_max: float = 20,
    ) -> tuple[grpc.StatusCode, str, bytes | None]:
        """Send one request over gRPC; return code, text, and the status details if any."""
        call = self.channel.unary_unary(EXPORT)(
            body, compression=compression, timeout=seconds_max, metadata=tuple(metadata)
        )
        try:
            answer = await call
        except grpc.aio.AioRpcError as error:
            trailers = dict(error.trailing_metadata())
            return error.code(), str(error.details()), trailers.get("grpc-status-details-bin")
        assert answer == b""
        return grpc.StatusCode.OK, "", None

    def refused(self, transport: str, reason: str) -> float:
        """Return how many requests were counted as turned away."""
        labels = {"receiver": "otlp", "transport": transport, "reason": reason}
        name = "lymer_receiver_refused_requests_total"
        return self.metrics.registry.get_sample_value(name, labels) or 0

    def accepted_spans(self, transport: str) -> float:
        """Return how many spans were counted as acknowledged."""
        labels = {"receiver": "otlp", "transport": transport}
        name = "otelcol_receiver_accepted_spans_total"
        return self.metrics.registry.get_sample_value(name, labels) or 0

    def in_flight(self) -> tuple[int, int]:
        """Return requests and bytes in flight."""
        return self.admission.requests_in_flight, self.admission.bytes_in_flight


def door_of(
    intake: Intake, admission: Admission, receiver: str, transport: str, bytes_max: int = 2**20
) -> Door:
    """Return a door with a thread of its own."""
    workers = Workers(ThreadPoolExecutor(1), Translator())
    return Door(
        intake, admission, workers,
        receiver=receiver, transport=transport, bytes_max=bytes_max,
    )  # fmt: skip


@asynccontextmanager
async def doors(
    *,
    body_bytes_max: int = 2**20,
    message_bytes_max: int = 2**20,
    bytes_in_flight_max: int = 2**26,
    requests_in_flight_max: int = 100,
    opened: bool = True,
    tags: Sequence[tuple[str, str]] = (),
    deliveries: DeliveryLog | None = None,
) -> AsyncIterator[Doors]:
    """Serve both doors; at the end nothing may be in flight any more."""
    metrics = Metrics("test")
    intake = Intake(asyncio.get_running_loop(), metrics, tags=tags, deliveries=deliveries)
    log = FakeDurableLog(intake)
    if opened:
        intake.open(log)
    admission = Admission(
        bytes_in_flight_max=bytes_in_flight_max, requests_in_flight_max=requests_in_flight_max
    )
    executor = ThreadPoolExecutor(2)
    sockets = listen("127.0.0.1", 0, "OTLP HTTP", "receivers.otlp_http.port")
    translator = Translator()
    workers = Workers(executor, translator)
    door = Door(
        intake, admission, workers, receiver="otlp", transport="http", bytes_max=body_bytes_max
    )
    receiver = OtlpHttpReceiver(door, body_bytes_max=body_bytes_max)
    server = HttpServer(receiver, sockets, grace_seconds=5)
    serving = asyncio.create_task(server.run_until_stopped())
    rpc = OtlpGrpcReceiver(
        Door(
            intake, admission, workers,
            receiver="otlp", transport="grpc", bytes_max=message_bytes_max,
        ),
        message_bytes_max=message_bytes_max,
    )  # fmt: skip
    rpc_port = rpc.bind("127.0.0.1:0")
    await rpc.start()
    http_port = sockets[0].getsockname()[1]
    async with (
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{http_port}", trust_env=False, timeout=20
        ) as http,
        grpc.aio.insecure_channel(f"127.0.0.1:{rpc_port}") as channel,
    ):
        made = Doors(log, intake, admission, metrics, http, http_port, channel, rpc_port)
        yield made
        await eventually(lambda: made.in_flight() == (0, 0))
    server.stop()
    await serving
    await rpc.stop(1)
    await translator.close()
    executor.shutdown()


async def eventually(condition: Callable[[], bool]) -> None:
    """Return once something became true; fail after 10 s."""
    deadline = monotonic_seconds() + 10
    while not condition():
        assert monotonic_seconds() < deadline, "waited 10 s in vain"
        await asyncio.sleep(0.005)
