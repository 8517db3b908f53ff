"""Percentiles and their like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Spread", "count_of", "spread_of"]

_UNITS = {"k": 1_000, "m": 1_000_000}


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


def count_of(text: str) -> int:
    """Return the number that a text such as 200k, 1m or 5000 stands for."""
    number, unit = (text[:-1], _UNITS[text[-1].lower()]) if text[-1].isalpha() else (text, 1)
    return round(float(number) * unit)
