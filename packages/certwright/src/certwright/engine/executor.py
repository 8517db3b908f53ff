"""Carries plans out: the only code that writes objects.

What a failure means is decided here, once:

    Create meets a name that is taken   done, if the object there is what we meant to make
    Delete finds nothing                done
    conflict, or an update of nothing   the plan is old: read again and plan anew; no error
    refused                             the action's event says why, then an error
    no answer                           an error; it may have been done, and the next pass will see
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeAlias

from certwright.engine.events import EventRecorder
from certwright.engine.objects import Objects
from certwright.engine.store import Store
from certwright.errors import (
    AlreadyExistsError,
    ConflictError,
    NotFoundError,
    RefusedError,
)
from certwright.reconcile.contract import (
    Action,
    Apply,
    Create,
    Delete,
    Emit,
    Expect,
    Observe,
    Update,
    UpdateStatus,
)
from certwright.resources.kinds import KINDS, Key, Kind, Manifest

__all__ = ["Executor", "Observed"]

Observed: TypeAlias = Callable[[Observe], None]
"""Takes the gauges of an object."""

_KINDS = {(kind.api_version, kind.name): kind for kind in KINDS}
_Versions: TypeAlias = dict[Key, str]


class Executor:
    """Carries out the plans of one controller."""

    def __init__(
        self,
        store: Store,
        objects: Objects,
        events: EventRecorder,
        *,
        manager: str,
        observed: Observed,
    ) -> None:
        """Write under `manager`, the field manager and the source of events."""
        self._store = store
        self._objects = objects
        self._events = events
        self._manager = manager
        self._observed = observed

    async def carry_out(self, actions: tuple[Action, ...]) -> None:
        """Carry out actions in order; the first failure ends it.

        Raises:
            ConflictError: Something changed since the plan was made.
            StoreError: Of the other kinds.
        """
        versions: _Versions = {}
        for action in actions:
            await self._carry_out(action, versions)

    async def _carry_out(self, action: Action, versions: _Versions) -> None:
        match action:
            case Create():
                await self._create(action)
            case Update():
                obj = _latest(action.object, versions)
                self._wrote(await self._replaced(obj, ""), versions)
            case UpdateStatus():
                obj = _latest(action.object, versions)
                self._wrote(await self._replaced(obj, "status"), versions)
            case Apply():
                obj = _latest(action.object, versions)
                made = await self._store.apply(
                    obj, manager=self._manager, subresource=action.subresource
                )
                self._wrote(made, versions)
            case Delete():
                await self._delete(action)
            case Expect():
                await self._expect(action)
            case Emit():
                self._events.record(action, self._manager)
            case Observe():
                self._observed(action)

    async def _create(self, action: Create) -> None:
        try:
            made = await self._store.create(action.object, manager=self._manager)
        except AlreadyExistsError as error:
            present = await self._store.get(_key_of(action.object))
            if present is None:  # gone again
                raise ConflictError("the name was taken, and is free again") from None
            if not _is_what_we_meant(action.object, present):
                self._say_refused(action.if_refused, str(error))
                raise
            made = present
        except (RefusedError, NotFoundError) as error:
            self._say_refused(action.if_refused, str(error))
            raise
        self._objects.wrote(_kind_of(made), made)

    async def _replaced(self, obj: Manifest, subresource: str) -> Manifest:
        try:
            if subresource:
                return await self._store.update_status(obj, manager=self._manager)
            return await self._store.update(obj, manager=self._manager)
        except NotFoundError as error:
            raise ConflictError(str(error)) from error

    async def _expect(self, action: Expect) -> None:
        """Ask the store itself; what it says mends the cache."""
        present = await self._store.get(action.key)
        if present is None:
            if action.resource_version:
                raise ConflictError(f"{action.key} is gone")
            return
        if present["metadata"]["resourceVersion"] != action.resource_version:
            self._objects.wrote(action.key.kind, present)
            raise ConflictError(f"{action.key} has changed")

    async def _delete(self, action: Delete) -> None:
        with suppress(NotFoundError):
            await self._store.delete(action.key, uid=action.uid)
        self._objects.deleted(action.key, action.uid)

    def _wrote(self, obj: Manifest, versions: _Versions) -> None:
        versions[_key_of(obj)] = obj["metadata"]["resourceVersion"]
        self._objects.wrote(_kind_of(obj), obj)

    def _say_refused(self, emit: Emit | None, reason: str) -> None:
        if emit is not None:
            said = replace(emit, message=emit.message.replace("{error}", reason))
            self._events.record(said, self._manager)


def _kind_of(obj: Manifest) -> Kind:
    return _KINDS[obj["apiVersion"], obj["kind"]]


def _key_of(obj: Manifest) -> Key:
    metadata = obj["metadata"]
    return _kind_of(obj).key(metadata.get("namespace", ""), metadata["name"])


def _latest(obj: Manifest, versions: _Versions) -> Manifest:
    """Put in the version that an earlier action of this plan made, where one is demanded."""
    version = versions.get(_key_of(obj))
    if version is None or not obj["metadata"].get("resourceVersion"):
        return obj
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": version}}


def _is_what_we_meant(wanted: Manifest, present: Manifest) -> bool:
    """Tell whether an object is what an earlier attempt of ours made.

    Its owner must be the one we name. An object without an owner must be what we would have made,
    but for what the server adds.
    """
    owners = {entry.get("uid") for entry in wanted["metadata"].get("ownerReferences", ())}
    if owners:
        there = {entry.get("uid") for entry in present["metadata"].get("ownerReferences", ())}
        return owners <= there
    return _holds(present, wanted)


def _holds(present: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict) and isinstance(present, dict):
        return all(_holds(present.get(name), value) for name, value in wanted.items())
    return bool(present == wanted)
