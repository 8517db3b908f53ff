"""Classes of an OTLP request that read less strictly than the schema, made at run time."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

__all__ = ["LenientRequest", "LenientValue", "OpaqueRequest"]

_PACKAGE: Final = "opentelemetry.proto"
_BYTES: Final = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
_STRING: Final = descriptor_pb2.FieldDescriptorProto.TYPE_STRING


def _pool(*, opaque_values: bool) -> descriptor_pool.DescriptorPool:
    """Return OTLP's messages with `bytes` for each text, and for each attribute's value if so."""
    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2, trace_service_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        pending = list(file.message_type)
        while pending:
            message = pending.pop()
            pending.extend(message.nested_type)
            for field in message.field:
                if opaque_values and message.name == "KeyValue" and field.name == "value":
                    field.ClearField("type_name")
                    field.type = _BYTES
                elif field.type == _STRING:
                    field.type = _BYTES
        pool.Add(file)
    return pool


def _class(pool: descriptor_pool.DescriptorPool, name: str) -> Any:
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


_lenient: Final = _pool(opaque_values=False)
LenientRequest: Any = _class(_lenient, "collector.trace.v1.ExportTraceServiceRequest")
"""Texts are bytes: what is not UTF-8 can be read."""
LenientValue: Any = _class(_lenient, "common.v1.AnyValue")
OpaqueRequest: Any = _class(
    _pool(opaque_values=True), "collector.trace.v1.ExportTraceServiceRequest"
)
"""Texts are bytes, and values of attributes too: how deep they are nested does not matter."""
