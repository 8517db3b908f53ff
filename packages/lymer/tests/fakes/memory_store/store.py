"""A store that keeps every span as an object: slow, small, and plainly right.

It is what the contract means; other stores are compared with it. Nothing here is durable.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, TracesData

from fakes.language_oracle import answer, oracle_spans, run
from fakes.memory_store.columns import is_found, to_columns
from fakes.memory_store.graph import graph_of
from fakes.memory_store.match import is_match
from fakes.memory_store.segment import decode_segment
from fakes.memory_store.span import Attributes, StoredSpan, to_stored_spans
from fakes.memory_store.span_table import sampled, to_span_table
from fakes.sampling_weight import weight_of
from lymer.errors import QuestionError, StorageError
from lymer.language.tree import Combine, Filter, MetricsQuery, Pipeline, Relate
from lymer.model.columns import SpanColumns
from lymer.model.find_terms import NOTHING, FindTerms
from lymer.model.graph import GraphEdge
from lymer.model.minute_counts import MinuteCounts
from lymer.model.question import (
    SPAN_KINDS,
    DependencyLink,
    FoundTrace,
    Operation,
    OperationRed,
    RedSlot,
    TraceQuestion,
    TraceSummary,
)
from lymer.model.span_table import SpanSample, SpanTable
from lymer.model.trace_arrays import FoundSpans, TraceArrays, shares_ids, to_arrays
from lymer.query.trace_find import found_rows
from lymer.storage.contract import SealedSegment, SpanRange, SpanReader
from lymer.storage.search_contract import (
    FieldName,
    FieldQuestion,
    FieldValue,
    FoundSeries,
    FoundSpanset,
    FoundSpansets,
    MatchedTrace,
    Series,
    SeriesQuestion,
    SpansetQuestion,
    TypedValue,
)
from lymer.wire.jaeger_json import to_text

__all__ = ["MemoryStore"]

_NANO_PER_MINUTE = 60_000_000_000
CALLERS = {3, 4}
"""Kinds that call: client, producer."""
CALLEES = {2, 5}
"""Kinds that are called: server, consumer."""


class MemoryStore:
    """Implements `SpanStore`. Unbounded: for tests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tenants: dict[str, _Tenant] = {}
        self._parts: dict[int, list[StoredSpan]] = {}

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._tenants.clear()

    def for_tenant(self, tenant: str, /) -> SpanReader:
        """See `SpanStore.for_tenant`."""
        with self._lock:
            return self._tenants.get(tenant) or _Tenant()

    def write_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.write_segment`."""
        self._add(segment, _spans(segment.path))

    def write_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter.write_part`."""
        self._parts.setdefault(segment.segment_id, []).extend(_spans(path))

    def try_part(self, segment: SealedSegment, path: Path, /) -> None:
        """See `SpanWriter.try_part`."""
        _spans(path)

    def expect(self, segments: Sequence[SealedSegment], /) -> None:
        """See `SpanWriter.expect`; parts are not to be seen here before they are whole."""

    def announce(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.announce`."""

    def recover_segment(self, segment: SealedSegment, /) -> None:
        """See `SpanWriter.recover_segment`."""
        parts = self._parts.pop(segment.segment_id, [])
        self._add(segment, parts if len(parts) == segment.span_count else _spans(segment.path))

    def _add(self, segment: SealedSegment, spans: Sequence[StoredSpan]) -> None:
        with self._lock:
            tenant = self._tenants.setdefault(segment.tenant, _Tenant())
        tenant.add(segment.segment_id, spans)


def _spans(path: Path) -> list[StoredSpan]:
    return [span for request in decode_segment(_content(path)) for span in to_stored_spans(request)]


class _Tenant:
    """What one tenant has: implements `SpanReader`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._segment_ids: set[int] = set()
        self._newest_segment = 0
        self._segment_of: dict[str, int] = {}
        self._spans_by_trace: dict[str, list[StoredSpan]] = {}
        self._archive: dict[str, list[StoredSpan]] = {}

    def drop_spans(self) -> None:
        """Drop every span that is not archived, as retention does."""
        with self._lock:
            self._spans_by_trace.clear()

    def add(self, segment_id: int, spans: Sequence[StoredSpan]) -> None:
        """Keep the spans of a segment that is not known yet."""
        with self._lock:
            self._newest_segment = max(self._newest_segment, segment_id)
            self._segment_of.update((span.trace_id, segment_id) for span in spans)
            if segment_id in self._segment_ids:
                return
            self._segment_ids.add(segment_id)
            for span in spans:
                self._spans_by_trace.setdefault(span.trace_id, []).append(span)

    def get_services(self) -> list[str]:
        """See `SpanReader.get_services`."""
        return sorted({span.service for span in self._all_spans()})

    def get_operations(self, service: str, span_kind: str, /) -> list[Operation]:
        """See `SpanReader.get_operations`."""
        found = {
            Operation(span.name, SPAN_KINDS[span.kind])
            for span in self._all_spans()
            if span.service == service
        }
        return sorted(found_one for found_one in found if span_kind in {"", found_one.span_kind})

    def find_traces(self, question: TraceQuestion, /) -> list[FoundTrace]:
        """See `SpanReader.find_traces`."""
        newest: dict[str, int] = {}
        for span in self._all_spans():
            if is_match(span, question):
                newest[span.trace_id] = max(newest.get(span.trace_id, 0), span.start_unix_nano)
        found = sorted(newest.items(), key=lambda pair: (-pair[1], pair[0]))
        if question.after_start_unix_nano is not None:
            place = (-question.after_start_unix_nano, question.after_trace_id)
            found = [pair for pair in found if (-pair[1], pair[0]) > place]
        return [FoundTrace(trace_id, start) for trace_id, start in found[: question.limit]]

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
        """See `SpanReader.get_traces`."""
        spans = _within(self._spans_of(trace_ids, archived=True), within)
        last = len(spans) if spans_max is None else spans_max + 1
        return to_columns(spans[:last], raw=raw, skeleton=skeleton)

    def get_trace_arrays(self, trace_id: str, find: FindTerms = NOTHING, /) -> TraceArrays:
        """See `SpanReader.get_trace_arrays`."""
        columns = self.get_traces([trace_id], raw=False, skeleton=False)
        arrays = to_arrays(columns)
        if len(arrays) and find.include:
            arrays.found = np.array(
                [is_found(columns, row, find) for row in range(len(columns))], dtype="u1"
            )
        return arrays

    def find_in_trace(self, trace_id: str, find: FindTerms, /) -> FoundSpans:
        """See `SpanReader.find_in_trace`."""
        trace = self.get_trace_arrays(trace_id, find)
        if not len(trace):
            return FoundSpans()
        ids = trace.span_id[found_rows(trace, find)]
        return FoundSpans(ids, len(trace), shares_ids(trace.span_id))

    def get_sample_size(self, sample: SpanSample, /) -> tuple[int, int]:
        """See `SpanReader.get_sample_size`."""
        spans = sampled(self._all_spans(), sample)
        return len(spans), len({span.trace_id for span in spans})

    def get_span_table(self, sample: SpanSample, /) -> SpanTable:
        """See `SpanReader.get_span_table`."""
        return to_span_table(sampled(self._all_spans(), sample), sample)

    def get_span(self, trace_id: str, span_id: str, /) -> SpanColumns:
        """See `SpanReader.get_span`."""
        found = self._spans_of([trace_id], archived=True)
        spans = [span for span in found if span.span_id == span_id]
        return to_columns(spans, raw=False, skeleton=False)

    def get_summaries(self, trace_ids: Sequence[str], /) -> list[TraceSummary]:
        """See `SpanReader.get_summaries`."""
        traces = (_once(self._spans_of([trace_id])) for trace_id in dict.fromkeys(trace_ids))
        return [_summary(spans) for spans in traces if spans]

    def get_dependencies(self, start_unix_nano: int, end_unix_nano: int, /) -> list[DependencyLink]:
        """See `SpanReader.get_dependencies`."""
        first, end = _whole_minutes(start_unix_nano, end_unix_nano)
        calls: Counter[tuple[str, str]] = Counter()
        sampled: set[tuple[str, str]] = set()
        for trace_id in self._trace_ids():
            for parent, child, start, weight in _calls(self._spans_of([trace_id])):
                if first <= start < end:
                    calls[parent, child] += round(weight)
                    if weight > 1:
                        sampled.add((parent, child))
        return sorted(
            DependencyLink(*services, count, services in sampled)
            for services, count in calls.items()
        )

    def get_graph(self, start_unix_nano: int, end_unix_nano: int, /) -> list[GraphEdge]:
        """See `SpanReader.get_graph`."""
        with self._lock:
            traces = [list(spans) for spans in self._spans_by_trace.values()]
        return graph_of(traces, *_whole_minutes(start_unix_nano, end_unix_nano))

    def get_red(
        self, start_unix_nano: int, end_unix_nano: int, service: str, /
    ) -> list[OperationRed]:
        """See `SpanReader.get_red`; quantiles here are exact (nearest rank)."""
        first, end = _whole_minutes(start_unix_nano, end_unix_nano)
        groups: dict[tuple[str, str, str], list[StoredSpan]] = {}
        for span in self._all_spans():
            if first <= span.start_unix_nano < end and service in {"", span.service}:
                key = (span.service, span.name, SPAN_KINDS[span.kind])
                groups.setdefault(key, []).extend([span] * round(weight_of(span.span.trace_state)))
        return [_red(*key, groups[key]) for key in sorted(groups)]

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
        """See `SpanReader.get_red_slots`."""
        groups: dict[tuple[str, str, int], list[StoredSpan]] = {}
        for span in self._all_spans():
            minute = span.start_unix_nano // _NANO_PER_MINUTE
            if (
                minutes[0] // slot_minutes * slot_minutes <= minute <= minutes[1]
                and span.service in services
                and SPAN_KINDS[span.kind] in span_kinds
            ):
                name = span.name if by_operation else ""
                key = (span.service, name, minute // slot_minutes * slot_minutes)
                groups.setdefault(key, []).extend([span] * round(weight_of(span.span.trace_state)))
        return [
            RedSlot(
                *key,
                len(spans),
                sum(span.status_code == 2 for span in spans),
                tuple(sorted(Counter(map(_bucket, spans)).items())),
                _is_estimated(spans),
            )
            for key, spans in groups.items()
        ]

    def get_minute_counts(
        self, minutes: tuple[int, int], services: Sequence[str], /, *, of: str
    ) -> MinuteCounts:
        """See `SpanReader.get_minute_counts`."""
        rows: list[tuple[tuple[str, str], int, float, float, float]] = []
        if of == "operations":
            rows = [
                ((span.service, span.name), span.start_unix_nano // _NANO_PER_MINUTE,
                 weight, weight * (span.status_code == 2), weight * (_bucket(span) + 0.5) / 8)
                for span in self._all_spans()
                for weight in (weight_of(span.span.trace_state),)
                if not services or span.service in services
            ]  # fmt: skip
        else:
            for minute in {one.start_unix_nano // _NANO_PER_MINUTE for one in self._all_spans()}:
                at = minute * _NANO_PER_MINUTE
                for edge in self.get_graph(at, at + 1):
                    if edge.source_kind and (
                        not services or {edge.source, edge.target} & set(services)
                    ):
                        ends = [
                            name if kind == "service" else f"{kind}:{name}"
                            for kind, name in (
                                (edge.source_kind, edge.source), (edge.target_kind, edge.target),
                            )
                        ]  # fmt: skip
                        logs = sum((bucket + 0.5) / 8 * count for bucket, count in edge.buckets)
                        rows.append(((ends[0], ends[1]), minute, edge.calls, edge.errors, logs))
        rows = [row for row in rows if minutes[0] <= row[1] <= minutes[1]]
        names = list(dict.fromkeys(row[0] for row in rows))
        return MinuteCounts(
            names,
            np.array([names.index(row[0]) for row in rows], dtype=np.int64),
            np.array([row[1] for row in rows], dtype=np.int64),
            *(np.array([row[at] for row in rows], dtype=float) for at in (2, 3, 4)),
        )

    def find_spansets(self, question: SpansetQuestion, /) -> FoundSpansets:
        """See `SpanReader.find_spansets`; what is shown of spans is left out."""
        traces = oracle_spans(self._all_spans())
        low, high = question.start_unix_nano_min, question.start_unix_nano_max
        body = question.query.body
        if not isinstance(body, Pipeline | Filter | Combine | Relate):
            raise QuestionError("the question asks for numbers over time")
        found = answer(body, traces, low, high)
        after = question.after_segment
        if after is not None:
            found = [one for one in found if self._segment_of[one[0]] > after]
        return FoundSpansets(
            tuple(
                MatchedTrace(
                    *(trace_id, "", "", 0, 0, ()),
                    tuple(FoundSpanset((), len(ids), (), tuple(ids)) for ids in sets),
                    0,
                )
                for trace_id, sets in found[: question.traces_max]
            ),
            has_more=len(found) > question.traces_max,
            segment=self._newest_segment,
        )

    def get_series(self, question: SeriesQuestion, /) -> FoundSeries:
        """See `SpanReader.get_series`; it counts spans by weight, whatever is measured."""
        if not isinstance(question.query.body, MetricsQuery):
            raise QuestionError("the store in memory counts spans only")
        source = question.query.body.source
        sets = [
            some
            for spans in oracle_spans(self._all_spans()).values()
            for some in run([source], [spans])
        ]
        weights = [span.weight for some in sets for span in some]
        count, is_estimated = sum(weights), any(one > 1 for one in weights)
        if question.query.body.function == "histogram_over_time":
            labels: tuple[tuple[str, TypedValue | None], ...] = (
                ("status", ("status", "unset")),
                ("__bucket", ("float", 1.0)),
            )
            series = Series(labels, ((0, count),))
        else:
            series = Series((), ((0, count),))
        return FoundSeries((series,) if count else (), is_estimated=is_estimated)

    def get_field_names(self, question: FieldQuestion, /) -> list[FieldName]:
        """See `SpanReader.get_field_names`."""
        keys = Counter(key for span in self._all_spans() for key, _ in span.attributes)
        return [FieldName("span", key, "any", count) for key, count in keys.most_common()]

    def get_field_values(self, question: FieldQuestion, /) -> list[FieldValue]:
        """See `SpanReader.get_field_values`; values are texts."""
        wanted = getattr(question.field, "name", "")
        values = Counter(
            to_text(value)
            for span in self._all_spans()
            for key, value in span.attributes
            if key == wanted
        )
        return [FieldValue(("string", text), count) for text, count in values.most_common()]

    def get_otlp(self, trace_ids: Sequence[str], /, *, within: SpanRange | None = None) -> bytes:
        """See `SpanReader.get_otlp`."""
        traces = TracesData()
        origin = None
        scope_spans = ScopeSpans()
        spans = self._spans_of(trace_ids, archived=len(trace_ids) == 1)
        for span in _within(spans, within):
            if origin != (span.resource_spans, span.scope_spans):
                origin = (span.resource_spans, span.scope_spans)
                resource_spans = traces.resource_spans.add()
                resource_spans.CopyFrom(span.resource_spans)
                scope_spans = resource_spans.scope_spans.add()
                scope_spans.CopyFrom(span.scope_spans)
            stored = scope_spans.spans.add()
            stored.CopyFrom(span.span)
            stored.trace_id = bytes.fromhex(span.trace_id)
            stored.span_id = bytes.fromhex(span.span_id)
            stored.parent_span_id = bytes.fromhex(span.parent_span_id)
            stored.name = span.name
            end = span.start_unix_nano + span.duration_nano
            stored.end_time_unix_nano = min(end, 2**64 - 1)
        return traces.SerializeToString()

    def _trace_ids(self) -> list[str]:
        with self._lock:
            return list(self._spans_by_trace)

    def _all_spans(self) -> list[StoredSpan]:
        with self._lock:
            return list(itertools.chain.from_iterable(self._spans_by_trace.values()))

    def get_tag_keys(self) -> list[str]:
        """See `SpanReader.get_tag_keys`; of all spans."""
        return sorted({key for span in self._all_spans() for key, _ in _of_span(span)})

    def get_tag_values(self, key: str, service: str, /) -> list[str]:
        """See `SpanReader.get_tag_values`; of all spans."""
        return sorted(
            {
                to_text(value)
                for span in self._all_spans()
                for name, value in _of_span(span)
                if name == key and service in {"", span.service}
            }
        )

    def archive_trace(self, trace_id: str, /) -> bool:
        """See `SpanReader.archive_trace`."""
        with self._lock:
            spans = self._spans_by_trace.get(trace_id)
            if spans:
                self._archive[trace_id] = list(spans)
            return trace_id in self._archive

    def _spans_of(self, trace_ids: Iterable[str], *, archived: bool = False) -> list[StoredSpan]:
        """Return the spans of the traces in the order of `SpanColumns`."""
        with self._lock:
            traces = [
                self._spans_by_trace.get(one) or (self._archive.get(one, []) if archived else [])
                for one in dict.fromkeys(trace_ids)
            ]
            return [
                span
                for spans in traces
                for span in sorted(spans, key=lambda one: (one.start_unix_nano, one.span_id))
            ]


def _is_estimated(spans: Iterable[StoredSpan]) -> bool:
    return any(weight_of(span.span.trace_state) > 1 for span in spans)


def _of_span(span: StoredSpan) -> Attributes:
    """Return the attributes of span and resource; the latter may hold a service name or not."""
    resource = tuple((pair.key, pair.value) for pair in span.resource_spans.resource.attributes)
    return (*span.attributes, *resource)


def _bucket(span: StoredSpan) -> int:
    return math.floor(math.log2(span.duration_nano + 1) * 8)


def _calls(spans: Iterable[StoredSpan]) -> Iterator[tuple[str, str, int, float]]:
    """Yield (caller's service, callee's, start, weight) of the spans of a trace, each once.

    Source: reference jaeger.md 6.4, rules a and b.
    """
    starts: dict[tuple[str, str, str, int], int] = {}
    weights: dict[tuple[str, str, str, int], float] = {}
    for span in spans:
        one = (span.span_id, span.parent_span_id, span.service, span.kind)
        starts[one] = min(starts.get(one, span.start_unix_nano), span.start_unix_nano)
        weights[one] = weight_of(span.span.trace_state)
    for one, start in starts.items():
        span_id, parent_id, service, kind = one
        callers = [each for each in starts if each[0] == span_id and each[3] in CALLERS]
        parents = [each for each in starts if each[0] == parent_id and parent_id]
        if kind in CALLEES and callers:
            yield min(caller[2] for caller in callers), service, start, weights[one]
        elif parents:
            callees = [each for each in parents if each[3] in CALLEES]
            yield min(each[2] for each in callees or parents), service, start, weights[one]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot read segment: {error}") from error


def _whole_minutes(start_unix_nano: int, end_unix_nano: int) -> tuple[int, int]:
    """Return the range of the minutes that overlap [start, end)."""
    first = start_unix_nano - start_unix_nano % _NANO_PER_MINUTE
    return first, -(-end_unix_nano // _NANO_PER_MINUTE) * _NANO_PER_MINUTE


def _once(spans: Sequence[StoredSpan]) -> list[StoredSpan]:
    """Return the spans without those that were sent before."""
    return list({span.identity: span for span in reversed(spans)}.values())[::-1]


def _within(spans: list[StoredSpan], within: SpanRange | None) -> list[StoredSpan]:
    if within is None:
        return spans
    first, last = within[:2], within[2:]
    return [one for one in spans if first <= (one.start_unix_nano, int(one.span_id, 16)) <= last]


def _summary(spans: Sequence[StoredSpan]) -> TraceSummary:
    """Sum up the spans of one trace, which are sorted by start."""
    span_ids = {span.span_id for span in spans}
    root = next((span for span in spans if not span.parent_span_id), None)
    counts = Counter(span.service for span in spans)
    errors = Counter(span.service for span in spans if span.status_code == 2)
    return TraceSummary(
        trace_id=spans[0].trace_id,
        root_service_name=root.service if root else "",
        root_operation_name=root.name if root else "",
        min_start_unix_nano=spans[0].start_unix_nano,
        max_end_unix_nano=max(span.start_unix_nano + span.duration_nano for span in spans),
        span_count=len(spans),
        error_span_count=errors.total(),
        orphan_span_count=sum(
            1 for span in spans if span.parent_span_id and span.parent_span_id not in span_ids
        ),
        services=tuple((service, counts[service], errors[service]) for service in sorted(counts)),
    )


def _red(service: str, operation: str, span_kind: str, spans: Sequence[StoredSpan]) -> OperationRed:
    durations = sorted(span.duration_nano for span in spans)
    p50, p95, p99 = (durations[-(-len(durations) * n // 100) - 1] for n in (50, 95, 99))
    return OperationRed(
        service=service,
        operation=operation,
        span_kind=span_kind,
        call_count=len(spans),
        error_count=sum(1 for span in spans if span.status_code == 2),
        duration_nano_sum=sum(durations),
        duration_nano_p50=p50,
        duration_nano_p95=p95,
        duration_nano_p99=p99,
        is_estimated=_is_estimated(spans),
    )
