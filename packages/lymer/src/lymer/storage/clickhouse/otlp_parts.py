"""Traces as OTLP messages: at once, or in as many parts as memory asks for.

Messages of one kind behind one another are one message, so whatever a statement cannot hold is read
by several: first the texts that spans share apart from them, then fewer traces, then fewer spans.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from lymer.errors import StorageMemoryError
from lymer.storage.clickhouse.answers import (
    OTLP_SETTINGS,
    SELECT_OTLP,
    SELECT_OTLP_SHARED,
    message_of,
)
from lymer.storage.clickhouse.archive import from_archive
from lymer.storage.clickhouse.engine import Engine, Settings
from lymer.storage.clickhouse.select import Query, is_any_trace
from lymer.storage.clickhouse.span_parts import between, in_range, part_limit, part_refused
from lymer.storage.contract import SpanRange

__all__ = ["OtlpParts"]

_KEYS: Final = """
SELECT {mark}, start, reinterpretAsUInt64(reverse(span_id)) AS number
FROM {db}.spans
WHERE {where}
ORDER BY start, number
LIMIT 1 BY start, number
"""
_UNLIMITED: Final[Settings] = {}
_Placed = Callable[[str], str]


class OtlpParts:
    """Reads the traces of one database as they were stored."""

    def __init__(self, engine: Engine, database: str, settings: Settings) -> None:
        """Remember whom to ask, and the limits of one statement."""
        self._engine = engine
        self._database = database
        self._settings = {**settings, **OTLP_SETTINGS}

    def read(self, trace_ids: Sequence[str], within: SpanRange | None = None) -> list[bytes]:
        """Return `TracesData` messages; one trace is taken from the archive if it is only there.

        Args:
            trace_ids: 32 hex digits each.
            within: Only the spans that lie here.

        Raises:
            StorageMemoryError: A span alone needs more memory than a statement may have; or those
                `within` a range more than a part may.
        """
        if within is not None:
            return self._part(trace_ids, within, str) or self._part(trace_ids, within, from_archive)
        answers = self._traces(trace_ids, str)
        if len(trace_ids) == 1 and not any(answers):
            answers = self._traces(trace_ids, from_archive)
        return answers

    def _part(self, trace_ids: Sequence[str], within: SpanRange, placed: _Placed) -> list[bytes]:
        query = Query()
        where = in_range(within)(query, trace_ids)
        limit = part_limit(within)
        with part_refused():
            try:
                found = self._messages(SELECT_OTLP, query, where, placed, limit)
            except StorageMemoryError:
                found = self._messages(SELECT_OTLP_SHARED, query, where, placed, limit)
        return [one for one in found if one]

    def _traces(self, trace_ids: Sequence[str], placed: _Placed) -> list[bytes]:
        query = Query()
        where = is_any_trace(query, trace_ids)
        try:
            return self._messages(SELECT_OTLP, query, where, placed)
        except StorageMemoryError:
            pass
        try:
            return self._messages(SELECT_OTLP_SHARED, query, where, placed)
        except StorageMemoryError:
            pass
        if len(trace_ids) > 1:
            middle = len(trace_ids) // 2
            halves = trace_ids[:middle], trace_ids[middle:]
            return [one for half in halves for one in self._traces(half, placed)]
        keys = list(zip(*self._asked(_KEYS, 2, query, where, placed), strict=True))
        return self._halves(keys, trace_ids, placed)

    def _halves(
        self, keys: Sequence[tuple[int, int]], trace_ids: Sequence[str], placed: _Placed
    ) -> list[bytes]:
        """Return the spans of these starts and ids, which together are too large."""
        middle = len(keys) // 2
        answers: list[bytes] = []
        for half in (keys[:middle], keys[middle:]):
            if not half:
                continue
            query = Query()
            start, number = half[-1]
            within = between(query, half[0], (start, number + 1))
            where = f"{is_any_trace(query, trace_ids)} AND {within}"
            try:
                answers += self._messages(SELECT_OTLP_SHARED, query, where, placed)
            except StorageMemoryError:
                if len(half) == 1:
                    raise
                answers += self._halves(half, trace_ids, placed)
        return answers

    def _messages(
        self, text: str, query: Query, where: str, placed: _Placed, limit: Settings = _UNLIMITED
    ) -> list[bytes]:
        (answers,) = self._asked(text, 1, query, where, placed, limit)
        return [message_of(answer) for answer in answers]

    def _asked(
        self,
        text: str,
        width: int,
        query: Query,
        where: str,
        placed: _Placed,
        limit: Settings = _UNLIMITED,
    ) -> list[list[Any]]:
        text = placed(text.replace("{where}", where))
        settings = {**self._settings, **limit}
        return self._engine.select(self._database, text, width, query.parameters, settings)
