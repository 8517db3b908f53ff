"""The binary columns of a trace, read back by their page, and statistics by groups."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from contract.storage.corpus import corpus_requests
from fakes.asgi_client import Client
from fakes.memory_store import MemoryStore
from lymer.api.app import create_app
from lymer.query.service import Queries
from make import make_request, make_span, span_hex, trace_hex, write_segment_file

TYPES = {"i32": "<i4", "u32": "<u4", "u8": "u1", "f64": "<f8"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Yield a client of a store with the corpus, and traces with shared and lost parents."""
    store = MemoryStore()
    shared = [
        make_span(70, 1, kind=3, duration_nano=100),
        make_span(70, 1, kind=2, offset_nano=10, duration_nano=80),
        make_span(70, 2, 1, offset_nano=20, duration_nano=10, status=2),
        make_span(70, 3, 99, offset_nano=5, duration_nano=500),
    ]
    folder = tmp_path_factory.mktemp("columns")
    store.write_segment(
        write_segment_file(folder, *corpus_requests(), make_request(*shared, service="z"))
    )
    with ThreadPoolExecutor(2) as threads:
        yield Client(create_app(Queries(store), executor=threads))


def read(content: bytes) -> dict[str, Any]:
    """Return the head, with each column in the place of its description."""
    magic, version, length = struct.unpack_from("<4sII", content)
    assert (magic, version, (12 + length) % 8) == (b"LYTC", 1, 0)
    head: dict[str, Any] = json.loads(content[12 : 12 + length])
    for column in head.pop("columns"):
        begin = 12 + length + column["offset"]
        piece = content[begin : begin + column["bytes"]]
        assert column["offset"] % 8 == 0
        if column["type"] == "json":
            head[column["name"]] = json.loads(piece)
        elif column["type"] == "u8x8":
            head[column["name"]] = [piece[at : at + 8].hex() for at in range(0, len(piece), 8)]
        else:
            head[column["name"]] = np.frombuffer(piece, TYPES[column["type"]]).tolist()
    return head


def test_columns_say_what_the_json_says(client: Client) -> None:
    """Row by row, in another order; the JSON has microseconds."""
    for number in (1, 2, 3, 5, 70):
        answer = client.get(f"/api/lymer/v1/traces/{trace_hex(number)}/columns")
        assert answer.headers["content-type"] == "application/vnd.lymer.trace-columns"
        columns = read(answer.content)
        (trace,) = client.get(f"/api/traces/{trace_hex(number)}").json()["data"]
        assert columns["traceId"] == trace["traceID"]
        assert columns["spanCount"] == len(trace["spans"])
        rows = {span_id: row for row, span_id in enumerate(columns["spanId"])}
        for span in trace["spans"]:
            row = rows[span["spanID"]]
            tags = {tag["key"]: tag["value"] for tag in span["tags"]}
            parents = [one["spanID"] for one in span["references"] if one["refType"] == "CHILD_OF"]
            assert columns["parent"][row] == (rows.get(parents[0], -1) if parents else -1)
            assert columns["parent"][row] < row
            start = int(columns["startUnixNano"]) + int(columns["start"][row])
            assert start // 1000 == span["startTime"]
            assert columns["duration"][row] // 1000 == span["duration"]
            assert columns["events"][row] == len(span["logs"])
            assert (
                columns["services"][columns["service"][row]]
                == (trace["processes"][span["processID"]]["serviceName"])
            )
            assert columns["names"][columns["name"][row]] == span["operationName"]
            assert bool(columns["flags"][row] & 1) == bool(tags.get("error"))
            assert bool(columns["flags"][row] & 2) == (bool(parents) and parents[0] not in rows)
        assert sorted(text for _, text in columns["warnings"]) == sorted(
            text for span in trace["spans"] for text in span["warnings"] or ()
        )


def test_self_time_and_critical_path(client: Client) -> None:
    """Of the first trace: 100 ms with 80 in it, with 60 in that."""
    columns = read(client.get(f"/api/lymer/v1/traces/{trace_hex(1)}/columns").content)
    assert columns["self"] == [20e6, 20e6, 60e6]
    assert columns["depth"] == [0, 1, 2]
    assert columns["subtree"] == [3, 2, 1]
    sections = zip(
        columns["criticalSpan"], columns["criticalStart"], columns["criticalEnd"], strict=True
    )
    assert list(sections) == [
        (0, 90e6, 100e6), (1, 80e6, 90e6), (2, 20e6, 80e6), (1, 10e6, 20e6), (0, 0, 10e6),
    ]  # fmt: skip


def test_statistics(client: Client) -> None:
    """By fields, by attributes of spans and resources, by two at once."""
    path = f"/api/lymer/v1/traces/{trace_hex(1)}/statistics"
    by_service = client.get(f"{path}?by=service").json()
    assert by_service["groups"] == [["shop"], ["cart"]]
    assert (by_service["count"], by_service["spanCount"]) == ([1, 2], 3)
    assert by_service["totalNano"] == [100_000_000, 140_000_000]
    assert by_service["selfTotalNano"] == [20_000_000, 80_000_000]
    by_attributes = client.get(f"{path}?by=zone&by=http.status_code").json()
    by_new_name = client.get(f"{path}?by=zone&by=http.response.status_code").json()
    assert by_new_name["groups"] == by_attributes["groups"]
    assert by_attributes["groups"] == [["a", "200"], ["b", None]]
    assert by_attributes["durationNano"] == 100_000_000
    assert client.get(path).status_code == 400
    assert client.get(f"{path}?by=a&by=b&by=c&by=d").status_code == 400


def test_what_is_not_there(client: Client) -> None:
    """404 in JSON."""
    for name in ("columns", "statistics?by=name"):
        answer = client.get(f"/api/lymer/v1/traces/{span_hex(12345)}/{name}")
        assert answer.status_code == 404
        assert answer.json()["errors"][0]["msg"] == "trace not found"


def test_find(client: Client) -> None:
    """Ids of matches; what matches nothing is empty, what asks for nothing refused."""
    path = f"/api/lymer/v1/traces/{trace_hex(1)}/find"
    assert client.get(f"{path}?text=ann").json() == {"spanIds": [span_hex(11)], "spanCount": 3}
    assert client.get(f"{path}?text=cart").json()["spanIds"] == [
        span_hex(11), span_hex(12), span_hex(13),
    ]  # fmt: skip
    assert client.get(f"{path}?text=c").json()["spanCount"] == 3
    assert client.get(f"{path}?text=000d").json()["spanIds"] == [span_hex(13)]
    assert client.get(f"{path}?text=unheard").json()["spanIds"] == []
    for bad in ("", "?text=", "?text=-a", "?text=" + "+".join(map(str, range(40)))):
        assert client.get(path + bad).status_code in {400, 413}
    assert client.get(f"/api/lymer/v1/traces/{trace_hex(404)}/find?text=a").status_code == 404


def test_what_is_found_has_the_ids_that_are_drawn(client: Client) -> None:
    """Also where a server shared its client's id and was given another."""
    path = f"/api/lymer/v1/traces/{trace_hex(70)}"
    drawn = read(client.get(f"{path}/columns").content)
    found = client.get(f"{path}/find?text=z").json()
    assert sorted(found["spanIds"]) == sorted(drawn["spanId"])
    assert found["spanCount"] == len(set(found["spanIds"])) == 4
    (server,) = client.get(f"{path}/find?text=span.kind%3Dserver").json()["spanIds"]
    assert drawn["kind"][drawn["spanId"].index(server)] == 2


def test_part(client: Client) -> None:
    """What was found with what stands around it; times stay those of the whole trace."""
    path = f"/api/lymer/v1/traces/{trace_hex(1)}"
    whole = read(client.get(f"{path}/columns").content)
    alone = read(client.get(f"{path}/part?text=select&levels=0").content)
    assert (alone["spanCount"], alone["spanId"]) == (1, [span_hex(13)])
    assert (alone["parent"], alone["depth"], alone["flags"]) == ([-1], [0], [8 + 16])
    assert alone["start"] == whole["start"][2:]
    assert alone["self"] == whole["self"][2:]
    near = read(client.get(f"{path}/part?text=select").content)
    assert (near["spanId"], near["parent"]) == ([span_hex(12), span_hex(13)], [-1, 0])
    assert read(client.get(f"{path}/part?text=select&levels=9").content) == whole
    assert client.get(f"{path}/part?text=unheard").status_code == 404
    for bad in ("-1", "101", "x", "", "9" * 5000):
        assert client.get(f"{path}/part?text=a&levels={bad}").status_code == 400
