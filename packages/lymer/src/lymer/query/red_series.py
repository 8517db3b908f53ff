"""Rate, errors and duration as series of points, from counts per slot of time. Pure.

The counts of a slot are taken as spread evenly over it, so a window that begins inside a slot gets
its share. A point looks back over a window as PromQL's `rate` does: calls per second of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lymer.errors import QuestionError
from lymer.model.question import RedSlot

__all__ = ["POINTS_MAX", "RedQuestion", "RedSeries", "points_of"]

POINTS_MAX: Final = 11_000
"""Most points of a series, as Prometheus has it."""

_MS_PER_MINUTE: Final = 60_000
_BUCKETS_PER_OCTAVE: Final = 8
_NANO_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class RedQuestion:
    """Which series, and at which instants; times in milliseconds."""

    services: tuple[str, ...]
    span_kinds: tuple[str, ...]
    by_operation: bool
    end_ms: int
    lookback_ms: int
    step_ms: int
    rate_per_ms: int

    def check(self) -> None:
        """Refuse what has no answer.

        Raises:
            QuestionError: A length of time is not positive, or there are too many points.
        """
        for name, value in (
            ("lookback", self.lookback_ms), ("step", self.step_ms), ("ratePer", self.rate_per_ms)
        ):  # fmt: skip
            if value <= 0:
                raise QuestionError(f"unable to parse param '{name}': it must be greater than 0")
        if self.lookback_ms // self.step_ms >= POINTS_MAX:
            raise QuestionError(
                f"cannot answer: lookback and step ask for {self.lookback_ms // self.step_ms + 1} "
                f"points of each series, the limit is {POINTS_MAX}"
            )

    @property
    def slot_minutes(self) -> int:
        """Whole minutes that are counted together without a visible loss."""
        return max(min(self.step_ms, self.rate_per_ms) // _MS_PER_MINUTE, 1)

    @property
    def instants_ms(self) -> range:
        """When there are points."""
        return range(self.end_ms - self.lookback_ms, self.end_ms + 1, self.step_ms)


@dataclass(frozen=True, slots=True)
class RedSeries:
    """Points of one service, or of one of its operations."""

    service: str
    operation: str
    points: tuple[tuple[int, float], ...]
    """(milliseconds since the epoch, value), in order; NaN where there is none."""


def points_of(
    question: RedQuestion, slots: Sequence[RedSlot], what: str, quantile: float = 0.0
) -> list[RedSeries]:
    """Return one series per service, or per operation, sorted.

    Args:
        question: Checked.
        slots: What was counted, from `rate_per_ms` before the first instant on.
        what: `latencies` (milliseconds), `calls` (per second) or `errors` (share of the calls).
        quantile: Of latencies, above 0 and at most 1.
    """
    value = {
        "latencies": lambda window: _quantile_ms(window, quantile),
        "calls": lambda window: _calls(window) * 1_000 / question.rate_per_ms,
        "errors": _error_share,
    }[what]
    groups: dict[tuple[str, str], list[RedSlot]] = {}
    for slot in slots:
        groups.setdefault((slot.service, slot.operation), []).append(slot)
    return [RedSeries(*key, tuple(_points(question, groups[key], value))) for key in sorted(groups)]


_Window = list[tuple[float, RedSlot]]
"""Slots and how much of each lies in the window."""


def _points(
    question: RedQuestion, slots: list[RedSlot], value: Callable[[_Window], float]
) -> Iterable[tuple[int, float]]:
    """Yield the points from the first one that saw a call."""
    slots.sort(key=lambda slot: slot.minute)
    size = question.slot_minutes * _MS_PER_MINUTE
    first = 0
    for instant in question.instants_ms:
        begin = instant - question.rate_per_ms
        while first < len(slots) and slots[first].minute * _MS_PER_MINUTE + size <= begin:
            first += 1
        window = []
        for place in range(first, len(slots)):
            slot = slots[place]
            start = slot.minute * _MS_PER_MINUTE
            if start >= instant:
                break
            share = (min(start + size, instant) - max(start, begin)) / size
            window.append((share, slot))
        if window or first:
            yield instant, value(window)


def _calls(window: _Window) -> float:
    return sum(share * slot.call_count for share, slot in window)


def _error_share(window: _Window) -> float:
    calls = _calls(window)
    errors = sum(share * slot.error_count for share, slot in window)
    return errors / calls if calls else math.nan


def _quantile_ms(window: _Window, quantile: float) -> float:
    """Return the duration below which this share of the calls stays, by their buckets.

    Bucket b holds durations d with floor(8 log2(d + 1)) = b; inside of it they are taken as evenly
    spread.
    """
    buckets: dict[int, float] = {}
    for share, slot in window:
        for bucket, count in slot.buckets:
            buckets[bucket] = buckets.get(bucket, 0.0) + share * count
    wanted = quantile * sum(buckets.values())
    if not buckets or wanted <= 0:
        return math.nan
    seen = 0.0
    for bucket in sorted(buckets):
        if seen + buckets[bucket] >= wanted:
            break
        seen += buckets[bucket]
    low = 2 ** (bucket / _BUCKETS_PER_OCTAVE) - 1
    high = 2 ** ((bucket + 1) / _BUCKETS_PER_OCTAVE) - 1
    inside = min((wanted - seen) / buckets[bucket], 1.0)
    return (low + (high - low) * inside) / _NANO_PER_MS
