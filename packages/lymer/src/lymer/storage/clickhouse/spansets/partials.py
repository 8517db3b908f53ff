"""What was counted and measured for each interval and label, and what becomes of it; pure.

Source: Grafana Tempo, `pkg/traceql/engine_metrics.go`, `ast_metrics.go`.
"""

from __future__ import annotations

import math
import operator as operators
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from lymer.language import tree
from lymer.storage.search_contract import Exemplar, SeriesQuestion, TypedValue

__all__ = [
    "SHARES",
    "Grid",
    "Labels",
    "Partial",
    "Values",
    "calculated",
    "finished",
    "merged",
    "share",
    "staged",
]

Labels = tuple[tuple[str, TypedValue | None], ...]
Values = list[float | None]
"""One for each interval; None where nothing was measured."""

SHARES: Final = 1024
"""A span that stands for itself has so many shares in a quantile."""
_COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}


@dataclass(frozen=True, slots=True)
class Grid:
    """The intervals of a question."""

    start: int
    """Unix nanoseconds."""
    step: int
    count: int
    is_instant: bool = False

    @classmethod
    def of(cls, question: SeriesQuestion) -> Grid:
        """Return the intervals, widened to whole steps."""
        start, end, step = question.start_unix_nano, question.end_unix_nano, question.step_nano
        if step <= 0:
            return cls(start, max(end - start, 1), 1, is_instant=True)
        first, last = start // step * step, -(-end // step) * step
        return cls(first, step, max((last - first) // step, 0))

    @property
    def end(self) -> int:
        """The last instant."""
        return self.start + self.step * self.count

    def interval(self, instant: int) -> int:
        """Return the interval of an instant; -1 if it has none."""
        if self.is_instant:
            return 0 if self.start <= instant <= self.end else -1
        place = (instant - self.start - 1) // self.step
        return place if 0 <= place < self.count else -1

    def milli(self, interval: int) -> int:
        """Return where an interval's value stands, Unix milliseconds."""
        return (self.start + (interval + 1) * self.step) // 1_000_000


@dataclass(slots=True)
class Partial:
    """What was found in one interval of one series; all but `least` and `most` by weight."""

    spans: float = 0.0
    measured: float = 0.0
    total: float = 0.0
    least: float = math.inf
    most: float = -math.inf
    numbers: list[tuple[float, int]] = field(default_factory=list)
    """All that was measured and its `share`, where quantiles are asked for, sorted."""
    quantiles: list[float] = field(default_factory=list)
    """The quantiles asked for, where the engine found them."""
    buckets: dict[float, float] = field(default_factory=dict)
    """Upper bound to count, where a histogram is."""
    exemplar: Exemplar | None = None


def share(weight: float) -> int:
    """Return a weight as quantiles count it: whole numbers."""
    return round(weight * SHARES)


def finished(
    query: tree.MetricsQuery, partials: Mapping[Labels, Mapping[int, Partial]], grid: Grid
) -> dict[Labels, Values]:
    """Return the series of a metrics function."""
    found: dict[Labels, Values] = {}
    for labels, by_interval in partials.items():
        for more, values in _values_of(query, by_interval, grid):
            found[labels + more] = values
    return found


def _values_of(
    query: tree.MetricsQuery, by_interval: Mapping[int, Partial], grid: Grid
) -> list[tuple[Labels, Values]]:
    match query.function:
        case "quantile_over_time":
            return [
                (
                    (("p", ("float", quantile)),),
                    _each(by_interval, grid, _quantile(place, quantile), None),
                )
                for place, quantile in enumerate(query.quantiles)
            ]
        case "histogram_over_time":
            bounds = sorted({bound for one in by_interval.values() for bound in one.buckets})
            return [
                ((("__bucket", ("float", bound)),), _each(by_interval, grid, _bucket(bound), 0.0))
                for bound in bounds
            ]
        case "rate":
            seconds = grid.step / 1e9
            return [((), _each(by_interval, grid, lambda one: one.spans / seconds, 0.0))]
        case name:
            measure, nothing = _MEASURES[name]
            values = _each(by_interval, grid, measure, nothing)
            return [((), values)] if any(one is not None for one in values) else []


def _each(
    by_interval: Mapping[int, Partial],
    grid: Grid,
    measure: Callable[[Partial], float | None],
    nothing: float | None,
) -> Values:
    return [
        measure(by_interval[place]) if place in by_interval else nothing
        for place in range(grid.count)
    ]


def _quantile(place: int, quantile: float) -> Callable[[Partial], float | None]:
    """The engine's rule, too: the least number such that more than `quantile` is not above it."""

    def measure(one: Partial) -> float | None:
        if one.quantiles:
            return one.quantiles[place]
        wanted = quantile * sum(share for _, share in one.numbers)
        seen = 0
        for number, share in one.numbers:
            seen += share
            if seen > wanted:
                return number
        return one.numbers[-1][0] if one.numbers else None

    return measure


def _bucket(bound: float) -> Callable[[Partial], float]:
    return lambda one: float(one.buckets.get(bound, 0))


_MEASURES: Final[dict[str, tuple[Callable[[Partial], float | None], float | None]]] = {
    "count_over_time": (lambda one: float(one.spans), 0.0),
    "sum_over_time": (lambda one: one.total if one.measured else None, None),
    "avg_over_time": (lambda one: one.total / one.measured if one.measured else None, None),
    "min_over_time": (lambda one: one.least if one.measured else None, None),
    "max_over_time": (lambda one: one.most if one.measured else None, None),
}


def staged(series: dict[Labels, Values], stage: tree.SecondStage) -> dict[Labels, Values]:
    """Return series after `topk`, `bottomk` or a comparison."""
    kept: dict[Labels, Values] = {}
    match stage:
        case tree.Threshold(operator, number):
            limit = float(number.value or 0)
            if number.type == "duration":
                limit /= 1e9
            holds = _COMPARE[operator]
            kept = {
                labels: [one if one is not None and holds(one, limit) else None for one in values]
                for labels, values in series.items()
            }
        case tree.Top(count, smallest):
            kept = {labels: [None] * len(values) for labels, values in series.items()}
            for place in range(max(map(len, series.values()), default=0)):
                here = [
                    (values[place] if smallest else -values[place], str(labels), labels)  # type: ignore[operator]
                    for labels, values in series.items()
                    if values[place] is not None
                ]
                for _, _, labels in sorted(here)[:count]:
                    kept[labels][place] = series[labels][place]
    return {
        labels: values for labels, values in kept.items() if any(one is not None for one in values)
    }


def calculated(
    operator: str, left: dict[Labels, Values] | float, right: dict[Labels, Values] | float
) -> dict[Labels, Values] | float:
    """Join series with the same labels, or series and a number, at each instant."""
    if isinstance(left, float) and isinstance(right, float):
        return _joined(operator, left, right) or 0.0
    if isinstance(left, float):
        assert not isinstance(right, float)
        return {
            labels: [_joined(operator, left, one) for one in values]
            for labels, values in right.items()
        }
    if isinstance(right, float):
        return {
            labels: [_joined(operator, one, right) for one in values]
            for labels, values in left.items()
        }
    # What the functions are called does not tell series apart.
    others = {_unnamed(labels): values for labels, values in right.items()}
    return {
        _unnamed(labels): [
            _joined(operator, *pair) for pair in zip(values, others[_unnamed(labels)], strict=True)
        ]
        for labels, values in left.items()
        if _unnamed(labels) in others
    }


def _unnamed(labels: Labels) -> Labels:
    return tuple(one for one in labels if one[0] != "__name__")


def _joined(operator: str, left: float | None, right: float | None) -> float | None:
    if left is None or right is None:
        return None
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case _:
            return left / right if right else None


def merged(rows: list[tuple[Labels, int, Partial]]) -> dict[Labels, dict[int, Partial]]:
    """Return the rows by labels and interval."""
    found: dict[Labels, dict[int, Partial]] = defaultdict(dict)
    for labels, interval, partial in rows:
        found[labels][interval] = partial
    return found
