"""Strategies asked from a real gRPC server: kept for a while, and while it is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fakes.fake_collector import FakeCollector
from lymer.errors import OverloadedError
from lymer.pipeline import remote_sampling
from lymer.pipeline.collector_link import OPTIONS, CollectorLink, grpc_target
from lymer.pipeline.collectors import Collectors
from lymer.pipeline.remote_sampling import RemoteSampling
from lymer.sampling.strategies import Probabilistic, RateLimiting, Strategy
from lymer.sampling.strategy_proto import encode_parameters, encode_strategy
from lymer.transport.grpc_link import GrpcLink

HALF, TWO = Strategy(Probabilistic(0.5)), Strategy(RateLimiting(2))


@asynccontextmanager
async def _asking(port: int, *, kept_seconds: float = 60) -> AsyncIterator[RemoteSampling]:
    def make_link(target: str, address: str, port: int) -> CollectorLink:
        link = GrpcLink(grpc_target(address, port), options=OPTIONS)
        return CollectorLink(target, f"{address}:{port}", link, protocol="otlp")

    collectors = Collectors([("a", "127.0.0.1", port)], make_link, resolve_seconds=60)
    await collectors.refresh()
    yield RemoteSampling(collectors, kept_seconds=kept_seconds)
    await collectors.close()


async def test_what_the_collector_says_is_said_and_kept() -> None:
    """Each service is asked about once; those who ask at once share the question."""
    async with FakeCollector().serving() as collector, _asking(collector.port) as sampling:
        collector.strategy = encode_strategy(HALF)

        found = await asyncio.gather(*(sampling.get_strategy("shop") for _ in range(20)))
        assert found == [HALF] * 20
        collector.strategy = encode_strategy(TWO)
        assert await sampling.get_strategy("shop") == HALF
        assert await sampling.get_strategy("stock") == TWO

        assert [encode_parameters("shop"), encode_parameters("stock")] == collector.asked


async def test_a_new_strategy_is_learnt_when_the_old_one_is_old() -> None:
    """Within ten seconds, that is."""
    async with (
        FakeCollector().serving() as collector,
        _asking(collector.port, kept_seconds=0) as sampling,
    ):
        collector.strategy = encode_strategy(HALF)
        assert await sampling.get_strategy("shop") == HALF
        collector.strategy = encode_strategy(TWO)
        assert await sampling.get_strategy("shop") == TWO


async def test_while_no_collector_answers_the_last_word_stands() -> None:
    """A service nobody asked about gets an error that says why, and its client keeps its own."""
    async with (
        FakeCollector().serving() as collector,
        _asking(collector.port, kept_seconds=0) as sampling,
    ):
        collector.strategy = encode_strategy(HALF)
        assert await sampling.get_strategy("shop") == HALF
        collector.strategy = None

        assert await sampling.get_strategy("shop") == HALF
        with pytest.raises(OverloadedError, match="no strategies by order"):
            await sampling.get_strategy("new")
        asked = len(collector.asked)
        with pytest.raises(OverloadedError):
            await sampling.get_strategy("new")
        assert asked == len(collector.asked), "asked again at once"

        await collector.stop()
        assert await sampling.get_strategy("shop") == HALF


async def test_nonsense_of_a_collector_is_an_error() -> None:
    """Not a strategy, and no crash."""
    async with FakeCollector().serving() as collector, _asking(collector.port) as sampling:
        collector.strategy = b"\xff"
        with pytest.raises(OverloadedError, match="cannot decode SamplingStrategyResponse"):
            await sampling.get_strategy("shop")


async def test_services_beyond_the_limit_are_forgotten() -> None:
    """Whoever makes names up does not fill memory."""
    async with FakeCollector().serving() as collector, _asking(collector.port) as sampling:
        collector.strategy = encode_strategy(HALF)
        await sampling.get_strategy("first")
        for number in range(0, remote_sampling.SERVICES_MAX, 50):
            names = [f"service {number + one}" for one in range(50)]
            await asyncio.gather(*map(sampling.get_strategy, names))
        asked = len(collector.asked)

        await sampling.get_strategy("first")

        assert len(collector.asked) == asked + 1
