"""A thread that keeps the rollups close behind the store."""

from __future__ import annotations

import threading
from typing import Final, Protocol

from lymer.errors import StorageError
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics

__all__ = ["PERIOD_SECONDS", "RolledUp", "RollupWorker"]

_log = EventLog(__name__)
PERIOD_SECONDS: Final = 10.0
"""Often enough that a reader never has much left to count, seldom enough that parts are few."""


class RolledUp(Protocol):
    """A store with rollups."""

    def catch_up_some(self) -> bool:
        """Count some of what is stored and not counted; return whether there was anything."""


class RollupWorker:
    """Calls `catch_up_some` now and then; readers may call it too."""

    def __init__(
        self, store: RolledUp, metrics: Metrics, *, period_seconds: float = PERIOD_SECONDS
    ) -> None:
        """Prepare; `start` begins, with a first step one period later."""
        self._period_seconds = period_seconds
        self._store = store
        self._metrics = metrics
        self._problem = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rollup", daemon=True)

    @property
    def problem(self) -> str:
        """Why the store does not answer; empty if it does."""
        return self._problem

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Let a running step end, then stop; what is left is counted after the next start."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._period_seconds):
            try:
                self._store.catch_up_some()
                self._problem = ""
            except StorageError as error:
                self._problem = f"the store does not answer: {error}"
                self._metrics.rollup_failures.inc()
                _log.error("rollup failed, will retry", error=error)
            except Exception as error:  # noqa: BLE001 - a bug must not end the rollups silently
                self._metrics.worker_crashes.labels("rollup").inc()
                _log.exception("BUG in the rollup worker", error)
