"""Objects in memory, as a store."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import datetime
from typing import Final, TypeAlias

from certwright import clock
from certwright.adapters.objects.history import CHANGES_MAX, Event
from certwright.adapters.objects.merging import Merging
from certwright.adapters.objects.objects import copy_json
from certwright.adapters.objects.selectors import Matches, parse_selector
from certwright.adapters.objects.table import (
    AccessReview,
    Admission,
    Chance,
    Table,
    Write,
    labels_of,
)
from certwright.engine.store import Change, Listing, Selection
from certwright.errors import InvalidError, RefusedError
from certwright.resources.kinds import KINDS, Key, Kind, Manifest

__all__ = ["RANDOM", "Keep", "ObjectStore"]

Keep: TypeAlias = Callable[[Write], Awaitable[None]]
"""Makes a write durable before it is carried out; may raise `StoreError`, and then it is not."""

BOOKMARK_SECONDS: Final = 60.0
"""A watch that has nothing to say tells its place so often. Source: API Concepts, bookmarks."""
_SUFFIX_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH: Final = 5


def _random_suffix() -> str:
    return "".join(random.choices(_SUFFIX_LETTERS, k=_SUFFIX_LENGTH))  # noqa: S311  # a name


RANDOM: Final = Chance(uid=lambda: str(uuid.uuid4()), suffix=_random_suffix)


class ObjectStore:
    """A `Store` in memory, which may be kept elsewhere write by write."""

    def __init__(  # noqa: PLR0913 - one for each setting
        self,
        kinds: Iterable[Kind] = KINDS,
        *,
        now: Callable[[], datetime] = clock.now,
        chance: Chance = RANDOM,
        admission: Admission | None = None,
        access_review: AccessReview | None = None,
        keep: Keep | None = None,
        changes_max: int = CHANGES_MAX,
        bookmark_seconds: float = BOOKMARK_SECONDS,
        merging: Merging | None = None,
    ) -> None:
        """Start empty.

        Args:
            kinds: What may be stored.
            now: The time, for creationTimestamp, deletionTimestamp and managedFields.
            chance: Draws uids and the ends of generated names.
            admission: Stands before every write.
            access_review: Answers SubjectAccessReviews; without it everything is allowed.
            keep: Makes each write durable before it is carried out.
            changes_max: Changes that are remembered for watches.
            bookmark_seconds: How often a silent watch tells its place.
            merging: Keeps the managed fields; by default what each manager applied.
        """
        self.table = Table(
            kinds,
            now=now,
            chance=chance,
            admission=admission,
            access_review=access_review,
            changes_max=changes_max,
            merging=merging,
        )
        self._keep = keep
        self._lock = asyncio.Lock()
        self._waiting: set[asyncio.Future[None]] = set()
        self._bookmark_seconds = bookmark_seconds

    async def get(self, key: Key, /) -> Manifest | None:
        """Return the object as it is now, or None."""
        await asyncio.sleep(0)
        obj = self.table.get(key)
        return None if obj is None else copy_json(obj)

    async def list(self, selection: Selection, /) -> Listing:
        """Return the selected objects, by namespace and name."""
        await asyncio.sleep(0)
        try:
            objects = self.table.select(selection)
        except InvalidError as error:
            raise RefusedError(f"unable to parse requirement: {error}") from error
        return Listing([_shown(obj, selection) for obj in objects], str(self.table.revision))

    async def watch(self, selection: Selection, resource_version: str, /) -> AsyncIterator[Change]:
        """Give every change after `resource_version`, in order, until closed."""
        try:
            matches = parse_selector(selection.label_selector)
            place = int(resource_version)
        except ValueError as error:
            raise RefusedError(f"Invalid value: {resource_version!r}: must be a number") from error
        while True:
            for event in self.table.history.since(place):
                place = event.revision
                change = _change(event, selection, matches)
                if change is not None:
                    yield change
            if place < self.table.revision:
                place = self.table.revision
                continue
            if not await self._something_changed():
                yield Change("BOOKMARK", _bookmark(selection.kind, place))

    async def create(self, obj: Manifest, /, *, manager: str, dry_run: bool = False) -> Manifest:
        """Store a new object."""
        return await self._write(lambda: self.table.create(obj, manager), dry_run=dry_run)

    async def update(self, obj: Manifest, /, *, manager: str) -> Manifest:
        """Replace an object, its status excepted where that is a subresource."""
        return await self._write(lambda: self.table.update(obj, manager))

    async def update_status(self, obj: Manifest, /, *, manager: str) -> Manifest:
        """Replace the status only."""
        return await self._write(lambda: self.table.update(obj, manager, "status"))

    async def apply(
        self, obj: Manifest, /, *, manager: str, force: bool = True, subresource: str = ""
    ) -> Manifest:
        """Server-side apply."""
        return await self._write(
            lambda: self.table.apply(obj, manager, force=force, subresource=subresource)
        )

    async def delete(self, key: Key, /, *, uid: str = "") -> None:
        """Delete an object, then what it owned."""
        await self._write(lambda: self.table.delete(key, uid))

    async def collect_garbage(self) -> None:
        """Delete what is owned by objects that are gone; every write does this anyway."""
        async with self._lock:
            await self._collect_garbage()

    def compact(self) -> None:
        """Forget all history, as etcd does now and then: running watches end with ExpiredError."""
        self.table.revision += 1
        self.table.history.forget_up_to(self.table.revision)
        self._wake()

    async def _write(self, decide: Callable[[], Write], *, dry_run: bool = False) -> Manifest:
        await asyncio.sleep(0)  # fair to others even when nobody else waits for the lock
        async with self._lock:
            write = decide()
            if not dry_run:
                await self._carry_out(write)
                await self._collect_garbage()
        result = write.before if write.after is None else write.after
        return {} if result is None else copy_json(result)

    async def _carry_out(self, write: Write) -> None:
        if write.before is write.after:
            return
        if self._keep is not None:
            await self._keep(write)
        self.table.commit(write)
        self._wake()

    async def _collect_garbage(self) -> None:
        while (write := self.table.next_garbage()) is not None:
            await self._carry_out(write)

    async def _something_changed(self) -> bool:
        """Wait for a change; False if there was none for a bookmark's time."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        try:
            async with asyncio.timeout(self._bookmark_seconds):
                await waiting
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(waiting)
        return True

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()


def _shown(obj: Manifest, selection: Selection) -> Manifest:
    if selection.metadata_only:
        obj = {name: obj[name] for name in ("apiVersion", "kind", "metadata")}
    shown: Manifest = copy_json(obj)
    return shown


def _change(event: Event, selection: Selection, matches: Matches) -> Change | None:
    """Return what a watch of this selection sees of an event: objects enter it, change, leave."""
    if event.kind != selection.kind:
        return None
    before = event.before if _selected(event.before, selection, matches) else None
    after = event.after if _selected(event.after, selection, matches) else None
    if after is not None:
        return Change("ADDED" if before is None else "MODIFIED", _shown(after, selection))
    if before is None:
        return None
    gone = _shown(before, selection)
    gone["metadata"]["resourceVersion"] = str(event.revision)
    return Change("DELETED", gone)


def _selected(obj: Manifest | None, selection: Selection, matches: Matches) -> bool:
    if obj is None:
        return False
    namespace = obj["metadata"].get("namespace", "")
    return selection.namespace in ("", namespace) and matches(labels_of(obj))


def _bookmark(kind: Kind, place: int) -> Manifest:
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"resourceVersion": str(place)},
    }
