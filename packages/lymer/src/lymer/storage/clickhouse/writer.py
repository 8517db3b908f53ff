"""Segments into the table, each exactly once."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Final

from lymer.errors import StorageError, StorageMemoryError
from lymer.model.segment import SealedSegment
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.engine import ONE_PART, Engine
from lymer.storage.clickhouse.lease import Lease
from lymer.storage.clickhouse.offsets import guard_of
from lymer.storage.clickhouse.otlp_format import FORMAT_SETTINGS, STRUCTURE
from lymer.storage.clickhouse.statements import LOAD, LOAD_USUAL, UNUSUAL_CODES

__all__ = ["SegmentWriter", "check_once"]

_SPANS: Final = "{db}.spans"
_DELETIONS_MAX: Final = 10
"""So often are parts looked for that a merge has made meanwhile."""
_REPAIRED_FOR: Final = 50
"""Loads that expect something to be repaired, once something was."""
_END_LOADS: Final = (
    f"KILL QUERY WHERE startsWith(query, 'INSERT INTO {_SPANS}') "
    "AND position(query, '{seg} AS seg') > 0 SYNC"
)
_LOADING: Final[dict[str, str | int]] = {
    **ONE_PART,
    "optimize_on_insert": 0,
    # There is nothing to choose: a fifth of a small segment's load was spent on looking for it.
    "query_plan_enable_optimizations": 0,
    "compile_expressions": 0,
    "optimize_functions_to_subcolumns": 0,
    "enable_optimize_predicate_expression": 0,
}


def check_once(segment: SealedSegment, stored: int) -> None:
    """Raise `StorageError` if more of a segment is stored than there is: it is begun anew then."""
    if stored > segment.span_count:
        raise StorageError(
            f"cannot store segment {segment.segment_id}: a statement that was given up stored it, "
            f"too; {stored} spans are there instead of {segment.span_count}"
        )


class SegmentWriter:
    """Writes the segments of one tenant; one thread at a time writes. Part of `SpanWriter`."""

    def __init__(
        self,
        engine: Engine,
        database: str,
        catalog: Catalog,
        *,
        load_memory_bytes_max: int,
        ours: str = "",
        share: str = "",
        collector: int = 0,
        turn: Lease | None = None,
    ) -> None:
        """Remember whom to tell, and what one load may use of memory, bytes.

        `ours` is a clause WHERE on `seg`, if others write to the same table; `share` a condition on
        `trace`, if other shards keep the rest; `collector` our number among those others, and
        `turn` that of our loads: None if a statement ends with its caller.
        """
        self._share = share
        self._turn = turn
        self._is_in_doubt = False
        """Whether a load was given up that may be under way, or begin."""
        self._trial = f"{{db}}.spans_trial_{collector}"
        self._engine = engine
        self._database = database
        self._load_settings = {
            **FORMAT_SETTINGS,
            **_LOADING,
            "max_memory_usage": load_memory_bytes_max,
        }
        self._catalog = catalog
        self._lock = threading.Lock()
        ((newest,),) = engine.select(
            database, f"SELECT {{mark}}, max(seg) FROM {{db}}.spans{ours}", 1
        )
        self._newest: int = newest
        self._expected: set[int] = set()
        self._repaired_for = 0
        self.stored_spans = 0
        """Of all segments since the start; those of a former run included that are met again."""

    @property
    def newest_segment_id(self) -> int:
        """The highest segment of which anything is stored; 0 if none."""
        with self._lock:
            return self._newest

    @property
    def settled_segment_id(self) -> int:
        """The highest segment up to which all are stored; 0 if none. Rollups may count up to it."""
        with self._lock:
            return min(self._newest, min(self._expected, default=self._newest + 1) - 1)

    def expect(self, segment_id: int) -> None:
        """Know that a segment will be stored; see `SpanWriter.expect`."""
        with self._lock:
            self._expected.add(segment_id)

    def forget(self, segment_id: int) -> None:
        """Know that a segment will not be stored here after all."""
        with self._lock:
            self._expected.discard(segment_id)

    def announce(self, segment: SealedSegment, /) -> None:
        """Let what is stored so far be found; see `SpanWriter.announce`."""
        self._catalog.add(segment.segment_id)

    def write_segment(self, segment: SealedSegment, /) -> None:
        """Store a segment; see `SpanWriter.write_segment`."""
        self.write_part(segment, segment.path)
        self.settle(segment)

    def recover_segment(self, segment: SealedSegment, /) -> None:
        """Store a segment unless it is; see `SpanWriter.recover_segment`.

        The catalog is told apart from the spans, so it is told again: that is idempotent.
        """
        stored = self.spans_of(segment)
        if stored == segment.span_count:
            self.settle(segment)
            return
        if stored:
            self.erase(segment)
        self.write_part(segment, segment.path)
        check_once(segment, self.spans_of(segment))
        self.settle(segment)

    def settle(self, segment: SealedSegment, /) -> None:
        """Know that all that is to be stored of a segment is.

        Raises:
            StorageError: The catalog could not be told; the spans are stored.
        """
        try:
            self._catalog.add(segment.segment_id)
        except StorageMemoryError as error:  # which would say that nothing is stored
            raise StorageError(f"cannot tell the catalog: {error}") from error
        self._settle(segment)

    def erase(self, segment: SealedSegment, /) -> None:
        """Delete what is stored of a segment."""
        guard, settings = guard_of(self._engine)
        if guard:  # a mutation runs apart from who began it: the guard cannot be a part of it
            self._engine.select("", f"SELECT {{mark}}, 1 WHERE {guard}", 1, {}, settings)
        where = f"seg = {segment.segment_id}"
        if self._turn is None:
            self._delete(where)
            return
        # What is stored of it later lies in parts of other names, so a deletion that was given up
        # and begins then deletes nothing. A merge gives other names, too.
        asked = f"SELECT DISTINCT {{mark}}, _part FROM {{db}}.spans WHERE {where}"
        for _ in range(_DELETIONS_MAX):
            (parts,) = self._engine.select(self._database, asked, 1)
            if not parts:
                return
            names = ", ".join(f"'{part.decode()}'" for part in parts)
            self._delete(f"{where} AND _part IN ({names})")
        raise StorageError(f"cannot delete segment {segment.segment_id}: its parts are merged")

    def _delete(self, where: str) -> None:
        self._engine.command(
            self._database,
            f"ALTER TABLE {{db}}.spans DELETE WHERE {where}",
            {},
            {"mutations_sync": 2},
        )

    def write_part(self, segment: SealedSegment, path: Path, /) -> None:
        """Store some spans of a segment; see `SpanWriter.write_part`.

        Planning the repairs is saved where there are none to make; it fails if there are.
        """
        self.expect(segment.segment_id)
        if self._repaired_for <= 0:
            try:
                self._load(LOAD_USUAL, segment, path)
            except StorageError as error:
                if not str(error).startswith(UNUSUAL_CODES):
                    raise
                self._repaired_for = _REPAIRED_FOR
            else:
                return
        self._load(LOAD, segment, path)
        self._repaired_for -= 1

    def try_part(self, segment: SealedSegment, path: Path, /) -> None:
        """Do with some spans all that storing them means; see `SpanWriter.try_part`.

        The table's twin has its columns, indexes and constraints. What only the table itself can
        refuse, however good the spans are (too many parts, no right to write), is asked of it by an
        insert of no rows.
        """
        drop = f"DROP TABLE IF EXISTS {self._trial} SYNC"
        self._engine.command(self._database, drop)
        self._engine.command(self._database, f"CREATE TABLE {self._trial} AS {_SPANS}")
        try:
            self._load(LOAD.replace(_SPANS, self._trial), segment, path)
            self._catalog.holdings(segment.segment_id, self._trial)
            self._engine.command(
                self._database, f"INSERT INTO {_SPANS} SELECT * FROM {self._trial} WHERE 0"
            )
        finally:
            with contextlib.suppress(StorageError):  # the next trial drops it
                self._engine.command(self._database, drop)

    def _load(self, statement: str, segment: SealedSegment, path: Path) -> None:
        filled = statement.replace("{seg}", str(segment.segment_id))
        guard, settings = guard_of(self._engine)
        share = self._share
        if share and statement == LOAD_USUAL:
            # An id that is repaired is another shard's before than after: neither would keep it.
            share = f"({share} OR bad)"
        turn = self._turn.fence() if self._turn else ""
        conditions = [one for one in (share, guard, turn) if one]
        if conditions:
            filled += f" WHERE {' AND '.join(conditions)}"
        if guard:
            settings = {**self._load_settings, **settings}
        try:
            self._engine.load_file(
                self._database, filled, path, STRUCTURE, settings or self._load_settings
            )
        except StorageError as error:
            self._is_in_doubt = not str(error).startswith(UNUSUAL_CODES)
            raise

    def spans_of(self, segment: SealedSegment, /) -> int:
        """Return how many spans of a segment are stored; no load of it is under way then."""
        if self._turn is not None:
            # A connection that broke, or whoever was killed, says nothing of a statement: it may go
            # on at the server, or begin, and be done after it was asked what there is.
            if self._is_in_doubt:
                self._turn.next_turn()
                self._is_in_doubt = False
            self._engine.command(
                self._database, _END_LOADS.replace("{seg}", str(segment.segment_id))
            )
        statement = f"SELECT {{mark}}, count() FROM {{db}}.spans WHERE seg = {segment.segment_id}"
        ((count,),) = self._engine.select(self._database, statement, 1)
        return int(count)

    def _settle(self, segment: SealedSegment) -> None:
        with self._lock:
            self._newest = max(self._newest, segment.segment_id)
            self._expected.discard(segment.segment_id)
            self.stored_spans += segment.span_count
