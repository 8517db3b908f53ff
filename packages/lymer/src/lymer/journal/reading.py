"""Records of a segment that may still grow, read in order, a few at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lymer.errors import CorruptJournalError
from lymer.journal.record import RECORD_BYTES_MAX, TRAILER_BYTES, TRAILER_TAG, iter_records

__all__ = ["ReadRecord", "read_records"]

_READ_BYTES: Final = 1 << 20
"""Read at once, unless one record is larger."""


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """One acknowledged request."""

    body: bytes
    span_count: int


def read_records(path: Path, offset: int, end: int) -> tuple[list[ReadRecord], int, int]:
    """Read whole records from `offset`, at least one, about 1 MiB.

    Args:
        path: A segment.
        offset: Where a record begins.
        end: Up to here the segment is durable; greater than `offset`.

    Returns:
        The records, where the next one begins, and how many bytes were skipped because the disk
        has changed them.

    Raises:
        CorruptJournalError: The file cannot be read.
    """
    size = min(_READ_BYTES, end - offset)
    try:
        with path.open("rb") as file:
            while True:
                content = os.pread(file.fileno(), size, offset)
                records, used = _whole(content)
                if records or size >= end - offset:
                    break
                size = min(size * 4, end - offset, RECORD_BYTES_MAX + 16)
    except OSError as error:
        raise CorruptJournalError(f"cannot read journal segment {path}: {error}") from error
    if records or size < end - offset:
        return records, offset + used, 0
    # What is left has no whole record at its head: look where another one may begin.
    tag = content.find(TRAILER_TAG)
    skipped = tag + TRAILER_BYTES if tag >= 0 else len(content)
    return [], min(offset + max(skipped, 1), end), max(skipped, 1)


def _whole(content: bytes) -> tuple[list[ReadRecord], int]:
    records, used = [], 0
    with memoryview(content) as view:
        for record in iter_records(view):
            records.append(ReadRecord(bytes(record.body), record.span_count))
            used = record.end
            record.body.release()
    return records, used
