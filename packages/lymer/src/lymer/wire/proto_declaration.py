"""Protobuf messages declared in a few lines of text, so that no generated file is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["message_classes"]


def message_classes(name: str, package: str, messages: Mapping[str, str]) -> dict[str, Any]:
    """Return the class of each message of a proto3 file.

    Args:
        name: The file's name, for the library's own messages.
        package: Its package.
        messages: Message → its fields as `name:type=number`, with `*` after the type if it is
            repeated. A type is another message of the file or one of protobuf's.
    """
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax="proto3")
    for message_name, fields in messages.items():
        message = file.message_type.add(name=message_name)
        for declared in fields.split():
            field_name, _, rest = declared.partition(":")
            kind, _, number = rest.partition("=")
            is_repeated = kind.endswith("*")
            field = message.field.add(name=field_name, number=int(number))
            field.label = field.LABEL_REPEATED if is_repeated else field.LABEL_OPTIONAL
            kind = kind.removesuffix("*")
            if kind in messages:
                field.type = field.TYPE_MESSAGE
                field.type_name = f".{package}.{kind}"
            else:
                field.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message_name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{package}.{message_name}")
        )
        for message_name in messages
    }
