"""From the journal to the store: one segment after another, each until it is stored.

A segment that cannot be stored now is tried again for ever, with back-off: it was acknowledged. A
segment that cannot be read, or needs too much memory, is stored in parts (`parts.py`), so poison
never blocks what is behind it; and between two parts of it whatever came later and is quickly done
is stored first, so that nobody waits for a giant.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
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
from lymer.pipeline.parts import write_in_parts
from lymer.storage.contract import SpanWriter
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics

__all__ = ["Loader", "SegmentSource"]

_log = EventLog(__name__)
_POLL_SECONDS: Final = 0.5
_BACKOFF_SECONDS_MIN: Final = 0.2
_BACKOFF_SECONDS_MAX: Final = 30.0
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
        self._problem = ""
        self._aside: deque[tuple[SealedSegment, bool]] = deque()
        """Segments that did not pass a giant, and whether they must be recovered."""
        self._thread = threading.Thread(target=self._run, name="loader", daemon=True)

    @property
    def problem(self) -> str:
        """Why segments cannot be stored now; empty if they can."""
        return self._problem

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
            if not self._recover():
                return
            while True:
                stopping = self._stop.is_set()
                if self._aside:
                    segment, recovering = self._aside.popleft()
                    if not self._store(segment, recovering=recovering):
                        return
                    continue
                taken = self._source.take_sealed(0 if stopping else _POLL_SECONDS)
                if taken is not None:
                    if not self._store(taken, recovering=False):
                        return
                elif stopping:
                    return
        except Exception as error:  # noqa: BLE001 - a bug must not end loading silently
            self._metrics.worker_crashes.labels("loader").inc()
            self._problem = f"BUG in the loader: {error!r}"
            _log.exception("BUG in the loader", error)

    def _recover(self) -> bool:
        segments = self._source.take_recovered()
        for segment in sorted(segments, key=lambda one: one.span_count > _WHOLE_SPANS_MAX):
            if not self._store(segment, recovering=True):
                return False
        if segments:
            spans = sum(segment.span_count for segment in segments)
            _log.info("journal recovered", segments=len(segments), spans=spans)
        self._recovered.set()
        return True

    def _store(self, segment: SealedSegment, *, recovering: bool) -> bool:
        """Store one segment however often it takes; return False only when told to abandon it."""
        backoff = _BACKOFF_SECONDS_MIN
        started = clock.monotonic_seconds()
        original = segment
        while not self._abandon.is_set():
            try:
                if self._before_store is not None and segment is original:
                    self._before_store(segment)
                try:
                    self._write(segment, recovering=recovering)
                except (UndecodableError, StorageMemoryError) as error:
                    segment, recovering = self._in_parts(segment, error), True
                    self._write(segment, recovering=True)
                self._source.remove(original)
                break
            except SupersededError:
                self._problem = ""
                return True
            except (StorageError, UndecodableError, OSError) as error:
                self._fail(segment, error)
                self._abandon.wait(backoff)
                backoff = min(backoff * 2, _BACKOFF_SECONDS_MAX)
                recovering = True
        else:
            return False
        self._problem = ""
        self._count(segment, started)
        return True

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
            tried = segment.span_count <= _QUICK_SPANS_MAX
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
            self._writer.expect([segment])
            self._aside.append((segment, tried))

    def _write(self, segment: SealedSegment, *, recovering: bool) -> None:
        if segment.span_count == 0 and not recovering:
            return  # requests without spans
        if recovering:
            self._writer.recover_segment(segment)
        elif segment.span_count > _WHOLE_SPANS_MAX:
            raise StorageMemoryError(f"it has {segment.span_count} spans")
        else:
            self._writer.write_segment(segment)

    def _in_parts(self, segment: SealedSegment, error: LymerError) -> SealedSegment:
        _log.warning("segment is stored in parts", segment=segment.segment_id, error=error)
        stored, quarantined = write_in_parts(
            segment, self._writer, self._quarantine, self._let_pass
        )
        if quarantined:
            self._metrics.quarantined_requests.inc(quarantined)
            _log.error(
                "spans quarantined",
                segment=segment.segment_id,
                requests=quarantined,
                folder=self._quarantine,
            )
        return stored

    def _fail(self, segment: SealedSegment, error: Exception) -> None:
        self._metrics.store_failures.inc()
        self._problem = f"cannot store segment {segment.segment_id}: {error}"
        _log.error("segment not stored, will retry", segment=segment.segment_id, error=error)
