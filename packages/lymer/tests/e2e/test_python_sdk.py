"""The OpenTelemetry Python SDK sends; Jaeger's API answers with the same fields and types."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcExporter,
)
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpExporter,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)
from opentelemetry.trace.span import TraceState

from e2e.jaeger_json import Tag, logs_of, process_of, references_of, span_named, tags_of
from e2e.lymer_process import Lymer

LONG_TEXT = '가나다 ✓ "quoted" \\ \n' + "x" * 5000

ATTRIBUTES: dict[str, object] = {
    "text": "GET /cart",
    "text.empty": "",
    "text.long": LONG_TEXT,
    "flag.true": True,
    "flag.false": False,
    "int": 500,
    "int.negative": -1,
    "int.zero": 0,
    "int.max": 2**63 - 1,
    "int.min": -(2**63),
    "float": 1.5,
    "float.whole": 2.0,
    "float.tiny": 5e-324,
    "list.text": ("a", "b"),
    "list.int": (1, 2, 3),
    "list.flag": (True, False),
}

EXPECTED_TAGS: list[Tag] = [
    ("otel.scope.name", "string", "shop.cart"),
    ("otel.scope.version", "string", "1.2.3"),
    ("text", "string", "GET /cart"),
    ("text.empty", "string", ""),
    ("text.long", "string", LONG_TEXT),
    ("flag.true", "bool", True),
    ("flag.false", "bool", False),
    ("int", "int64", 500),
    ("int.negative", "int64", -1),
    ("int.zero", "int64", 0),
    # Beyond what JavaScript holds exactly, Jaeger sends text.
    ("int.max", "int64", "9223372036854775807"),
    ("int.min", "int64", "-9223372036854775808"),
    ("float", "float64", 1.5),
    # Go writes a whole number without a fraction; the type is what says float.
    ("float.whole", "float64", 2),
    ("float.tiny", "float64", 5e-324),
    ("list.text", "string", '["a","b"]'),
    ("list.int", "string", "[1,2,3]"),
    ("list.flag", "string", "[true,false]"),
    ("span.kind", "string", "server"),
    ("otel.status_code", "string", "ERROR"),
    ("error", "bool", True),
    ("otel.status_description", "string", "cart is empty"),
    ("w3c.tracestate", "string", "vendor=abc,other=1"),
]

MakeExporter = Callable[[Lymer], SpanExporter]


def _grpc(lymer: Lymer) -> SpanExporter:
    return GrpcExporter(endpoint=lymer.otlp_grpc_target, insecure=True)


def _grpc_gzip(lymer: Lymer) -> SpanExporter:
    return GrpcExporter(
        endpoint=lymer.otlp_grpc_target, insecure=True, compression=grpc.Compression.Gzip
    )


def _http(compression: Compression) -> MakeExporter:
    return lambda lymer: HttpExporter(endpoint=lymer.otlp_http_url, compression=compression)


EXPORTERS = [
    pytest.param(_grpc, id="gRPC"),
    pytest.param(_grpc_gzip, id="gRPC gzip"),
    pytest.param(_http(Compression.NoCompression), id="HTTP protobuf"),
    pytest.param(_http(Compression.Gzip), id="HTTP protobuf gzip"),
    pytest.param(_http(Compression.Deflate), id="HTTP protobuf deflate"),
]


def _send(exporter: SpanExporter) -> tuple[Span, Span, SpanContext, SpanContext]:
    """Make a remote parent's child and a grandchild, and return what was sent."""
    provider = TracerProvider(
        resource=Resource(
            {"service.name": "cart", "host.cores": 2, "host.spot": True, "region": "서울"}
        ),
        span_limits=SpanLimits(max_span_attributes=128),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("shop.cart", "1.2.3")
    generator = provider.id_generator
    remote = SpanContext(
        trace_id=generator.generate_trace_id(),
        span_id=generator.generate_span_id(),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
        trace_state=TraceState([("vendor", "abc"), ("other", "1")]),
    )
    linked = SpanContext(
        generator.generate_trace_id(), generator.generate_span_id(), is_remote=False
    )
    parent = tracer.start_span(
        "GET /cart",
        context=trace.set_span_in_context(NonRecordingSpan(remote)),
        kind=SpanKind.SERVER,
        attributes=ATTRIBUTES,
        links=[Link(linked, {"why": "retry"})],
    )
    parent.add_event("cache miss", {"key": "cart:7", "tries": 2, "cold": True, "ratio": 0.25})
    parent.add_event("no attributes")
    child = tracer.start_span("SELECT", context=trace.set_span_in_context(parent))
    child.end()
    parent.set_status(Status(StatusCode.ERROR, "cart is empty"))
    parent.end()
    provider.shutdown()
    assert isinstance(parent, Span)
    assert isinstance(child, Span)
    return parent, child, remote, linked


def _hex(context: SpanContext | None) -> tuple[str, str]:
    assert context is not None
    # Jaeger writes 16 digits when the upper half of a trace id is zero, which chance may do.
    trace_id = f"{context.trace_id:032x}".removeprefix("0" * 16)
    return trace_id, f"{context.span_id:016x}"


def _by_key(tags: list[Tag]) -> list[Tag]:
    return sorted(tags, key=lambda tag: tag[0])


@pytest.mark.parametrize("make_exporter", EXPORTERS)
def test_every_field_sent_is_found_again(shared_lymer: Lymer, make_exporter: MakeExporter) -> None:
    """Attributes, events, links, status, kind, scope, resource, trace state survive with types."""
    parent, child, remote, linked = _send(make_exporter(shared_lymer))
    trace_id, parent_id = _hex(parent.context)

    found = shared_lymer.wait_for_trace(trace_id, 2, raw=True)
    adjusted = shared_lymer.wait_for_trace(trace_id, 2)
    span = span_named(found, "GET /cart")

    assert found["traceID"] == trace_id
    assert span["spanID"] == parent_id
    assert span["warnings"] is None
    assert tags_of(span) == EXPECTED_TAGS
    assert _by_key(tags_of(span_named(adjusted, "GET /cart"))) == _by_key(EXPECTED_TAGS)
    assert parent.start_time is not None
    assert parent.end_time is not None
    assert span["startTime"] == parent.start_time // 1000
    assert span["duration"] == (parent.end_time - parent.start_time) // 1000
    assert references_of(span) == [
        ("CHILD_OF", *_hex(remote)),
        ("FOLLOWS_FROM", *_hex(linked)),
    ]
    miss, bare = parent.events
    assert logs_of(span) == [
        (
            miss.timestamp // 1000,
            [
                ("event", "string", "cache miss"),
                ("key", "string", "cart:7"),
                ("tries", "int64", 2),
                ("cold", "bool", True),
                ("ratio", "float64", 0.25),
            ],
        ),
        (bare.timestamp // 1000, [("event", "string", "no attributes")]),
    ]
    assert process_of(found, span) == (
        "cart",
        [
            ("host.cores", "int64", 2),
            ("host.spot", "bool", True),
            ("region", "string", "서울"),
        ],
    )
    select = span_named(found, "SELECT")
    assert references_of(select) == [("CHILD_OF", trace_id, parent_id)]
    assert ("span.kind", "string", "internal") in tags_of(select)
    assert select["spanID"] == _hex(child.context)[1]
