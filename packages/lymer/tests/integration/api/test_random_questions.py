"""Random questions through every door: the same traces, which are those of brute force."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fakes.random_questions import (
    DOORS,
    Doors,
    brute_force,
    plain_spans,
    random_question,
    random_spans,
)
from lymer.api.app import create_app
from lymer.api.query_grpc import QueryGrpc
from lymer.model.question import TraceQuestion
from lymer.query.service import Queries
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from make import START, write_segment_file

ALL_DOORS = int(os.environ.get("LYMER_TEST_ALL_DOORS", "40"))
"""Questions to all five doors; 2,000 take minutes."""
QUESTIONS = 5 * ALL_DOORS
"""To one door each."""
TRACES = 200


@pytest.fixture(scope="module")
def spans() -> ExportTraceServiceRequest:
    """Return the spans asked about."""
    return random_spans(random.Random(10), TRACES)


@pytest.fixture(scope="module")
def queries(
    spans: ExportTraceServiceRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Queries]:
    """Yield who answers, over the store as it is in the product."""
    folder = tmp_path_factory.mktemp("random")
    engine = ChdbEngine(folder / "engine", memory_bytes_max=900 * 2**20)
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    store.write_segment(write_segment_file(folder, spans))
    yield Queries(store)
    store.close()


async def answers(
    queries: Queries, questions: list[tuple[TraceQuestion, tuple[str, ...]]]
) -> list[dict[str, list[str]]]:
    """Return what each door says to each question that it is asked."""
    with ThreadPoolExecutor(4) as threads:
        app = create_app(queries, executor=threads, now_unix_nano=lambda: START + 3600 * 10**9)
        server = QueryGrpc(queries, threads)
        port = server.bind("127.0.0.1:0")
        await server.start()
        transport = httpx.ASGITransport(app)
        try:
            async with (
                httpx.AsyncClient(transport=transport, base_url="http://lymer") as http,
                grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
            ):
                doors = Doors(http, channel)
                places = asyncio.Semaphore(4)

                async def ask(question: TraceQuestion, names: tuple[str, ...]) -> dict[str, Any]:
                    async with places:
                        return {name: await getattr(doors, name)(question) for name in names}

                return await asyncio.gather(*(ask(*one) for one in questions))
        finally:
            await server.stop(1)


def check(
    spans: ExportTraceServiceRequest,
    queries: Queries,
    questions: list[tuple[TraceQuestion, tuple[str, ...]]],
) -> int:
    """Compare every answer with brute force; return how many questions found something."""
    plain = plain_spans(spans)
    found = asyncio.run(answers(queries, questions))
    some = 0
    for (question, _), by_door in zip(questions, found, strict=True):
        expected = brute_force(plain, question)
        some += bool(expected)
        assert dict.fromkeys(by_door, expected) == by_door, question
    return some


def test_every_door_answers_alike(spans: ExportTraceServiceRequest, queries: Queries) -> None:
    """Each question by all five."""
    rng = random.Random(11)
    plain = plain_spans(spans)
    questions = [(random_question(rng, plain), DOORS) for _ in range(ALL_DOORS)]

    assert check(spans, queries, questions) > ALL_DOORS // 4


def test_hundreds_of_questions(spans: ExportTraceServiceRequest, queries: Queries) -> None:
    """Each by one door in turn, so that it takes seconds and not minutes."""
    rng = random.Random(12)
    plain = plain_spans(spans)
    questions = [
        (random_question(rng, plain), (DOORS[number % len(DOORS)],)) for number in range(QUESTIONS)
    ]

    assert check(spans, queries, questions) > len(questions) // 4
