"""A thread that has the store decide on traces once they are old enough."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol

from lymer.errors import StorageError
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics

__all__ = ["PERIOD_SECONDS_MAX", "TailSampled", "TailWorker"]

_log = EventLog(__name__)
PERIOD_SECONDS_MAX: Final = 10.0
"""A step costs a tenth of a second whatever it decides on, so steps are few."""
_MICRO: Final = 1_000_000


class TailSampled(Protocol):
    """A store that can drop traces."""

    def decide_traces(self, upto: int, /) -> tuple[int, int]:
        """Decide on all traces whose first span came with a segment up to `upto`, of every tenant.

        Returns:
            How many were kept and dropped.

        Raises:
            StorageError: Some may be decided; calling again is right.
        """


class TailWorker:
    """Calls `decide_traces` with what is older than the grace time."""

    def __init__(
        self,
        store: TailSampled,
        metrics: Metrics,
        *,
        grace_seconds: float,
        newest_complete: Callable[[], int],
    ) -> None:
        """Prepare; `start` begins.

        Args:
            store: Decides.
            metrics: Counted here: traces, failures.
            grace_seconds: How old a trace must be, counted from the arrival of its first span.
            newest_complete: The segment id up to which all that arrived is stored, in microseconds
                since 1970: now, or when the oldest segment that waits was opened.
        """
        self._store = store
        self._metrics = metrics
        self._grace_micro = round(grace_seconds * _MICRO)
        self._period_seconds = min(PERIOD_SECONDS_MAX, max(grace_seconds / 3, 0.2))
        self._newest_complete = newest_complete
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tail", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Let a running step end, then stop; what is left is decided after the next start."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._period_seconds):
            try:
                upto = self._newest_complete() - self._grace_micro
                kept, dropped = self._store.decide_traces(upto) if upto > 0 else (0, 0)
            except StorageError as error:
                self._metrics.tail_failures.inc()
                _log.error("tail sampling failed, will retry", error=error)
            except Exception as error:  # noqa: BLE001 - a bug must not end it silently
                self._metrics.worker_crashes.labels("tail").inc()
                _log.exception("BUG in the tail sampling worker", error)
            else:
                self._metrics.tail_traces.labels("kept").inc(kept)
                self._metrics.tail_traces.labels("dropped").inc(dropped)
