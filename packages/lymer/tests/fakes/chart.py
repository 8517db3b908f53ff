"""Lymer's chart, rendered by Helm's own library."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import helm_python
import yaml

__all__ = ["CHART", "Manifest", "Objects", "notes", "refusal", "render", "values_file"]

CHART: Final = Path(__file__).parents[4] / "charts" / "lymer"
NAMESPACE: Final = "tracing"

Manifest = dict[str, Any]
Objects = dict[tuple[str, str], Manifest]
"""Rendered objects by kind and name."""

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def render(values: dict[str, Any] | None = None, *, name: str = "lymer") -> Objects:
    """Return what `helm template` makes of some values."""
    made: Objects = {}
    for path, text in _rendered(json.dumps(values or {}), name).items():
        if path.endswith(".txt"):
            continue
        for document in yaml.load_all(text, Loader=_LOADER):
            if document:
                key = (document["kind"], document["metadata"]["name"])
                assert key not in made, f"{key} twice"
                made[key] = document
    return made


def notes(values: dict[str, Any] | None = None) -> str:
    """Return what an installation says at its end."""
    return _rendered(json.dumps(values or {}), "lymer")["lymer/templates/NOTES.txt"]


def refusal(values: dict[str, Any]) -> str:
    """Return why some values are refused; empty if they are not."""
    try:
        _rendered(json.dumps(values), "lymer")
    except helm_python.HelmError as error:
        return str(error)
    return ""


def values_file(name: str) -> dict[str, Any]:
    """Return a file of values that the chart brings."""
    found: dict[str, Any] = yaml.safe_load((CHART / name).read_text("utf-8"))
    return found


@cache
def _rendered(values: str, name: str) -> dict[str, str]:
    chart = helm_python.Chart.load(CHART)
    return chart.render(json.loads(values), name=name, namespace=NAMESPACE)
