"""Diagnosis over HTTP: by lines, the first of a small sample; groups of a profile; edges."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest

from fakes.asgi_client import Client
from fakes.memory_store import MemoryStore
from lymer.api import diagnosis
from lymer.api.answers import ANSWERS_IN_FLIGHT_MAX
from lymer.api.app import create_app
from lymer.query.service import Queries
from make import START, make_request, make_span, write_segment_file

_API = "/api/lymer/v1/diagnosis"
_TIMES = f"start={START // 1000}&end={START // 1000 + 1_000_000}"
_FIRST_SPANS_MAX = 1_000
"""Instead of twenty times as many: the store is in memory, and in no hurry."""
_SPANS = _FIRST_SPANS_MAX + 200


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Yield a client of a store with more spans than the first answer looks at."""
    store = MemoryStore()
    spans = [
        make_span(number, 1, name="even" if number % 2 else "odd", offset_nano=number,
                  duration_nano=1_000 + number % 7, attrs={"zone": f"z{number % 3}"})
        for number in range(1, _SPANS + 1)
    ]  # fmt: skip
    request = make_request(*spans)
    store.write_segment(write_segment_file(tmp_path_factory.mktemp("api"), request))
    with ThreadPoolExecutor(2) as threads, pytest.MonkeyPatch.context() as patched:
        patched.setattr(diagnosis, "FIRST_SPANS_MAX", _FIRST_SPANS_MAX)
        yield Client(
            create_app(Queries(store), executor=threads, now_unix_nano=lambda: START + 10**9)
        )


@pytest.mark.parametrize("what", ["profile", "explain"])
def test_a_part_comes_first_and_then_all(client: Client, what: str) -> None:
    """Two lines, each a whole answer; the last is what is answered at once."""
    asked = f"{_API}/{what}?{_TIMES}&q=%7B%20duration%20%3E%201us%20%7D"
    response = client.get(f"{asked}&progressive=1")
    assert response.headers["content-type"] == "application/x-ndjson", response.text
    first, last = map(orjson.loads, response.content.splitlines())
    assert (first.pop("final"), last.pop("final")) == (False, True)
    assert 0 < first["sample"]["spans"] < first["sample"]["ofSpans"] <= _SPANS
    assert first["sample"]["spans"] < last["sample"]["spans"]
    assert last == client.get(asked).json()


def test_what_is_refused_is_refused_before_the_first_line(client: Client) -> None:
    """With a status; and answers that ended hold no place."""
    for _ in range(ANSWERS_IN_FLIGHT_MAX + 2):
        assert client.get(f"{_API}/profile?{_TIMES}&q=%7B&progressive=1").status_code == 400
    for _ in range(3):
        answer = client.get(f"{_API}/profile?start=0&end=1&progressive=1")
        assert orjson.loads(answer.content)["final"] is True


def test_a_profile_is_grouped(client: Client) -> None:
    """By an attribute and the name; what it was grouped by is said."""
    found = client.get(f"{_API}/profile?{_TIMES}&by=span.zone&by=name").json()
    assert found["by"] == ["span.zone", "name"]
    assert found["rowsLeftOut"] == 0
    assert {tuple(one["values"]) for one in found["operations"]} == {
        (f"z{zone}", name) for zone in range(3) for name in ("even", "odd")
    }
    refused = client.get(f"{_API}/profile?{_TIMES}&by=event.name")
    assert refused.status_code == 400
    assert "cannot group" in refused.text


def test_changes_are_of_operations_or_edges(client: Client) -> None:
    """And of nothing else."""
    assert client.get(f"{_API}/changes?{_TIMES}&of=edges").json() == {"changes": []}
    refused = client.get(f"{_API}/changes?{_TIMES}&of=hosts")
    assert refused.status_code == 400
    assert "operations or edges" in refused.text
