"""The difference of two JSON values as a JSON Patch.

Source: RFC 6902; RFC 6901 for the paths.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["json_patch"]


def json_patch(before: Any, after: Any) -> list[dict[str, Any]]:
    """Return the operations that turn `before` into `after`, sorted by path; empty if equal.

    Objects are compared field by field, lists of one length entry by entry; a list of another
    length is replaced.
    """
    found = [*_operations(before, after, "")]
    return sorted(found, key=lambda operation: str(operation["path"]))


def _operations(before: Any, after: Any, path: str) -> Iterator[dict[str, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in before.keys() | after.keys():
            where = f"{path}/{_escaped(name)}"
            if name not in after:
                yield {"op": "remove", "path": where}
            elif name not in before:
                yield {"op": "add", "path": where, "value": after[name]}
            else:
                yield from _operations(before[name], after[name], where)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for position, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _operations(old, new, f"{path}/{position}")
    elif before != after or isinstance(before, bool) is not isinstance(after, bool):
        yield {"op": "replace", "path": path, "value": after}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
