"""One trace as arrays: what is needed to draw every span, without an object for any of them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lymer.model.columns import SpanColumns

__all__ = ["TIME_NANO_MAX", "FoundSpans", "TraceArrays", "keep_rows", "shares_ids", "to_arrays"]

TIME_NANO_MAX: Final = 2**62 - 1
"""Offsets and durations to reckon with are cut to this, 146 years: no sum of two leaves 63 bits."""

_ZERO_TRACE_ID: Final = "0" * 32


def _no_u8() -> NDArray[np.uint64]:
    return np.empty(0, dtype=np.uint64)


def _no_u4() -> NDArray[np.uint32]:
    return np.empty(0, dtype=np.uint32)


def _no_u1() -> NDArray[np.uint8]:
    return np.empty(0, dtype=np.uint8)


def _no_i8() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


@dataclass(slots=True)
class TraceArrays:
    """N spans of one trace, one array per field, in the order of their starts, then ids.

    Arrays are replaced by adjusters, never changed in place.
    """

    trace_id: str = ""
    """32 lower-case hex digits."""
    span_id: NDArray[np.uint64] = field(default_factory=_no_u8)
    parent_id: NDArray[np.uint64] = field(default_factory=_no_u8)
    """0 if the span has no parent."""
    service: NDArray[np.uint32] = field(default_factory=_no_u4)
    """Places in `services`."""
    name: NDArray[np.uint32] = field(default_factory=_no_u4)
    """Places in `names`."""
    host: NDArray[np.uint32] = field(default_factory=_no_u4)
    """Equal for spans of one clock; 0 is a clock that is not known."""
    kind: NDArray[np.uint8] = field(default_factory=_no_u1)
    status: NDArray[np.uint8] = field(default_factory=_no_u1)
    start: NDArray[np.uint64] = field(default_factory=_no_u8)
    """Nanoseconds since the epoch."""
    duration: NDArray[np.int64] = field(default_factory=_no_i8)
    """Nanoseconds."""
    events: NDArray[np.uint32] = field(default_factory=_no_u4)
    """How many."""
    links: NDArray[np.uint32] = field(default_factory=_no_u4)
    """How many, those without a trace included until adjusters take them away."""
    empty_links: NDArray[np.uint32] = field(default_factory=_no_u4)
    """How many of the links have no trace."""
    identity: NDArray[np.uint64] = field(default_factory=_no_u8)
    """As in `SpanColumns`."""
    place: NDArray[np.uint32] = field(default_factory=_no_u4)
    """Where the span stood before adjusters left spans out or sorted them; empty if nobody asks."""
    found: NDArray[np.uint8] = field(default_factory=_no_u1)
    """1 where what was looked for occurs in a tag, a log field or a tag of the process."""
    services: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    warnings: dict[int, list[str]] = field(default_factory=dict)
    """By row, of the rows that have any."""

    def __len__(self) -> int:
        """Return N, the number of spans."""
        return len(self.span_id)

    @property
    def origin_unix_nano(self) -> int:
        """The earliest start; there must be a span."""
        return int(self.start.min())

    def offsets(self) -> NDArray[np.int64]:
        """Return the starts, nanoseconds after the earliest, at most `TIME_NANO_MAX`."""
        apart = self.start - self.start.min()
        cut: NDArray[np.int64] = np.minimum(apart, np.uint64(TIME_NANO_MAX)).astype(np.int64)
        return cut

    def durations(self) -> NDArray[np.int64]:
        """Return the durations, at most `TIME_NANO_MAX`."""
        cut: NDArray[np.int64] = np.minimum(self.duration, TIME_NANO_MAX)
        return cut

    def warn(self, row: int, warning: str) -> None:
        """Add a warning to a span."""
        self.warnings.setdefault(row, []).append(warning)


@dataclass(frozen=True, slots=True)
class FoundSpans:
    """Which spans of a trace a text occurs in."""

    span_id: NDArray[np.uint64] = field(default_factory=_no_u8)
    """Theirs, by start."""
    count: int = 0
    """How many spans were looked at: all of the trace, copies included."""
    shares_ids: bool = False
    """Whether an id does not say which span is meant."""


_PER_SPAN: Final = tuple(
    one.name
    for one in fields(TraceArrays)
    if one.name not in {"trace_id", "services", "names", "warnings"}
)


def keep_rows(trace: TraceArrays, rows: NDArray[np.int64]) -> None:
    """Leave only these rows, in this order."""
    for name in _PER_SPAN:
        if name != "place" or len(trace.place):
            setattr(trace, name, getattr(trace, name)[rows])
    if trace.warnings:
        places = {row: place for place, row in enumerate(rows.tolist())}
        trace.warnings = {
            places[row]: texts for row, texts in trace.warnings.items() if row in places
        }


def shares_ids(span_id: NDArray[Any]) -> bool:
    """Tell whether two spans have the same id."""
    ordered = np.sort(span_id)  # three times as fast as `unique`
    return bool(np.any(ordered[1:] == ordered[:-1]))


def to_arrays(columns: SpanColumns) -> TraceArrays:
    """Return the same trace as arrays, for those who have it as columns anyway."""
    if not len(columns):
        return TraceArrays()
    services = {name: place for place, name in enumerate(dict.fromkeys(columns.service))}
    names = {name: place for place, name in enumerate(dict.fromkeys(columns.name))}
    hosts = {host: place for place, host in enumerate(dict.fromkeys(["", *columns.host]))}
    empty = [sum(link[0] == _ZERO_TRACE_ID for link in links) for links in columns.links]
    return TraceArrays(
        trace_id=columns.trace_id[0],
        span_id=np.array([int(one, 16) for one in columns.span_id], dtype="u8"),
        parent_id=np.array([int(one or "0", 16) for one in columns.parent_span_id], dtype="u8"),
        service=np.array([services[name] for name in columns.service], dtype="u4"),
        name=np.array([names[name] for name in columns.name], dtype="u4"),
        host=np.array([hosts[host] for host in columns.host], dtype="u4"),
        kind=np.array(columns.kind, dtype="u1"),
        status=np.array(columns.status_code, dtype="u1"),
        start=np.array(columns.start_unix_nano, dtype="u8"),
        duration=np.array(columns.duration_nano, dtype="i8"),
        events=np.array([len(one) for one in columns.event_unix_nano], dtype="u4"),
        links=np.array([len(one) for one in columns.links], dtype="u4"),
        empty_links=np.array(empty, dtype="u4"),
        identity=np.array([one % 2**64 for one in columns.identity], dtype="u8"),
        found=np.zeros(len(columns), dtype="u1"),
        services=list(services),
        names=list(names),
        warnings={row: [*texts] for row, texts in enumerate(columns.warnings) if texts},
    )
