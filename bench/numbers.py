"""Percentiles and their like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Spread", "spread_of"]


@dataclass(frozen=True, slots=True)
class Spread:
    """Of one kind of measurement; unit as the values had."""

    p50: float
    p99: float
    count: int
    cpu: float = 0.0
    """Processor milliseconds of the server for each, where they are known."""


def spread_of(values: Sequence[float], cpu: float = 0.0) -> Spread:
    """Return median and 99th percentile (nearest rank) of at least one value."""
    ranked = sorted(values)
    last = len(ranked) - 1
    return Spread(ranked[last // 2], ranked[min(last, int(len(ranked) * 0.99))], len(ranked), cpu)
