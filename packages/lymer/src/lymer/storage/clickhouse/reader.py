"""Questions to the engine, answers as columns. Part of `SpanReader`."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from lymer.errors import QuestionError
from lymer.model.columns import SpanColumns
from lymer.model.question import (
    SPAN_KINDS,
    DependencyLink,
    FoundTrace,
    Operation,
    OperationRed,
    TraceQuestion,
    TraceSummary,
)
from lymer.storage.clickhouse.answers import (
    OTLP_SETTINGS,
    SELECT_OTLP,
    SELECT_RED,
    SELECT_SUMMARIES,
)
from lymer.storage.clickhouse.any_value import any_value_meanings, can_be_structured
from lymer.storage.clickhouse.database import Database
from lymer.storage.clickhouse.engine import Parameter, Settings
from lymer.storage.clickhouse.rows import Origins, SpanRows, to_columns, unpacked
from lymer.storage.clickhouse.select import (
    Places,
    Query,
    Tag,
    meets_resource,
    meets_scope,
    select_catalog,
    select_structured_values,
    select_traces,
)
from lymer.storage.clickhouse.span_columns import select_origins_text, select_spans
from lymer.wire.jaeger_json import any_value_text
from lymer.wire.otlp_values import with_readable_values

__all__ = ["TRACES_PER_STATEMENT_MAX", "SpanQueries"]

TRACES_PER_STATEMENT_MAX: Final = 200
"""Ids in one statement: keeps the answer of one statement in memory bounded."""
_FIRST_SPANS: Final = 100
"""Newest matching spans looked at first; most questions need no more."""
_SPANS_PER_TRACE: Final = 4
"""How many spans of a trace match, as a first guess."""
_WIDEN: Final = 10
_SPANS_LIMITED_MAX: Final = 20_000
"""Beyond so many, one unlimited statement is cheaper than another round."""
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}\Z")
_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}\Z")
_NANO_PER_MINUTE: Final = 60_000_000_000
_MINUTE_MAX: Final = 2**32 - 1
_KNOWN_ORIGINS_MAX: Final = 4096
"""Resources and scopes remembered, about 1 kB each; more and all are forgotten."""
_READ: Final[dict[str, str | int]] = {
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_escape_forward_slashes": 0,
    "output_format_json_quote_denormals": 1,
}
_BY_ID: Final[dict[str, str | int]] = {
    # Choosing granules by the index before reading, not while, saves 3 ms of 13.
    "use_skip_indexes_on_data_read": 0,
}


class SpanQueries:
    """Reads one database; every statement has a time and a memory limit."""

    def __init__(
        self,
        database: Database,
        *,
        timeout_seconds: float,
        memory_bytes_max: int,
        threads_max: int = 2,
    ) -> None:
        """Remember the database and the limits of one statement."""
        self._database = database
        self._settings: Settings = {
            **_READ,
            "max_execution_time": max(1, round(timeout_seconds)),
            "max_memory_usage": memory_bytes_max,
            "max_threads": threads_max,
        }
        self._known_lock = threading.Lock()
        self._known = Origins({}, {})

    def get_services(self) -> list[str]:
        """See `SpanReader.get_services`."""
        rows = self._rows(
            "SELECT DISTINCT toValidUTF8(toString(service)) AS s FROM {db}.operations "
            "ORDER BY s FORMAT JSONCompactEachRow"
        )
        return [service for (service,) in rows]

    def get_operations(self, service: str, span_kind: str, /) -> list[Operation]:
        """See `SpanReader.get_operations`."""
        query = Query()
        where = f"service = {query.text(service)}"
        if span_kind:
            if span_kind not in SPAN_KINDS:
                message = f"cannot list operations: {span_kind!r} is not one of {SPAN_KINDS}"
                raise QuestionError(message)
            kind = SPAN_KINDS.index(span_kind)
            where += f" AND kind {'NOT BETWEEN 1 AND 5' if kind == 0 else f'= {kind}'}"
        rows = self._rows(
            "SELECT DISTINCT toValidUTF8(toString(name)), if(kind BETWEEN 0 AND 5, kind, 0) "
            f"FROM {{db}}.operations WHERE {where} FORMAT JSONCompactEachRow",
            query.parameters,
        )
        return sorted(Operation(name, SPAN_KINDS[kind]) for name, kind in rows)

    def find_traces(self, question: TraceQuestion, /) -> list[FoundTrace]:
        """See `SpanReader.find_traces`.

        The newest matching spans are looked at in widening rounds. A round decides once it holds
        enough traces or all matching spans; no limit can hide a match.
        """
        if question.limit < 1:
            message = f"cannot find traces: the limit is {question.limit}, it must be at least 1"
            raise QuestionError(message)
        tags = [self._tag(question, key, value) for key, value in question.tags]
        places = self._places(question, tags)
        if places is None:
            return []
        span_limit: int | None = max(_FIRST_SPANS, _SPANS_PER_TRACE * question.limit)
        while True:
            query = select_traces(question, tags, places, span_limit)
            rows = self._rows(query.statement, query.parameters)
            seen = sum(count for _, _, count in rows)
            if span_limit is None or len(rows) >= question.limit or seen < span_limit:
                return [FoundTrace(trace, start) for trace, start, _ in rows[: question.limit]]
            span_limit *= _WIDEN
            if span_limit > _SPANS_LIMITED_MAX:
                span_limit = None

    def get_traces(self, trace_ids: Sequence[str], /, *, raw: bool, skeleton: bool) -> SpanColumns:
        """See `SpanReader.get_traces`."""
        known = _checked_ids(trace_ids)
        if not known:
            return SpanColumns()
        query = Query()
        return self._spans(query, _is_any(query, known), known, raw=raw, skeleton=skeleton)

    def get_span(self, trace_id: str, span_id: str, /) -> SpanColumns:
        """See `SpanReader.get_span`."""
        if not _SPAN_ID.match(span_id):
            message = f"cannot read a span: {span_id[:64]!r} is not 16 hex digits"
            raise QuestionError(message)
        known = _checked_ids([trace_id])
        query = Query()
        where = f"{_is_any(query, known)} AND span_id = {query.blob(bytes.fromhex(span_id))}"
        return self._spans(query, where, known, raw=False, skeleton=False)

    def get_rates(self, trace_ids: Iterable[str], /) -> dict[str, tuple[float, str]]:
        """Return rate and policy of those traces that were kept by chance."""
        known = [trace for trace in dict.fromkeys(trace_ids) if _TRACE_ID.match(trace)]
        if not known:
            return {}
        query = Query()
        ids = ", ".join(query.blob(bytes.fromhex(trace)) for trace in known)
        rows = self._rows(
            "SELECT lower(hex(trace_id)), rate, toValidUTF8(toString(policy)) "
            f"FROM {{db}}.tail_rates WHERE trace_id IN ({ids}) FORMAT JSONCompactEachRow",
            query.parameters,
        )
        return {trace: (rate, policy) for trace, rate, policy in rows}

    def get_summaries(self, trace_ids: Sequence[str], /) -> list[TraceSummary]:
        """See `SpanReader.get_summaries`."""
        known = _checked_ids(trace_ids)
        if not known:
            return []
        query = Query()
        statement = SELECT_SUMMARIES.replace("{where}", _is_any(query, known))
        found = {row[0]: row for row in self._rows(statement, query.parameters)}
        return [_summary(found[trace_id]) for trace_id in known if trace_id in found]

    def get_dependencies(self, start_unix_nano: int, end_unix_nano: int, /) -> list[DependencyLink]:
        """See `SpanReader.get_dependencies`; minutes are taken whole."""
        first, last = _minutes(start_unix_nano, end_unix_nano)
        rows = self._rows(
            "SELECT toValidUTF8(toString(parent)) AS p, toValidUTF8(toString(child)) AS c, "
            "sum(calls) AS n FROM {db}.dependencies "
            f"WHERE minute BETWEEN {first} AND {last} AND calls > 0 GROUP BY p, c "
            "ORDER BY p, c FORMAT JSONCompactEachRow"
        )
        return [DependencyLink(parent, child, count) for parent, child, count in rows]

    def get_red(
        self, start_unix_nano: int, end_unix_nano: int, service: str, /
    ) -> list[OperationRed]:
        """See `SpanReader.get_red`."""
        first, last = _minutes(start_unix_nano, end_unix_nano)
        query = Query()
        where = f"minute BETWEEN {first} AND {last} AND calls > 0"
        if service:
            where += f" AND service = {query.text(service)}"
        rows = self._rows(SELECT_RED.replace("{where}", where), query.parameters)
        return [
            OperationRed(row[0], row[1], SPAN_KINDS[row[2]], *row[3:9])
            for row in sorted(rows, key=lambda row: (row[0], row[1], SPAN_KINDS[row[2]]))
        ]

    def get_otlp(self, trace_ids: Sequence[str], /) -> bytes:
        """See `SpanReader.get_otlp`."""
        known = _checked_ids(trace_ids)
        if not known:
            return b""
        query = Query()
        statement = SELECT_OTLP.replace("{where}", _is_any(query, known))
        settings = {**self._settings, **OTLP_SETTINGS}
        return with_readable_values(self._database.query(statement, query.parameters, settings))

    def _spans(
        self, query: Query, where: str, trace_ids: Sequence[str], *, raw: bool, skeleton: bool
    ) -> SpanColumns:
        statement = select_spans(where, skeleton=skeleton)
        settings = {**self._settings, **_BY_ID}
        if len(trace_ids) == 1:
            settings["max_threads"] = 1  # a second thread costs more than it reads
        output = self._database.query(statement, query.parameters, settings)
        rows = SpanRows(output, skeleton=skeleton)
        origins = self._origins_of(rows["resource"], rows["scope"])
        return to_columns(rows, origins, trace_ids, raw=raw, skeleton=skeleton)

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
        statement = select_origins_text(query.blobs(new_resources), query.blobs(new_scopes))
        attributes, contents = unpacked(self._output(statement, query.parameters))
        known = Origins(
            {**known.resources, **dict(zip(new_resources, attributes, strict=True))},
            {**known.scopes, **dict(zip(new_scopes, contents, strict=True))},
        )
        is_full = len(known.resources) + len(known.scopes) > _KNOWN_ORIGINS_MAX
        with self._known_lock:
            self._known = Origins({}, {}) if is_full else known
        return known

    def _places(self, question: TraceQuestion, tags: Sequence[Tag]) -> list[Places] | None:
        """Return where each tag may be met; None if the operation was never seen."""
        query = select_catalog(question)
        values = unpacked(self._output(query.statement, query.parameters))
        rows = [values[place : place + 5] for place in range(0, len(values), 5)]
        if not any(what == b"operation" for what, *_ in rows):
            return None
        nested = {key.decode(errors="replace") for what, key, *_ in rows if what == b"nested"}
        met = [row for row in rows if row[0] == b"origin"]
        resources = {text: hashed for _, text, _, hashed, _ in met}
        scopes = {text: hashed for _, _, text, _, hashed in met}
        origins = self._origins_of(resources, scopes)
        return [
            Places(
                is_nested=tag.key in nested,
                resources=tuple(
                    hashed
                    for text, hashed in resources.items()
                    if meets_resource(tag, origins.resources[text])
                ),
                scopes=tuple(
                    hashed
                    for text, hashed in scopes.items()
                    if meets_scope(tag, *origins.scopes[text])
                ),
            )
            for tag in tags
        ]

    def _tag(self, question: TraceQuestion, key: str, value: str) -> Tag:
        meanings = any_value_meanings(value)
        if can_be_structured(value):
            query = select_structured_values(question, key)
            stored = (
                bytes.fromhex(row[0]) for row in self._rows(query.statement, query.parameters)
            )
            meanings += [meaning for meaning in stored if any_value_text(meaning) == value]
        return Tag(key, value, tuple(meanings))

    def _rows(
        self, statement: str, parameters: Mapping[str, Parameter] | None = None
    ) -> list[list[Any]]:
        output = self._output(statement, parameters or {})
        return [orjson.loads(line) for line in output.splitlines()]

    def _output(self, statement: str, parameters: Mapping[str, Parameter]) -> bytes:
        return self._database.query(statement, parameters, self._settings)


def _checked_ids(trace_ids: Sequence[str]) -> list[str]:
    for trace_id in trace_ids:
        if not _TRACE_ID.match(trace_id):
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
    trace_id, root, start, end, spans, errors, orphans, services = row
    return TraceSummary(
        trace_id=trace_id,
        root_service_name=root[0],
        root_operation_name=root[1],
        min_start_unix_nano=start,
        max_end_unix_nano=end,
        span_count=spans,
        error_span_count=errors,
        orphan_span_count=orphans,
        services=tuple(sorted((name, count, bad) for name, count, bad in services)),
    )
