"""A segment that cannot be stored as it is: in parts, down to the span that is to blame.

A segment may need more memory than a load may use, or hold what the engine cannot read: its
requests are written again as files of their own and stored one file after another under the
segment's id, the small ones first; what fails is halved, first between requests, then between the
spans of one, and a request the engine cannot read is written canonically before it is. A span that
still fails goes to the quarantine folder. What fails for any other reason is looked for by trials
that store nothing (`find_culprits`), for whether a failed statement has stored is not known.

Exactly once: the segment's id and number of spans stay the law. While only some parts are stored,
the store has another number of its spans than the segment, so a crash ends in `recover_segment`
deleting them and all beginning anew. If spans went to quarantine, the segment's file is replaced
atomically by one without them before the spans are counted for the last time.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from lymer.errors import LymerError, StorageError, StorageMemoryError, UndecodableError
from lymer.journal.disk import sync_folder
from lymer.journal.record import encode_record
from lymer.journal.recovery import REWRITE_SUFFIX, TRIAL_SUFFIX, open_records
from lymer.model.segment import SealedSegment
from lymer.pipeline.quarantine import set_aside
from lymer.storage.contract import SpanWriter
from lymer.wire.otlp_proto import canonical_request
from lymer.wire.otlp_split import split_request

__all__ = ["PART_SPANS_MAX", "check_works", "find_culprits", "write_in_parts"]

PART_SPANS_MAX: Final = 100_000
"""Spans of the first parts: the emptiest span needs 1.3 kB of memory while it is loaded."""
_PART_BYTES_MAX: Final = 4 * 2**20
_QUICK_BYTES_MAX: Final = 64 * 1024
_QUICK_SPANS_MAX: Final = 2_000
"""A larger request is stored after those that share its segment."""
_HUNGRY_BYTES_MIN: Final = 64 * 1024
"""A smaller span cannot need too much memory: then the engine has none left, for now."""


class _Request(NamedTuple):
    body: bytes
    span_count: int
    is_canonical: bool = False


_PROBE_SPANS: Final = 32
"""Each of another trace: whichever shard there is, some of them are its own."""


class _Bad(NamedTuple):
    request: _Request
    reason: str


_Attempt = Callable[[list[_Request], Path], LymerError | None]
"""Stores requests, written to a path; returns why they must be tried in smaller parts."""


def write_in_parts(
    segment: SealedSegment,
    writer: SpanWriter,
    quarantine: Path,
    between: Callable[[], None] = lambda: None,
) -> tuple[SealedSegment, Counter[str]]:
    """Store the spans of `segment`, of which none are stored; `recover_segment` must follow.

    Args:
        segment: Its file is replaced if something is set aside.
        writer: The store.
        quarantine: Folder for what cannot be stored.
        between: Called after each part: others must not wait for the last one.

    Returns:
        The segment as it is now, and how many requests or single spans were set aside, by reason.

    Raises:
        StorageError: Some parts are stored, or it is not known: the segment must be recovered.
        OSError: Likewise.
    """
    is_announced = False

    def attempt(part: list[_Request], trial: Path) -> LymerError | None:
        nonlocal is_announced
        if not is_announced and _is_slow(part[0]):  # all that are quick are stored
            writer.announce(segment)
            is_announced = True
        try:
            writer.write_part(segment, trial)
        except StorageMemoryError as error:
            if _spans_of(part) < 2 and len(part[0].body) < _HUNGRY_BYTES_MIN:
                raise
            return error
        except UndecodableError as error:
            return error
        return None

    return _in_parts(segment, attempt, quarantine, between)


def find_culprits(
    segment: SealedSegment,
    writer: SpanWriter,
    quarantine: Path,
    between: Callable[[], None] = lambda: None,
) -> tuple[SealedSegment, Counter[str]]:
    """Set aside the spans of `segment` that a store which works cannot store, by trials only.

    A span is to blame when it fails alone, the store takes a span of our own right after it, and it
    fails again.

    Args: As `write_in_parts`.

    Returns:
        As `write_in_parts`; nothing is stored yet.

    Raises:
        StorageError: The store takes nothing now; nobody is to blame.
        OSError: The segment cannot be read, or written anew.
    """

    def attempt(part: list[_Request], trial: Path) -> LymerError | None:
        failure = _failure(segment, writer, trial)
        if failure is None or _spans_of(part) > 1:
            return failure
        check_works(segment, writer)
        return _failure(segment, writer, trial)

    return _in_parts(segment, attempt, quarantine, between)


def _failure(segment: SealedSegment, writer: SpanWriter, path: Path) -> LymerError | None:
    try:
        writer.try_part(segment, path)
    except (StorageError, UndecodableError) as error:
        return error
    return None


def check_works(segment: SealedSegment, writer: SpanWriter) -> None:
    """Return if the store takes a small span of ours for the tenant of `segment`.

    Raises:
        StorageError: It does not, whoever is to blame.
        OSError: The span cannot be written.
    """
    path = segment.path.with_suffix(f".probe{TRIAL_SUFFIX}")
    _write(path, [_Request(_probe(), _PROBE_SPANS)])
    try:
        writer.try_part(segment, path)
    except UndecodableError as error:
        raise StorageError(str(error)) from error
    finally:
        path.unlink(missing_ok=True)


def _in_parts(
    segment: SealedSegment, attempt: _Attempt, quarantine: Path, between: Callable[[], None]
) -> tuple[SealedSegment, Counter[str]]:
    good: list[_Request] = []
    bad: list[_Bad] = []
    trial = segment.path.with_suffix(TRIAL_SUFFIX)
    quick, slow = _sorted_requests(segment.path)
    pending = [*_first_parts(quick), *_first_parts(slow)][::-1]
    try:
        while pending:
            part = pending.pop()
            _write(trial, part)
            error = attempt(part, trial)
            if error is None:
                good += part
            else:
                smaller = _smaller(part, error)
                if smaller is None:
                    bad += (_Bad(one, str(error)) for one in part)
                pending += (smaller or [])[::-1]
            between()
    finally:
        trial.unlink(missing_ok=True)
    if not bad:
        return segment, Counter()
    names = (f"{segment.path.stem}-{place:05d}" for place in range(len(bad)))
    set_aside(
        quarantine,
        ((name, one.request.body, one.reason) for name, one in zip(names, bad, strict=True)),
        whole=segment.path,
    )
    _replace(segment.path, good)
    left = replace(segment, span_count=_spans_of(good), byte_count=segment.path.stat().st_size)
    return left, Counter(one.reason for one in bad)


def _probe() -> bytes:
    spans = [
        Span(trace_id=bytes([number]) * 16, span_id=bytes([number]) * 8, name="probe")
        for number in range(1, 1 + _PROBE_SPANS)
    ]
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(scope_spans=[ScopeSpans(spans=spans)])]
    ).SerializeToString()


def _spans_of(requests: Sequence[_Request]) -> int:
    return sum(one.span_count for one in requests)


def _sorted_requests(path: Path) -> tuple[list[_Request], list[_Request]]:
    """Return the requests of a segment that are quickly stored, and the others."""
    quick: list[_Request] = []
    slow: list[_Request] = []
    with open_records(path) as records:
        for record in records:
            request = _Request(bytes(record.body), record.span_count)
            (slow if _is_slow(request) else quick).append(request)
    return quick, slow


def _is_slow(request: _Request) -> bool:
    return len(request.body) > _QUICK_BYTES_MAX or request.span_count > _QUICK_SPANS_MAX


def _first_parts(requests: Sequence[_Request]) -> Iterator[list[_Request]]:
    """Yield requests together, so many as a load takes in its stride."""
    part: list[_Request] = []
    spans = size = 0
    for request in requests:
        if part and (
            spans + request.span_count > PART_SPANS_MAX
            or size + len(request.body) > _PART_BYTES_MAX
        ):
            yield part
            part, spans, size = [], 0, 0
        if request.span_count > PART_SPANS_MAX:
            yield from ([one] for one in _split(request, PART_SPANS_MAX))
        else:
            part.append(request)
            spans += request.span_count
            size += len(request.body)
    if part:
        yield part


def _smaller(part: list[_Request], error: LymerError) -> list[list[_Request]] | None:
    """Return what to try instead of a part that failed; None if there is nothing left to try."""
    if isinstance(error, UndecodableError) and not all(one.is_canonical for one in part):
        return _canonical(part)
    if len(part) > 1:
        middle = len(part) // 2
        return [part[:middle], part[middle:]]
    (request,) = part
    if request.span_count < 2:
        return None
    try:
        return [[one] for one in _split(request, max(1, request.span_count // 2))]
    except UndecodableError:
        return None


def _canonical(part: list[_Request]) -> list[list[_Request]]:
    """Write the requests anew; one that cannot be is tried alone, as it is."""
    made: list[list[_Request]] = [[]]
    for request in part:
        try:
            body = canonical_request(request.body)
        except UndecodableError:
            made += [[request._replace(is_canonical=True)], []]
        else:
            made[-1].append(_Request(body, request.span_count, is_canonical=True))
    return [some for some in made if some]


def _split(request: _Request, spans_max: int) -> Iterator[_Request]:
    for body, count in split_request(request.body, spans_max=spans_max, bytes_max=_PART_BYTES_MAX):
        yield _Request(body, count, request.is_canonical)


def _write(path: Path, requests: Sequence[_Request]) -> None:
    with path.open("wb") as file:
        for one in requests:
            file.writelines(encode_record(one.body, one.span_count))


def _replace(path: Path, requests: Sequence[_Request]) -> None:
    successor = path.with_suffix(REWRITE_SUFFIX)
    with successor.open("wb") as file:
        for one in requests:
            file.writelines(encode_record(one.body, one.span_count))
        file.flush()
        os.fsync(file.fileno())
    successor.replace(path)
    sync_folder(path.parent)
