"""Throughput: how many traces of an operation arrive, and how likely each was to be sampled."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["OperationRate", "Throughput", "merge_throughput"]


@dataclass(frozen=True, slots=True)
class Throughput:
    """The root spans of one operation that arrived in a span of time.

    A root span says how it was sampled in the tags `sampler.type` and `sampler.param` (Jaeger's
    clients, OpenTelemetry Go), or in the threshold `ot=th:` of its trace state (W3C probability
    sampling), or not at all (most OpenTelemetry SDKs).
    """

    service: str
    operation: str
    count: int
    """Those sampled by a probability, or that do not say how."""
    probabilities: frozenset[float] = frozenset()
    """Probabilities named in tags, with 6 decimals; also of spans that are not counted, because
    another sampler than the probabilistic one chose them."""
    thresholds: frozenset[float] = frozenset()
    """Probabilities that follow from thresholds, with 6 decimals; SDKs round what they were told
    to a few binary digits."""
    unmarked: bool = False
    """Whether there were some that do not say how they were sampled."""


@dataclass(frozen=True, slots=True)
class OperationRate:
    """What was computed for one operation."""

    service: str
    operation: str
    probability: float
    """0 to 1."""
    traces_per_second: float
    """Sampled ones, as they arrived."""


def merge_throughput(parts: Iterable[Iterable[Throughput]]) -> list[Throughput]:
    """Return one entry for each operation of any part, sorted by service and operation."""
    merged: dict[tuple[str, str], Throughput] = {}
    for part in parts:
        for one in part:
            key = (one.service, one.operation)
            other = merged.get(key)
            merged[key] = one if other is None else _sum(one, other)
    return [merged[key] for key in sorted(merged)]


def _sum(one: Throughput, other: Throughput) -> Throughput:
    return Throughput(
        one.service,
        one.operation,
        one.count + other.count,
        one.probabilities | other.probabilities,
        one.thresholds | other.thresholds,
        one.unmarked or other.unmarked,
    )
