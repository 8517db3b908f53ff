"""One trace sent by OpenTelemetry's exporters for Jaeger, as an application would.

Usage: python send.py udp PORT | http URL | grpc HOST:PORT. Prints what was sent as one JSON object.
"""

from __future__ import annotations

import json
import sys

from opentelemetry import trace
from opentelemetry.exporter.jaeger.proto.grpc import JaegerExporter as GrpcExporter
from opentelemetry.exporter.jaeger.thrift import JaegerExporter as ThriftExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

_SECOND = 1_700_000_000_000_000_000


def main() -> None:
    """Send and print."""
    kind, target = sys.argv[1:]
    if kind == "udp":
        exporter = ThriftExporter(agent_host_name="127.0.0.1", agent_port=int(target))
    elif kind == "http":
        exporter = ThriftExporter(collector_endpoint=target)
    else:
        exporter = GrpcExporter(collector_endpoint=target, insecure=True)
    resource = Resource.create({"service.name": f"python-{kind}", "host.name": "host-1"})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("shop.frontend", "4.5.6")
    link = trace.Link(
        trace.SpanContext(0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7, is_remote=True)
    )
    parent = tracer.start_span(
        "parent",
        kind=SpanKind.SERVER,
        start_time=_SECOND + 250_000_000,
        attributes={"text": "한국어", "flag": True, "int": -7, "float": 0.1, "list": ["a", "b"]},
        links=[link],
    )
    parent.add_event("retry", {"attempt": 2}, _SECOND + 500_000_000)
    parent.set_status(Status(StatusCode.ERROR, "upstream said no"))
    child = tracer.start_span(
        "child",
        context=trace.set_span_in_context(parent),
        kind=SpanKind.CLIENT,
        start_time=_SECOND + 375_000_000,
        attributes={"peer.service": "db"},
    )
    child.end(_SECOND + 500_000_000)
    parent.end(_SECOND + 750_000_000)
    provider.shutdown()
    context = parent.get_span_context()
    print(
        json.dumps(
            {
                "traceId": f"{context.trace_id:032x}",
                "parentSpanId": f"{context.span_id:016x}",
                "childSpanId": f"{child.get_span_context().span_id:016x}",
            }
        )
    )


main()
