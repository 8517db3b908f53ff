"""The difference of two JSON values as a JSON Patch.

Source: RFC 6902; RFC 6901 for the paths.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["json_patch"]


def json_patch(before: Any, after: Any) -> list[dict[str, Any]]:
    """Return the operations that turn `before` into `after`, sorted by path; empty if equal.

    Objects are compared field by field; a list that differs is replaced as a whole.
    """
    return sorted(_operations(before, after, ""), key=lambda operation: str(operation["path"]))


def _operations(before: Any, after: Any, path: str) -> Iterator[dict[str, Any]]:
    if not isinstance(before, dict) or not isinstance(after, dict):
        if before != after:
            yield {"op": "replace", "path": path, "value": after}
        return
    for name in before.keys() | after.keys():
        where = f"{path}/{_escaped(name)}"
        if name not in after:
            yield {"op": "remove", "path": where}
        elif name not in before:
            yield {"op": "add", "path": where, "value": after[name]}
        else:
            yield from _operations(before[name], after[name], where)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
