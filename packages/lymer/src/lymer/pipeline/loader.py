"""From the journal to the store: one segment after another, each until it is stored.

A segment that cannot be stored now is tried again, with back-off, for as long as it takes: it was
acknowledged. Nobody waits for it unless they must:

- One that cannot be read, or needs too much memory, is stored in parts (`parts.py`); between two
  parts of it whatever came later and is quickly done is stored first.
- One that fails otherwise while the store takes a span of ours is passed by what came later. After
  some such tries the spans to blame are looked for and set aside.
- While the store takes nothing, nothing of that tenant is tried but the first one that failed, and
  nobody is to blame.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from lymer import clock
from lymer.errors import (
    LymerError,
    StorageError,
    StorageMemoryError,
    SupersededError,
    UndecodableError,
)
from lymer.model.segment import SealedSegment
from lymer.pipeline.parts import check_works, find_culprits, write_in_parts
from lymer.storage.contract import SpanWriter
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics

__all__ = ["Loader", "SegmentSource"]

_log = EventLog(__name__)
_POLL_SECONDS: Final = 0.5
_BACKOFF_SECONDS_MIN: Final = 0.2
_BACKOFF_SECONDS_MAX: Final = 30.0
_TRIES_MAX: Final = 3
"""After so many tries that failed though the store works, the spans to blame are looked for."""
_QUICK_SPANS_MAX: Final = 100_000
"""A segment of more spans, 1 s of work, does not pass one that is stored in parts."""
_WHOLE_SPANS_MAX: Final = 500_000
"""A segment of more spans is stored in parts at once: whole, it needs more memory than there is."""


class SegmentSource(Protocol):
    """What the loader needs of the journal."""

    def take_recovered(self) -> list[SealedSegment]:
        """Return segments of a former run."""

    def take_sealed(self, timeout_seconds: float) -> SealedSegment | None:
        """Return the next segment, or None."""

    def remove(self, segment: SealedSegment) -> None:
        """Forget a stored segment."""


@dataclass(slots=True, eq=False)
class _Waiting:
    """A segment that is not stored yet, in the order in which they are tried."""

    original: SealedSegment
    segment: SealedSegment
    """As it is now: some of it may have been set aside."""
    must_recover: bool
    is_of_former_run: bool = False
    problem: str = ""
    """Why it was not stored; empty if it only let others pass."""
    tries: int = 0
    """That failed though the store works."""
    backoff_seconds: float = _BACKOFF_SECONDS_MIN
    due_seconds: float = 0.0
    """When it is tried; monotonic."""


class Loader:
    """A thread that stores segments in order."""

    def __init__(
        self,
        source: SegmentSource,
        writer: SpanWriter,
        quarantine: Path,
        metrics: Metrics,
        *,
        before_store: Callable[[SealedSegment], None] | None = None,
    ) -> None:
        """Prepare; `start` begins.

        Args:
            source: The journal.
            writer: The store; only this thread writes to it.
            quarantine: Folder for requests the engine cannot read; made when needed.
            metrics: Counted here: segments, spans, failures, quarantined requests.
            before_store: Called before a segment is changed or removed; if it raises `OSError`,
                that waits.
        """
        self._source = source
        self._writer = writer
        self._quarantine = quarantine
        self._metrics = metrics
        self._before_store = before_store
        self._stop = threading.Event()
        self._abandon = threading.Event()
        self._recovered = threading.Event()
        self._bug = ""
        self._waiting: list[_Waiting] = []
        """Replaced, never changed: other threads read it."""
        self._left = 0, 0
        """Segments of a former run, and their spans."""
        self._away: set[str] = set()
        """Tenants for which the store takes nothing."""
        self._thread = threading.Thread(target=self._run, name="loader", daemon=True)

    @property
    def problem(self) -> str:
        """Why segments cannot be stored now; empty if they can."""
        problems = (one.problem for one in self._waiting)
        return self._bug or next(filter(None, problems), "")

    @property
    def has_recovered(self) -> bool:
        """Whether all that a former run left is stored."""
        return self._recovered.is_set()

    def start(self) -> None:
        """Begin to store: first what a former run left, then what is sealed."""
        self._thread.start()

    def finish(self, timeout_seconds: float) -> bool:
        """Store what the closed journal still holds, then stop.

        Returns:
            Whether all was stored; what was not is recovered by the next start.
        """
        self._stop.set()
        self._thread.join(timeout_seconds)
        if self._thread.is_alive():
            self._abandon.set()
            self._thread.join(_BACKOFF_SECONDS_MAX)
            return False
        return True

    def _run(self) -> None:
        try:
            self._begin()
            while not self._abandon.is_set():
                stopping = self._stop.is_set()
                now = clock.monotonic_seconds()
                one = self._next()
                if one is not None and one.due_seconds <= now:
                    self._try(one)
                    continue
                pause = _POLL_SECONDS if one is None else min(_POLL_SECONDS, one.due_seconds - now)
                taken = self._source.take_sealed(0 if stopping else pause)
                if taken is not None:
                    self._try(self._wait(taken, must_recover=False))
                elif stopping and one is None:
                    return
                elif stopping:
                    self._abandon.wait(pause)
        except Exception as error:  # noqa: BLE001 - a bug must not end loading silently
            self._metrics.worker_crashes.labels("loader").inc()
            self._bug = f"BUG in the loader: {error!r}"
            _log.exception("BUG in the loader", error)

    def _begin(self) -> None:
        """Line up what a former run left, giants last."""
        segments = self._source.take_recovered()
        self._waiting = [
            _Waiting(segment, segment, must_recover=True, is_of_former_run=True)
            for segment in sorted(segments, key=lambda one: one.span_count > _WHOLE_SPANS_MAX)
        ]
        self._left = len(segments), sum(segment.span_count for segment in segments)
        if not segments:
            self._recovered.set()

    def _next(self) -> _Waiting | None:
        """Return whose turn is next; of a tenant whose store is away only the first is tried."""
        seen: set[str] = set()
        turns = []
        for one in self._waiting:
            tenant = one.segment.tenant
            if tenant not in seen:
                turns.append(one)
            if tenant in self._away:
                seen.add(tenant)
        return min(turns, key=lambda one: one.due_seconds, default=None)

    def _wait(self, segment: SealedSegment, *, must_recover: bool) -> _Waiting:
        one = _Waiting(segment, segment, must_recover)
        self._waiting = [*self._waiting, one]
        return one

    def _done(self, one: _Waiting) -> None:
        self._waiting = [other for other in self._waiting if other is not one]
        if one.is_of_former_run and not any(other.is_of_former_run for other in self._waiting):
            self._recovered.set()
            segments, spans = self._left
            _log.info("journal recovered", segments=segments, spans=spans)

    def _try(self, one: _Waiting) -> None:
        """Store one segment, or say why not and when it is tried again."""
        if self._is_held_up(one):
            return
        started = clock.monotonic_seconds()
        try:
            if self._before_store is not None and one.segment is one.original:
                self._before_store(one.segment)
            if one.tries >= _TRIES_MAX:
                one.tries = 0
                self._set_aside(one, find_culprits)
            try:
                self._write(one.segment, recovering=one.must_recover)
            except (UndecodableError, StorageMemoryError) as error:
                _log.warning(
                    "segment is stored in parts", segment=one.segment.segment_id, error=error
                )
                one.must_recover = True
                self._set_aside(one, write_in_parts)
                self._write(one.segment, recovering=True)
            self._source.remove(one.original)
        except SupersededError:
            self._done(one)
        except (StorageError, UndecodableError, OSError) as error:
            self._fail(one, error)
        else:
            self._away.discard(one.segment.tenant)
            self._done(one)
            self._count(one.segment, started)

    def _is_held_up(self, one: _Waiting) -> bool:
        """Tell whether the store is away for its tenant, which another segment finds out."""
        if one.segment.tenant not in self._away:
            return False
        first = next(other for other in self._waiting if other.segment.tenant == one.segment.tenant)
        if first is one:
            return False
        self._expect(one)
        return True

    def _expect(self, one: _Waiting) -> None:
        """Let what counts segments wait for one that later ones may pass."""
        with contextlib.suppress(StorageError):  # of a tenant that has no table yet
            self._writer.expect([one.segment])

    def _count(self, segment: SealedSegment, started: float) -> None:
        self._metrics.stored_segments.inc()
        self._metrics.stored_spans.inc(segment.span_count)
        self._metrics.store_seconds.observe(clock.monotonic_seconds() - started)

    def _let_pass(self) -> None:
        """Store what came later and is quick; the rest waits until the giant is done."""
        while not self._abandon.is_set():
            segment = self._source.take_sealed(0)
            if segment is None:
                return
            started = clock.monotonic_seconds()
            tried = segment.span_count <= _QUICK_SPANS_MAX and segment.tenant not in self._away
            try:
                if tried:
                    if self._before_store is not None:
                        self._before_store(segment)
                    self._write(segment, recovering=False)
                    self._source.remove(segment)
                    self._count(segment, started)
                    continue
            except (LymerError, OSError) as error:
                _log.warning("segment waits", segment=segment.segment_id, error=error)
            self._expect(self._wait(segment, must_recover=tried))

    def _write(self, segment: SealedSegment, *, recovering: bool) -> None:
        if segment.span_count == 0 and not recovering:
            return  # requests without spans
        if recovering:
            self._writer.recover_segment(segment)
        elif segment.span_count > _WHOLE_SPANS_MAX:
            raise StorageMemoryError(f"it has {segment.span_count} spans")
        else:
            self._writer.write_segment(segment)

    def _set_aside(
        self, one: _Waiting, find: Callable[..., tuple[SealedSegment, Counter[str]]]
    ) -> None:
        """Store in parts, or look for culprits; note what the segment is then."""
        one.segment, reasons = find(one.segment, self._writer, self._quarantine, self._let_pass)
        for reason, count in reasons.items():
            self._metrics.quarantined_requests.inc(count)
            _log.error(
                "spans quarantined",
                segment=one.segment.segment_id,
                requests=count,
                folder=self._quarantine,
                reason=reason,
            )

    def _fail(self, one: _Waiting, error: Exception) -> None:
        segment = one.segment
        self._metrics.store_failures.inc()
        one.must_recover = True
        one.problem = f"cannot store segment {segment.segment_id}: {error}"
        _log.error("segment not stored, will retry", segment=segment.segment_id, error=error)
        self._expect(one)
        try:
            check_works(segment, self._writer)
        except SupersededError:
            pass  # the next try finds out
        except (StorageError, OSError):
            self._away.add(segment.tenant)
        else:
            if segment.tenant in self._away:
                self._away.discard(segment.tenant)
                one.backoff_seconds = _BACKOFF_SECONDS_MIN
            one.tries += 1
        one.due_seconds = clock.monotonic_seconds() + one.backoff_seconds
        one.backoff_seconds = min(one.backoff_seconds * 2, _BACKOFF_SECONDS_MAX)
