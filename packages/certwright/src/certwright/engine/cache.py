"""What we last saw of one kind of object, with indexes. Not for use by several threads.

Two sources feed a cache: the watch, which is late, and our own writes, which are not. Versions
decide: what is older than what is known is ignored, and what we deleted does not come back with a
late change.

Source: reference cert-manager.md 13.27 (why it matters what a cache holds).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from certwright.engine.store import Change, Listing
from certwright.reconcile.contract import Index
from certwright.resources.kinds import Key, Kind, Manifest

__all__ = ["KindCache", "OnChange"]

OnChange: TypeAlias = Callable[[Manifest | None, Manifest | None], None]
"""(before, after); either is None when there was or is nothing."""

Place: TypeAlias = tuple[str, str]
"""Namespace and name."""

SHARED_TEXT_CHARACTERS_MAX: Final = 80
"""Texts up to this length are kept once for all objects: names, reasons, uids of owners."""


class KindCache:
    """All objects of a kind that a list and its watch give."""

    def __init__(
        self,
        kind: Kind,
        indexes: Iterable[Index],
        on_change: OnChange,
        *,
        managed_fields: bool = False,
    ) -> None:
        """Start empty.

        Args:
            kind: What is held.
            indexes: By what objects are found besides their name.
            on_change: Is told every change.
            managed_fields: Keep them. They are as large as the rest, and of most kinds nobody asks
                who owns a field; an update without them leaves them as they are.
        """
        self.kind = kind
        self._managed_fields = managed_fields
        self._indexes = {index.name: index for index in indexes}
        self._on_change = on_change
        self._objects: dict[Place, Manifest] = {}
        self._found: dict[str, dict[str, set[Place]]] = {name: {} for name in self._indexes}
        self._values: dict[Place, tuple[tuple[str, str], ...]] = {}
        self._deleted_uids: set[str] = set()

    def __len__(self) -> int:
        return len(self._objects)

    # -------------------------------------------------------------------------- reading

    def get(self, namespace: str, name: str) -> Manifest | None:
        """Return the object itself."""
        return self._objects.get((namespace, name))

    def all(self, namespace: str | None) -> list[Manifest]:
        """Return the objects themselves, by namespace and name."""
        places = sorted(
            place for place in self._objects if namespace is None or place[0] == namespace
        )
        return [self._objects[place] for place in places]

    def all_keys(self) -> list[Key]:
        """Return every object's key."""
        return [self.kind.key(*place) for place in self._objects]

    def find(self, index: Index, value: str) -> list[Manifest]:
        """Return the objects with this value of an index, by namespace and name."""
        assert self._indexes.get(index.name) == index, f"index {index.name} was not announced"
        return [self._objects[place] for place in sorted(self._found[index.name].get(value, ()))]

    # -------------------------------------------------------------------------- the watch

    def replace(self, listing: Listing) -> None:
        """Take a whole list: what is not in it is gone, unless we wrote it since."""
        version = int(listing.resource_version)
        self._deleted_uids.clear()
        listed = set()
        for obj in listing.objects:
            listed.add(_place(obj))
            self._store(obj)
        for place, obj in list(self._objects.items()):
            if place not in listed and _version(obj) <= version:
                self._remove(place)

    def change(self, change: Change) -> None:
        """Take a change that a watch gave."""
        obj = change.object
        if change.type == "BOOKMARK":
            return
        uid = obj["metadata"].get("uid", "")
        if change.type == "DELETED":
            self._deleted_uids.discard(uid)
            known = self._objects.get(_place(obj))
            if known is not None and known["metadata"].get("uid") == uid:
                self._remove(_place(obj))
        elif uid not in self._deleted_uids:
            self._store(obj)

    # -------------------------------------------------------------------------- our own writes

    def wrote(self, obj: Manifest) -> None:
        """Take an object as a write of ours returned it."""
        self._store(obj)

    def deleted(self, key: Key, uid: str) -> None:
        """Take note that we deleted an object; one that waits for finalizers stays."""
        known = self._objects.get((key.namespace, key.name))
        if known is None or known["metadata"].get("uid") != uid:
            return
        if not known["metadata"].get("finalizers"):
            self._deleted_uids.add(uid)
            self._remove((key.namespace, key.name))

    # -------------------------------------------------------------------------- parts

    def _store(self, obj: Manifest) -> None:
        place = _place(obj)
        before = self._objects.get(place)
        if before is not None:
            same = before["metadata"].get("uid") == obj["metadata"].get("uid")
            if same and _version(before) >= _version(obj):
                return
        after = _packed(obj, managed_fields=self._managed_fields)
        self._objects[place] = after
        self._index(place, after)
        self._on_change(before, after)

    def _remove(self, place: Place) -> None:
        before = self._objects.pop(place)
        self._index(place, None)
        self._on_change(before, None)

    def _index(self, place: Place, obj: Manifest | None) -> None:
        if not self._indexes:
            return
        new: tuple[tuple[str, str], ...] = ()
        if obj is not None:
            new = tuple(
                (name, value)
                for name, index in self._indexes.items()
                for value in index.values(obj)
            )
        old = self._values.pop(place, ())
        if new:
            self._values[place] = new
        if old == new:
            return
        for name, value in old:
            places = self._found[name][value]
            places.discard(place)
            if not places:
                del self._found[name][value]
        for name, value in new:
            self._found[name].setdefault(value, set()).add(place)


def _place(obj: Manifest) -> Place:
    metadata = obj["metadata"]
    return (metadata.get("namespace", ""), metadata["name"])


def _version(obj: Manifest) -> int:
    return int(obj["metadata"]["resourceVersion"])


def _packed(obj: Manifest, *, managed_fields: bool) -> Manifest:
    """Return the object with its names and short texts kept once for all objects."""
    if not managed_fields and "managedFields" in obj["metadata"]:
        metadata = {
            name: value for name, value in obj["metadata"].items() if name != "managedFields"
        }
        obj = {**obj, "metadata": metadata}
    packed: Manifest = _shared(obj)
    return packed


def _shared(value: Any) -> Any:
    if isinstance(value, dict):
        return {sys.intern(name): _shared(child) for name, child in value.items()}
    if isinstance(value, list):
        return [_shared(child) for child in value]
    if type(value) is str and len(value) <= SHARED_TEXT_CHARACTERS_MAX:
        return sys.intern(value)
    return value
