"""From an agent's journal to collectors: what `forward_plan.py` decides is done here.

The loader's place in a process without a store. Nothing waits until a segment is sealed: a record
is sent as soon as it is durable. What cannot be sent stays in the journal, which says no to senders
when it is full.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from lymer.errors import CorruptJournalError
from lymer.journal.agent_names import AgentNames
from lymer.journal.delivery import Delivery
from lymer.journal.journal import Journal
from lymer.journal.reading import read_records
from lymer.journal.segments import WrittenSegment
from lymer.model.segment import SealedSegment
from lymer.pipeline.collector_health import Said
from lymer.pipeline.collectors import Collectors
from lymer.pipeline.forward_plan import (
    Action,
    ForwardLimits,
    ForwardPlan,
    Parcel,
    Read,
    Remove,
    Send,
    Split,
    WriteRoute,
)
from lymer.pipeline.forward_route import (
    Route,
    read_route,
    remove_orphans,
    remove_route,
    write_route,
)
from lymer.pipeline.outcome import Accepted, Outcome, Refused, Repeat
from lymer.pipeline.quarantine import set_aside
from lymer.telemetry.forward_metrics import ForwardMetrics
from lymer.telemetry.logs import EventLog
from lymer.wire.otlp_halves import halves

__all__ = ["SEGMENTS_AT_ONCE_MAX", "Forwarder"]

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


class Forwarder:
    """Tasks on one event loop that send what a journal holds."""

    def __init__(
        self,
        journal: Journal[Any],
        names: AgentNames,
        collectors: Collectors,
        limits: ForwardLimits,
        *,
        data_dir: Path,
        metrics: ForwardMetrics,
        before_remove: Callable[[SealedSegment], None] = lambda _segment: None,
        tenant_metadata: Callable[[str], Sequence[tuple[str, str]]] = lambda _tenant: (),
    ) -> None:
        """Prepare; `start` begins.

        Args:
            journal: What it holds is sent.
            names: Under which name each segment is delivered.
            collectors: Where to; refreshed and closed by us.
            limits: How much at once, and how patiently.
            data_dir: Holds the journal and, when needed, requests no collector takes.
            metrics: Counted here.
            before_remove: Makes durable what will be asked about a segment when it is gone.
            tenant_metadata: How a request says whose spans it brings.
        """
        self._journal = journal
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
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._bug = ""
        self._disk = ThreadPoolExecutor(_DISK_THREADS, thread_name_prefix="forward-disk")
        self._follower = ThreadPoolExecutor(1, thread_name_prefix="forward-follow")
        metrics.collectors.set_function(lambda: len(collectors.links))
        metrics.working.set_function(collectors.healths.working)
        metrics.jaeger_connected.set_function(lambda: min(collectors.healths.working(), 1))

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
        self._sending = asyncio.create_task(self._insist(self._send_all), name="forward")
        self._following = asyncio.create_task(self._insist(self._follow), name="follow the journal")

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

    async def _follow(self) -> None:
        await self._on(self._disk, remove_orphans, self._data_dir / "journal")
        recovered = self._journal.take_recovered()
        if recovered:
            spans = sum(segment.span_count for segment in recovered)
            _log.info("buffer recovered", segments=len(recovered), spans=spans)
        for segment in recovered:
            route = await self._on(self._disk, read_route, segment.path)
            await self._learn(WrittenSegment(segment, is_sealed=True), route)
        seen: dict[int, int] = {}
        while True:
            poll = 0.0 if self._stopping else _POLL_SECONDS
            written = await self._on(self._follower, self._journal.take_written, dict(seen), poll)
            if written is not None:
                seen[written.segment.segment_id] = written.segment.byte_count
                if written.is_sealed:
                    del seen[written.segment.segment_id]
                await self._learn(written)
            elif poll == 0.0:
                return

    async def _learn(self, written: WrittenSegment, route: Route | None = None) -> None:
        if written.segment.segment_id not in self._plan.segments:
            await self._room.acquire()
        self._plan.grow(written, route)
        self._changed.set()

    # From the plan to disk and network.

    async def _send_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            is_followed = self._following.done()
            for action in self._plan.step(loop.time()):
                task = asyncio.create_task(self._insist(partial(self._do, action)))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            if is_followed and not self._plan.segments:
                return
            if not self._changed.is_set():
                timer = loop.call_later(self._plan.wake_seconds(loop.time()), self._changed.set)
                await self._changed.wait()
                timer.cancel()

    async def _do(self, action: Action) -> None:
        match action:
            case Said():
                facts: dict[str, object] = {
                    "collector": action.collector,
                    "failures": action.failures,
                }
                facts["seconds"] = round(action.seconds, 1)
                if action.reason:
                    _log.warning(action.event, **facts, error=action.reason)
                else:
                    _log.info(action.event, **facts)
            case Send():
                await self._send(action)
            case Read(segment, offset):
                records, after, lost = await self._on(
                    self._disk, read_records, segment.path, offset, segment.byte_count
                )
                if lost:
                    self._metrics.lost_bytes.inc(lost)
                    _log.error("damaged bytes skipped", segment=segment.path.name, bytes=lost)
                self._plan.read(segment.segment_id, records, after)
            case Split(parcel, reason):
                parts = await asyncio.to_thread(halves, parcel.request)
                if parts is None:
                    await self._set_aside(parcel, reason)
                self._plan.was_split(parcel, parts or ())
            case WriteRoute():
                await self._write_route(action)
            case Remove(segment):
                await self._on(self._disk, self._remove, segment)
                self._plan.removed(segment.segment_id)
                self._room.release()
        self._changed.set()

    async def _send(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        parcel = send.parcel
        link = self._collectors.get(send.health.reference)
        outcome: Outcome
        if link is None:
            outcome = Repeat("is not known any more", 0.0, is_unknown=False, is_suspicious=False)
        else:
            agent = self._names.of(parcel.segment)
            settled = self._settled(agent)
            delivery = Delivery(agent, parcel.segment, parcel.index, parcel.part, settled)
            metadata = (*delivery.metadata(), *self._tenant_metadata(send.tenant))
            seconds_max = self._limits.request_seconds_max
            try:
                outcome = await link.send(parcel.request.body, metadata, seconds_max)
            except Exception as error:  # noqa: BLE001 - the collector must not seem to be busy
                self._report_bug(error)
                outcome = Repeat(f"BUG: {error!r}", 0.0, is_unknown=True, is_suspicious=True)
        now = loop.time()
        match outcome:
            case Accepted(rejected_spans):
                self._bug = ""
                self._metrics.accepted(parcel.request.span_count, now - send.sent_at)
                self._metrics.rejected_spans.inc(max(rejected_spans, 0))
            case Refused(_, is_too_large):
                label = "too_large" if is_too_large else "refused"
                self._metrics.failed(label, parcel.request.span_count)
            case Repeat():
                self._metrics.failed("repeat", parcel.request.span_count)
        self._plan.answered(send, outcome, now)

    def _settled(self, agent: bytes) -> int:
        """Return the highest segment below all that are or will be sent under the name `agent`.

        Tenants' segments are open side by side and come in any order: one that is not here yet may
        be older than all that are.
        """
        numbers = [one for one in self._plan.segments if self._names.of(one) == agent]
        oldest = self._journal.oldest_segment_id()
        if agent == self._names.own and oldest is not None:
            numbers.append(oldest)
        return min(numbers) - 1

    async def _set_aside(self, parcel: Parcel, reason: str) -> None:
        name = f"{parcel.segment:020d}-{parcel.index:07d}-{parcel.part}"
        folder = self._data_dir / "quarantine"
        requests = [(name, parcel.request.body, reason)]
        await self._on(self._disk, set_aside, folder, requests)
        self._metrics.quarantined.inc()
        _log.error("request quarantined", request=name, folder=folder, reason=reason)

    async def _write_route(self, action: WriteRoute) -> None:
        number = action.segment.segment_id
        try:
            await self._on(self._disk, write_route, action.segment.path, action.packed)
        except OSError as error:
            # A full disk gets room only by sending; what is at stake is a second copy.
            _log.error("route not written", segment=number, error=error)
        if action.is_move:
            self._metrics.moved.inc()
            _log.warning(
                "segment moved to another collector", segment=number, collector=action.collector
            )
        self._plan.routed(number)

    def _remove(self, segment: SealedSegment) -> None:
        self._before_remove(segment)
        self._journal.remove(segment)
        remove_route(segment.path)

    async def _insist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it, again and again while disk or a bug is in the way: no record may be lost."""
        pause = _AGAIN_SECONDS_MIN
        while True:
            try:
                return await work()
            except (OSError, CorruptJournalError) as error:
                _log.error("the disk refuses, will retry", error=error)
            except Exception as error:  # noqa: BLE001 - see above
                self._report_bug(error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _AGAIN_SECONDS_MAX)

    def _report_bug(self, error: Exception) -> None:
        self._metrics.crashes.inc()
        self._bug = f"BUG in forwarding: {error!r}"
        _log.exception("BUG in forwarding", error)

    async def _on(self, executor: Executor, call: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(executor, call, *arguments)
