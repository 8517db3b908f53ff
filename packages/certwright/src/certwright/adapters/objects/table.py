"""All objects by key, and what each request would change: decided first, carried out by `commit`.

::

    create, update, apply, delete ──▶ Write (before, after) ──▶ [kept on disk] ──▶ commit

Nothing changes before `commit`, so whoever persists writes can fail in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol, TypeAlias

from certwright.adapters.objects.history import CHANGES_MAX, Event, History
from certwright.adapters.objects.merging import Merging, Writer
from certwright.adapters.objects.objects import (
    Birth,
    check_preconditions,
    check_shape,
    copy_json,
    is_gone,
    marked_for_deletion,
    prepare_create,
    prepare_replace,
    resource_name,
    with_generation,
)
from certwright.adapters.objects.owners import Owners
from certwright.adapters.objects.selectors import parse_selector
from certwright.engine.store import Selection
from certwright.errors import AlreadyExistsError, ConflictError, NotFoundError, RefusedError
from certwright.resources.kinds import SUBJECT_ACCESS_REVIEW, Key, Kind, Manifest

__all__ = ["AccessReview", "Admission", "Chance", "Table", "Write", "key_of", "labels_of"]

Operation: TypeAlias = Literal["CREATE", "UPDATE", "DELETE"]

DEAD_UIDS_MAX: Final = 10_000
"""Owners that were deleted and are remembered, so that what is created for them later goes too."""


class Admission(Protocol):
    """What stands before every write, as webhooks do."""

    def __call__(
        self, operation: Operation, before: Manifest | None, after: Manifest, manager: str
    ) -> Manifest:
        """Return the object to store, changed or not; must not change what it is given.

        Raises:
            RefusedError: The write is not allowed.
        """


AccessReview: TypeAlias = Callable[[Manifest], bool]
"""The spec of a SubjectAccessReview → whether it is allowed."""


@dataclass(frozen=True, slots=True)
class Chance:
    """What a store draws by lot."""

    uid: Callable[[], str]
    """A new uid."""
    suffix: Callable[[], str]
    """What a generated name ends with."""


@dataclass(frozen=True, slots=True)
class Write:
    """One change that `commit` carries out; nothing changes if both sides are the same object."""

    key: Key
    before: Manifest | None
    after: Manifest | None


class Table:
    """Holds objects. Not for use by several threads."""

    def __init__(
        self,
        kinds: Iterable[Kind],
        *,
        now: Callable[[], datetime],
        chance: Chance,
        admission: Admission | None = None,
        access_review: AccessReview | None = None,
        changes_max: int = CHANGES_MAX,
        merging: Merging | None = None,
    ) -> None:
        self._merging = merging or Owners()
        self._kinds = {(kind.group, kind.name): kind for kind in kinds}
        self._objects: dict[Kind, dict[tuple[str, str], Manifest]] = {}
        self._now, self._chance = now, chance
        self._admission, self._access_review = admission, access_review
        self._living: set[str] = set()
        self._dead: dict[str, None] = {}
        self._owned: dict[str, set[Key]] = {}
        self._orphans: deque[Key] = deque()
        self.history = History(changes_max)
        self.revision = 2  # so that there is a moment before everything, and it is forgotten
        self.history.forget_up_to(self.revision)

    # -------------------------------------------------------------------------- reading

    def kind_of(self, obj: Manifest) -> Kind:
        """Return the kind of an object.

        Raises:
            RefusedError: Nobody here knows it.
        """
        group = str(obj.get("apiVersion", "")).rpartition("/")[0]
        kind = self._kinds.get((group, str(obj.get("kind", ""))))
        if kind is None or kind.api_version != obj.get("apiVersion"):
            raise RefusedError(
                f'no matches for kind "{obj.get("kind")}" in version "{obj.get("apiVersion")}"'
            )
        return kind

    def get(self, key: Key) -> Manifest | None:
        """Return the stored object itself."""
        return self._objects.get(key.kind, {}).get((key.namespace, key.name))

    def select(self, selection: Selection) -> list[Manifest]:
        """Return the stored objects themselves, by namespace and name."""
        matches = parse_selector(selection.label_selector)
        return [
            obj
            for (namespace, _), obj in sorted(self._objects.get(selection.kind, {}).items())
            if selection.namespace in ("", namespace) and matches(labels_of(obj))
        ]

    # -------------------------------------------------------------------------- deciding

    def create(self, obj: Manifest, manager: str) -> Write:
        """Decide what storing a new object means."""
        kind = self.kind_of(obj)
        if kind == SUBJECT_ACCESS_REVIEW:
            allowed = self._access_review is None or self._access_review(obj.get("spec", {}))
            answer = {**copy_json(obj), "status": {"allowed": allowed}}
            return Write(key_of(kind, obj), None, answer)
        after = prepare_create(kind, obj, self._birth())
        key = key_of(kind, after)
        if self.get(key) is not None:
            raise AlreadyExistsError(f'{resource_name(kind)} "{key.name}" already exists')
        after = self._admit("CREATE", None, after, manager)
        writer = Writer(manager, "Update", kind.api_version)
        self._merging.check(kind, after)
        after = self._merging.updated(None, after, writer, kind, self._time())
        return Write(key, None, self._numbered(after))

    def update(self, obj: Manifest, manager: str, subresource: str = "") -> Write:
        """Decide what replacing an object, or its status, means."""
        kind = self.kind_of(obj)
        key = key_of(kind, obj)
        before = self._present(key)
        after = prepare_replace(kind, before, obj, subresource)
        after = with_generation(kind, before, after)
        after = self._admit("UPDATE", before, after, manager)
        writer = Writer(manager, "Update", kind.api_version, subresource)
        self._merging.check(kind, after)
        after = self._merging.updated(before, after, writer, kind, self._time())
        return self._replacement(key, before, after)

    def apply(self, obj: Manifest, manager: str, *, force: bool, subresource: str) -> Write:
        """Decide what a server-side apply means."""
        kind = self.kind_of(obj)
        configuration = _configuration(kind, obj, subresource)
        key = key_of(kind, configuration)
        before = self.get(key)
        writer = Writer(manager, "Apply", kind.api_version, subresource)
        now = self._time()
        if before is None:
            _check_may_create(key, obj["metadata"])
            return self._apply_to_nothing(key, configuration, writer)
        check_preconditions(key, before, obj.get("metadata", {}))
        after = self._merging.applied(before, configuration, writer, kind, now=now, force=force)
        if after is before:
            return Write(key, before, before)
        after = with_generation(kind, before, after)
        check_shape(kind, after)
        self._merging.check(kind, after)
        after = self._admit("UPDATE", before, after, manager)
        return self._replacement(key, before, after)

    def delete(self, key: Key, uid: str = "") -> Write:
        """Decide what deleting an object means."""
        before = self._present(key)
        if uid and before["metadata"]["uid"] != uid:
            raise ConflictError(
                f'Operation cannot be fulfilled on {resource_name(key.kind)} "{key.name}": '
                f"Precondition failed: UID in precondition: {uid}, UID in object meta: "
                f"{before['metadata']['uid']}"
            )
        if self._admission is not None:
            self._admission("DELETE", before, before, "")
        if not before["metadata"].get("finalizers"):
            return Write(key, before, None)
        if before["metadata"].get("deletionTimestamp"):
            return Write(key, before, before)
        return Write(
            key, before, self._numbered(marked_for_deletion(key.kind, before, self._time()))
        )

    def next_garbage(self) -> Write | None:
        """Decide about the next object whose owners may be gone; None when there is none left."""
        while self._orphans:
            key = self._orphans.popleft()
            before = self.get(key)
            if before is None:
                continue
            references = before["metadata"].get("ownerReferences", [])
            living = [entry for entry in references if entry.get("uid") in self._living]
            if len(living) == len(references):
                continue
            if not living:
                return self.delete(key)
            metadata = {**before["metadata"], "ownerReferences": living}
            return Write(key, before, self._numbered({**before, "metadata": metadata}))
        return None

    # -------------------------------------------------------------------------- carrying out

    def commit(self, write: Write) -> None:
        """Carry a decision out; it must be the latest one."""
        if write.before is write.after or write.key.kind == SUBJECT_ACCESS_REVIEW:
            return
        self.revision += 1
        key, before, after = write.key, write.before, write.after
        place = (key.namespace, key.name)
        if after is None and before is not None:
            del self._objects[key.kind][place]
            self._bury(key, before)
            before = self._numbered(before, self.revision)
        elif after is not None:
            self._objects.setdefault(key.kind, {})[place] = after
            self._remember_owners(key, before, after)
        self.history.append(Event(self.revision, key.kind, before, after))

    def load(self, objects: Iterable[Manifest]) -> None:
        """Take objects as they were stored earlier, then look for orphans among them."""
        for obj in objects:
            key = key_of(self.kind_of(obj), obj)
            self._objects.setdefault(key.kind, {})[(key.namespace, key.name)] = obj
            self._remember_owners(key, None, obj)
            self.revision = max(self.revision, int(obj["metadata"]["resourceVersion"]))
        self._orphans.extend(key for keys in self._owned.values() for key in keys)
        self.history.forget_up_to(self.revision)

    # -------------------------------------------------------------------------- small parts

    def _present(self, key: Key) -> Manifest:
        obj = self.get(key)
        if obj is None:
            raise NotFoundError(f'{resource_name(key.kind)} "{key.name}" not found')
        return obj

    def _birth(self) -> Birth:
        return Birth(self._chance.uid(), self._time(), self._chance.suffix())

    def _time(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _numbered(self, obj: Manifest, revision: int | None = None) -> Manifest:
        version = str(self.revision + 1 if revision is None else revision)
        return {**obj, "metadata": {**obj["metadata"], "resourceVersion": version}}

    def _admit(
        self, operation: Operation, before: Manifest | None, after: Manifest, manager: str
    ) -> Manifest:
        if self._admission is None:
            return after
        return self._admission(operation, before, after, manager)

    def _replacement(self, key: Key, before: Manifest, after: Manifest) -> Write:
        if after == before:
            return Write(key, before, before)
        if is_gone(after):
            return Write(key, before, None)
        return Write(key, before, self._numbered(after))

    def _apply_to_nothing(self, key: Key, configuration: Manifest, writer: Writer) -> Write:
        if writer.subresource:
            raise NotFoundError(f'{resource_name(key.kind)} "{key.name}" not found')
        merged = self._merging.applied(
            None, configuration, writer, key.kind, now=self._time(), force=True
        )
        managed = merged["metadata"].get("managedFields")
        after = prepare_create(key.kind, merged, self._birth())
        after = self._admit("CREATE", None, after, writer.manager)
        if managed:
            after["metadata"]["managedFields"] = managed
        return Write(key, None, self._numbered(after))

    def _bury(self, key: Key, obj: Manifest) -> None:
        uid = obj["metadata"]["uid"]
        self._living.discard(uid)
        self._dead[uid] = None
        if len(self._dead) > DEAD_UIDS_MAX:
            del self._dead[next(iter(self._dead))]
        for entry in obj["metadata"].get("ownerReferences", ()):
            self._owned.get(entry.get("uid", ""), set()).discard(key)
        self._orphans.extend(sorted(self._owned.pop(uid, ()), key=str))

    def _remember_owners(self, key: Key, before: Manifest | None, after: Manifest) -> None:
        self._living.add(after["metadata"]["uid"])
        old = _owner_uids(before) if before is not None else set()
        new = _owner_uids(after)
        for uid in old - new:
            self._owned.get(uid, set()).discard(key)
        for uid in new - old:
            self._owned.setdefault(uid, set()).add(key)
            if uid in self._dead:
                self._orphans.append(key)


def key_of(kind: Kind, obj: Manifest) -> Key:
    """Return the key of an object of a known kind."""
    metadata = obj.get("metadata") or {}
    return kind.key(str(metadata.get("namespace", "")), str(metadata.get("name", "")))


def labels_of(obj: Manifest) -> dict[str, str]:
    """Return the labels of an object."""
    labels: dict[str, str] = obj["metadata"].get("labels") or {}
    return labels


def _check_may_create(key: Key, sent: Manifest) -> None:
    """Refuse to make an object for an apply that means a certain one.

    A version alone does not keep an API server from making the object.
    """
    if sent.get("uid"):
        raise ConflictError(
            f'Operation cannot be fulfilled on {resource_name(key.kind)} "{key.name}": uid'
            f" mismatch: the provided object specified uid {sent['uid']}, and no existing object"
            " was found"
        )


def _owner_uids(obj: Manifest) -> set[str]:
    return {str(entry.get("uid")) for entry in obj["metadata"].get("ownerReferences", ())}


def _configuration(kind: Kind, obj: Manifest, subresource: str) -> Manifest:
    """Return what an apply may set: the status only, or all but the status."""
    configuration: Manifest = copy_json(obj)
    metadata = configuration.setdefault("metadata", {})
    if metadata.pop("managedFields", None):
        raise RefusedError("metadata.managedFields must be nil")
    if not kind.namespaced:
        metadata.pop("namespace", None)
    if subresource == "status":
        named = {"name": metadata.get("name"), "namespace": metadata.get("namespace")}
        names = {field: value for field, value in named.items() if value}
        return {
            **{field: configuration[field] for field in ("apiVersion", "kind")},
            "metadata": names,
            **({"status": configuration["status"]} if "status" in configuration else {}),
        }
    if kind.has_status:
        configuration.pop("status", None)
    metadata.pop("resourceVersion", None)
    metadata.pop("uid", None)
    return configuration
