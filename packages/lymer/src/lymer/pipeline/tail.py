"""A thread that has the store decide on traces once they are old enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from lymer.pipeline.periodic import PeriodicWorker
from lymer.telemetry.metrics import Metrics

__all__ = ["PERIOD_SECONDS_MAX", "TailSampled", "TailWorker"]

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


class TailWorker(PeriodicWorker):
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
        self._traces = metrics.tail_traces
        self._grace_micro = round(grace_seconds * _MICRO)
        self._newest_complete = newest_complete
        super().__init__(
            "tail",
            self._decide,
            metrics,
            period_seconds=min(PERIOD_SECONDS_MAX, max(grace_seconds / 3, 0.2)),
            failures=metrics.tail_failures,
        )

    def _decide(self) -> None:
        upto = self._newest_complete() - self._grace_micro
        kept, dropped = self._store.decide_traces(upto) if upto > 0 else (0, 0)
        self._traces.labels("kept").inc(kept)
        self._traces.labels("dropped").inc(dropped)
