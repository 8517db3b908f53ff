"""Journals on a disk that can be told to fail, with a clock that stands still until moved."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fakes.ordered_disk import OrderedDisk
from lymer.clock import monotonic_seconds
from lymer.errors import LymerError
from lymer.journal.journal import Journal, JournalLimits
from lymer.journal.recovery import open_records
from lymer.model.segment import SealedSegment

Answer = tuple[str, LymerError | None]


@dataclass(slots=True)
class Bench:
    """A journal and all that stands around it."""

    folder: Path
    disk: OrderedDisk = field(default_factory=OrderedDisk)
    groups: queue.Queue[tuple[list[str], LymerError | None]] = field(default_factory=queue.Queue)
    """What `on_durable` was told, group by group."""
    now_unix_nano: int = 1_795_365_820_000_000_000
    age_seconds: float = 0.0
    """Added to the monotonic clock, to let a segment grow old at once."""
    _journals: list[Journal[str]] = field(default_factory=list)

    def open(
        self,
        *,
        segment_bytes_max: int = 2**20,
        segment_age_seconds_max: float = 3600,
        backlog_bytes_max: int = 2**30,
        first_segment_id: int = 0,
        is_shared: bool = False,
    ) -> Journal[str]:
        """Open a journal on the folder, after whoever had it before."""
        journal: Journal[str] = Journal(
            self.folder,
            JournalLimits(
                segment_bytes_max,
                segment_age_seconds_max,
                backlog_bytes_max,
                is_shared=is_shared,
            ),
            on_durable=self._on_durable,
            unix_nano=lambda: self.now_unix_nano,
            monotonic_seconds=lambda: monotonic_seconds() + self.age_seconds,
            first_segment_id=first_segment_id,
            disk=self.disk,
        )
        self._journals.append(journal)
        return journal

    def answers(self, count: int) -> list[Answer]:
        """Return the next answers, one per request, in order."""
        found: list[Answer] = []
        while len(found) < count:
            tickets, error = self.groups.get(timeout=10)
            found += [(ticket, error) for ticket in tickets]
        return found

    def put(self, journal: Journal[str], name: str, body: bytes | None = None) -> LymerError | None:
        """Append one request of one span, and return how it went once that is known."""
        journal.append(name.encode() if body is None else body, 1, name)
        ((ticket, error),) = self.answers(1)
        assert ticket == name
        return error

    def close(self) -> None:
        """Close whatever is open."""
        self.disk.open_gate.set()
        for journal in self._journals:
            journal.close()

    def _on_durable(self, tickets: Sequence[str], error: LymerError | None) -> None:
        self.groups.put((list(tickets), error))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Yield an empty folder and what a journal on it needs."""
    made = Bench(tmp_path / "data" / "journal")
    yield made
    made.close()


def bodies(segment: SealedSegment) -> list[bytes]:
    """Return the requests of a segment."""
    with open_records(segment.path) as records:
        return [bytes(one.body) for one in records]


def drain(journal: Journal[str]) -> list[SealedSegment]:
    """Close the journal and return what it still holds, as the loader takes it."""
    journal.close()
    found = []
    while (segment := journal.take_sealed(0)) is not None:
        found.append(segment)
    return found


def in_thread(run: Callable[[], None]) -> threading.Thread:
    """Start a thread."""
    thread = threading.Thread(target=run)
    thread.start()
    return thread
