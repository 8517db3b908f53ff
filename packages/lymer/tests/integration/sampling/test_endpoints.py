"""Every door that answers about sampling, on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import httpx
import pytest
from starlette.types import ASGIApp

from integration.receivers.doors import door_of
from lymer.api.sampling import create_sampling_app
from lymer.errors import StorageError
from lymer.receivers.admission import Admission
from lymer.receivers.intake import Intake
from lymer.receivers.jaeger_grpc import JaegerGrpcReceiver
from lymer.receivers.jaeger_http import JaegerHttpReceiver
from lymer.receivers.sampling_grpc import SamplingGrpc, add_sampling
from lymer.roles.listening import HttpServer, listen
from lymer.sampling.answering import StrategyAnswers
from lymer.sampling.strategies import Probabilistic, RateLimiting, Strategy
from lymer.sampling.strategy_proto import decode_strategy, encode_parameters
from lymer.telemetry.metrics import Metrics

GET_STRATEGY = "/jaeger.api_v2.SamplingManager/GetSamplingStrategy"
PROTO = b'{"strategyType":"PROBABILISTIC","probabilisticSampling":{"samplingRate":0.5}}'
LEGACY = (
    b'{"strategyType":0,"probabilisticSampling":{"samplingRate":0.5},'
    b'"rateLimitingSampling":null,"operationSampling":null}'
)
HTML_OF_TEXT = ("text/plain; charset=utf-8", "nosniff")


class ByName:
    """A provider that knows three kinds of services."""

    async def get_strategy(self, service: str, /) -> Strategy:
        """Limit `slow service`, fail for `lost`, sample half of the rest."""
        if service == "lost":
            raise StorageError("no collector answers")
        if service == "slow service":
            return Strategy(RateLimiting(2))
        return Strategy(Probabilistic(0.5))


@dataclass(slots=True)
class Doors:
    """What a test holds on to."""

    metrics: Metrics
    sampling: httpx.AsyncClient
    """Port 5778."""
    collector: httpx.AsyncClient
    """Port 14268."""
    channel: grpc.aio.Channel
    """Port 5779, or 14250."""

    def count(self, name: str, **labels: str) -> float:
        """Return a counter."""
        return self.metrics.registry.get_sample_value(name, labels) or 0


@asynccontextmanager
async def served(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an application and yield a client of it."""
    sockets = listen("127.0.0.1", 0, "test", "test.port")
    server = HttpServer(app, sockets, grace_seconds=1)
    task = asyncio.create_task(server.run_until_stopped())
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
        yield client
    server.stop()
    await task


@asynccontextmanager
async def doors(*, beside_the_collector: bool = False) -> AsyncIterator[Doors]:
    """Serve them all."""
    metrics = Metrics("test")
    answers = StrategyAnswers(ByName(), metrics.sampling)
    intake = Intake(asyncio.get_running_loop(), metrics)
    admission = Admission(bytes_in_flight_max=2**20, requests_in_flight_max=10)
    rpc: SamplingGrpc | JaegerGrpcReceiver = SamplingGrpc(answers)
    if beside_the_collector:
        made = door_of(intake, admission, "jaeger", "grpc")
        rpc = JaegerGrpcReceiver(made, message_bytes_max=2**20)
        add_sampling(rpc, answers)
    port = rpc.bind("127.0.0.1:0")
    await rpc.start()
    jaeger = JaegerHttpReceiver(
        door_of(intake, admission, "jaeger", "thrift_http"),
        body_bytes_max=2**20,
        strategies=answers,
    )
    async with (
        served(create_sampling_app(answers)) as sampling,
        served(jaeger) as collector,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield Doors(metrics, sampling, collector, channel)
    await rpc.stop(1)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/sampling?service=s", PROTO),
        ("GET", "/?service=s", LEGACY),
        ("GET", "?service=s", LEGACY),
        ("POST", "/?service=s", PROTO),
        ("GET", "/api/sampling?service=s", PROTO),
        ("PUT", "/any/path?other=1&service=s", PROTO),
        ("GET", "/sampling?service=", PROTO),
    ],
)
async def test_port_5778_answers_on_any_path(method: str, path: str, expected: bytes) -> None:
    """In protobuf's JSON, except where the oldest clients ask."""
    async with doors() as held:
        answer = await held.sampling.request(method, path)
        kind = "sampling-legacy" if expected == LEGACY else "sampling"
        counted = held.count("jaeger_remote_sampling_http_server_requests_total", type=kind)

    assert (200, expected) == (answer.status_code, answer.content)
    assert answer.headers["content-type"] == "application/json"
    assert counted == 1


@pytest.mark.parametrize(
    "query", ["", "?", "?Service=s", "?service=a&service=b", "?service=a&service="]
)
@pytest.mark.parametrize("path", ["/", "/sampling", "/baggageRestrictions"])
async def test_a_service_is_named_once(path: str, query: str) -> None:
    """In Go's words and with its line break."""
    async with doors() as held:
        answer = await held.sampling.get(path + query)
        counted = held.count(
            "jaeger_remote_sampling_http_server_errors_total", status="4xx", source="all"
        )

    assert (400, "'service' parameter must be provided once\n") == (
        answer.status_code,
        answer.text,
    )
    assert HTML_OF_TEXT == (
        answer.headers["content-type"],
        answer.headers["x-content-type-options"],
    )
    assert counted == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/sampling?service=lost", "collector error: no collector answers\n"),
        ("/baggageRestrictions?service=s", "collector error: baggage not implemented\n"),
    ],
)
async def test_a_provider_that_does_not_know_is_500(path: str, text: str) -> None:
    """And counted as its fault."""
    async with doors() as held:
        answer = await held.sampling.get(path)
        counted = held.count(
            "jaeger_remote_sampling_http_server_errors_total",
            status="5xx",
            source="collector-proxy",
        )

    assert (500, text) == (answer.status_code, answer.text)
    assert counted == 1


async def test_names_are_decoded_as_a_query_is() -> None:
    """Both spellings of a blank."""
    async with doors() as held:
        answers = [
            await held.sampling.get(f"/sampling?service={name}")
            for name in ("slow%20service", "slow+service")
        ]

    assert [
        b'{"strategyType":"RATE_LIMITING","rateLimitingSampling":{"maxTracesPerSecond":2}}'
    ] * 2 == [answer.content for answer in answers]


async def test_the_collectors_port_answers_get_only() -> None:
    """As Jaeger v1's `GET /api/sampling`."""
    async with doors() as held:
        known = await held.collector.get("/api/sampling?service=s")
        unnamed = await held.collector.get("/api/sampling")
        posted = await held.collector.post("/api/sampling?service=s")
        elsewhere = await held.collector.get("/sampling?service=s")

    assert (200, PROTO) == (known.status_code, known.content)
    assert known.headers["content-type"] == "application/json"
    assert [400, 405, 404] == [each.status_code for each in (unnamed, posted, elsewhere)]


@pytest.mark.parametrize("beside_the_collector", [False, True], ids=["5779", "14250"])
async def test_grpc_answers(*, beside_the_collector: bool) -> None:
    """On a port of its own, and on the collector's."""
    async with doors(beside_the_collector=beside_the_collector) as held:
        call = held.channel.unary_unary(GET_STRATEGY)
        body = await call(encode_parameters("slow service"), timeout=20)
        with pytest.raises(grpc.aio.AioRpcError) as lost:
            await call(encode_parameters("lost"), timeout=20)
        with pytest.raises(grpc.aio.AioRpcError) as unreadable:
            await call(b"\xff", timeout=20)
        counted = [
            held.count("lymer_sampling_rpcs_total", result=result) for result in ("ok", "error")
        ]

    assert Strategy(RateLimiting(2)) == decode_strategy(body)
    assert (grpc.StatusCode.INTERNAL, "no collector answers") == (
        lost.value.code(),
        lost.value.details(),
    )
    assert grpc.StatusCode.INVALID_ARGUMENT == unreadable.value.code()
    assert counted == [1, 2]
