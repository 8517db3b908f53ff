"""Protobuf messages declared in a few lines of text, so that no generated file is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["message_classes"]


def message_classes(
    name: str,
    package: str,
    messages: Mapping[str, str],
    *,
    pool: descriptor_pool.DescriptorPool | None = None,
    imports: Sequence[str] = (),
    services: Mapping[str, str] = MappingProxyType({}),
    enums: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the class of each message of a proto3 file.

    Args:
        name: The file's name, for the library's own messages.
        package: Its package.
        messages: Message → its fields as `name:type=number`, with `*` after the type if it is
            repeated and `/choice` after the number if at most one of that choice is set. A type is
            another message of the file, one of its enums, one of protobuf's, `map` of text to
            text, or a message of an imported file by its full name with a dot before it.
        pool: Where it becomes known; by default nowhere else.
        imports: Names of files, in `pool`.
        services: Service → its methods as `Name:Question>Answer`, with `*` after each of which
            there are several. Names are those of types.
        enums: Enum → the names of its numbers, from 0.
    """
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax="proto3")
    file.dependency.extend(imports)
    for enum_name, names in enums.items():
        enum = file.enum_type.add(name=enum_name)
        for at, name_of_number in enumerate(names.split()):
            enum.value.add(name=name_of_number, number=at)
    for message_name, fields in messages.items():
        message = file.message_type.add(name=message_name)
        choices: dict[str, int] = {}
        for declared in fields.split():
            field_name, _, rest = declared.partition(":")
            kind, _, number = rest.partition("=")
            number, _, choice = number.partition("/")
            is_repeated = kind.endswith("*")
            field = message.field.add(name=field_name, number=int(number))
            field.label = field.LABEL_REPEATED if is_repeated else field.LABEL_OPTIONAL
            if choice:
                if choice not in choices:
                    choices[choice] = len(choices)
                    message.oneof_decl.add(name=choice)
                field.oneof_index = choices[choice]
            kind = kind.removesuffix("*")
            if kind == "map":
                _declare_map(message, field, f".{package}.{message_name}")
            elif kind in messages or kind.startswith("."):
                field.type = field.TYPE_MESSAGE
                field.type_name = _full(package, kind)
            elif kind in enums:
                field.type, field.type_name = field.TYPE_ENUM, _full(package, kind)
            else:
                field.type = descriptor_pb2.FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    for service_name, methods in services.items():
        service = file.service.add(name=service_name)
        for declared in methods.split():
            method_name, _, rest = declared.partition(":")
            question, _, answer = rest.partition(">")
            service.method.add(
                name=method_name,
                input_type=_full(package, question.removesuffix("*")),
                output_type=_full(package, answer.removesuffix("*")),
                client_streaming=question.endswith("*"),
                server_streaming=answer.endswith("*"),
            )
    pool = pool or descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        message_name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{package}.{message_name}")
        )
        for message_name in messages
    }


def _full(package: str, name: str) -> str:
    return name if name.startswith(".") else f".{package}.{name}"


def _declare_map(message: Any, field: Any, full_name: str) -> None:
    """Make `field` a map of text to text: a list of entries that protobuf knows to be one."""
    entry = message.nested_type.add(name=f"{field.name.capitalize()}Entry")
    entry.options.map_entry = True
    for number, name in enumerate(("key", "value"), start=1):
        entry.field.add(
            name=name, number=number, label=field.LABEL_OPTIONAL, type=field.TYPE_STRING
        )
    field.label, field.type = field.LABEL_REPEATED, field.TYPE_MESSAGE
    field.type_name = f"{full_name}.{entry.name}"
