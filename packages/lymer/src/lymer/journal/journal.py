"""The journal: requests become durable here, in groups, before they are acknowledged.

Theory of operation. `append` puts a request in a queue and returns. One writer thread takes
whatever waits, writes it to the open segment in one gathered write, calls fdatasync once, and tells
`on_durable` which requests are safe: group commit, so the cost of the disk is shared by all who
wait. A segment is sealed by size or, when the loader asks for work, by age; the loader stores it
and removes it. Why a crash loses nothing acknowledged is argued in README.md beside this file.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from lymer.errors import LymerError, OverloadedError, TooLargeError
from lymer.journal.disk import Disk, LocalDisk, make_folder
from lymer.journal.record import RECORD_BYTES_MAX, TRAILER_BYTES, encode_record
from lymer.journal.recovery import recover_segments, segment_path
from lymer.model.segment import SealedSegment
from lymer.telemetry.logs import EventLog

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
"""Bytes in one gathered write, so that one group does not keep small requests waiting."""


@dataclass(frozen=True, slots=True)
class JournalLimits:
    """When a segment ends, and when the journal is full."""

    segment_bytes_max: int
    """A segment is sealed when it holds this many bytes; the last record may go over."""
    segment_age_seconds_max: float
    """The loader may take an open segment that is this old."""
    backlog_bytes_max: int
    """Bytes acknowledged and not yet stored; over it senders are told to retry."""


@dataclass(frozen=True, slots=True)
class JournalState:
    """How full the journal is, for metrics and health."""

    backlog_bytes: int
    sealed_segments: int
    waiting_requests: int
    commits: int
    """Groups made durable since the start; each cost one fdatasync."""
    write_failures: int


@dataclass(slots=True)
class _OpenSegment:
    segment_id: int
    path: Path
    descriptor: int
    opened_seconds: float
    byte_count: int = 0
    span_count: int = 0

    def is_news(self, seen: SealedSegment) -> bool:
        """Tell whether there is more of it than `seen`."""
        return self.byte_count > (seen.byte_count if seen.segment_id == self.segment_id else 0)

    def as_it_is(self) -> SealedSegment:
        """Return what of it is durable."""
        return SealedSegment(self.segment_id, self.path, self.span_count, self.byte_count)


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
            on_durable: Called by the writer thread with the tickets of one group, and the error
                if the group could not be made durable. It must not block.
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
        self._waiting: deque[tuple[bytes, int, _Ticket]] = deque()
        self._waiting_bytes = 0
        self._open: _OpenSegment | None = None
        self._recovered = deque(recover_segments(folder))
        self._sealed: deque[SealedSegment] = deque()
        self._backlog_bytes = sum(segment.byte_count for segment in self._recovered)
        self._last_segment_id = max(
            [first_segment_id - 1, *(segment.segment_id for segment in self._recovered)]
        )
        self._commits = self._write_failures = 0
        self._closing = self._is_followed = False
        self._stop_lingering = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def append(self, body: bytes, span_count: int, ticket: _Ticket, /) -> None:
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
            if self._backlog_bytes + self._waiting_bytes + size > self._limits.backlog_bytes_max:
                message = (
                    f"cannot accept the request: {self._backlog_bytes} bytes wait to be stored, "
                    f"the limit is {self._limits.backlog_bytes_max}"
                )
                raise OverloadedError(message, retry_after_seconds=2)
            self._waiting.append((body, span_count, ticket))
            self._waiting_bytes += size
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
        """Return the oldest sealed segment, waiting at most `timeout_seconds` for one.

        An open segment over its age is sealed first. One thread at a time may call this.
        """
        written = self._take(timeout_seconds, None)
        return written.segment if written is not None else None

    def take_written(self, seen: SealedSegment, timeout_seconds: float) -> WrittenSegment | None:
        """Return the oldest segment that is sealed, else the open one, if there is news of it.

        News is that it is not `seen`, or has more bytes, or is sealed. What is returned is durable
        up to its `byte_count`. A segment returned as sealed is not returned again. An open segment
        over its age is sealed first. One thread at a time may call this, and none `take_sealed`.
        """
        return self._take(timeout_seconds, seen)

    def _take(self, timeout_seconds: float, seen: SealedSegment | None) -> WrittenSegment | None:
        deadline = self._monotonic_seconds() + timeout_seconds
        while True:
            with self._lock:
                if self._sealed:
                    return WrittenSegment(self._sealed.popleft(), is_sealed=True)
                segment = self._open
                if seen is not None and segment is not None and segment.is_news(seen):
                    return WrittenSegment(segment.as_it_is(), is_sealed=False)
                now = self._monotonic_seconds()
                wait = deadline - now
                if segment is not None and segment.byte_count > 0:
                    age_left = segment.opened_seconds + self._limits.segment_age_seconds_max - now
                    due = age_left <= 0 or self._closing
                    wait = min(wait, max(age_left, 0.001))
                else:
                    due = False
                if not due:
                    if deadline - now <= 0:
                        return None
                    self._is_followed = seen is not None
                    self._sealed_one.wait(wait)
                    continue
            self._seal_open()

    def remove(self, segment: SealedSegment) -> None:
        """Forget a stored segment. Its spans must be durable in the store."""
        segment.path.unlink(missing_ok=True)
        with self._lock:
            self._backlog_bytes -= segment.byte_count

    def state(self) -> JournalState:
        """Return how full the journal is."""
        with self._lock:
            return JournalState(
                self._backlog_bytes,
                len(self._sealed) + len(self._recovered),
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
        self._seal_open()
        with self._lock:
            self._sealed_one.notify_all()

    # The writer thread.

    def _run(self) -> None:
        group: list[tuple[bytes, int, _Ticket]] = []
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
            try:
                error = self._commit(group)
            except Exception as bug:  # noqa: BLE001 - a bug must not end the journal silently
                _log.exception("BUG in the journal's writer", bug)
                error = OverloadedError(f"cannot write to the journal: {bug!r}")
            self._on_durable([ticket for _, _, ticket in group], error)

    def _take_group(self) -> list[tuple[bytes, int, _Ticket]]:
        group: list[tuple[bytes, int, _Ticket]] = []
        size = 0
        while self._waiting and len(group) < _GROUP_RECORDS_MAX and size < _GROUP_BYTES_MAX:
            entry = self._waiting.popleft()
            size += len(entry[0]) + TRAILER_BYTES
            group.append(entry)
        self._waiting_bytes -= size
        return group

    def _commit(self, group: list[tuple[bytes, int, _Ticket]]) -> LymerError | None:
        """Write and sync one group; after a failure the segment ends before the group."""
        buffers = [part for body, spans, _ in group for part in encode_record(body, spans)]
        spans = sum(span_count for _, span_count, _ in group)
        with self._file_lock:
            try:
                segment = self._open or self._open_segment()
                written = self._disk.append(segment.descriptor, buffers)
                self._disk.sync(segment.descriptor)
            except Exception as error:
                self._abandon_tail()
                if not isinstance(error, OSError):
                    raise
                self._write_failures += 1
                _log.error("journal write failed", folder=self._folder, error=error)
                message = f"cannot write to the journal in {self._folder}: {error}"
                return OverloadedError(message, retry_after_seconds=5)
            with self._lock:
                segment.byte_count += written
                segment.span_count += spans
                self._backlog_bytes += written
                self._commits += 1
                full = segment.byte_count >= self._limits.segment_bytes_max
                if segment.byte_count == written or self._is_followed:
                    self._sealed_one.notify()  # its age counts from now on
        if full:
            self._seal_open()
        return None

    def _open_segment(self) -> _OpenSegment:
        segment_id = max(self._last_segment_id + 1, self._unix_nano() // 1000)
        # Taken even if the file cannot be made, lest a clock that stands still names it again.
        self._last_segment_id = segment_id
        path = segment_path(self._folder, segment_id)
        descriptor = self._disk.create(path)
        segment = _OpenSegment(segment_id, path, descriptor, self._monotonic_seconds())
        with self._lock:
            self._open = segment
        return segment

    def _abandon_tail(self) -> None:
        """Cut what a failed group left, and never write to that file again.

        After a failed fdatasync the kernel may have dropped the dirty pages, so the file's tail
        cannot be trusted (Rebello et al., "Can Applications Recover from fsync Failures?", 2020).
        """
        segment = self._open
        if segment is None:
            return
        try:
            self._disk.cut(segment.descriptor, segment.byte_count)
        except OSError as error:
            _log.error("journal tail not cut", file=segment.path, error=error)
        self._seal_locked()

    def _seal_open(self) -> None:
        with self._file_lock:
            self._seal_locked()

    def _seal_locked(self) -> None:
        """Hand the open segment to the loader; `_file_lock` is held."""
        with self._lock:
            segment, self._open = self._open, None
        if segment is None:
            return
        os.close(segment.descriptor)
        if segment.byte_count == 0:
            segment.path.unlink(missing_ok=True)
            return
        with self._lock:
            self._sealed.append(segment.as_it_is())
            self._sealed_one.notify()
