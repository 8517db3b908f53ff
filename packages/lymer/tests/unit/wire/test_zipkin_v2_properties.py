"""Zipkin v2: both encodings mean the same, and no value ends in another error than ours."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from lymer.errors import UndecodableError
from lymer.wire.zipkin_proto import ListOfSpans, request_from_zipkin_proto
from lymer.wire.zipkin_v2 import request_from_zipkin_v2_json

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=90)
_tags = st.dictionaries(_text.map("x".__add__), _text, max_size=5)
_endpoint = st.fixed_dictionaries(
    {"serviceName": _text, "ipv4": st.sampled_from(["", "10.0.0.1"]), "port": st.integers(0, 65535)}
)
_spans = st.lists(
    st.fixed_dictionaries(
        {
            "traceId": st.integers(1, 2**128 - 1).map("{:032x}".format),
            "id": st.integers(1, 2**64 - 1).map("{:016x}".format),
            "parentId": st.integers(0, 2**64 - 1).map("{:016x}".format),
            "name": _text,
            "kind": st.sampled_from(["CLIENT", "SERVER", "PRODUCER", "CONSUMER"]),
            "timestamp": st.integers(1, 2**51),
            "duration": st.integers(0, 2**51),
            "localEndpoint": _endpoint,
            "remoteEndpoint": _endpoint,
            "tags": _tags,
            "debug": st.booleans(),
            "shared": st.booleans(),
            "annotations": st.lists(
                st.fixed_dictionaries({"timestamp": st.integers(0, 2**51), "value": _text}),
                max_size=3,
            ),
        }
    ),
    max_size=4,
)


def _as_proto(spans: list[dict[str, Any]]) -> bytes:
    message = ListOfSpans()
    kinds = ("", "CLIENT", "SERVER", "PRODUCER", "CONSUMER")
    for source in spans:
        span = message.spans.add(
            trace_id=bytes.fromhex(source["traceId"]),
            id=bytes.fromhex(source["id"]),
            parent_id=bytes.fromhex(source["parentId"]),
            name=source["name"].encode(),
            kind=kinds.index(source["kind"]),
            debug=source["debug"],
            shared=source["shared"],
            timestamp=source["timestamp"],
            duration=source["duration"],
        )
        for party, name in (
            (span.local_endpoint, "localEndpoint"),
            (span.remote_endpoint, "remoteEndpoint"),
        ):
            party.service_name = source[name]["serviceName"].encode()
            party.ipv4 = bytes([10, 0, 0, 1]) if source[name]["ipv4"] else b""
            party.port = source[name]["port"]
        for key, value in source["tags"].items():
            span.tags.add(key=key.encode(), value=value.encode())
        for annotation in source["annotations"]:
            span.annotations.add(
                timestamp=annotation["timestamp"], value=annotation["value"].encode()
            )
    return bytes(message.SerializeToString())


@given(_spans)
def test_json_and_protobuf_mean_the_same(spans: list[dict[str, Any]]) -> None:
    """One list of spans, in either encoding, becomes the same OTLP, byte for byte."""
    from_json = request_from_zipkin_v2_json(json.dumps(spans).encode())

    assert from_json == request_from_zipkin_proto(_as_proto(spans))


@given(_spans)
def test_what_is_written_is_otlp_as_protobuf_writes_it(spans: list[dict[str, Any]]) -> None:
    """Our bytes are those the library writes for the message it reads from them."""
    for checked in (
        request_from_zipkin_v2_json(json.dumps(spans).encode()),
        request_from_zipkin_proto(_as_proto(spans)),
    ):
        request = trace_service_pb2.ExportTraceServiceRequest.FromString(checked.body)
        again = trace_service_pb2.ExportTraceServiceRequest.FromString(
            request.SerializeToString(deterministic=True)
        )
        assert again == request
        assert checked.span_count == len(spans)
        request.DiscardUnknownFields()
        assert again == request


_FIELDS = [
    "traceId", "id", "parentId", "name", "kind", "timestamp", "duration", "localEndpoint",
    "remoteEndpoint", "annotations", "tags", "debug", "shared",
]  # fmt: skip
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(_FIELDS),
            _json,
        ).map(lambda odd: {"traceId": "1", "id": "2", **odd}),
        max_size=3,
    )
)
def test_any_value_in_any_field_is_read_or_refused(spans: list[dict[str, Any]]) -> None:
    """No value ends in another error than ours."""
    try:
        checked = request_from_zipkin_v2_json(json.dumps(spans).encode())
    except UndecodableError:
        return
    trace_service_pb2.ExportTraceServiceRequest.FromString(checked.body)
