"""A thread that has the store do a step of work now and then."""

from __future__ import annotations

import threading
from collections.abc import Callable

from prometheus_client import Counter

from lymer.errors import StorageError
from lymer.telemetry.logs import EventLog
from lymer.telemetry.metrics import Metrics

__all__ = ["PeriodicWorker"]

_log = EventLog(__name__)


class PeriodicWorker:
    """Calls a step of the store, which may fail and is then called again."""

    def __init__(
        self,
        name: str,
        step: Callable[[], object],
        metrics: Metrics,
        *,
        period_seconds: float,
        failures: Counter,
    ) -> None:
        """Prepare; `start` begins, with a first step one period later.

        Args:
            name: Of the thread, and of the worker in the log and in `lymer_worker_crashes`.
            step: Raises `StorageError` where calling it again is right.
            metrics: Bugs are counted here.
            period_seconds: Pause between two steps.
            failures: Steps that raised `StorageError`.
        """
        self._name = name
        self._step = step
        self._metrics = metrics
        self._period_seconds = period_seconds
        self._failures = failures
        self._problem = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def problem(self) -> str:
        """Why the store does not answer; empty if it does."""
        return self._problem

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Let a running step end, then stop; what is left is done after the next start."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._period_seconds):
            try:
                self._step()
                self._problem = ""
            except StorageError as error:
                self._problem = f"the store does not answer: {error}"
                self._failures.inc()
                _log.error("step failed, will retry", worker=self._name, error=error)
            except Exception as error:  # noqa: BLE001 - a bug must not end the work silently
                self._metrics.worker_crashes.labels(self._name).inc()
                _log.exception("BUG in a worker", error, worker=self._name)
