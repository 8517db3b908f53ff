"""Control loops run on a store: woken, repeated, conflicting, failing."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from certwright import clock
from certwright.engine.runtime import Runtime, running
from certwright.engine.store import Change, Selection
from certwright.errors import RefusedError, UnavailableError
from certwright.pki.keys import generate_private_key
from certwright.reconcile.contract import (
    Action,
    AnyController,
    Apply,
    Backoff,
    Controller,
    Create,
    Delete,
    Emit,
    Expect,
    Plan,
    Reader,
    Sources,
    Update,
    UpdateStatus,
    Wake,
)
from certwright.resources.kinds import CERTIFICATE, EVENT, SECRET, Key, Manifest
from certwright.telemetry.metrics import Metrics
from certwright_testing.api_server import MemoryStore
from certwright_testing.objects import certificate, secret

KEY = CERTIFICATE.key("one", "web")
QUICK = Backoff(0.01, 0.05)


def sources() -> Sources:
    """Return real time and chance."""
    return Sources(clock.now(), generate_private_key, lambda: secrets.randbits(127) + 1)


@dataclass
class Script:
    """A loop that plays its plans one after the other, then does nothing."""

    plans: list[Plan]
    seen: list[Manifest] = field(default_factory=list)

    async def gather(self, key: Key, reader: Reader) -> Manifest | None:
        """Read the object."""
        return await reader.get(key)

    def plan(self, snapshot: Manifest, _sources: Sources) -> Plan:
        """Return the next plan, with the object's version filled in where it says so."""
        self.seen.append(snapshot)
        return self.plans.pop(0) if self.plans else Plan()

    def controller(self, **settings: Any) -> AnyController:
        """Return the loop."""
        return Controller(
            name="certificates-trigger",
            kind=CERTIFICATE,
            gather=self.gather,
            plan=self.plan,
            backoff=QUICK,
            **settings,
        )


def new_runtime(store: Any, *controllers: AnyController) -> Runtime:
    """Return loops on a store, not running yet."""
    return Runtime(store, controllers, sources, Metrics(clock.now))


def count(runtime: Runtime, word: str) -> str:
    """Return what the metrics say about calls or errors."""
    name = f"certmanager_controller_sync_{word}_count"
    lines = [line for line in runtime.metrics.text().splitlines() if line.startswith(name)]
    return lines[0].rpartition(" ")[2] if lines else "0"


async def events(store: MemoryStore) -> list[str]:
    """Return the messages of all events."""
    return [e["message"] for e in (await store.list(Selection(EVENT))).objects]


async def test_a_plan_is_carried_out_in_order_with_the_newest_versions() -> None:
    """Spec, then status, then a Secret and an event; under the controller's field manager."""
    store = MemoryStore()
    made = await store.create(certificate(), manager="user")
    status = {**made, "status": {"revision": 1}}
    labelled = {**made, "metadata": {**made["metadata"], "labels": {"a": "b"}}}
    actions: tuple[Action, ...] = (
        Update(labelled),
        UpdateStatus(status),
        Create(secret("made")),
        Apply(secret("applied")),
        Emit(made, "Normal", "Issuing", "hello"),
    )
    runtime = new_runtime(store, Script([Plan(actions)]).controller())
    async with running(runtime):
        await runtime.settle(10)

    found = await store.get(KEY)
    assert found is not None
    assert found["metadata"]["labels"] == {"a": "b"}
    assert found["status"] == {"revision": 1}
    managers = {
        entry["manager"]
        for name in ("made", "applied")
        for entry in (await store.get(SECRET.key("one", name)) or {})["metadata"]["managedFields"]
    }
    assert managers == {"cert-manager-certificates-trigger"}
    assert await events(store) == ["hello"]
    assert count(runtime, "error") == "0"


async def test_a_conflict_is_planned_anew_and_is_no_error() -> None:
    """The plan was old; nothing else is wrong."""
    store = MemoryStore()
    old = await store.create(certificate(), manager="user")
    await store.update(
        {**old, "metadata": {**old["metadata"], "labels": {"a": "b"}}}, manager="user"
    )
    script = Script([Plan((UpdateStatus({**old, "status": {"revision": 1}}),))])
    runtime = new_runtime(store, script.controller())
    async with running(runtime):
        await asyncio.sleep(0.1)
        await runtime.settle(10)

    assert len(script.seen) == 2
    assert count(runtime, "error") == "0"


async def test_a_create_that_was_done_before_counts_as_done() -> None:
    """After a crash or a lost answer the second attempt meets the first one's object."""
    store = MemoryStore()
    made = await store.create(certificate(), manager="user")
    owner = {k: made["metadata"][k] for k in ("name", "uid")}
    reference = [{"apiVersion": "cert-manager.io/v1", "kind": "Certificate", **owner}]
    await store.create(secret("mine", ownerReferences=reference), manager="earlier")
    await store.create(secret("foreign"), manager="user")
    refused = Emit(made, "Warning", "RequestFailed", "cannot create: {error}")
    script = Script(
        [
            Plan((Create(secret("mine", data={}, ownerReferences=reference)),)),
            Plan((Create(secret("foreign", ownerReferences=reference), if_refused=refused),)),
        ]
    )
    runtime = new_runtime(store, script.controller())
    async with running(runtime):
        await runtime.settle(10)
        assert count(runtime, "error") == "0"
        await store.update(
            {**made, "metadata": {**made["metadata"], "labels": {"a": "b"}}}, manager="user"
        )
        await asyncio.sleep(0.1)
        await runtime.settle(10)

    assert count(runtime, "error") == "1"
    assert await events(store) == ['cannot create: secrets "foreign" already exists']


async def test_an_expectation_is_asked_of_the_store_and_ends_the_plan() -> None:
    """An object in another version, one that is gone, and one that should not be there."""
    store = MemoryStore()
    made = await store.create(certificate(), manager="user")
    there = await store.create(secret("there"), manager="user")
    key, version = SECRET.key("one", "there"), there["metadata"]["resourceVersion"]
    told = Emit(made, "Normal", "Told", "went on")
    script = Script(
        [
            Plan((Expect(key, "0"), told)),
            Plan((Expect(key, ""), told)),
            Plan((Expect(SECRET.key("one", "absent"), version), told)),
            Plan((Expect(SECRET.key("one", "absent"), ""), Expect(key, version), told)),
        ]
    )
    runtime = new_runtime(store, script.controller())
    async with running(runtime):
        await runtime.settle(10, quiet_seconds=0.5)

    assert count(runtime, "error") == "0"
    assert await events(store) == ["went on"]


async def test_a_refusal_is_told_by_the_actions_event() -> None:
    """And the key is tried again, with back-off."""

    def refuse(operation: str, before: Manifest | None, after: Manifest, manager: str) -> Manifest:
        if after["kind"] == "Secret":
            raise RefusedError("the webhook says no")
        return after

    store = MemoryStore(admission=refuse)
    made = await store.create(certificate(), manager="user")
    emit = Emit(made, "Warning", "RequestFailed", "Failed to create: {error}")
    script = Script([Plan((Create(secret(), if_refused=emit), Delete(KEY, "")))] * 2)
    runtime = new_runtime(store, script.controller())
    async with running(runtime):
        await asyncio.sleep(0.2)
        await runtime.settle(10)

    assert await events(store) == ["Failed to create: the webhook says no"]
    assert count(runtime, "error") == "2"
    assert len(script.seen) == 3
    assert await store.get(KEY) is not None


async def test_a_delete_of_what_is_gone_is_done() -> None:
    """It is what was wanted."""
    store = MemoryStore()
    await store.create(certificate(), manager="user")
    script = Script([Plan((Delete(SECRET.key("one", "absent"), "u"),))])
    runtime = new_runtime(store, script.controller())
    async with running(runtime):
        await runtime.settle(10)

    assert count(runtime, "error") == "0"


async def test_a_bug_in_one_pass_stops_neither_the_key_nor_the_others() -> None:
    """It is counted and tried again."""
    store = MemoryStore()
    await store.create(certificate(), manager="user")
    failures = [ZeroDivisionError("bug"), ValueError("bug")]

    def plan(_snapshot: Manifest, _sources: Sources) -> Plan:
        if failures:
            raise failures.pop()
        return Plan()

    script = Script([])
    runtime = new_runtime(
        store,
        Controller("certificates-issuing", CERTIFICATE, script.gather, plan, backoff=QUICK),
    )
    async with running(runtime):
        await asyncio.sleep(0.2)
        await runtime.settle(10)

    assert failures == []
    assert count(runtime, "call") == "3"


async def test_look_again_comes_when_it_was_asked_for() -> None:
    """A pass without any change."""
    store = MemoryStore()
    await store.create(certificate(), manager="user")
    script = Script([Plan(look_again_after_seconds=0.15)])
    runtime = new_runtime(store, script.controller())
    async with running(runtime):
        await runtime.settle(10, quiet_seconds=0.05)
        assert len(script.seen) == 1
        await asyncio.sleep(0.2)

    assert len(script.seen) == 2


async def test_a_pass_that_takes_too_long_is_ended() -> None:
    """And tried again."""
    store = MemoryStore()
    await store.create(certificate(), manager="user")
    slow = [True]

    async def gather(key: Key, reader: Reader) -> None:
        if slow.pop():
            slow.append(False)
            await asyncio.sleep(30)

    runtime = new_runtime(
        store,
        Controller(
            "certificates-issuing",
            CERTIFICATE,
            gather,
            lambda _snapshot, _sources: Plan(),
            backoff=QUICK,
            timeout_seconds=0.05,
        ),
    )
    async with running(runtime):
        await asyncio.sleep(0.3)

    assert count(runtime, "error") == "1"
    assert count(runtime, "call") == "2"


async def test_foreign_secrets_wake_by_metadata_and_are_read_when_asked_for() -> None:
    """Their contents are not held, and are as new as the last change."""
    store = MemoryStore()
    await store.create(certificate(), manager="user")
    woken: list[Manifest] = []
    read: list[Any] = []

    async def keys(obj: Manifest, reader: Reader) -> list[Key]:
        woken.append(obj)
        return [KEY]

    async def gather(key: Key, reader: Reader) -> None:
        found = await reader.get(SECRET.key("one", "ca"))
        read.append(found and found["data"])

    runtime = new_runtime(
        store,
        Controller(
            "certificates-issuing",
            CERTIFICATE,
            gather,
            lambda _snapshot, _sources: Plan(),
            wakes=(Wake(SECRET, keys),),
        ),
    )
    async with running(runtime):
        await runtime.settle(10)
        made = await store.create(secret("ca", data={"a": b"1"}), manager="user")
        await runtime.settle(10)
        labelled = {**made["metadata"], "labels": {"controller.cert-manager.io/fao": "true"}}
        await store.update({**made, "data": {"a": "Mg=="}, "metadata": labelled}, manager="user")
        await runtime.settle(10)

    assert "data" not in woken[0]
    assert read[0] is None
    assert {"a": "MQ=="} in read
    assert read[-1] == {"a": "Mg=="}
    assert None not in read[1:]


class Flaky(MemoryStore):
    """A store whose lists and watches fail as often as it is told."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    async def watch(self, selection: Selection, resource_version: str, /) -> AsyncIterator[Change]:
        """Break at once while there are failures left."""
        if self.failures:
            self.failures -= 1
            raise UnavailableError("connection refused")
        async for change in super().watch(selection, resource_version):
            yield change


async def test_a_broken_watch_goes_on_where_it_stopped() -> None:
    """What happened meanwhile is seen."""
    store = Flaky(1)
    script = Script([])
    runtime = new_runtime(store, script.controller())
    async with running(runtime):
        await runtime.settle(10)
        await store.create(certificate(), manager="user")
        for _ in range(100):
            await asyncio.sleep(0.05)
            if script.seen:
                break

    assert len(script.seen) == 1


async def test_after_a_compaction_everything_is_listed_again() -> None:
    """What went meanwhile is gone from the cache, what came is in it."""
    store = MemoryStore()
    await store.create(certificate("old"), manager="user")
    script = Script([])
    runtime = new_runtime(store, script.controller())
    async with running(runtime):
        await runtime.settle(10)
        await store.create(certificate("new"), manager="user")
        store.compact()
        await runtime.settle(10)

    assert [seen["metadata"]["name"] for seen in script.seen] == ["old", "new"]
