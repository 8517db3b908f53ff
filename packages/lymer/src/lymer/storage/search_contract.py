"""What a store promises to who asks in the search language; see `language/tree.py` for the tree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from lymer.language import tree

__all__ = [
    "Cursor",
    "Exemplar",
    "FieldName",
    "FieldQuestion",
    "FieldValue",
    "FoundSeries",
    "FoundSpan",
    "FoundSpanset",
    "FoundSpansets",
    "MatchedTrace",
    "Scanned",
    "Series",
    "SeriesQuestion",
    "SpansetQuestion",
    "TypedValue",
]

TypedValue: TypeAlias = tuple[tree.Type, Any]
"""A type and a value of it; statuses and kinds are words, durations and times nanoseconds. `any` is
an array, a list of pairs or bytes: the bytes of its AnyValue."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where an answer ended: its last trace."""

    key: int
    """What it was ordered by: the start or the duration of a span, nanoseconds."""
    trace_id: str


@dataclass(frozen=True, slots=True)
class SpansetQuestion:
    """Which spansets to find.

    A trace is looked at whole (as far as an hour before and after the range), and is found if a
    span of one of its spansets starts in the range.
    """

    query: tree.Query
    """Its body is a pipeline."""
    start_unix_nano_min: int
    """Earliest start, inclusive, nanoseconds since the epoch."""
    start_unix_nano_max: int
    """Latest start, inclusive."""
    traces_max: int = 20
    spans_per_set_max: int = 3
    """Spans shown of a spanset, earliest first; 0 shows all."""
    order: Literal["newest", "slowest"] = "newest"
    """By the newest start, or the longest duration, of a span found in the range."""
    after: Cursor | None = None
    """Leave out what comes before and at this place of the order."""
    after_segment: int | None = None
    """Only traces of which a span that can match was stored after this segment."""
    seconds_max: float = 30.0
    """Then the answer holds what was found until then."""
    text: str = ""
    """What the tree was read from, for the places of errors; may be empty."""


@dataclass(frozen=True, slots=True)
class FoundSpan:
    """One span of a spanset."""

    span_id: str
    """16 lower-case hex digits."""
    name: str
    start_unix_nano: int
    duration_nano: int
    values: tuple[tuple[str, TypedValue], ...] = ()
    """What the question mentions or selects, where the span has it."""


@dataclass(frozen=True, slots=True)
class FoundSpanset:
    """Spans of one trace that match together."""

    spans: tuple[FoundSpan, ...]
    matched: int
    """How many there are; `spans` may be fewer."""
    values: tuple[tuple[str, TypedValue | None], ...] = ()
    """What it was grouped by, and its numbers."""
    span_ids: tuple[str, ...] = ()
    """Ids of all its spans, earliest first."""


@dataclass(frozen=True, slots=True)
class MatchedTrace:
    """A trace with at least one spanset."""

    trace_id: str
    root_service: str
    """Empty if no span without a parent is stored."""
    root_name: str
    start_unix_nano: int
    duration_nano: int
    services: tuple[tuple[str, int, int], ...]
    """(service, spans, spans with status ERROR), sorted."""
    sets: tuple[FoundSpanset, ...]
    key: int
    """What it is ordered by; see `Cursor`."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What was looked at for an answer."""

    traces: int = 0
    spans: int = 0
    """Spans read one by one, of traces that could match; what an index excluded is not counted."""


@dataclass(frozen=True, slots=True)
class FoundSpansets:
    """Traces in the order asked for."""

    traces: tuple[MatchedTrace, ...] = ()
    is_complete: bool = True
    """Whether no trace is missing that should stand among these."""
    reason: str = ""
    """Why the answer is not complete."""
    has_more: bool = False
    """Whether more traces follow, or may."""
    scanned: Scanned = field(default_factory=Scanned)
    segment: int = 0
    """Up to this one all was stored when the question was asked; what to ask after next."""

    @property
    def cursor(self) -> Cursor | None:
        """Where to go on; None if nothing follows."""
        if not self.has_more or not self.traces:
            return None
        return Cursor(self.traces[-1].key, self.traces[-1].trace_id)


@dataclass(frozen=True, slots=True)
class SeriesQuestion:
    """What to count or measure over time.

    A span counts, and is measured, as often as its sampling threshold says that it stands for spans
    like it; the least and the most are of spans as they are.

    Interval i of a range holds the spans that start in (start + i step, start + (i + 1) step]; its
    value stands at its end. The range is widened to whole steps since the epoch.
    Source: Grafana Tempo, `pkg/traceql/engine_metrics.go`, `IntervalMapperQueryRange`.
    """

    query: tree.Query
    """Its body is of `tree.Metrics`."""
    start_unix_nano: int
    end_unix_nano: int
    step_nano: int
    """0: one value for the whole range, both ends included."""
    exemplars_max: int = 0
    series_max: int = 1_000
    seconds_max: float = 30.0
    """Then the answer holds the newest intervals that were counted until then."""
    buckets_per_octave: int = 1
    """Of a histogram: bounds between a number and its double. Tempo has one, and leaves out what is
    below 2; with more, what is below 2 counts to the bound 1."""
    text: str = ""
    """What the tree was read from, for the places of errors; may be empty."""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A span that was counted."""

    unix_milli: int
    value: float
    """What was measured of it, durations in seconds; 1 where spans are counted."""
    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Series:
    """Values over time that belong to the same labels."""

    labels: tuple[tuple[str, TypedValue | None], ...]
    samples: tuple[tuple[int, float], ...]
    """(end of the interval in Unix milliseconds, value), by time; nothing measured: none."""
    exemplars: tuple[Exemplar, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundSeries:
    """Series in the order of their labels."""

    series: tuple[Series, ...] = ()
    is_complete: bool = True
    reason: str = ""
    """Why the answer is not complete."""
    is_estimated: bool = False
    """Whether some span that was counted stands for several."""
    scanned: Scanned = field(default_factory=Scanned)


@dataclass(frozen=True, slots=True)
class FieldQuestion:
    """Which fields spans have, or which values a field has: of the newest spans that match."""

    start_unix_nano_min: int
    start_unix_nano_max: int
    field: tree.Attribute | tree.Intrinsic | None = None
    """Whose values; None asks for names."""
    condition: tree.Expression | None = None
    """Which spans; what only the whole trace knows is not looked at."""
    limit: int = 1_000
    seconds_max: float = 2.0
    """Then the answer is empty."""


@dataclass(frozen=True, slots=True)
class FieldName:
    """An attribute that spans have."""

    scope: str
    """`span`, `resource`, `event`, `link` or `instrumentation`; an event's may be a link's."""
    name: str
    type: tree.Type
    """Of one of its values; `any` where none was looked at."""
    count: int
    """Spans that have it, of those looked at; 0 where it is known from the catalog."""


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A value that spans have."""

    value: TypedValue
    count: int
    """Spans that have it, of those looked at."""
