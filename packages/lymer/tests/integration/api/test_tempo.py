"""Tempo's API as Grafana's data source calls it, and our own search, on the corpus."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlencode

import grpc
import pytest
from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from contract.storage.corpus import HOUR, MS, corpus_requests
from fakes.asgi_client import Client
from lymer.api.app import create_app, create_tempo_app
from lymer.api.query_grpc import QueryGrpc
from lymer.query.service import Queries
from lymer.storage.caller import listener, stoppable
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.storage.search_contract import (
    FoundSpanset,
    FoundSpansets,
    MatchedTrace,
    SpansetQuestion,
)
from lymer.tenancy import Tenancy
from lymer.wire.tempo_proto import SERVICE, TEMPO
from make import START, trace_hex, write_segment_file

SECOND = 1_000 * MS
RANGE = {"start": str((START - HOUR) // SECOND), "end": str((START + 2 * HOUR) // SECOND)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseStore]:
    """Yield a store with the corpus."""
    folder = tmp_path_factory.mktemp("tempo")
    engine = ChdbEngine(folder / "engine", memory_bytes_max=900 * 2**20)
    opened = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=900 * 2**20)
    opened.write_segment(write_segment_file(folder, *corpus_requests()))
    opened.write_segment(
        write_segment_file(
            folder, *corpus_requests()[:1], segment_id=1_795_365_822_000_000, tenant="acme"
        )
    )
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def tempo(store: ClickHouseStore) -> Iterator[Client]:
    """Yield a client of Tempo's port."""
    with ThreadPoolExecutor(2) as threads:
        yield Client(create_tempo_app(Queries(store), executor=threads))


@pytest.fixture(scope="module")
def own(store: ClickHouseStore) -> Iterator[Client]:
    """Yield a client of our own port."""
    with ThreadPoolExecutor(2) as threads:
        yield Client(create_app(Queries(store), executor=threads))


def ask(client: Client, path: str, **parameters: str) -> Any:
    """GET a path with the range of the corpus; return the JSON."""
    answer = client.get(f"{path}?{urlencode({**RANGE, **parameters})}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def found(client: Client, question: str, **parameters: str) -> list[int]:
    """Search; return the numbers of the traces."""
    answer = ask(client, "/api/search", q=question, **parameters)
    return [int(one["traceID"][-16:], 16) for one in answer["traces"]]


@pytest.mark.parametrize(
    ("question", "traces"),
    [
        ("{}", [4, 6, 5, 3, 2, 1]),
        ("", [4, 6, 5, 3, 2, 1]),
        ('{ resource.service.name = "shop" }', [4, 6, 2, 1]),
        ('{ .user = "bob" && kind = server }', [4, 2]),
        ("{ .http.status_code >= 500 }", [2]),
        ("{ duration > 90ms }", [1]),
        ('{ name =~ "GET.*" && .user != nil }', [4, 2, 1]),
        ('{ resource.service.name = "shop" } >> { name = "SELECT" }', [1]),
        ('{ name = "SELECT" } << { resource.zone = "a" }', [1]),
        ("{ status = error } | count() > 1", [2]),
        ('{ rootServiceName = "shop" && resource.service.name = "cart" }', [1]),
        ('{ event.exception.type = "CardError" }', [2]),
        ('{ event:name = "tick" && instrumentation:name = "sweeper" }', [3]),
        ('{ link.link.level = "link" }', [3]),
        ("{ nestedSetParent < 0 }", [4, 6, 5, 3, 2, 1]),
        ('{ .list = "a" }', [3]),
        ("{ .db.rows / 2 = 250 }", [1]),
        ("{ .db.ok }", [1]),
        ("{ traceDuration > 90ms }", [5, 1]),
        ('{ statusMessage = "card refused" }', [2]),
    ],
)
def test_a_question_finds_its_traces_newest_first(
    tempo: Client, question: str, traces: list[int]
) -> None:
    """Known by heart."""
    assert found(tempo, question) == traces


def test_a_search_has_tempos_shape(tempo: Client) -> None:
    """What Grafana's table of traces reads."""
    answer = ask(tempo, "/api/search", q='{ name = "charge" } | select(.user)', spss="10")
    (trace,) = answer["traces"]
    assert trace["traceID"] == trace_hex(2).lstrip("0")
    assert (trace["rootServiceName"], trace["rootTraceName"]) == ("shop", "GET /pay")
    assert trace["startTimeUnixNano"] == str(START + SECOND)
    assert trace["durationMs"] == 50
    assert trace["spanSets"] == [trace["spanSet"]]
    assert trace["serviceStats"] == {
        "pay": {"spanCount": 1, "errorCount": 1},
        "shop": {"spanCount": 1, "errorCount": 1},
    }
    (span,) = trace["spanSet"]["spans"]
    assert (span["spanID"], span["name"]) == (f"{22:016x}", "charge")
    assert span["durationNanos"] == str(30 * MS)
    assert answer["metrics"]["completedJobs"] == answer["metrics"]["totalJobs"] == 1


def test_what_is_mentioned_is_shown_with_its_type(tempo: Client) -> None:
    """Attributes of conditions and of select, and what sets were grouped by."""
    answer = ask(
        tempo,
        "/api/search",
        q="{ .http.status_code = 500 && kind = server } | by(.user) | count() > 0",
    )
    (spanset,) = answer["traces"][0]["spanSets"]
    assert {"key": "http.status_code", "value": {"intValue": "500"}} in spanset["spans"][0][
        "attributes"
    ]
    assert spanset["attributes"] == [
        {"key": "by(.user)", "value": {"stringValue": "bob"}},
        {"key": "count()", "value": {"intValue": "1"}},
    ]


def test_what_is_wrong_is_said_with_its_place(tempo: Client) -> None:
    """400, a line of text."""
    for question, words in (
        ("{ name = }", "line 1, column 10"),
        ('{ name =~ "[" }', "line 1, column 11: the regular expression is not valid: missing ]: ["),
        ('{ .nobody.has = "1" && .nobody =~ "(" }', "regular expression"),
        ("{ .a = parent.b }", "parent"),
    ):
        answer = tempo.get(f"/api/search?{urlencode({'q': question, **RANGE})}")
        assert (answer.status_code, words in answer.text) == (400, True), answer.text
    for version in ("", "/v2"):
        assert tempo.get(f"/api{version}/search/tags?scope=nobody").status_code == 400


def test_a_trace_comes_as_protobuf_and_as_json(tempo: Client) -> None:
    """v1 is the trace itself, v2 a message around it; short ids are filled up."""
    path = trace_hex(1).lstrip("0")
    v1 = tempo.get(f"/api/traces/{path}", Accept="application/protobuf")
    assert v1.headers["content-type"] == "application/protobuf"
    spans = [
        span.name
        for one in TracesData.FromString(v1.content).resource_spans
        for scope in one.scope_spans
        for span in scope.spans
    ]
    assert sorted(spans) == ["GET /cart", "SELECT", "get"]
    v2 = tempo.get(f"/api/v2/traces/{path}", Accept="application/protobuf")
    assert v2.content.endswith(v1.content)
    assert len(tempo.get(f"/api/traces/{path}").json()["batches"]) == 2
    assert len(tempo.get(f"/api/v2/traces/{path}").json()["trace"]["resourceSpans"]) == 2
    assert tempo.get("/api/traces/abc").status_code == 404
    assert tempo.get("/api/traces/xyz").status_code == 400


def test_tags_and_values_complete_a_question(tempo: Client) -> None:
    """Scope by scope, filtered by a question that may be unfinished."""
    scopes = {one["name"]: one["tags"] for one in ask(tempo, "/api/v2/search/tags")["scopes"]}
    assert {"http.status_code", "user", "db.rows"} <= set(scopes["span"])
    assert {"service.name", "zone"} <= set(scopes["resource"])
    assert "exception.type" in scopes["event"]
    assert "duration" in scopes["intrinsic"]
    only = ask(tempo, "/api/v2/search/tags", scope="resource")["scopes"]
    assert [one["name"] for one in only] == ["resource"]
    assert "user" in ask(tempo, "/api/search/tags")["tagNames"]

    def values(tag: str, version: str = "/v2", **parameters: str) -> list[Any]:
        path = f"/api{version}/search/tag/{quote(tag, safe='')}/values"
        return list(ask(tempo, path, **parameters)["tagValues"])

    assert {"type": "string", "value": "ann"} in values("span.user")
    assert {"type": "int", "value": "500"} in values(".http.status_code")
    assert {"type": "keyword", "value": "error"} in values("status")
    assert sorted(values("service.name", "")) == ["cart", "pay", "queue", "shop"]
    chosen = values("name", q='{ resource.service.name = "pay" && status = }')
    assert chosen == [{"type": "string", "value": "charge"}]
    assert {"type": "string", "value": "sweep"} in values("rootName")


def test_numbers_over_time_have_tempos_shape(tempo: Client) -> None:
    """A range has samples at the ends of its steps, an instant one value."""
    answer = ask(
        tempo, "/api/metrics/query_range", q="{} | count_over_time() by (resource.service.name)",
        step="3600",
    )  # fmt: skip
    series = {one["labels"][0]["value"]["stringValue"]: one for one in answer["series"]}
    assert sorted(series) == ["cart", "pay", "queue", "shop"]
    assert sum(float(one["value"]) for one in series["shop"]["samples"]) == 4
    assert series["shop"]["labels"][0]["key"] == "resource.service.name"
    assert series["shop"]["exemplars"][0]["labels"][0]["key"] == "trace:id"
    for question, value in (
        ("{ status = error } | count_over_time()", 3),
        ("{ kind = server } | max_over_time(duration)", 0.1),
        ("{ kind = server } | sum_over_time(.http.status_code)", 900),
        ('{ rootServiceName = "shop" } | count_over_time()', 7),
        ('{ resource.service.name = "shop" } >> { } | count_over_time()', 3),
        ("({ status = error } | count_over_time()) / ({} | count_over_time()) * 100", 30),
        ("{} | quantile_over_time(duration, 1)", 0.1),
    ):
        (one,) = ask(tempo, "/api/metrics/query", q=question)["series"]
        assert one["value"] == pytest.approx(value), question


def test_series_can_be_ranked_compared_and_cut_into_buckets(tempo: Client) -> None:
    """Second stages, histograms and compare()."""
    top = ask(tempo, "/api/metrics/query", q="{} | rate() by (name) | topk(1)")["series"]
    assert [one["labels"][0]["value"] for one in top] == [{"stringValue": "GET /cart"}]
    many = ask(tempo, "/api/metrics/query", q="{} | count_over_time() by (name) > 1")["series"]
    assert [one["value"] for one in many] == [3]
    buckets = ask(tempo, "/api/metrics/query", q="{} | histogram_over_time(duration)")["series"]
    assert sum(one["value"] for one in buckets) == 10
    answer = ask(tempo, "/api/metrics/query", q="{} | compare({ status = error }, 10)")["series"]
    shown = {
        (one["labels"][0]["value"]["stringValue"], one["labels"][1]["key"],
         one["labels"][1]["value"].get("stringValue")): one["value"]
        for one in answer
    }  # fmt: skip
    assert shown["selection", "resource.service.name", "pay"] == 1
    assert shown["baseline", "resource.service.name", "cart"] == 3
    assert shown["selection_total", "status", "nil"] == 3


STRICT = [
    ("/api/search", "SearchResponse", {"q": "{ status = error } | select(.user)"}),
    ("/api/v2/search/tags", "SearchTagsV2Response", {"limit": "5000"}),
    ("/api/search/tags", "SearchTagsResponse", {}),
    (
        "/api/v2/search/tag/span.user/values",
        "SearchTagValuesV2Response",
        {"limit": "5000", "q": '{resource.service.name="shop" && span.user=}'},
    ),
    ("/api/search/tag/user/values", "SearchTagValuesResponse", {}),
    ("/api/metrics/query", "QueryInstantResponse", {"q": "{} | rate() by (resource.service.name)"}),
    (
        "/api/metrics/query_range",
        "QueryRangeResponse",
        {"q": "{} | quantile_over_time(duration, .5) by (name)", "step": "3600s"},
    ),
]


@pytest.mark.parametrize(("path", "message", "parameters"), STRICT, ids=[p for p, *_ in STRICT])
def test_grafana_reads_every_key(
    tempo: Client, path: str, message: str, parameters: dict[str, str]
) -> None:
    """Its reader of messages in JSON refuses an answer for one key that it does not know."""
    answer = ask(tempo, path, **parameters)
    for one in answer.get("series", ()):
        if message == "QueryRangeResponse":
            del one["promLabels"]  # here it allows what it does not know, and once needed it
    for trace in answer.get("traces", ()):
        trace["serviceStats"] = [
            {"key": name, "value": counts} for name, counts in trace["serviceStats"].items()
        ]
    json_format.ParseDict(answer, TEMPO[message]())


def test_grafana_writes_names_of_tags_twice_encoded(tempo: Client) -> None:
    """And once, and as they are."""
    name = 'event."exception.type"'
    once = quote(name, safe="")
    for written in (name, once, quote(once, safe="")):
        values = ask(tempo, f"/api/v2/search/tag/{written}/values")["tagValues"]
        assert values == [{"type": "string", "value": "CardError"}], written


def test_what_is_wrong_is_no_json_and_no_trace_is_404_twice(tempo: Client) -> None:
    """Grafana shows the text of an answer that is not 200, and asks v1 where v2 knows nothing."""
    wrong = tempo.get(f"/api/metrics/query?{urlencode({'q': '{ } | rate(', **RANGE})}")
    assert (wrong.status_code, wrong.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert "line 1, column 12" in wrong.text
    for version in ("/v2", ""):
        target = f"/api{version}/traces/abc?{urlencode(RANGE)}"
        assert tempo.get(target, Accept="application/protobuf").status_code == 404


def test_grafana_can_see_who_answers(tempo: Client, own: Client) -> None:
    """Probes, on the port of its own and below /tempo."""
    assert tempo.get("/api/echo").text == "echo"
    assert tempo.get("/ready").status_code == 200
    assert tempo.get("/api/status/buildinfo").json()["version"].startswith("2.")
    assert own.get("/tempo/api/echo").text == "echo"
    assert own.get("/tempo/api/traces/abc").text == "trace not found"


def test_a_tenant_sees_its_own(store: ClickHouseStore) -> None:
    """`X-Scope-OrgID` names it."""
    with ThreadPoolExecutor(1) as threads:
        client = Client(create_tempo_app(Queries(store), executor=threads, tenancy=Tenancy()))
        target = f"/api/search?{urlencode({'q': '{}', **RANGE})}"
        assert client.get(target).status_code == 401
        mine = client.send("GET", target, headers={"X-Scope-OrgID": "acme"}).json()
    assert [one["traceID"] for one in mine["traces"]] == [trace_hex(1).lstrip("0")]


@pytest.mark.parametrize(
    "question",
    ["{ .db.rows > 1 }", '{ .a =~ "b" }', "{ .a != 1 } >> { .b }", "{ resource.a < 2 }"],
)  # fmt: skip
def test_a_tenant_nobody_heard_of_has_nothing(store: ClickHouseStore, question: str) -> None:
    """Whatever is asked: it may be one whose first span is under way."""
    target = f"/api/search?{urlencode({'q': question, **RANGE})}"
    counting = f"/api/metrics/query?{urlencode({'q': question + ' | rate()', **RANGE})}"
    with ThreadPoolExecutor(1) as threads:
        client = Client(create_tempo_app(Queries(store), executor=threads, tenancy=Tenancy()))
        found = client.send("GET", target, headers={"X-Scope-OrgID": "nobody"})
        series = client.send("GET", counting, headers={"X-Scope-OrgID": "nobody"})
    assert (found.status_code, found.json()["traces"]) == (200, [])
    assert (series.status_code, series.json()["series"]) == (200, [])


def test_our_own_search_goes_on_where_it_ended(own: Client) -> None:
    """Pages by cursor are the whole answer, in either order."""
    for order in ("newest", "slowest"):
        pages, cursor = [], ""
        for _ in range(10):
            page = ask(own, "/api/search", q="{}", limit="2", order=order, cursor=cursor)
            assert page["complete"]
            pages.append([one["traceID"] for one in page["traces"]])
            cursor = page["cursor"]
            if not cursor:
                break
        whole = ask(own, "/api/search", q="{}", limit="100", order=order)
        assert [len(page) for page in pages] == [2, 2, 2]
        assert [one for page in pages for one in page] == [
            one["traceID"] for one in whole["traces"]
        ]
    slowest = ask(own, "/api/search", q="{}", limit="1", order="slowest")["traces"]
    assert slowest[0]["traceID"] == trace_hex(1).lstrip("0")
    fields = ask(own, "/api/search/fields")["fields"]
    assert {"scope": "span", "name": "user", "type": "string", "count": 3} in fields
    values = ask(own, "/api/search/values", field="span.user")["values"]
    assert values[0] == {"type": "string", "value": "bob", "count": 2}
    assert ask(own, "/api/search/series", q="{} | rate()", step="1h")["complete"]


def test_streams_over_grpc_say_what_http_says(store: ClickHouseStore, tempo: Client) -> None:
    """`StreamingQuerier` on the query port's gRPC."""
    times = {name: int(text) for name, text in RANGE.items()}

    nanos = {name: second * SECOND for name, second in times.items()}
    search = ("SearchRequest", {"Limit": 5, "SpansPerSpanSet": 2, **times})
    ranged = {"step": 600 * SECOND, "exemplars": 3, **nanos}
    found = "{ status = error } | select(.user)"
    counted = "{ kind = server } | rate() by (resource.service.name)"
    both = "({} | count_over_time() by (name)) / ({} | count_over_time() by (name)) | topk(2)"
    calls: list[tuple[str, str, dict[str, Any], str, dict[str, str]]] = [
        ("Search", *_with(search, Query=found), "/api/search",
            {"q": found, "limit": "5", "spss": "2"}),
        ("Search", *_with(search, Tags={"user": "BO"}, MinDurationMs=1), "/api/search",
            {"tags": "user=BO", "minDuration": "1ms", "limit": "5", "spss": "2"}),
        ("SearchTags", "SearchTagsRequest", {"scope": "span", **times}, "/api/search/tags",
            {"scope": "span"}),
        ("SearchTagsV2", "SearchTagsRequest", {"maxTagsPerScope": 3, **times},
            "/api/v2/search/tags", {"limit": "3"}),
        ("SearchTagValues", "SearchTagValuesRequest", {"tagName": "user", **times},
            "/api/search/tag/user/values", {}),
        ("SearchTagValuesV2", "SearchTagValuesRequest",
            {"tagName": "span.user", "query": '{ name = "GET /pay" }', **times},
            "/api/v2/search/tag/span.user/values", {"q": '{ name = "GET /pay" }'}),
        *(("MetricsQueryRange", "QueryRangeRequest", {"query": one, **ranged},
            "/api/metrics/query_range", {"q": one, "step": "600", "exemplars": "3"})
            for one in (counted, both)),
        ("MetricsQueryInstant", "QueryInstantRequest", {"query": counted, **nanos},
            "/api/metrics/query", {"q": counted}),
    ]  # fmt: skip

    async def run() -> list[list[Any]]:
        with ThreadPoolExecutor(2) as threads:
            server = QueryGrpc(Queries(store), threads)
            port = server.bind("127.0.0.1:0")
            await server.start()
            try:
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                    return [
                        await _stream(channel, method, asked, fields)
                        for method, asked, fields, *_ in calls
                    ]
            finally:
                await server.stop(1)

    streams = asyncio.run(run())
    for (method, _, _, path, parameters), parts in zip(calls, streams, strict=True):
        plain = ask(tempo, path, **parameters)
        said = as_http_says(type(parts[0])(), plain)
        assert as_grafana_reads(method, parts) == said, method
        assert list(said) != []
    assert [len(parts) > 1 for parts in streams] == [
        method == "MetricsQueryRange" for method, *_ in calls
    ]


def as_grafana_reads(method: str, parts: list[Any]) -> dict[str, Any]:
    """Return what a stream says: traces in a row, numbers of a series by their time."""
    whole = type(parts[0])()
    series: dict[bytes, Any] = {}
    for part in parts:
        if method == "MetricsQueryRange":
            for one in part.series:
                labels = b"".join(label.SerializeToString() for label in one.labels)
                kept = series.setdefault(labels, type(one)(labels=one.labels))
                assert not {a.timestampMs for a in kept.samples} & {
                    a.timestampMs for a in one.samples
                }
                kept.MergeFrom(type(one)(samples=one.samples, exemplars=one.exemplars))
            del part.series[:]
        whole.MergeFrom(part)
    for one in series.values():
        one.samples.sort(key=lambda sample: sample.timestampMs)
    if series:
        whole.series.extend(series.values())
    return comparable(whole)


def as_http_says(message: Any, answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer over HTTP as a stream would say it."""
    for trace in answer.get("traces", ()):
        stats = trace["serviceStats"].items()
        trace["serviceStats"] = [{"key": name, "value": counts} for name, counts in stats]
    return comparable(json_format.ParseDict(answer, message, ignore_unknown_fields=True))


def comparable(message: Any) -> dict[str, Any]:
    """Return a message without what was looked at; series in any order."""
    shown: dict[str, Any] = json_format.MessageToDict(message)
    shown.pop("metrics", None)
    if "series" in shown:
        shown["series"].sort(key=lambda one: str(one["labels"]))
    return shown


def _with(asked: tuple[str, dict[str, Any]], **fields: Any) -> tuple[str, dict[str, Any]]:
    return asked[0], {**asked[1], **fields}


class _Endless:
    """A reader whose answer ends when nobody waits for it; it shows what it has before."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    def for_tenant(self, _tenant: str) -> Any:
        return self

    def find_spansets(self, _question: SpansetQuestion) -> FoundSpansets:
        show = listener()
        assert show is not None
        show(FoundSpansets((MatchedTrace("1" * 32, "", "", 1, 2, (), (FoundSpanset((), 1),), 1),)))
        waits = threading.Event()
        with stoppable(waits.set):
            waits.wait(60)
        self.ended.set()
        return FoundSpansets()


@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_a_stream_that_nobody_reads_stops_its_statement(how: str) -> None:
    """What is found comes before; whoever leaves, or waited long enough, ends what runs."""
    store = _Endless()

    async def run() -> tuple[int, bool]:
        with ThreadPoolExecutor(2) as threads:
            server = QueryGrpc(Queries(store), threads)
            port = server.bind("127.0.0.1:0")
            await server.start()
            try:
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                    search = channel.unary_stream(
                        f"/{SERVICE}/Search",
                        request_serializer=TEMPO["SearchRequest"].SerializeToString,
                        response_deserializer=TEMPO["SearchResponse"].FromString,
                    )
                    call = search(
                        TEMPO["SearchRequest"](Query="{}"), timeout=1 if how == "deadline" else 60
                    )
                    first: Any = await call.read()
                    if how == "cancel":
                        call.cancel()
                    ended = await asyncio.to_thread(store.ended.wait, 30)
                    return len(first.traces), ended
            finally:
                await server.stop(1)

    assert asyncio.run(run()) == (1, True)


def test_streams_say_what_is_wrong_and_know_tenants(store: ClickHouseStore) -> None:
    """The status carries the place; headers of the data source come as metadata."""

    async def run() -> tuple[grpc.StatusCode, str, list[int]]:
        with ThreadPoolExecutor(2) as threads:
            server = QueryGrpc(Queries(store), threads, tenancy=Tenancy())
            port = server.bind("127.0.0.1:0")
            await server.start()
            try:
                async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                    return await _asked_by_tenants(channel)
            finally:
                await server.stop(1)

    code, words, counts = asyncio.run(run())
    assert (code, counts) == (grpc.StatusCode.INVALID_ARGUMENT, [1, 0])
    assert "line 1, column 10" in words


async def _asked_by_tenants(channel: grpc.aio.Channel) -> tuple[grpc.StatusCode, str, list[int]]:
    times = {name: int(text) for name, text in RANGE.items()}
    search = channel.unary_stream(
        f"/{SERVICE}/Search",
        request_serializer=TEMPO["SearchRequest"].SerializeToString,
        response_deserializer=TEMPO["SearchResponse"].FromString,
    )
    counts = []
    for tenant in ("acme", "nobody"):
        question = TEMPO["SearchRequest"](Query="{}", **times)
        call = search(question, metadata=(("x-scope-orgid", tenant), ("user-agent", "Grafana")))
        counts.append(sum([len(part.traces) async for part in call]))
    wrong = search(
        TEMPO["SearchRequest"](Query="{ name = }"), metadata=(("x-scope-orgid", "acme"),)
    )
    try:
        async for _ in wrong:
            pass
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or "", counts
    raise AssertionError("nothing is wrong")


async def _stream(
    channel: grpc.aio.Channel, method: str, question: str, fields: dict[str, Any]
) -> list[Any]:
    answer = {"MetricsQueryRange": "QueryRange", "MetricsQueryInstant": "QueryInstant"}
    call = channel.unary_stream(
        f"/{SERVICE}/{method}",
        request_serializer=TEMPO[question].SerializeToString,
        response_deserializer=TEMPO[answer.get(method, method) + "Response"].FromString,
    )
    return [part async for part in call(TEMPO[question](**fields))]
