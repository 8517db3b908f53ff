"""What goes wrong in one place, as counts over time: slowness, errors, calls, waits of its own.

A signal belongs to a group of spans (an operation, a service, a service on one host) and counts
events among chances in bins of time. It is local: waiting for somebody else is no event, neither is
an error that came from below, so that a signal that rises names where something began.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lymer.analysis.span_frame import Floats, Ints, Masks, SpanFrame

__all__ = [
    "BINS", "Place", "Signals", "beyond_usual", "bins_of", "edges_of", "layers_of", "measure",
]  # fmt: skip

BINS: Final = 84
"""Bins of the range, so that a window is told to a hundredth of it."""
_CELLS: Final = 2_016
"""Of the range, in which it is looked for stretches without a span."""
SPANS_MIN: Final = 12
"""A group of fewer spans says nothing."""
QUANTILES: Final = (0.75, 0.9, 0.97)
"""What is usual for an operation ends there; an event is a span beyond. Three, for a little slower
of many and much slower of few."""
_WHOLE: Final = 0.95
_CALL_QUANTILES: Final = (0.5, 0.8, 0.95)
_SMOOTH: Final = 4
"""Bins before and behind one that are looked at with it for what is common."""
_COMMON_GROUPS_MIN: Final = 5
"""With fewer operations than that, none can be told from the rest."""
_LOCATIONS_MAX: Final = 200
"""Values of one key; a key with more is no place but an id."""
_LOCATION_KEYS: Final = frozenset({
    "service.version", "service.instance.id", "host.name", "host.id", "k8s.pod.name",
    "k8s.node.name", "container.id", "cloud.availability_zone", "cloud.region",
    "deployment.environment", "deployment.environment.name", "service.namespace", "hostname",
    "ip", "container.name", "k8s.cluster.name", "host.ip",
})  # fmt: skip
"""Attributes of resources that say where something runs, and as what."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose signal it is, and what it counts."""

    what: str
    """`slow`, `error`, `calls`, `network` or `queue`."""
    service: str
    operation: str | None
    """None: all of the service's."""
    key: str | None = None
    value: str | None = None
    """Of the resource, where only what has it is meant."""
    below: str = ""
    """For calls: what is called more often."""


@dataclass(frozen=True, slots=True)
class Signals:
    """One row each; columns are bins."""

    places: list[Place]
    events: Floats
    chances: Floats
    """Corrected for what all places have in common: where everything is a tenth slower, a place
    must be slower than that."""
    times: Floats
    """Nanoseconds that the chances took there, by themselves, on the way or in a queue: beyond what
    is the mean of their operation or way."""


def edges_of(
    start: Ints, begin: int, end: int, window: tuple[int, int] | None = None, bins: int = BINS
) -> Ints:
    """Return where the bins of [begin, end) begin, and where the last one ends.

    Bins are equally long but for stretches in which there is not a single span: two recordings an
    hour apart are looked at as if one followed the other. A window that is known begins and ends
    with a bin.
    """
    width = max(1, -(-(end - begin) // _CELLS))
    is_empty = np.bincount(np.clip((start - begin) // width, 0, _CELLS - 1), minlength=_CELLS) == 0
    ends = np.flatnonzero(np.diff(np.concatenate([[False], is_empty, [False]]).astype(np.int8)))
    is_cut = np.zeros(_CELLS, dtype=bool)
    for first, last in ends.reshape(-1, 2).tolist():
        is_cut[first:last] = last - first > _CELLS // bins
    if is_cut.any() and len(start):
        kept = np.flatnonzero(~is_cut)
        at = kept[np.arange(bins) * len(kept) // bins]
        edges = np.append(begin + at * width, min(end, begin + (int(kept[-1]) + 1) * width))
    else:
        edges = begin + np.arange(bins + 1) * max(1, -(-(end - begin) // bins))
    for instant in window or ():
        nearest = int(np.abs(edges - instant).argmin())
        if 0 < nearest < bins and edges[nearest - 1] < instant < edges[nearest + 1]:
            edges[nearest] = instant
    return np.asarray(edges, dtype=np.int64)


def bins_of(start: Ints, edges: Ints) -> Ints:
    """Return the bin of each instant; what lies outside is in the first or the last."""
    return np.clip(np.searchsorted(edges, start, side="right") - 1, 0, len(edges) - 2)


def measure(frame: SpanFrame, bins: Ints) -> Signals:
    """Return every signal of the frame.

    Args:
        frame: All spans of the range.
        bins: The bin of each span.
    """
    gathered = _Gathered(bins)
    _gather(frame, gathered)
    return gathered.signals()


def layers_of(frame: SpanFrame, place: Place) -> list[tuple[Masks, Masks]]:
    """Return what a place's signals count: (events, chances) each, as masks over spans."""
    watched = _Watched(place, len(frame))
    _gather(frame, watched, place.what)
    return watched.layers


def _gather(frame: SpanFrame, gathered: _Gathered, what: str = "") -> None:
    """Add every signal, or those of one kind."""
    if what in {"", "network"}:
        _network(frame, gathered)
    if what in {"", "calls"}:
        _calls(frame, gathered)
    if what in {"", "slow", "error", "queue"}:
        _own(frame, gathered)


def _own(frame: SpanFrame, gathered: _Gathered) -> None:
    # What a client waits for its server is the way between both, which counts for itself.
    own = np.where(frame.is_answered, -1, frame.self_time)
    slow = beyond_usual(own, frame.table.operation)
    took = _beyond_mean(own, frame.table.operation)
    queued = _beyond_mean(frame.queued, frame.table.operation)
    everyone = np.ones(len(frame), dtype=bool)
    common = [
        gathered.common(len(frame.table.operations), frame.table.operation, mask, everyone)
        for mask in slow
    ]
    # A rise of several operations of one process is one thing: groups pool what each finds unusual
    # for itself.
    for place, group, member in _groups(frame):
        every = member & (group >= 0)
        works = every & ~frame.is_answered
        for mask, factor in zip(slow, common, strict=True):
            gathered.add(place("slow"), group, mask & works, works, factor, took)
        gathered.add(place("error"), group, frame.throws & every, every)
        waits = every & (frame.queued >= 0)
        for mask in beyond_usual(frame.queued, frame.table.operation):
            gathered.add(place("queue"), group, mask & waits, waits, None, queued)


def beyond_usual(
    values: Ints, operation: Ints, quantiles: tuple[float, ...] = QUANTILES
) -> list[Masks]:
    """Return for each quantile which spans lie beyond their own operation's; -1 is no value."""
    has = np.flatnonzero(values >= 0)
    order = has[np.lexsort((values[has], operation[has]))]
    if not len(order):
        return [np.zeros(len(values), dtype=bool) for _ in quantiles]
    first = np.flatnonzero(np.append(True, np.diff(operation[order]) != 0))
    length = np.diff(np.append(first, len(order)))
    group = np.repeat(np.arange(len(first)), length)
    found = []
    for quantile in quantiles:
        limit = values[order[first + ((length - 1) * quantile).astype(np.int64)]]
        mask = np.zeros(len(values), dtype=bool)
        mask[order] = values[order] > limit[group]
        found.append(mask)
    return found


def _beyond_mean(values: Ints, group: Ints) -> Floats:
    """Return how far each value lies beyond the mean of its group, 0 where there is none (-1)."""
    has = values >= 0
    count = int(group.max(initial=-1)) + 1
    number = np.maximum(np.bincount(group[has], minlength=count), 1)
    mean = np.bincount(group[has], weights=values[has].astype(float), minlength=count) / number
    return np.where(has, values - mean[group], 0.0)


class _PlaceOf:
    """Names the group with a number."""

    def __init__(
        self, names: Sequence[tuple[str, str | None]], key: str | None, values: list[str] | None
    ) -> None:
        self._names, self._key, self._values = names, key, values

    def __call__(self, what: str) -> list[Place]:
        values: list[str | None] = [None] * len(self._names)
        if self._values is not None:
            values = list(self._values)
        return [
            Place(what, service, operation, self._key if value is not None else None, value)
            for (service, operation), value in zip(self._names, values, strict=True)
        ]


def _groups(frame: SpanFrame) -> Iterator[tuple[_PlaceOf, Ints, Masks]]:
    """Return the ways to group spans: names, the group of each span, who is meant."""
    table = frame.table
    everyone = np.ones(len(frame), dtype=bool)
    yield _PlaceOf([*table.operations], None, None), table.operation, everyone
    yield _PlaceOf([(one, None) for one in frame.services], None, None), frame.service, everyone
    attributes = table.attributes
    keys: dict[str, list[int]] = {}
    for code, (scope, key, _) in enumerate(attributes.names):
        if scope == "resource" and key in _LOCATION_KEYS:
            keys.setdefault(key, []).append(code)
    for key, codes in keys.items():
        if not 1 < len(codes) <= _LOCATIONS_MAX:
            continue
        place = np.full(len(attributes.names), -1, dtype=np.int64)
        place[codes] = np.arange(len(codes))
        value = np.full(len(frame), -1, dtype=np.int64)
        of_key = place[attributes.code] >= 0
        value[attributes.row[of_key]] = place[attributes.code[of_key]]
        both, group = np.unique(frame.service * len(codes) + value, return_inverse=True)
        # Where all of a service runs is no place within it.
        of_group = np.bincount(group)
        of_service = np.bincount(frame.service)[both // len(codes)]
        is_there = (value >= 0) & (of_group < _WHOLE * of_service)[group]
        names = [(frame.services[int(one) // len(codes)], None) for one in both]
        values = [attributes.names[codes[int(one) % len(codes)]][2] for one in both]
        yield _PlaceOf(names, key, values), group, is_there


def _network(frame: SpanFrame, gathered: _Gathered) -> None:
    """Count slow ways between services, for both ends: what hinders one shows on all its ways."""
    rows = np.flatnonzero(frame.network >= 0)
    if not len(rows):
        return
    caller, callee = frame.service[frame.parent[rows]], frame.service[rows]
    count = len(frame.services)
    way = caller * count + callee
    place = [Place("network", one, None) for one in frame.services]
    took = np.zeros(len(frame))
    took[rows] = _beyond_mean(frame.network[rows], way)
    for mask in beyond_usual(frame.network[rows], way):
        every = np.zeros(len(frame), dtype=bool)
        every[rows] = mask
        way_of = np.zeros(len(frame), dtype=np.int64)
        way_of[rows] = np.unique(way, return_inverse=True)[1]
        member = frame.network >= 0
        common = gathered.common(len(set(way.tolist())), way_of, every, member)
        for end in (callee, caller):
            events = np.zeros(len(frame), dtype=bool)
            events[rows] = mask
            group = np.full(len(frame), -1, dtype=np.int64)
            group[rows] = end
            gathered.add(place, group, events, group >= 0, common, took)


def _calls(frame: SpanFrame, gathered: _Gathered) -> None:
    """Count repeated calls: of each parent, how often it makes the same call more than is usual."""
    table = frame.table
    rows = np.flatnonzero(frame.parent >= 0)
    if not len(rows):
        return
    up = frame.parent[rows]
    operations = len(table.operations)
    pair = up * operations + table.operation[rows]
    one, at, count = np.unique(pair, return_inverse=True, return_counts=True)
    parent, below = one // operations, one % operations
    # A client span may bear the same name wherever it calls from, so who called it counts too: else
    # a change of the mix of requests would look like a change of what each of them does.
    above = frame.parent[parent]
    caller = np.where(above >= 0, table.operation[above], operations)
    context = table.operation[parent] * (operations + 1) + caller
    edge = context * operations + below
    above_all = frame.parent
    caller_all = np.where(above_all >= 0, table.operation[above_all], operations)
    context_all = table.operation * (operations + 1) + caller_all
    # A call made again since it failed says nothing about who makes it.
    is_sound = np.bincount(at, weights=table.is_error[rows]) == 0
    spent = np.bincount(at, weights=table.duration[rows].clip(0))
    repeated = beyond_usual(count.astype(np.int64), edge, _CALL_QUANTILES)
    zero = np.zeros(len(frame), dtype=np.int64)
    for number in np.unique(edge).tolist():
        here, child = divmod(number, operations)
        member = context_all == here
        if member.sum() < SPANS_MIN:
            continue
        of_edge = edge == number
        service, operation = table.operations[here // (operations + 1)]
        took = np.zeros(len(frame))
        np.add.at(took, parent[of_edge], spent[of_edge])
        place = Place("calls", service, operation, below=" ".join(table.operations[child]))
        # Repeated more often than is usual; and made at all by more than is usual, as with a cold
        # cache.
        for mask in (*repeated, np.ones(len(edge), dtype=bool)):
            events = np.zeros(len(frame), dtype=bool)
            events[parent[of_edge & mask & is_sound]] = True
            gathered.add([place], zero, events & member, member, None, took)


class _Gathered:
    def __init__(self, bins: Ints) -> None:
        self._bins = bins
        self._count = int(bins.max()) + 1 if len(bins) else 1
        self._places: list[Place] = []
        self._events: list[Floats] = []
        self._chances: list[Floats] = []
        self._times: list[Floats] = []

    def add(
        self,
        places: list[Place],
        group: Ints,
        events: Masks,
        member: Masks,
        common: Floats | None = None,
        times: Ints | Floats | None = None,
    ) -> None:
        """Count for every group that has enough spans, and any event."""
        chances = self._counted(len(places), group, member)
        hits = self._counted(len(places), group, events)
        if common is not None:
            chances = chances * common
        enough = (chances.sum(axis=1) >= SPANS_MIN) & (hits.sum(axis=1) > 0)
        self._places += [place for place, is_kept in zip(places, enough, strict=True) if is_kept]
        self._events.append(hits[enough])
        self._chances.append(chances[enough])
        took = np.zeros_like(hits)
        if times is not None:
            took = self._counted(len(places), group, member, times)
        self._times.append(took[enough])

    def signals(self) -> Signals:
        """Return what was gathered."""
        empty = np.zeros((0, self._count))
        return Signals(
            self._places,
            np.concatenate([empty, *self._events]),
            np.concatenate([empty, *self._chances]),
            np.concatenate([empty, *self._times]),
        )

    def common(self, groups: int, group: Ints, events: Masks, member: Masks) -> Floats:
        """Return for each bin by which factor events are more frequent than usual, in most groups.

        The median over groups: what goes wrong in a few places moves it little.
        """
        hits = _smooth(self._counted(groups, group, events & member))
        chances = _smooth(self._counted(groups, group, member))
        is_large = hits.sum(axis=1) >= SPANS_MIN * 4
        if is_large.sum() < _COMMON_GROUPS_MIN:
            return np.ones(self._count)
        hits, chances = hits[is_large], chances[is_large]
        usual = hits.sum(axis=1, keepdims=True) / chances.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(chances > 0, hits / (chances * usual), np.nan)
        seen = ~np.isnan(factor).all(axis=0)
        middle = np.ones(self._count)
        middle[seen] = np.nanmedian(factor[:, seen], axis=0)
        return np.asarray(np.clip(middle, 0.5, 2.0))

    def _counted(
        self, groups: int, group: Ints, rows: Masks, weights: Ints | Floats | None = None
    ) -> Floats:
        cell = group[rows] * self._count + self._bins[rows]
        weight = None if weights is None else weights[rows].astype(float)
        counted = np.bincount(cell, weights=weight, minlength=groups * self._count)
        return counted.astype(float).reshape(groups, self._count)


class _Watched(_Gathered):
    """Keeps the spans of one place instead of counting those of all."""

    def __init__(self, place: Place, spans: int) -> None:
        super().__init__(np.zeros(spans, dtype=np.int64))
        self._place = place
        self.layers: list[tuple[Masks, Masks]] = []

    def add(
        self,
        places: list[Place],
        group: Ints,
        events: Masks,
        member: Masks,
        common: Floats | None = None,
        times: Ints | Floats | None = None,
    ) -> None:
        """Keep what belongs to the place."""
        del common, times
        for number in (at for at, one in enumerate(places) if one == self._place):
            is_its = group == number
            self.layers.append((events & is_its, member & is_its))


def _smooth(counts: Floats) -> Floats:
    """Return sums over a few bins around each."""
    sums = np.cumsum(np.pad(counts, ((0, 0), (1, 0))), axis=1)
    bins = counts.shape[1]
    at = np.arange(bins)
    first, end = np.maximum(at - _SMOOTH, 0), np.minimum(at + _SMOOTH + 1, bins)
    return np.asarray(sums[:, end] - sums[:, first])
