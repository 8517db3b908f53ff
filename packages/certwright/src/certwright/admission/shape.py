"""The shape of an object against its CRD, as the API server checks it before and after a webhook.

The webhook needs the types, because a mutating webhook sees objects that nobody has checked yet;
a folder of files needs all of it, because no API server stands before it.

Source: Kubernetes documentation, "Specifying a structural schema"; texts of apiextensions-apiserver
v0.27.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from certwright.admission.fields import (
    FieldError,
    child,
    index,
    invalid,
    key,
    not_supported,
    required,
)
from certwright.errors import InvalidError
from certwright.resources.crds import schema_of
from certwright.resources.kinds import Manifest
from certwright.resources.meta import kind_of
from certwright.resources.times import parse_time

__all__ = ["known_fields", "shape_errors", "type_errors", "unknown_fields"]

_TYPES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
}


def type_errors(obj: Manifest) -> list[FieldError]:
    """Return the fields whose type is wrong.

    Raises:
        InvalidError: The kind has no CRD here.
    """
    return list(_check(obj, _schema(obj), "", types_only=True))


def shape_errors(obj: Manifest) -> list[FieldError]:
    """Return all fields that the schema refuses: types, enums, patterns, limits, what is required.

    Raises:
        InvalidError: The kind has no CRD here.
    """
    return list(_check(obj, _schema(obj), "", types_only=False))


def unknown_fields(obj: Manifest) -> list[str]:
    """Return the paths of fields that the schema does not know; the API server drops them.

    Raises:
        InvalidError: The kind has no CRD here.
    """
    return list(_unknown(obj, _schema(obj), ""))


def known_fields(obj: Manifest, path: str) -> list[str]:
    """Return the names of the fields that the schema has at a path such as `spec.acme.solvers[0]`.

    Raises:
        InvalidError: The kind has no CRD here.
    """
    schema = _schema(obj)
    for part in re.findall(r"[^.\[\]]+", path):
        inside = schema.get("properties", {}).get(part)
        schema = inside if inside is not None else schema.get("items", {}) if part.isdigit() else {}
    return list(schema.get("properties", {}))


def _schema(obj: Manifest) -> Mapping[str, Any]:
    kind = kind_of(obj)
    try:
        return schema_of(kind)
    except FileNotFoundError:
        raise InvalidError(f"{kind.name} is no kind of ours") from None


def _check(
    value: Any, schema: Mapping[str, Any], path: str, *, types_only: bool
) -> Iterator[FieldError]:
    if "type" not in schema:
        return
    kind = schema["type"]
    if not isinstance(value, _TYPES[kind]) or (kind == "integer" and isinstance(value, bool)):
        found = _type_name(value)
        yield invalid(path, found, f'{path} in body must be of type {kind}: "{found}"')
        return
    if isinstance(value, dict):
        yield from _check_object(value, schema, path, types_only=types_only)
    elif isinstance(value, list):
        for position, entry in enumerate(value):
            where = index(path, position)
            yield from _check(entry, schema["items"], where, types_only=types_only)
        if not types_only:
            yield from _check_list_keys(value, schema, path)
    elif not types_only:
        yield from _check_scalar(value, schema, path)


def _check_object(
    value: dict[str, Any], schema: Mapping[str, Any], path: str, *, types_only: bool
) -> Iterator[FieldError]:
    if not types_only:
        for name in schema.get("required", ()):
            if value.get(name) is None:
                yield required(child(path, name))
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties")
    for name, entry in value.items():
        if name in properties:
            if entry is not None:  # null is dropped before anything else looks at it
                where = child(path, name)
                yield from _check(entry, properties[name], where, types_only=types_only)
        elif others:
            yield from _check(entry, others, key(path, name), types_only=types_only)


def _check_list_keys(
    value: list[Any], schema: Mapping[str, Any], path: str
) -> Iterator[FieldError]:
    names = schema.get("x-kubernetes-list-map-keys", ())
    seen = set()
    for position, entry in enumerate(value):
        if not names or not isinstance(entry, dict):
            continue
        present = tuple(str(entry.get(name)) for name in names)
        if present in seen:
            shown = ", ".join(f'{name}="{text}"' for name, text in zip(names, present, strict=True))
            yield FieldError(index(path, position), "Duplicate value", "", shown)
        seen.add(present)


def _check_scalar(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if "enum" in schema and value not in schema["enum"]:
        yield not_supported(path, value, [str(choice) for choice in schema["enum"]])
    if isinstance(value, str):
        yield from _check_text(value, schema, path)
    elif "minimum" in schema and value < schema["minimum"]:
        limit = schema["minimum"]
        text = f"{path} in body should be greater than or equal to {limit}"
        yield invalid(path, value, text)
    elif "maximum" in schema and value > schema["maximum"]:
        limit = schema["maximum"]
        text = f"{path} in body should be less than or equal to {limit}"
        yield invalid(path, value, text)


def _check_text(value: str, schema: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if len(value) < schema.get("minLength", 0):
        text = f"{path} in body should be at least {schema['minLength']} chars long"
        yield invalid(path, value, text)
    if len(value) > schema.get("maxLength", len(value)):
        text = f"may not be longer than {schema['maxLength']}"
        yield FieldError(path, "Too long", text)
    if "pattern" in schema and re.search(schema["pattern"], value) is None:
        text = f"{path} in body should match '{schema['pattern']}'"
        yield invalid(path, value, text)
    kind = schema.get("format")
    if (kind == "byte" and not _is_base64(value)) or (kind == "date-time" and not _is_time(value)):
        yield invalid(path, value, f'{path} in body must be of type {kind}: "{value}"')


def _is_base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_time(value: str) -> bool:
    try:
        parse_time(value)
    except InvalidError:
        return False
    return True


def _type_name(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _unknown(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    if isinstance(value, list):
        for position, entry in enumerate(value):
            yield from _unknown(entry, schema.get("items", {}), index(path, position))
    if not isinstance(value, dict) or path == "metadata":
        return
    properties = schema.get("properties", {})
    others = schema.get("additionalProperties")
    for name, entry in value.items():
        where = child(path, name)
        if name in properties:
            yield from _unknown(entry, properties[name], where)
        elif others:
            yield from _unknown(entry, others, where)
        elif schema.get("type") == "object":
            yield where
