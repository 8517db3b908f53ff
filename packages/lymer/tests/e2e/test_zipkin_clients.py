"""Real Zipkin clients send; Jaeger's API answers with every field they sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from opentelemetry.exporter.zipkin.encoder import Protocol
from opentelemetry.exporter.zipkin.json import ZipkinExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from py_zipkin import Encoding
from py_zipkin.transport import SimpleHTTPTransport
from py_zipkin.zipkin import zipkin_client_span, zipkin_server_span

from e2e.jaeger_json import logs_of, process_of, references_of, span_named, tags_of
from e2e.lymer_process import Lymer
from fakes.recorded_wire import recorded

_MARK_SECONDS = 1_700_000_000.5


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine's proxy settings applies to loopback."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("NO_PROXY", "*")


def _tags(span: dict[str, Any]) -> dict[str, tuple[str, object]]:
    """Return key → (type, value); keys stand once."""
    found = {key: (kind, value) for key, kind, value in tags_of(span)}
    assert len(found) == len(span["tags"])
    return found


@pytest.mark.parametrize("encoding", [Encoding.V1_JSON, Encoding.V2_JSON])
def test_py_zipkin(shared_lymer: Lymer, encoding: Encoding) -> None:
    """Server and client spans, with tags, a mark, and the address of the one called."""
    transport = SimpleHTTPTransport("127.0.0.1", shared_lymer.ports["zipkin"])
    with zipkin_server_span(
        service_name="cart",
        span_name="get /cart",
        transport_handler=transport,
        sample_rate=100.0,
        host="127.0.0.1",
        port=8080,
        use_128bit_trace_id=True,
        encoding=encoding,
        annotations={"mark": _MARK_SECONDS},
        binary_annotations={"http.path": "/cart", "서울": "부산"},
    ) as root:
        assert root.zipkin_attrs is not None
        trace_id = root.zipkin_attrs.trace_id
        with zipkin_client_span(service_name="cart", span_name="select") as call:
            call.update_binary_annotations({"error": "true"})
            call.add_sa_binary_annotation(port=5432, service_name="db", host="127.0.0.9")

    trace = shared_lymer.wait_for_trace(trace_id, 2)
    server, client = span_named(trace, "get /cart"), span_named(trace, "select")
    assert server["traceID"] == trace_id
    assert references_of(server) == []
    assert references_of(client) == [("CHILD_OF", trace_id, server["spanID"])]
    assert server["startTime"] <= client["startTime"]
    assert 0 < client["duration"] <= server["duration"]
    assert {process_of(trace, span)[0] for span in (server, client)} == {"cart"}
    found = _tags(server)
    assert found["http.path"] == ("string", "/cart")
    assert found["서울"] == ("string", "부산")
    assert found["span.kind"] == ("string", "server")
    ((instant, fields),) = logs_of(server)
    assert instant == _MARK_SECONDS * 1_000_000
    assert fields == [("event", "string", "mark")]
    found = _tags(client)
    assert found["span.kind"] == ("string", "client")
    assert found["error"] == ("bool", True)
    assert found["peer.service"] == ("string", "db")
    assert found["network.peer.address"] == ("string", "127.0.0.9")
    assert found["net.peer.port"] == ("int64", 5432)
    assert _local_address(trace, server) == ("127.0.0.1", 8080)


def _local_address(trace: dict[str, Any], span: dict[str, Any]) -> tuple[object, int]:
    """Return address and port of a span's own end: v1 has them in the process, v2 in tags."""
    process = trace["processes"][span["processID"]]
    tags = {tag["key"]: tag["value"] for tag in (*span["tags"], *process["tags"])}
    address = tags.get("ipv4", tags.get("network.local.address"))
    return address, int(tags.get("port", tags.get("net.host.port", 0)))


@pytest.mark.parametrize(
    ("version", "path"), [(Protocol.V1, "/api/v1/spans"), (Protocol.V2, "/api/v2/spans")]
)
def test_opentelemetry_exporter(shared_lymer: Lymer, version: Protocol, path: str) -> None:
    """The SDK's Zipkin exporter: attributes, event, status, scope and kind arrive."""
    exporter = ZipkinExporter(
        version=version,
        endpoint=shared_lymer.zipkin_url + path,
        local_node_ipv4="127.0.0.1",
        local_node_port=8080,
        max_tag_value_length=128,
    )
    provider = TracerProvider(
        resource=Resource({"service.name": "cart", "host.name": "host-1"}), shutdown_on_exit=False
    )
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("shop.cart", "1.2.3")
    with tracer.start_as_current_span("get /cart", kind=SpanKind.SERVER) as parent:
        assert isinstance(parent, Span)
        parent.set_attributes({"http.path": "/cart", "items": 3, "cold": True})
        parent.add_event("cache miss", {"key": "cart:7", "tries": 2})
        parent.set_status(Status(StatusCode.ERROR, "cart is empty"))
        with tracer.start_as_current_span("select"):
            pass
    provider.shutdown()

    trace_id = f"{parent.context.trace_id:032x}"
    trace = shared_lymer.wait_for_trace(trace_id, 2)
    server, local = span_named(trace, "get /cart"), span_named(trace, "select")
    assert references_of(local) == [("CHILD_OF", trace_id, server["spanID"])]
    assert parent.start_time is not None
    assert abs(server["startTime"] - parent.start_time // 1000) <= 1
    found = {key: (kind, value) for key, kind, value in tags_of(server)}
    assert found["http.path"] == ("string", "/cart")
    assert found["items"] == ("string", "3")
    assert found["cold"] == ("string", "true")
    if version is Protocol.V2:  # the exporter's v1 does not say the kind
        assert found["span.kind"] == ("string", "server")
    assert found["otel.scope.name"] == ("string", "shop.cart")
    assert found["otel.scope.version"] == ("string", "1.2.3")
    # The exporter writes the status' description into `error`, which stays beside Jaeger's own.
    assert ("error", "string", "cart is empty") in tags_of(server)
    ((_, fields),) = logs_of(server)
    ((_, _, packed),) = fields
    assert json.loads(str(packed).strip("'")) == {"cache miss": {"key": "cart:7", "tries": 2}}
    service, process = process_of(trace, server)
    assert service == "cart"
    assert _local_address(trace, server) == ("127.0.0.1", 8080)
    host = ("host.name", "string", "host-1")
    assert host in (tags_of(server) if version is Protocol.V1 else process)


def test_recorded_envoy(shared_lymer: Lymer) -> None:
    """What the real Envoy sent in protobuf is found by its trace."""
    body = recorded("envoy-zipkin-proto", "002-http9411.body")
    answer = shared_lymer.http.post(
        shared_lymer.zipkin_url + "/api/v2/spans",
        content=body,
        headers={"Content-Type": "application/x-protobuf"},
    )

    assert (answer.status_code, answer.content) == (202, b"")
    trace = shared_lymer.wait_for_trace("80f198ee56343ba864fe8b2a57d3eff7", 2)
    server, call = span_named(trace, "bed-op"), span_named(trace, "router backend egress")
    assert references_of(call) == [("CHILD_OF", call["traceID"], server["spanID"])]
    found = _tags(call)
    assert found["span.kind"] == ("string", "client")
    assert found["error"] == ("bool", True)
    assert found["http.status_code"] == ("string", "503")
    assert found["upstream_cluster"] == ("string", "backend")
    assert found["network.local.address"] == ("string", "192.0.2.2")
    assert [fields for _, fields in logs_of(call)] == [[("event", "string", "cr")]]
    assert process_of(trace, call)[0] == "bed-proxy"
    found = _tags(server)
    assert found["guid:x-request-id"] == ("string", "b27c4bdb-8820-9f22-a6ed-6f122f3cc598")
    assert found["http.url"] == ("string", "http://127.0.0.1:10003/fail")
