"""What each manager last applied, written as FieldsV1, so that what it applies no longer goes.

Lists are one piece, but for conditions (by type) and owner references (by uid): each loop applies
its own. Updates own nothing: what they set stays until an apply of somebody else replaces it.

Source: Kubernetes documentation, Server-Side Apply; FieldsV1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from certwright.adapters.objects.merging import Writer
from certwright.resources.kinds import Kind, Manifest

__all__ = ["Owners"]

_Path: TypeAlias = tuple[str, ...]
_KEYS: Final = {"conditions": "type", "ownerReferences": "uid"}
"""Lists whose objects are told apart, and by what."""
_WHOLE: Final = "ownerReferences"
"""Whose objects are one piece each."""
_NEVER_OWNED: Final = frozenset(
    {"apiVersion", "kind", "metadata.name", "metadata.namespace", "metadata.managedFields"}
)


class Owners:
    """The `Merging` of a folder."""

    def check(self, kind: Kind, obj: Manifest) -> None:
        """Refuse nothing."""

    def updated(
        self, before: Manifest | None, after: Manifest, writer: Writer, kind: Kind, now: str
    ) -> Manifest:
        """Return `after` as it is."""
        del before, writer, kind, now
        return after

    def applied(
        self,
        before: Manifest | None,
        configuration: Manifest,
        writer: Writer,
        kind: Kind,
        *,
        now: str,
        force: bool,
    ) -> Manifest:
        """Return the object after an apply, which takes what it wants from everybody."""
        del kind, force
        entries = [
            entry
            for entry in (before or {}).get("metadata", {}).get("managedFields", ())
            if entry.get("operation") == "Apply"
        ]
        mine = [entry for entry in entries if _is_by(entry, writer)]
        others = [entry for entry in entries if not _is_by(entry, writer)]
        wanted = frozenset(_paths(configuration, ()))
        held = wanted.union(*(_decoded(entry) for entry in others))
        merged = _merged(before or {}, configuration)
        for path in frozenset().union(*(_decoded(entry) for entry in mine)) - held:
            merged = _without(merged, path)
        entry = {
            "manager": writer.manager,
            "operation": "Apply",
            "apiVersion": writer.api_version,
            "time": mine[0]["time"] if mine else now,
            "fieldsType": "FieldsV1",
            "fieldsV1": _encoded(wanted),
            **({"subresource": writer.subresource} if writer.subresource else {}),
        }
        if before is not None and _managed(merged, [*others, entry]) == before:
            return before
        return _managed(merged, [*others, {**entry, "time": now}])


def _is_by(entry: Mapping[str, Any], writer: Writer) -> bool:
    who = (entry.get("manager"), entry.get("apiVersion"), entry.get("subresource", ""))
    return who == (writer.manager, writer.api_version, writer.subresource)


def _managed(obj: Manifest, entries: list[dict[str, Any]]) -> Manifest:
    entries = sorted(entries, key=lambda entry: (entry["manager"], entry.get("subresource", "")))
    return {**obj, "metadata": {**obj.get("metadata", {}), "managedFields": entries}}


# ------------------------------------------------------------------------------ what is owned


def _paths(value: Any, path: _Path) -> Iterator[_Path]:
    """Yield what a configuration sets: its leaves, and the objects of keyed lists."""
    if isinstance(value, dict) and (value or not path):
        for name, child in value.items():
            here = (*path, f"f:{name}")
            if ".".join(element[2:] for element in here) not in _NEVER_OWNED:
                yield from _paths(child, here)
        return
    key = _key_of(path)
    if key and isinstance(value, list):
        for entry in value:
            here = (*path, _element(entry, key))
            yield here
            if path[-1][2:] != _WHOLE:
                yield from _paths(entry, here)
        return
    yield path


def _key_of(path: _Path) -> str:
    return _KEYS.get(path[-1][2:], "") if len(path) == 2 else ""


def _element(entry: Mapping[str, Any], key: str) -> str:
    return "k:" + json.dumps({key: entry.get(key)}, separators=(",", ":"))


def _encoded(paths: Iterable[_Path]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for path in sorted(paths):
        node = root
        for element in path:
            node = node.setdefault(element, {})
        if path[-1].startswith("k:") and path[-2][2:] != _WHOLE:
            node["."] = {}
    return root


def _decoded(entry: Mapping[str, Any]) -> frozenset[_Path]:
    def walk(node: Mapping[str, Any], path: _Path) -> Iterator[_Path]:
        # A map that is owned as such, as an API server writes it, is nothing of its own here.
        if (path and not node) or ("." in node and path[-1].startswith("k:")):
            yield path
        for element, child in node.items():
            if element != ".":
                yield from walk(child, (*path, element))

    return frozenset(walk(entry.get("fieldsV1") or {}, ()))


# ------------------------------------------------------------------------------ merging


def _merged(before: Any, wanted: Any, path: _Path = ()) -> Any:
    if isinstance(wanted, dict) and isinstance(before, dict):
        result = dict(before)
        for name, value in wanted.items():
            result[name] = _merged(before.get(name), value, (*path, f"f:{name}"))
        return result
    key = _key_of(path) if path else ""
    if key and isinstance(wanted, list) and isinstance(before, list):
        entries = {_element(entry, key): entry for entry in before}
        for entry in wanted:
            element = _element(entry, key)
            is_whole = path[-1][2:] == _WHOLE or element not in entries
            entries[element] = entry if is_whole else {**entries[element], **entry}
        return list(entries.values())
    return wanted


def _without(value: Any, path: _Path) -> Any:
    """Return an object without what `path` names, and without what is empty then."""
    element, rest = path[0], path[1:]
    if element.startswith("k:") and isinstance(value, list):
        [(key, name)] = json.loads(element[2:]).items()
        if rest:
            return value  # with its entry, or not at all
        return [entry for entry in value if entry.get(key) != name]
    if not isinstance(value, dict) or element[2:] not in value:
        return value
    name = element[2:]
    child = _without(value[name], rest) if rest else None
    if child in (None, {}, []):
        return {field: found for field, found in value.items() if field != name}
    return {**value, name: child}
