"""The OpenTelemetry JavaScript SDK sends; Jaeger's API answers with the same fields and types."""

from __future__ import annotations

import json

import pytest

from e2e.jaeger_json import logs_of, process_of, references_of, span_named, tags_of
from e2e.javascript import Node, find_node
from e2e.lymer_process import Lymer, lymer_environment

pytestmark = [pytest.mark.node, pytest.mark.timeout(360)]


@pytest.fixture(scope="module")
def node() -> Node:
    """Node with the SDK installed; without Node the tests are skipped, and say so."""
    found = find_node()
    if found is None:
        pytest.skip("no Node: install requirements/dev.txt, or node and npm")
    found.install_packages()
    return found


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
def test_every_field_sent_is_found_again(
    shared_lymer: Lymer, node: Node, protocol: str, compression: str
) -> None:
    """Attributes, events, links, status, kind, scope, resource, trace state survive with types."""
    endpoint = (
        f"http://{shared_lymer.otlp_grpc_target}"
        if protocol == "grpc"
        else shared_lymer.otlp_http_url
    )
    printed = node.run(
        "client.mjs", protocol, endpoint, compression, environment=lymer_environment()
    )
    sent = json.loads(printed)
    trace_id, parent_id = sent["traceId"], sent["parentSpanId"]

    found = shared_lymer.wait_for_trace(trace_id, 2, raw=True)
    span = span_named(found, "GET /")

    assert span["spanID"] == parent_id
    assert span["startTime"] == 1_700_000_000_123_456
    assert span["duration"] == 1_000_000
    assert tags_of(span) == [
        ("otel.scope.name", "string", "shop.frontend"),
        ("otel.scope.version", "string", "4.5.6"),
        ("text", "string", '한국어 "quoted"'),
        ("flag", "bool", True),
        ("int", "int64", -7),
        ("safe", "int64", 2**53 - 1),
        ("float", "float64", 0.1),
        ("list.text", "string", '["a","b"]'),
        ("list.int", "string", "[1,2]"),
        ("span.kind", "string", "client"),
        ("otel.status_code", "string", "ERROR"),
        ("error", "bool", True),
        ("otel.status_description", "string", "upstream said no"),
        ("w3c.tracestate", "string", "vendor=js"),
    ]
    assert references_of(span) == [
        ("CHILD_OF", trace_id, sent["remoteSpanId"]),
        ("FOLLOWS_FROM", trace_id, "00f067aa0ba902b7"),
    ]
    assert logs_of(span) == [
        (
            1_700_000_000_200_000,
            [
                ("event", "string", "retry"),
                ("attempt", "int64", 2),
                ("fatal", "bool", False),
            ],
        )
    ]
    assert process_of(found, span) == (
        "frontend",
        [("host.cores", "int64", 4), ("host.spot", "bool", False)],
    )
    render = span_named(found, "render")
    assert references_of(render) == [("CHILD_OF", trace_id, parent_id)]
    assert render["spanID"] == sent["childSpanId"]
    assert ("otel.status_code", "string", "OK") in tags_of(render)
    assert "error" not in [name for name, _, _ in tags_of(render)]
