"""The worker that keeps rollups close behind: it goes on whatever a step does."""

from __future__ import annotations

import threading

import pytest

from lymer.errors import StorageError
from lymer.pipeline.rollup import RollupWorker
from lymer.telemetry.metrics import Metrics


class FakeRollups:
    """Rollups that fail on order."""

    def __init__(self, *errors: Exception) -> None:
        """Raise these in the first steps."""
        self._errors = list(errors)
        self.steps = 0
        self.done_well = threading.Event()
        self.may_end = threading.Event()
        self.may_end.set()
        self.running = threading.Event()

    def catch_up_some(self) -> bool:
        """Do one step."""
        self.steps += 1
        self.running.set()
        self.may_end.wait(10)
        if self._errors:
            raise self._errors.pop(0)
        self.done_well.set()
        return True


@pytest.fixture
def metrics() -> Metrics:
    """Return metrics of a process that did nothing yet."""
    return Metrics("test")


def test_steps_follow_one_another_until_it_stops(metrics: Metrics) -> None:
    """One step a period; none after the stop."""
    store = FakeRollups()
    worker = RollupWorker(store, metrics, period_seconds=0.01)
    worker.start()
    assert store.done_well.wait(10)
    store.done_well.clear()
    assert store.done_well.wait(10)

    worker.stop()

    steps = store.steps
    store.done_well.clear()
    assert steps >= 2
    assert not store.done_well.wait(0.05)


def test_a_step_that_fails_is_counted_and_repeated(metrics: Metrics) -> None:
    """Trouble of the engine is one metric, a bug of ours another; neither ends the worker."""
    store = FakeRollups(StorageError("busy"), ValueError("no engine says this"))
    worker = RollupWorker(store, metrics, period_seconds=0.01)
    worker.start()
    assert store.done_well.wait(10)
    worker.stop()

    value = metrics.registry.get_sample_value
    assert value("lymer_rollup_failures_total") == 1
    assert value("lymer_worker_crashes_total", {"worker": "rollup"}) == 1


def test_stopping_lets_a_running_step_end(metrics: Metrics) -> None:
    """The engine must not be closed under it."""
    store = FakeRollups()
    store.may_end.clear()
    worker = RollupWorker(store, metrics, period_seconds=0.01)
    worker.start()
    assert store.running.wait(10)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()

    stopping.join(0.05)
    assert stopping.is_alive()
    store.may_end.set()
    stopping.join(10)

    assert not stopping.is_alive()
    assert store.done_well.is_set()
