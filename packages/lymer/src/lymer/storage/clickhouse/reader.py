"""Questions about one tenant's spans, as statements; their answers as columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any, Final

from lymer.errors import QuestionError, StorageError
from lymer.language import tree
from lymer.language.jaeger_parameters import condition_of
from lymer.model.columns import SpanColumns
from lymer.model.conventions import names_of
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
from lymer.model.trace_arrays import FoundSpans, TraceArrays
from lymer.storage.clickhouse.answers import SELECT_SUMMARIES
from lymer.storage.clickhouse.any_value import address_meanings, any_value_meanings
from lymer.storage.clickhouse.archive import Archive, select_archived_spans
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.engine import ROWS_CODE, Engine, Settings
from lymer.storage.clickhouse.engine_tiered import TieredEngine
from lymer.storage.clickhouse.graph import GRAPH_WIDTH, edges_of, select_graph
from lymer.storage.clickhouse.minute_counts import read_edge_minutes, read_operation_minutes
from lymer.storage.clickhouse.origins import KnownOrigins
from lymer.storage.clickhouse.otlp_parts import OtlpParts
from lymer.storage.clickhouse.red_select import quantiles, select_red, select_red_slots
from lymer.storage.clickhouse.rollup import CountedRollups
from lymer.storage.clickhouse.select import (
    Query,
    Tag,
    find_places,
    is_any_trace,
    select_values,
    shown_condition,
    types_of_many_meanings,
)
from lymer.storage.clickhouse.span_columns import (
    BY_ID,
    FEW_COLUMNS,
    MOST_COLUMNS,
    PLAIN,
    select_spans,
)
from lymer.storage.clickhouse.span_parts import (
    PART_SPANS_MAX,
    SpanParts,
    in_range,
    part_limit,
    part_refused,
)
from lymer.storage.clickhouse.span_tables import read_sample_size, read_span_table
from lymer.storage.clickhouse.spansets.arrays import ArrayKeys
from lymer.storage.clickhouse.spansets.asking import Asking
from lymer.storage.clickhouse.spansets.conditions import Conditions
from lymer.storage.clickhouse.spansets.fields import find_names, find_values
from lymer.storage.clickhouse.spansets.minute_values import MinuteValues
from lymer.storage.clickhouse.spansets.search import find_spansets, naming_statement
from lymer.storage.clickhouse.spansets.series import find_series
from lymer.storage.clickhouse.spansets.values import Names
from lymer.storage.clickhouse.statements import statement
from lymer.storage.clickhouse.tag_select import select_tag_keys, select_tag_values
from lymer.storage.clickhouse.tail_rates import add_rates
from lymer.storage.clickhouse.trace_arrays import (
    TraceStatements,
    read_found_spans,
    read_trace_arrays,
)
from lymer.storage.contract import SpanRange
from lymer.storage.search_contract import (
    FieldName,
    FieldQuestion,
    FieldValue,
    FoundSeries,
    FoundSpansets,
    SeriesQuestion,
    SpansetQuestion,
)
from lymer.wire.jaeger_json import any_value_text
from lymer.wire.otlp_values import with_readable_values
from lymer.wire.span_rows import COLUMNS, Origins, SpanRows, to_columns

__all__ = ["TenantReader"]

_THREADS_MAX: Final = 2
"""Of one statement: several run at once."""
_FIRST_SPANS: Final = 100
"""Newest matching spans looked at first; most questions need no more."""
_SPANS_PER_TRACE: Final = 4
"""How many spans of a trace match, as a first guess."""
_WIDEN: Final = 10
_SPANS_LIMITED_MAX: Final = 20_000
"""Beyond so many, one unlimited statement is cheaper than another round."""
_IDS_PER_STATEMENT: Final = 2_000
_EVERY: Final = 2**31
_TRACE_ID_TEXT: Final = re.compile(r"[0-9a-f]{32}\Z")
_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}\Z")
_NANO_PER_MINUTE: Final = 60_000_000_000
_MINUTE_MAX: Final = 2**32 - 1
_FAILED_MAX: Final = 6
"""How often few columns may be too few before all are asked for at once."""
_ONE_THREAD: Final = {"max_threads": 1}
"""What two threads would add up apart, somebody must add up again: 17 ms of CPU instead of 22."""
_UNLIMITED: Final[Settings] = {}


class TenantReader:
    """A `SpanReader` of one database; every statement has a time and a memory limit."""

    def __init__(
        self,
        engine: Engine,
        database: str,
        catalog: Catalog,
        rollups: CountedRollups | None,
        settled_segment_id: Callable[[], int],
        *,
        timeout_seconds: float,
        memory_bytes_max: int,
    ) -> None:
        """Remember whom to ask, and the limits of one statement.

        Args:
            engine: Holds the tables.
            database: The tenant's.
            catalog: What the tenant has.
            rollups: Brought up to date before what they count is read; None if nothing is stored.
            settled_segment_id: Tells up to which segment all is stored.
            timeout_seconds: Of a statement.
            memory_bytes_max: Of a statement.
        """
        self._engine = engine = TieredEngine(engine, self._forget)
        self._database = database
        self._catalog = catalog
        self._rollups = rollups
        self._settled_segment_id = settled_segment_id
        self._settings: Settings = {
            "max_execution_time": max(1, round(timeout_seconds)),
            "max_memory_usage": memory_bytes_max,
            "max_threads": _THREADS_MAX,
        }
        self._parts = SpanParts(engine, database, {**self._settings, **PLAIN, "max_threads": 1})
        self._by_id = by_id = {**self._settings, **BY_ID}
        self._archive = Archive(engine, database, by_id, is_shared=settled_segment_id() < 0)
        self._otlp = OtlpParts(engine, database, by_id)
        self._forget()
        self._origins_known = KnownOrigins(engine, database, by_id)
        self._few = _Few()
        self.part_spans_max = PART_SPANS_MAX
        """More spans are read in parts of so many."""
        self.graph_age_seconds_max = 0.0
        """A service graph that was counted so recently is read as it is."""
        self.shows_rates = False
        """Whether traces kept by chance say so: tail sampling is on."""

    def _forget(self) -> None:
        """Begin to learn anew: what was learnt of half an answer is wrong of a whole one."""
        self._learnt = ArrayKeys(), MinuteValues()

    def get_services(self) -> list[str]:
        """See `SpanReader.get_services`."""
        return sorted({_text(service) for service in self._catalog.services()})

    def get_operations(self, service: str, span_kind: str, /) -> list[Operation]:
        """See `SpanReader.get_operations`."""
        if span_kind and span_kind not in SPAN_KINDS:
            message = f"cannot list operations: {span_kind!r} is not one of {SPAN_KINDS}"
            raise QuestionError(message)
        found = {
            Operation(_text(name), SPAN_KINDS[kind if 0 < kind < len(SPAN_KINDS) else 0])
            for name, kind in self._catalog.operations(service.encode())
        }
        return sorted(one for one in found if span_kind in {"", one.span_kind})

    def find_traces(self, question: TraceQuestion, /) -> list[FoundTrace]:
        """See `SpanReader.find_traces`.

        The newest matching spans are looked at in widening rounds. A round decides once it holds
        enough traces or all matching spans; no limit can hide a match.
        """
        if question.limit < 1:
            message = f"cannot find traces: the limit is {question.limit}, it must be at least 1"
            raise QuestionError(message)
        service, operation = question.service.encode(), question.operation.encode()
        if not self._catalog.has_operation(service, operation):
            return []
        if question.after_start_unix_nano is not None:
            return self._find_page(question, question.after_start_unix_nano)
        names = Names(Query(), self._catalog)
        where = self._spans_of(names, question)
        clause = names.clause(where)
        span_limit = max(_FIRST_SPANS, _SPANS_PER_TRACE * question.limit)
        has_tags = bool(question.tags or question.present)
        durations = {question.duration_nano_min, question.duration_nano_max}
        settings: Settings = {}
        if durations == {None} and not (has_tags and operation):
            # A rare tag leaves few granules: they are chosen at once. What is common lies among
            # the newest spans: a second thread reads what nobody needs.
            settings = BY_ID if has_tags else _ONE_THREAD
        while span_limit <= _SPANS_LIMITED_MAX:
            text = naming_statement(
                "newest", "start", where, clause, reads_first=True, spans_max=span_limit
            )
            rows = self._rows(replace(names.query, statement=text), 2, settings)
            newest = dict(reversed(rows))
            if len(newest) >= question.limit or len(rows) < span_limit:
                return _newest_first(newest.items(), question.limit)
            span_limit *= _WIDEN
        text = naming_statement("all", "start", where, clause, traces_max=question.limit)
        rows = self._rows(replace(names.query, statement=text), 2)
        return _newest_first(rows, question.limit)

    def _find_page(self, question: TraceQuestion, key: int) -> list[FoundTrace]:
        """Return the traces behind a place of the order; a page costs what it shows.

        Of the traces with a match before `key` those are left out that have a later one too: they
        were shown. Of spans that start alike a limit may have cut some, so the last are not used.
        """
        place = (-key, bytes.fromhex(question.after_trace_id))
        first, last = question.start_unix_nano_min, question.start_unix_nano_max
        older = replace(question, start_unix_nano_max=min(last, key))
        newer = replace(question, start_unix_nano_min=max(first, key + 1))
        span_limit = max(_FIRST_SPANS, _SPANS_PER_TRACE * question.limit)
        while span_limit <= _SPANS_LIMITED_MAX:
            rows = self._named(older, "newest", spans_max=span_limit)
            is_cut = len(rows) == span_limit
            newest = dict(reversed(rows))
            fresh: list[tuple[bytes, int]] = []
            left = sorted(
                (
                    one
                    for one in newest.items()
                    if (-one[1], one[0]) > place and not (is_cut and one[1] <= rows[-1][1])
                ),
                key=lambda one: (-one[1], one[0]),
            )
            for at in range(0, len(left), _IDS_PER_STATEMENT):
                some = left[at : at + _IDS_PER_STATEMENT]
                shown: set[bytes] = set()
                if key < last:
                    ids = [one.hex() for one, _ in some]
                    shown = {one for one, _ in self._named(newer, "all", ids, traces_max=len(ids))}
                fresh += [one for one in some if one[0] not in shown]
                if len(fresh) >= question.limit:
                    break
            if len(fresh) >= question.limit or not is_cut:
                return _newest_first(fresh, question.limit)
            span_limit *= _WIDEN
        every = self._named(question, "all", traces_max=_EVERY)
        return _newest_first((one for one in every if (-one[1], one[0]) > place), question.limit)

    def _named(
        self, question: TraceQuestion, which: str, among: Sequence[str] = (), **limit: int
    ) -> list[tuple[bytes, int]]:
        """Return (trace id, start) of the newest spans that match, or of all traces."""
        names = Names(Query(), self._catalog)
        where = self._spans_of(names, question)
        if among:
            where += f"\n    AND {is_any_trace(names.query, among)}"
        clause = names.clause(where)
        text = naming_statement(which, "start", where, clause, reads_first=False, **limit)
        rows = self._rows(replace(names.query, statement=text), 2, BY_ID if among else None)
        return [(one, start) for one, start in rows]

    def _spans_of(self, names: Names, question: TraceQuestion) -> str:
        """Return the condition on spans that the parameters of a search are."""
        node = condition_of(question)
        parts = [
            f"start >= {names.query.number(max(question.start_unix_nano_min, 0))}",
            f"start <= {names.query.number(max(question.start_unix_nano_max, 0))}",
        ]
        if node is not None:
            shown = partial(self._shown, names.query, question)
            conditions = Conditions(names, with_arrays=False, shown=shown)
            operands = node.operands if isinstance(node, tree.Logic) else (node,)
            parts += [conditions.condition(one) for one in operands]
        return "\n    AND ".join(parts)

    def _shown(self, query: Query, question: TraceQuestion, node: tree.Shown) -> str:
        tags = self._tags(question, node)
        places = [
            replace(find_places(self._catalog, tag), has_rates=self.shows_rates) for tag in tags
        ]
        return shown_condition(query, node, tags, places)

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
        known = _checked_ids(trace_ids)
        if not known:
            return SpanColumns()
        if within is not None:
            limit = part_limit(within)
            with part_refused():
                columns = self._spans(
                    in_range(within), known, raw=raw, skeleton=skeleton, limit=limit
                )
            has_root = not all(columns.parent_span_id)  # which says what the trace stands for
            return self._with_rates(columns) if has_root and not skeleton else columns
        limit_spans = self.part_spans_max if spans_max is None else spans_max
        found = self._spans_limited(known, limit_spans, raw=raw, skeleton=skeleton)
        if found is None and spans_max is not None:
            return _too_many(spans_max + 1)
        if found is None:

            def rendered(rows: SpanRows) -> SpanColumns:
                origins = self._origins(rows, is_any_trace, known)
                return to_columns(rows, origins, known, raw=raw, skeleton=skeleton)

            found = self._parts.read(
                is_any_trace, known, rendered, skeleton=skeleton, spans_max=limit_spans
            )
        return found if skeleton else self._with_rates(found)

    def get_trace_arrays(self, trace_id: str, find: FindTerms = NOTHING, /) -> TraceArrays:
        """See `SpanReader.get_trace_arrays`."""
        (known,) = _checked_ids([trace_id])
        return read_trace_arrays(self._about(known), find)

    def find_in_trace(self, trace_id: str, find: FindTerms, /) -> FoundSpans:
        """See `SpanReader.find_in_trace`."""
        (known,) = _checked_ids([trace_id])
        return read_found_spans(self._about(known), find)

    def _about(self, trace_id: str) -> TraceStatements:
        settings = {**self._settings, **BY_ID, "max_threads": 1}
        return TraceStatements(
            self._engine, self._database, settings, trace_id, self._origins_known
        )

    def get_span(self, trace_id: str, span_id: str, /) -> SpanColumns:
        """See `SpanReader.get_span`."""
        if not _SPAN_ID.match(span_id):
            message = f"cannot read a span: {span_id[:64]!r} is not 16 hex digits"
            raise QuestionError(message)
        known = _checked_ids([trace_id])

        def where(query: Query, ids: Sequence[str]) -> str:
            return f"{is_any_trace(query, ids)} AND span_id = {query.blob(bytes.fromhex(span_id))}"

        return self._with_rates(self._spans(where, known, raw=False, skeleton=False))

    def get_summaries(self, trace_ids: Sequence[str], /) -> list[TraceSummary]:
        """See `SpanReader.get_summaries`."""
        known = _checked_ids(trace_ids)
        if not known:
            return []
        found: dict[str, Any] = {}
        for at in range(0, len(known), _IDS_PER_STATEMENT):
            query = Query()
            where = is_any_trace(query, known[at : at + _IDS_PER_STATEMENT])
            query.statement = SELECT_SUMMARIES.replace("{where}", where)
            found |= {row[0].hex(): row for row in self._rows(query, 9, BY_ID)}
        return [_summary(found[trace_id]) for trace_id in known if trace_id in found]

    def get_dependencies(self, start_unix_nano: int, end_unix_nano: int, /) -> list[DependencyLink]:
        """See `SpanReader.get_dependencies`; minutes are taken whole."""
        self._catch_up("dependencies")
        first, last = _minutes(start_unix_nano, end_unix_nano)
        query = Query(statement("dependencies", first=first, last=last))
        return sorted(
            DependencyLink(_text(parent), _text(child), count, bool(are_sampled))
            for parent, child, count, are_sampled in self._rows(query, 4)
        )

    def get_graph(self, start_unix_nano: int, end_unix_nano: int, /) -> list[GraphEdge]:
        """See `SpanReader.get_graph`."""
        self._catch_up("graph", self.graph_age_seconds_max)
        query = select_graph(*_minutes(start_unix_nano, end_unix_nano))
        return edges_of(self._rows(query, GRAPH_WIDTH))

    def get_red(
        self, start_unix_nano: int, end_unix_nano: int, service: str, /
    ) -> list[OperationRed]:
        """See `SpanReader.get_red`."""
        self._catch_up("red")
        self._catch_up("red_hours")
        query = select_red(*_minutes(start_unix_nano, end_unix_nano), service)
        found = [
            OperationRed(
                _text(service), _text(operation), SPAN_KINDS[kind], calls, errors, durations,
                *quantiles(buckets, calls), estimated != 0,
            )
            for service, operation, kind, calls, errors, durations, estimated, buckets
            in self._rows(query, 8, _ONE_THREAD)
            if calls
        ]  # fmt: skip
        return sorted(found, key=lambda one: (one.service, one.operation, one.span_kind))

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
        self._catch_up("red")
        if slot_minutes % 60 == 0:
            self._catch_up("red_hours")
        query = select_red_slots(
            minutes, services, span_kinds, by_operation=by_operation, slot_minutes=slot_minutes
        )
        return [
            RedSlot(
                _text(service), _text(operation), slot, calls, errors,
                tuple(one for one in buckets if one[1]), estimated != 0,
            )
            for service, operation, slot, calls, errors, buckets, estimated in self._rows(query, 7)
            if calls
        ]  # fmt: skip

    def get_minute_counts(
        self, minutes: tuple[int, int], services: Sequence[str], /, *, of: str
    ) -> MinuteCounts:
        """See `SpanReader.get_minute_counts`."""
        if of not in {"operations", "edges"}:
            raise QuestionError(f"cannot count by the minute: nothing is named {of[:64]!r}")
        if of == "edges":
            self._catch_up("graph", self.graph_age_seconds_max)
            read = read_edge_minutes
        else:
            self._catch_up("red")
            read = read_operation_minutes
        return read(self._engine, self._database, self._settings, minutes, services)

    def get_sample_size(self, sample: SpanSample, /) -> tuple[int, int]:
        """See `SpanReader.get_sample_size`."""
        _checked_ids(sample.trace_ids)
        return read_sample_size(self._engine, self._database, self._settings_of(sample), sample)

    def get_span_table(self, sample: SpanSample, /) -> SpanTable:
        """See `SpanReader.get_span_table`."""
        _checked_ids(sample.trace_ids)
        settings = self._settings_of(sample)
        return read_span_table(self._engine, self._database, settings, sample, self._origins_known)

    def _settings_of(self, sample: SpanSample) -> Settings:
        return self._by_id if sample.trace_ids else self._settings

    def find_spansets(self, question: SpansetQuestion, /) -> FoundSpansets:
        """See `SpanReader.find_spansets`."""
        return find_spansets(self._asking(question), self._catalog, self._learnt, question)

    def get_series(self, question: SeriesQuestion, /) -> FoundSeries:
        """See `SpanReader.get_series`."""
        return find_series(self._asking(question), self._catalog, question)

    def get_field_names(self, question: FieldQuestion, /) -> list[FieldName]:
        """See `SpanReader.get_field_names`."""
        return find_names(self._asking(question), self._catalog, question)

    def get_field_values(self, question: FieldQuestion, /) -> list[FieldValue]:
        """See `SpanReader.get_field_values`."""
        return find_values(self._asking(question), self._catalog, question)

    def _asking(self, question: SpansetQuestion | SeriesQuestion | FieldQuestion) -> Asking:
        settled = self._settled_segment_id()
        return Asking(self._engine, self._database, self._settings, question, settled)

    def get_otlp(self, trace_ids: Sequence[str], /, *, within: SpanRange | None = None) -> bytes:
        """See `SpanReader.get_otlp`."""
        known = _checked_ids(trace_ids)
        if not known:
            return b""
        return b"".join(map(with_readable_values, self._otlp.read(known, within)))

    def archive_trace(self, trace_id: str, /) -> bool:
        """See `SpanReader.archive_trace`."""
        (known,) = _checked_ids([trace_id])
        return self._archive.keep(bytes.fromhex(known))

    def get_tag_keys(self) -> list[str]:
        """See `SpanReader.get_tag_keys`."""
        return sorted({_text(key) for (key,) in self._rows(select_tag_keys(), 1)})

    def get_tag_values(self, key: str, service: str, /) -> list[str]:
        """See `SpanReader.get_tag_values`."""
        rows = self._rows(select_tag_values(key, service), 1)
        return sorted({any_value_text(value) for (value,) in rows})

    def _spans_limited(
        self, trace_ids: Sequence[str], spans_max: int, *, raw: bool, skeleton: bool
    ) -> SpanColumns | None:
        """Return the spans of traces, or None if they are more: known before one is in memory."""
        limit: Settings = {"max_result_rows": spans_max, "result_overflow_mode": "throw"}
        try:
            columns = self._spans(is_any_trace, trace_ids, raw=raw, skeleton=skeleton, limit=limit)
        except StorageError as error:
            if str(error).startswith(ROWS_CODE):
                return None
            raise
        return columns if len(columns) <= spans_max else None  # of store and archive

    def _spans(
        self,
        where: Callable[[Query, Sequence[str]], str],
        trace_ids: Sequence[str],
        *,
        raw: bool,
        skeleton: bool,
        limit: Settings = _UNLIMITED,
    ) -> SpanColumns:
        """Return spans of traces; few columns first, all of them if that was not enough."""
        is_single = len(trace_ids) == 1
        names: Sequence[str] = MOST_COLUMNS
        if is_single:
            names = FEW_COLUMNS if self._few.are_enough else COLUMNS
        rows = self._found(names, where, trace_ids, skeleton=skeleton, limit=limit)
        if not rows.is_enough():
            rows = self._found(COLUMNS, where, trace_ids, skeleton=skeleton, limit=limit)
        if is_single:
            self._few.note(rows)
        origins = self._origins(rows, where, trace_ids)
        return to_columns(rows, origins, trace_ids, raw=raw, skeleton=skeleton)

    def _origins(
        self, rows: SpanRows, where: Callable[[Query, Sequence[str]], str], trace_ids: Sequence[str]
    ) -> Origins:
        query = Query()
        condition = where(query, trace_ids)
        return self._origins_known.of(rows["resource"], rows["scope"], condition, query.parameters)

    def _found(
        self,
        names: Sequence[str],
        where: Callable[[Query, Sequence[str]], str],
        trace_ids: Sequence[str],
        *,
        skeleton: bool,
        limit: Settings,
    ) -> SpanRows:
        """Return spans of traces, those of which nothing is stored from the archive."""
        columns = self._read(select_spans, names, where, trace_ids, skeleton=skeleton, limit=limit)
        found = {*columns[names.index("trace_id")]}
        missing = [one for one in trace_ids if bytes.fromhex(one) not in found]
        if missing and not self._archive.is_empty:
            if names is FEW_COLUMNS:  # of one trace, which is not there
                columns, names = [[] for _ in MOST_COLUMNS], MOST_COLUMNS
            more = self._read(
                select_archived_spans, names, where, missing, skeleton=skeleton, limit=limit
            )
            columns = [one + archived for one, archived in zip(columns, more, strict=True)]
        return SpanRows(columns, names)

    def _read(
        self,
        select: Callable[..., str],
        names: Sequence[str],
        where: Callable[[Query, Sequence[str]], str],
        trace_ids: Sequence[str],
        *,
        skeleton: bool,
        limit: Settings,
    ) -> list[list[Any]]:
        query = Query()
        text = select(where(query, trace_ids), names, skeleton=skeleton)
        settings = {**self._settings, **PLAIN, **limit}
        if len(trace_ids) == 1:
            settings["max_threads"] = 1  # a second thread costs more than it reads
        width = len(names) + (skeleton and names is COLUMNS)
        return self._engine.select(self._database, text, width, query.parameters, settings)

    def _tags(self, question: TraceQuestion, node: tree.Shown) -> list[Tag]:
        """Return the tag that is asked for, under each name it may have."""
        if node.value is None:
            return []
        names = names_of(node.key) if node.any_name else (node.key,)
        return [self._tag(question, name, node.value) for name in names]

    def _tag(self, question: TraceQuestion, key: str, value: str) -> Tag:
        meanings = any_value_meanings(value) + address_meanings(key, value)
        types = types_of_many_meanings(value)
        if types:
            stored = self._rows(select_values(question, key, types), 1)
            meanings += [meaning for (meaning,) in stored if any_value_text(meaning) == value]
        return Tag(key, value, tuple(dict.fromkeys(meanings)))

    def _with_rates(self, columns: SpanColumns) -> SpanColumns:
        """Add rate and policy to those traces that were kept by chance."""
        known = list(dict.fromkeys(columns.trace_id)) if self.shows_rates else []
        if not known:
            return columns
        query = Query()
        query.statement = (
            "SELECT {mark}, trace_id, rate, policy "
            f"FROM {{db}}.tail_rates WHERE {is_any_trace(query, known)}"
        )
        rates = self._rows(query, 3)
        add_rates(columns, {trace.hex(): (rate, _text(policy)) for trace, rate, policy in rates})
        return columns

    def _catch_up(self, rollup: str, age_seconds_max: float = 0.0) -> None:
        if self._rollups is not None:
            self._rollups.catch_up(
                rollup, self._settled_segment_id(), age_seconds_max, one_step=age_seconds_max > 0
            )

    def _rows(
        self, query: Query, width: int, settings: Settings | None = None
    ) -> list[tuple[Any, ...]]:
        columns = self._engine.select(
            self._database,
            query.statement,
            width,
            query.parameters,
            {**self._settings, **(settings or {})},
        )
        return list(zip(*columns, strict=True))


class _Few:
    """Whether few columns tend to be enough for a trace; told of every one that was read.

    Two statements cost more than one with all columns, so where more than a quarter of the traces
    have links, trace states or ids that repeat, all are asked for at once.
    """

    def __init__(self) -> None:
        self._failed = 0

    @property
    def are_enough(self) -> bool:
        """Whether to ask for few."""
        return self._failed < _FAILED_MAX

    def note(self, rows: SpanRows) -> None:
        """Count a trace; threads may lose each other's, which does no harm."""
        if rows.are_plain():
            self._failed = max(0, self._failed - 1)
        else:
            self._failed = min(2 * _FAILED_MAX, self._failed + 3)


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _newest_first(found: Iterable[tuple[bytes, int]], limit: int) -> list[FoundTrace]:
    ordered = sorted(found, key=lambda one: (-one[1], one[0]))
    return [FoundTrace(trace_id.hex(), start) for trace_id, start in ordered[:limit]]


def _checked_ids(trace_ids: Sequence[str]) -> list[str]:
    for trace_id in trace_ids:
        if not _TRACE_ID_TEXT.match(trace_id):
            message = f"cannot read a trace: {trace_id[:64]!r} is not 32 hex digits"
            raise QuestionError(message)
    return list(dict.fromkeys(trace_ids))


def _too_many(count: int) -> SpanColumns:
    """Return so many spans of which nothing is known: there are more than were wanted."""
    columns = SpanColumns(process_json=["{}"])
    for column in fields(SpanColumns):
        if column.name != "process_json":
            setattr(columns, column.name, [""] * count)
    return columns


def _minutes(start_unix_nano: int, end_unix_nano: int) -> tuple[int, int]:
    """Return the first and the last minute that overlap [start, end)."""
    first = max(start_unix_nano // _NANO_PER_MINUTE, 0)
    last = -(-end_unix_nano // _NANO_PER_MINUTE) - 1
    return min(first, _MINUTE_MAX), min(max(last, -1), _MINUTE_MAX)


def _summary(row: Sequence[Any]) -> TraceSummary:
    trace_id, root, start, end, spans, errors, orphans, services, failed = row
    errors_of = dict(failed)
    return TraceSummary(
        trace_id=trace_id.hex(),
        root_service_name=_text(root[0]),
        root_operation_name=_text(root[1]),
        min_start_unix_nano=start,
        max_end_unix_nano=end,
        span_count=spans,
        error_span_count=errors,
        orphan_span_count=orphans,
        services=tuple(
            sorted((_text(name), count, errors_of.get(name, 0)) for name, count in services)
        ),
    )
