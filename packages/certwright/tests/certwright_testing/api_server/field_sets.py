"""Sets of fields: what an object sets, how two objects differ, and how both are written down.

A field is a path of elements, each as FieldsV1 writes it: `f:NAME` a field, `k:{"type":"Ready"}` an
object in a keyed list, `v:"x"` a value in a set. A set of paths is a plain frozenset of tuples; in
FieldsV1 it is nested objects, with `.` where an inner node is itself a member.

Source: Kubernetes API reference, FieldsV1; structured-merge-diff v6 (behaviour, by experiment
against kube-apiserver 1.34: `tests/contract/store/test_managed_fields.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

from certwright.errors import InvalidError
from certwright.resources.kinds import Manifest
from certwright_testing.api_server.schema import Rule

__all__ = [
    "MISSING",
    "Difference",
    "FieldSet",
    "Path",
    "compare",
    "decode_fields",
    "encode_fields",
    "fields_of",
    "is_object_map",
    "list_element",
]

Path: TypeAlias = tuple[str, ...]
FieldSet: TypeAlias = frozenset[Path]


class _Missing:
    """Stands for a field that is not there, which JSON's null is not."""


MISSING: Final = _Missing()


@dataclass(slots=True)
class Difference:
    """How a second object differs from a first."""

    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.added or self.modified or self.removed)


# ------------------------------------------------------------------------------ written down


def encode_fields(paths: Iterable[Path]) -> Manifest:
    """Write a set of paths as FieldsV1."""
    root: Manifest = {}
    members = set(paths)
    for path in sorted(members):
        node = root
        for element in path:
            node = node.setdefault(element, {})
    _mark_members(root, (), members)
    return root


def _mark_members(node: Manifest, path: Path, members: set[Path]) -> None:
    for element, child in node.items():
        if not child:
            continue
        _mark_members(child, (*path, element), members)
        if (*path, element) in members:
            node[element] = {".": {}, **child}


def decode_fields(fields: Mapping[str, Any]) -> FieldSet:
    """Read FieldsV1.

    Raises:
        InvalidError: It is not nested objects.
    """
    found: set[Path] = set()
    _collect(fields, (), found)
    return frozenset(found)


def _collect(node: Mapping[str, Any], path: Path, found: set[Path]) -> None:
    if not isinstance(node, Mapping):
        raise InvalidError(f"cannot read fieldsV1 at {'/'.join(path) or 'its root'}: not an object")
    if path and not node:
        found.add(path)
    for element, child in node.items():
        if element == ".":
            found.add(path)
        else:
            _collect(child, (*path, element), found)


# ------------------------------------------------------------------------------ lists


def list_element(entry: Any, rule: Rule) -> str | None:
    """Return the path element of an entry of a keyed list or a set; None if it has no key."""
    if rule.is_set:
        return "v:" + _text(entry) if not isinstance(entry, dict | list) else None
    if not isinstance(entry, dict) or any(key not in entry for key in rule.keys):
        return None
    return "k:" + _text({key: entry[key] for key in sorted(rule.keys)})


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def is_object_map(value: Any, rule: Rule) -> bool:
    """Tell whether a list merges entry by entry: every entry has a key, and no two the same."""
    if rule.atomic or not (rule.keys or rule.is_set) or not isinstance(value, list):
        return False
    elements = [list_element(entry, rule) for entry in value]
    return None not in elements and len(set(elements)) == len(elements)


def _entries(value: Any, rule: Rule) -> dict[str, Any] | None:
    """Return the entries by path element; None if `value` does not merge entry by entry."""
    if value is MISSING:
        return {}
    if isinstance(value, dict) and not rule.atomic and not rule.keys and not rule.is_set:
        return {f"f:{name}": child for name, child in value.items()}
    if is_object_map(value, rule):
        return {cast("str", list_element(entry, rule)): entry for entry in value}
    return None


def _inner(element: str, rule: Rule) -> Rule:
    if element.startswith("f:"):
        return rule.of(element[2:])
    return Rule(atomic=rule.is_set or rule.entries_atomic, fields=rule.fields)


# ------------------------------------------------------------------------------ what is set


def fields_of(obj: Any, rule: Rule) -> set[Path]:
    """Return what an applied configuration sets: its leaves, and the entries of keyed lists."""
    found: set[Path] = set()
    _fields_of(obj, rule, (), found)
    return found


def _fields_of(value: Any, rule: Rule, path: Path, found: set[Path]) -> None:
    entries = _entries(value, rule)
    if entries is None or (not entries and path):
        found.add(path)
        return
    for element, child in entries.items():
        if not element.startswith("f:"):
            found.add((*path, element))
        _fields_of(child, _inner(element, rule), (*path, element), found)


# ------------------------------------------------------------------------------ how they differ


def compare(before: Any, after: Any, rule: Rule) -> Difference:
    """Compare two objects."""
    difference = Difference()
    _compare(before, after, rule, (), difference)
    return difference


def _compare(before: Any, after: Any, rule: Rule, path: Path, out: Difference) -> None:
    if before is after:
        return
    left, right = _entries(before, rule), _entries(after, rule)
    if left is None or right is None or not (left or right):
        _compare_leaf(before, after, rule, path, out)
        return
    for element in left.keys() | right.keys():
        _compare(
            left.get(element, MISSING),
            right.get(element, MISSING),
            _inner(element, rule),
            (*path, element),
            out,
        )
    if rule.always_there:
        return
    if before is MISSING:
        out.added.add(path)
    elif after is MISSING:
        out.removed.add(path)


def _compare_leaf(before: Any, after: Any, rule: Rule, path: Path, out: Difference) -> None:
    if before is MISSING:
        if not rule.always_there:
            out.added.add(path)
    elif after is MISSING:
        out.removed.add(path)
        if isinstance(before, dict | list):  # it was one piece on one side only
            out.removed.update((*path, *rest) for rest in fields_of(before, rule))
    elif before != after or type(before) is not type(after):
        out.modified.add(path)
