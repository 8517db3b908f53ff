"""Fields that are not what their schema says: found by one parse, and repaired.

A field with another wire type than the schema's is unknown to protobuf's parser, which steps over
it; the engine keeps its bytes as the value or the text. Written out as they are they would spoil
the answer, so a value that is no AnyValue is left out, as protobuf leaves it, and a text that is no
UTF-8 gets the replacement character.
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
        traces: One that is whole, but for values that may be no AnyValue and texts that may be no
            UTF-8.

    Returns:
        The same bytes, or, if a value or a text in them cannot be read, the repaired message.

    Raises:
        DecodeError: More is wrong.
    """
    try:
        trace_pb2.TracesData.FromString(traces)
    except DecodeError:
        return _repaired(traces)
    return traces


def _repaired(traces: bytes) -> bytes:
    opened = _OpaqueTraces.FromString(traces)
    _make_readable(opened)
    for resource_spans in opened.resource_spans:
        _clear_unreadable(resource_spans.resource.attributes)
        for scope_spans in resource_spans.scope_spans:
            _clear_unreadable(scope_spans.scope.attributes)
            for span in scope_spans.spans:
                _clear_unreadable(span.attributes)
                for inner in (*span.events, *span.links):
                    _clear_unreadable(inner.attributes)
    return bytes(opened.SerializeToString())


def _make_readable(message: Any) -> None:
    """Give every text that is no UTF-8 the replacement character, in all that is in a message."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for inner in value if field.is_repeated else (value,):
                _make_readable(inner)
        elif (field.containing_type.full_name, field.name) in _TEXTS:
            if field.is_repeated:
                value[:] = [_readable(one) for one in value]
            else:
                setattr(message, field.name, _readable(value))


def _readable(text: bytes) -> bytes:
    return text.decode(errors="replace").encode()


def _clear_unreadable(attributes: Any) -> None:
    for attribute in attributes:
        try:
            common_pb2.AnyValue.FromString(attribute.value)
        except DecodeError:
            attribute.ClearField("value")


def _opaque_traces_class() -> tuple[Any, set[tuple[str, str]]]:
    """Make the class of `TracesData` whose values and texts are bytes that nobody looks into.

    Returns:
        The class, and (message, field) of every text.
    """
    texts: set[tuple[str, str]] = set()
    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        waiting = [(f"{file.package}.{one.name}", one) for one in file.message_type]
        while waiting:
            full_name, message = waiting.pop()
            waiting += [(f"{full_name}.{one.name}", one) for one in message.nested_type]
            for field in message.field:
                if field.type == descriptor_pb2.FieldDescriptorProto.TYPE_STRING:
                    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
                    texts.add((full_name, field.name))
                elif message.name == "KeyValue" and field.name == "value":
                    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
                    field.ClearField("type_name")
        pool.Add(file)
    made = message_factory.GetMessageClass(
        pool.FindMessageTypeByName("opentelemetry.proto.trace.v1.TracesData")
    )
    return made, texts


_OpaqueTraces, _TEXTS = _opaque_traces_class()
