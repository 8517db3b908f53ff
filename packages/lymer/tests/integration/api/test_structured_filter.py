"""RFC 0005's structured filter through v3, over HTTP and gRPC.

Source: jaeger-idl `api_v3/query_service.proto` (`filter`), Jaeger's
`internal/storage/v2/api/tracestore/admission.go` (what it may not be combined with).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import grpc
import pytest
from google.protobuf.json_format import ParseDict

from contract.storage.corpus import HOUR, corpus_requests
from fakes.asgi_client import Client
from lymer.api.app import create_app
from lymer.api.query_grpc import QueryGrpc
from lymer.query.service import Queries
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.wire.query_proto import EXPRESSION, SERVICE_V3, V3
from make import START, write_segment_file

RANGE = "query.startTimeMin=2026-11-22T16:00:00Z&query.startTimeMax=2026-11-22T18:43:40Z"


class Doors:
    """Asks the same of both."""

    def __init__(self, queries: Queries, threads: ThreadPoolExecutor) -> None:
        self._queries = queries
        self._threads = threads
        app = create_app(queries, executor=threads, now_unix_nano=lambda: START + 2 * HOUR)
        self.http = Client(app)

    def over_http(self, document: Any, more: str = "") -> list[str] | str:
        """Return the ids found, or the refusal."""
        asked = quote(json.dumps(document))
        answer = self.http.get(f"/api/v3/trace-summaries?{RANGE}&query.filter={asked}{more}")
        if answer.status_code == 400:
            return str(answer.json()["error"]["message"])
        return [one["traceId"] for one in answer.json()["summaries"]]

    def over_grpc(self, document: Any, **more: Any) -> list[str] | str:
        """Return the ids found, or the refusal."""
        call = ParseDict(document, EXPRESSION["Call"]())
        found = self.summaries_over_grpc("FindTraceSummaries", filter=call, **more)
        return found if isinstance(found, str) else found[0]

    def summaries_over_grpc(self, name: str, **asked: Any) -> tuple[list[str], str] | str:
        """Return the ids found and the token of the next page, or the refusal."""

        async def run() -> tuple[list[str], str] | str:
            server = QueryGrpc(self._queries, self._threads)
            port = server.bind("127.0.0.1:0")
            await server.start()
            query = {"start_time_min": {"seconds": START // 10**9 - 3600},
                     "start_time_max": {"seconds": START // 10**9 + 7200}, **asked}  # fmt: skip
            try:
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                    method = channel.unary_stream(
                        f"/{SERVICE_V3}/{name}",
                        request_serializer=V3["FindTraceSummariesRequest"].SerializeToString,
                        response_deserializer=V3["FindTraceSummariesResponse"].FromString,
                    )
                    request = V3["FindTraceSummariesRequest"](query=query)
                    parts = [part async for part in method(request)]
                    ids = [one.trace_id for part in parts for one in part.summaries]
                    return ids, parts[-1].next_page_token if parts else ""
            except grpc.aio.AioRpcError as error:
                refused = error.code() is grpc.StatusCode.INVALID_ARGUMENT
                return str(error.details()) if refused else f"fault: {error}"
            finally:
                await server.stop(1)

        return asyncio.run(run())


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """Yield both doors over the corpus."""
    folder = tmp_path_factory.mktemp("filter")
    engine = ChdbEngine(folder / "engine", memory_bytes_max=900 * 2**20)
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    store.write_segment(write_segment_file(folder, *corpus_requests()))
    with ThreadPoolExecutor(2) as threads:
        yield Doors(Queries(store), threads)
    store.close()


def call(op: str, *args: Any) -> dict[str, Any]:
    """Return a call; another call among its arguments stands in its own place."""
    return {"op": op, "args": [{"call": one} if "op" in one else one for one in args]}


def attr(key: str, level: str = "") -> dict[str, Any]:
    """Return a reference to an attribute."""
    return {"attr": {"key": key, "level": level} if level else {"key": key}}


def field(level: str, name: str) -> dict[str, Any]:
    """Return a reference to a field."""
    return {"field": {"name": name, "level": level}}


def scalar(value: str, kind: str = "") -> dict[str, Any]:
    """Return a constant."""
    return {"scalar": {"value": value, "type": kind} if kind else {"value": value}}


@pytest.mark.parametrize(
    ("document", "legacy"),
    [
        (call("eq", field("resource", "service"), scalar("cart")), "query.serviceName=cart"),
        (call("eq", field("span", "name"), scalar("get")), "query.operationName=get"),
        (call("eq", attr("user"), scalar("bob")), 'query.attributes={"user":"bob"}'),
        (
            call(
                "and",
                call("eq", field("resource", "service"), scalar("shop")),
                call("eq", attr("user"), scalar("bob")),
                call("gte", field("span", "duration"), scalar("1ms")),
            ),
            'query.serviceName=shop&query.attributes={"user":"bob"}&query.durationMin=1ms',
        ),
        (
            call("eq", field("span", "status"), scalar("error")),
            'query.attributes={"error":"true"}',
        ),
        (
            call("eq", field("span", "kind"), scalar("server")),
            'query.attributes={"span.kind":"server"}',
        ),
        (
            call("lt", field("span", "duration"), scalar("1h")),
            "query.durationMax=3599999999999ns",
        ),
    ],
)
def test_a_filter_finds_what_parameters_find(doors: Doors, document: Any, legacy: str) -> None:
    """Over HTTP and gRPC; a filter is a question like any other."""
    answer = doors.http.get(f"/api/v3/trace-summaries?{RANGE}&{legacy}").json()
    expected = [one["traceId"] for one in answer["summaries"]]

    assert expected
    assert expected == doors.over_http(document)
    assert expected == doors.over_grpc(document)


def test_what_exists_is_found(doors: Doors) -> None:
    """And nothing where two bounds exclude each other."""
    assert doors.over_http(call("exists", attr("user")))
    assert doors.over_http(call("exists", attr("nothing"))) == []
    long, short = (
        call("gt", field("span", "duration"), scalar("1h")),
        call("lt", field("span", "duration"), scalar("1s")),
    )
    assert doors.over_http(call("and", long, short)) == []


@pytest.mark.parametrize(
    "document",
    [
        call("ne", attr("user"), scalar("bob")),
        call("regex", field("span", "name"), scalar("^GET")),
        call("or", call("exists", attr("user")), call("eq", field("span", "name"), scalar("get"))),
        call("not", call("exists", attr("user"))),
        call("in", attr("user"), {"list": {"values": ["bob", "x"]}}),
        call("eq", field("scope", "name"), scalar("nothing")),
    ],
)
def test_every_operator_is_answered_alike(doors: Doors, document: Any) -> None:
    """Over HTTP and gRPC."""
    found = doors.over_http(document)

    assert isinstance(found, list)
    assert found == doors.over_grpc(document)
    assert bool(found) == ("nothing" not in str(document))


def test_a_filter_stands_alone(doors: Doors) -> None:
    """Jaeger's sentence."""
    document = call("exists", attr("a"))
    sentence = (
        "invalid query filter: it cannot be combined with [service_name attributes]; "
        "express those predicates in the filter instead"
    )
    more = '&query.serviceName=a&query.attributes={"k":"v"}'
    assert sentence == doors.over_http(document, more)
    assert sentence == doors.over_grpc(document, service_name="a", attributes={"k": "v"})


@pytest.mark.parametrize("text", ["{", "[]", "null", '{"op":"nothing","args":[]}', "5", '"a"'])
def test_what_is_no_filter_is_refused(doors: Doors, text: str) -> None:
    """With 400."""
    answer = doors.http.get(f"/api/v3/traces?{RANGE}&query.filter={quote(text)}")
    assert answer.status_code == 400


@pytest.mark.parametrize("size", [2, 4, 100])
@pytest.mark.parametrize("way", ["by parameters", "by filter"])
def test_pages_visit_each_match_once(doors: Doors, size: int, way: str) -> None:
    """Over both doors, and with a filter or Jaeger's parameters."""
    is_filtered = way == "by filter"
    document = call("gte", field("span", "duration"), scalar("1ms"))
    filter_ = f"&query.filter={quote(json.dumps(document))}" if is_filtered else ""
    asked = {"filter": ParseDict(document, EXPRESSION["Call"]())} if is_filtered else {}
    path = f"/api/v3/trace-summaries?{RANGE}{filter_}"
    whole = [one["traceId"] for one in doors.http.get(path).json()["summaries"]]
    assert len(whole) > 4
    found: list[str] = []
    token = grpc_token = ""
    while True:
        page = f"&query.pagination.pageSize={size}&query.pagination.pageToken={token}"
        answer = doors.http.get(f"{path}{page}").json()
        shown = [one["traceId"] for one in answer["summaries"]]
        wanted = {"page_size": size, "page_token": grpc_token}
        over_grpc = doors.summaries_over_grpc("FindTraceSummaries", pagination=wanted, **asked)
        assert not isinstance(over_grpc, str)
        assert over_grpc[0] == shown
        token, grpc_token = answer.get("nextPageToken", ""), over_grpc[1]
        assert bool(token) == bool(grpc_token)
        found += shown
        if not token:
            break
    assert found == whole


@pytest.mark.parametrize(
    ("name", "query", "refusal"),
    [
        ("FindTraceSummaries", {"page_size": 0}, "page_size must be greater than 0"),
        ("FindTraceSummaries", {"page_size": 1, "page_token": "AAAA"}, "no token of this search"),
        ("FindTraces", {"page_size": 1}, "whole traces have no pages"),
    ],
)
def test_pages_are_refused(doors: Doors, name: str, query: dict[str, Any], refusal: str) -> None:
    """As Jaeger's query service means to: no size, a token of nobody, whole traces."""
    assert refusal in doors.summaries_over_grpc(name, pagination=query)
    path = {"FindTraces": "traces", "FindTraceSummaries": "trace-summaries"}[name]
    named = {"page_size": "pageSize", "page_token": "pageToken"}
    page = "".join(f"&query.pagination.{named[key]}={value}" for key, value in query.items())
    answer = doors.http.get(f"/api/v3/{path}?{RANGE}{page}")
    assert answer.status_code == 400
    assert refusal in answer.json()["error"]["message"]


def test_a_page_and_a_depth_exclude_each_other(doors: Doors) -> None:
    """Both say how many."""
    refusal = "cannot be combined with search_depth"
    page = {"page_size": 1}
    asked = doors.summaries_over_grpc("FindTraceSummaries", pagination=page, search_depth=5)
    assert refusal in asked
    answer = doors.http.get(
        f"/api/v3/trace-summaries?{RANGE}&query.pagination.pageSize=1&query.searchDepth=5"
    )
    assert refusal in answer.json()["error"]["message"]
