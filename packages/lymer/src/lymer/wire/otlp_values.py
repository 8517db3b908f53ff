"""Attribute values that are no AnyValue: found by one parse, and left out as protobuf leaves them.

A field with another wire type than the schema's is unknown to protobuf's parser, which steps over
it; the engine keeps its bytes as the value. Written out as they are they would spoil the answer.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

__all__ = ["with_readable_values"]


def with_readable_values(traces: bytes) -> bytes:
    """Return a `TracesData` message that every reader can decode.

    Args:
        traces: One that is whole, but for values that may be no AnyValue.

    Returns:
        The same bytes, or, if a value in them cannot be read, the message without that value.

    Raises:
        DecodeError: More than values is wrong.
    """
    try:
        trace_pb2.TracesData.FromString(traces)
    except DecodeError:
        return _repaired(traces)
    return traces


def _repaired(traces: bytes) -> bytes:
    opened = _OpaqueTraces.FromString(traces)
    for resource_spans in opened.resource_spans:
        _clear_unreadable(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            _clear_unreadable(scope_spans.scope.attributes)
            for span in scope_spans.spans:
                _clear_unreadable(span.attributes)
                for inner in (*span.events, *span.links):
                    _clear_unreadable(inner.attributes)
    return bytes(opened.SerializeToString())


def _clear_unreadable(attributes: Any) -> None:
    for attribute in attributes:
        try:
            common_pb2.AnyValue.FromString(attribute.value)
        except DecodeError:
            attribute.ClearField("value")


def _opaque_traces_class() -> Any:
    """Make the class of `TracesData` whose attribute values are bytes that nobody looks into."""
    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        for message in file.message_type:
            if message.name == "KeyValue":
                for field in message.field:
                    if field.name == "value":
                        field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
                        field.ClearField("type_name")
        pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("opentelemetry.proto.trace.v1.TracesData")
    )


_OpaqueTraces: Any = _opaque_traces_class()
