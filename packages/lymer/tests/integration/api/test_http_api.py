"""The query API as a client sees it: bytes, statuses, headers."""

# ruff: noqa: E501 - a row of a table of sentences is one line
from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from contract.storage.corpus import HOUR, MS, corpus_requests
from fakes.asgi_client import Client
from fakes.memory_store import MemoryStore
from lymer.api.app import create_app
from lymer.errors import StorageError, TooLargeError
from lymer.model.columns import SpanColumns
from lymer.model.question import TraceQuestion
from lymer.query.service import Queries, QueryService
from lymer.tenancy import DEFAULT_TENANT
from make import (
    START,
    make_event,
    make_link,
    make_request,
    make_span,
    trace_hex,
    write_segment_file,
)

NOW = START + 2 * HOUR
T1 = "000000000000abcd0000000000000001"
T2 = "000000000000abcd0000000000000002"
T5 = "000000000000abcd0000000000000005"
RANGE = "query.startTimeMin=2026-11-22T16:43:40Z&query.startTimeMax=2026-11-22T18:43:40Z"


@pytest.fixture(scope="module")
def executor() -> Iterator[ThreadPoolExecutor]:
    """Yield two threads."""
    with ThreadPoolExecutor(2) as threads:
        yield threads


@pytest.fixture(scope="module")
def client(executor: ThreadPoolExecutor, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """Return a client of an API over the corpus."""
    store = MemoryStore()
    store.write_segment(write_segment_file(tmp_path_factory.mktemp("api"), *corpus_requests()))
    return client_of(store, executor)


def service_of(store: MemoryStore, **options: Any) -> QueryService:
    """Return the service of the default tenant."""
    return Queries(store, **options).for_tenant(DEFAULT_TENANT)


def client_of(store: MemoryStore, executor: ThreadPoolExecutor, **options: Any) -> Client:
    """Return a client of an API over `store`."""
    return Client(
        create_app(Queries(store), executor=executor, now_unix_nano=lambda: NOW, **options)
    )


def assert_error(response: httpx.Response, status: int, message: str) -> None:
    """Check an error of the legacy API byte by byte."""
    body = (
        f'{{"data":null,"total":0,"limit":0,"offset":0,'
        f'"errors":[{{"code":{status},"msg":{json.dumps(message)}}}]}}\n'
    )
    assert (status, body) == (response.status_code, response.text)
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"


class TestNames:
    """Services and operations."""

    @pytest.mark.parametrize(
        ("path", "body"),
        [
            (
                "/api/services",
                '{"data":["cart","pay","queue","shop"],"total":4,"limit":0,"offset":0,"errors":null}',
            ),
            (
                "/api/operations?service=cart",
                '{"data":[{"name":"SELECT","spanKind":"client"},{"name":"get","spanKind":"server"},{"name":"sweep","spanKind":"internal"}],"total":3,"limit":0,"offset":0,"errors":null}',
            ),
            (
                "/api/operations?service=cart&spanKind=server",
                '{"data":[{"name":"get","spanKind":"server"}],"total":1,"limit":0,"offset":0,"errors":null}',
            ),
            (
                "/api/operations?service=cart&spanKind=nonsense",
                '{"data":[],"total":0,"limit":0,"offset":0,"errors":null}',
            ),
            (
                "/api/services/shop/operations",
                '{"data":["GET /cart","GET /pay"],"total":2,"limit":0,"offset":0,"errors":null}',
            ),
            (
                "/api/services/a%2Fb/operations",
                '{"data":null,"total":0,"limit":0,"offset":0,"errors":null}',
            ),
            (
                "/api/operations?service=cart&spanKind=unspecified",
                '{"data":[],"total":0,"limit":0,"offset":0,"errors":null}',
            ),
            (
                "/api/operations?service=nobody",
                '{"data":[],"total":0,"limit":0,"offset":0,"errors":null}',
            ),
            (
                "/api/traces?service=cart&start=2&end=1",
                '{"data":[],"total":0,"limit":0,"offset":0,"errors":null}',
            ),
        ],
    )  # fmt: skip
    def test_bytes(self, client: Client, path: str, body: str) -> None:
        """The envelope, with totals."""
        response = client.get(path)

        assert (200, body) == (response.status_code, response.text)
        assert response.headers["content-type"] == "application/json"

    @pytest.mark.parametrize("path", ["a%2Fb%20c", "a%2Fb+c", "a/b%20c"])
    def test_a_service_in_the_path_may_hold_slashes_and_spaces(
        self, executor: ThreadPoolExecutor, tmp_path: Path, path: str
    ) -> None:
        """As Jaeger's UI and Grafana encode it."""
        store = MemoryStore()
        request = make_request(make_span(name="found"), service="a/b c")
        store.write_segment(write_segment_file(tmp_path, request))

        response = client_of(store, executor).get(f"/api/services/{path}/operations")

        assert response.json()["data"] == ["found"]

    def test_operations_need_a_service(self, client: Client) -> None:
        """Jaeger's sentence."""
        assert_error(client.get("/api/operations"), 400, "parameter 'service' is required")

    def test_pretty_print_indents_by_four(self, client: Client) -> None:
        """As Go's MarshalIndent."""
        assert client.get("/api/services?prettyPrint=true").text.startswith(
            '{\n    "data": [\n        "cart",'
        )
        assert client.get("/api/services?prettyPrint=false").text.startswith('{"data"')


class TestTraces:
    """Traces by id and by question."""

    def test_a_trace_byte_by_byte(self, client: Client) -> None:
        """Everything of trace 2: error status, event, two processes."""
        expected = (
            '{"data":[{"traceID":"000000000000abcd0000000000000002","spans":['
            '{"traceID":"000000000000abcd0000000000000002","spanID":"0000000000000015",'
            '"operationName":"GET /pay","references":[],"startTime":1795365821000000,'
            '"duration":50000,"tags":[{"key":"http.status_code","type":"int64","value":500},'
            '{"key":"user","type":"string","value":"bob"},'
            '{"key":"span.kind","type":"string","value":"server"},'
            '{"key":"otel.status_code","type":"string","value":"ERROR"},'
            '{"key":"error","type":"bool","value":true},'
            '{"key":"otel.status_description","type":"string","value":"card refused"}],'
            '"logs":[],"processID":"p1","warnings":null},'
            '{"traceID":"000000000000abcd0000000000000002","spanID":"0000000000000016",'
            '"operationName":"charge","references":[{"refType":"CHILD_OF",'
            '"traceID":"000000000000abcd0000000000000002","spanID":"0000000000000015"}],'
            '"startTime":1795365821010000,"duration":30000,'
            '"tags":[{"key":"span.kind","type":"string","value":"client"},'
            '{"key":"otel.status_code","type":"string","value":"ERROR"},'
            '{"key":"error","type":"bool","value":true}],'
            '"logs":[{"timestamp":1795365821015000,"fields":['
            '{"key":"event","type":"string","value":"exception"},'
            '{"key":"exception.type","type":"string","value":"CardError"}]}],'
            '"processID":"p2","warnings":null}],'
            '"processes":{"p1":{"serviceName":"shop","tags":['
            '{"key":"zone","type":"string","value":"a"}]},'
            '"p2":{"serviceName":"pay","tags":[]}},"warnings":null}],'
            '"total":0,"limit":0,"offset":0,"errors":null}'
        )

        response = client.get(f"/api/traces/{T2}")

        assert expected == response.text
        assert response.headers["content-type"] == "application/json"

    @pytest.mark.parametrize(
        "trace_id",
        [
            "abcd0000000000000002",
            T2.upper(),
            "AAAAAAAAq80AAAAAAAAAAg%3D%3D",
            "AAAAAAAAq80AAAAAAAAAAg",
        ],
    )
    def test_ids_in_other_forms(self, client: Client, trace_id: str) -> None:
        """Leading zeros left out, capitals, base64 padded or not."""
        assert client.get(f"/api/traces/{trace_id}").json()["data"][0]["traceID"] == T2

    def test_an_unknown_trace_is_404(self, client: Client) -> None:
        """Jaeger's sentence."""
        assert_error(client.get("/api/traces/123"), 404, "trace not found")

    @pytest.mark.parametrize(
        ("target", "message"),
        [
            ("/api/traces/xyz", 'strconv.ParseUint: parsing "xyz": invalid syntax'),
            (f"/api/traces/{'f' * 40}", f"TraceID cannot be longer than 32 hex characters: {'f' * 40}"),
            (f"/api/traces/{T2}?raw=x", "unable to parse param 'raw': strconv.ParseBool: parsing \"x\": invalid syntax"),
            (f"/api/traces/{T2}?start=x", "unable to parse param 'start': strconv.ParseInt: parsing \"x\": invalid syntax"),
            ("/api/traces", "parameter 'service' is required"),
            ("/api/traces?service=a&limit=0", "invalid parameter: limit must be greater than 0"),
            ("/api/traces?service=a&limit=100001", "cannot find traces: limit is 100001, allowed is 1 to 100000"),
            ("/api/traces?service=a&tag=x", "malformed 'tag' parameter, expecting key:value, received: x"),
            ("/api/dependencies?endTs=x", "unable to parse param 'endTs': strconv.ParseInt: parsing \"x\": invalid syntax"),
        ],
    )  # fmt: skip
    def test_bad_questions_are_400(self, client: Client, target: str, message: str) -> None:
        """In the envelope, as text."""
        assert_error(client.get(target), 400, message)

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("service=shop", [4, 6, 2, 1]),
            ("service=shop&limit=1", [4]),
            ("service=shop&operation=GET+%2Fpay", [2]),
            ('service=shop&tags={"http.status_code":"200"}', [4, 1]),
            ("service=shop&tag=user:bob&tag=error:true", [2]),
            ("service=shop&minDuration=50ms&maxDuration=100ms", [2, 1]),
            (f"service=shop&start={(START + HOUR) // 1000}&end={NOW // 1000}", [4]),
            ("service=nobody", []),
        ],
    )
    def test_search(self, client: Client, query: str, expected: list[int]) -> None:
        """Newest first, whole traces."""
        answer = client.get(f"/api/traces?{query}").json()

        assert expected == [int(trace["traceID"][16:], 16) for trace in answer["data"]]
        assert answer["errors"] is None

    def test_a_found_trace_is_whole(self, client: Client) -> None:
        """Not only the span that matched."""
        (trace,) = client.get("/api/traces?service=cart&tag=db.ok:true").json()["data"]

        assert len(trace["spans"]) == 3

    def test_several_traces_by_id_tell_which_is_missing(self, client: Client) -> None:
        """Found ones in the order asked for; the short form of a 64-bit id."""
        answer = client.get(f"/api/traces?traceID={T2}&traceID=7b&traceID={T1}").json()

        assert [trace["traceID"] for trace in answer["data"]] == [T2, T1]
        assert answer["errors"] == [{"msg": "trace not found", "traceID": "000000000000007b"}]

    def test_raw_leaves_warnings_of_adjusters_out(self, client: Client) -> None:
        """Trace 5 has a span whose parent was not sent."""
        adjusted = client.get(f"/api/traces/{T5}").json()["data"][0]["spans"]
        raw = client.get(f"/api/traces/{T5}?raw=true").json()["data"][0]["spans"]

        assert adjusted[1]["warnings"] == [
            "parent span ID=000000000000003b is not in the trace; skipping clock skew adjustment"
        ]
        assert raw[1]["warnings"] is None

    def test_dependencies(self, client: Client) -> None:
        """Milliseconds; a service filters both ends; total is 0."""
        answer = client.get("/api/dependencies").json()
        pay = client.get("/api/dependencies?service=pay").json()
        before = client.get(
            f"/api/dependencies?endTs={START // 10**6 - 60_000}&lookback=1000"
        ).json()

        assert len(answer["data"]) == 3
        assert answer["total"] == 0
        assert pay["data"] == [{"parent": "shop", "child": "pay", "callCount": 1}]
        assert before["data"] == []


class TestV3:
    """The v3 API."""

    def test_services_and_operations(self, client: Client) -> None:
        """No envelope."""
        assert client.get("/api/v3/services").text == '{"services":["cart","pay","queue","shop"]}'
        expected = '{"operations":[{"name":"get","spanKind":"server"}]}'
        assert expected == client.get("/api/v3/operations?service=cart&spanKind=server").text
        assert expected == client.get("/api/v3/operations?service=cart&span_kind=server").text

    def test_summaries_byte_by_byte(self, client: Client) -> None:
        """Zero fields are left out, 64-bit numbers are strings."""
        expected = (
            '{"summaries":[{"traceId":"000000000000abcd0000000000000002",'
            '"rootServiceName":"shop","rootOperationName":"GET /pay",'
            '"minStartTimeUnixNano":"1795365821000000000",'
            '"maxEndTimeUnixNano":"1795365821050000000","spanCount":2,"errorSpanCount":2,'
            '"services":[{"name":"pay","spanCount":1,"errorSpanCount":1},'
            '{"name":"shop","spanCount":1,"errorSpanCount":1}]}]}'
        )

        response = client.get(f"/api/v3/trace-summaries?{RANGE}&query.serviceName=pay")

        assert expected == response.text

    def test_summaries_without_service(self, client: Client) -> None:
        """Time alone is enough; newest first."""
        answer = client.get(f"/api/v3/trace-summaries?{RANGE}&query.searchDepth=3").json()

        assert [int(one["traceId"][16:], 16) for one in answer["summaries"]] == [4, 6, 5]
        assert answer["summaries"][2]["orphanSpanCount"] == 1

    def test_a_trace_as_otlp(self, client: Client) -> None:
        """Hex ids and attribute types as sent."""
        answer = client.get(f"/api/v3/traces/{T2}").json()

        spans = [
            span
            for resource_spans in answer["result"]["resourceSpans"]
            for scope_spans in resource_spans["scopeSpans"]
            for span in scope_spans["spans"]
        ]
        assert [span["traceId"] for span in spans] == [T2, T2]
        assert {"key": "http.status_code", "value": {"intValue": "500"}} in spans[0]["attributes"]

    def test_found_traces_as_otlp(self, client: Client) -> None:
        """All traces in one document."""
        answer = client.get(f"/api/v3/traces?{RANGE}&query.service_name=cart").json()

        assert len(answer["result"]["resourceSpans"]) == 3

    @pytest.mark.parametrize(
        ("target", "status", "message"),
        [
            ("/api/v3/trace-summaries", 400, "query.startTimeMin and query.startTimeMax are required"),
            (f"/api/v3/traces?{RANGE}&query.serviceName=nobody", 404, "No traces found"),
            ("/api/v3/traces/123", 404, "trace not found"),
            ("/api/v3/traces/xyz", 400, 'malformed parameter trace_id: strconv.ParseUint: parsing "xyz": invalid syntax'),
            (f"/api/v3/traces/{T1}?rawTraces=x", 400, 'malformed parameter rawTraces: strconv.ParseBool: parsing "x": invalid syntax'),
        ],
    )  # fmt: skip
    def test_errors(self, client: Client, target: str, status: int, message: str) -> None:
        """grpc-gateway's shape, as text."""
        response = client.get(target)

        assert status == response.status_code
        assert {"error": {"httpCode": status, "message": message}} == response.json()
        assert response.headers["content-type"] == "text/plain; charset=utf-8"


class TestOneSpan:
    """One span of a trace, for its details."""

    def test_one_span_has_its_process(self, client: Client) -> None:
        """The envelope of a trace with one span."""
        answer = client.get(f"/api/lymer/v1/traces/{T1}/spans/000000000000000d").json()

        (trace,) = answer["data"]
        assert [span["operationName"] for span in trace["spans"]] == ["SELECT"]
        assert list(trace["processes"]) == ["p1"]
        assert trace["processes"]["p1"]["serviceName"] == "cart"

    def test_unknown_traces_and_spans_are_404(self, client: Client) -> None:
        """What is missing is told."""
        trace = "/api/lymer/v1/traces"
        assert_error(client.get(f"{trace}/123/columns"), 404, "trace not found")
        assert_error(client.get(f"{trace}/{T1}/spans/123"), 404, "span not found")
        assert_error(
            client.get(f"{trace}/{T1}/spans/xyz"),
            400,
            "cannot read span: 'xyz' is not 1 to 16 hex digits",
        )

    def test_a_span_whose_id_an_adjuster_gave_is_found(
        self, executor: ThreadPoolExecutor, tmp_path: Path
    ) -> None:
        """A server that shares its client's id has an id of its own."""
        store = MemoryStore()
        spans = [make_span(1, 9, kind=3, name="call"), make_span(1, 9, kind=2, name="serve")]
        store.write_segment(write_segment_file(tmp_path, make_request(*spans)))
        client = client_of(store, executor)

        names = [
            client.get(f"/api/lymer/v1/traces/{T1}/spans/{span}").json()["data"][0]["spans"][0][
                "operationName"
            ]
            for span in [
                one["spanID"] for one in client.get(f"/api/traces/{T1}").json()["data"][0]["spans"]
            ]
        ]

        assert names == ["call", "serve"]


class TestTransform:
    """OTLP JSON in, traces for the UI out."""

    def test_spans_come_back_as_traces(self, client: Client) -> None:
        """Two traces, in order of appearance; nothing is stored."""
        body = json.dumps(
            {
                "resourceSpans": [
                    {
                        "resource": {
                            "attributes": [{"key": "service.name", "value": {"stringValue": "x"}}]
                        },
                        "scopeSpans": [
                            {
                                "spans": [
                                    {"traceId": trace * 32, "spanId": "1" * 16, "name": "n",
                                     "startTimeUnixNano": "1000", "endTimeUnixNano": "3000"}
                                    for trace in "bab"
                                ]
                            }
                        ],
                    }
                ]
            }
        )  # fmt: skip

        response = client.send("POST", "/api/transform", body=body.encode())

        assert response.status_code == 200
        shown = [(one["traceID"][0], len(one["spans"])) for one in response.json()["data"]]
        assert shown == [("b", 2), ("a", 1)]
        assert "x" not in client.get("/api/services").json()["data"]

    def test_bad_json_is_400(self, client: Client) -> None:
        """In the envelope."""
        response = client.send("POST", "/api/transform", body=b"{")

        assert response.status_code == 400
        assert response.json()["errors"][0]["code"] == 400


class TestEdges:
    """Paths, methods, compression, limits, failures."""

    @pytest.mark.parametrize(
        "path",
        [
            *("/api/nothing", "/api/", "/api/v3/nothing", "/api/traces/a/b", "/api/traces/"),
            *("/api/v3/traces/a/b", "/api/v3/traces/", "/api/metrics/nothing", "/api/traces/a/"),
        ],
    )
    def test_unknown_paths_are_404_as_text(self, client: Client, path: str) -> None:
        """What Go's router answers."""
        response = client.get(path)

        assert (response.status_code, response.text) == (404, "404 page not found\n")
        assert response.headers["content-type"] == "text/plain; charset=utf-8"

    def test_an_id_in_base64_may_hold_a_slash(self, client: Client) -> None:
        """Sent as `%2F`, it is one segment of the path."""
        assert client.get("/api/traces/%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F8=").status_code == 404
        answer = client.get("/api/traces/%2F%2F%2F%2F%2F%2F%2F%2F%2F%2F8=")
        assert "trace not found" in answer.text

    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/api/services"),
            ("GET", "/api/transform"),
            ("GET", f"/api/archive/{T1}"),
            ("PUT", "/api/v3/traces"),
            ("DELETE", f"/api/traces/{T1}"),
            ("POST", "/api/nothing"),
        ],
    )
    def test_another_method_is_404(self, client: Client, method: str, path: str) -> None:
        """As 2.20, whose router knows no such path."""
        answer = client.send(method, path)

        assert (404, "404 page not found\n") == (answer.status_code, answer.text)

    def test_archiving_answers_as_jaeger(
        self, executor: ThreadPoolExecutor, tmp_path: Path
    ) -> None:
        """200 with nothing in it, every time; 404 for what is not there, 400 for what is no id."""
        store = MemoryStore()
        store.write_segment(write_segment_file(tmp_path, make_request(make_span(1, 1))))
        client = client_of(store, executor)
        for _ in range(2):
            response = client.send("POST", f"/api/archive/{trace_hex(1)}")
            body = '{"data":[],"total":0,"limit":0,"offset":0,"errors":[]}'
            assert (200, body) == (response.status_code, response.text)
        before = client.get(f"/api/traces/{trace_hex(1)}").json()
        store.for_tenant(DEFAULT_TENANT).drop_spans()  # type: ignore[attr-defined]

        assert before == client.get(f"/api/traces/{trace_hex(1)}").json()
        assert before["data"] == client.get(f"/api/traces?traceID={trace_hex(1)}").json()["data"]
        assert_error(client.send("POST", f"/api/archive/{T5}"), 404, "trace not found")
        assert client.send("POST", "/api/archive/nonsense").status_code == 400

    def test_large_answers_are_compressed_for_clients_that_take_gzip(self, client: Client) -> None:
        """Small ones are not, and neither are those for other clients."""
        path = f"/api/traces/{T1}"
        plain = client.get(path, **{"accept-encoding": "identity"})
        zipped = client.get(path, **{"accept-encoding": "br, gzip"})
        refused = client.get(path, **{"accept-encoding": "gzip;q=0"})
        small = client.get("/api/services", **{"accept-encoding": "gzip"})

        assert zipped.headers["content-encoding"] == "gzip"
        assert int(zipped.headers["content-length"]) < int(plain.headers["content-length"])
        assert plain.json() == zipped.json()
        for response in (plain, refused, small):
            assert "content-encoding" not in response.headers
        assert gzip.compress(b"") != plain.content

    def test_a_base_path_stands_before_everything(
        self, client: Client, executor: ThreadPoolExecutor
    ) -> None:
        """Extra routes come after the API."""

        async def page(_request: object) -> PlainTextResponse:
            return PlainTextResponse("page")

        app = client_of(
            MemoryStore(), executor, base_path="/x/", extra_routes=[Route("/{rest:path}", page)]
        )

        assert app.get("/x/search").text == "page"
        assert app.get("/x/api/services").status_code == 200
        assert app.get("/x/api/nothing").text == "404 page not found\n"
        assert app.get("/api/services").status_code == 404

    def test_a_failing_store_is_500_in_the_envelope(self, executor: ThreadPoolExecutor) -> None:
        """The sentence of the error, never a stack trace."""
        client = client_of(FailingStore(StorageError("cannot read: the disk is gone")), executor)

        assert_error(client.get("/api/services"), 500, "cannot read: the disk is gone")
        v3 = client.get("/api/v3/services")
        assert v3.json() == {"error": {"httpCode": 500, "message": "cannot read: the disk is gone"}}

    def test_a_bug_is_500_without_its_details(self, executor: ThreadPoolExecutor) -> None:
        """What nobody expected stays in the log."""
        client = client_of(FailingStore(ZeroDivisionError("secret")), executor)

        assert_error(client.get("/api/services"), 500, "internal error: the log has the details")

    def test_a_slow_store_is_503(self, executor: ThreadPoolExecutor) -> None:
        """With a hint when to come back."""
        store = SlowStore()
        client = client_of(store, executor, answer_seconds_max=0.05)

        response = client.get("/api/dependencies")
        store.go.set()

        assert_error(response, 503, "cannot answer: the store took more than 0.05 s")
        assert response.headers["retry-after"] == "1"

    def test_too_many_questions_at_once_are_503(self, executor: ThreadPoolExecutor) -> None:
        """Those over the limit are refused at once, the others are answered."""
        store = SlowStore()
        app = create_app(Queries(store), executor=executor, answers_in_flight_max=2)

        async def run() -> list[int]:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://lymer") as client:
                path = "/api/dependencies"
                slow = [asyncio.create_task(client.get(path)) for _ in range(2)]
                for _ in slow:
                    await asyncio.to_thread(store.waiting.acquire, timeout=10)
                refused = await client.get(path)
                store.go.set()
                answered = await asyncio.gather(*slow)
                after = await client.get(path)
                return [
                    refused.status_code,
                    *(one.status_code for one in answered),
                    after.status_code,
                ]

        assert asyncio.run(run()) == [503, 200, 200, 200]

    def test_names_are_answered_however_many_search(self, executor: ThreadPoolExecutor) -> None:
        """Two hundred clients search, every thread is taken: services and operations answer."""
        store = SlowStore()
        app = create_app(Queries(store), executor=executor)

        async def run() -> tuple[list[int], list[int]]:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://lymer") as client:
                searching = [
                    asyncio.create_task(client.get("/api/dependencies")) for _ in range(200)
                ]
                await asyncio.to_thread(store.waiting.acquire, timeout=10)
                names = [
                    (await client.get(path)).status_code
                    for path in (
                        "/api/services",
                        "/api/operations?service=shop",
                        "/api/services/shop/operations",
                        "/api/v3/services",
                        "/api/v3/operations?service=shop",
                    )
                    for _ in range(20)
                ]
                assert not searching[0].done()
                store.go.set()
                return names, [one.status_code for one in await asyncio.gather(*searching)]

        names, searches = asyncio.run(run())
        assert set(names) == {200}
        assert set(searches) <= {200, 503}
        assert searches.count(200) >= 190


class FailingStore(MemoryStore):
    """A store that always fails."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def for_tenant(self, tenant: str, /) -> Any:
        """Return ourselves."""
        return self

    def get_services(self) -> list[str]:
        """Fail."""
        raise self._error


class SlowStore(MemoryStore):
    """A store that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.waiting = threading.Semaphore(0)

    def for_tenant(self, tenant: str, /) -> Any:
        """Return ourselves."""
        return self

    def get_services(self) -> list[str]:
        """Know none."""
        return []

    def get_operations(self, service: str, span_kind: str, /) -> list[Any]:
        """Know none."""
        return []

    def get_dependencies(self, start: int, end: int, /) -> list[Any]:
        """Wait."""
        self.waiting.release()
        self.go.wait(10)
        return []

    def get_graph(self, start: int, end: int, /) -> list[Any]:
        """Know none."""
        return []


class TestService:
    """The query service over a store, where HTTP adds nothing."""

    def test_a_trace_over_the_limit_is_cut(self, tmp_path: Path) -> None:
        """With a word about it, raw or not."""
        store = MemoryStore()
        spans = [make_span(1, number, offset_nano=number) for number in range(1, 6)]
        store.write_segment(write_segment_file(tmp_path, make_request(*spans)))
        query = service_of(store, max_trace_size_spans=3)

        for trace in (query.get_trace(T1), query.get_trace(T1, raw=True)):
            assert len(trace) == 3
            warning = "trace has more than 3 spans, showing first 3 spans only"
            assert [warning] == trace.warnings[0]

    def test_an_answer_over_the_limit_is_refused(self, tmp_path: Path) -> None:
        """Several traces are; one alone is not."""
        store = MemoryStore()
        spans = [make_span(trace, number) for trace in (1, 2) for number in range(1, 4)]
        store.write_segment(write_segment_file(tmp_path, make_request(*spans)))
        query = service_of(store, answer_spans_max=5)

        with pytest.raises(TooLargeError, match="the traces have more than 5 spans"):
            query.get_traces([T1, T2])
        assert len(service_of(store, answer_spans_max=6).get_traces([T1, T2])) == 2
        assert len(service_of(store, answer_spans_max=1).get_trace(T1)) == 3

    def test_more_traces_than_one_read_takes_come_in_order(self, tmp_path: Path) -> None:
        """450 traces, newest first."""
        store = MemoryStore()
        spans = [make_span(number, number, offset_nano=number) for number in range(1, 451)]
        store.write_segment(write_segment_file(tmp_path, make_request(*spans)))

        found = service_of(store).find_traces(TraceQuestion(START, NOW, limit=1_000))

        assert [trace.start_unix_nano[0] - START for trace in found] == list(range(450, 0, -1))

    def test_a_span_sent_twice_is_read_once(self, tmp_path: Path) -> None:
        """By its id, as in the whole trace."""
        store = MemoryStore()
        span = make_span(1, 1)
        store.write_segment(write_segment_file(tmp_path, make_request(span), make_request(span)))

        assert len(service_of(store).get_span(T1, "0000000000000001")) == 1

    def test_spans_sent_twice_are_shown_once(self, tmp_path: Path) -> None:
        """Raw shows both."""
        store = MemoryStore()
        span = make_span(1, 1, events=[make_event()], links=[make_link()])
        store.write_segment(write_segment_file(tmp_path, make_request(span), make_request(span)))
        query = service_of(store)

        assert len(query.get_trace(T1)) == 1
        assert len(query.get_trace(T1, raw=True)) == 2

    def test_clock_skew_is_corrected_up_to_the_limit(self, tmp_path: Path) -> None:
        """Half a second of skew, a second allowed."""
        store = MemoryStore()
        store.write_segment(
            write_segment_file(
                tmp_path,
                make_request(make_span(1, 1), resource={"host.name": "a"}),
                make_request(
                    make_span(1, 2, 1, offset_nano=-500 * MS), resource={"host.name": "b"}
                ),
            )
        )

        def starts(trace: SpanColumns) -> Sequence[int]:
            return sorted(trace.start_unix_nano)

        assert starts(service_of(store, max_clock_skew_adjust_seconds=1).get_trace(T1)) == [
            START,
            START,
        ]
        assert starts(service_of(store).get_trace(T1)) == [START - 500 * MS, START]
