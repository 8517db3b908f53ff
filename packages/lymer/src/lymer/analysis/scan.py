"""The stretch of time in which something happens more often than at other times.

A scan statistic: of all windows the one whose rate, against the rate outside, is the least likely
to be chance. Source: M. Kulldorff, "A spatial scan statistic", Communications in Statistics 26
(1997), section 3, the Bernoulli model, one-sided; windows on a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from lymer.analysis.span_frame import Floats

__all__ = ["Window", "log_likelihood_ratio", "scan"]

_CELLS_MAX: Final = 4_000_000
"""Windows times signals held at once: 32 MB for each column of numbers."""


@dataclass(frozen=True, slots=True)
class Window:
    """The likeliest window of one signal."""

    first: int
    """First bin in it."""
    end: int
    """First bin behind it."""
    ratio: float
    """Logarithm of the likelihood ratio, at least 0."""


def log_likelihood_ratio(inside: Floats, of: Floats, total: Floats, total_of: Floats) -> Floats:
    """Return how much likelier two rates are than one; 0 where the rate inside is not higher.

    Args:
        inside: Events in the window.
        of: Chances in the window.
        total: Events altogether.
        total_of: Chances altogether.
    """
    outside, outside_of = total - inside, total_of - of
    is_higher = (inside * outside_of > outside * of) & (of > 0) & (outside_of > 0)
    value = _entropy(inside, of) + _entropy(outside, outside_of) - _entropy(total, total_of)
    return np.where(is_higher, np.maximum(value, 0.0), 0.0)


def scan(
    events: Floats, chances: Floats, *, bins_min: int, bins_max: int, lasting_max: int = 0
) -> list[Window]:
    """Return the likeliest window of each signal.

    Args:
        events: Signals by bins: how often it happened.
        chances: Likewise: how often it could have; at least `events`.
        bins_min: Shortest window.
        bins_max: Longest window; what is usual must be seen outside of it.
        lasting_max: Likewise of windows that last until the end, if they may be longer.
    """
    signals, bins = events.shape
    first, end = np.triu_indices(bins + 1, k=bins_min)
    fits = end - first <= np.where(end == bins, max(bins_max, lasting_max), bins_max)
    first, end = first[fits], end[fits]
    if not len(first):
        return [Window(0, 0, 0.0)] * signals
    found = []
    step = max(1, _CELLS_MAX // len(first))
    for at in range(0, signals, step):
        hit = _sums(events[at : at + step])
        could = _sums(chances[at : at + step])
        ratio = log_likelihood_ratio(
            hit[:, end] - hit[:, first],
            could[:, end] - could[:, first],
            hit[:, -1:],
            could[:, -1:],
        )
        best = ratio.argmax(axis=1)
        found += [
            Window(int(first[one]), int(end[one]), float(ratio[row, one]))
            for row, one in enumerate(best)
        ]
    return found


def _sums(counts: Floats) -> Floats:
    sums = np.zeros((len(counts), counts.shape[1] + 1))
    np.cumsum(counts, axis=1, out=sums[:, 1:])
    return sums


def _entropy(events: Floats, of: Floats) -> Floats:
    """Return the likelihood of a rate at its best: e log(e/n) + (n-e) log(1-e/n)."""
    rest = np.maximum(of - events, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = np.where(events > 0, events * np.log(events / of), 0.0)
        missed = np.where(rest > 0, rest * np.log(rest / of), 0.0)
    return hit + missed
