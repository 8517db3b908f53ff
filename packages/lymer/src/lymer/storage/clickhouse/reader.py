"""Questions to the engine, answers as columns. Part of `SpanReader`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
from lymer.storage.clickhouse.any_value import any_value_meanings, can_be_structured
from lymer.storage.clickhouse.answers import OTLP_SETTINGS, SELECT_OTLP, SELECT_RED, SELECT_SUMMARIES
from lymer.storage.clickhouse.engine import Engine, Parameter, Settings
from lymer.storage.clickhouse.render import select_spans
from lymer.storage.clickhouse.rows import columns_from_rows
from lymer.storage.clickhouse.select import (
    Origins,
    Query,
    Tag,
    select_origins,
    select_structured_values,
    select_traces,
)
from lymer.wire.jaeger_json import any_value_text

__all__ = ["TRACES_PER_STATEMENT_MAX", "SpanQueries"]

TRACES_PER_STATEMENT_MAX: Final = 200
"""Ids in one statement: keeps the answer of one statement in memory bounded."""
_FIRST_SPANS: Final = 200
"""Newest matching spans looked at first; most questions need no more."""
_WIDEN: Final = 10
_SPANS_LIMITED_MAX: Final = 20_000
"""Beyond so many, one unlimited statement is cheaper than another round."""
_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}\Z")
_SPAN_ID: Final = re.compile(r"[0-9a-f]{16}\Z")
_NANO_PER_MINUTE: Final = 60_000_000_000
_MINUTE_MAX: Final = 2**32 - 1
_READ: Final[dict[str, str | int]] = {
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_escape_forward_slashes": 0,
    "output_format_json_quote_denormals": 1,
    "short_circuit_function_evaluation": "enable",
}


class SpanQueries:
    """Reads through an engine; every statement has a time and a memory limit."""

    def __init__(
        self, engine: Engine, *, timeout_seconds: float, memory_bytes_max: int, threads_max: int = 2
    ) -> None:
        """Remember the engine and the limits of one statement."""
        self._engine = engine
        self._settings: Settings = {
            **_READ,
            "max_execution_time": max(1, round(timeout_seconds)),
            "max_memory_usage": memory_bytes_max,
            "max_threads": threads_max,
        }

    def get_services(self) -> list[str]:
        """See `SpanReader.get_services`."""
        rows = self._rows("SELECT DISTINCT toValidUTF8(toString(service)) AS s FROM lymer.operations "
                          "ORDER BY s FORMAT JSONCompactEachRow")
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
            f"FROM lymer.operations WHERE {where} FORMAT JSONCompactEachRow",
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
        if self._has_unknown_operation(question):
            return []
        tags = [self._tag(question, key, value) for key, value in question.tags]
        origins = self._origins(tags)
        span_limit: int | None = max(_FIRST_SPANS, 2 * question.limit)
        while True:
            query = select_traces(question, tags, origins, span_limit)
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
        statement = select_spans(_is_any(query, known), raw=raw, skeleton=skeleton)
        return columns_from_rows(self._output(statement, query.parameters), known)

    def get_span(self, trace_id: str, span_id: str, /) -> SpanColumns:
        """See `SpanReader.get_span`."""
        if not _SPAN_ID.match(span_id):
            message = f"cannot read a span: {span_id[:64]!r} is not 16 hex digits"
            raise QuestionError(message)
        known = _checked_ids([trace_id])
        query = Query()
        where = f"{_is_any(query, known)} AND span_id = {query.blob(bytes.fromhex(span_id))}"
        statement = select_spans(where, raw=False, skeleton=False)
        return columns_from_rows(self._output(statement, query.parameters), known)

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
            "sum(calls) AS n FROM lymer.dependencies "
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
        return self._engine.query(statement, query.parameters, settings)

    def _has_unknown_operation(self, question: TraceQuestion) -> bool:
        """Tell if the service or operation was never seen; asking the catalog is 20 times cheaper."""
        if not (question.operation or question.service):
            return False
        query = Query()
        where = [
            f"{column} = {query.text(value)}"
            for column, value in (("service", question.service), ("name", question.operation))
            if value
        ]
        rows = self._rows(
            f"SELECT 1 FROM lymer.operations WHERE {' AND '.join(where)} LIMIT 1 "
            "FORMAT JSONCompactEachRow",
            query.parameters,
        )
        return not rows

    def _tag(self, question: TraceQuestion, key: str, value: str) -> Tag:
        meanings = any_value_meanings(value)
        if can_be_structured(value):
            query = select_structured_values(question, key)
            stored = (bytes.fromhex(row[0]) for row in self._rows(query.statement, query.parameters))
            meanings += [meaning for meaning in stored if any_value_text(meaning) == value]
        return Tag(key, value, tuple(meanings))

    def _origins(self, tags: Sequence[Tag]) -> list[Origins]:
        if not tags:
            return []
        query = select_origins(tags)
        (row,) = self._rows(query.statement, query.parameters)
        return [
            Origins(tuple(row[place]), tuple(row[place + 1])) for place in range(0, len(row), 2)
        ]

    def _rows(
        self, statement: str, parameters: Mapping[str, Parameter] | None = None
    ) -> list[list[Any]]:
        output = self._output(statement, parameters or {})
        return [orjson.loads(line) for line in output.splitlines()]

    def _output(self, statement: str, parameters: Mapping[str, Parameter]) -> bytes:
        return self._engine.query(statement, parameters, self._settings)


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
