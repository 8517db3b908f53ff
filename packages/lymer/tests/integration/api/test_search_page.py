"""What the search page asks around the language, on the corpus and on many spans."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest

from contract.storage.corpus import HOUR, MS, corpus_requests
from fakes.asgi_client import Client
from fakes.memory_store import MemoryStore
from lymer.api.app import create_app
from lymer.query.service import Queries
from lymer.storage.clickhouse.engine_chdb import ChdbEngine
from lymer.storage.clickhouse.store import ClickHouseStore
from lymer.tenancy import DEFAULT_TENANT
from make import START, trace_hex, write_segment_file

SECOND = 1_000 * MS
RANGE = {"start": str((START - HOUR) // SECOND), "end": str((START + 2 * HOUR) // SECOND)}
MEMORY = 900 * 2**20


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Yield a client of our own port, over the engine."""
    folder = tmp_path_factory.mktemp("search-page")
    engine = ChdbEngine(folder / "engine", memory_bytes_max=MEMORY)
    store = ClickHouseStore(engine, retention_seconds=10**9, memory_bytes_max=MEMORY)
    store.write_segment(write_segment_file(folder, *corpus_requests()))
    with ThreadPoolExecutor(2) as threads:
        yield Client(create_app(Queries(store), executor=threads))
    store.close()


@pytest.fixture(scope="module")
def spans(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Return the corpus' spans, read by another store."""
    store = MemoryStore()
    store.write_segment(write_segment_file(tmp_path_factory.mktemp("memory"), *corpus_requests()))
    return list(store.for_tenant(DEFAULT_TENANT)._all_spans())  # noqa: SLF001 - the fake is ours


def ask(client: Client, path: str, **parameters: str) -> Any:
    """GET a path with the range of the corpus; return the JSON."""
    answer = client.get(f"{path}?{urlencode({**RANGE, **parameters})}")
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("", lambda _: True),
        ('{ resource.service.name = "shop" }', lambda span: span.service == "shop"),
        ("{ status = error }", lambda span: span.status_code == 2),
        # Here the trace decides, so the spans are walked and not counted by the engine.
        ("{ traceDuration > 0s }", lambda _: True),
    ],
)
def test_a_heatmap_counts_every_span_once(
    own: Client, spans: list[Any], question: str, kept: Any
) -> None:
    """In the cell of its start and duration, failed ones also as failed."""
    found = ask(own, "/api/search/heatmap", q=question, columns="60")
    assert found["complete"]
    first, step = int(found["startUnixNano"]), found["stepNano"]
    wanted: Counter[tuple[int, int]] = Counter()
    failed: Counter[tuple[int, int]] = Counter()
    low, high = int(RANGE["start"]) * SECOND, (int(RANGE["end"]) + 1) * SECOND - 1
    for span in spans:
        if kept(span) and low < span.start_unix_nano <= high:
            row = math.ceil(math.log2(max(span.duration_nano, 1)) * 4)
            cell = (
                (span.start_unix_nano - first - 1) // step,
                row if span.duration_nano > 1 else 0,
            )
            wanted[cell] += 1
            failed[cell] += span.status_code == 2
    cells = list(zip(found["column"], found["row"], strict=True))
    assert dict(zip(cells, found["spans"], strict=True)) == dict(wanted)
    assert dict(zip(cells, found["errors"], strict=True)) == dict(failed)
    assert sum(found["spans"]) == sum(wanted.values()) > 0


def test_summaries_are_those_of_the_traces_found(own: Client) -> None:
    """In the same order, with the spans that matched."""
    found = ask(own, "/api/search/summaries", q='{ name = "SELECT" }')
    traces = ask(own, "/api/search", q='{ name = "SELECT" }')["traces"]
    assert [one["traceId"].lstrip("0") for one in found["summaries"]] == [
        one["traceID"] for one in traces
    ]
    (one,) = [line for line in found["summaries"] if line["traceId"] == trace_hex(1)]
    assert one["matched"] == len(one["spanIds"]) >= 1
    assert one["spanCount"] > 1
    slowest = ask(own, "/api/search/summaries", q="{ }", order="slowest", limit="1")
    assert [line["traceId"] for line in slowest["summaries"]] == [trace_hex(1)]
    assert slowest["hasMore"]


def test_a_question_is_checked_without_being_answered(own: Client) -> None:
    """What it asks for, as a form, or where it is wrong."""
    good = ask(own, "/api/search/check", q='{ resource.service.name = "a" && duration > 1s }')
    assert good["valid"]
    assert good["asks"] == "traces"
    assert good["form"]["service"] == "a"
    assert good["form"]["minDuration"] == "1s1ns"
    assert ask(own, "/api/search/check", q="{ } | rate()") == {
        "valid": True, "asks": "numbers", "form": None,
    }  # fmt: skip
    bad = ask(own, "/api/search/check", q="{ .a = }")
    assert not bad["valid"]
    assert (bad["place"]["at"], bad["place"]["line"], bad["place"]["column"]) == (7, 1, 8)


def test_a_refusal_says_where_in_the_question(own: Client) -> None:
    """Beside the sentence, for who underlines it."""
    answer = own.get("/api/search/heatmap?" + urlencode({"q": "{ .a = }"}))
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["place"]["at"] == 7
    assert error["msg"].startswith("cannot read the question at line 1, column 8")
    numbers = own.get("/api/search/heatmap?" + urlencode({"q": "{ } | rate()"}))
    assert numbers.status_code == 400
