"""One segment on its way to a collector: record after record, several at once, until all are done.

Theory of operation. Records are read in order and sent, at most `requests_in_flight_max` of them
and `_BYTES_IN_FLIGHT_MAX` bytes unanswered. A record is done when a collector has acknowledged it,
or when it lies in quarantine because none ever will: what is refused is sent again in halves until
the spans to blame are found. Everything else is repeated for ever, with pauses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from lymer.errors import CorruptJournalError
from lymer.journal.delivery import INDEX_MAX, Delivery
from lymer.journal.journal import WrittenSegment
from lymer.journal.marks import WHOLE
from lymer.journal.reading import ReadRecord, read_records
from lymer.pipeline.collector_link import Accepted, CollectorLink, Refused, Repeat, TooLarge
from lymer.pipeline.collectors import Collectors
from lymer.pipeline.forward_route import Route, write_route
from lymer.pipeline.quarantine import set_aside
from lymer.telemetry.forward_metrics import ForwardMetrics
from lymer.telemetry.logs import EventLog
from lymer.wire.otlp_halves import halves
from lymer.wire.otlp_proto import CheckedRequest

__all__ = ["ForwardLimits", "Forwarding", "SegmentRun"]

_log = EventLog(__name__)
_T = TypeVar("_T")
_BYTES_IN_FLIGHT_MAX: Final = 8 * 2**20
"""Bytes of one segment read and not done, beside one record that may be larger."""
_SUSPICIOUS_ATTEMPTS_MAX: Final = 10
"""A request that fails so often with INTERNAL and the like, while others to the same collector
succeed, counts as refused."""
_LOG_EVERY_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class ForwardLimits:
    """See `AgentSettings`."""

    requests_in_flight_max: int
    request_seconds_max: float
    backoff_seconds_min: float
    backoff_seconds_max: float
    move_seconds: float
    message_bytes_max: int


@dataclass(frozen=True, slots=True)
class Forwarding:
    """What all segments share."""

    collectors: Collectors
    limits: ForwardLimits
    quarantine: Path
    metrics: ForwardMetrics
    executor: Executor
    """For the disk."""
    chance: Callable[[], float]
    """From 0 to 1, for pauses."""
    settled: Callable[[bytes], int]
    """The highest segment an agent name is done with."""
    say_problem: Callable[[str], None]
    """Told why a collector does not take requests, or an empty text when one does."""
    tenant_metadata: Callable[[str], Sequence[tuple[str, str]]]
    """How a request says whose spans it brings."""


class SegmentRun:
    """Sends one segment. Lives on one event loop; `run` is one task."""

    def __init__(
        self,
        written: WrittenSegment,
        shared: Forwarding,
        *,
        agent: bytes,
        route: Route,
        is_recovered: bool,
    ) -> None:
        """Prepare.

        Args:
            written: The segment as far as it is known.
            shared: What it has in common with others.
            agent: The name it is delivered under.
            route: What a former run knows of it.
            is_recovered: Whether a former run may have sent any of it.
        """
        self.segment = written.segment
        self.agent = agent
        self._is_sealed = written.is_sealed
        self._shared = shared
        self._route = route
        self._is_recovered = is_recovered
        self._grown = asyncio.Event()
        self._freed = asyncio.Event()
        self._choosing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._bytes_in_flight = 0
        self._unknown: set[int] = set()
        """Records that the collector may or may not have."""
        self._lost_since = 0.0
        """Loop time since when the collector we want is not to be found at all."""

    def grow(self, written: WrittenSegment) -> None:
        """Learn that there is more of the segment, or that there will not be."""
        self.segment = written.segment
        self._is_sealed = written.is_sealed
        self._grown.set()

    async def run(self) -> None:
        """Return when every record of the sealed segment is done."""
        offset, index = 0, 0
        try:
            while True:
                self._grown.clear()
                if offset < self.segment.byte_count:
                    records, offset = await self._read(offset)
                    for record in records:
                        await self._begin(record, index)
                        index += 1
                elif self._is_sealed:
                    break
                else:
                    await self._grown.wait()
            while self._tasks:
                await asyncio.wait(self._tasks)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self, offset: int) -> tuple[list[ReadRecord], int]:
        """Read some records; a disk that does not answer is asked again for ever."""
        attempt = 0
        while True:
            try:
                records, after, lost = await self._on_disk(
                    read_records, self.segment.path, offset, self.segment.byte_count
                )
            except CorruptJournalError as error:
                self._shared.say_problem(str(error))
                _log.error("buffer not read, will retry", error=error)
                await self._pause(attempt)
                attempt += 1
                continue
            if lost:
                self._shared.metrics.lost_bytes.inc(lost)
                _log.error("damaged bytes skipped", segment=self.segment.path.name, bytes=lost)
            return records, after

    async def _begin(self, record: ReadRecord, index: int) -> None:
        """Start a record when there is room for it."""
        if self._route.done.has(index):
            return
        limit = self._shared.limits.requests_in_flight_max
        while self._tasks and (
            len(self._tasks) >= limit
            or self._bytes_in_flight + len(record.body) > _BYTES_IN_FLIGHT_MAX
        ):
            self._freed.clear()
            await self._freed.wait()
        self._bytes_in_flight += len(record.body)
        task = asyncio.create_task(self._deliver(record, index))
        self._tasks.add(task)

        def done(_: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._bytes_in_flight -= len(record.body)
            self._freed.set()

        task.add_done_callback(done)

    async def _deliver(self, record: ReadRecord, index: int) -> None:
        """Send a record until it is done, in halves of halves if it must be."""
        pending = [(WHOLE, CheckedRequest(record.body, record.span_count))]
        while pending:
            part, request = pending.pop()
            if self._route.done.has(index, part):
                continue
            attempt = 0
            while True:
                try:
                    refusal = await self._send(request, index, part)
                    if refusal:
                        parts = await asyncio.to_thread(halves, request)
                        if parts is None:
                            await self._quarantine(request, index, part, refusal)
                        else:
                            pending += [(2 * part + 1, parts[1]), (2 * part, parts[0])]
                    break
                except OSError as error:
                    _log.error("quarantine not written, will retry", error=error)
                    await self._pause(attempt)
                    attempt += 1
                except Exception as error:  # noqa: BLE001 - a bug must not lose a record
                    self._shared.metrics.crashes.inc()
                    _log.exception("BUG in forwarding", error)
                    await self._pause(attempt)
                    attempt += 1
        # Its parts are no longer of interest, but which were done is what a move writes down.
        self._route.done.add(index)
        self._unknown.discard(index)

    async def _send(self, request: CheckedRequest, index: int, part: int) -> str:
        """Send until it is accepted; return why it never will be, or nothing."""
        shared = self._shared
        if len(request.body) > shared.limits.message_bytes_max and request.span_count > 1:
            return f"{len(request.body)} bytes, the limit is {shared.limits.message_bytes_max}"
        if index > INDEX_MAX or part.bit_length() > 32:
            return "the segment has too many records"
        loop = asyncio.get_running_loop()
        begun = loop.time()
        tenant = tuple(shared.tenant_metadata(self.segment.tenant))
        attempt = 0
        while True:
            link = await self._link()
            if link is None:
                shared.say_problem("no collector is known: their names cannot be looked up")
                await self._pause(attempt)
                attempt += 1
                continue
            delivery = Delivery(
                self.agent, self.segment.segment_id, index, part, shared.settled(self.agent)
            )
            started = loop.time()
            outcome = await link.send(
                request.body, delivery.metadata() + tenant, shared.limits.request_seconds_max
            )
            match outcome:
                case Accepted(rejected_spans):
                    self._succeeded(link)
                    shared.metrics.accepted(request.span_count, loop.time() - started)
                    shared.metrics.rejected_spans.inc(max(rejected_spans, 0))
                    self._route.done.add(index, part)
                    return ""
                case Refused(reason):
                    self._succeeded(link)
                    shared.metrics.failed("refused", request.span_count)
                    return reason
                case TooLarge(reason):
                    self._succeeded(link)
                    shared.metrics.failed("too_large", request.span_count)
                    return reason
                case Repeat():
                    shared.metrics.failed("repeat", request.span_count)
                    self._failed(link, outcome, index, attempt)
                    if (
                        outcome.is_suspicious
                        and attempt >= _SUSPICIOUS_ATTEMPTS_MAX
                        and link.last_success > begun
                    ):
                        return outcome.reason
                    if not await self._move(link):
                        await self._pause(attempt, outcome.after_seconds)
                    attempt += 1

    async def _link(self) -> CollectorLink | None:
        """Return the collector this segment goes to; one is chosen if there is none yet."""
        shared = self._shared
        async with self._choosing:
            if not self._route.reference:
                chosen = shared.collectors.choose(asyncio.get_running_loop().time())
                if chosen is not None:
                    await self._go_to(chosen)
                return chosen
            link = shared.collectors.get(self._route.reference)
            if link is not None:
                self._lost_since = 0.0
                return link
            now = asyncio.get_running_loop().time()
            self._lost_since = self._lost_since or now
            if self._may_move(now - self._lost_since):
                chosen = shared.collectors.choose(now)
                if chosen is not None:
                    await self._go_to(chosen)
                return chosen
            return None

    async def _move(self, link: CollectorLink) -> bool:
        """Go on with another collector if that is better; return whether we do."""
        shared = self._shared
        async with self._choosing:
            if shared.collectors.get(self._route.reference) is not link:
                return True  # another record's task has moved us
            now = asyncio.get_running_loop().time()
            if not self._may_move(now - link.failing_since if link.failures else 0.0):
                return False
            chosen = shared.collectors.choose(now, but=[link])
            if chosen is None or chosen.retry_at > now:
                return False
            await self._go_to(chosen)
            return True

    def _may_move(self, away_seconds: float) -> bool:
        """Tell whether nothing can be stored twice by it, or we have waited long enough."""
        if not self._is_recovered and not self._unknown:
            return True
        return away_seconds >= self._shared.limits.move_seconds

    async def _go_to(self, link: CollectorLink) -> None:
        """Choose a collector, durably."""
        was = self._route.reference
        self._route.reference = link.reference
        try:
            await self._on_disk(write_route, self.segment.path, self._route.packed())
        except OSError as error:
            # A full disk gets room only by sending; what is at stake is a second copy.
            _log.error("route not written", segment=self.segment.path.name, error=error)
        self._is_recovered = False
        self._unknown.clear()
        if was:
            self._shared.metrics.moved.inc()
            _log.warning(
                "segment moved to another collector",
                segment=self.segment.segment_id,
                collector=link.reference,
            )

    def _succeeded(self, link: CollectorLink) -> None:
        if link.failures:
            _log.info("collector works again", collector=link.reference)
        link.failures, link.retry_at, link.failing_since = 0, 0.0, 0.0
        link.last_success = asyncio.get_running_loop().time()
        self._shared.say_problem("")

    def _failed(self, link: CollectorLink, outcome: Repeat, index: int, attempt: int) -> None:
        now = asyncio.get_running_loop().time()
        if link.failures == 0:
            link.failing_since = now
            _log.warning("collector failed", collector=link.reference, error=outcome.reason)
        elif attempt % _LOG_EVERY_ATTEMPTS == _LOG_EVERY_ATTEMPTS - 1:
            _log.warning("collector fails still", collector=link.reference, error=outcome.reason)
        link.failures += 1
        link.retry_at = now + max(self._backoff(min(link.failures, 16)), outcome.after_seconds)
        if outcome.is_unknown:
            self._unknown.add(index)
        self._shared.say_problem(f"{link.reference}: {outcome.reason}")

    async def _quarantine(
        self, request: CheckedRequest, index: int, part: int, refusal: str
    ) -> None:
        name = f"{self.segment.segment_id:020d}-{index:07d}-{part}"
        folder = self._shared.quarantine
        await self._on_disk(set_aside, folder, [(name, request.body)])
        self._shared.metrics.quarantined.inc()
        _log.error("request quarantined", request=name, folder=folder, reason=refusal)

    async def _pause(self, attempt: int, seconds: float = 0.0) -> None:
        await asyncio.sleep(max(self._backoff(attempt), seconds))

    def _backoff(self, attempt: int) -> float:
        """Return a pause: between half and all of a time that doubles with every attempt."""
        limits = self._shared.limits
        doubled: float = limits.backoff_seconds_min * 2.0 ** min(attempt, 30)
        most = min(doubled, limits.backoff_seconds_max)
        return most * (0.5 + 0.5 * self._shared.chance())

    async def _on_disk(self, call: Callable[..., _T], *arguments: object) -> _T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._shared.executor, call, *arguments)
