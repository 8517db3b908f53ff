"""`lymer migrate`: from a store that speaks `jaeger.storage.v2`, and from recorded answers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import orjson
import pytest
from click.testing import CliRunner
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from fakes.memory_store import MemoryStore
from fakes.served_store import ApiThread
from lymer.cli import migrate as module
from lymer.cli.cassandra_source import cassandra_options, cassandra_place
from lymer.clock import unix_nano
from lymer.files import migrating
from lymer.files.importing import Importer
from lymer.files.jaeger_cassandra import CassandraOptions
from lymer.transport.tls_client import ClientTlsOptions
from lymer.wire.otlp_proto import CheckedRequest
from make import START, make_request, make_span, write_segment_file


class _Here:
    """Where spans go: by trace, each span once for each time it was sent."""

    def __init__(self) -> None:
        self.spans: dict[str, list[Any]] = {}
        self.loses = False

    def read(self, ids: Sequence[str]) -> bytes:
        spans = [span for one in ids for span in self.spans.get(one, ())]
        return TracesData(resource_spans=make_request(*spans).resource_spans).SerializeToString()

    def send(self, request: CheckedRequest) -> int:
        for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans[: len(scope.spans) - self.loses]:
                    self.spans.setdefault(span.trace_id.hex(), []).append(span)
        return 0

    @property
    def count(self) -> int:
        return sum(map(len, self.spans.values()))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> _Here:
    """Put what is moved into a dictionary."""
    made = _Here()

    @contextmanager
    def open_destination(**_: Any) -> Iterator[Importer]:
        yield Importer(made.read, made.send)

    monkeypatch.setattr(module, "open_destination", open_destination)
    monkeypatch.setattr(module, "_CHECK_SECONDS", 0)
    return made


def _migrate(*arguments: str, code: int = 0) -> dict[str, int]:
    done = CliRunner().invoke(module.migrate, [*arguments, "--json"], standalone_mode=False)
    assert done.exception is None, done.exception
    assert done.return_value == code, done.output
    told: dict[str, int] = orjson.loads(done.stdout.splitlines()[-1])
    return told


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[str]:
    """Return the address of a store with five traces of two services, one of them an hour older."""
    store = MemoryStore()
    now = unix_nano() - START - 10**9
    spans = [
        make_span(number, 1, offset_nano=now - (3_600 * 10**9) * (number == 5))
        for number in range(1, 6)
    ]
    called = [make_span(1, 2, 1, offset_nano=now)]
    store.write_segment(
        write_segment_file(tmp_path, make_request(*spans), make_request(*called, service="called"))
    )
    served = ApiThread(store)
    yield f"grpc://127.0.0.1:{served.port}"
    served.close()


def test_every_span_is_moved_once(
    storage: str, here: _Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traces of several services and hours; more than are found at once; and twice is once."""
    monkeypatch.setattr(migrating, "_IDS_MAX", 3)
    monkeypatch.setattr(migrating, "_NARROWEST_NANO", 10**15)
    told = _migrate(storage, "--since=3h", code=1)
    assert told["problems"]  # more traces at one instant than are found at once: it is said

    monkeypatch.setattr(migrating, "_IDS_MAX", 100)
    told = _migrate(storage, "--since=3h")
    assert (told["missing"], told["problems"], here.count) == (0, 0, 6)
    told = _migrate(storage, "--since=3h")
    assert (told["added"], here.count) == (0, 6)


def test_a_migration_goes_on_where_it_ended(storage: str, here: _Here, tmp_path: Path) -> None:
    """Parts that are done and whole are not read again."""
    state = f"--state={tmp_path / 'state.json'}"
    here.loses = True
    told = _migrate(storage, "--since=3h", state, code=1)
    assert told["missing"] > 0
    here.loses = False

    told = _migrate(storage, "--since=3h", state)
    assert (told["missing"], here.count) == (0, 6)
    told = _migrate(storage, "--since=3h", state)
    assert told["parts_before"] >= 3


# ----------------------------------------------------------------------------- Elasticsearch

_TRACE = "0000000000000000000000000000abcd"
_PROCESS = {"serviceName": "shop", "tag": {"host@name": "a"}, "tags": []}


def _document(number: int, **more: Any) -> dict[str, Any]:
    """Return a span as Jaeger's Elasticsearch storage writes it."""
    return {
        "traceID": _TRACE,
        "spanID": f"{number:016x}",
        "flags": 1,
        "operationName": "GET /",
        "references": [],
        "startTime": 1_795_365_820_000_000 + number,
        "startTimeMillis": 1_795_365_820_000,
        "duration": 1_000,
        "tags": [{"key": "span.kind", "type": "string", "value": "server"}],
        "logs": [],
        "process": _PROCESS,
        **more,
    }


class _Elastic(BaseHTTPRequestHandler):
    """Answers of the four calls that are made, in the form that Elasticsearch documents."""

    indices: dict[str, list[dict[str, Any]]]
    left: dict[str, list[dict[str, Any]]]

    def do_GET(self) -> None:
        assert self.path == "/prod*jaeger-span-*/_settings/index.uuid"
        assert self.headers["Authorization"] == "Basic dTpw"
        self._answer({name: {"settings": {}} for name in self.indices})

    def do_POST(self) -> None:
        asked = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.startswith("/_search/scroll"):
            name = asked["scroll_id"]
        else:
            name = self.path.split("/")[1]
            self.left[name] = list(self.indices[name])
        hits, self.left[name] = self.left[name][:2], self.left[name][2:]
        found = [{"_id": str(at), "_source": one} for at, one in enumerate(hits)]
        self._answer({"_scroll_id": name, "hits": {"hits": found}})

    def do_DELETE(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer({"succeeded": True})

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, document: Any) -> None:
        body = orjson.dumps(document)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def elastic() -> Iterator[str]:
    """Return the address of two indices with five spans, of which one cannot be read."""
    _Elastic.indices = {
        "prod-jaeger-span-2026-11-21": [_document(1), _document(2), _document(3)],
        "prod-jaeger-span-2026-11-22": [
            _document(4, tag={"http@status_code": 500}),
            {"traceID": "no id"},
        ],
    }
    _Elastic.left = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elastic)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://u:p@127.0.0.1:{server.server_port}/prod"
    server.shutdown()
    thread.join()
    server.server_close()


def test_indices_of_elasticsearch_are_read(elastic: str, here: _Here, tmp_path: Path) -> None:
    """Every document once, tags as fields too; one that is no span is told, and its part stays."""
    state = f"--state={tmp_path / 'state.json'}"
    told = _migrate(elastic, state, code=1)
    assert (told["spans"], told["added"], told["problems"], told["missing"]) == (4, 4, 1, 0)
    spans = {span.span_id.hex(): span for span in here.spans[_TRACE]}
    assert sorted(spans) == [f"{number:016x}" for number in range(1, 5)]
    assert ("http.status_code", 500) in [
        (one.key, one.value.int_value) for one in spans[f"{4:016x}"].attributes
    ]

    told = _migrate(elastic, state, code=1)
    assert (told["added"], told["known"], told["parts_before"]) == (0, 1, 1)


@pytest.mark.parametrize("source", ["nowhere", "ftp://a", "grpc://"])
def test_what_is_no_source_is_refused(source: str) -> None:
    """With what one looks like."""
    done = CliRunner().invoke(module.migrate, [source], standalone_mode=False)

    assert "a source is grpc://" in str(done.exception)


# --------------------------------------------------------------------------------- Cassandra


@click.command()
@click.argument("source")
@cassandra_options
def _placed(source: str, **given: Any) -> CassandraOptions:
    return cassandra_place(source, given)


_HERE = CassandraOptions(("127.0.0.1",), "jaeger_v1_dc1")


@pytest.mark.parametrize(
    ("source", "options", "variables", "place"),
    [
        ("cassandra://", "", "", _HERE),
        ("cassandra://a,b:19042/k%2F", "", "",
         replace(_HERE, servers=("a", "b"), port=19_042, keyspace="k/")),
        ("cassandra://u:p%40@[::1]", "", "",
         replace(_HERE, servers=("::1",), username="u", password="p@")),
        ("cassandra://", "servers=a,b port=1 keyspace=k local-dc=dc consistency=ONE", "",
         CassandraOptions(("a", "b"), "k", 1, local_dc="dc", consistency="ONE")),
        ("cassandra://b", "username=u", "SERVERS=a USERNAME=v PASSWORD=p LOCAL_DC=dc",
         replace(_HERE, servers=("b",), username="u", password="p", local_dc="dc")),
        ("cassandra://", "", "TLS_ENABLED=true",
         replace(_HERE, tls=ClientTlsOptions(setting="cassandra.tls"))),
        ("cassandra://", "tls.server-name=s tls.skip-host-verify", "",
         replace(_HERE, tls=ClientTlsOptions(server_name="s", insecure_skip_verify=True))),
    ],
)  # fmt: skip
def test_a_cassandra_is_named_as_jaeger_names_it(
    source: str, options: str, variables: str, place: CassandraOptions
) -> None:
    """By the address, by Jaeger's flags, by its variables; the first that says something."""
    done = CliRunner().invoke(
        _placed,
        [source, *(f"--cassandra.{one}" for one in options.split())],
        env=dict(f"CASSANDRA_{one}".split("=") for one in variables.split()),
        standalone_mode=False,
    )
    assert done.exception is None, done.exception
    assert done.return_value == place


@pytest.mark.parametrize("source", ["cassandra://a:1,b:2", "cassandra://a:x", "cassandra://a,,b"])
def test_what_is_no_address_of_cassandra_is_refused(source: str) -> None:
    """Two ports, one that is no number, a host without a name."""
    done = CliRunner().invoke(_placed, [source], standalone_mode=False)

    assert f'cannot read from "{source}"' in str(done.exception)
