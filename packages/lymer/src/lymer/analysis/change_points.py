"""When a series jumps: change points of many series at once.

Binary segmentation with the CUSUM statistic: the split that most reduces the squared error, then
the same in both halves. Source: L. Vostrikova, "Detecting disorder in multidimensional random
processes" (1981); the threshold sigma sqrt(2 log n) times a constant and the noise from differences
(median absolute deviation) are those of P. Fryzlewicz, "Wild binary segmentation", Annals of
Statistics 42 (2014), sections 3 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from lymer.analysis.span_frame import Floats, Masks

__all__ = ["Jump", "jumps"]

_THRESHOLD: Final = 1.6
"""Times sigma sqrt(2 log n); above 1, since minutes of a service are not wholly independent."""
_POINTS_MIN: Final = 3
"""Shortest piece, points."""
_JUMPS_MAX: Final = 20
"""Of one series."""
_MAD_TO_SIGMA: Final = 1.4826
_SIGMA_MIN: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Jump:
    """A series changes its level."""

    series: int
    at: int
    """First point of the new level."""
    before: float
    """Mean of the piece before, in the series' own scale."""
    after: float
    strength: float
    """CUSUM over its threshold; above 1."""


def jumps(series: Floats, known: Masks | None = None) -> list[Jump]:
    """Return the jumps of each row, in the order of rows and points.

    Args:
        series: Series by points; take logarithms of what grows by factors.
        known: Which points have a value; others are taken as the last one before.
    """
    values = _filled(np.asarray(series, dtype=float), known)
    count, length = values.shape
    if length < 2 * _POINTS_MIN or not count:
        return []
    sigma = _noise(values)
    limit = _THRESHOLD * sigma * np.sqrt(2 * np.log(length))
    first, strength, split = _splits(values, limit)
    found: list[Jump] = []
    for row in np.flatnonzero(first):
        found += _of_one(values[row], int(row), float(limit[row]), int(split[row]))
    del strength
    return found


def _of_one(values: Floats, row: int, limit: float, split: int) -> list[Jump]:
    ends = [0, len(values)]
    strengths = {split: _cusum(values)[split - 1] / limit}
    waiting = [(0, split), (split, len(values))]
    ends.append(split)
    while waiting and len(strengths) < _JUMPS_MAX:
        first, end = waiting.pop()
        if end - first < 2 * _POINTS_MIN:
            continue
        cusum = _cusum(values[first:end])
        usable = cusum[_POINTS_MIN - 1 : len(cusum) - _POINTS_MIN + 1]
        best = int(usable.argmax()) + _POINTS_MIN
        if usable.max() <= limit:
            continue
        ends.append(first + best)
        strengths[first + best] = float(usable.max()) / limit
        waiting += [(first, first + best), (first + best, end)]
    ends.sort()
    return [
        Jump(
            row,
            at,
            float(values[before:at].mean()),
            float(values[at:after].mean()),
            float(strengths[at]),
        )
        for before, at, after in zip(ends, ends[1:-1], ends[2:], strict=False)
    ]


def _splits(values: Floats, limit: Floats) -> tuple[Masks, Floats, np.ndarray]:
    """Return of each row whether it splits at all, how clearly and where; all rows at once."""
    cusum = _cusum(values)
    usable = cusum[:, _POINTS_MIN - 1 : cusum.shape[1] - _POINTS_MIN + 1]
    best = usable.max(axis=1)
    return best > limit, best / limit, usable.argmax(axis=1) + _POINTS_MIN


def _cusum(values: Floats) -> Floats:
    """Return of each split how far the means of both sides lie apart, in units of their noise."""
    length = values.shape[-1]
    left = np.arange(1, length)
    sums = np.cumsum(values, axis=-1)
    total = sums[..., -1:]
    before = sums[..., :-1]
    weight = np.sqrt((length - left) / (length * left)), np.sqrt(left / (length * (length - left)))
    return np.asarray(np.abs(weight[0] * before - weight[1] * (total - before)))


def _noise(values: Floats) -> Floats:
    """Return the standard deviation of each row's noise, from differences: levels do not matter."""
    change = np.diff(values, axis=1)
    middle = np.median(np.abs(change - np.median(change, axis=1, keepdims=True)), axis=1)
    robust = _MAD_TO_SIGMA * middle / np.sqrt(2)
    # Counts that are mostly equal have no median deviation; their plain one is a bound.
    plain = change.std(axis=1) / np.sqrt(2)
    return np.asarray(np.maximum(np.where(robust > 0, robust, plain), _SIGMA_MIN))


def _filled(values: Floats, known: Masks | None) -> Floats:
    if known is None:
        return values
    place = np.where(known, np.arange(values.shape[1]), -1)
    last = np.maximum.accumulate(place, axis=1)
    first = np.where(known.any(axis=1), known.argmax(axis=1), 0)
    source = np.where(last >= 0, last, first[:, None])
    return np.asarray(np.take_along_axis(values, source, axis=1))
