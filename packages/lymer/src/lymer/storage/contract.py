"""What a store promises. `tests/contract/storage` is the second half of this page.

Spans enter as *segments*: files of length-delimited OTLP requests, as the journal makes them. They
leave as columns and JSON fragments. No call takes or returns one object per span.

Tenants never meet: a segment holds spans of one, and a reader reads what one has. Whoever reads
says first for whom.

Every method blocks and may be called from any thread; callers bring their own threads. A failure
of the engine is a `StorageError`; nothing else escapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from lymer.model.columns import SpanColumns
from lymer.model.deletion import Deleted, Deletion
from lymer.model.find_terms import NOTHING, FindTerms
from lymer.model.graph import GraphEdge
from lymer.model.minute_counts import MinuteCounts
from lymer.model.question import (
    DependencyLink,
    FoundTrace,
    Operation,
    OperationRed,
    RedSlot,
    TraceQuestion,
    TraceSummary,
)
from lymer.model.segment import SealedSegment
from lymer.model.span_table import SpanSample, SpanTable
from lymer.model.trace_arrays import FoundSpans, TraceArrays
from lymer.storage.search_contract import (
    FieldName,
    FieldQuestion,
    FieldValue,
    FoundSeries,
    FoundSpansets,
    SeriesQuestion,
    SpansetQuestion,
)

__all__ = [
    "SealedSegment",
    "SpanRange",
    "SpanReader",
    "SpanStore",
    "SpanWriter",
    "TenantReaders",
    "TraceDeleter",
]


SpanRange = tuple[int, int, int, int]
"""Start (nanoseconds) and id of the first span, and of the last, which is within it, too."""


class SpanWriter(Protocol):
    """Takes segments, each exactly once."""

    def write_segment(self, segment: SealedSegment, /) -> None:
        """Store every span of `segment` and what is derived from them.

        Durable when it returns. Atomic: after a crash either all spans of the segment are stored or
        none. Segments of a tenant must be written in rising order of `segment_id`, all by one
        thread at a time.

        Raises:
            UndecodableError: A request in the segment cannot be read; nothing was stored.
            StorageMemoryError: It needs more memory than there is; nothing was stored.
            StorageError: Nothing was stored, or it is not known; call `recover_segment` next.
        """

    def write_part(self, segment: SealedSegment, path: Path, /) -> None:
        """Store the spans in the file `path` as some of `segment`: all of them or none.

        For a segment that cannot be written whole. It counts as stored when `recover_segment` has
        found all its spans after the last part. After a failure or a crash in between call that
        first: it deletes what is there.

        Raises: As `write_segment`.
        """

    def try_part(self, segment: SealedSegment, path: Path, /) -> None:
        """Do with the spans in the file `path` all that storing them means, where nobody sees it.

        In a table of trial, made like the real one and dropped again: it tells spans that cannot be
        stored from a store that stores nothing now.

        Raises: As `write_segment`; nothing is stored, whatever happens.
        """

    def recover_segment(self, segment: SealedSegment, /) -> None:
        """Store `segment` if an interrupted `write_segment` did not; idempotent, same promises."""

    def expect(self, segments: Sequence[SealedSegment], /) -> None:
        """Know that these will be stored, some perhaps after later ones.

        What counts segments up to an id, as rollups do, waits for them. A segment that is being
        stored is expected from its first part on.
        """

    def announce(self, segment: SealedSegment, /) -> None:
        """Let readers find by service and name what is stored of `segment` so far.

        Raises: As `write_segment`.
        """


class TenantReaders(Protocol):
    """Lets each tenant's spans be read."""

    def for_tenant(self, tenant: str, /) -> SpanReader:
        """Return the reader of what `tenant` has; of one nobody heard of, it finds nothing.

        Readers cost nothing: take a new one for each question.
        """


class SpanStore(SpanWriter, TenantReaders, Protocol):
    """Takes the segments of all tenants, and lets each tenant's spans be read."""


class TraceDeleter(Protocol):
    """Deletes traces of a tenant, for good; only who owns the store can."""

    def count_traces(self, tenant: str, trace_ids: Sequence[str], /) -> Deleted:
        """Return what `delete_traces` would delete."""

    def delete_traces(
        self, tenant: str, trace_ids: Sequence[str], /, *, who: str, question: str, upto: int
    ) -> Deleted:
        """Delete all that is stored of some traces, and what was derived from them.

        Afterwards the store answers as if they had never arrived. What arrives of them during the
        call or later stays.

        Args:
            tenant: Whose.
            trace_ids: 32 hex digits each.
            who: For the audit log.
            question: For the audit log.
            upto: Highest segment that is deleted from: up to it nothing is in the journal any more.

        Raises:
            StorageError: It is not done; if it was begun, it will be carried out.
        """

    def get_deletions(self, tenant: str, /) -> list[Deletion]:
        """Return the audit log of a tenant, newest first."""


class SpanReader(Protocol):
    """Answers questions about the spans of one tenant.

    Answers include every span whose segment was written before the call.
    """

    def get_services(self) -> list[str]:
        """Return the names of all services, sorted."""

    def get_operations(self, service: str, span_kind: str, /) -> list[Operation]:
        """Return the operations of `service`, sorted by name, then kind.

        Args:
            service: Exact service name.
            span_kind: One of `SPAN_KINDS`, or empty for every kind.
        """

    def find_traces(self, question: TraceQuestion, /) -> list[FoundTrace]:
        """Return the newest traces that match, newest span first, at most `question.limit`.

        Complete: a match is left out only because `limit` newer traces match too.
        """

    def get_traces(
        self,
        trace_ids: Sequence[str],
        /,
        *,
        raw: bool,
        skeleton: bool,
        spans_max: int | None = None,
        within: SpanRange | None = None,
    ) -> SpanColumns:
        """Return all spans of the traces, in the order asked for; unknown ids are simply absent.

        A trace of which nothing is stored any more is read from the archive.

        Args:
            trace_ids: 32 hex digits each.
            raw: Attributes in the order they were sent; otherwise sorted by key, event fields by
                key after `event`, events by time, then name, links by id, and library attributes
                moved to the process (adjusters 2, 5 and 6 of Jaeger are the store's, since they
                look into attributes).
            skeleton: Leave `tags_json` and `event_fields_json` empty.
            spans_max: Where there are more, some spans_max + 1 of them are returned: the answer
                says that it is too large for whoever asked, and is worth nothing else.
            within: Only the spans that lie here.

        Raises:
            StorageMemoryError: It needs more memory than a statement may have, or, `within` a
                range of several starts or ids, than a part may: ask for a smaller range.
        """

    def get_trace_arrays(self, trace_id: str, find: FindTerms = NOTHING, /) -> TraceArrays:
        """Return a trace as arrays, empty if neither the store nor the archive knows it.

        In the order of `SpanColumns`, and with the store's part of the adjusters done, as
        `get_traces` does it without `raw`. `identity` is zeros where no two spans share an id.

        Args:
            trace_id: 32 hex digits.
            find: Spans are marked in which this occurs: in a tag, a log field or a tag of the
                process, written as `key=value`.
        """

    def find_in_trace(self, trace_id: str, find: FindTerms, /) -> FoundSpans:
        """Return in which spans of a trace this occurs, without reading the trace.

        Looked at are names, services and ids, too. None, of no spans, if neither the store nor the
        archive knows the trace.

        Args:
            trace_id: 32 hex digits.
            find: What to look for.
        """

    def get_span(self, trace_id: str, span_id: str, /) -> SpanColumns:
        """Return the spans with this id (usually one, two if a client and a server share it).

        If there is none, the archive's.
        """

    def get_summaries(self, trace_ids: Sequence[str], /) -> list[TraceSummary]:
        """Return one summary per known trace, in the order asked for."""

    def get_dependencies(self, start_unix_nano: int, end_unix_nano: int, /) -> list[DependencyLink]:
        """Return the calls between services, sorted by parent, then child.

        Minutes are taken whole: a call counts if its child started in a minute that overlaps
        [start, end).
        """

    def get_graph(self, start_unix_nano: int, end_unix_nano: int, /) -> list[GraphEdge]:
        """Return the service graph of the minutes that overlap [start, end), in no order.

        One entry for each edge, and one without a source for what each service was asked from
        outside of it. A store may be behind by some seconds with what it counts.
        """

    def get_red(
        self, start_unix_nano: int, end_unix_nano: int, service: str, /
    ) -> list[OperationRed]:
        """Return rate, errors and duration per operation, from the minute rollup.

        Minutes are taken whole: those that overlap [start, end). `service` empty means all.
        """

    def get_red_slots(
        self,
        minutes: tuple[int, int],
        services: Sequence[str],
        span_kinds: Sequence[str],
        /,
        *,
        by_operation: bool,
        slot_minutes: int,
    ) -> list[RedSlot]:
        """Return counts of slots of time, from the minute rollup, in no order.

        Args:
            minutes: The first and the last, whole minutes since the epoch.
            services: Whose.
            span_kinds: Of `SPAN_KINDS`.
            by_operation: Count each operation for itself.
            slot_minutes: Length of a slot; the first slot begins at a multiple of it.
        """

    def get_minute_counts(
        self, minutes: tuple[int, int], services: Sequence[str], /, *, of: str
    ) -> MinuteCounts:
        """Return calls, errors and durations by the minute, from the rollups, in no order.

        Args:
            minutes: The first and the last, whole minutes since the epoch.
            services: Whose: operations of these, edges that begin or end there; empty: all.
            of: `operations`, or `edges` of the service graph.
        """

    def get_sample_size(self, sample: SpanSample, /) -> tuple[int, int]:
        """Return how many spans a sample has, and about how many traces."""

    def get_span_table(self, sample: SpanSample, /) -> SpanTable:
        """Return the spans of a sample as columns of numbers, by start; copies of a span included.

        Attributes of spans that fewer than five of them share may be left out.
        """

    def find_spansets(self, question: SpansetQuestion, /) -> FoundSpansets:
        """Return the first traces that match a question in the search language, in its order.

        Raises:
            QuestionError: It asks for what is not supported; the message names it.
        """

    def get_series(self, question: SeriesQuestion, /) -> FoundSeries:
        """Return numbers over time, as a question in the search language asks for them.

        Raises:
            QuestionError: It asks for what is not supported; the message names it.
        """

    def get_field_names(self, question: FieldQuestion, /) -> list[FieldName]:
        """Return attributes that spans have, by scope, most frequent first; for completion."""

    def get_field_values(self, question: FieldQuestion, /) -> list[FieldValue]:
        """Return values that spans have in a field, most frequent first; for completion."""

    def get_otlp(self, trace_ids: Sequence[str], /, *, within: SpanRange | None = None) -> bytes:
        """Return the traces as one OTLP `TracesData` protobuf message; empty if none is known.

        A trace asked for alone, of which nothing is stored any more, is read from the archive.
        `within`, and what it raises, as in `get_traces`.
        """

    def archive_trace(self, trace_id: str, /) -> bool:
        """Keep a trace, as it is stored now, in the archive; tell whether anything is known of it.

        Durable and whole when it returns; what the archive has already is not kept twice, so it may
        be repeated, also after a failure. The one call of a reader that writes.
        """

    def get_tag_keys(self) -> list[str]:
        """Return keys of attributes of newest spans, and of resources, sorted, some hundreds."""

    def get_tag_values(self, key: str, service: str, /) -> list[str]:
        """Return values of an attribute as text, sorted, some hundreds.

        Of newest spans, and of their resources; of one service, or of all if `service` is empty.
        """
