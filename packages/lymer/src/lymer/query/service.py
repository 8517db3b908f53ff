"""Answers to questions about traces: the one place that refuses, repairs and sorts them out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import fields, replace
from typing import Final, TypeVar

from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from lymer.analysis.paths import Path, PathCounter
from lymer.analysis.quality import Quality, Trace
from lymer.errors import (
    LargeAnswerError,
    OverloadedError,
    QuestionError,
    StorageMemoryError,
    TooLargeError,
)
from lymer.model.columns import SpanColumns
from lymer.model.find_terms import NOTHING, FindTerms
from lymer.model.graph import GraphEdge
from lymer.model.question import (
    SPAN_KINDS,
    DependencyLink,
    FoundTrace,
    Operation,
    OperationRed,
    TraceQuestion,
    TraceSummary,
)
from lymer.model.span_table import SpanSample
from lymer.model.trace_arrays import FoundSpans, TraceArrays
from lymer.query import trace_find
from lymer.query.adjust.arrays import adjust_arrays, limit_arrays
from lymer.query.adjust.otlp import adjust_otlp, name_services, split_otlp
from lymer.query.adjust.parents import find_parent_rows
from lymer.query.adjust.rows import select_rows, split_traces
from lymer.query.adjust.size import limit_trace_size
from lymer.query.adjust.standard import adjust, standard_adjusters
from lymer.query.checks import AnyQuestion, check_question, check_text, check_trace_ids, limit_of
from lymer.query.diagnosis import Diagnosis
from lymer.query.language import LanguageService
from lymer.query.large import LargeTrace, hold, in_groups
from lymer.query.pages import Page, on_page, token_after
from lymer.query.red_series import RedQuestion, RedSeries, points_of
from lymer.query.service_graph import is_estimated
from lymer.query.transform import transform_request
from lymer.storage.caller import leave_out, not_found, tell_estimates
from lymer.storage.contract import SpanReader, TenantReaders
from lymer.storage.sanitizers import stored_name, stored_service
from lymer.storage.search_contract import Cursor

_Read = TypeVar("_Read")

__all__ = ["ALLOWS_LARGE", "JUDGED_TRACES_MAX", "Queries", "QueryService"]

SUMMARIES_PER_READ: Final = 2_000
"""Summaries read from the store in one call."""

ANSWER_SPANS_MAX: Final = 2_000_000
"""Most spans in an answer of several traces. A span costs about 1 KiB on its way out, so one answer
stays near 2 GiB at worst; a single trace is never refused. Large answers are made one at a time."""

SMALL_ANSWER_SPANS_MAX: Final = 20_000
"""Most spans of an answer that anyone may have at any time, about 20 MB while it is made. A larger
one is made only by who has a place for it (`ALLOWS_LARGE`)."""

ALLOWS_LARGE: Final[ContextVar[bool]] = ContextVar("ALLOWS_LARGE", default=True)
"""Whether the answer being made may be large; the API says no first, and yes at its turn."""

TRACES_PER_READ: Final = 200
"""Traces read from the store in one call: what is refused as too large was not all read."""

JUDGED_TRACES_MAX: Final = 1_000
"""Newest traces that paths and quality are computed from."""

JUDGED_SPANS_MAX: Final = 500_000
"""Spans of them, about: no more traces are read beyond."""

OTLP_TRACES_PER_READ: Final = 20
"""Traces read in one call where each is answered by itself: a statement costs as much as they."""

_JUDGED: Final = tuple(one.name for one in fields(Trace))[1:]
_UINT64_MAX: Final = 2**64 - 1
_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}")


class QueryService:
    """Asks the store of one tenant, and adjusts what it answers.

    Blocking and thread-safe: callers bring their own threads. Raises `QuestionError` for what must
    be refused; `StorageError` passes through.
    """

    def __init__(
        self,
        reader: SpanReader,
        *,
        max_clock_skew_adjust_seconds: float = 0.0,
        max_trace_size_spans: int = 0,
        answer_spans_max: int = ANSWER_SPANS_MAX,
    ) -> None:
        """Answer from `reader`.

        Args:
            reader: The store.
            max_clock_skew_adjust_seconds: Largest correction of a span's times, seconds; 0 only
                warns of skew, as Jaeger's default does.
            max_trace_size_spans: Spans shown of one trace; 0 shows all.
            answer_spans_max: Spans of an answer with several traces; more are refused.
        """
        self._reader = reader
        self._trace_size_spans_max = max_trace_size_spans
        self._answer_spans_max = answer_spans_max
        self._max_clock_skew_adjust_nano = round(max_clock_skew_adjust_seconds * 1e9)
        self._adjusters = standard_adjusters(
            max_clock_skew_adjust_nano=self._max_clock_skew_adjust_nano
        )

    @property
    def reader(self) -> SpanReader:
        """Return the store, for questions about many traces at once."""
        return self._reader

    def diagnosis(self) -> Diagnosis:
        """Return who thinks about many traces at once."""
        return Diagnosis(self._reader)

    @property
    def language(self) -> LanguageService:
        """Return who answers questions in the search language."""
        return LanguageService(self._reader)

    def get_services(self) -> list[str]:
        """Return the names of all services, sorted."""
        return self._reader.get_services()

    def get_operations(self, service: str, span_kind: str = "") -> list[Operation]:
        """Return the operations of `service`; a kind that does not exist has none."""
        check_text("service", service)
        if span_kind and span_kind not in SPAN_KINDS[1:]:
            return []  # Jaeger has no kind for spans of none, either
        return self._reader.get_operations(stored_service(service), span_kind)

    def find_traces(self, question: TraceQuestion, *, raw: bool = False) -> list[SpanColumns]:
        """Return the newest traces that match, whole, newest matching span first."""
        return self.get_traces(self._find_ids(question), raw=raw)

    def find_summaries(self, question: AnyQuestion) -> list[TraceSummary]:
        """Return one summary per trace that matches, newest matching span first."""
        return self.get_summaries(self._find_ids(question))

    def find_summaries_page(
        self, question: AnyQuestion, page: Page
    ) -> tuple[list[TraceSummary], str]:
        """Return one page of them, and the token of the next; an empty one says that none follows.

        Raises:
            QuestionError: The token is none of this question.
        """
        size = limit_of(on_page(question, page))
        found = self._find(on_page(question, Page(size + 1, page.token)))
        shown = found[:size]
        token = ""
        if len(found) > size:
            token = token_after(question, Cursor(shown[-1].start_unix_nano, shown[-1].trace_id))
        return self.get_summaries([one.trace_id for one in shown]), token

    def get_summaries(self, ids: Sequence[str]) -> list[TraceSummary]:
        """Return one summary per trace that is stored, in the order of the ids."""
        return [
            summary
            for first in range(0, len(ids), SUMMARIES_PER_READ)
            for summary in self._reader.get_summaries(ids[first : first + SUMMARIES_PER_READ])
        ]

    def get_traces(self, trace_ids: Sequence[str], *, raw: bool = False) -> list[SpanColumns]:
        """Return the traces that are stored, in the order asked for, one element each.

        Args:
            trace_ids: 32 lower-case hex digits each.
            raw: Leave the traces as they were sent.
        """
        return self._get(trace_ids, raw=raw, skeleton=False)

    def get_traces_in_parts(
        self, trace_ids: Sequence[str], *, raw: bool = False
    ) -> Iterator[tuple[str, Iterable[SpanColumns]]]:
        """Yield (id, spans) of the traces that are stored, in the order asked for, to be sent.

        Large traces come in parts that are read when they are taken, so each is to be taken to its
        end before the next.

        Args:
            trace_ids: 32 lower-case hex digits each.
            raw: Leave the traces as they were sent.
        """
        check_trace_ids(trace_ids)
        groups = self._groups(trace_ids, TRACES_PER_READ) if ALLOWS_LARGE.get() else []
        if len(groups) <= 1 and all(spans <= SMALL_ANSWER_SPANS_MAX for _, spans in groups):
            found = self._get(trace_ids, raw=raw, skeleton=False)
            return ((one.trace_id[0], (one,)) for one in found)
        return self._in_parts(groups, raw=raw)

    def find_traces_in_parts(
        self, question: TraceQuestion, *, raw: bool = False
    ) -> Iterator[tuple[str, Iterable[SpanColumns]]]:
        """Yield (id, spans) of the newest traces that match; see `get_traces_in_parts`."""
        return self.get_traces_in_parts(self._find_ids(question), raw=raw)

    def _in_parts(
        self, groups: Sequence[tuple[Sequence[str], int]], *, raw: bool
    ) -> Iterator[tuple[str, Iterable[SpanColumns]]]:
        for ids, spans in groups:
            if len(ids) == 1 and spans > SMALL_ANSWER_SPANS_MAX:
                yield ids[0], self._large(ids[0], raw=raw).columns()
            else:
                for one in self._get(ids, raw=raw, skeleton=False):
                    yield one.trace_id[0], (one,)

    def _large(self, trace_id: str, *, raw: bool) -> LargeTrace:
        return LargeTrace(
            self._reader,
            trace_id,
            raw=raw,
            spans_max=self._trace_size_spans_max,
            skew_nano_max=self._max_clock_skew_adjust_nano,
        )

    def _groups(self, trace_ids: Sequence[str], traces_max: int) -> list[tuple[Sequence[str], int]]:
        """Return traces that are read at once, with how many spans they have.

        Raises:
            TooLargeError: Several have more spans than an answer may.
        """
        groups = list(
            in_groups(
                self._reader, trace_ids, traces_max=traces_max, spans_max=SMALL_ANSWER_SPANS_MAX
            )
        )
        if len(trace_ids) > 1 and sum(spans for _, spans in groups) > self._answer_spans_max:
            raise _too_many_spans(self._answer_spans_max)
        hold(groups)
        return groups

    def get_trace(self, trace_id: str, *, raw: bool = False) -> SpanColumns:
        """Return one trace.

        Raises:
            TraceNotFoundError: No span of it is stored.
        """
        return _only(self._get([trace_id], raw=raw, skeleton=False))

    def get_skeleton(self, trace_id: str) -> SpanColumns:
        """Return one trace, adjusted, without tags and event fields.

        Raises:
            TraceNotFoundError: No span of it is stored.
        """
        return _only(self._get([trace_id], raw=False, skeleton=True))

    def get_trace_arrays(self, trace_id: str, find: FindTerms = NOTHING) -> TraceArrays:
        """Return one trace, adjusted, as arrays.

        Args:
            trace_id: 32 hex digits.
            find: What the store looks for in the spans; see `TraceArrays.found`.

        Raises:
            TraceNotFoundError: No span of it is stored.
        """
        check_trace_ids([trace_id])
        trace = self._reader.get_trace_arrays(trace_id, find)
        if not len(trace):
            raise not_found()
        limit_arrays(trace, self._trace_size_spans_max)
        adjust_arrays(trace, max_clock_skew_adjust_nano=self._max_clock_skew_adjust_nano)
        return trace

    def find_in_trace(self, trace_id: str, find: FindTerms) -> FoundSpans:
        """Return in which spans of an adjusted trace a text occurs.

        Raises:
            TraceNotFoundError: No span of it is stored.
        """
        check_trace_ids([trace_id])
        if not self._trace_size_spans_max:
            found = self._reader.find_in_trace(trace_id, find)
            if not found.count:
                raise not_found()
            if not found.shares_ids:
                return found
        # Adjusters give spans ids of their own, or leave some out: they need the whole trace.
        trace = self.get_trace_arrays(trace_id, find)
        return FoundSpans(trace.span_id[trace_find.found_rows(trace, find)], len(trace))

    def get_span(self, trace_id: str, span_id: str) -> SpanColumns:
        """Return one span of an adjusted trace, by the id it has in the skeleton.

        A span whose id is its own is read alone, even if it was sent twice. For ids that adjusters
        gave or took (a server that shared its client's), the whole trace is read.

        Raises:
            TraceNotFoundError: There is no such span.
        """
        check_trace_ids([trace_id])
        if not _SPAN_ID.fullmatch(span_id):
            raise QuestionError(f"cannot read span: {span_id!r} is not 16 hex digits")
        found = self._reader.get_span(trace_id, span_id)
        if len(set(found.identity)) == 1:
            return select_rows(found, [0])
        trace = self.get_trace(trace_id)
        if span_id not in trace.span_id:
            raise not_found("span not found")
        return select_rows(trace, [trace.span_id.index(span_id)])

    def get_otlp_in_parts(self, trace_id: str, *, raw: bool = False) -> Iterator[TracesData]:
        """Yield one trace as OTLP, a large one in parts that are read when they are taken.

        Args:
            trace_id: 32 hex digits.
            raw: As it was stored.

        Raises:
            TraceNotFoundError: No span of it is stored; raised at once.
        """
        check_trace_ids([trace_id])
        self._check_size([trace_id])
        ((_, spans),) = self._groups([trace_id], 1)
        if spans > SMALL_ANSWER_SPANS_MAX:
            return self._large_otlp(trace_id, raw=raw)
        return iter((self.get_otlp(trace_id, raw=raw),))

    def find_otlp_in_parts(
        self, question: AnyQuestion, *, raw: bool = False
    ) -> Iterator[TracesData]:
        """Yield the newest traces that match, as OTLP in parts; none if none does."""
        ids = self._find_ids(question)
        self._check_size(ids)
        groups = self._groups(ids, TRACES_PER_READ)
        if sum(spans for _, spans in groups) <= SMALL_ANSWER_SPANS_MAX:
            found = self._read_otlp(ids, raw=raw)
            return iter((found,) if found.resource_spans else ())
        return (
            part
            for some, spans in groups
            for part in (
                self._large_otlp(some[0], raw=raw)
                if spans > SMALL_ANSWER_SPANS_MAX
                else (self._read_otlp(some, raw=raw),)
            )
        )

    def _large_otlp(self, trace_id: str, *, raw: bool) -> Iterator[TracesData]:
        return self._large(trace_id, raw=raw).otlp()

    def get_otlp(self, trace_id: str, *, raw: bool = False) -> TracesData:
        """Return one trace as OTLP.

        Args:
            trace_id: 32 hex digits.
            raw: As it was stored.

        Raises:
            TraceNotFoundError: No span of it is stored.
        """
        check_trace_ids([trace_id])
        answer = self._otlp([trace_id], raw=raw)
        if not answer.resource_spans:
            raise not_found()
        return answer

    def find_each_otlp(
        self, questions: Sequence[AnyQuestion], *, raw: bool = False
    ) -> Iterator[tuple[str, TracesData]]:
        """Yield (id, trace as OTLP) of the newest traces that match any question, newest first.

        As many as the first question wants; some are read at a time. A large trace comes in parts,
        one behind the other.

        Raises:
            QuestionError: A question cannot be answered; raised at once.
        """
        if len(questions) == 1:
            only = self._find_ids(questions[0])
            self._check_size(only)
            return self._each_otlp(only, raw=raw)
        newest: dict[str, int] = {}
        for question in questions:
            for found in self._find(question):
                newest[found.trace_id] = max(newest.get(found.trace_id, 0), found.start_unix_nano)
        ids = sorted(newest, key=lambda one: (-newest[one], one))[: limit_of(questions[0])]
        self._check_size(ids)
        return self._each_otlp(ids, raw=raw)

    def get_stored_otlp(self, trace_ids: Sequence[str]) -> Iterator[bytes]:
        """Yield pieces of one OTLP `TracesData` message: the traces that are stored, as they are.

        Args:
            trace_ids: 32 hex digits each.
        """
        check_trace_ids(trace_ids)
        self._check_size(trace_ids)
        most = SMALL_ANSWER_SPANS_MAX
        groups = list(
            in_groups(self._reader, trace_ids, traces_max=TRACES_PER_READ, spans_max=most)
        )
        hold(groups)
        return (
            piece
            for some, spans in groups
            for piece in (
                LargeTrace(self._reader, some[0], raw=True).stored()
                if spans > SMALL_ANSWER_SPANS_MAX
                else (self._reader.get_otlp(some),)
            )
        )

    def _each_otlp(self, ids: Sequence[str], *, raw: bool) -> Iterator[tuple[str, TracesData]]:
        for some, spans in self._groups(ids, OTLP_TRACES_PER_READ):
            if spans > SMALL_ANSWER_SPANS_MAX:
                yield from ((some[0], part) for part in self._large_otlp(some[0], raw=raw))
                continue
            by_id = split_otlp(self._read_otlp(some, raw=raw))
            yield from ((one, by_id[one]) for one in some if one in by_id)

    def get_paths(self, question: TraceQuestion) -> tuple[list[Path], int]:
        """Return the ways that pass the service asked for, and from how many traces they are.

        The most gone come first. Of an operation, if the question names one.
        """
        counter = PathCounter(question.service, question.operation)
        traces = 0
        for trace in self._skeletons(question, raw=False):
            parent = find_parent_rows(trace)
            counter.add(
                trace.trace_id[0], parent, trace.start_unix_nano, trace.service, trace.name,
                trace.kind,
            )  # fmt: skip
            traces += 1
        return counter.paths(), traces

    def get_quality(self, question: TraceQuestion) -> Quality:
        """Judge the traces of the service asked for."""
        quality = Quality(question.service)
        for trace in self._skeletons(question, raw=True):
            quality.add(Trace(trace.trace_id[0], *(getattr(trace, name) for name in _JUDGED)))
        return quality

    def _skeletons(self, question: TraceQuestion, *, raw: bool) -> Iterator[SpanColumns]:
        """Yield the newest traces that match, some at a time, until there are enough spans."""
        ids = self._find_ids(question)
        spans = 0
        for first in range(0, len(ids), TRACES_PER_READ):
            some = self._get(ids[first : first + TRACES_PER_READ], raw=raw, skeleton=True)
            yield from some
            spans += sum(map(len, some))
            if not ALLOWS_LARGE.get() and spans > SMALL_ANSWER_SPANS_MAX:
                raise LargeAnswerError("the answer needs many spans and must wait for its turn")
            if spans > JUDGED_SPANS_MAX:
                return

    def get_tag_keys(self) -> list[str]:
        """Return keys of attributes of newest spans, sorted."""
        return self._reader.get_tag_keys()

    def get_tag_values(self, key: str, service: str = "") -> list[str]:
        """Return values of an attribute of newest spans, sorted; of one service or of all."""
        check_text("tag key", key)
        check_text("service", service)
        return self._reader.get_tag_values(key, service)

    def archive_trace(self, trace_id: str) -> None:
        """Keep a trace beyond the retention of spans.

        Raises:
            TraceNotFoundError: No span of it is stored.
        """
        check_trace_ids([trace_id])
        if not self._reader.archive_trace(trace_id):
            raise not_found()

    def transform(self, body: bytes) -> list[SpanColumns]:
        """Return the traces of an OTLP request that is not stored, in the order they appear.

        Nothing is adjusted or removed, as Jaeger's transform does it.

        Args:
            body: A protobuf `ExportTraceServiceRequest`.

        Raises:
            UndecodableError: `body` is something else.
        """
        return split_traces(transform_request(body))

    def get_dependencies(self, start_unix_nano: int, end_unix_nano: int) -> list[DependencyLink]:
        """Return the calls between services in the minutes that overlap [start, end), sorted."""
        if end_unix_nano <= start_unix_nano:
            return []
        found = self._reader.get_dependencies(max(start_unix_nano, 0), max(end_unix_nano, 0))
        tell_estimates(is_estimated=any(one.is_estimated for one in found))
        return found

    def get_graph(self, start_unix_nano: int, end_unix_nano: int) -> list[GraphEdge]:
        """Return the service graph of the minutes that overlap [start, end), in no order."""
        found = self._reader.get_graph(max(start_unix_nano, 0), max(end_unix_nano, 0))
        tell_estimates(is_estimated=is_estimated(found))
        return found

    def get_red(
        self, start_unix_nano: int, end_unix_nano: int, service: str = ""
    ) -> list[OperationRed]:
        """Return rate, errors and duration per operation, in whole minutes; empty means all."""
        check_text("service", service)
        found = self._reader.get_red(max(start_unix_nano, 0), max(end_unix_nano, 0), service)
        tell_estimates(is_estimated=any(one.is_estimated for one in found))
        return found

    def get_red_series(
        self, question: RedQuestion, what: str, quantile: float = 0.0
    ) -> list[RedSeries]:
        """Return `latencies`, `calls` or `errors` as series of points; see `points_of`."""
        for service in question.services:
            check_text("service", service)
        instants = question.instants_ms
        minutes = ((instants[0] - question.rate_per_ms) // 60_000, instants[-1] // 60_000)
        slots = self._reader.get_red_slots(
            minutes,
            question.services,
            question.span_kinds,
            by_operation=question.by_operation,
            slot_minutes=question.slot_minutes,
        )
        tell_estimates(is_estimated=any(one.is_estimated for one in slots))
        return points_of(question, slots, what, quantile)

    def _check_size(self, trace_ids: Sequence[str]) -> None:
        """Raise `LargeAnswerError` if the traces have many spans and that is not allowed now."""
        if ALLOWS_LARGE.get():
            return
        spans = 0
        for first in range(0, len(trace_ids), TRACES_PER_READ):
            some = tuple(trace_ids[first : first + TRACES_PER_READ])
            spans += self._reader.get_sample_size(
                SpanSample(start_unix_nano_min=0, start_unix_nano_max=_UINT64_MAX, trace_ids=some)
            )[0]
            if spans > SMALL_ANSWER_SPANS_MAX:
                raise LargeAnswerError("the answer is large and must wait for its turn")

    def _otlp(self, trace_ids: Sequence[str], *, raw: bool) -> TracesData:
        self._check_size(trace_ids)
        return self._read_otlp(trace_ids, raw=raw)

    def _read_otlp(self, trace_ids: Sequence[str], *, raw: bool) -> TracesData:
        traces = TracesData()
        span_count = 0
        for first in range(0, len(trace_ids), TRACES_PER_READ):
            some = trace_ids[first : first + TRACES_PER_READ]
            read = TracesData.FromString(self._read_messages(some))
            span_count += _span_count(read)
            if span_count > self._answer_spans_max and len(trace_ids) > 1:
                raise _too_many_spans(self._answer_spans_max)
            traces.resource_spans.extend(read.resource_spans)
        name_services(traces)
        if not raw:
            adjust_otlp(traces, self._adjusters)
        return traces

    def _read_messages(self, trace_ids: Sequence[str]) -> bytes:
        """Return traces as OTLP, without those that are too large to be read."""
        return b"".join(_readable(self._reader.get_otlp, trace_ids))

    def _read_columns(
        self, trace_ids: Sequence[str], *, raw: bool, skeleton: bool, spans_max: int | None
    ) -> list[SpanColumns]:
        """Return traces, several in one element, without those that are too large to be read."""

        def read(ids: Sequence[str]) -> SpanColumns:
            return self._reader.get_traces(ids, raw=raw, skeleton=skeleton, spans_max=spans_max)

        return _readable(read, trace_ids)

    def _find_ids(self, question: AnyQuestion) -> list[str]:
        return [found.trace_id for found in self._find(question)]

    def _find(self, question: AnyQuestion) -> list[FoundTrace]:
        check_question(question)
        if question.start_unix_nano_min > question.start_unix_nano_max:
            return []  # as Jaeger: nothing lies there
        if isinstance(question, TraceQuestion):
            named = replace(
                question,
                service=stored_service(question.service),
                operation=stored_name(question.operation),
            )
            return self._reader.find_traces(named)
        found = self._reader.find_spansets(question)
        if not found.is_complete:
            raise OverloadedError(f"cannot find all that match: {found.reason}")
        return [FoundTrace(one.trace_id, one.key) for one in found.traces]

    def _get(self, trace_ids: Sequence[str], *, raw: bool, skeleton: bool) -> list[SpanColumns]:
        check_trace_ids(trace_ids)
        traces: list[SpanColumns] = []
        span_count = 0
        small_max = None if ALLOWS_LARGE.get() else SMALL_ANSWER_SPANS_MAX
        for first in range(0, len(trace_ids), TRACES_PER_READ):
            some = trace_ids[first : first + TRACES_PER_READ]
            columns = self._read_columns(some, raw=raw, skeleton=skeleton, spans_max=small_max)
            span_count += sum(map(len, columns))
            if small_max is not None and span_count > small_max:
                raise LargeAnswerError("the answer is large and must wait for its turn")
            if span_count > self._answer_spans_max and len(trace_ids) > 1:
                raise _too_many_spans(self._answer_spans_max)
            for one in columns:
                if len(one):
                    traces.extend(split_traces(one))
        for trace in traces:
            limit_trace_size(trace, self._trace_size_spans_max)
            if not raw:
                adjust(trace, self._adjusters)
        return traces


class Queries:
    """The store of all tenants, asked for one at a time."""

    def __init__(
        self,
        readers: TenantReaders,
        *,
        max_clock_skew_adjust_seconds: float = 0.0,
        max_trace_size_spans: int = 0,
        answer_spans_max: int = ANSWER_SPANS_MAX,
    ) -> None:
        """Answer from `readers`; see `QueryService` for the rest."""
        self._readers = readers
        self._trace_size_spans_max = max_trace_size_spans
        self._answer_spans_max = answer_spans_max
        self._max_clock_skew_adjust_seconds = max_clock_skew_adjust_seconds

    def for_tenant(self, tenant: str) -> QueryService:
        """Return the service of what `tenant` has."""
        return QueryService(
            self._readers.for_tenant(tenant),
            max_clock_skew_adjust_seconds=self._max_clock_skew_adjust_seconds,
            max_trace_size_spans=self._trace_size_spans_max,
            answer_spans_max=self._answer_spans_max,
        )


def _only(traces: list[SpanColumns]) -> SpanColumns:
    if not traces:
        raise not_found()
    return traces[0]


def _readable(read: Callable[[Sequence[str]], _Read], trace_ids: Sequence[str]) -> list[_Read]:
    """Read traces at once, or one by one if that needs too much memory.

    A search must not fail because one of the traces it met is too large: the answer says that it is
    left out. Alone, it fails.
    """
    try:
        return [read(trace_ids)]
    except StorageMemoryError as error:
        if len(trace_ids) == 1:
            raise
        found, refused = [], error
    for one in trace_ids:
        try:
            found.append(read([one]))
        except StorageMemoryError as error:
            refused = error
            leave_out(one, error)
    if not found:
        raise refused
    return found


def _too_many_spans(spans_max: int) -> TooLargeError:
    return TooLargeError(
        f"cannot answer: the traces have more than {spans_max} spans, ask for fewer traces"
    )


def _span_count(traces: TracesData) -> int:
    return sum(
        len(scope_spans.spans)
        for resource_spans in traces.resource_spans
        for scope_spans in resource_spans.scope_spans
    )
