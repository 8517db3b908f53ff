"""Questions about one tenant's spans, as statements; their answers as columns."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

from lymer.errors import QuestionError
from lymer.model.columns import SpanColumns
from lymer.model.conventions import names_of
from lymer.model.find_terms import NOTHING, FindTerms
from lymer.model.graph import GraphEdge
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
from lymer.model.trace_arrays import TraceArrays
from lymer.storage.clickhouse.answers import (
    OTLP_SETTINGS,
    SELECT_OTLP,
    SELECT_RED,
    SELECT_SUMMARIES,
    message_of,
)
from lymer.storage.clickhouse.any_value import address_meanings, any_value_meanings
from lymer.storage.clickhouse.archive import Archive, from_archive, select_archived_spans
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.engine import Engine, Settings
from lymer.storage.clickhouse.graph import GRAPH_WIDTH, edges_of, select_graph
from lymer.storage.clickhouse.red_select import select_red_slots
from lymer.storage.clickhouse.rollup import Rollups
from lymer.storage.clickhouse.select import (
    Query,
    Tag,
    find_places,
    select_traces,
    select_values,
    types_of_many_meanings,
)
from lymer.storage.clickhouse.span_columns import (
    FEW_COLUMNS,
    MOST_COLUMNS,
    select_origins_text,
    select_spans,
)
from lymer.storage.clickhouse.span_tables import read_sample_size, read_span_table
from lymer.storage.clickhouse.spansets.arrays import ArrayKeys
from lymer.storage.clickhouse.spansets.fields import find_names, find_values
from lymer.storage.clickhouse.spansets.search import Asking, find_spansets
from lymer.storage.clickhouse.spansets.series import find_series
from lymer.storage.clickhouse.statements import statement
from lymer.storage.clickhouse.tag_select import select_tag_keys, select_tag_values
from lymer.storage.clickhouse.tail_rates import add_rates
from lymer.storage.clickhouse.trace_arrays import read_trace_arrays
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
_TRACE_ID_TEXT: Final = re.compile(r"[0-9a-f]{32}\Z")
_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}\Z")
_NANO_PER_MINUTE: Final = 60_000_000_000
_MINUTE_MAX: Final = 2**32 - 1
_KNOWN_ORIGINS_MAX: Final = 4096
"""Resources and scopes remembered, about 1 kB each; more and all are forgotten."""
_FAILED_MAX: Final = 6
"""How often few columns may be too few before all are asked for at once."""
_ONE_THREAD: Final = {"max_threads": 1}
"""What two threads would add up apart, somebody must add up again: 17 ms of CPU instead of 22."""
_BY_ID: Final[dict[str, str | int]] = {
    # Choosing granules by the index before reading, not while, saves 3 ms of 13.
    "use_skip_indexes_on_data_read": 0,
}


class TenantReader:
    """A `SpanReader` of one database; every statement has a time and a memory limit."""

    def __init__(
        self,
        engine: Engine,
        database: str,
        catalog: Catalog,
        rollups: Rollups | None,
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
        self._engine = engine
        self._database = database
        self._catalog = catalog
        self._rollups = rollups
        self._settled_segment_id = settled_segment_id
        self._settings: Settings = {
            "max_execution_time": max(1, round(timeout_seconds)),
            "max_memory_usage": memory_bytes_max,
            "max_threads": _THREADS_MAX,
        }
        self._archive = Archive(engine, database, self._settings)
        self._arrays = ArrayKeys()
        self._known_lock = threading.Lock()
        self._known = Origins({}, {})
        self._few = _Few()
        self.graph_age_seconds_max = 0.0
        """A service graph that was counted so recently is read as it is."""
        self.shows_rates = False
        """Whether traces kept by chance say so: tail sampling is on."""

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
        tags = [tag for key, value in question.tags for tag in self._tags(question, key, value)]
        places = [
            replace(find_places(self._catalog, tag), has_rates=self.shows_rates) for tag in tags
        ]
        span_limit = max(_FIRST_SPANS, _SPANS_PER_TRACE * question.limit)
        # What is common lies among the newest spans: a second thread reads what nobody needs.
        durations = {question.duration_nano_min, question.duration_nano_max}
        is_common = not (tags or question.present) and durations == {None}
        threads = {"max_threads": 1} if is_common else {}
        while span_limit <= _SPANS_LIMITED_MAX:
            rows = self._rows(select_traces(question, tags, places, span_limit), 2, threads)
            newest = dict(reversed(rows))
            if len(newest) >= question.limit or len(rows) < span_limit:
                return _newest_first(newest.items(), question.limit)
            span_limit *= _WIDEN
        return _newest_first(
            self._rows(select_traces(question, tags, places, None), 2), question.limit
        )

    def get_traces(
        self,
        trace_ids: Sequence[str],
        /,
        *,
        raw: bool,
        skeleton: bool,
        spans_max: int | None = None,
    ) -> SpanColumns:
        """See `SpanReader.get_traces`."""
        known = _checked_ids(trace_ids)
        if not known:
            return SpanColumns()
        limit = "" if spans_max is None else f" LIMIT {spans_max + 1}"

        def where(query: Query, ids: Sequence[str]) -> str:
            return _is_any(query, ids) + limit

        columns = self._spans(where, known, raw=raw, skeleton=skeleton)
        return columns if skeleton else self._with_rates(columns)

    def get_trace_arrays(self, trace_id: str, find: FindTerms = NOTHING, /) -> TraceArrays:
        """See `SpanReader.get_trace_arrays`."""
        (known,) = _checked_ids([trace_id])
        settings = {**self._settings, **_BY_ID, "max_threads": 1}
        return read_trace_arrays(
            self._engine, self._database, settings, known, self._origins_of, find
        )

    def get_span(self, trace_id: str, span_id: str, /) -> SpanColumns:
        """See `SpanReader.get_span`."""
        if not _SPAN_ID.match(span_id):
            message = f"cannot read a span: {span_id[:64]!r} is not 16 hex digits"
            raise QuestionError(message)
        known = _checked_ids([trace_id])

        def where(query: Query, ids: Sequence[str]) -> str:
            return f"{_is_any(query, ids)} AND span_id = {query.blob(bytes.fromhex(span_id))}"

        return self._with_rates(self._spans(where, known, raw=False, skeleton=False))

    def get_summaries(self, trace_ids: Sequence[str], /) -> list[TraceSummary]:
        """See `SpanReader.get_summaries`."""
        known = _checked_ids(trace_ids)
        if not known:
            return []
        query = Query()
        query.statement = SELECT_SUMMARIES.replace("{where}", _is_any(query, known))
        found = {row[0].hex(): row for row in self._rows(query, 9)}
        return [_summary(found[trace_id]) for trace_id in known if trace_id in found]

    def get_dependencies(self, start_unix_nano: int, end_unix_nano: int, /) -> list[DependencyLink]:
        """See `SpanReader.get_dependencies`; minutes are taken whole."""
        self._catch_up("dependencies")
        first, last = _minutes(start_unix_nano, end_unix_nano)
        query = Query(statement("dependencies", first=first, last=last))
        return sorted(
            DependencyLink(_text(parent), _text(child), count)
            for parent, child, count in self._rows(query, 3)
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
        first, last = _minutes(start_unix_nano, end_unix_nano)
        query = Query()
        where = f"minute BETWEEN {first} AND {last} AND red.calls > 0"
        if service:
            where += f" AND service = {query.text(service)}"
        query.statement = SELECT_RED.replace("{where}", where)
        found = [
            OperationRed(_text(service), _text(operation), SPAN_KINDS[kind], *figures)
            for service, operation, kind, *figures in self._rows(query, 9, _ONE_THREAD)
        ]
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
        query = select_red_slots(
            minutes, services, span_kinds, by_operation=by_operation, slot_minutes=slot_minutes
        )
        return [
            RedSlot(_text(service), _text(operation), *figures)
            for service, operation, *figures in self._rows(query, 6)
        ]

    def get_sample_size(self, sample: SpanSample, /) -> tuple[int, int]:
        """See `SpanReader.get_sample_size`."""
        _checked_ids(sample.trace_ids)
        return read_sample_size(self._engine, self._database, self._settings, sample)

    def get_span_table(self, sample: SpanSample, /) -> SpanTable:
        """See `SpanReader.get_span_table`."""
        _checked_ids(sample.trace_ids)
        return read_span_table(
            self._engine, self._database, self._settings, sample, self._origins_of
        )

    def find_spansets(self, question: SpansetQuestion, /) -> FoundSpansets:
        """See `SpanReader.find_spansets`."""
        return find_spansets(self._asking(question), self._catalog, self._arrays, question)

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

    def get_otlp(self, trace_ids: Sequence[str], /) -> bytes:
        """See `SpanReader.get_otlp`."""
        known = _checked_ids(trace_ids)
        if not known:
            return b""
        query = Query()
        text = SELECT_OTLP.replace("{where}", _is_any(query, known))
        settings = {**self._settings, **OTLP_SETTINGS}
        columns = self._engine.select(self._database, text, 1, query.parameters, settings)
        if len(known) == 1 and not any(len(message_of(answer)) for answer in columns[0]):
            text = from_archive(text)
            columns = self._engine.select(self._database, text, 1, query.parameters, settings)
        return b"".join(with_readable_values(message_of(answer)) for answer in columns[0])

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

    def _spans(
        self,
        where: Callable[[Query, Sequence[str]], str],
        trace_ids: Sequence[str],
        *,
        raw: bool,
        skeleton: bool,
    ) -> SpanColumns:
        """Return spans of traces; few columns first, all of them if that was not enough."""
        is_single = len(trace_ids) == 1
        names: Sequence[str] = MOST_COLUMNS
        if is_single:
            names = FEW_COLUMNS if self._few.are_enough else COLUMNS
        rows = self._found(names, where, trace_ids, skeleton=skeleton)
        if not rows.is_enough():
            rows = self._found(COLUMNS, where, trace_ids, skeleton=skeleton)
        if is_single:
            self._few.note(rows)
        origins = self._origins_of(rows["resource"], rows["scope"])
        return to_columns(rows, origins, trace_ids, raw=raw, skeleton=skeleton)

    def _found(
        self,
        names: Sequence[str],
        where: Callable[[Query, Sequence[str]], str],
        trace_ids: Sequence[str],
        *,
        skeleton: bool,
    ) -> SpanRows:
        """Return spans of traces, those of which nothing is stored from the archive."""
        columns = self._read(select_spans, names, where, trace_ids, skeleton=skeleton)
        found = {*columns[names.index("trace_id")]}
        missing = [one for one in trace_ids if bytes.fromhex(one) not in found]
        if missing and not self._archive.is_empty:
            if names is FEW_COLUMNS:  # of one trace, which is not there
                columns, names = [[] for _ in MOST_COLUMNS], MOST_COLUMNS
            more = self._read(select_archived_spans, names, where, missing, skeleton=skeleton)
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
    ) -> list[list[Any]]:
        query = Query()
        text = select(where(query, trace_ids), names, skeleton=skeleton)
        settings = {**self._settings, **_BY_ID}
        if len(trace_ids) == 1:
            settings["max_threads"] = 1  # a second thread costs more than it reads
        width = len(names) + (skeleton and names is COLUMNS)
        return self._engine.select(self._database, text, width, query.parameters, settings)

    def _origins_of(self, resources: Iterable[bytes], scopes: Iterable[bytes]) -> Origins:
        """Return what the texts of resources and scopes say; ask for those not known yet.

        They are few and never change, so they are remembered.
        """
        with self._known_lock:
            known = self._known
        new_resources = [text for text in {*resources} if text not in known.resources]
        new_scopes = [text for text in {*scopes} if text not in known.scopes]
        if not (new_resources or new_scopes):
            return known
        query = Query()
        query.statement = select_origins_text(query.blobs(new_resources), query.blobs(new_scopes))
        ((attributes, contents),) = self._rows(query, 2)
        known = Origins(
            {**known.resources, **dict(zip(new_resources, attributes, strict=True))},
            {**known.scopes, **dict(zip(new_scopes, contents, strict=True))},
        )
        is_full = len(known.resources) + len(known.scopes) > _KNOWN_ORIGINS_MAX
        with self._known_lock:
            self._known = Origins({}, {}) if is_full else known
        return known

    def _tags(self, question: TraceQuestion, key: str, value: str) -> list[Tag]:
        """Return the tag that is asked for, under each name it may have."""
        names = names_of(key) if question.any_name else (key,)
        if len(names) == 1:
            return [self._tag(question, key, value)]
        whole = f"{names[0]}={value}"
        return [replace(self._tag(question, name, value), alternative_to=whole) for name in names]

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
            f"FROM {{db}}.tail_rates WHERE {_is_any(query, known)}"
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


def _is_any(query: Query, trace_ids: Sequence[str]) -> str:
    blobs = [query.blob(bytes.fromhex(trace_id)) for trace_id in trace_ids]
    if len(blobs) == 1:
        return f"trace_id = {blobs[0]}"
    return f"trace_id IN ({', '.join(blobs)})"


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
