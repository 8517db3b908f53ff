"""Whatever a sender wrote becomes a code: a name is put into every field of OTLP, none is left."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from lymer.files.anonymizing import KNOWN_VALUES, Anonymizer, Kept

NAME = "Alice O'Neill <alice@corp.example>"
KEYS = (
    "alice", "http.request.header.x-alice", "db.query.parameter.alice", "k8s.pod.label.alice",
    "k8s.pod.annotation.alice.b", "process.environment_variable.ALICE", "user.alice@corp.example",
    "container.label.alice", "rpc.grpc.request.metadata.alice", "user.Alice", "url.full",
    "http.request.header.alice.header.alice", *KNOWN_VALUES,
)  # fmt: skip
"""A key of each kind; all but the last ones say who."""


def filled(message: Any, depth: int = 0) -> None:
    """Put a name into every text and bytes of a message and of those in it."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None:
            if depth > 6:
                continue
            if field.message_type.name == "KeyValue":
                _attributes(getattr(message, field.name), depth)
            elif field.is_repeated:
                filled(getattr(message, field.name).add(), depth + 1)
            elif field.containing_oneof is None or depth < 5:
                filled(getattr(message, field.name), depth + 1)
        elif field.is_repeated:
            if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
                getattr(message, field.name).append(NAME)
        elif field.type == FieldDescriptor.TYPE_STRING:
            setattr(message, field.name, NAME)
        elif field.type == FieldDescriptor.TYPE_BYTES:
            setattr(message, field.name, NAME.encode()[:16])


def _attributes(attributes: Any, depth: int) -> None:
    for key in KEYS:
        pair = attributes.add(key=key)
        pair.value.string_value = NAME
    attributes.add(key="n").value.bytes_value = NAME.encode()
    attributes.add(key="error").value.array_value.values.add().string_value = NAME
    nested = attributes.add(key="exception.type").value.kvlist_value
    if depth < 6:
        _attributes(nested.values, 9)
        attributes.add(key="a").value.array_value.values.add().kvlist_value.values.add(
            key=NAME
        ).value.string_value = NAME


def anonymized(request: ExportTraceServiceRequest, kept: Kept | None = None) -> Any:
    """Return a request with codes."""
    body = Anonymizer(b"key", kept).anonymized(request.SerializeToString())
    return ExportTraceServiceRequest.FromString(body)


def test_nothing_that_names_somebody_is_left_in_any_field() -> None:
    """Texts, bytes and keys of resources, scopes, spans, events and links, however deep."""
    request = ExportTraceServiceRequest()
    filled(request)
    assert request.SerializeToString().lower().count(b"alice") > 500
    shown = anonymized(request)
    assert shown.ByteSize() > 1_000
    assert b"alice" not in shown.SerializeToString().lower()
    assert b"corp.example" not in shown.SerializeToString()


def test_what_is_the_same_stays_the_same_wherever_it_stands() -> None:
    """A text, an id of a span and of a link to it, a parent; zeros are no id before and after."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    first = spans.add(
        trace_id=b"t" * 16, span_id=b"a" * 8, parent_span_id=bytes(8), name="GET /bob"
    )
    first.status.message = "GET /bob"
    first.attributes.add(key="bob").value.string_value = "GET /bob"
    second = spans.add(trace_id=b"t" * 16, span_id=b"b" * 8, parent_span_id=b"a" * 8)
    second.links.add(trace_id=b"t" * 16, span_id=b"a" * 8)
    second.attributes.add(key="bob").value.int_value = 7
    second.attributes.add(key="bob").value.int_value = 7
    one, other = anonymized(request).resource_spans[0].scope_spans[0].spans
    assert one.parent_span_id == bytes(8)
    assert one.trace_id == other.trace_id == other.links[0].trace_id != first.trace_id
    assert one.span_id == other.parent_span_id == other.links[0].span_id != first.span_id
    assert one.name == one.status.message == one.attributes[0].value.string_value != "GET /bob"
    assert one.attributes[0].key == other.attributes[0].key != "bob"
    assert other.attributes[0].value.int_value == other.attributes[1].value.int_value != 7


@pytest.mark.parametrize(
    ("key", "value", "stays"),
    [
        ("http.request.method", "POST", True),
        ("error", "true", True),
        ("error", "no such customer: bob", False),
        ("error.type", "timeout", True),
        ("error.type", "503", True),
        ("error.type", "ConnectionResetError", True),
        ("exception.type", "java.io.IOException", True),
        ("exception.type", "com.acme.refund.RefundRefused", False),
        ("db.system.name", "postgresql", True),
        ("db.operation", "SELECT * FROM bob", False),
        ("telemetry.sdk.version", "1.45.2", True),
        ("customer", "bob", False),
    ],
)
def test_words_of_the_conventions_stay_and_other_words_do_not(
    key: str, value: str, *, stays: bool
) -> None:
    """Also where they stand in a key whose values are usually such words."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add(schema_url="https://opentelemetry.io/schemas/1.30.0")
    resource.resource.attributes.add(key=key).value.string_value = value
    shown = anonymized(request).resource_spans[0]
    assert (shown.resource.attributes[0].value.string_value == value) is stays
    assert shown.schema_url == "https://opentelemetry.io/schemas/1.30.0"


def test_the_name_in_a_key_of_the_conventions_is_a_code_and_its_kind_stays() -> None:
    """A header stays a header; who keeps keys keeps them whole."""
    request = ExportTraceServiceRequest()
    request.resource_spans.add().resource.attributes.add(key="http.request.header.x-bob")
    for kept, begins, named in (
        (Kept(), "http.request.header.x", False),
        (Kept(keys=True), "http.request.header.x-bob", True),
    ):
        key = anonymized(request, kept).resource_spans[0].resource.attributes[0].key
        assert key.startswith(begins)
        assert ("bob" in key) is named
