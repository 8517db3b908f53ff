"""From an agent's journal to collectors: what `forward_plan.py` decides is done here.

The loader's place in a process without a store. Nothing waits until a segment is sealed: a record
is sent as soon as it is durable. What cannot be sent stays in the journal, which says no to senders
when it is full.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from lymer.errors import CorruptJournalError
from lymer.journal.agent_names import AgentNames
from lymer.journal.delivery import Delivery
from lymer.journal.reading import read_records
from lymer.journal.segments import WrittenSegment
from lymer.model.segment import SealedSegment
from lymer.pipeline.collector_health import Said
from lymer.pipeline.collectors import Collectors
from lymer.pipeline.forward_actions import (
    Action,
    Halve,
    Parcel,
    Read,
    Remove,
    Send,
    SetAside,
    WriteRoute,
)
from lymer.pipeline.forward_plan import ForwardLimits, ForwardPlan
from lymer.pipeline.forward_route import read_route, remove_orphans, remove_route, write_route
from lymer.pipeline.outcome import Accepted, Outcome, Refused, Repeat, TooLarge
from lymer.pipeline.quarantine import set_aside
from lymer.telemetry.forward_metrics import ForwardMetrics
from lymer.telemetry.logs import EventLog
from lymer.wire.otlp_halves import halves

__all__ = ["SEGMENTS_AT_ONCE_MAX", "FollowedSource", "Forwarder", "Settles"]

_log = EventLog(__name__)
_T = TypeVar("_T")
SEGMENTS_AT_ONCE_MAX: Final = 16
"""Segments being sent: each tenant that sends has one, and one may be stuck at a collector that is
away while others go elsewhere. Must be well below the `SEGMENTS_MAX` a collector remembers."""
_POLL_SECONDS: Final = 0.5
_AGAIN_SECONDS_MIN: Final = 0.1
_AGAIN_SECONDS_MAX: Final = 10.0
"""What the disk refuses is tried again, after pauses that double."""
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
        self._limits = limits
        self._data_dir = data_dir
        self._metrics = metrics
        self._before_remove = before_remove
        self._tenant_metadata = tenant_metadata
        self._plan = ForwardPlan(limits, collectors.healths, random.random)
        self._changed = asyncio.Event()
        self._room = asyncio.Semaphore(SEGMENTS_AT_ONCE_MAX)
        self._under_way: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._bug = ""
        self._disk = ThreadPoolExecutor(_DISK_THREADS, thread_name_prefix="forward-disk")
        self._follower = ThreadPoolExecutor(1, thread_name_prefix="forward-follow")
        metrics.collectors.set_function(lambda: len(collectors.links))
        metrics.working.set_function(self._working)
        metrics.jaeger_connected.set_function(lambda: min(self._working(), 1))

    @property
    def problem(self) -> str:
        """Why the last request that was answered was not accepted; empty if it was."""
        return self._bug or self._plan.problem

    async def start(self) -> None:
        """Look collectors up and begin to send: first what a former run left."""
        await self._collectors.refresh()
        self._refreshing = asyncio.create_task(
            self._collectors.refresh_always(), name="look collectors up"
        )
        self._sending = asyncio.create_task(self._send_always(), name="forward")
        self._following = asyncio.create_task(self._follow_always(), name="follow the journal")

    async def stop(self, seconds_max: float) -> bool:
        """Send what the closed journal still holds, then stop.

        Returns:
            Whether all was sent; what was not is sent after the next start.
        """
        self._stopping = True
        self._changed.set()
        _, late = await asyncio.wait([self._sending], timeout=seconds_max)
        tasks = [self._sending, self._following, self._refreshing, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._collectors.close()
        self._follower.shutdown(wait=False, cancel_futures=True)
        self._disk.shutdown(wait=False, cancel_futures=True)
        return not late

    # From the journal to the plan.

    async def _follow_always(self) -> None:
        while True:
            try:
                await self._follow()
                return
            except Exception as error:  # noqa: BLE001 - a bug must not end forwarding silently
                await self._report_bug("BUG in following the journal", error)

    async def _follow(self) -> None:
        await self._on(self._disk, remove_orphans, self._data_dir / "journal")
        recovered = self._source.take_recovered()
        if recovered:
            spans = sum(segment.span_count for segment in recovered)
            _log.info("buffer recovered", segments=len(recovered), spans=spans)
        for segment in recovered:
            await self._learn(WrittenSegment(segment, is_sealed=True), is_recovered=True)
        seen: dict[int, int] = {}
        while True:
            poll = 0.0 if self._stopping else _POLL_SECONDS
            written = await self._on(self._follower, self._source.take_written, dict(seen), poll)
            if written is None:
                if poll == 0.0:
                    return
                continue
            if written.is_sealed:
                seen.pop(written.segment.segment_id, None)
            else:
                seen[written.segment.segment_id] = written.segment.byte_count
            await self._learn(written, is_recovered=False)

    async def _learn(self, written: WrittenSegment, *, is_recovered: bool) -> None:
        segment = written.segment
        route = None
        if segment.segment_id not in self._under_way:
            await self._room.acquire()
            self._under_way.add(segment.segment_id)
            if is_recovered:
                route = await self._on(self._disk, read_route, segment.path)
        agent = self._names.of(segment.segment_id)
        self._plan.grow(written, agent, route, is_recovered=is_recovered)
        self._changed.set()

    # From the plan to disk and network.

    async def _send_always(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            is_followed = self._following.done()
            try:
                for action in self._plan.step(loop.time()):
                    self._begin(action)
            except Exception as error:  # noqa: BLE001 - a bug must not end forwarding silently
                await self._report_bug("BUG in forwarding", error)
            if is_followed and self._plan.is_empty():
                return
            if not self._changed.is_set():
                timer = loop.call_later(self._plan.wake_seconds(loop.time()), self._changed.set)
                await self._changed.wait()
                timer.cancel()

    def _begin(self, action: Action) -> None:
        match action:
            case Said():
                self._log_said(action)
            case Send():
                self._start(lambda: self._send(action))
            case Read(segment, offset):
                self._start(lambda: self._read(segment, offset))
            case Halve(parcel):
                self._start(lambda: self._halve(parcel))
            case SetAside(parcel):
                self._start(lambda: self._set_aside(parcel))
            case WriteRoute():
                self._start(lambda: self._write_route(action))
            case Remove(segment):
                self._start(lambda: self._remove(segment))

    def _start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do it, again if a bug is in the way: it must not lose a record."""
        while True:
            try:
                await work()
                break
            except Exception as error:  # noqa: BLE001 - see above
                await self._report_bug("BUG in forwarding", error)
        self._changed.set()

    async def _send(self, action: Send) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        parcel = action.parcel
        outcome = await self._outcome(action)
        self._count(outcome, parcel.request.span_count, loop.time() - started)
        self._plan.answered(parcel, outcome, loop.time())

    async def _outcome(self, action: Send) -> Outcome:
        link = self._collectors.get(action.collector)
        if link is None:
            return Repeat("the collector is gone", 0.0, is_unknown=False, is_suspicious=False)
        parcel = action.parcel
        delivery = Delivery(
            action.agent,
            parcel.segment,
            parcel.index,
            parcel.part,
            self._settled(action.agent),
        )
        metadata = (*delivery.metadata(), *self._tenant_metadata(action.tenant))
        try:
            return await link.send(parcel.request.body, metadata, self._limits.request_seconds_max)
        except Exception as error:  # noqa: BLE001 - a bug must not lose a record
            self._metrics.crashes.inc()
            _log.exception("BUG in forwarding", error)
            return Repeat(f"BUG: {error!r}", 0.0, is_unknown=True, is_suspicious=False)

    def _count(self, outcome: Outcome, span_count: int, seconds: float) -> None:
        match outcome:
            case Accepted(rejected_spans):
                self._bug = ""
                self._metrics.accepted(span_count, seconds)
                self._metrics.rejected_spans.inc(max(rejected_spans, 0))
            case Refused():
                self._metrics.failed("refused", span_count)
            case TooLarge():
                self._metrics.failed("too_large", span_count)
            case Repeat():
                self._metrics.failed("repeat", span_count)

    async def _read(self, segment: SealedSegment, offset: int) -> None:
        records, after, lost = await self._until_done(
            "buffer not read, will retry", read_records, segment.path, offset, segment.byte_count
        )
        if lost:
            self._metrics.lost_bytes.inc(lost)
            _log.error("damaged bytes skipped", segment=segment.path.name, bytes=lost)
        self._plan.read(segment.segment_id, records, after)

    async def _halve(self, parcel: Parcel) -> None:
        parts = await asyncio.to_thread(halves, parcel.request)
        self._plan.halved(parcel, parts)

    async def _set_aside(self, parcel: Parcel) -> None:
        name = f"{parcel.segment:020d}-{parcel.index:07d}-{parcel.part}"
        folder = self._data_dir / "quarantine"
        requests = [(name, parcel.request.body, parcel.reason)]
        await self._until_done("quarantine not written, will retry", set_aside, folder, requests)
        self._metrics.quarantined.inc()
        _log.error("request quarantined", request=name, folder=folder, reason=parcel.reason)
        self._plan.was_set_aside(parcel)

    async def _write_route(self, action: WriteRoute) -> None:
        try:
            await self._on(self._disk, write_route, action.segment.path, action.packed)
        except OSError as error:
            # A full disk gets room only by sending; what is at stake is a second copy.
            _log.error("route not written", segment=action.segment.path.name, error=error)
        if action.is_move:
            self._metrics.moved.inc()
            _log.warning(
                "segment moved to another collector",
                segment=action.segment.segment_id,
                collector=action.collector,
            )
        self._plan.routed(action.segment.segment_id)

    async def _remove(self, segment: SealedSegment) -> None:
        await self._until_done("segment not removed, will retry", self._remove_now, segment)
        self._under_way.discard(segment.segment_id)
        self._plan.removed(segment.segment_id)
        self._room.release()

    def _remove_now(self, segment: SealedSegment) -> None:
        if self._before_remove is not None:
            self._before_remove.settle(segment)
        self._source.remove(segment)
        remove_route(segment.path)

    def _settled(self, agent: bytes) -> int:
        """Return the highest segment below all that are or will be sent under the name `agent`.

        Tenants' segments are open side by side and come in any order: one that is not here yet may
        be older than all that are.
        """
        numbers = [self._plan.oldest(agent)]
        if agent == self._names.own:
            numbers.append(self._source.oldest_segment_id())
        return min(number for number in numbers if number is not None) - 1

    def _working(self) -> int:
        healths = self._collectors.healths.all()
        return sum(not health.is_failing and health.last_success > 0 for health in healths)

    def _log_said(self, said: Said) -> None:
        facts: dict[str, Any] = {"collector": said.collector, "failures": said.failures}
        if said.reason:
            _log.warning(said.event, **facts, seconds=round(said.seconds, 1), error=said.reason)
        else:
            _log.info(said.event, **facts, seconds=round(said.seconds, 1))

    async def _report_bug(self, what: str, error: Exception) -> None:
        self._metrics.crashes.inc()
        self._bug = f"{what}: {error!r}"
        _log.exception(what, error)
        await asyncio.sleep(1.0)

    async def _until_done(self, what: str, call: Callable[..., _T], *arguments: object) -> _T:
        """Call it on a thread for the disk, again and again while the disk refuses."""
        pause = _AGAIN_SECONDS_MIN
        while True:
            try:
                return await self._on(self._disk, call, *arguments)
            except (OSError, CorruptJournalError) as error:
                _log.error(what, error=error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _AGAIN_SECONDS_MAX)

    async def _on(self, executor: Executor, call: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(executor, call, *arguments)
