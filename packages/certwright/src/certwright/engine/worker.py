"""Takes a key, gathers, plans and carries out; decides when the key is looked at again.

Source: reference cert-manager.md 2.0 (a conflict is no error; workers for each controller).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

from certwright import clock
from certwright.engine.executor import Executor
from certwright.engine.objects import Objects
from certwright.engine.outside import Outside
from certwright.engine.queue import WorkQueue
from certwright.errors import CertwrightError, ConflictError
from certwright.reconcile.contract import AnyController, Plan, Sources
from certwright.resources.kinds import Key
from certwright.telemetry.logs import EventLog
from certwright.telemetry.metrics import Metrics

__all__ = ["ControllerLoop"]

_log = EventLog("certwright.engine.worker")


class ControllerLoop:
    """One controller at work: its queue, and workers that share it."""

    def __init__(
        self,
        controller: AnyController,
        objects: Objects,
        executor: Executor,
        *,
        outside: Outside,
        sources: Callable[[], Sources],
        threads: ThreadPoolExecutor,
        metrics: Metrics,
    ) -> None:
        self.controller = controller
        self._objects = objects
        self._executor = executor
        self._outside = outside
        self._sources = sources
        self._threads = threads
        self._metrics = metrics
        self._queue = WorkQueue(controller.backoff)
        self._news = asyncio.Event()

    def add(self, key: Key) -> None:
        """Ask for a pass over a key as soon as possible."""
        self._queue.add(key)
        self._news.set()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be done now; keys may wait for their time."""
        return self._queue.is_idle

    def next_due(self) -> float | None:
        """Return the monotonic time at which the next waiting key becomes ready."""
        return self._queue.next_due()

    async def work(self) -> None:
        """Work until cancelled; several may work at once."""
        own = asyncio.current_task()
        # A library may answer a cancellation by another error, which a pass survives.
        while own is None or not own.cancelling():
            key = self._queue.take(clock.monotonic_seconds())
            if key is None:
                await self._wait()
                continue
            try:
                await self._pass(key)
            finally:
                self._queue.done(key)
        raise asyncio.CancelledError

    async def _wait(self) -> None:
        """Wait for news, or for the moment at which a key becomes ready."""
        self._news.clear()
        due = self._queue.next_due()
        seconds = None if due is None else max(0.0, due - clock.monotonic_seconds())
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def _pass(self, key: Key) -> None:
        labels = (("controller", self.controller.name),)
        self._metrics.count("certmanager_controller_sync_call_count", labels)
        try:
            plan = await self._limited(key)
        except ConflictError as error:
            seconds = self._queue.retry(key, clock.monotonic_seconds())
            _log.debug("conflict", **self._about(key, seconds), reason=str(error))
            return
        except (CertwrightError, TimeoutError) as error:
            self._failed(key, str(error) or type(error).__name__)
            return
        except Exception as error:  # noqa: BLE001  # a bug in one pass must not stop the others
            self._failed(key, "BUG", error)
            return
        due = plan.look_again_after_seconds
        now = clock.monotonic_seconds()
        self._queue.look_again_at(key, None if due is None else now + max(due, 0.0))
        if plan.retry:
            self._failed(key, plan.retry)
        else:
            self._queue.forget_failures(key)

    async def _limited(self, key: Key) -> Plan:
        seconds = self.controller.timeout_seconds
        async with nullcontext() if seconds is None else asyncio.timeout(seconds):
            snapshot = await self.controller.gather(key, self._objects)
            if snapshot is None:
                return _NOTHING
            loop = asyncio.get_running_loop()
            plan: Plan = await loop.run_in_executor(
                self._threads, self.controller.plan, snapshot, self._sources()
            )
            await self._executor.carry_out(plan.actions)
            while plan.ask is not None:
                answer = await self._outside.answer(plan.ask.question)
                plan = await loop.run_in_executor(
                    self._threads, plan.ask.decide, answer, self._sources()
                )
                await self._executor.carry_out(plan.actions)
            return plan

    def _failed(self, key: Key, reason: str, bug: BaseException | None = None) -> None:
        name = self.controller.name
        self._metrics.count("certmanager_controller_sync_error_count", (("controller", name),))
        seconds = self._queue.retry(key, clock.monotonic_seconds())
        if bug is None:
            _log.warning("re-queuing item due to error", **self._about(key, seconds), err=reason)
        else:
            _log.exception("BUG: a pass failed", bug, **self._about(key, seconds))

    def _about(self, key: Key, seconds: float) -> dict[str, object]:
        return {
            "controller": self.controller.name,
            "key": f"{key.namespace}/{key.name}" if key.namespace else key.name,
            "again_after_seconds": seconds,
        }


_NOTHING = Plan()
