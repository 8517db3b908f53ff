"""`lymer migrate` from the table that Jaeger keeps in a ClickHouse server, a real one."""

from __future__ import annotations

import socket
import threading
from itertools import count
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from fakes.clickhouse_server import server_url
from fakes.jaeger_clickhouse import fill_jaeger_clickhouse
from lymer.errors import StartupError
from lymer.files.migrating import open_source
from make import make_event, make_link, make_request, make_span

_HOUR_NANO = 3_600 * 10**9
_numbers = count(1)


def _filled(*requests: ExportTraceServiceRequest) -> str:
    """Return the address of a database with the spans of some requests."""
    whole = ExportTraceServiceRequest()
    for one in requests:
        whole.MergeFrom(one)
    database = f"jaeger_{next(_numbers)}"
    fill_jaeger_clickhouse(server_url(), database, whole)
    return f"{server_url().replace('http', 'clickhouse', 1)}/{database}"


def _read(address: str) -> tuple[dict[str, list[Any]], list[str]]:
    """Return the resources' spans of each part, one span in each, and what was told."""
    source = open_source(address, 0, 2**62)
    told: list[str] = []
    found = {}
    for part in source.parts():
        read = list(source.read(part, lambda place, what: told.append(f"{place}: {what}")))
        found[part] = [
            one
            for request in read
            for one in ExportTraceServiceRequest.FromString(request.body).resource_spans
        ]
        assert sum(request.span_count for request in read) == len(found[part])
    return found, told


_EVERY_TYPE: dict[str, Any] = {
    "yes": True,
    "half": 0.1,
    "none": float("inf"),
    "whole": 2**63 - 1,
    "least": -(2**63),
    "text": 'a "b"\n\t한 \\ \0',
    "raw": bytes(range(256)),
    "many": ["a", 1, [True, 0.5], b"x"],
    "map": {"a": {"b": ["c"]}, "d": 1},
}


def _sorted(spans: Any) -> Any:
    """Return a copy with attributes in order: Jaeger's columns keep one only within a type."""
    made = type(spans).FromString(spans.SerializeToString())
    holders = [made.resource]
    for scope in made.scope_spans:
        holders.append(scope.scope)
        for span in scope.spans:
            holders += [span, *span.events, *span.links]
    for holder in holders:
        holder.attributes.sort(key=lambda one: one.key)
    return made


def test_every_field_that_jaeger_keeps_is_read() -> None:
    """Each type of each holder of attributes; an hour is a part, the newest first."""
    full = make_request(
        make_span(
            1, 2, 1, name="GET /", kind=3, attrs=_EVERY_TYPE, status=2, message="no",
            trace_state="a=b", offset_nano=123_456_789, duration_nano=7,
            events=[make_event("e", offset_nano=5, attrs=_EVERY_TYPE), make_event("bare")],
            links=[make_link(7, 8, attrs=_EVERY_TYPE), make_link(9, 10)],
        ),
        service="shop", resource=_EVERY_TYPE,
        scope="lib", scope_version="1", scope_attrs=_EVERY_TYPE,
    )  # fmt: skip
    bare = make_request(make_span(3, 1, kind=0, name="", duration_nano=0), service="bank")
    old = make_request(make_span(4, 1, offset_nano=-5 * _HOUR_NANO))
    found, told = _read(_filled(full, bare, old))

    assert not told
    newest, oldest = found
    assert int(newest) - int(oldest) == 5
    sent = [*full.resource_spans, *bare.resource_spans]
    key = lambda one: one.scope_spans[0].spans[0].trace_id  # noqa: E731
    assert [_sorted(one) for one in sorted(found[newest], key=key)] == [
        _sorted(one) for one in sent
    ]
    assert [_sorted(one) for one in found[oldest]] == [_sorted(one) for one in old.resource_spans]


def test_a_row_that_is_no_span_is_told_alone() -> None:
    """The rows beside it are read."""
    address = _filled(make_request(make_span(1, 1), make_span(1, 2), make_span(1, 3)))
    database = address.rsplit("/", 1)[1]
    spoilt = (
        f"INSERT INTO {database}.spans (trace_id, id, start_time, complex_attributes.key, "
        "complex_attributes.value) VALUES ('nohex', '01', '2026-11-22 16:43:40', [], []), "
        "('01', '02', '2026-11-22 16:43:40', ['@map@a'], ['{'])"
    )
    assert httpx.post(server_url(), content=spoilt).status_code == 200
    found, told = _read(address)

    assert [len(spans) for spans in found.values()] == [3]
    assert sorted(one.split(":")[0] for one in told) == [
        "trace 01, span 02", "trace nohex, span 01",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "words"), [("/nowhere", "UNKNOWN_DATABASE"), ("/default", "UNKNOWN_TABLE")]
)
def test_what_the_server_refuses_is_said(path: str, words: str) -> None:
    """A database without Jaeger's table, and none at all."""
    source = open_source(server_url().replace("http", "clickhouse", 1) + path, 0, 1)
    with pytest.raises(StartupError, match=words):
        list(source.parts())


@pytest.mark.parametrize(
    ("rest", "words"),
    [
        (b"Code: 241. DB::Exception: (total) memory limit exceeded\n", "memory limit"),
        (b"", "nobody answers"),
    ],
)
def test_an_answer_that_breaks_off_is_no_end(rest: bytes, words: str) -> None:
    """The server's words behind the first rows, or nothing: it is said, so the part is not done."""
    row = b"[1]\n"
    sent = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for piece in (row, rest):
        sent += b"%x\r\n%s\r\n" % (len(piece), piece) if piece else b"ff\r\nhalf"

    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(sent)

        thread = threading.Thread(target=answer)
        thread.start()
        source = open_source(f"clickhouse://127.0.0.1:{server.getsockname()[1]}", 0, 1)
        with pytest.raises(StartupError, match=words):
            list(source.parts())
        thread.join()
