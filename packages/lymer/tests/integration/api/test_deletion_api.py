"""The routes that delete: what they take, refuse, and say of themselves; nothing breaks them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from contract.storage.corpus import corpus_requests
from fakes.asgi_client import Client
from fakes.memory_store import MemoryStore
from lymer.api.deletion import create_deletion_app
from lymer.api.openapi import ADMIN_PATHS, document
from lymer.model.deletion import Deleted, Deletion
from make import trace_hex, write_segment_file

TRACES = "/api/lymer/v1/traces"


class Recorder:
    """A `TraceDeleter` that only remembers."""

    def __init__(self) -> None:
        self.asked: list[Deletion] = []

    def count_traces(self, tenant: str, trace_ids: Sequence[str], /) -> Deleted:
        """Count a span for each."""
        return Deleted(len(trace_ids), len(trace_ids))

    def delete_traces(
        self, tenant: str, trace_ids: Sequence[str], /, *, who: str, question: str, upto: int
    ) -> Deleted:
        """Remember."""
        deleted = self.count_traces(tenant, trace_ids)
        self.asked.append(Deletion(1_795_365_821_000_000, who, question, deleted, upto))
        return deleted

    def get_deletions(self, tenant: str, /) -> list[Deletion]:
        """Return what is remembered."""
        return self.asked


@pytest.fixture
def deleter() -> Recorder:
    """Return a deleter."""
    return Recorder()


@pytest.fixture
def client(deleter: Recorder, tmp_path: Path) -> Iterator[Client]:
    """Yield a client of the two routes over the corpus."""
    store = MemoryStore()
    store.write_segment(write_segment_file(tmp_path, *corpus_requests()))

    async def wait() -> int:
        return 77

    with ThreadPoolExecutor(1) as threads:
        yield Client(create_deletion_app(store, deleter, executor=threads, wait_for_store=wait))


def test_a_question_or_ids_name_what_is_deleted(client: Client, deleter: Recorder) -> None:
    """Ids as Jaeger takes them; a dry run deletes nothing; the log says who asked."""
    answer = client.send(
        "DELETE", f"{TRACES}?traceID={trace_hex(1)}&traceID={trace_hex(1).upper()}&dryRun=true"
    )
    assert answer.json() == {
        "traces": 1, "spans": 1, "archivedSpans": 0, "dryRun": True, "complete": True, "reason": "",
    }  # fmt: skip
    assert deleter.asked == []
    assert client.send("DELETE", f"{TRACES}?q=%7B%7D").json()["traces"] > 1
    (asked,) = deleter.asked
    assert (asked.question, asked.upto) == ("{}", 77)
    (entry,) = client.get("/api/lymer/v1/deletions").json()["deletions"]
    assert entry["time"] == "2026-11-22T16:43:41Z"
    assert client.get("/api/openapi.json").json() == json.loads(
        json.dumps(document(described=ADMIN_PATHS))
    )


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("", 400, "say what"),
        ("?q=%20", 400, "say what"),
        ("?q=%7B%7D&traceID=1", 400, "say what"),
        ("?traceID=xyz", 400, "xyz"),
        ("?q=%7B%20user", 400, "cannot read the question"),
        ("?q=%7B%7D&start=tomorrow", 400, "cannot read start"),
        ("?q=%7B%7D&dryRun=perhaps", 400, "dryRun"),
    ],
)
def test_what_names_nothing_deletes_nothing(
    client: Client, deleter: Recorder, query: str, status: int, words: str
) -> None:
    """A slip must not delete all."""
    answer = client.send("DELETE", TRACES + query)
    assert (answer.status_code, deleter.asked) == (status, [])
    assert words in answer.text


def test_no_page_of_a_browser_may_delete(client: Client, deleter: Recorder) -> None:
    """Whatever says where it comes from is refused, also to read the log."""
    headers = {"origin": "http://localhost:14269"}
    answer = client.send("DELETE", f"{TRACES}?q=%7B%7D", headers=headers)
    assert (answer.status_code, deleter.asked) == (403, [])
    assert client.send("GET", "/api/lymer/v1/deletions", headers=headers).status_code == 403


def test_no_question_breaks_it(client: Client) -> None:
    """Whatever Schemathesis makes of the document."""
    schema = schemathesis.openapi.from_dict(document(described=ADMIN_PATHS))
    asked = [found.ok() for found in schema.get_all_operations()]

    @settings(
        max_examples=60, deadline=None, derandomize=True, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        operation = data.draw(st.sampled_from(asked))
        case: Any = data.draw(
            operation.as_strategy(
                generation_mode=data.draw(st.sampled_from(list(schemathesis.GenerationMode)))
            )
        )
        parts = case.as_transport_kwargs(base_url="http://lymer")

        known = {"method", "url", "params", "headers", "cookies", "data", "json"}
        sent = requests.Request(**{k: v for k, v in parts.items() if k in known}).prepare()
        answer = client.send(str(sent.method), sent.path_url)
        assert answer.status_code < 500, (case, answer.text)

    ask()
