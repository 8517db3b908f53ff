"""Traces that somebody asked to keep, apart from those that retention drops."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from lymer.storage.clickhouse.engine import ONE_PART, Engine, Settings
from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.span_columns import select_spans
from lymer.storage.clickhouse.statements import statement

__all__ = ["Archive", "from_archive", "select_archived_spans"]

_COLUMNS: Final = (
    "seg, trace_id, span_id, parent_span_id, start, duration, service, name, kind, status, "
    "status_message, attrs, events, links, resource, scope, trace_state, flags, dropped, warnings"
)
_ARCHIVE_TRACE: Final = statement("archive_trace", columns=_COLUMNS)
_SPANS: Final = "{db}.spans"
_ARCHIVE: Final = "{db}.archive"


class Archive:
    """The archive of one tenant."""

    def __init__(
        self, engine: Engine, database: str, settings: Settings, *, is_shared: bool = False
    ) -> None:
        """Remember whom to ask, and the limits of one statement; shared: others may keep, too."""
        self._is_shared = is_shared
        self._engine = engine
        self._database = database
        self._settings = settings
        self._lock = threading.Lock()
        self._is_empty: bool | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever kept, so that it need not be asked."""
        if self._is_empty is None or (self._is_empty and self._is_shared):
            with self._lock:
                self._is_empty = not self._count(_ARCHIVE, "1", Query())
        return self._is_empty

    def keep(self, trace_id: bytes) -> bool:
        """Keep what is stored of a trace, in one part; tell whether anything is known of it."""
        query = Query()
        where = f"trace_id = {query.blob(trace_id)}"
        with self._lock:  # two at once would both copy
            if self._count(_SPANS, where, query):
                settings = {**self._settings, **ONE_PART}
                self._is_empty = False
                text = _ARCHIVE_TRACE.replace("{where}", where)
                self._engine.command(self._database, text, query.parameters, settings)
                return True
        return self._count(_ARCHIVE, where, query) > 0

    def _count(self, table: str, where: str, query: Query) -> int:
        text = f"SELECT {{mark}}, count() FROM {table} WHERE {where}"
        (counts,) = self._engine.select(self._database, text, 1, query.parameters, self._settings)
        return sum(counts)


def from_archive(text: str) -> str:
    """Return a statement about spans as one about those of the archive."""
    return text.replace(_SPANS, _ARCHIVE)


def select_archived_spans(where: str, names: Sequence[str], *, skeleton: bool) -> str:
    """Return the statement that reads spans of the archive; see `select_spans`."""
    return from_archive(select_spans(where, names, skeleton=skeleton))
