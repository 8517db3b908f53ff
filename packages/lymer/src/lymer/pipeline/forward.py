"""From an agent's journal to collectors: a few segments at once, each until it is done.

The loader's place in a process without a store. Nothing waits until a segment is sealed: a record
is sent as soon as it is durable. What cannot be sent stays in the journal, which says no to senders
when it is full.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol, TypeVar

from lymer.journal.agent_names import AgentNames
from lymer.journal.journal import WrittenSegment
from lymer.model.segment import SealedSegment
from lymer.pipeline.collectors import Collectors
from lymer.pipeline.forward_route import Route, read_route, remove_orphans, remove_route
from lymer.pipeline.forward_segment import Forwarding, ForwardLimits, SegmentRun
from lymer.telemetry.forward_metrics import ForwardMetrics
from lymer.telemetry.logs import EventLog

__all__ = ["SEGMENTS_AT_ONCE_MAX", "FollowedSource", "Forwarder", "Settles"]

_log = EventLog(__name__)
_T = TypeVar("_T")
SEGMENTS_AT_ONCE_MAX: Final = 16
"""Segments being sent: each tenant that sends has one, and one may be stuck at a collector that is
away while others go elsewhere. Must be well below the `SEGMENTS_MAX` a collector remembers."""
_POLL_SECONDS: Final = 0.5
_REMOVE_PAUSE_SECONDS: Final = 1.0
_DISK_THREADS: Final = 3


class FollowedSource(Protocol):
    """What the forwarder needs of the journal."""

    def take_recovered(self) -> list[SealedSegment]:
        """Return segments of a former run."""

    def take_written(
        self, seen: Mapping[int, int], timeout_seconds: float
    ) -> WrittenSegment | None:
        """Return what is new, or None."""

    def remove(self, segment: SealedSegment) -> None:
        """Forget a segment that is done."""

    def oldest_segment_id(self) -> int | None:
        """Return the lowest id of all that are not removed, also of those not taken yet."""


class Settles(Protocol):
    """Who must know of a segment before it is removed."""

    def settle(self, segment: SealedSegment) -> None:
        """Make durable what will be asked about it later."""


class Forwarder:
    """Tasks on one event loop that send what a journal holds."""

    def __init__(
        self,
        source: FollowedSource,
        names: AgentNames,
        collectors: Collectors,
        limits: ForwardLimits,
        *,
        data_dir: Path,
        metrics: ForwardMetrics,
        before_remove: Settles | None = None,
        tenant_metadata: Callable[[str], Sequence[tuple[str, str]]] = lambda _tenant: (),
    ) -> None:
        """Prepare; `start` begins.

        Args:
            source: The journal.
            names: Under which name each segment is delivered.
            collectors: Where to; refreshed and closed by us.
            limits: How much at once, and how patiently.
            data_dir: Holds the journal and, when needed, requests no collector takes.
            metrics: Counted here.
            before_remove: Asked before a segment is removed.
            tenant_metadata: How a request says whose spans it brings.
        """
        self._source = source
        self._names = names
        self._collectors = collectors
        self._data_dir = data_dir
        self._metrics = metrics
        self._before_remove = before_remove
        self._runs: dict[int, SegmentRun] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(SEGMENTS_AT_ONCE_MAX)
        self._stopping = False
        self._problem = ""
        self._disk = ThreadPoolExecutor(_DISK_THREADS, thread_name_prefix="forward-disk")
        self._follower = ThreadPoolExecutor(1, thread_name_prefix="forward-follow")
        self._shared = Forwarding(
            collectors,
            limits,
            data_dir / "quarantine",
            metrics,
            self._disk,
            random.random,
            self._settled,
            self._say_problem,
            tenant_metadata,
        )
        metrics.collectors.set_function(lambda: len(collectors.links))
        metrics.working.set_function(self._working)
        metrics.jaeger_connected.set_function(lambda: min(self._working(), 1))

    @property
    def problem(self) -> str:
        """Why the last request that was answered was not accepted; empty if it was."""
        return self._problem

    async def start(self) -> None:
        """Look collectors up and begin to send: first what a former run left."""
        await self._collectors.refresh()
        self._refreshing = asyncio.create_task(
            self._collectors.refresh_always(), name="look collectors up"
        )
        self._following = asyncio.create_task(self._follow_always(), name="forward")

    async def stop(self, seconds_max: float) -> bool:
        """Send what the closed journal still holds, then stop.

        Returns:
            Whether all was sent; what was not is sent after the next start.
        """
        self._stopping = True
        _, late = await asyncio.wait([self._following], timeout=seconds_max)
        if late:
            self._following.cancel()
        for task in [self._refreshing, *self._tasks]:
            task.cancel()
        await asyncio.gather(
            self._following, self._refreshing, *self._tasks, return_exceptions=True
        )
        await self._collectors.close()
        self._follower.shutdown(wait=False, cancel_futures=True)
        self._disk.shutdown(wait=False, cancel_futures=True)
        return not late

    async def _follow_always(self) -> None:
        while True:
            try:
                await self._follow()
                break
            except Exception as error:  # noqa: BLE001 - a bug must not end forwarding silently
                self._metrics.crashes.inc()
                self._problem = f"BUG in the forwarder: {error!r}"
                _log.exception("BUG in the forwarder", error)
                await asyncio.sleep(_REMOVE_PAUSE_SECONDS)
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _follow(self) -> None:
        await self._on_disk(remove_orphans, self._data_dir / "journal")
        recovered = self._source.take_recovered()
        if recovered:
            spans = sum(segment.span_count for segment in recovered)
            _log.info("buffer recovered", segments=len(recovered), spans=spans)
        for segment in recovered:
            await self._begin(WrittenSegment(segment, is_sealed=True), is_recovered=True)
        seen: dict[int, int] = {}
        loop = asyncio.get_running_loop()
        while True:
            poll = 0.0 if self._stopping else _POLL_SECONDS
            written = await loop.run_in_executor(
                self._follower, self._source.take_written, dict(seen), poll
            )
            if written is None:
                if poll == 0.0:
                    return
                continue
            segment = written.segment
            if written.is_sealed:
                seen.pop(segment.segment_id, None)
            else:
                seen[segment.segment_id] = segment.byte_count
            run = self._runs.get(segment.segment_id)
            if run is not None:
                run.grow(written)
            else:
                await self._begin(written, is_recovered=False)

    async def _begin(self, written: WrittenSegment, *, is_recovered: bool) -> None:
        await self._room.acquire()
        segment = written.segment
        route = await self._on_disk(read_route, segment.path) if is_recovered else Route()
        run = SegmentRun(
            written,
            self._shared,
            agent=self._names.of(segment.segment_id),
            route=route,
            is_recovered=is_recovered,
        )
        self._runs[segment.segment_id] = run
        task = asyncio.create_task(self._finish(run), name=f"forward {segment.segment_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, run: SegmentRun) -> None:
        """Send a segment and remove it."""
        while True:
            try:
                await run.run()
                break
            except Exception as error:  # noqa: BLE001 - a bug must not lose a segment
                self._metrics.crashes.inc()
                _log.exception("BUG in forwarding a segment", error)
                await asyncio.sleep(_REMOVE_PAUSE_SECONDS)
        while True:
            try:
                await self._on_disk(self._remove, run.segment)
                break
            except OSError as error:
                _log.error("segment not removed, will retry", segment=run.segment, error=error)
                await asyncio.sleep(_REMOVE_PAUSE_SECONDS)
        del self._runs[run.segment.segment_id]
        self._room.release()

    def _remove(self, segment: SealedSegment) -> None:
        if self._before_remove is not None:
            self._before_remove.settle(segment)
        self._source.remove(segment)
        remove_route(segment.path)

    def _settled(self, agent: bytes) -> int:
        """Return the highest segment below all that are or will be sent under the name `agent`.

        Tenants' segments are open side by side and come in any order: one that is not here yet may
        be older than all that are.
        """
        numbers = [number for number, run in self._runs.items() if run.agent == agent]
        oldest = self._source.oldest_segment_id()
        if agent == self._names.own and oldest is not None:
            numbers.append(oldest)
        return min(numbers) - 1

    def _working(self) -> int:
        return sum(link.failures == 0 and link.last_success > 0 for link in self._collectors.links)

    def _say_problem(self, problem: str) -> None:
        self._problem = problem

    async def _on_disk(self, call: Callable[..., _T], *arguments: object) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._disk, call, *arguments)
