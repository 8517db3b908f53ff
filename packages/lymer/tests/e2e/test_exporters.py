"""OpenTelemetry's exporters for Jaeger and Zipkin, and Zipkin's own JavaScript client, send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from e2e.jaeger_json import Tag, logs_of, process_of, references_of, span_named, tags_of
from e2e.javascript import EXPORTERS_FOLDER, Node, find_node
from e2e.lymer_process import Lymer, lymer_environment
from e2e.old_exporters import install_exporters, run_exporter

pytestmark = pytest.mark.timeout(480)


@pytest.fixture(scope="module")
def node() -> Node:
    """Node with the exporters installed; without Node the tests are skipped, and say so."""
    found = find_node(EXPORTERS_FOLDER)
    if found is None:
        pytest.skip("no Node: install requirements/dev.txt, or node and npm")
    found.install_packages()
    return found


def _jaeger_target(lymer: Lymer, kind: str, protocol: str = "compact") -> str:
    if kind == "udp":
        return str(lymer.ports[f"jaeger_udp_{protocol}"])
    if kind == "grpc":
        return f"127.0.0.1:{lymer.ports['jaeger_grpc']}"
    return f"http://127.0.0.1:{lymer.ports['jaeger_http']}/api/traces"


def _check_times(trace: dict[str, Any], sent: dict[str, str], *, off_by: int = 0) -> None:
    """Compare ids, times and parent; some exporters lose up to `off_by` microseconds."""
    parent, child = span_named(trace, "parent"), span_named(trace, "child")
    assert parent["spanID"] == sent["parentSpanId"]
    assert child["spanID"] == sent["childSpanId"]
    for span, start, duration in ((parent, 250_000, 500_000), (child, 375_000, 125_000)):
        assert abs(span["startTime"] - 1_700_000_000_000_000 - start) <= off_by
        assert span["duration"] == duration
    assert references_of(child) == [("CHILD_OF", sent["traceId"], sent["parentSpanId"])]


def _assert_has(tags: list[Tag], *wanted: Tag) -> None:
    assert [tag for tag in wanted if tag not in tags] == []


@pytest.mark.parametrize("kind", ["udp", "http", "grpc"])
def test_python_exporter_for_jaeger(shared_lymer: Lymer, kind: str) -> None:
    """`opentelemetry-exporter-jaeger`, thrift and protobuf."""
    install_exporters()
    sent = json.loads(run_exporter(kind, _jaeger_target(shared_lymer, kind)))

    trace = shared_lymer.wait_for_trace(sent["traceId"], 2, raw=True)

    # The protobuf exporter counts nanoseconds as a float.
    _check_times(trace, sent, off_by=1 if kind == "grpc" else 0)
    parent = span_named(trace, "parent")
    _assert_has(
        tags_of(parent),
        ("text", "string", "한국어"),
        ("flag", "bool", True),
        ("int", "int64", -7),
        ("float", "float64", 0.1),
        ("span.kind", "string", "server"),
        ("otel.status_code", "string", "ERROR"),
        ("error", "bool", True),
        ("otel.status_description", "string", "upstream said no"),
    )
    assert references_of(parent) == [
        ("FOLLOWS_FROM", "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
    ]
    ((instant, fields),) = logs_of(parent)
    assert instant == 1_700_000_000_500_000
    _assert_has(fields, ("attempt", "int64", 2))
    assert "retry" in {field.value for _, _, field in fields}  # type: ignore[attr-defined]
    service, process_tags = process_of(trace, parent)
    assert service == f"python-{kind}"
    # These exporters write the resource's attributes on each span.
    _assert_has([*tags_of(parent), *process_tags], ("host.name", "string", "host-1"))


@pytest.mark.node
@pytest.mark.parametrize("kind", ["udp", "http"])
def test_javascript_exporter_for_jaeger(shared_lymer: Lymer, node: Node, kind: str) -> None:
    """`@opentelemetry/exporter-jaeger`."""
    target = _jaeger_target(shared_lymer, kind, "binary")
    printed = node.run("exporter.mjs", f"jaeger-{kind}", target, environment=lymer_environment())
    sent = json.loads(printed)

    trace = shared_lymer.wait_for_trace(sent["traceId"], 2, raw=True)

    _check_times(trace, sent)
    parent = span_named(trace, "parent")
    _assert_has(
        tags_of(parent),
        ("text", "string", "한국어"),
        ("flag", "bool", True),
        ("float", "float64", 0.1),
        ("span.kind", "string", "server"),
        ("otel.status_code", "string", "ERROR"),
        ("error", "bool", True),
        ("otel.status_description", "string", "upstream said no"),
    )
    ((instant, fields),) = logs_of(parent)
    assert instant == 1_700_000_000_500_000
    assert "retry" in {field.value for _, _, field in fields}  # type: ignore[attr-defined]
    service, process_tags = process_of(trace, parent)
    assert service == f"js-jaeger-{kind}"
    # These exporters write the resource's attributes on each span.
    _assert_has([*tags_of(parent), *process_tags], ("host.name", "string", "host-1"))


@pytest.mark.node
def test_javascript_exporter_for_zipkin(shared_lymer: Lymer, node: Node) -> None:
    """`@opentelemetry/exporter-zipkin`: v2 JSON, every value a text."""
    url = f"{shared_lymer.zipkin_url}/api/v2/spans"
    sent = json.loads(node.run("exporter.mjs", "zipkin", url, environment=lymer_environment()))

    trace = shared_lymer.wait_for_trace(sent["traceId"], 2, raw=True)

    _check_times(trace, sent)
    parent = span_named(trace, "parent")
    _assert_has(
        tags_of(parent),
        ("text", "string", "한국어"),
        ("flag", "string", "true"),
        ("int", "string", "-7"),
        ("float", "string", "0.1"),
        ("span.kind", "string", "server"),
        ("otel.status_code", "string", "ERROR"),
    )
    assert logs_of(parent) == [(1_700_000_000_500_000, [("event", "string", "retry")])]
    assert process_of(trace, parent)[0] == "js-zipkin"


@pytest.mark.node
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_zipkin_for_javascript(shared_lymer: Lymer, node: Node, version: str) -> None:
    """The npm package `zipkin`, whose v1 JSON writes the `sa` annotation as a boolean."""
    url = f"{shared_lymer.zipkin_url}/api/{version}/spans"
    sent = json.loads(node.run("zipkin.mjs", version, url, environment=lymer_environment()))

    trace = shared_lymer.wait_for_trace(sent["traceId"], 2)

    server, client = span_named(trace, "get /cart"), span_named(trace, "select")
    assert server["spanID"] == sent["serverSpanId"]
    assert client["spanID"] == sent["clientSpanId"]
    assert references_of(server) == []
    assert references_of(client) == [("CHILD_OF", sent["traceId"], sent["serverSpanId"])]
    _assert_has(
        tags_of(server),
        ("http.path", "string", "/cart"),
        ("서울", "string", "부산"),
        ("span.kind", "string", "server"),
    )
    ((_, fields),) = logs_of(server)
    assert fields == [("event", "string", "found")]
    _assert_has(
        tags_of(client),
        ("span.kind", "string", "client"),
        ("peer.service", "string", "db"),
        ("network.peer.address", "string", "127.0.0.9"),
        ("net.peer.port", "int64", 5432),
        ("error", "string", "refused"),
    )
    assert {process_of(trace, span)[0] for span in (server, client)} == {f"zipkin-js-{version}"}
