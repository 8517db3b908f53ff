"""The chart, rendered by Helm's own library."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import helm_python
import yaml

__all__ = ["CHART", "Objects", "field", "merged", "nested", "notes", "refusal", "render"]

CHART: Final = Path(__file__).parents[4] / "charts" / "certwright"

Objects = dict[tuple[str, str], dict[str, Any]]
"""Rendered objects by kind and name."""

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@cache
def _chart() -> helm_python.Chart:
    return helm_python.Chart.load(CHART)


def render(
    values: dict[str, Any] | None = None,
    *,
    name: str = "cert-manager",
    namespace: str = "mgmt",
) -> Objects:
    """Return what `helm template` makes of some values."""
    return dict(_render(json.dumps(values or {}), name, namespace))


def notes(values: dict[str, Any] | None = None) -> str:
    """Return what an installation says at its end."""
    return _rendered(json.dumps(values or {}), "cert-manager", "mgmt")[
        "certwright/templates/NOTES.txt"
    ]


def refusal(values: dict[str, Any]) -> str:
    """Return why some values are refused; empty if they are not."""
    try:
        render(values)
    except helm_python.HelmError as error:
        return str(error)
    return ""


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return values with one set: `a.b` is {"a": {"b": value}}."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def merged(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    """Return both; where maps meet they are merged, else the second wins."""
    made = dict(low)
    for key, value in high.items():
        both = isinstance(value, dict) and isinstance(made.get(key), dict)
        made[key] = merged(made[key], value) if both else value
    return made


def field(objects: Objects, kind: str, name: str, path: str) -> Any:
    """Return a field of an object, or None; `*` asks whether there is the object."""
    found: Any = objects.get((kind, name))
    if path == "*":
        return found is not None
    for key in path.split("/"):
        if found is None:
            return None
        if isinstance(found, list):
            found = found[int(key)] if int(key) < len(found) else None
        else:
            found = found.get(key)
    return found


@cache
def _render(values: str, name: str, namespace: str) -> tuple[tuple[tuple[str, str], Any], ...]:
    made: Objects = {}
    for path, text in _rendered(values, name, namespace).items():
        if path.endswith(".txt"):
            continue
        for document in yaml.load_all(text, Loader=_LOADER):
            if document:
                key = (document["kind"], document["metadata"]["name"])
                assert key not in made, f"{key} twice"
                made[key] = document
    return tuple(made.items())


@cache
def _rendered(values: str, name: str, namespace: str) -> dict[str, str]:
    return _chart().render(json.loads(values), name=name, namespace=namespace)
