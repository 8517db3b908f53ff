"""The document says what the server does: every route, every answer, and no question breaks it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import urlencode

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from jsonschema_rs import validator_for
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from contract.storage.corpus import HOUR, corpus_requests
from fakes.asgi_client import Client
from fakes.memory_store import MemoryStore
from lymer.api.app import create_app
from lymer.api.openapi import document
from lymer.query.service import Queries
from make import START, span_hex, trace_hex, write_segment_file

DOCUMENT: Final = document()
OPERATIONS: Final = [(method, path) for path, item in DOCUMENT["paths"].items() for method in item]
GOOD: Final[dict[str, Any]] = {
    "service": "cart", "serviceName": "shop", "trace_id": trace_hex(1), "span_id": span_hex(11),
    "name": "calls", "text": "cart", "by": "span.user", "one": trace_hex(1), "other": trace_hex(2),
    "tag_name": "span.user", "field": "span.user",
    "traceID": trace_hex(1), "traceIds": f"{trace_hex(1)},{trace_hex(2)}", "key": "user",
    "endTs": START // 10**6 + 1,
    "query.serviceName": "shop", "query.startTimeMin": "2026-11-22T16:00:00Z",
    "query.startTimeMax": "2026-11-22T20:00:00Z",
}  # fmt: skip
"""Values that find something, by the name of the parameter."""
ERROR_MAX: Final = 499
ENDLESS: Final = {"/api/tail"}
"""Answers that end when who asked hangs up: test_tail.py."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Yield the query API over the corpus."""
    store = MemoryStore()
    folder = tmp_path_factory.mktemp("openapi")
    store.write_segment(write_segment_file(folder, *corpus_requests()))
    with ThreadPoolExecutor(2) as threads:
        yield create_app(Queries(store), executor=threads, now_unix_nano=lambda: START + 2 * HOUR)


def _served(routes: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    for route in routes:
        path = prefix + re.sub(r":\w+\}", "}", route.path)
        if isinstance(route, Mount):
            yield from _served(route.routes, path)
        elif isinstance(route, Route) and "{rest}" not in path:
            for method in (route.methods or set()) - {"HEAD"}:
                yield method.lower(), path


def test_every_route_is_in_the_document(app: Starlette) -> None:
    """And nothing else is."""
    served = set(_served(app.routes)) - {("get", "/api/openapi.json")}
    assert served == set(OPERATIONS)


def test_the_document_is_answered_as_it_is(app: Any) -> None:
    """It is OpenAPI 3.1 by the specification's own schema."""
    answered = Client(app).get("/api/openapi.json")
    assert answered.json() == json.loads(json.dumps(DOCUMENT))
    schemathesis.openapi.from_dict(answered.json()).validate()


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_answer_is_what_the_document_says(app: Any, method: str, path: str) -> None:
    """Of a question that finds something."""
    operation = DOCUMENT["paths"][path][method]
    if method == "post" or path in ENDLESS:
        return  # bodies: below, and in the tests of each door
    wanted = [one for one in operation["parameters"] if one["required"] or one["name"] in GOOD]
    query = {
        one["name"]: "{ } | rate()" if one["name"] == "q" else GOOD[one["name"]]
        for one in wanted
        if one["in"] == "query"
    }
    address = re.sub(r"\{(\w+)\}", lambda found: str(GOOD[found[1]]), path)
    answer = Client(app).get(f"{address}?{urlencode(query)}")
    assert answer.status_code == 200, answer.text
    ((kind, content),) = operation["responses"]["200"]["content"].items()
    assert answer.headers["content-type"].split(";")[0] == kind
    if kind == "application/json":
        schema = {**content["schema"], "components": DOCUMENT["components"]}
        validator_for(schema).validate(answer.json())


def test_no_question_breaks_the_server(app: Any) -> None:
    """Whatever Schemathesis makes of the document: answered, and never with 5xx.

    With another LYMER_FUZZ_SEED other questions are asked, and more of them.
    """
    other = os.environ.get("LYMER_FUZZ_SEED")
    schema = schemathesis.openapi.from_dict(DOCUMENT)
    client = Client(app)
    asked = [found.ok() for found in schema.get_all_operations()]
    assert len(asked) == len(OPERATIONS)
    asked = [one for one in asked if one.path not in ENDLESS]
    answered = 0

    @settings(
        max_examples=4_000 if other else 150, deadline=None, derandomize=not other, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        nonlocal answered
        operation = data.draw(st.sampled_from(asked))
        mode = data.draw(st.sampled_from(list(schemathesis.GenerationMode)))
        case = data.draw(operation.as_strategy(generation_mode=mode))
        known = {"method", "url", "params", "headers", "cookies", "data", "json"}
        parts = case.as_transport_kwargs(base_url="http://lymer")
        sent = requests.Request(**{k: v for k, v in parts.items() if k in known}).prepare()
        body = sent.body.encode() if isinstance(sent.body, str) else sent.body or b""
        headers = {
            name: value if isinstance(value, str) else value.decode("latin-1")
            for name, value in sent.headers.items()
        }
        answer = client.send(str(sent.method), sent.path_url, body=body, headers=headers)
        assert answer.status_code <= ERROR_MAX, (case, answer.text)
        answered += 1

    (seed(int(other))(ask) if other else ask)()
    assert answered >= 100
