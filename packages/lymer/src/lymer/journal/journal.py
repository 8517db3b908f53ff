"""The journal: requests become durable here, in groups, before they are acknowledged.

Theory of operation. `append` puts a request in a queue and returns. One thread (`writer.py`) takes
whatever waits, writes it to the open segment in one gathered write, calls fdatasync once, and tells
`on_durable` which requests are safe: group commit, so the cost of the disk is shared by all who
wait. Each tenant in a group has a segment of its own, written and synced for itself. A segment is
sealed by size or, when the loader asks for work, by age (`segments.py`); the loader stores it and
removes it. What is not stored yet is counted (`backlog.py`), and too much of it is refused. Why a
crash loses nothing acknowledged is argued in README.md beside this file.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from lymer.errors import LymerError, TooLargeError
from lymer.journal.backlog import Backlog
from lymer.journal.disk import Disk, LocalDisk, make_folder
from lymer.journal.record import RECORD_BYTES_MAX, TRAILER_BYTES
from lymer.journal.segments import Segments, WrittenSegment
from lymer.journal.writer import Entry, GroupWriter
from lymer.model.segment import SealedSegment
from lymer.tenancy import DEFAULT_TENANT

__all__ = ["Journal", "JournalLimits", "JournalState"]

_Ticket = TypeVar("_Ticket")
_FREE_BYTES_MIN: Final = 32 * 2**20
"""Less room on the disk is none: one segment."""
_FAILED_SECONDS: Final = 10.0
"""A write that failed is a problem for so long, or until one succeeds."""


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
        next_segment_id: Callable[[int], int] = int,
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
            next_segment_id: Returns the lowest id that is ours and not lower than what it gets,
                where others write to the same store.
            disk: Where segments are written; the machine's own if not given.

        Raises:
            CorruptJournalError: A segment of a former run cannot be read.
        """
        make_folder(folder)
        self._folder = folder
        self._monotonic_seconds = monotonic_seconds
        self._backlog = Backlog(
            limits.backlog_bytes_max, limits.backlog_seconds_max, is_shared=limits.is_shared
        )
        self._segments = Segments(
            folder,
            self._backlog,
            segment_bytes_max=limits.segment_bytes_max,
            segment_age_seconds_max=limits.segment_age_seconds_max,
            first_segment_id=first_segment_id,
            next_segment_id=next_segment_id,
            unix_nano=unix_nano,
            monotonic_seconds=monotonic_seconds,
            disk=disk or LocalDisk(),
        )
        self._lock = self._segments.lock
        self._writer: GroupWriter[_Ticket] = GroupWriter(self._commit, on_durable)

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
            self._backlog.check_room(tenant, size)
            self._writer.put(Entry(body, span_count, ticket, tenant))
            self._backlog.hold(tenant, size)

    def _commit(self, tenant: str, entries: Sequence[Entry[_Ticket]]) -> LymerError | None:
        error = self._segments.append(tenant, entries)
        with self._lock:  # they wait no more: they are in a segment, or refused
            self._backlog.hold(tenant, -sum(len(one.body) + TRAILER_BYTES for one in entries))
        return error

    def take_recovered(self) -> list[SealedSegment]:
        """Return the segments of a former run, oldest first.

        Each must be recovered, then removed.
        """
        return self._segments.take_recovered()

    def recovered(self) -> list[SealedSegment]:
        """Return what `take_recovered` will return."""
        with self._lock:
            return list(self._segments.recovered)

    def take_sealed(self, timeout_seconds: float) -> SealedSegment | None:
        """Return the next sealed segment, waiting at most `timeout_seconds` for one.

        Each tenant's come in the order of their ids, tenants take turns. An open segment over its
        age is sealed if there is no sealed one. One thread at a time may call this.
        """
        written = self._segments.take(timeout_seconds)
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
        return self._segments.take(timeout_seconds, seen)

    def tenants(self) -> set[str]:
        """Return who has requests here."""
        with self._lock:
            return self._backlog.tenants()

    def remove(self, segment: SealedSegment) -> None:
        """Forget a stored segment. Its spans must be durable in the store."""
        self._segments.remove(segment)

    def oldest_segment_id(self) -> int | None:
        """Return the lowest id of what is open, waits or is being stored; None if nothing is."""
        return self._segments.oldest_id()

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
        if self._monotonic_seconds() - self._segments.failed_seconds < _FAILED_SECONDS:
            return f"the last write to the journal in {self._folder} failed"
        return ""

    def state(self) -> JournalState:
        """Return how full the journal is."""
        with self._lock:
            return JournalState(
                self._backlog.stored_bytes,
                self._backlog.sealed_count() + len(self._segments.recovered),
                self._writer.waiting,
                self._segments.commits,
                self._segments.write_failures,
            )

    def close(self) -> None:
        """Make what waits durable, seal, and stop; `take_sealed` still gives what is left."""
        with self._lock:
            self._segments.is_closing = True
        self._writer.close()
        self._segments.close()
