"""Which place explains an anomaly: the local signals that rose, likeliest first; and a plain rule.

Waiting and errors travel up the calls, so neither counts where it only passes: a span's own time,
the deepest failing span, a call made more often. Among places that rose together the one that
explains most is named once, at the level (host, version, operation, service) that holds most of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lymer.analysis.scan import Window, log_likelihood_ratio, scan
from lymer.analysis.signals import BINS, Place, Signals, bins_of, edges_of, measure
from lymer.analysis.span_frame import Floats, Ints, SpanFrame

__all__ = ["RATIO_MIN", "Candidate", "Causes", "find_causes"]

RATIO_MIN: Final = 16.0
"""Log likelihood ratio above which a rise is none of chance: exp(-16) times some 10^4 independent
windows of signals is below one false alarm in five hundred quiet periods."""
_WEAK: Final = 3.0
"""Likewise once it is known that something went wrong: what else rose then is worth a look."""
_BASELINE_MIN: Final = 0.1
"""Spans before a window as a part of those in it; of fewer nothing usual is learned."""
_UNKNOWN_MAX: Final = 20
"""Candidates where nothing is known of what is usual."""
_BINS_MIN: Final = 3
_LONGEST: Final = 0.6
_LASTING: Final = 0.8
"""Longest window, as a part of the range; and of one that lasts until the end. (What began with the
range and ended is more likely what is usual.)"""
_LENGTHS: Final = (3, 6, 10)
_PIECES_MIN: Final = 5
_NEARLY: Final = 0.7
"""A narrower place that holds this part of a wider one's surplus is what is meant."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place, and what happened more often there in the window than outside."""

    place: Place
    score: float
    """The ratio, by how large a part this is of all that came beyond what is usual."""
    ratio: float
    """Log likelihood ratio: how much likelier a change is than chance; below `RATIO_MIN` it is none
    that would be told alone, and 0 where there was nothing to compare with."""
    events: int
    chances: int
    usual: float
    """Part of the chances that are events outside of the window."""

    @property
    def surplus(self) -> float:
        """Return the events beyond what is usual."""
        return self.events - self.usual * self.chances


@dataclass(frozen=True, slots=True)
class Causes:
    """What was found in a range."""

    start_unix_nano: int
    """Window in which it went wrong; 0 and 0 where nothing did."""
    end_unix_nano: int
    candidates: list[Candidate]
    """Best first."""
    by_rule: list[tuple[str, str | None]]
    """(service, operation) by the plain rule, best first: the deepest new error, else the largest
    growth of self time."""


def find_causes(
    frame: SpanFrame,
    begin: int,
    end: int,
    *,
    window: tuple[int, int] | None = None,
    ratio_min: float = RATIO_MIN,
) -> Causes:
    """Find when something went wrong and rank where it may have begun.

    Args:
        frame: Spans that started in [begin, end).
        begin: Nanoseconds since the epoch.
        end: Likewise.
        window: When it went wrong, if that is known.
        ratio_min: Below it a rise counts as chance.
    """
    edges = edges_of(frame.table.start, begin, end, window)
    bins = bins_of(frame.table.start, edges)
    signals = measure(frame, bins)
    if window is None:
        windows = scan(
            signals.events,
            signals.chances,
            bins_min=_BINS_MIN,
            bins_max=int(BINS * _LONGEST),
            lasting_max=int(BINS * _LASTING),
        )
        windows = _over_dispersed(signals, windows)
        best = max(windows, key=lambda one: one.ratio, default=Window(0, 0, 0.0))
        if best.ratio < ratio_min:
            return Causes(0, 0, [], [])
        first, last = _common(windows, best, ratio_min)
    else:
        first = max(0, int(np.searchsorted(edges, window[0], side="right")) - 1)
        last = min(BINS, max(first + 1, int(np.searchsorted(edges, window[1], side="left"))))
        before = int((bins < first).sum())
        if before < _BASELINE_MIN * int(((bins >= first) & (bins < last)).sum()):
            return _without_baseline(frame, bins, (first, last), edges)
        # What comes after may belong to it: usual is what was before.
        signals = Signals(
            signals.places,
            *(one[:, :last] for one in (signals.events, signals.chances, signals.times)),
        )
    ranked = _ranked(signals, first, last, min(ratio_min, _WEAK))
    return Causes(
        int(edges[first]), min(end, int(edges[last])), ranked, _by_rule(frame, bins, first, last)
    )


def _without_baseline(frame: SpanFrame, bins: Ints, window: tuple[int, int], edges: Ints) -> Causes:
    """Rank where nothing is known of what is usual: where errors begin, and where time is spent.

    The time of a way between two services counts for the one that is called.
    """
    first, last = window
    during = (bins >= first) & (bins < last)
    operation, count = frame.table.operation, len(frame.table.operations)
    spans = np.bincount(operation[during], minlength=count)
    thrown = np.bincount(operation[during & frame.throws], minlength=count)
    works = during & ~frame.is_answered
    own = np.bincount(operation[works], frame.self_time[works].astype(float), count)
    ways = during & (frame.network >= 0)
    own += np.bincount(operation[ways], frame.network[ways].astype(float), count)
    candidates = []
    for what, events, values in (("error", thrown, thrown), ("slow", spans, own)):
        whole = float(values.sum()) or 1.0
        candidates += [
            Candidate(
                Place(what, *frame.table.operations[at]), float(values[at]) / whole, 0.0,
                int(events[at]), int(spans[at]), 0.0,
            )
            for at in np.flatnonzero(values > 0).tolist()
        ]  # fmt: skip
    candidates.sort(key=lambda one: -one.score)
    return Causes(
        int(edges[first]), int(edges[last]), candidates[:_UNKNOWN_MAX],
        _by_rule(frame, bins, first, last),
    )  # fmt: skip


def _over_dispersed(signals: Signals, windows: Sequence[Window]) -> list[Window]:
    """Divide by how much more a signal varies from bin to bin than chance would have it."""
    return [
        Window(one.first, one.end, one.ratio / _dispersion(signals, row, one.first, one.end))
        for row, one in enumerate(windows)
    ]


def _dispersion(signals: Signals, row: int, first: int, end: int) -> float:
    """Return variance over expectation outside of a window, at least 1."""
    outside = np.ones(signals.events.shape[1], dtype=bool)
    outside[first:end] = False
    chances = signals.chances[row][outside].astype(float)
    events = signals.events[row][outside].astype(float)
    total = chances.sum()
    if total == 0 or events.sum() == 0:
        return 1.0
    rate = events.sum() / total
    # At several lengths, since what drifts slowly looks calm from one bin to the next.
    return max(1.0, *(_spread(events, chances * rate, rate, length) for length in _LENGTHS))


def _spread(events: Floats, expected: Floats, rate: float, length: int) -> float:
    """Return variance over expectation of pieces of `length` bins; 1 where there are too few."""
    usable = len(expected) // length * length
    if usable < _PIECES_MIN * length:
        return 1.0
    expected = expected[:usable].reshape(-1, length).sum(axis=1)
    events = events[:usable].reshape(-1, length).sum(axis=1)
    expectation = np.maximum(expected * max(1 - rate, 0.01), 0.5)
    return float(((events - expected) ** 2 / expectation).mean())


def _common(windows: Sequence[Window], best: Window, ratio_min: float) -> tuple[int, int]:
    """Return the window of what rose together with the best: the weighted middle of each end."""
    near = [
        one
        for one in windows
        if one.ratio >= max(ratio_min, best.ratio / 4)
        and min(one.end, best.end) - max(one.first, best.first) > 0.5 * (best.end - best.first)
    ]
    weight = [one.ratio for one in near]
    return (
        round(float(np.average([one.first for one in near], weights=weight))),
        round(float(np.average([one.end for one in near], weights=weight))),
    )


def _ranked(signals: Signals, first: int, last: int, ratio_min: float) -> list[Candidate]:
    inside = signals.events[:, first:last].sum(axis=1).astype(float)
    of = signals.chances[:, first:last].sum(axis=1).astype(float)
    total = signals.events.sum(axis=1).astype(float)
    total_of = signals.chances.sum(axis=1).astype(float)
    ratio = log_likelihood_ratio(inside, of, total, total_of)
    share = _shares(signals, first, last)
    found: dict[Place, Candidate] = {}
    for row in np.flatnonzero(ratio >= ratio_min).tolist():
        sure = float(ratio[row]) / _dispersion(signals, row, first, last)
        if sure < ratio_min:
            continue
        usual = (total[row] - inside[row]) / max(total_of[row] - of[row], 1.0)
        one = Candidate(
            signals.places[row], sure * float(share[row]), sure, int(inside[row]), int(of[row]),
            float(usual),
        )  # fmt: skip
        before = found.get(one.place)
        if before is None or before.score < one.score:
            found[one.place] = one
    # What is surely none of chance comes before what may be, however much that would explain.
    return _folded(sorted(found.values(), key=lambda one: (one.ratio < RATIO_MIN, -one.score)))


_COUNTED: Final = frozenset({"slow", "error", "queue", "calls"})
"""What operations are counted for one by one, so that their sum is all of it."""


def _shares(signals: Signals, first: int, last: int) -> Floats:
    """Return each signal's part of the time, or of the errors, beyond what is usual in a window."""
    inside = signals.chances[:, first:last].sum(axis=1)
    outside = np.maximum(signals.chances.sum(axis=1) - inside, 1.0)
    shares = np.zeros(len(signals.places))
    for values, counts in (
        (signals.times, [one.what != "error" for one in signals.places]),
        (signals.events, [one.what == "error" for one in signals.places]),
    ):
        mine = np.array(counts, dtype=bool)
        within = values[:, first:last].sum(axis=1)
        surplus = np.maximum(within - (values.sum(axis=1) - within) / outside * inside, 0.0)
        largest: dict[Place, float] = {}
        for row in np.flatnonzero(mine).tolist():
            one = signals.places[row]
            if one.what in _COUNTED and one.operation is not None and one.key is None:
                largest[one] = float(surplus[row])
            elif one.what == "network":
                largest[one] = float(surplus[row]) / 2  # both ends have it
        whole = sum(largest.values())
        if whole > 0:
            shares[mine] = np.minimum(surplus[mine] / whole, 1.0)
    return shares


def _folded(candidates: list[Candidate]) -> list[Candidate]:
    """Keep of nested places (an operation, its service, that on a host) the one that says most.

    A narrower place that holds nearly all of a wider one's surplus is what is meant, though the
    wider one, with more spans in it, may be the less likely chance.
    """
    kept: list[Candidate] = []
    for one in candidates:
        if any(_is_same(one.place, other.place) for other in kept):
            continue
        narrower = [
            other
            for other in candidates
            if _is_inside(other.place, one.place) and other.surplus >= _NEARLY * one.surplus
        ]
        kept.append(max(narrower, key=lambda other: other.score, default=one))
    return kept


def _is_inside(one: Place, other: Place) -> bool:
    return (
        other.operation is None
        and other.key is None
        and one.service == other.service
        and one.what == other.what
        and (one.operation is not None or one.key is not None)
    )


def _is_same(one: Place, other: Place) -> bool:
    return one.service == other.service and (
        one.operation == other.operation or one.operation is None or other.operation is None
    )


def _by_rule(frame: SpanFrame, bins: Ints, first: int, last: int) -> list[tuple[str, str | None]]:
    """Rank by a plain rule: operations whose deepest errors are new, then growth of self time."""
    during = (bins >= first) & (bins < last)
    operation, count = frame.table.operation, len(frame.table.operations)

    def per_span(values: Floats, rows: Floats) -> Floats:
        return values / np.maximum(rows, 1)

    spans = [np.bincount(operation[m], minlength=count).astype(float) for m in (during, ~during)]
    own = [
        per_span(
            np.bincount(operation[m], frame.self_time[m].astype(float), count).astype(float), n
        )
        for m, n in zip((during, ~during), spans, strict=True)
    ]
    errors = [
        per_span(np.bincount(operation[m & frame.throws], minlength=count).astype(float), n)
        for m, n in zip((during, ~during), spans, strict=True)
    ]
    is_new = (errors[0] > 2 * errors[1] + 0.01) & (spans[0] >= 20)
    growth = (own[0] - own[1]) * spans[0]
    order = np.lexsort((-growth, -np.where(is_new, errors[0], 0)))
    return [frame.table.operations[int(one)] for one in order[:20]]
