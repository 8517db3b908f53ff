"""The journal: requests become durable here, in groups, before they are acknowledged.

Theory of operation. `append` puts a request in a queue and returns. One writer thread takes
whatever waits, writes it to the open segment in one gathered write, calls fdatasync once, and tells
`on_durable` which requests are safe: group commit, so the cost of the disk is shared by all who
wait. Each tenant in a group has a segment of its own, written and synced for itself. A segment is
sealed by size or, when the loader asks for work, by age; the loader stores it and removes it. Why a
crash loses nothing acknowledged is argued in README.md beside this file.
"""

from __future__ import annotations

import math
import os
import shutil
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from lymer.errors import LymerError, OverloadedError, TooLargeError
from lymer.journal.backlog import Backlog
from lymer.journal.disk import Disk, LocalDisk, make_folder
from lymer.journal.record import RECORD_BYTES_MAX, TRAILER_BYTES, encode_record
from lymer.journal.recovery import recover_segments, segment_path
from lymer.model.segment import SealedSegment
from lymer.telemetry.logs import EventLog
from lymer.tenancy import DEFAULT_TENANT

__all__ = ["Journal", "JournalLimits", "JournalState", "WrittenSegment"]

_log = EventLog(__name__)
_Ticket = TypeVar("_Ticket")
_GROUP_RECORDS_MAX: Final = 256
"""Records in one gathered write: three buffers each, below the kernel's IOV_MAX of 1024."""
_LINGER_SECONDS: Final = 0.002
"""How long a group waits for more requests while several senders are at work. One sender alone
never waits; for many, one fdatasync and one wake-up of everybody serve more requests: 256 small
senders got 2,800 instead of 1,660 requests/s through a busy machine."""
_GROUP_BYTES_MAX: Final = 8 * 2**20
"""Bytes in one group, so that it does not keep small requests waiting."""
_OPEN_SEGMENTS_MAX: Final = 256
"""Files open for writing, one for each tenant that sends; the oldest is sealed for one more."""
_RATE_BYTES_MIN: Final = 2**20
_FREE_BYTES_MIN: Final = 32 * 2**20
"""Less room on the disk is none: one segment."""
_FAILED_SECONDS: Final = 10.0
"""A write that failed is a problem for so long, or until one succeeds."""
_SECONDS_PER_TENANT: Final = 0.1
"""How much older a segment may get for each tenant that sends: loading a small one costs up to so
much processor time, and with many tenants that would be all there is."""


@dataclass(frozen=True, slots=True)
class JournalLimits:
    """When a segment ends, and when the journal is full."""

    segment_bytes_max: int
    """A segment is sealed when it holds this many bytes; the last record may go over."""
    segment_age_seconds_max: float
    """The loader may take an open segment that is this old."""
    backlog_bytes_max: int
    """Bytes acknowledged and not yet stored; over it senders are told to retry."""
    backlog_seconds_max: float = math.inf
    """Likewise, as seconds of the store's work at the rate it had lately."""
    is_shared: bool = False
    """Whether tenants share that fairly, see `Backlog`."""


@dataclass(frozen=True, slots=True)
class JournalState:
    """How full the journal is, for metrics and health."""

    backlog_bytes: int
    sealed_segments: int
    waiting_requests: int
    commits: int
    """Writes made durable since the start, each by one fdatasync: one for each tenant in a
    group."""
    write_failures: int


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[_Ticket]):
    body: bytes
    span_count: int
    ticket: _Ticket
    tenant: str


@dataclass(slots=True)
class _OpenSegment:
    tenant: str
    segment_id: int
    path: Path
    descriptor: int
    opened_seconds: float
    byte_count: int = 0
    span_count: int = 0

    def as_it_is(self) -> SealedSegment:
        """Return what of it is durable."""
        return SealedSegment(
            self.segment_id, self.path, self.span_count, self.byte_count, self.tenant
        )


@dataclass(frozen=True, slots=True)
class WrittenSegment:
    """A segment, as far as it is durable."""

    segment: SealedSegment
    is_sealed: bool
    """Whether it will not grow any more."""


class Journal(Generic[_Ticket]):
    """Durable first-in-first-out of OTLP requests. All methods may be called from any thread."""

    def __init__(
        self,
        folder: Path,
        limits: JournalLimits,
        *,
        on_durable: Callable[[Sequence[_Ticket], LymerError | None], None],
        unix_nano: Callable[[], int],
        monotonic_seconds: Callable[[], float],
        first_segment_id: int = 0,
        disk: Disk | None = None,
    ) -> None:
        """Open the journal and recover what a former run left.

        Args:
            folder: Holds the segment files; made if missing.
            limits: See `JournalLimits`.
            on_durable: Called by the writer thread with tickets of one group that share a fate,
                and the error if they could not be made durable. It must not block.
            unix_nano: The wall clock; names segments.
            monotonic_seconds: Tells a segment's age.
            first_segment_id: No segment gets a smaller id; give the store's highest plus one, so
                that ids rise even if the wall clock went back.
            disk: Where segments are written; the machine's own if not given.

        Raises:
            CorruptJournalError: A segment of a former run cannot be read.
        """
        make_folder(folder)
        self._disk: Disk = disk or LocalDisk()
        self._folder = folder
        self._limits = limits
        self._on_durable = on_durable
        self._unix_nano = unix_nano
        self._monotonic_seconds = monotonic_seconds
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._sealed_one = threading.Condition(self._lock)
        self._file_lock = threading.Lock()
        self._waiting: deque[_Waiting[_Ticket]] = deque()
        self._open: dict[str, _OpenSegment] = {}
        """Tenant to segment, the oldest first."""
        self._recovered = deque(recover_segments(folder))
        self._unstored = {segment.segment_id for segment in self._recovered}
        self._backlog = Backlog(limits.backlog_bytes_max, is_shared=limits.is_shared)
        self._backlog_bytes = 0
        for segment in self._recovered:
            self._backlog.hold(segment.tenant, segment.byte_count)
            self._backlog_bytes += segment.byte_count
        self._last_segment_id = max(
            [first_segment_id - 1, *(segment.segment_id for segment in self._recovered)]
        )
        self._taken: dict[int, float] = {}
        """Segment id to when it was taken."""
        self._bytes_per_second = 0.0
        self._failed_seconds = -math.inf
        self._commits = self._write_failures = 0
        self._closing = self._is_followed = False
        self._stop_lingering = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def append(
        self, body: bytes, span_count: int, ticket: _Ticket, tenant: str = DEFAULT_TENANT, /
    ) -> None:
        """Queue a request; `on_durable` gets `ticket` once it is safe, or with the error.

        Raises:
            OverloadedError: The journal is full or closing; nothing was queued.
            TooLargeError: No record can hold the request.
        """
        size = len(body) + TRAILER_BYTES
        if size > RECORD_BYTES_MAX:
            message = f"request has {len(body)} bytes, the journal's limit is {RECORD_BYTES_MAX}"
            raise TooLargeError(message)
        with self._lock:
            if self._closing:
                raise OverloadedError("cannot accept the request: shutting down")
            self._backlog.check_room(tenant, size)
            self._waiting.append(_Waiting(body, span_count, ticket, tenant))
            self._backlog.hold(tenant, size)
            self._work.notify()

    def take_recovered(self) -> list[SealedSegment]:
        """Return the segments of a former run, oldest first.

        Each must be recovered, then removed.
        """
        with self._lock:
            segments = list(self._recovered)
            self._recovered.clear()
        return segments

    def recovered(self) -> list[SealedSegment]:
        """Return what `take_recovered` will return."""
        with self._lock:
            return list(self._recovered)

    def take_sealed(self, timeout_seconds: float) -> SealedSegment | None:
        """Return the next sealed segment, waiting at most `timeout_seconds` for one.

        Each tenant's come in the order of their ids, tenants take turns. An open segment over its
        age is sealed if there is no sealed one. One thread at a time may call this.
        """
        written = self._take(timeout_seconds, None)
        return written.segment if written is not None else None

    def take_written(
        self, seen: Mapping[int, int], timeout_seconds: float
    ) -> WrittenSegment | None:
        """Return the next segment that is sealed, else the oldest open one that is news.

        What is returned is durable up to its `byte_count`. A segment returned as sealed is not
        returned again. An open segment over its age is sealed when there is no news. One thread at
        a time may call this, and none `take_sealed`.

        Args:
            seen: Segment id to bytes: an open segment is news if it has more.
            timeout_seconds: How long to wait for news.
        """
        return self._take(timeout_seconds, seen)

    def _take(
        self, timeout_seconds: float, seen: Mapping[int, int] | None
    ) -> WrittenSegment | None:
        deadline = self._monotonic_seconds() + timeout_seconds
        while True:
            with self._lock:
                segment = self._backlog.take()
                if segment is not None:
                    self._taken[segment.segment_id] = self._monotonic_seconds()
                    return WrittenSegment(segment, is_sealed=True)
                if seen is not None:
                    for one in self._open.values():
                        if one.byte_count > seen.get(one.segment_id, 0):
                            return WrittenSegment(one.as_it_is(), is_sealed=False)
                now = self._monotonic_seconds()
                wait = deadline - now
                due, age_left = self._oldest_open(now)
                if due is None:
                    if wait <= 0:
                        return None
                    self._is_followed = seen is not None
                    self._sealed_one.wait(min(wait, max(age_left, 0.001)))
                    continue
            self._seal(due)

    def _oldest_open(self, now: float) -> tuple[str | None, float]:
        """Return whose segment is due to be sealed, if any is, and when the next one is."""
        for tenant, segment in self._open.items():
            if segment.byte_count > 0:
                age_max = max(
                    self._limits.segment_age_seconds_max, len(self._open) * _SECONDS_PER_TENANT
                )
                left = segment.opened_seconds + age_max - now
                return (tenant if left <= 0 or self._closing else None), left
        return None, math.inf

    def tenants(self) -> set[str]:
        """Return who has requests here."""
        with self._lock:
            return self._backlog.tenants()

    def remove(self, segment: SealedSegment) -> None:
        """Forget a stored segment. Its spans must be durable in the store."""
        segment.path.unlink(missing_ok=True)
        with self._lock:
            self._unstored.discard(segment.segment_id)
            self._backlog_bytes -= segment.byte_count
            self._backlog.hold(segment.tenant, -segment.byte_count)
            self._learn_rate(segment)

    def _learn_rate(self, segment: SealedSegment) -> None:
        """Learn from a segment that is stored how fast that goes; small ones say little."""
        taken = self._taken.pop(segment.segment_id, None)
        if taken is None or segment.byte_count < _RATE_BYTES_MIN:
            return
        rate = segment.byte_count / max(self._monotonic_seconds() - taken, 0.001)
        known = self._bytes_per_second
        self._bytes_per_second = known + (rate - known) / 4 if known else rate
        if self._limits.backlog_seconds_max < math.inf:
            self._backlog.limit_work(self._bytes_per_second, self._limits.backlog_seconds_max)

    def problem(self) -> str:
        """Say why requests cannot be made durable now; nothing if they can.

        It asks the disk, not only what was written last: a server that says it is not ready gets
        no requests to try with.
        """
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError as error:
            return f"cannot write to the journal in {self._folder}: {error.strerror}"
        if not os.access(self._folder, os.W_OK | os.X_OK):
            return f"cannot write to the journal in {self._folder}: permission denied"
        if free < _FREE_BYTES_MIN:
            return (
                f"cannot write to the journal in {self._folder}: {free >> 20} MiB are free, "
                f"{_FREE_BYTES_MIN >> 20} are needed"
            )
        if self._monotonic_seconds() - self._failed_seconds < _FAILED_SECONDS:
            return f"the last write to the journal in {self._folder} failed"
        return ""

    def oldest_segment_id(self) -> int | None:
        """Return the lowest id of what is open, waits or is being stored; None if nothing is."""
        with self._lock:
            return min(self._unstored, default=None)

    def state(self) -> JournalState:
        """Return how full the journal is."""
        with self._lock:
            return JournalState(
                self._backlog_bytes,
                self._backlog.sealed_count() + len(self._recovered),
                len(self._waiting),
                self._commits,
                self._write_failures,
            )

    def close(self) -> None:
        """Make what waits durable, seal, and stop; `take_sealed` still gives what is left."""
        with self._lock:
            self._closing = True
            self._work.notify_all()
        self._stop_lingering.set()
        self._thread.join()
        for tenant in list(self._open):
            self._seal(tenant)
        with self._lock:
            self._sealed_one.notify_all()

    # The writer thread.

    def _run(self) -> None:
        group: list[_Waiting[_Ticket]] = []
        while True:
            with self._lock:
                while not self._waiting and not self._closing:
                    self._work.wait()
            if len(group) > 1 and len(self._waiting) < len(group):
                self._stop_lingering.wait(_LINGER_SECONDS)
            with self._lock:
                if not self._waiting:
                    return
                group = self._take_group()
            failed = self._commit(group)
            durable = [one.ticket for one in group if one.tenant not in failed]
            if durable:
                self._on_durable(durable, None)
            for tenant, error in failed.items():
                self._on_durable([one.ticket for one in group if one.tenant == tenant], error)

    def _take_group(self) -> list[_Waiting[_Ticket]]:
        group: list[_Waiting[_Ticket]] = []
        size = 0
        while self._waiting and len(group) < _GROUP_RECORDS_MAX and size < _GROUP_BYTES_MAX:
            entry = self._waiting.popleft()
            size += len(entry.body) + TRAILER_BYTES
            self._backlog.hold(entry.tenant, -len(entry.body) - TRAILER_BYTES)
            group.append(entry)
        return group

    def _commit(self, group: list[_Waiting[_Ticket]]) -> dict[str, LymerError]:
        """Write and sync one group, each tenant's part for itself; return who failed, and why."""
        parts: dict[str, list[_Waiting[_Ticket]]] = {}
        for entry in group:
            parts.setdefault(entry.tenant, []).append(entry)
        failed: dict[str, LymerError] = {}
        with self._file_lock:
            for tenant, entries in parts.items():
                try:
                    self._write(tenant, entries)
                except Exception as error:  # noqa: BLE001 - a bug must not end the journal silently
                    self._abandon_tail(tenant)
                    failed[tenant] = self._failure(error)
        return failed

    def _write(self, tenant: str, entries: list[_Waiting[_Ticket]]) -> None:
        """Make one tenant's part of a group durable; after an error its tail is not to be trusted.

        Each part is synced before the next is written: what failed then is known to be this one.
        """
        buffers = [part for one in entries for part in encode_record(one.body, one.span_count)]
        segment = self._open.get(tenant) or self._open_segment(tenant)
        written = self._disk.append(segment.descriptor, buffers)
        self._disk.sync(segment.descriptor)
        with self._lock:
            segment.byte_count += written
            segment.span_count += sum(one.span_count for one in entries)
            self._backlog_bytes += written
            self._backlog.hold(tenant, written)
            self._commits += 1
            self._failed_seconds = -math.inf
            if segment.byte_count == written or self._is_followed:
                self._sealed_one.notify()  # its age counts from now on
        if segment.byte_count >= self._limits.segment_bytes_max:
            self._seal_locked(tenant)

    def _failure(self, error: Exception) -> LymerError:
        """Return what the senders are told."""
        if not isinstance(error, OSError):
            _log.exception("BUG in the journal's writer", error)
            return OverloadedError(f"cannot write to the journal: {error!r}")
        self._write_failures += 1
        self._failed_seconds = self._monotonic_seconds()
        _log.error("journal write failed", folder=self._folder, error=error)
        message = f"cannot write to the journal in {self._folder}: {error}"
        return OverloadedError(message, retry_after_seconds=5)

    def _open_segment(self, tenant: str) -> _OpenSegment:
        if len(self._open) >= _OPEN_SEGMENTS_MAX:
            self._seal_locked(next(iter(self._open)))
        segment_id = max(self._last_segment_id + 1, self._unix_nano() // 1000)
        # Taken even if the file cannot be made, lest a clock that stands still names it again.
        self._last_segment_id = segment_id
        path = segment_path(self._folder, segment_id, tenant)
        descriptor = self._disk.create(path)
        segment = _OpenSegment(tenant, segment_id, path, descriptor, self._monotonic_seconds())
        with self._lock:
            self._open[tenant] = segment
            self._unstored.add(segment_id)
        return segment

    def _abandon_tail(self, tenant: str) -> None:
        """Cut what a failed group left, and never write to that file again.

        After a failed fdatasync the kernel may have dropped the dirty pages, so the file's tail
        cannot be trusted (Rebello et al., "Can Applications Recover from fsync Failures?", 2020).
        """
        segment = self._open.get(tenant)
        if segment is None:
            return
        try:
            self._disk.cut(segment.descriptor, segment.byte_count)
        except OSError as error:
            _log.error("journal tail not cut", file=segment.path, error=error)
        self._seal_locked(tenant)

    def _seal(self, tenant: str) -> None:
        with self._file_lock:
            self._seal_locked(tenant)

    def _seal_locked(self, tenant: str) -> None:
        """Hand a tenant's open segment to the loader; `_file_lock` is held."""
        with self._lock:
            segment = self._open.pop(tenant, None)
        if segment is None:
            return
        os.close(segment.descriptor)
        if segment.byte_count == 0:
            segment.path.unlink(missing_ok=True)
            with self._lock:
                self._unstored.discard(segment.segment_id)
            return
        with self._lock:
            self._backlog.put(segment.as_it_is())
            self._sealed_one.notify()
