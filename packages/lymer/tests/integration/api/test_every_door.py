"""Every door of the API under what is valid and empty, null, of another type, or too long."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest

from contract.storage.corpus import HOUR, corpus_requests
from fakes.asgi_client import Client
from fakes.memory_store import MemoryStore
from lymer.api.app import create_app
from lymer.query.service import Queries
from make import START, write_segment_file

PATHS = [
    "/api/services",
    "/api/operations",
    "/api/services/cart/operations",
    "/api/services//operations",
    "/api/traces",
    "/api/traces/abcd",
    "/api/traces/",
    "/api/traces/x/y",
    "/api/dependencies",
    "/api/metrics/calls",
    "/api/metrics/nothing",
    "/api/v3/services",
    "/api/v3/operations",
    "/api/v3/trace-summaries",
    "/api/v3/traces",
    "/api/v3/traces/abcd",
    "/api/lymer/v1/traces/abcd/columns",
    "/api/lymer/v1/traces/abcd/spans/1",
]
NAMES = [
    *("service", "operation", "spanKind", "start", "end", "limit", "tags", "tag", "minDuration"),
    *("maxDuration", "traceID", "raw", "lookback", "endTs", "query.startTimeMin", "query.filter"),
    *("query.startTimeMax", "query.searchDepth", "query.attributes", "prettyPrint", "quantile"),
]
VALUES = [
    "",
    "null",
    "0",
    "-1",
    "1e9",
    "9" * 30,
    "[]",
    "{}",
    '{"a":null}',
    "true",
    "\x00",
    "é",
    "%",
]
DOCUMENTS = [
    "",
    "null",
    "[]",
    "0",
    "true",
    '""',
    "{}",
    '{"resourceSpans":null}',
    '{"resourceSpans":[]}',
    '{"resourceSpans":[null]}',
    '{"resourceSpans":[{}]}',
    '{"resourceSpans":[{"resource":null,"scopeSpans":null}]}',
    '{"resourceSpans":[{"scopeSpans":[{"spans":[]}]}]}',
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}',
    '{"resourceSpans":[{"scopeSpans":[{"spans":[null,{"attributes":null,"events":null}]}]}]}',
    '{"resourceSpans":{}}',
    '{"resourceSpans":"a"}',
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"x"}]}]}]}',
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":1,"value":2}]}]}]}]}',
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Return a client of an API over the corpus."""
    store = MemoryStore()
    store.write_segment(write_segment_file(tmp_path_factory.mktemp("api"), *corpus_requests()))
    with ThreadPoolExecutor(2) as threads:
        app = create_app(Queries(store), executor=threads, now_unix_nano=lambda: START + 2 * HOUR)
        yield Client(app)


@pytest.mark.parametrize("path", PATHS)
def test_no_parameter_is_answered_with_a_fault_of_ours(client: Client, path: str) -> None:
    """Whatever a parameter holds, the answer is 2xx or 4xx (501 where nothing is there)."""
    statuses = {
        (name, value): client.get(f"{path}?{name}={quote(value)}").status_code
        for name, value in itertools.product(NAMES, VALUES)
    }

    assert {} == {asked: status for asked, status in statuses.items() if status == 500}


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize("path", ["/api/transform", "/api/archive/"])
def test_no_body_is_answered_with_a_fault_of_ours(client: Client, path: str, document: str) -> None:
    """Bodies that are valid and empty, null, or of another type."""
    response = client.send("POST", path, body=document.encode())

    assert response.status_code in {200, 400, 404, 405, 501}


@pytest.mark.parametrize("document", ["{}", '{"resourceSpans":[]}', '{"resourceSpans":null}'])
def test_a_document_without_spans_is_transformed_to_nothing(client: Client, document: str) -> None:
    """As Jaeger answers it: 200 with empty data."""
    response = client.send("POST", "/api/transform", body=document.encode())

    assert (200, []) == (response.status_code, json.loads(response.content)["data"])


def test_a_long_query_string_is_read(client: Client) -> None:
    """A question of a megabyte is answered; one byte more than the limit is refused as JSON."""
    fits, _ = client.get_raw("/api/services", b"a" * 1_048_576)
    status, body = client.get_raw("/api/services", b"a" * 1_048_577)

    assert (200, 400) == (fits, status)
    assert "1048577" in json.loads(body)["errors"][0]["msg"]


@pytest.mark.parametrize("path", ["/api/services", "/api/traces", "/api/lymer/v1/service-graph"])
def test_a_query_string_of_many_parameters_is_not_taken_apart(client: Client, path: str) -> None:
    """Half a million empty ones would hold the event loop; ten thousand are read."""
    status, body = client.get_raw(path, b"service=a" + b"&" * 9_999)
    assert b"parameters, the limit" not in body
    status, body = client.get_raw(path, b"service=a" + b"&" * 500_000)
    assert (400, True) == (status, b"500001 parameters, the limit is 10000" in body)
