"""The loops over thousands of Certificates in simulated time: every lookup by an index, no waits.

What `world.World` is for one story, this is for many: no faults and no webhook, but the same loops
and a store of the same rules.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from certwright.adapters.objects import ObjectStore
from certwright.adapters.objects.table import Write
from certwright.engine.outside import Outside
from certwright.engine.store import Selection
from certwright.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidError,
    NotFoundError,
    StoreError,
)
from certwright.reconcile.contract import (
    Action,
    AnyController,
    Apply,
    Create,
    Delete,
    Expect,
    Index,
    Plan,
    Sources,
    Update,
    UpdateStatus,
    Wake,
)
from certwright.resources import meta
from certwright.resources.kinds import Key, Kind, Manifest
from certwright_testing.stories import ecdsa_only
from certwright_testing.world import START

__all__ = ["Many"]


class _Indexed:
    """A `Reader` of a store, with every index that was ever asked for."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._found: dict[Index, dict[str, dict[Key, None]]] = {}
        self._of_kind: dict[Kind, list[Index]] = {}

    def changed(self, kind: Kind, before: Manifest | None, after: Manifest | None) -> None:
        """Take note of a change."""
        for index in self._of_kind.get(kind, ()):
            self._enter(index, before, after)

    def _enter(self, index: Index, before: Manifest | None, after: Manifest | None) -> None:
        found = self._found[index]
        for obj, is_there in ((before, False), (after, True)):
            for value in () if obj is None else index.values(obj):
                keys = found.setdefault(value, {})
                if is_there:
                    keys[meta.key_of(obj)] = None  # type: ignore[arg-type]
                else:
                    keys.pop(meta.key_of(obj), None)  # type: ignore[arg-type]

    async def get(self, key: Key, /) -> Manifest | None:
        return self._store.table.get(key)

    async def find(self, index: Index, value: str, /) -> list[Manifest]:
        if index not in self._found:
            self._found[index] = {}
            self._of_kind.setdefault(index.kind, []).append(index)
            for obj in self._store.table.select(Selection(index.kind)):
                self._enter(index, None, obj)
        keys = sorted(self._found[index].get(value, ()), key=str)
        objects = [self._store.table.get(key) for key in keys]
        return [obj for obj in objects if obj is not None]

    async def list(self, kind: Kind, /, namespace: str | None = None) -> list[Manifest]:
        return self._store.table.select(Selection(kind, namespace or ""))

    async def review(self, question: Manifest, /) -> Manifest:
        return {**question, "status": {"allowed": True}}


@dataclass(slots=True)
class Many:
    """A store, a clock and loops."""

    controllers: tuple[AnyController, ...]
    outside: Outside
    now: datetime = START
    store: ObjectStore = field(init=False)
    _reader: _Indexed = field(init=False)
    _queue: deque[tuple[AnyController, Key]] = field(default_factory=deque)
    _queued: set[tuple[str, Key]] = field(default_factory=set)
    _heap: list[tuple[datetime, int, AnyController, Key]] = field(default_factory=list)
    _due: dict[tuple[str, Key], datetime] = field(default_factory=dict)
    _by_kind: dict[Kind, list[AnyController]] = field(default_factory=dict)
    _wakes: dict[Kind, list[tuple[AnyController, Wake]]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.store = ObjectStore(now=lambda: self.now)
        self._reader = _Indexed(self.store)
        for controller in self.controllers:
            self._by_kind.setdefault(controller.kind, []).append(controller)
            for wake in controller.wakes:
                self._wakes.setdefault(wake.kind, []).append((controller, wake))

    async def apply(self, *objects: Manifest) -> None:
        """Create objects as a user does, and let the loops see them."""
        for obj in objects:
            await self._carry_out(self.store.table.create(obj, "user"))

    async def advance(self, delta: timedelta) -> None:
        """Move the clock on, stopping whenever a key is due."""
        end = self.now + delta
        await self._drain()
        while self._heap and self._heap[0][0] <= end:
            due, _, controller, key = heapq.heappop(self._heap)
            if self._due.get((controller.name, key)) != due:
                continue
            del self._due[(controller.name, key)]
            self.now = max(self.now, due)
            self._add(controller, key)
            await self._drain()
        self.now = end

    def _add(self, controller: AnyController, key: Key) -> None:
        if (controller.name, key) not in self._queued:
            self._queued.add((controller.name, key))
            self._queue.append((controller, key))

    async def _drain(self) -> None:
        while self._queue:
            controller, key = self._queue.popleft()
            self._queued.discard((controller.name, key))
            await self._reconcile(controller, key)

    async def _reconcile(self, controller: AnyController, key: Key) -> None:
        state = await controller.gather(key, self._reader)
        self._due.pop((controller.name, key), None)
        if state is None:
            return
        sources = Sources(self.now, ecdsa_only, lambda: next(self._numbers))
        try:
            plan = controller.plan(state, sources)
            manager = f"cert-manager-{controller.component}"
            await self._do_all(plan, manager)
            while plan.ask is not None:
                plan = plan.ask.decide(await self.outside.answer(plan.ask.question), sources)
                await self._do_all(plan, manager)
        except (StoreError, InvalidError):
            self._come_back(controller, key, controller.backoff.seconds_min)
            return
        if plan.retry:
            self._come_back(controller, key, controller.backoff.seconds_max)
        elif plan.look_again_after_seconds is not None:
            self._come_back(controller, key, plan.look_again_after_seconds)

    def _come_back(self, controller: AnyController, key: Key, seconds: float) -> None:
        due = self.now + timedelta(seconds=seconds)
        self._due[(controller.name, key)] = due
        heapq.heappush(self._heap, (due, next(self._numbers), controller, key))

    async def _do_all(self, plan: Plan, manager: str) -> None:
        for action in plan.actions:
            await self._do(action, manager)

    async def _do(self, action: Action, manager: str) -> None:
        table = self.store.table
        match action:
            case Create(obj):
                with suppress(AlreadyExistsError):
                    await self._carry_out(table.create(obj, manager))
            case Update(obj):
                await self._carry_out(table.update(obj, manager))
            case UpdateStatus(obj):
                await self._carry_out(table.update(obj, manager, "status"))
            case Apply(obj, subresource):
                wanted = table.apply(obj, manager, force=True, subresource=subresource)
                await self._carry_out(wanted)
            case Delete(key, uid):
                with suppress(NotFoundError):
                    await self._carry_out(table.delete(key, uid))
            case Expect(key, version):
                found = table.get(key)
                if ("" if found is None else meta.resource_version(found)) != version:
                    raise ConflictError(f"{key} has changed")
            case _:
                pass  # events and gauges

    async def _carry_out(self, write: Write | None) -> None:
        while write is not None:
            if write.before is not write.after:
                self.store.table.commit(write)
                self._reader.changed(write.key.kind, write.before, write.after)
                await self._wake(write)
            write = self.store.table.next_garbage()

    async def _wake(self, write: Write) -> None:
        obj: Any = write.before if write.after is None else write.after
        for controller in self._by_kind.get(write.key.kind, ()):
            self._add(controller, write.key)
        for controller, wake in self._wakes.get(write.key.kind, ()):
            for key in await wake.keys(obj, self._reader):
                self._add(controller, key)
