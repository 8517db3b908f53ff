"""A thread that keeps the rollups close behind the store."""

from __future__ import annotations

from typing import Final, Protocol

from lymer.pipeline.periodic import PeriodicWorker
from lymer.telemetry.metrics import Metrics

__all__ = ["PERIOD_SECONDS", "RolledUp", "RollupWorker"]

PERIOD_SECONDS: Final = 10.0
"""Often enough that a reader never has much left to count, seldom enough that parts are few."""


class RolledUp(Protocol):
    """A store with rollups."""

    def catch_up_some(self) -> bool:
        """Count some of what is stored and not counted; return whether there was anything."""


class RollupWorker(PeriodicWorker):
    """Calls `catch_up_some` now and then; readers may call it too."""

    def __init__(
        self, store: RolledUp, metrics: Metrics, *, period_seconds: float = PERIOD_SECONDS
    ) -> None:
        """Prepare; `start` begins, with a first step one period later."""
        super().__init__(
            "rollup",
            store.catch_up_some,
            metrics,
            period_seconds=period_seconds,
            failures=metrics.rollup_failures,
        )
