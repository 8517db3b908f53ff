"""What may be asked of the store: questions with explicit limits and units."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "SPAN_KINDS",
    "DependencyLink",
    "FoundTrace",
    "Operation",
    "OperationRed",
    "RedSlot",
    "TraceQuestion",
    "TraceSummary",
]

SPAN_KINDS: tuple[str, ...] = (
    "unspecified", "internal", "server", "client", "producer", "consumer",
)  # fmt: skip
"""Jaeger's lower-case span kinds; the index is OTLP's `SpanKind` number."""


@dataclass(frozen=True, slots=True)
class TraceQuestion:
    """Which traces to find: every condition must hold on one and the same span."""

    start_unix_nano_min: int
    """Earliest start of the matching span, inclusive, nanoseconds since the epoch."""
    start_unix_nano_max: int
    """Latest start of the matching span, inclusive, nanoseconds since the epoch."""
    service: str = ""
    """Exact `service.name`; empty means any service."""
    operation: str = ""
    """Exact span name; empty means any."""
    tags: tuple[tuple[str, str], ...] = ()
    """(key, value) pairs, all of which must match. Values compare as text: `500` matches the
    integer 500, the double 500.0 and the string `500`. A key matches a span, resource, scope,
    event or link attribute; `error`, `span.kind`, `span.status`, `scope.name`, `scope.version`
    and `resource.KEY` have Jaeger's meanings."""
    duration_nano_min: int | None = None
    """Shortest duration of the matching span, inclusive, nanoseconds."""
    duration_nano_max: int | None = None
    """Longest duration of the matching span, inclusive, nanoseconds."""
    limit: int = 100
    """Number of traces wanted, at least 1."""
    present: tuple[str, ...] = ()
    """Texts each of which must be the key of a tag, whatever its value, or the name of an event;
    keys match as those of `tags` do."""
    any_name: bool = False
    """Whether a key of `tags` stands for every name that OpenTelemetry's conventions have given to
    the same thing (`model.conventions`)."""
    after_start_unix_nano: int | None = None
    """Leave out what comes before and at this place of the order: the start of the newest matching
    span of a page's last trace, and so traces that match later too. None begins at the newest."""
    after_trace_id: str = ""
    """The last trace of that page, 32 hex digits."""


@dataclass(frozen=True, slots=True)
class FoundTrace:
    """A trace that has a matching span."""

    trace_id: str
    """32 lower-case hex digits."""
    start_unix_nano: int
    """Start of its newest matching span, nanoseconds since the epoch."""


@dataclass(frozen=True, slots=True, order=True)
class Operation:
    """A span name seen in a service."""

    name: str
    span_kind: str
    """One of `SPAN_KINDS`."""


@dataclass(frozen=True, slots=True, order=True)
class DependencyLink:
    """Calls from one service to another (or to itself)."""

    parent: str
    child: str
    call_count: int
    """Number of spans of `child` whose parent span belongs to `parent`."""
    is_estimated: bool = False
    """Whether some of the spans counted stand for several."""


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """One line of a search result.

    Source: jaeger-idl `api_v3/query_service.proto`, `TraceSummary`.
    """

    trace_id: str
    """32 lower-case hex digits."""
    root_service_name: str
    """Service of the earliest span without a parent; empty if every span has one."""
    root_operation_name: str
    min_start_unix_nano: int
    max_end_unix_nano: int
    span_count: int
    error_span_count: int
    orphan_span_count: int
    """Spans whose parent is not stored."""
    services: tuple[tuple[str, int, int], ...]
    """(service, spans, spans with status ERROR), sorted by service."""


@dataclass(frozen=True, slots=True)
class RedSlot:
    """Calls of a service, or of one of its operations, in some whole minutes."""

    service: str
    operation: str
    """Empty where operations are counted together."""
    minute: int
    """The first one, whole minutes since the epoch."""
    call_count: int
    error_count: int
    buckets: tuple[tuple[int, int], ...]
    """(bucket, calls): bucket b holds durations d with floor(8 log2(d + 1)) = b, nanoseconds."""
    is_estimated: bool = False
    """Whether some of the spans counted stand for several."""


@dataclass(frozen=True, slots=True)
class OperationRed:
    """Rate, errors and duration of one operation over a range of time."""

    service: str
    operation: str
    span_kind: str
    """One of `SPAN_KINDS`."""
    call_count: int
    error_count: int
    duration_nano_sum: int
    duration_nano_p50: int
    """Quantiles come from buckets of ratio 2^(1/8): within 4.5 % of the exact value."""
    duration_nano_p95: int
    duration_nano_p99: int
    is_estimated: bool = False
    """Whether some of the spans counted stand for several."""
