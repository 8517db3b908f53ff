"""A segment the engine cannot read: write it anew, and set aside what still cannot be read.

First every request is written canonically; that alone cures what protobuf's parser accepts and the
engine's does not. If the file is still unreadable, it is halved until the requests to blame are
found; they go to the quarantine folder, the others stay. The new file takes the place of the old
one atomically, under the same segment id, so exactly-once holds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from lymer.errors import UndecodableError
from lymer.journal.disk import sync_folder
from lymer.journal.record import encode_record
from lymer.journal.recovery import REWRITE_SUFFIX, TRIAL_SUFFIX, open_records
from lymer.model.segment import SealedSegment
from lymer.pipeline.quarantine import set_aside
from lymer.wire.otlp_proto import canonical_request

__all__ = ["repair_segment"]

_Request = tuple[bytes, int]
"""Body and number of spans."""


def repair_segment(
    segment: SealedSegment, can_decode: Callable[[Path], bool], quarantine: Path
) -> tuple[SealedSegment, int]:
    """Make `segment` readable.

    Args:
        segment: Its file is replaced.
        can_decode: Tells whether the engine reads a file.
        quarantine: Folder for what cannot be read.

    Returns:
        The segment as it is now, and how many requests were set aside.
    """
    requests, bad = _canonical(segment.path)
    trial = segment.path.with_suffix(TRIAL_SUFFIX)
    try:
        good, worse = _divide(requests, lambda part: _try(trial, part, can_decode))
    finally:
        trial.unlink(missing_ok=True)
    bad += worse
    if bad:
        names = (f"{segment.path.stem}-{place:05d}" for place in range(len(bad)))
        set_aside(quarantine, zip(names, (body for body, _ in bad), strict=True))
    _replace(segment.path, good)
    spans = sum(span_count for _, span_count in good)
    return replace(segment, span_count=spans, byte_count=segment.path.stat().st_size), len(bad)


def _canonical(path: Path) -> tuple[list[_Request], list[_Request]]:
    good, bad = [], []
    with open_records(path) as records:
        for record in records:
            body = bytes(record.body)
            try:
                good.append((canonical_request(body), record.span_count))
            except UndecodableError:
                bad.append((body, record.span_count))
    return good, bad


def _divide(
    requests: list[_Request], is_readable: Callable[[Sequence[_Request]], bool]
) -> tuple[list[_Request], list[_Request]]:
    """Part requests into readable and not, by halving; order is kept."""
    good: list[_Request] = []
    bad: list[_Request] = []
    pending = [requests]
    while pending:
        part = pending.pop()
        if not part or is_readable(part):
            good.extend(part)
        elif len(part) == 1:
            bad.extend(part)
        else:
            middle = len(part) // 2
            pending += [part[middle:], part[:middle]]
    return good, bad


def _try(path: Path, requests: Sequence[_Request], can_decode: Callable[[Path], bool]) -> bool:
    _write(path, requests)
    return can_decode(path)


def _write(path: Path, requests: Sequence[_Request]) -> None:
    with path.open("wb") as file:
        for body, span_count in requests:
            file.writelines(encode_record(body, span_count))
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, requests: Sequence[_Request]) -> None:
    successor = path.with_suffix(REWRITE_SUFFIX)
    _write(successor, requests)
    successor.replace(path)
    sync_folder(path.parent)
