"""Deep dependencies and quality metrics as Jaeger UI asks for them.

Its calls are in `packages/jaeger-ui/src/api/jaeger.ts` (`fetchDeepDependencyGraph`,
`fetchQualityMetrics`), the zeros in
`src/components/DeepDependencies/index.tsx`; what it reads is in
`src/model/ddg/transformDdgData.ts` and `src/components/QualityMetrics/types.ts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from contract.storage.corpus import HOUR, corpus_requests
from fakes.asgi_client import Client
from fakes.memory_store import MemoryStore
from lymer.api.app import create_app
from lymer.query.service import Queries
from make import START, write_segment_file


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Yield a client of an API over the corpus."""
    store = MemoryStore()
    store.write_segment(write_segment_file(tmp_path_factory.mktemp("api"), *corpus_requests()))
    with ThreadPoolExecutor(2) as threads:
        app = create_app(Queries(store), executor=threads, now_unix_nano=lambda: START + 2 * HOUR)
        yield Client(app)


@pytest.mark.parametrize("path", ["/api/deep-dependencies", "/analytics/v1/dependencies"])
@pytest.mark.parametrize("range_", ["", "&start=0&end=0"])
def test_every_way_passes_the_service(client: Client, path: str, range_: str) -> None:
    """Jaeger UI throws an error if one does not."""
    found = client.get(f"{path}?service=cart{range_}").json()["dependencies"]

    assert found
    for way in found:
        assert "cart" in {step["service"] for step in way["path"]}
        assert way["attributes"][0]["key"] == "exemplar_trace_id"
        assert len(way["attributes"]) <= way["count"]
        assert client.get(f"/api/traces/{way['attributes'][0]['value']}").status_code == 200


def test_an_operation_and_a_range_are_kept_to(client: Client) -> None:
    """Microseconds, as in a search."""
    of_get = client.get("/api/deep-dependencies?service=cart&operation=get").json()
    for way in of_get["dependencies"]:
        assert {"service": "cart", "operation": "get"} in way["path"]
    end = START // 1000 - 1
    before = client.get(f"/api/deep-dependencies?service=cart&start={end - 1000}&end={end}")
    assert {"dependencies": []} == before.json()


def test_quality_is_judged(client: Client) -> None:
    """The fields that Jaeger UI reads without asking whether they are there."""
    shown = client.get("/api/quality-metrics?service=cart&hours=48").json()

    assert {"Trace Completeness", "Trace Quality"} == {one["label"] for one in shown["scores"]}
    for score in shown["scores"]:
        assert 0 <= score["value"] <= score["max"]
    categories = {one["key"] for one in shown["scores"]}
    for metric in shown["metrics"]:
        assert metric["category"] in categories
        judged = metric["passCount"] + metric["failureCount"] + metric["exemptionCount"]
        assert judged > 0, metric
        for example in metric["passExamples"]:
            assert client.get(f"/api/traces/{example['traceID']}").status_code == 200
    assert "bannerText" not in shown


@pytest.mark.parametrize(
    "target",
    [
        "/api/deep-dependencies",
        "/api/quality-metrics",
        "/api/quality-metrics?service=a&hours=0",
        "/api/quality-metrics?service=a&hours=x",
        "/api/deep-dependencies?service=a&start=x",
    ],
)
def test_what_cannot_be_answered_is_refused(client: Client, target: str) -> None:
    """With a sentence."""
    answer = client.get(target)

    assert (400, 1) == (answer.status_code, len(answer.json()["errors"]))


def test_a_service_nobody_knows_has_no_ways_and_no_faults(client: Client) -> None:
    """Not an error."""
    assert {"dependencies": []} == client.get("/api/deep-dependencies?service=nobody").json()
    shown = client.get("/api/quality-metrics?service=nobody").json()
    assert {0} == {one["passCount"] + one["failureCount"] for one in shown["metrics"]}
