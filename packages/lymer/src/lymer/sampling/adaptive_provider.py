"""The provider that watches the store and computes probabilities from it, again and again.

One process owns a store, so there is no leader to elect, and what was computed is told at once.
(Jaeger 1.76's provider reads what was computed only while it is not the leader: alone, it serves
what it read at start for ever, jaeger#6550.)
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from lymer import clock
from lymer.errors import StorageError
from lymer.model.throughput import OperationRate, Throughput
from lymer.sampling.adaptive import (
    AdaptiveOptions,
    AdaptiveState,
    Asked,
    Bucket,
    Operation,
    next_state,
)
from lymer.sampling.strategies import (
    OperationStrategies,
    OperationStrategy,
    Probabilistic,
    Strategy,
)
from lymer.storage.sampling_contract import SamplingStore
from lymer.telemetry.logs import EventLog
from lymer.telemetry.sampling_metrics import SamplingMetrics

__all__ = ["SERVICES_ASKED_MAX", "AdaptiveProvider"]

_log = EventLog(__name__)
SERVICES_ASKED_MAX: Final = 10_000
"""Services whose questions are remembered; beyond it the one not heard of for longest goes."""
_NANO: Final = 1_000_000_000


class AdaptiveProvider:
    """A `StrategyProvider`. Lives on one event loop; the store is asked on threads."""

    def __init__(
        self,
        store: SamplingStore,
        options: AdaptiveOptions,
        *,
        interval_seconds: float,
        delay_seconds: float,
        min_samples_per_second: float,
        metrics: SamplingMetrics,
    ) -> None:
        """Prepare; `start` begins.

        Args:
            store: Counts, and keeps what is computed.
            options: See `AdaptiveOptions`.
            interval_seconds: Between computations; the length of a bucket, whole seconds.
            delay_seconds: A bucket ends so long ago, so that all of it is stored.
            min_samples_per_second: Clients that can guarantee so many traces of each operation.
            metrics: Where to count.
        """
        self._store = store
        self._options = options
        self._interval_seconds = interval_seconds
        self._delay_seconds = delay_seconds
        self._metrics = metrics
        self._asked: OrderedDict[str, Asked] = OrderedDict()
        self._state = AdaptiveState()
        self._counted_upto = 0
        self._default = Strategy(
            Probabilistic(options.initial_sampling_probability),
            OperationStrategies(
                options.initial_sampling_probability,
                lower_bound_traces_per_second=min_samples_per_second,
            ),
        )
        self._strategies: Mapping[str, Strategy] = {}
        self._task: asyncio.Task[None] | None = None

    async def get_strategy(self, service: str, /) -> Strategy:
        """See `StrategyProvider.get_strategy`; never fails."""
        now = _now()
        first = self._asked.pop(service, Asked(now, now)).first
        self._asked[service] = Asked(first, now)
        if len(self._asked) > SERVICES_ASKED_MAX:
            self._asked.popitem(last=False)
        return self._strategies.get(service, self._default)

    async def start(self) -> None:
        """Go on where the last run stopped, and compute on the running event loop.

        Raises:
            StorageError: The store does not answer.
        """
        await asyncio.to_thread(self._recover)
        self._tell()
        self._task = asyncio.create_task(self._run(), name="adaptive sampling")

    async def stop(self) -> None:
        """Stop computing; idempotent."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_seconds)
            try:
                self._state = await asyncio.to_thread(self._computed, dict(self._asked))
            except StorageError as error:
                # The next bucket is longer by this one.
                self._metrics.calculation_failures.inc()
                _log.error("sampling not computed, will retry", error=error)
                continue
            self._tell()

    def _recover(self) -> None:
        """Read the last probabilities, and the buckets that came before now."""
        end = int(_now() - self._delay_seconds)
        self._counted_upto = end
        buckets = []
        for _ in range(self._options.aggregation_buckets):
            start = end - max(1, round(self._interval_seconds))
            bucket = self._bucket(start, end)
            if not bucket.throughput:
                break
            buckets.append(bucket)
            end = start
        rates = self._store.get_rates()
        now = _now()
        self._state = AdaptiveState(
            buckets=tuple(buckets),
            probabilities={(one.service, one.operation): one.probability for one in rates},
            traces_per_second={
                (one.service, one.operation): one.traces_per_second for one in rates
            },
            # When they changed is not known: now at the latest.
            changed={(one.service, one.operation): now for one in rates},
        )

    def _computed(self, asked: Mapping[str, Asked]) -> AdaptiveState:
        """Return the state after the next bucket, which is kept. Blocks."""
        end = int(_now() - self._delay_seconds)
        if end <= self._counted_upto:
            return self._state
        bucket = self._bucket(self._counted_upto, end)
        with self._metrics.calculation_seconds.time():
            state = next_state(self._state, bucket, self._options, asked, _now())
        self._store.put_rates(
            [
                OperationRate(*operation, probability, state.traces_per_second[operation])
                for operation, probability in state.probabilities.items()
            ]
        )
        self._counted_upto = end
        self._metrics.operations.inc(len(bucket.throughput))
        self._metrics.services.inc(len({service for service, _ in bucket.throughput}))
        self._metrics.operations_calculated.set(len(state.probabilities))
        return state

    def _bucket(self, start: int, end: int) -> Bucket:
        throughput: dict[Operation, Throughput] = {
            (one.service, one.operation): one for one in self._store.get_throughput(start, end)
        }
        return Bucket(start, end - start, throughput)

    def _tell(self) -> None:
        """Make strategies of the probabilities."""
        by_service: dict[str, list[OperationStrategy]] = {}
        for (service, operation), probability in sorted(self._state.probabilities.items()):
            by_service.setdefault(service, []).append(OperationStrategy(operation, probability))
        assert self._default.operations is not None
        lower_bound = self._default.operations.lower_bound_traces_per_second
        initial = self._options.initial_sampling_probability
        self._strategies = {
            service: Strategy(
                self._default.sampler,
                OperationStrategies(
                    initial, tuple(operations), lower_bound_traces_per_second=lower_bound
                ),
            )
            for service, operations in by_service.items()
        }


def _now() -> float:
    return clock.unix_nano() / _NANO
