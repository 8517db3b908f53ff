"""Adaptive sampling: from throughput to probabilities, as a pure function of one step.

::

    throughput of an interval ─▶ buckets (newest first) ─▶ sampled traces a second of each operation
        ─▶ near the target, or not obeying us?  keep the probability
        ─▶ else  probability × target ÷ seen, at most doubled, within its bounds

What is seen is of the past: clients ask once a minute, spans are counted after a delay. So a
probability is only changed when what is seen was sampled by it. Jaeger's clients say so in tags and
W3C's probability samplers in a threshold; of roots that say nothing we assume that their service
obeys what it was told, if it has asked, and once it has had the time to ask again.

Source: Jaeger 1.76, `internal/sampling/samplingstrategy/adaptive/post_aggregator.go`; reference
jaeger.md 3.3. The rules for thresholds and for roots that say nothing are ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from lymer.model.throughput import Throughput

__all__ = [
    "SNAPSHOTS_MAX",
    "AdaptiveOptions",
    "AdaptiveState",
    "Asked",
    "Bucket",
    "Operation",
    "next_state",
    "weights",
]

SNAPSHOTS_MAX: Final = 25
"""How many steps are remembered. Source: reference jaeger.md 3.3."""
_EQUAL: Final = 1e-10
_DECIMALS: Final = 6
_THRESHOLD_RELATIVE: Final = 1 / 256
"""SDKs send thresholds of at least 3 significant hex digits, so a probability is off by less."""
_INCREASE_MAX: Final = 1.0
"""+100 % in one step."""

Operation: TypeAlias = tuple[str, str]
"""Service and operation."""


@dataclass(frozen=True, slots=True)
class AdaptiveOptions:
    """See `config.sampling_settings.SamplingAdaptiveSettings`."""

    target_samples_per_second: float = 1.0
    delta_tolerance: float = 0.3
    calculation_buckets: int = 1
    aggregation_buckets: int = 10
    initial_sampling_probability: float = 0.001
    min_sampling_probability: float = 1e-5
    client_poll_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """What arrived in one interval."""

    start_unix_seconds: float
    seconds: float
    """Its length."""
    throughput: Mapping[Operation, Throughput]


@dataclass(frozen=True, slots=True)
class Asked:
    """When a service asked for its strategy, in seconds since 1970."""

    first: float
    last: float


@dataclass(frozen=True, slots=True)
class AdaptiveState:
    """What one step leaves to the next."""

    buckets: tuple[Bucket, ...] = ()
    """Newest first."""
    probabilities: Mapping[Operation, float] = field(default_factory=dict)
    traces_per_second: Mapping[Operation, float] = field(default_factory=dict)
    """Sampled ones, as they arrived; weighted by age."""
    changed: Mapping[Operation, float] = field(default_factory=dict)
    """When a probability was last changed, seconds since 1970; absent if it never was."""
    snapshots: tuple[Mapping[Operation, tuple[float, bool]], ...] = ()
    """Of the last steps, newest first: the probability before it, and whether it was obeyed."""


def weights(count: int) -> list[float]:
    """Return the weights of `count` buckets, newest first: i⁴, normalised."""
    raw = [float(index**4) for index in range(count, 0, -1)]
    total = sum(raw)
    return [weight / total for weight in raw]


def next_state(
    state: AdaptiveState,
    bucket: Bucket,
    options: AdaptiveOptions,
    asked: Mapping[str, Asked],
    now_unix_seconds: float,
) -> AdaptiveState:
    """Return the state after one more bucket.

    Args:
        state: Before it.
        bucket: The throughput of the newest interval.
        options: Target and bounds.
        asked: Service → when it asked for its strategy. Services that never did are absent.
        now_unix_seconds: When what comes out is told to clients.
    """
    bucket = _with_silent(state, bucket)
    buckets = (bucket, *state.buckets)[: options.aggregation_buckets]
    seen = {
        operation: _weighted(rates)
        for operation, rates in _rates(buckets, options.calculation_buckets).items()
    }
    snapshot: dict[Operation, tuple[float, bool]] = {}
    probabilities: dict[Operation, float] = {}
    changed: dict[Operation, float] = {}
    for operation, rate in seen.items():
        old = state.probabilities.get(operation, options.initial_sampling_probability)
        is_obeyed = _is_obeyed(old, operation, replace(state, buckets=buckets), options, asked)
        snapshot[operation] = (old, is_obeyed)
        new = _adjusted(old, rate, options) if is_obeyed else old
        probabilities[operation] = new
        if new != old:
            changed[operation] = now_unix_seconds
        elif operation in state.changed:
            changed[operation] = state.changed[operation]
    return AdaptiveState(
        buckets, probabilities, seen, changed, (snapshot, *state.snapshots)[:SNAPSHOTS_MAX]
    )


def _with_silent(state: AdaptiveState, bucket: Bucket) -> Bucket:
    """Add operations that said nothing about sampling and now send nothing: zero is seen.

    Jaeger's clients guarantee a few traces of each operation; others may sample none, and would
    keep a probability that is too low for ever.
    """
    if not state.buckets:
        return bucket
    silent = {
        operation: Throughput(*operation, 0, unmarked=True)
        for operation, before in state.buckets[0].throughput.items()
        if before.unmarked
        and operation not in bucket.throughput
        and state.probabilities.get(operation, 1.0) < 1.0
    }
    return replace(bucket, throughput={**bucket.throughput, **silent})


def _rates(buckets: Sequence[Bucket], count: int) -> dict[Operation, list[float]]:
    """Return traces a second of each operation in the newest `count` buckets that have it."""
    rates: dict[Operation, list[float]] = {}
    for bucket in buckets:
        for operation, throughput in bucket.throughput.items():
            found = rates.setdefault(operation, [])
            if len(found) < count:
                found.append(throughput.count / bucket.seconds)
    return rates


def _weighted(rates: Sequence[float]) -> float:
    return sum(rate * weight for rate, weight in zip(rates, weights(len(rates)), strict=True))


def _adjusted(old: float, rate: float, options: AdaptiveOptions) -> float:
    target = options.target_samples_per_second
    if abs(rate - target) / target < options.delta_tolerance:
        return old
    if rate < _EQUAL:
        new = old * 2.0  # so that there is something to see
    else:
        factor = target / rate
        new = old * min(factor, 1.0 + _INCREASE_MAX)
    return min(1.0, max(options.min_sampling_probability, new))


def _is_obeyed(
    probability: float,
    operation: Operation,
    state: AdaptiveState,
    options: AdaptiveOptions,
    asked: Mapping[str, Asked],
) -> bool:
    """Tell whether what is seen of an operation was sampled by `probability`."""
    latest = state.buckets[0]
    throughput = latest.throughput.get(operation)
    is_initial = abs(probability - options.initial_sampling_probability) < _EQUAL
    if throughput is None:
        # Nothing came in this interval: as it was in the one before.
        before = state.snapshots[0].get(operation) if state.snapshots else None
        was_initial = before is None or (
            abs(before[0] - options.initial_sampling_probability) < _EQUAL
        )
        return is_initial or (before is not None and before[1] and not was_initial)
    marked = throughput.probabilities or throughput.thresholds
    if throughput.unmarked and not marked:
        return _has_been_told(operation, state, latest, options, asked)
    if is_initial:
        # Seen for the first time: if it is wrong, it shows the next time.
        return True
    if round(probability, _DECIMALS) in throughput.probabilities:
        return True
    return any(
        abs(probability - one) <= probability * _THRESHOLD_RELATIVE + 10**-_DECIMALS
        for one in throughput.thresholds
    )


def _has_been_told(
    operation: Operation,
    state: AdaptiveState,
    latest: Bucket,
    options: AdaptiveOptions,
    asked: Mapping[str, Asked],
) -> bool:
    """Tell whether a service had asked, and asked again, before the newest bucket began."""
    service = asked.get(operation[0])
    if service is None:
        return False
    begin = latest.start_unix_seconds
    poll = options.client_poll_seconds
    is_asking = service.first <= begin and service.last >= begin - 2 * poll
    return is_asking and state.changed.get(operation, 0.0) + poll <= begin
