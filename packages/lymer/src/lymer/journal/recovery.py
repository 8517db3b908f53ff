"""Which segments and bytes survive a crash."""

from __future__ import annotations

import mmap
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lymer.errors import CorruptJournalError
from lymer.journal.record import Record, iter_records
from lymer.model.segment import SealedSegment
from lymer.telemetry.logs import EventLog

__all__ = [
    "SEGMENT_SUFFIX",
    "open_records",
    "recover_segments",
    "segment_path",
    "sync_folder",
]

SEGMENT_SUFFIX: Final = ".otlp"
_log = EventLog(__name__)


def segment_path(folder: Path, segment_id: int) -> Path:
    """Return where a segment lives; names sort as ids do."""
    return folder / f"{segment_id:020d}{SEGMENT_SUFFIX}"


def recover_segments(folder: Path) -> list[SealedSegment]:
    """Find the segments a former run left, oldest first, and cut their torn tails.

    A tail is torn when its last record is not whole: its request was never acknowledged, for an
    acknowledgement follows the fdatasync of the whole record.

    Raises:
        CorruptJournalError: A file cannot be read or cut.
    """
    segments = []
    for path in sorted(folder.glob(f"*{SEGMENT_SUFFIX}")):
        if not path.stem.isdecimal():
            continue
        try:
            segment = _recover_segment(path)
        except OSError as error:
            message = f"cannot recover journal segment {path}: {error}"
            raise CorruptJournalError(message) from error
        if segment is not None:
            segments.append(segment)
    return segments


def _recover_segment(path: Path) -> SealedSegment | None:
    size = path.stat().st_size
    end = spans = 0
    with open_records(path) as records:
        for record in records:
            end, spans = record.end, spans + record.span_count
    if end < size:
        _log.warning("torn tail cut", segment=path.name, bytes_kept=end, bytes_cut=size - end)
        with path.open("r+b") as file:
            file.truncate(end)
            os.fsync(file.fileno())
    if spans == 0:
        path.unlink()
        return None
    return SealedSegment(int(path.stem), path, spans, end)


@contextmanager
def open_records(path: Path) -> Iterator[Iterator[Record]]:
    """Open a segment file and iterate its whole records; bodies are views into the file."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            yield iter(())
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            view = memoryview(mapped)
            records = _released(iter_records(view))
            try:
                yield records
            finally:
                records.close()
                view.release()


def _released(records: Iterator[Record]) -> Generator[Record, None, None]:
    """Let go of each body before the next, so that the mapping can be closed."""
    for record in records:
        try:
            yield record
        finally:
            record.body.release()


def sync_folder(folder: Path) -> None:
    """Make created, renamed and removed names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
