"""Runs control loops on a store until they are cancelled.

::

    reflectors ─▶ caches ─(change)─▶ wakes ─▶ queues ─▶ workers ─▶ executor ─▶ store
                    ▲                                                 │
                    └──────────────── our own writes, at once ────────┘
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from certwright import clock
from certwright.engine.clock_watch import CLOCK_CHECK_SECONDS, ClockWatch
from certwright.engine.events import EventRecorder
from certwright.engine.executor import Executor
from certwright.engine.objects import Objects
from certwright.engine.outside import NoOutside, Outside
from certwright.engine.store import Store
from certwright.engine.worker import ControllerLoop
from certwright.errors import StoreError
from certwright.reconcile.contract import AnyController, Observe, Sources, Wake
from certwright.resources.kinds import Kind, Manifest
from certwright.telemetry.logs import EventLog
from certwright.telemetry.metrics import Metrics

__all__ = ["MANAGER_PREFIX", "Runtime", "RuntimeSettings", "run_controllers", "running"]

MANAGER_PREFIX: Final = "cert-manager-"
"""Before a controller's name: its field manager. Source: reference cert-manager.md 2.0."""
RESYNC_SECONDS: Final = 36_000.0
"""Every key is looked at again so often. Source: reference cert-manager.md 2.0 (10 h)."""
WAKE_AGAIN_SECONDS: Final = 5.0
"""A wake whose keys could not be found is tried again after so long."""
EVENTS_SECONDS_MAX: Final = 5.0
"""How long the end waits for events that are not written yet."""
IDLE_POLL_SECONDS: Final = 0.02

_log = EventLog("certwright.engine.runtime")


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """How control loops run."""

    workers: int = 5
    """--concurrent-workers: passes at once for each controller."""
    namespace: str = ""
    """--namespace: the only one that is looked at; empty for all."""
    cluster_wide: bool = False
    """Look at cluster-wide kinds even if `namespace` is set."""
    all_secrets: bool = False
    """Hold all Secrets in memory, not only those with our label."""
    planning_threads: int = 2
    """Threads that plan. A plan is pure Python but for key generation and signing, which release
    the interpreter; more threads than cores only wait for each other."""


@dataclass(slots=True)
class Runtime:
    """Control loops on a store, prepared; `run` runs them."""

    store: Store
    controllers: Sequence[AnyController]
    sources: Callable[[], Sources]
    metrics: Metrics
    settings: RuntimeSettings = field(default_factory=RuntimeSettings)
    outside: Outside = field(default_factory=NoOutside)
    """Answers what plans ask."""
    _loops: list[ControllerLoop] = field(default_factory=list)
    _by_kind: dict[Kind, list[ControllerLoop]] = field(default_factory=dict)
    _wakes: dict[Kind, list[tuple[ControllerLoop, Wake]]] = field(default_factory=dict)
    _woken: asyncio.Queue[tuple[ControllerLoop, Wake, Manifest]] = field(
        default_factory=asyncio.Queue
    )
    _started: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Run until cancelled, or until a part fails."""
        with ThreadPoolExecutor(self.settings.planning_threads, "plan") as threads:
            objects = self._objects()
            events = EventRecorder(self.store, clock.now)
            self._make_loops(objects, events, threads)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(events.run())
                    group.create_task(self._wake_loop(objects))
                    for reflector in objects.reflectors:
                        group.create_task(reflector.run())
                    for reflector in objects.reflectors:
                        await reflector.synced.wait()
                    for loop in self._loops:
                        for _ in range(_workers(loop.controller, self.settings)):
                            group.create_task(loop.work())
                    _log.info("controllers started", count=len(self._loops))
                    self._started.set()
                    group.create_task(self._resync(objects))
                    group.create_task(self._watch_clock(objects))
            finally:
                await self._say_last_words(events)

    async def settle(self, seconds_max: float, *, quiet_seconds: float = 0.2) -> None:
        """Wait until nothing has been to do for `quiet_seconds`.

        Keys that wait for a time to come do not count.

        Raises:
            TimeoutError: There was still work after `seconds_max`.
        """
        async with asyncio.timeout(seconds_max):
            await self._started.wait()
            quiet_since = clock.monotonic_seconds()
            while clock.monotonic_seconds() - quiet_since < quiet_seconds:
                await asyncio.sleep(IDLE_POLL_SECONDS)
                if not self.is_idle:
                    quiet_since = clock.monotonic_seconds()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be done now."""
        return self._woken.empty() and all(loop.is_idle for loop in self._loops)

    # -------------------------------------------------------------------------- parts

    def _objects(self) -> Objects:
        return Objects(
            self.store,
            self.controllers,
            namespace=self.settings.namespace,
            cluster_wide=self.settings.cluster_wide,
            all_secrets=self.settings.all_secrets,
            on_change=self._changed,
        )

    def _make_loops(
        self, objects: Objects, events: EventRecorder, threads: ThreadPoolExecutor
    ) -> None:
        for controller in self.controllers:
            executor = Executor(
                self.store,
                objects,
                events,
                manager=MANAGER_PREFIX + controller.component,
                observed=self._observe,
            )
            loop = ControllerLoop(
                controller,
                objects,
                executor,
                outside=self.outside,
                sources=self.sources,
                threads=threads,
                metrics=self.metrics,
            )
            self._loops.append(loop)
            self._by_kind.setdefault(controller.kind, []).append(loop)
            for wake in controller.wakes:
                self._wakes.setdefault(wake.kind, []).append((loop, wake))

    def _changed(self, kind: Kind, before: Manifest | None, after: Manifest | None) -> None:
        """Wake everybody whom a change of a cache concerns."""
        obj = before if after is None else after
        assert obj is not None
        metadata = obj["metadata"]
        key = kind.key(metadata.get("namespace", ""), metadata["name"])
        for loop in self._by_kind.get(kind, ()):
            loop.add(key)
        for loop, wake in self._wakes.get(kind, ()):
            self._woken.put_nowait((loop, wake, obj))

    async def _wake_loop(self, objects: Objects) -> None:
        while True:
            loop, wake, obj = await self._woken.get()
            try:
                keys = await wake.keys(obj, objects)
            except StoreError as error:
                _log.warning("cannot find whom a change concerns", reason=str(error))
                again = (loop, wake, obj)
                asyncio.get_running_loop().call_later(
                    WAKE_AGAIN_SECONDS, self._woken.put_nowait, again
                )
                continue
            for key in keys:
                loop.add(key)

    async def _resync(self, objects: Objects) -> None:
        while True:
            await asyncio.sleep(RESYNC_SECONDS)
            self._look_at_all(objects)

    async def _watch_clock(self, objects: Objects) -> None:
        watch = ClockWatch(clock.now(), clock.monotonic_seconds())
        while True:
            await asyncio.sleep(CLOCK_CHECK_SECONDS)
            if watch.has_jumped(clock.now(), clock.monotonic_seconds()):
                _log.warning("the clock was set, looking at everything again")
                self._look_at_all(objects)

    def _look_at_all(self, objects: Objects) -> None:
        for loop in self._loops:
            for key in objects.keys(loop.controller.kind):
                loop.add(key)

    def _observe(self, observed: Observe) -> None:
        self.metrics.replace(
            observed.key,
            ((sample.name, sample.labels, sample.value) for sample in observed.samples),
        )

    async def _say_last_words(self, events: EventRecorder) -> None:
        """Write the events that are still waiting; whoever wrote them is cancelled by now."""
        writer = asyncio.create_task(events.run())
        try:
            await events.flush(EVENTS_SECONDS_MAX)
        finally:
            writer.cancel()


def _workers(controller: AnyController, settings: RuntimeSettings) -> int:
    most = controller.workers_max
    return settings.workers if most is None else min(most, settings.workers)


async def run_controllers(
    store: Store,
    controllers: Sequence[AnyController],
    sources: Callable[[], Sources],
    *,
    metrics: Metrics,
    settings: RuntimeSettings | None = None,
) -> None:
    """Run control loops on a store until cancelled.

    Args:
        store: Where the objects are.
        controllers: The loops, such as `reconcile.controllers.all_controllers` gives.
        sources: Time and chance for the next plan.
        metrics: Takes counters, and the gauges that loops observe.
        settings: How they run.
    """
    await Runtime(store, controllers, sources, metrics, settings or RuntimeSettings()).run()


@asynccontextmanager
async def running(runtime: Runtime) -> AsyncIterator[Runtime]:
    """Run control loops in the background for the length of a block."""
    task = asyncio.create_task(runtime.run())
    try:
        yield runtime
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
