"""The segments' files: opened by a first request, written to, sealed by size or age, removed.

Their states and all that changes them are one table, `life.TRANSITIONS`; every change goes through
`_advance`. Two threads work here: the writer's appends and seals what is full; the loader's seals
what is old, takes and removes. `_file_lock` keeps them from one file, `lock` guards the rest.
"""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lymer.errors import LymerError, OverloadedError
from lymer.journal.backlog import Backlog
from lymer.journal.disk import Disk
from lymer.journal.life import TRANSITIONS, Event, Life
from lymer.journal.record import encode_record
from lymer.journal.recovery import recover_segments, segment_path
from lymer.journal.writer import Entry
from lymer.model.segment import SealedSegment
from lymer.telemetry.logs import EventLog

__all__ = [
    "OPEN_SEGMENTS_MAX",
    "SECONDS_PER_TENANT",
    "TRICKLE_BYTES_MAX",
    "TRICKLE_PATIENCE",
    "Segments",
    "WrittenSegment",
]

_log = EventLog(__name__)
OPEN_SEGMENTS_MAX: Final = 256
"""Files open for writing, one for each tenant that sends; the oldest is sealed for one more."""
SECONDS_PER_TENANT: Final = 0.1
"""How much older a segment may get for each tenant that sends: loading a small one costs up to so
much processor time, and with many tenants that would be all there is."""
TRICKLE_PATIENCE: Final = 2
"""How many times as old a segment may get that several groups were written to, and little. A span
that comes alone is stored as soon as ever; of a trickle, half of the spans wait less than that."""
TRICKLE_BYTES_MAX: Final = 2**20
"""So large a segment is none of a trickle, about 2,000 spans."""


@dataclass(slots=True)
class _OpenSegment:
    tenant: str
    segment_id: int
    path: Path
    descriptor: int
    opened_seconds: float
    byte_count: int = 0
    span_count: int = 0
    commit_count: int = 0

    @property
    def is_trickle(self) -> bool:
        """Whether several have written to it, and little: each segment costs, however small."""
        return self.commit_count > 1 and self.byte_count < TRICKLE_BYTES_MAX

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


class Segments:
    """All of a journal's. Methods may be called from any thread, `append` from one at a time."""

    def __init__(  # noqa: PLR0913 - the journal's own
        self,
        folder: Path,
        backlog: Backlog,
        *,
        segment_bytes_max: int,
        segment_age_seconds_max: float,
        first_segment_id: int,
        next_segment_id: Callable[[int], int] = int,
        unix_nano: Callable[[], int],
        monotonic_seconds: Callable[[], float],
        disk: Disk,
    ) -> None:
        """Recover what a former run left. The arguments are `Journal`'s.

        Raises:
            CorruptJournalError: A segment of a former run cannot be read.
        """
        self.lock: Final = threading.Lock()
        """Guards everything here and the backlog, but not the files."""
        self.news: Final = threading.Condition(self.lock)
        """Notified when there may be something to take."""
        self.commits = self.write_failures = 0
        self.failed_seconds = -math.inf
        """When a write failed last, if none has succeeded since."""
        self.is_closing = False
        """Whether open segments are due whatever their age."""
        self._is_closed = False
        self.is_followed = False
        """Whether somebody waits for each write."""
        self._folder = folder
        self._backlog = backlog
        self._bytes_max = segment_bytes_max
        self._age_seconds_max = segment_age_seconds_max
        self._next_id = next_segment_id
        self._unix_nano = unix_nano
        self._monotonic_seconds = monotonic_seconds
        self._disk = disk
        self._file_lock = threading.Lock()
        self._open: dict[str, _OpenSegment] = {}
        """Tenant to segment, the oldest first."""
        self._lives: dict[int, Life] = {}
        """Segment id to state, of all that are not absent."""
        self.recovered: Final = deque(recover_segments(folder))
        """What a former run left and nobody has taken yet."""
        self._last_id = first_segment_id - 1
        for segment in self.recovered:
            self._advance(segment.segment_id, Event.FOUND)
            self._last_id = max(self._last_id, segment.segment_id)
            backlog.hold_stored(segment.tenant, segment.byte_count)

    def _advance(self, segment_id: int, event: Event) -> None:
        """Change a segment's state; `lock` is held."""
        after = TRANSITIONS[self._lives.get(segment_id, Life.ABSENT), event]
        if after is Life.ABSENT:
            del self._lives[segment_id]
        else:
            self._lives[segment_id] = after

    # The writer's thread.

    def append(self, tenant: str, entries: Sequence[Entry[Any]]) -> LymerError | None:
        """Make requests of one tenant durable; return what to tell their senders if they are not.

        They are synced before anything else is written: what failed then is known to be these.
        """
        with self._file_lock:
            try:
                self._append(tenant, entries)
            except Exception as error:  # noqa: BLE001 - a bug must not end the journal silently
                self._abandon_tail(tenant)
                return self._failure(error)
        return None

    def _append(self, tenant: str, entries: Sequence[Entry[Any]]) -> None:
        buffers = [part for one in entries for part in encode_record(one.body, one.span_count)]
        segment = self._open.get(tenant) or self._create(tenant)
        written = self._disk.append(segment.descriptor, buffers)
        self._disk.sync(segment.descriptor)
        with self.lock:
            segment.byte_count += written
            segment.commit_count += 1
            segment.span_count += sum(one.span_count for one in entries)
            self._backlog.hold_stored(tenant, written)
            self.commits += 1
            self.failed_seconds = -math.inf
            if segment.byte_count == written or self.is_followed:
                self.news.notify()  # its age counts from now on
        if segment.byte_count >= self._bytes_max:
            self._seal(tenant, Event.FULL)

    def _create(self, tenant: str) -> _OpenSegment:
        if len(self._open) >= OPEN_SEGMENTS_MAX:
            self._seal(next(iter(self._open)), Event.CROWDED)
        segment_id = self._next_id(max(self._last_id + 1, self._unix_nano() // 1000))
        # Taken even if the file cannot be made, lest a clock that stands still names it again.
        self._last_id = segment_id
        path = segment_path(self._folder, segment_id, tenant)
        descriptor = self._disk.create(path)
        segment = _OpenSegment(tenant, segment_id, path, descriptor, self._monotonic_seconds())
        with self.lock:
            self._open[tenant] = segment
            self._advance(segment_id, Event.CREATED)
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
        self._seal(tenant, Event.FAILED)

    def _failure(self, error: Exception) -> LymerError:
        if not isinstance(error, OSError):
            _log.exception("BUG in the journal's writer", error)
            return OverloadedError(f"cannot write to the journal: {error!r}")
        with self.lock:
            self.write_failures += 1
            self.failed_seconds = self._monotonic_seconds()
        _log.error("journal write failed", folder=self._folder, error=error)
        message = f"cannot write to the journal in {self._folder}: {error}"
        return OverloadedError(message, retry_after_seconds=5)

    def _seal(self, tenant: str, event: Event) -> None:
        """Hand a tenant's open segment to whoever takes it; `_file_lock` is held."""
        with self.lock:
            segment = self._open.pop(tenant, None)
        if segment is None:
            return
        os.close(segment.descriptor)
        if segment.byte_count == 0:
            segment.path.unlink(missing_ok=True)
        with self.lock:
            self._advance(segment.segment_id, event)
            if segment.byte_count == 0:
                self._advance(segment.segment_id, Event.EMPTIED)
            else:
                self._backlog.put(segment.as_it_is())
                self.news.notify()

    # The thread that takes.

    def take(
        self, timeout_seconds: float, seen: Mapping[int, int] | None = None
    ) -> WrittenSegment | None:
        """Return the next sealed segment, else an open one with more bytes than `seen` says.

        An open segment over its age is sealed if there is nothing else. See `Journal.take_written`.
        """
        deadline = self._monotonic_seconds() + timeout_seconds
        while True:
            with self.lock:
                segment = self._backlog.take(self._monotonic_seconds())
                if segment is not None:
                    self._advance(segment.segment_id, Event.TAKEN)
                    return WrittenSegment(segment, is_sealed=True)
                if seen is not None:
                    for one in self._open.values():
                        if one.byte_count > seen.get(one.segment_id, 0):
                            return WrittenSegment(one.as_it_is(), is_sealed=False)
                now = self._monotonic_seconds()
                wait = deadline - now
                due, age_left = self._oldest_open(now)
                if due is None:
                    if wait <= 0 or self._is_closed:
                        return None
                    self.is_followed = seen is not None
                    self.news.wait(min(wait, max(age_left, 0.001)))
                    continue
            with self._file_lock:
                self._seal(due, Event.OLD)

    def _oldest_open(self, now: float) -> tuple[str | None, float]:
        """Return whose segment is due to be sealed, if any is, and when the next one is."""
        age_max = max(self._age_seconds_max, len(self._open) * SECONDS_PER_TENANT)
        next_due, left = None, math.inf
        for tenant, segment in self._open.items():
            if segment.byte_count > 0:
                patience = TRICKLE_PATIENCE if segment.is_trickle else 1
                left_of_this = segment.opened_seconds + age_max * patience - now
                if left_of_this < left:
                    next_due, left = tenant, left_of_this
        return (next_due if left <= 0 or self.is_closing else None), left

    def take_recovered(self) -> list[SealedSegment]:
        """Return what a former run left, oldest first."""
        with self.lock:
            segments = list(self.recovered)
            self.recovered.clear()
            for segment in segments:
                self._advance(segment.segment_id, Event.TAKEN)
        return segments

    def remove(self, segment: SealedSegment) -> None:
        """Forget one that is stored."""
        segment.path.unlink(missing_ok=True)
        with self.lock:
            self._advance(segment.segment_id, Event.STORED)
            self._backlog.remove(segment, self._monotonic_seconds())

    def oldest_id(self) -> int | None:
        """Return the lowest id of all that are not absent."""
        with self.lock:
            return min(self._lives, default=None)

    def close(self) -> None:
        """Seal whatever is open."""
        for tenant in list(self._open):
            with self._file_lock:
                self._seal(tenant, Event.OLD)
        with self.lock:
            self._is_closed = True  # nothing will come: who waits for it need not
            self.news.notify_all()
