"""All loops on a store in memory with a clock that tests move: what happens, one write at a time.

The world does what `engine` does, but in one thread of control and without waiting, and every write
passes our webhook, for controller and webhook must agree in every story: a key is woken
by changes through the loops' own `wakes`, by `look_again_after_seconds` and by `retry`. Between any
two writes a test may let the process die, lose an answer, or have another writer come first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import count
from typing import Any, TypeVar

from certwright.adapters.objects.objects import copy_json
from certwright.engine.outside import NoOutside, Outside
from certwright.engine.store import Selection
from certwright.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidError,
    NotFoundError,
    RefusedError,
    StoreError,
    UnavailableError,
)
from certwright.pki.keys import generate_private_key
from certwright.reconcile.contract import (
    Action,
    AnyController,
    Apply,
    Create,
    Delete,
    Emit,
    Expect,
    Index,
    Observe,
    Plan,
    Sample,
    Sources,
    Update,
    UpdateStatus,
)
from certwright.reconcile.controllers import all_controllers
from certwright.reconcile.options import Options
from certwright.resources import meta
from certwright.resources.kinds import KINDS, Key, Kind, Manifest
from certwright_testing.api_server import MemoryStore
from certwright_testing.webhook import admit

__all__ = ["START", "Died", "Fault", "World", "everything", "run"]

START = datetime(2023, 6, 2, 10, 0, 0, tzinfo=UTC)
T = TypeVar("T")
_PASSES_MAX = 5_000


class Died(Exception):  # noqa: N818 - not an error of the program: the test killed it
    """The process ended here."""


class Fault(Enum):
    """What may happen to one write."""

    DIES_BEFORE = "dies before it"
    DIES_AFTER = "dies after it, before the answer, if it changed anything"
    ANSWER_LOST = "carried out, answer lost"
    UNAVAILABLE = "not carried out, no answer"
    CONFLICT = "somebody else was faster"
    REFUSED = "refused"


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end."""
    return asyncio.run(coroutine)


@dataclass(slots=True)
class Reading:
    """A `Reader` that sees the store as it is, or as it was when `freeze` was called."""

    store: MemoryStore
    frozen: dict[Key, Manifest] | None = None

    async def get(self, key: Key, /) -> Manifest | None:
        if self.frozen is not None:
            return self.frozen.get(key)
        return await self.store.get(key)

    async def find(self, index: Index, value: str, /) -> list[Manifest]:
        found = await self.list(index.kind)
        return [obj for obj in found if value in set(index.values(obj))]

    async def list(self, kind: Kind, /, namespace: str | None = None) -> list[Manifest]:
        if self.frozen is None:
            return self.store.table.select(Selection(kind, namespace or ""))
        return [
            obj
            for key, obj in sorted(self.frozen.items(), key=lambda entry: str(entry[0]))
            if key.kind == kind and namespace in {None, key.namespace}
        ]

    async def review(self, question: Manifest, /) -> Manifest:
        return await self.store.create(question, manager="test")


def everything(store: MemoryStore) -> dict[Key, Manifest]:
    """Return all objects by key."""
    return {meta.key_of(obj): obj for kind in KINDS for obj in store.table.select(Selection(kind))}


@dataclass(slots=True)
class World:
    """A store, a clock and all loops.

    `check` is called after every write; `fault` before each, with the number of the write since the
    world began and the action, and may say what happens to it.
    """

    options: Options = field(default_factory=Options)
    now: datetime = START
    check: Callable[[World], None] | None = None
    fault: Callable[[int, Action], Fault | None] | None = None
    before_write: Callable[[World], Awaitable[None]] | None = None
    """What another process does before each write of ours."""
    private_key: Callable[[str, int], Any] = generate_private_key
    is_trusted: Callable[[Manifest], bool] = field(default=lambda _: True)
    controllers: tuple[AnyController, ...] = ()
    outside: Outside = field(default_factory=NoOutside)
    """Answers what plans ask."""
    on_restart: Callable[[World], None] | None = None
    """What a new process begins with."""
    store: MemoryStore = field(init=False)
    reader: Reading = field(init=False)
    events: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    """Component, name of the object, type, reason, message."""
    gauges: dict[Key, tuple[Sample, ...]] = field(default_factory=dict)
    writes: int = 0
    problems: list[str] = field(default_factory=list)
    """What was to be retried, and why."""
    _queue: dict[tuple[str, Key], None] = field(default_factory=dict)
    _due: dict[tuple[str, Key], datetime] = field(default_factory=dict)
    _seen: int = 0
    _serials: Any = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.store = MemoryStore(now=lambda: self.now, access_review=self.is_trusted)
        self.reader = Reading(self.store)
        self._seen = self.store.table.revision
        self.controllers = self.controllers or all_controllers(self.options)

    # ------------------------------------------------------------------ what tests do

    async def apply(self, *objects: Manifest) -> None:
        """Create or replace objects as a user does; the status is taken too, as after a restore."""
        for obj in objects:
            present = await self.store.get(meta.key_of(obj))
            status = obj.get("status")
            if present is None:
                present = await self.store.create(obj, manager="user")
            else:
                metadata = {**present["metadata"], **obj["metadata"]}
                present = await self.store.update({**obj, "metadata": metadata}, manager="user")
            if status is not None:
                await self.store.update_status({**present, "status": status}, manager="user")

    async def change(self, key: Key, **spec: Any) -> None:
        """Change fields of a spec; None takes a field away."""
        obj = await self.got(key)
        merged = {**obj["spec"], **spec}
        obj["spec"] = {name: value for name, value in merged.items() if value is not None}
        await self.store.update(obj, manager="user")

    async def got(self, key: Key) -> Manifest:
        """Return an object that must be there."""
        obj = await self.store.get(key)
        assert obj is not None, f"{key} is not there"
        return obj

    def all(self, kind: Kind) -> list[Manifest]:
        """Return all objects of a kind."""
        return sorted(map(copy_json, self.store.table.select(Selection(kind))), key=meta.name)

    async def settle(self) -> None:
        """Let all loops run until nothing is left to do now; a death starts them anew."""
        for _ in range(_PASSES_MAX):
            try:
                await self._drain()
                return
            except Died:
                self.restart()
        raise AssertionError("it never comes to rest")

    async def advance(self, delta: timedelta) -> None:
        """Move the clock on, stopping whenever a key is due."""
        end = self.now + delta
        await self.settle()
        while (due := self.next_due()) is not None and due <= end:
            self.now = max(self.now, due)
            await self.settle()
        self.now = end
        await self.settle()

    def next_due(self) -> datetime | None:
        """Return when the next key is due."""
        return min(self._due.values(), default=None)

    def restart(self) -> None:
        """Forget everything that is only in memory, and see all objects as new."""
        if self.on_restart is not None:
            self.on_restart(self)
        self._queue.clear()
        self._due.clear()
        self._seen = self.store.table.revision
        for controller in self.controllers:
            for obj in self.store.table.select(Selection(controller.kind)):
                self._queue[(controller.name, meta.key_of(obj))] = None

    async def plans(self) -> dict[tuple[str, Key], Plan]:
        """Return what every loop would do about every object now; nothing is done."""
        found: dict[tuple[str, Key], Plan] = {}
        for controller in self.controllers:
            for obj in self.store.table.select(Selection(controller.kind)):
                key = meta.key_of(obj)
                state = await controller.gather(key, self.reader)
                if state is not None:
                    found[(controller.name, key)] = controller.plan(state, self.sources())
        return found

    def sources(self) -> Sources:
        """Return time and chance."""
        return Sources(self.now, self.private_key, lambda: next(self._serials))

    def said(self, reason: str) -> list[str]:
        """Return the messages of all events with this reason."""
        return [message for _, _, _, found, message in self.events if found == reason]

    async def act_on(self, seen: dict[Key, Manifest]) -> None:
        """Let another process, which sees an old state, run every loop once over every object.

        What the store refuses it is refused; it does not try again.
        """
        reader = Reading(self.store, seen)
        fault, self.fault = self.fault, None
        for controller in self.controllers:
            for key in [key for key in seen if key.kind == controller.kind]:
                state = await controller.gather(key, reader)
                if state is None:
                    continue
                plan = controller.plan(state, self.sources())
                with suppress(StoreError):
                    await self.carry_out(plan, f"cert-manager-{controller.name}")
        self.fault = fault

    # ------------------------------------------------------------------ the engine

    async def _drain(self) -> None:
        by_name = {controller.name: controller for controller in self.controllers}
        for _ in range(_PASSES_MAX):
            await self._notice()
            for entry, due in list(self._due.items()):
                if due <= self.now:
                    del self._due[entry]
                    self._queue[entry] = None
            if not self._queue:
                return
            name, key = next(iter(self._queue))
            del self._queue[(name, key)]
            await self._reconcile(by_name[name], key)
        raise AssertionError(f"it never comes to rest: {self.problems[-3:]}")

    async def _notice(self) -> None:
        """Wake whom the latest changes concern."""
        changes = self.store.table.history.since(self._seen)
        self._seen = self.store.table.revision
        for change in changes:
            obj = change.before if change.after is None else change.after
            assert obj is not None
            for controller in self.controllers:
                for key in await self._woken(controller, change.kind, obj):
                    self._queue[(controller.name, key)] = None

    async def _woken(self, controller: AnyController, kind: Kind, obj: Manifest) -> Iterable[Key]:
        keys = [meta.key_of(obj)] if controller.kind == kind else []
        for wake in controller.wakes:
            if wake.kind == kind:
                keys += await wake.keys(obj, self.reader)
        return keys

    async def _reconcile(self, controller: AnyController, key: Key) -> None:
        entry = (controller.name, key)
        state = await controller.gather(key, self.reader)
        if state is None:
            self._due.pop(entry, None)
            return
        try:
            plan = controller.plan(state, self.sources())
            manager = f"cert-manager-{controller.component}"
            await self.carry_out(plan, manager)
            while plan.ask is not None:
                answer = await self.outside.answer(plan.ask.question)
                plan = plan.ask.decide(answer, self.sources())
                await self.carry_out(plan, manager)
        except (StoreError, InvalidError) as error:
            self.problems.append(f"{controller.name} {key}: {error}")
            self._due[entry] = self.now + timedelta(seconds=controller.backoff.seconds_min)
            return
        self._due.pop(entry, None)
        if plan.retry:
            self.problems.append(f"{controller.name} {key}: {plan.retry}")
            self._due[entry] = self.now + timedelta(seconds=controller.backoff.seconds_max)
        elif plan.look_again_after_seconds is not None:
            self._due[entry] = self.now + timedelta(seconds=plan.look_again_after_seconds)

    async def carry_out(self, plan: Plan, manager: str) -> None:
        """Do what a plan says, as `engine.executor` does."""
        written: dict[Key, str] = {}
        for action in plan.actions:
            if isinstance(action, Update | UpdateStatus):
                # A later write of a plan is about the version that an earlier one made.
                key = meta.key_of(action.object)
                metadata = action.object["metadata"]
                version = written.get(key, metadata.get("resourceVersion"))
                obj = {**action.object, "metadata": {**metadata, "resourceVersion": version}}
                await self._write(replace(action, object=obj), manager)
                now = await self.store.get(key)
                written[key] = "" if now is None else meta.resource_version(now)
                continue
            if isinstance(action, Emit):
                regarding = meta.name(action.regarding)
                self.events.append((manager, regarding, action.type, action.reason, action.message))
            elif isinstance(action, Observe):
                self.gauges[action.key] = action.samples
            elif isinstance(action, Expect):
                present = await self.store.get(action.key)
                version = "" if present is None else meta.resource_version(present)
                if version != action.resource_version:
                    raise ConflictError(f"{action.key} has changed")
            else:
                await self._write(action, manager)

    async def _write(self, action: Action, manager: str) -> None:
        if self.before_write is not None:
            before_write, self.before_write = self.before_write, None
            await before_write(self)
            self.before_write = before_write
        fault = self.fault(self.writes, action) if self.fault is not None else None
        self.writes += 1
        errors = {
            Fault.UNAVAILABLE: UnavailableError("no answer"),
            Fault.CONFLICT: ConflictError("the object has been modified"),
            Fault.REFUSED: RefusedError("the webhook said no"),
        }
        if fault is Fault.DIES_BEFORE:
            raise Died
        if fault in errors:
            self._tell_refusal(action, errors[fault], manager)
            raise errors[fault]
        before = self.store.table.revision
        try:
            await self._do(action, manager)
        except RefusedError as error:
            self._tell_refusal(action, error, manager)
            raise
        finally:
            if self.check is not None:
                self.check(self)
        if fault is Fault.DIES_AFTER and self.store.table.revision != before:
            raise Died
        if fault is Fault.ANSWER_LOST:
            raise UnavailableError("the answer was lost")

    def _tell_refusal(self, action: Action, error: StoreError, manager: str) -> None:
        if isinstance(action, Create) and action.if_refused and isinstance(error, RefusedError):
            emit = action.if_refused
            message = emit.message.replace("{error}", str(error))
            self.events.append(
                (manager, meta.name(emit.regarding), emit.type, emit.reason, message)
            )

    async def _do(self, action: Action, manager: str) -> None:
        match action:
            case Create(obj):
                try:
                    admitted = await admit(obj, None, gates=self.options.gates)
                    await self.store.create(admitted, manager=manager)
                except AlreadyExistsError:
                    return
            case Update(obj):
                await self.store.update(await self._admitted(obj, ""), manager=manager)
            case UpdateStatus(obj):
                admitted = await self._admitted(obj, "status")
                await self.store.update_status(admitted, manager=manager)
            case Apply(obj, subresource):
                await self.store.apply(obj, manager=manager, subresource=subresource)
            case Delete(key, uid):
                try:
                    await self.store.delete(key, uid=uid)
                except NotFoundError:
                    return
            case _:
                raise AssertionError(action)

    async def _admitted(self, obj: Manifest, subresource: str) -> Manifest:
        """Ask the webhook, unless the object is gone, which the store will say."""
        old = await self.store.get(meta.key_of(obj))
        if old is None:
            return obj
        return await admit(obj, old, subresource=subresource, gates=self.options.gates)
