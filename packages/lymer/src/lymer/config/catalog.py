"""The list of settings, read from the annotations of the settings classes: path → rule, default."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, cast, get_args, get_origin, get_type_hints

from lymer.config import (
    kafka_settings,
    receiver_settings,
    role_settings,
    sampling_settings,
    security,
    settings,
    tail_settings,
    tenancy,
)
from lymer.config.rules import FILE, Rule

__all__ = ["GROUPS", "SETTINGS", "Setting", "build_config", "field_docstrings", "json_schema"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One leaf of the configuration."""

    path: str
    """Dotted names from the top, such as `query.port`."""
    rule: Rule[Any]
    """What it may be."""
    default: object
    """Its built-in value, or None where it depends on the environment."""


def _walk(group: type, prefix: str) -> Iterator[tuple[str, type | Setting]]:
    hints = get_type_hints(group, include_extras=True)
    for field in dataclasses.fields(group):
        hint = hints[field.name]
        path = prefix + field.name
        if get_origin(hint) is Annotated:
            rule = get_args(hint)[1]
            missing = field.default is dataclasses.MISSING
            yield path, Setting(path, rule, None if missing else field.default)
        else:
            yield path, hint
            yield from _walk(hint, path + ".")


_NODES: Final[dict[str, type | Setting]] = {
    "": settings.Config,
    **dict(_walk(settings.Config, "")),
}

SETTINGS: Final[Mapping[str, Setting]] = {
    path: node for path, node in _NODES.items() if isinstance(node, Setting)
}
"""Every setting by its path, in the order of the classes."""

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    path: tuple(field.name for field in dataclasses.fields(node))
    for path, node in _NODES.items()
    if not isinstance(node, Setting)
}
"""Every group's path (the top is empty) → the names in it."""


def build_config(values: Mapping[str, object]) -> settings.Config:
    """Make a Config of one value for each path in `SETTINGS`."""
    return cast("settings.Config", _build(settings.Config, "", values))


def _build(group: type, prefix: str, values: Mapping[str, object]) -> object:
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(group):
        path = prefix + field.name
        node = _NODES[path]
        arguments[field.name] = (
            values[path] if isinstance(node, Setting) else _build(node, path + ".", values)
        )
    return group(**arguments)


def json_schema() -> dict[str, object]:
    """Return the JSON Schema (2020-12) of a configuration file, descriptions included."""
    schema = _group_schema("")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Lymer configuration",
        **schema,
    }


def _group_schema(path: str) -> dict[str, object]:
    group = cast("type", _NODES[path])
    prefix = path + "." if path else ""
    properties: dict[str, object] = {}
    for name in GROUPS[path]:
        node = _NODES[prefix + name]
        text = field_docstrings()[group.__name__, name]
        if isinstance(node, Setting):
            properties[name] = {"description": text, **_leaf_schema(node)}
        else:
            properties[name] = {"description": text, **_group_schema(prefix + name)}
    return {"type": ["object", "null"], "properties": properties, "additionalProperties": False}


def _leaf_schema(setting: Setting) -> dict[str, object]:
    # A key without a value stands for the default; "${env:NAME}" may stand for anything.
    accepted: list[object] = [
        setting.rule.schema,
        {"type": "string", "pattern": r"\$\{"},
        {"type": "null"},
    ]
    schema: dict[str, object] = {"anyOf": accepted}
    if setting.default is not None or setting.rule is FILE:  # None is no file
        schema["default"] = setting.rule.encode(setting.default)
    return schema


@cache
def field_docstrings() -> Mapping[tuple[str, str], str]:
    """Return (class, field) → the docstring under the field, as one paragraph."""
    texts: dict[tuple[str, str], str] = {}
    modules = (
        settings,
        receiver_settings,
        role_settings,
        kafka_settings,
        sampling_settings,
        security,
        tail_settings,
        tenancy,
    )
    files = (Path(str(module.__file__)) for module in modules)
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in files)
    for node in (node for tree in trees for node in tree.body):
        if not isinstance(node, ast.ClassDef):
            continue
        for statement, following in zip(node.body, node.body[1:], strict=False):
            match statement, following:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str() as text)),
                ):
                    texts[node.name, name] = " ".join(text.split())
                case _:
                    pass
    return texts
