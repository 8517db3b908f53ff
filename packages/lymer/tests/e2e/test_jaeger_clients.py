"""Jaeger's own clients send, over UDP, HTTP and gRPC; its API answers with what they sent."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import grpc
import pytest

from e2e.jaeger_json import Tag, logs_of, process_of, references_of, span_named, tags_of
from e2e.javascript import Node, find_node
from e2e.lymer_process import Lymer, lymer_environment
from fakes import jaeger_batch as jaeger
from fakes.jaeger_batch import Batch, Log, Ref, to_post_spans

CLIENT = Path(__file__).parent / "jaeger_client_python.py"
POST_SPANS = "/jaeger.api_v2.CollectorService/PostSpans"


@pytest.fixture(scope="module")
def node() -> Node:
    """Node with jaeger-client installed; without Node the tests are skipped, and say so."""
    found = find_node()
    if found is None:
        pytest.skip("no Node: install requirements/dev.txt, or node and npm")
    found.install_packages()
    return found


def _check_parent(trace: dict[str, Any], sent: dict[str, str], tags: list[Tag]) -> None:
    parent = span_named(trace, "parent")
    assert parent["spanID"] == sent["parentSpanId"]
    assert parent["references"] == []
    assert (parent["startTime"], parent["duration"]) == (1_700_000_000_250_000, 500_000)
    assert tags_of(parent) == [
        ("sampler.type", "string", "const"),
        ("sampler.param", "bool", True),
        *tags,
        ("span.kind", "string", "server"),
        ("otel.status_code", "string", "ERROR"),
        ("error", "bool", True),
    ]
    assert logs_of(parent) == [
        (1_700_000_000_500_000, [("event", "string", "error"), ("message", "string", "boom")])
    ]


def _check_child(
    trace: dict[str, Any], sent: dict[str, str], references: list[tuple[str, str, str]]
) -> None:
    child = span_named(trace, "child")
    assert child["spanID"] == sent["childSpanId"]
    assert references_of(child) == references
    assert (child["startTime"], child["duration"]) == (1_700_000_000_375_000, 125_000)
    assert tags_of(child) == [
        ("peer.service", "string", "db"),
        ("span.kind", "string", "client"),
    ]


def _check_process(trace: dict[str, Any], service: str, version: str) -> None:
    found, tags = process_of(trace, span_named(trace, "child"))
    assert found == service
    by_key = {key: value for key, _, value in tags}
    assert by_key["deploy.env"] == "test"
    assert by_key["opencensus.exporterversion"] == version
    assert {"host.name", "ip"} <= by_key.keys()


@pytest.mark.skipif(find_spec("jaeger_client") is None, reason="jaeger-client is not installed")
def test_the_python_client_over_udp(shared_lymer: Lymer) -> None:
    """Compact protocol, 128-bit trace ids, a FOLLOWS_FROM reference."""
    done = subprocess.run(
        [sys.executable, str(CLIENT), str(shared_lymer.ports["jaeger_udp_compact"])],
        env=lymer_environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sent = json.loads(done.stdout)
    trace = shared_lymer.wait_for_trace(sent["traceId"], 2, raw=True)
    _check_parent(
        trace,
        sent,
        [
            ("http.status_code", "int64", 503),
            ("float", "float64", 0.1),
            ("text", "string", "é 한국어"),
            ("big", "int64", str(2**53)),  # JavaScript would round it
        ],
    )
    parent = (sent["traceId"], sent["parentSpanId"])
    _check_child(trace, sent, [("FOLLOWS_FROM", *parent)])
    _check_process(trace, "jaeger-client-python", "Jaeger-Python-4.8.0")


@pytest.mark.node
@pytest.mark.timeout(360)
@pytest.mark.parametrize("transport", ["udp", "http"])
def test_the_node_client(shared_lymer: Lymer, node: Node, transport: str) -> None:
    """Binary protocol; every number is a double."""
    ports = shared_lymer.ports
    target = {
        "udp": str(ports["jaeger_udp_binary"]),
        "http": f"http://127.0.0.1:{ports['jaeger_http']}/api/traces",
    }[transport]
    printed = node.run("jaeger-client.mjs", transport, target, environment=lymer_environment())
    sent = json.loads(printed)
    trace = shared_lymer.wait_for_trace(sent["traceId"], 2, raw=True)
    _check_parent(
        trace,
        sent,
        [
            ("http.status_code", "float64", 503),
            ("float", "float64", 0.1),
            ("text", "string", "é 한국어"),
        ],
    )
    _check_child(trace, sent, [("CHILD_OF", sent["traceId"], sent["parentSpanId"])])
    _check_process(trace, "jaeger-client-node", "Jaeger-Node-3.19.0")


def test_an_agent_over_grpc(shared_lymer: Lymer) -> None:
    """A message as Jaeger's agents write it; a span with a process of its own."""
    trace_id = 0xABCDEF << 64 | 0x1234567
    batch = Batch(
        "agent-batch",
        [
            jaeger.Span(
                trace_id=trace_id,
                span_id=5,
                name="first",
                tags=[("raw", b"\x01\x02"), ("n", -1)],
                logs=[Log(1_700_000_000_000_001, [("event", "e"), ("f", 0.5)])],
            ),
            jaeger.Span(
                trace_id=trace_id,
                span_id=6,
                name="second",
                refs=[Ref(0, trace_id, 5)],
                process=("own", [("k", True)]),
            ),
        ],
        [("agent", "yes")],
    )
    with grpc.insecure_channel(f"127.0.0.1:{shared_lymer.ports['jaeger_grpc']}") as channel:
        call: Callable[..., bytes] = channel.unary_unary(POST_SPANS)
        assert call(to_post_spans(batch), timeout=20) == b""
    trace = shared_lymer.wait_for_trace(f"{trace_id:032x}", 2, raw=True)
    first, second = span_named(trace, "first"), span_named(trace, "second")
    assert tags_of(first) == [("raw", "binary", "AQI="), ("n", "int64", -1)]
    assert logs_of(first) == [
        (1_700_000_000_000_001, [("event", "string", "e"), ("f", "float64", 0.5)])
    ]
    assert process_of(trace, first) == ("agent-batch", [("agent", "string", "yes")])
    assert references_of(second) == [("CHILD_OF", f"{trace_id:032x}", f"{5:016x}")]
    assert process_of(trace, second) == ("own", [("k", "bool", True)])
