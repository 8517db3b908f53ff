"""Spans that were sampled count as many as they stand for, and the answer says so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import grpc
import pytest
from google.protobuf import json_format

from fakes.asgi_client import Client
from lymer.api.app import create_app, create_tempo_app
from lymer.api.query_grpc import QueryGrpc
from lymer.query.service import Queries
from lymer.storage.caller import ESTIMATE, ESTIMATED
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.wire.tempo_proto import SERVICE, TEMPO
from make import START, make_request, make_span, write_segment_file

SECOND = 10**9
QUARTER = "ot=th:c"
RANGE = {"start": str(START // SECOND - 60), "end": str(START // SECOND + 60)}
QUESTION = "{ } | count_over_time()"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseStore]:
    """Yield a store with spans of `shop`, of which a quarter was kept, and one of `whole`."""
    folder = tmp_path_factory.mktemp("estimates")
    engine = ChdbEngine(folder / "engine", memory_bytes_max=900 * 2**20)
    opened = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    sampled = [
        make_span(one, 1, kind=2, trace_state=QUARTER, duration_nano=one * 10**6, offset_nano=1)
        for one in range(1, 4)
    ]
    whole = make_request(make_span(9, 1, kind=2, offset_nano=1), service="whole")
    opened.write_segment(write_segment_file(folder, make_request(*sampled), whole))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def own(store: ClickHouseStore) -> Iterator[Client]:
    """Yield a client of our own port."""
    with ThreadPoolExecutor(2) as threads:
        yield Client(create_app(Queries(store), executor=threads))


@pytest.fixture(scope="module")
def tempo(store: ClickHouseStore) -> Iterator[Client]:
    """Yield a client of Tempo's port."""
    with ThreadPoolExecutor(2) as threads:
        yield Client(create_tempo_app(Queries(store), executor=threads))


def ask(client: Client, path: str, **parameters: str) -> Any:
    """GET a path with the range; return the answer."""
    answer = client.get(f"{path}?{urlencode({**RANGE, **parameters})}")
    assert answer.status_code == 200, answer.text
    return answer


def test_numbers_over_time_say_that_they_estimate(tempo: Client) -> None:
    """In a header, and in the field that Tempo's messages have for the reader."""
    for path, value in (("/api/metrics/query", None), ("/api/metrics/query_range", "120s")):
        answer = ask(tempo, path, q=QUESTION, **({"step": value} if value else {}))
        assert answer.headers[ESTIMATE] == answer.json()["message"] == ESTIMATED
        assert "status" not in answer.json()
        name = "QueryRangeResponse" if value else "QueryInstantResponse"
        said = {one: shown for one, shown in answer.json().items() if one != "series"}
        json_format.ParseDict(said, TEMPO[name]())
    (one,) = ask(tempo, "/api/metrics/query", q=QUESTION).json()["series"]
    assert one["value"] == 3 * 4 + 1


def test_what_was_not_sampled_is_no_estimate(own: Client, tempo: Client) -> None:
    """The same questions of a service whose spans all came."""
    text = '{ resource.service.name = "whole" }'
    answer = ask(tempo, "/api/metrics/query", q=f"{text} | count_over_time()")
    assert ESTIMATE not in answer.headers
    assert "message" not in answer.json()
    for path, question in (("series", f"{text} | rate()"), ("heatmap", text)):
        answer = ask(own, f"/api/search/{path}", q=question)
        assert ESTIMATE not in answer.headers
        assert answer.json()["estimated"] is False


def test_a_heatmap_counts_by_weight(own: Client) -> None:
    """Whole numbers, as everywhere."""
    answer = ask(own, "/api/search/heatmap", q="{ }", columns="1")
    assert sum(answer.json()["spans"]) == 3 * 4 + 1
    assert answer.json()["estimated"] is True
    assert answer.headers[ESTIMATE] == ESTIMATED


def test_a_stream_says_it_behind_its_answer(store: ClickHouseStore) -> None:
    """As gRPC's trailing metadata, and in the message."""

    async def run() -> tuple[Any, Any]:
        with ThreadPoolExecutor(2) as threads:
            server = QueryGrpc(Queries(store), threads)
            port = server.bind("127.0.0.1:0")
            await server.start()
            try:
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                    call = channel.unary_stream(
                        f"/{SERVICE}/MetricsQueryInstant",
                        request_serializer=lambda sent: sent.SerializeToString(),
                        response_deserializer=TEMPO["QueryInstantResponse"].FromString,
                    )(
                        TEMPO["QueryInstantRequest"](
                            query=QUESTION, **{k: int(v) * SECOND for k, v in RANGE.items()}
                        )
                    )
                    answers = [one async for one in call]
                    return answers[0], dict(await call.trailing_metadata() or ())
            finally:
                await server.stop(1)

    answer, trailers = asyncio.run(run())
    assert answer.message == trailers[ESTIMATE] == ESTIMATED
