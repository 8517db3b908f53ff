"""`lymer migrate` from a real Cassandra with Jaeger's schema into a running Lymer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from e2e.lymer_process import Lymer, lymer_environment, poll
from fakes.cassandra_server import (
    PASSWORD,
    USER,
    Cassandra,
    KeyValue,
    Log,
    Process,
    Row,
    SpanRef,
)
from fakes.certificates import Authority
from lymer.clock import unix_nano
from lymer.errors import StartupError
from lymer.files.jaeger_cassandra import CassandraOptions, JaegerCassandra
from lymer.transport.tls_client import ClientTlsOptions
from make import START, make_event, make_link, make_request, make_span, span_hex, trace_hex

pytestmark = pytest.mark.timeout(300)
_SPANS, _TRACE_SPANS = 3_000, 5
_LARGE_SPANS = 2_300
"""Of one trace: more than two pages."""
_MICROS = START // 1_000
_ALL = {
    "text": 'a "b"\n한 \0', "none": "", "yes": True, "no": False, "most": 2**63 - 1,
    "least": -(2**63), "half": 0.1, "inf": float("inf"), "raw": bytes(range(256)), "nothing": b"",
}  # fmt: skip
_TYPES = {str: ("string", 2), bool: ("bool", 3), int: ("int64", 4), float: ("float64", 5)}


def _tags(pairs: dict[str, Any]) -> list[KeyValue]:
    made = []
    for key, value in pairs.items():
        name, at = _TYPES.get(type(value), ("binary", 6))
        made.append(KeyValue(key, name)._replace(**{KeyValue._fields[at]: value}))
    return made


def _trace(number: int) -> bytes:
    return bytes.fromhex(trace_hex(number))


def _row(trace: bytes, span: int, **more: Any) -> Row:
    """Return a span that has nothing but a process."""
    empty = Row(trace, span, 1, 0, "work", 0, _MICROS, 1_000, None, None, None, Process("s", None))
    return empty._replace(**more)


def _load(start_micros: int) -> Iterator[Row]:
    for number in range(_SPANS):
        trace, span = divmod(number, _TRACE_SPANS)
        parent = number if span else 0
        yield _row(
            _trace(10_000_000 + trace), number + 1, parent_id=parent, operation_name=f"GET /{span}",
            start_time=start_micros + number, tags=_tags({"number": number}),
            refs=[SpanRef("child-of", _trace(10_000_000 + trace), parent)] if parent else None,
            process=Process("cassandra-shop", _tags({"host.name": "a"})),
        )  # fmt: skip


_FULL = _row(
    _trace(1), -(2**63), parent_id=-2, operation_name="GET /한", flags=0x101, duration=1,
    tags=_tags(_ALL | {
        "span.kind": "server", "error": True, "otel.status_description": "no",
        "w3c.tracestate": "a=b", "otel.scope.name": "lib", "otel.scope.version": "1",
    }),
    logs=[Log(_MICROS + 5, _tags({"event": "seen"} | _ALL)), Log(_MICROS + 6, [])],
    refs=[
        SpanRef("child-of", _trace(1), -2),
        SpanRef("follows-from", _trace(900), 900),
        SpanRef("child-of", _trace(901), -2),  # no parent: another trace
    ],
    process=Process("shop", _tags(_ALL)),
)  # fmt: skip
"""By Jaeger v2."""
_OLD = _row(
    _trace(2), 2, flags=3, refs=[SpanRef("child-of", _trace(2), 1)],
    tags=_tags({"a": 1, "$$span.warning.1": "late", "$$span.warning.2": "long"}),
)  # fmt: skip
"""By Jaeger v1: its parent stands among the references only, its warnings among the tags."""
_NAMELESS = _row(
    _trace(3), 3, process=Process("OTLPResourceNoServiceName", _tags({"host.name": "a"}))
)
_EMPTY = Row(_trace(4), 4, 0, *[None] * 9)  # type: ignore[arg-type] - a column without a value
_BROKEN = (
    _row(b"\x07" * 8, 7),
    _row(_trace(5), 5, tags=[KeyValue("k", "decimal")]),
    _row(_trace(5), 6, refs=[SpanRef("near", _trace(5), 5)]),
)
_EXPECTED = (
    make_request(
        make_span(
            1, 2**63, 2**64 - 2, name="GET /한", kind=2, duration_nano=1_000, attrs=_ALL,
            status=2, message="no", trace_state="a=b", flags=0x101,
            events=[
                make_event("seen", offset_nano=5_000, attrs=_ALL),
                make_event("", offset_nano=6_000),
            ],
            links=[
                make_link(attrs={"opentracing.ref_type": "follows_from"}),
                make_link(901, 2**64 - 2, attrs={"opentracing.ref_type": "child_of"}),
            ],
        ),
        resource=_ALL, scope="lib", scope_version="1",
    ),
    make_request(
        make_span(2, 2, 1, kind=0, flags=3, attrs={"a": 1, "@jaeger@warnings": ["late", "long"]}),
        service="s",
    ),
    make_request(make_span(3, 3, kind=0), service=None, resource={"host.name": "a"}),
    make_request(
        make_span(4, 4, kind=0, name="", offset_nano=-START, duration_nano=0), service=None
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Return who issued the server's certificate."""
    return Authority()


@pytest.fixture(scope="module")
def cassandra(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[Cassandra]:
    """Start a server, and fill it as Jaeger does."""
    server = Cassandra(tmp_path_factory.mktemp("cassandra"), authority)
    try:
        server.add_keyspace("every_field", (_FULL, _OLD, _NAMELESS, _EMPTY, *_BROKEN))
        server.add_keyspace(
            "large", (_row(_trace(6), number) for number in range(1, _LARGE_SPANS + 1))
        )
        server.add_keyspace("jaeger_v1_dc1", _load(unix_nano() // 1_000 - 3_600 * 10**6))
        yield server
    finally:
        server.kill()


def _read(options: CassandraOptions) -> tuple[list[Any], list[str]]:
    """Return every resource's spans, and what was told."""
    source = JaegerCassandra(options)
    told: list[str] = []
    found = []
    try:
        for part in source.parts():
            for request in source.read(part, lambda place, what: told.append(f"{place}: {what}")):
                found += ExportTraceServiceRequest.FromString(request.body).resource_spans
    finally:
        source.close()
    return found, told


def _options(server: Cassandra, keyspace: str, **more: Any) -> CassandraOptions:
    return CassandraOptions(
        servers=("localhost",), keyspace=keyspace, port=server.port,
        **{"username": USER, "password": PASSWORD} | more,
    )  # fmt: skip


def _plain(expected: Any) -> Any:
    """Leave out what says nothing: a scope without name, a status that is not set."""
    for scope_spans in expected.scope_spans:
        if not scope_spans.scope.name:
            scope_spans.ClearField("scope")
        for span in scope_spans.spans:
            if not span.status.code:
                span.ClearField("status")
    return expected


def test_every_field_that_jaeger_keeps_is_read(cassandra: Cassandra) -> None:
    """Each type in each holder, of both of Jaeger's generations; rows that are none are told."""
    found, told = _read(_options(cassandra, "every_field", local_dc="datacenter1"))

    made = ExportTraceServiceRequest(resource_spans=found).SerializeToString()
    spans = ExportTraceServiceRequest.FromString(made).resource_spans
    by_trace = sorted(spans, key=lambda one: one.scope_spans[0].spans[0].trace_id)
    assert by_trace == [_plain(one.resource_spans[0]) for one in _EXPECTED]
    assert sorted(one.split(":")[0] for one in told) == sorted(
        f"trace {trace}, span {span_hex(span)}"
        for trace, span in (("07" * 8, 7), (trace_hex(5), 5), (trace_hex(5), 6))
    )


def test_a_trace_of_several_pages_is_read_whole(cassandra: Cassandra) -> None:
    """Each span once."""
    found, told = _read(_options(cassandra, "large"))

    spans = [span.span_id for one in found for scope in one.scope_spans for span in scope.spans]
    assert not told
    assert sorted(spans) == [number.to_bytes(8) for number in range(1, _LARGE_SPANS + 1)]


@pytest.mark.parametrize(
    ("keyspace", "more", "words"),
    [
        ("nowhere", {}, "nowhere.* does not exist"),
        ("system", {}, "traces does not exist"),
        ("large", {"password": "x"}, "password are incorrect"),
        ("large", {"port": 1}, "refused"),
        ("large", {"servers": ("no.such.host.invalid",)}, "no.such.host.invalid"),
        ("large", {"local_dc": "elsewhere"}, "elsewhere"),
        ("large", {"consistency": "MOST"}, "MOST"),
    ],
)
def test_what_the_server_refuses_is_said(
    cassandra: Cassandra, keyspace: str, more: dict[str, Any], words: str
) -> None:
    """A keyspace that is not there or is not Jaeger's, a wrong password, nobody at all."""
    options = {"servers": ("localhost",), "port": cassandra.port} | more
    login = {"username": USER, "password": PASSWORD} | options
    with pytest.raises(StartupError, match=words):
        JaegerCassandra(CassandraOptions(keyspace=keyspace, **login))  # type: ignore[arg-type]


def test_a_server_that_nobody_vouches_for_is_refused(cassandra: Cassandra, tmp_path: Path) -> None:
    """Its certificate is of another authority."""
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(Authority("stranger").certificate)
    with pytest.raises(StartupError, match="CERTIFICATE_VERIFY_FAILED"):
        JaegerCassandra(_options(cassandra, "large", tls=ClientTlsOptions(ca_file=stranger)))


def test_a_migration_that_is_killed_goes_on(
    cassandra: Cassandra, authority: Authority, shared_lymer: Lymer, tmp_path: Path
) -> None:
    """Over TLS, with options and variables named as Jaeger's; every span once, counted twice."""
    state, trusted = tmp_path / "state.json", tmp_path / "ca.pem"
    trusted.write_bytes(authority.certificate)
    environment = lymer_environment(
        {"CASSANDRA_SERVERS": "localhost", "CASSANDRA_USERNAME": USER,
         "CASSANDRA_PASSWORD": PASSWORD}
    )  # fmt: skip

    def command(state: Path) -> list[str]:
        return [
            sys.executable, "-m", "lymer", "migrate", "cassandra://", f"--state={state}", "--json",
            f"--cassandra.port={cassandra.port}", f"--cassandra.tls.ca={trusted}",
            f"--url={shared_lymer.query_url}",
            f"--endpoint=http://127.0.0.1:{shared_lymer.ports['otlp_http']}",
        ]  # fmt: skip

    def run(state: Path) -> Any:
        done = subprocess.run(
            command(state), env=environment, capture_output=True, text=True, timeout=100,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return orjson.loads(done.stdout)

    first_run = subprocess.Popen(command(state), env=environment, stdout=subprocess.DEVNULL)
    for _ in poll(120):
        if state.exists() or first_run.poll() is not None:
            break
    first_run.kill()
    first_run.wait()
    told = run(state)
    assert 1 <= told["parts_before"] < 512, "the first run was not killed in the middle"
    assert (told["missing"], told["refused"], told["problems"]) == (0, 0, 0)

    told = run(tmp_path / "none.json")
    assert (told["spans"], told["known"], told["added"]) == (_SPANS, _SPANS, 0)
    (trace,) = shared_lymer.find_traces(service="cassandra-shop", tags='{"number":"7"}', limit=5)
    assert len(trace["spans"]) == _TRACE_SPANS
