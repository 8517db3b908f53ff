"""The terminal's questions: what `generate` sent is found, listed and printed."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import grpc
import pytest

from e2e.lymer_process import Lymer, lymer_environment, poll
from e2e.otlp import new_trace_id, request_of, span_of
from lymer.clock import unix_nano
from lymer.wire.tempo_proto import SERVICE, TEMPO


def _run(lymer: Lymer, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "lymer", *arguments],
        env={**lymer_environment(), "LYMER_URL": lymer.query_url},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr + done.stdout
    return done


@pytest.fixture(scope="module")
def filled(shared_lymer: Lymer) -> Lymer:
    """Return a Lymer with traces, half of which failed."""
    endpoint = f"--endpoint=http://127.0.0.1:{shared_lymer.ports['otlp_http']}"
    _run(shared_lymer, "generate", "--traces=40", "--errors=0.5", "--seed=77", endpoint)
    # Other tests' traces are there before ours are.
    ours = '{ resource.service.name = "gateway" } >> { status = error }'
    for _ in poll(20):
        found = _run(shared_lymer, "search", ours, "--limit", "3", "--json").stdout
        if len(json.loads(found)["traces"]) == 3:
            break
    return shared_lymer


def test_a_question_finds_traces_and_one_is_printed(filled: Lymer) -> None:
    """Every span is a line, children below their parents; failed ones say so."""
    # Other tests' traces are there, too, and some of them are one span.
    below = "{ } >> { status = error }"
    said = _run(filled, "search", below, "--limit", "3").stdout.splitlines()
    assert said[0].split() == ["trace", "start", "duration", "matched", "spans", "root"]
    assert len(said) == 4
    trace_id = said[1].split()[0]
    tree = _run(filled, "trace", trace_id).stdout.splitlines()
    whole = json.loads(_run(filled, "trace", trace_id, "--json").stdout)["data"][0]
    assert len(tree) == len(whole["spans"])
    assert tree[0].startswith("    0 ns")
    assert any(line.endswith("  error") for line in tree)
    assert any(line.count("  ") > tree[0].count("  ") for line in tree)


def test_services_keys_and_values_are_listed(filled: Lymer) -> None:
    """As tables and as JSON."""
    assert "gateway" in _run(filled, "services").stdout
    listed = json.loads(_run(filled, "services", "--json").stdout)["services"]
    assert {"service", "operations", "spans", "errors", "selfNano"} <= set(listed[0])
    assert "span.http.request.method" in _run(filled, "complete").stdout
    values = _run(filled, "complete", "span.http.request.method").stdout.split()
    assert {"GET", "POST"} & set(values)
    begun = _run(filled, "complete", "span.http.req").stderr
    assert "No span of this time has span.http.req; there are span.http.request.method" in begun
    assert json.loads(_run(filled, "complete", "--json").stdout)["fields"]


def test_nothing_and_nonsense(filled: Lymer) -> None:
    """Nothing found is no failure; what cannot be read is one."""
    assert _run(filled, "search", '{ name = "nobody" }').stdout == "No trace matches.\n"
    assert "line 1, column 3" in _run(filled, "search", "{ foo", code=1).stderr
    assert "trace not found" in _run(filled, "trace", "f" * 32, code=1).stderr
    assert "--help" in _run(filled, "search", "--limit", "0", code=2).stderr


def test_what_is_stored_is_followed(filled: Lymer) -> None:
    """Spans that match, as lines; a follower that ends is gone, and others are refused nothing."""
    following = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "lymer",
            "tail",
            '{ kind = server && resource.service.name = "followed" }',
            "--count=3",
            "--rate=2",
            "--json",
        ],
        env={**lymer_environment(), "LYMER_URL": filled.query_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    # Of one request: every look that finds any finds more than it may show.
    for _ in poll(60):
        if following.poll() is not None:
            break
        spans_at_once = (span_of(new_trace_id()) for _ in range(10))
        filled.http.post(
            f"http://127.0.0.1:{filled.ports['otlp_http']}/v1/traces",
            content=request_of(*spans_at_once, service="followed").SerializeToString(),
            headers={"content-type": "application/x-protobuf"},
        ).raise_for_status()
    out, said = following.communicate(timeout=30)
    assert following.returncode == 0, said
    spans = [json.loads(line) for line in out.splitlines()]
    assert [one["kind"] for one in spans] == ["server"] * 3
    assert all(one["service"] and len(one["traceID"]) == 32 for one in spans)
    assert "not shown: over --rate" in said
    assert "line 1, column" in _run(filled, "tail", "{ foo", code=1).stderr
    assert "cannot follow numbers" in _run(filled, "tail", "{ } | rate()", code=1).stderr


def test_who_is_busy_and_who_calls_whom(filled: Lymer) -> None:
    """As tables, trees, DOT and JSON."""
    rows: list[dict[str, Any]] = []
    for _ in poll(20):
        rows = json.loads(_run(filled, "top", "--json", "--window=10m").stdout)["rows"]
        if rows:
            break
    busy = [one["calls"] for one in rows]
    assert busy == sorted(busy, reverse=True)
    assert {"service", "operation", "perSecond", "errors", "p50", "p95", "p99"} <= set(rows[0])
    assert "calls/s" in _run(filled, "top", "--by=service", "--window=10m").stdout
    found = json.loads(_run(filled, "graph", "--format=json").stdout)
    assert _run(filled, "graph").stdout.splitlines()[0].split()[:2] == ["calls", "errors"]
    drawn = _run(filled, "graph", "--format=dot").stdout
    assert drawn.count(" -> ") == len(found["edges"]) > 0
    tree = _run(filled, "graph", "--format=tree").stdout
    assert all(one["name"] in tree for one in found["nodes"])


def test_grafana_finds_http_and_streams_on_one_port(filled: Lymer) -> None:
    """What it asks over HTTP and over gRPC, of the same host and port."""
    place = f"127.0.0.1:{filled.ports['tempo']}"
    now = int(unix_nano() // 10**9)
    asked = {"q": "{ status = error }", "start": now - 3600, "end": now + 10, "limit": 50}
    plain = filled.http.get(f"http://{place}/api/search", params=asked).json()["traces"]
    with grpc.insecure_channel(place) as channel:
        search = channel.unary_stream(
            f"/{SERVICE}/Search",
            request_serializer=TEMPO["SearchRequest"].SerializeToString,
            response_deserializer=TEMPO["SearchResponse"].FromString,
        )
        question = TEMPO["SearchRequest"](
            Query=asked["q"], start=asked["start"], end=asked["end"], Limit=50
        )
        streamed = [one for answer in search(question, timeout=30) for one in answer.traces]
    assert [one.traceID for one in streamed] == [one["traceID"] for one in plain] != []
