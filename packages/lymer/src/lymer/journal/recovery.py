"""Which segments and bytes survive a crash."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lymer.errors import CorruptJournalError
from lymer.journal.disk import sync_folder
from lymer.journal.record import TRAILER_BYTES, TRAILER_TAG, Record, iter_records
from lymer.model.segment import SealedSegment
from lymer.telemetry.logs import EventLog
from lymer.tenancy import DEFAULT_TENANT, tenant_code, tenant_of_code

__all__ = [
    "REWRITE_SUFFIX",
    "SEGMENT_SUFFIX",
    "TRIAL_SUFFIX",
    "open_records",
    "recover_segments",
    "segment_path",
]

SEGMENT_SUFFIX: Final = ".otlp"
REWRITE_SUFFIX: Final = ".rewrite"
"""A file that will take the place of a segment once it is whole."""
TRIAL_SUFFIX: Final = ".trial"
"""A file made to ask the engine whether it can read it."""
_log = EventLog(__name__)


def segment_path(folder: Path, segment_id: int, tenant: str = DEFAULT_TENANT) -> Path:
    """Return where a segment lives; names sort as ids do, and say whose it is."""
    code = f".{tenant_code(tenant)}" if tenant else ""
    return folder / f"{segment_id:020d}{code}{SEGMENT_SUFFIX}"


def _named(path: Path) -> tuple[int, str] | None:
    """Return id and tenant of the segment at `path`; None if it is none."""
    digits, dot, code = path.stem.partition(".")
    if path.suffix != SEGMENT_SUFFIX or not digits.isdecimal():
        return None
    try:
        tenant = tenant_of_code(code)
    except ValueError:
        return None
    return None if bool(dot) != bool(tenant) else (int(digits), tenant)


def recover_segments(folder: Path) -> list[SealedSegment]:
    """Find the segments a former run left, oldest first, and cut their torn tails.

    A tail is torn when its last record is not whole: its request was never acknowledged, for an
    acknowledgement follows the fdatasync of the whole record. A record that is not whole and has
    whole ones behind it was damaged by the disk: it is cut out, and that is an error in the log.

    Raises:
        CorruptJournalError: The folder, or a file in it, cannot be read or cut.
    """
    segments = []
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        message = f"cannot read the journal in {folder}: {error.strerror}; give it to this user"
        raise CorruptJournalError(message) from error
    for path in paths:
        try:
            # What is no file holds no request that was ever acknowledged.
            is_file = stat.S_ISREG(path.stat().st_mode)
            if path.suffix in (TRIAL_SUFFIX, REWRITE_SUFFIX) and is_file:
                path.unlink()  # a rewrite that a crash cut short; the segment is still there
            named = _named(path) if is_file else None
            if named is None:
                if path.suffix == SEGMENT_SUFFIX:
                    _log.warning("this is none of the journal's segments", file=str(path))
                continue
            segment = _recover_segment(path, *named)
        except OSError as error:
            message = (
                f"cannot recover journal segment {path}: {error.strerror or error}; make it "
                "readable, or move it out of the folder to start without its spans"
            )
            raise CorruptJournalError(message) from error
        if segment is not None:
            segments.append(segment)
    return segments


def _recover_segment(path: Path, segment_id: int, tenant: str) -> SealedSegment | None:
    size = path.stat().st_size
    whole, spans = _whole_records(path)
    if not whole:
        if size:
            _log.warning("torn tail cut", segment=path.name, bytes_kept=0, bytes_cut=size)
        path.unlink()
        return None
    kept = sum(end - start for start, end in whole)
    if whole[0] != (0, kept):
        _log.error("damaged records cut out", segment=path.name, bytes_lost=size - kept)
        _keep_only(path, whole)
    elif kept < size:
        _log.warning("torn tail cut", segment=path.name, bytes_kept=kept, bytes_cut=size - kept)
        with path.open("r+b") as file:
            file.truncate(kept)
            os.fsync(file.fileno())
    return SealedSegment(segment_id, path, spans, kept, tenant)


def _whole_records(path: Path) -> tuple[list[tuple[int, int]], int]:
    """Return the stretches of whole records, start and end in bytes, and the spans they hold."""
    stretches: list[tuple[int, int]] = []
    spans = offset = tag = 0
    with _mapped(path) as mapped, memoryview(mapped) as view:
        while tag >= 0:
            start = offset
            for record in _released(iter_records(view, start)):
                offset, spans = record.end, spans + record.span_count
            if offset > start:
                stretches.append((start, offset))
            # Behind damage the next record begins where some trailer ends; its check tells which.
            tag = mapped.find(TRAILER_TAG, offset if offset > start else tag + 1)
            offset = tag + TRAILER_BYTES
    return stretches, spans


def _keep_only(path: Path, stretches: list[tuple[int, int]]) -> None:
    """Write the segment anew without what is damaged; the old file stays until that is durable."""
    rewrite = path.with_suffix(REWRITE_SUFFIX)
    with _mapped(path) as mapped, rewrite.open("wb") as file:
        for start, end in stretches:
            file.write(mapped[start:end])
        file.flush()
        os.fsync(file.fileno())
    rewrite.replace(path)
    sync_folder(path.parent)


@contextmanager
def _mapped(path: Path) -> Iterator[mmap.mmap | bytes]:
    """Map a file for reading; an empty one, which cannot be mapped, is empty bytes."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            yield mapped


@contextmanager
def open_records(path: Path) -> Iterator[Iterator[Record]]:
    """Open a segment file and iterate its whole records; bodies are views into the file."""
    with _mapped(path) as mapped, memoryview(mapped) as view:
        records = _released(iter_records(view))
        try:
            yield records
        finally:
            records.close()


def _released(records: Iterator[Record]) -> Generator[Record, None, None]:
    """Let go of each body before the next, so that the mapping can be closed."""
    for record in records:
        try:
            yield record
        finally:
            record.body.release()
