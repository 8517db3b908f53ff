"""Whole traces out of every table and rollup of one tenant; a crash in the middle is carried on.

What is deleted is copied first, then noted in the audit log as begun: from there on it is carried
out, now or by the next start. Sums are taken back by rows that count the same spans with a minus;
each such row lies in one part with a note that it is done, and carries the batch of a row that
counted them, so that retention drops both together. Then the spans are deleted for good (parts are
written anew, no mask), and the catalog forgets what nothing is left of.

Why, and what it costs: docs/adr/036-deleting-traces.md.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Final

from lymer import clock
from lymer.model.deletion import Deleted, Deletion
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.engine import ONE_PART, Engine, Settings
from lymer.storage.clickhouse.rollup import (
    COUNT_LINKS_TO_DELETED,
    COUNTS,
    LOOKBACK_MICROSECONDS,
    Rollups,
    TakenBack,
)
from lymer.storage.clickhouse.sampling_threshold import rate_of, threshold_before
from lymer.storage.clickhouse.statements import WINDOW_SPANS_MAX, statement
from lymer.telemetry.logs import EventLog

__all__ = ["Deletions"]

_log = EventLog(__name__)
_BEGUN: Final = 1
_DONE: Final = 2
_IDS_PER_STATEMENT: Final = 2_000
_TRACES_PER_ROUND: Final = 10_000
_STEPS: Final = {
    "dependencies": "minute FROM {db}.dependencies WHERE parent = '' AND child = '' "
    "GROUP BY minute",
    "graph": "slot FROM {db}.graph WHERE size = 0 AND source = '' GROUP BY slot",
}
"""Where it stands when rollups stepped that look back. What they saw depends on that if a trace
took longer to arrive than they look back."""
_STAGING: Final = ("deleted_traces", "deleted_spans", "deleted_long_spans")
_NOTES: Final = {
    "red": "service = '' AND name",
    "red_hours": "service = '' AND name",
    "dependencies": "parent = '' AND child",
    "graph": "size = 0 AND source",
    "throughput": "service = '' AND name",
}
"""Where a note stands in each rollup, up to its `=`."""
_SETTLED: Final[Settings] = {"mutations_sync": 2}
_TRACES: Final = "SELECT trace_id FROM {db}.deleted_traces"
_KNOWN: Final = f"trace_id IN ({_TRACES})"


@dataclass(frozen=True, slots=True)
class _Window:
    """Segments that are taken back in one step."""

    after: int
    upto: int
    batch: int
    day: int


class Deletions:
    """Deletes traces of one tenant, one deletion at a time; any thread."""

    def __init__(
        self,
        engine: Engine,
        database: str,
        catalog: Catalog,
        rollups: Rollups,
        *,
        retention_seconds: int,
        memory_bytes_max: int,
    ) -> None:
        """Carry out what a crash left half done; rollups must not have begun to count.

        Args:
            engine: Holds the tables.
            database: The tenant's.
            catalog: Forgets what nothing is left of.
            rollups: Take back what they counted.
            retention_seconds: Of spans.
            memory_bytes_max: What a statement may use.
        """
        self._engine = engine
        self._database = database
        self._catalog = catalog
        self._rollups = rollups
        self._retention_microseconds = retention_seconds * 1_000_000
        self._insert: Settings = {**ONE_PART, "max_memory_usage": memory_bytes_max}
        self._lock = threading.Lock()
        self._finish()

    def count(self, trace_ids: Sequence[str], upto: int) -> Deleted:
        """Return what `delete` would delete now."""
        with self._lock:
            self._finish()
            self._note_traces(trace_ids)
            counted = self._counted(upto)
            self._clear()
            return counted

    def delete(self, trace_ids: Sequence[str], who: str, question: str, upto: int) -> Deleted:
        """Delete traces, some at a time; of what the store does not know nothing is recorded.

        Each round has an entry of its own in the audit log.

        Args:
            trace_ids: 32 hex digits each.
            who: Of the audit log.
            question: Of the audit log.
            upto: Segments up to this one, which every rollup has counted.

        Raises:
            StorageError: Once it is begun it will be carried out, by the next start at the latest.
        """
        with self._lock:
            self._finish()
            total = Deleted()
            for some in self._rounds(trace_ids, upto):
                total += self._delete_some(some, who, question, upto)
            return total

    def _delete_some(self, trace_ids: Sequence[str], who: str, question: str, upto: int) -> Deleted:
        self._note_traces(trace_ids)
        deleted = self._counted(upto)
        if deleted.traces:
            for table, is_long in (("deleted_spans", 0), ("deleted_long_spans", 1)):
                copy = statement(
                    "deleted_spans",
                    rate=rate_of(statement("rates_of", traces=_TRACES)),
                    state=threshold_before("kept_rate"),
                    table=table,
                    upto=upto,
                    is_long=is_long,
                    lookback_microseconds=LOOKBACK_MICROSECONDS,
                    spans_max=WINDOW_SPANS_MAX,
                )
                self._run(copy, self._insert)
            now = clock.unix_nano() // 1_000
            begun = Deletion(now, who, question, deleted, upto)
            self._record(begun, _BEGUN)
            self._carry_out(begun)
        self._clear()
        return deleted

    def _rounds(self, trace_ids: Sequence[str], upto: int) -> Iterator[list[str]]:
        """Yield the traces so many at a time that they have about as many spans as a step may."""
        for first in range(0, len(trace_ids), _TRACES_PER_ROUND):
            some = trace_ids[first : first + _TRACES_PER_ROUND]
            self._note_traces(some)
            text = (
                f"SELECT {{mark}}, lower(hex(trace_id)), count() FROM {{db}}.spans "
                f"WHERE seg <= {upto} AND {_KNOWN} GROUP BY trace_id"
            )
            ids, counts = self._engine.select(self._database, text, 2)
            spans = dict(zip(map(_text, ids), counts, strict=True))
            round_: list[str] = []
            size = 0
            for one in some:
                if round_ and size + spans.get(one, 0) > WINDOW_SPANS_MAX:
                    yield round_
                    round_, size = [], 0
                round_.append(one)
                size += spans.get(one, 0)
            yield round_

    def records(self) -> list[Deletion]:
        """Return the audit log, newest first."""
        return self._records("")

    def _finish(self) -> None:
        """Carry out what was begun and failed, or fell into a crash."""
        for one in self._records("WHERE state = 1"):
            _log.warning("carrying on with a deletion", deletion=one.deletion_id)
            self._carry_out(one)

    def _carry_out(self, deletion: Deletion) -> None:
        for table, text in COUNTS.items():
            if table == "graph":
                self._take_back(deletion, table, COUNT_LINKS_TO_DELETED, "links", self._consumers())
            self._take_back(deletion, table, text, "", self._segments("deleted_spans"))
            long = self._segments("deleted_long_spans")
            self._take_back(deletion, table, text, "long", long, spans="{db}.deleted_long_spans")
        known = f"seg <= {deletion.upto} AND {_KNOWN}"
        self._delete("spans", known)
        self._delete("archive", _KNOWN)
        for table in ("tail_rates", "tail_decisions"):
            self._delete(table, _KNOWN)
        since = max(0, deletion.deletion_id - self._retention_microseconds)
        self._catalog.forget(
            [statement("forget_operations", since=since), statement("forget_origins")], _SETTLED
        )
        self._record(deletion, _DONE)
        self._clear()
        _log.info(
            "traces deleted",
            who=deletion.who,
            traces=deletion.deleted.traces,
            spans=deletion.deleted.spans,
        )

    def _take_back(
        self,
        deletion: Deletion,
        table: str,
        text: str,
        kind: str,
        segments: Sequence[int],
        *,
        spans: str = "",
    ) -> None:
        """Take back in one rollup what was counted of `segments`, once."""
        links = kind == "links"
        spans = spans or ("{db}.spans" if links else "{db}.deleted_spans")
        sources = ("deleted_spans", "deleted_long_spans") if links else ("",)
        days = self._days(table, segments)
        if kind == "long" and table in _STEPS:
            days = self._steps(table, segments, days)
        for window, source in product(days, sources):
            note = f"deleted {deletion.deletion_id} {kind}{source} {window.day} {window.after}"
            if self._is_noted(table, note):
                continue
            lookback = max(0, window.after - LOOKBACK_MICROSECONDS)
            self._rollups.take_back(
                TakenBack(
                    text,
                    (window.after, window.upto, lookback),
                    batch=window.batch,
                    note=note,
                    spans=spans,
                    linked=f"{{db}}.{source or 'spans'}",
                )
            )

    def _days(self, table: str, segments: Sequence[int]) -> list[_Window]:
        """Return the partitions of a rollup that counted some of the segments."""
        text = (
            "SELECT {mark}, toYYYYMMDD(toDateTime(intDiv(batch, 1000000), 'UTC')) AS day, "
            f"max(batch) FROM {{db}}.{table} GROUP BY day ORDER BY day"
        )
        found = []
        after = 0
        for day, batch in zip(*self._engine.select(self._database, text, 2), strict=True):
            first, last = bisect_right(segments, after), bisect_right(segments, batch)
            if first < last:
                found.append(_Window(after, batch, batch, day))
            after = batch
        return found

    def _steps(self, table: str, segments: Sequence[int], days: Sequence[_Window]) -> list[_Window]:
        """Return the steps by which a rollup counted some of the segments, a minute at most."""
        text = f"SELECT {{mark}}, max(batch) AS end, {_STEPS[table]} ORDER BY end"
        ends = self._engine.select(self._database, text, 2)[0]
        found = []
        for day in days:
            some = ends[bisect_right(ends, day.after) : bisect_left(ends, day.upto)]
            for after, upto in pairwise([day.after, *some, day.upto]):
                if bisect_right(segments, after) < bisect_right(segments, upto):
                    found.append(_Window(after, upto, day.batch, day.day))
        return found

    def _segments(self, table: str) -> list[int]:
        text = f"SELECT {{mark}}, seg FROM {{db}}.{table} GROUP BY seg ORDER BY seg"
        (segments,) = self._engine.select(self._database, text, 1)
        return list(segments)

    def _consumers(self) -> list[int]:
        """Return segments with spans that stay and have links to deleted ones."""
        text = (
            "SELECT {mark}, seg FROM {db}.spans WHERE kind = 5 AND notEmpty(links) AND "
            "arrayExists(l -> toFixedString(substring(l, 1, 16), 16) IN (SELECT trace_id FROM "
            "{db}.deleted_traces), links.trace_id) AND trace_id NOT IN "
            "(SELECT trace_id FROM {db}.deleted_traces) GROUP BY seg ORDER BY seg"
        )
        (segments,) = self._engine.select(self._database, text, 1)
        return list(segments)

    def _is_noted(self, table: str, note: str) -> bool:
        text = f"SELECT {{mark}}, count() FROM {{db}}.{table} WHERE {_NOTES[table]} = '{note}'"
        ((count,),) = self._engine.select(self._database, text, 1)
        return bool(count)

    def _note_traces(self, trace_ids: Sequence[str]) -> None:
        self._clear()
        for first in range(0, len(trace_ids), _IDS_PER_STATEMENT):
            some = trace_ids[first : first + _IDS_PER_STATEMENT]
            text = (
                "INSERT INTO {db}.deleted_traces "
                "SELECT toFixedString(substring(unhex({ids:String}), "
                f"1 + 16 * number, 16), 16) FROM numbers({len(some)})"
            )
            self._engine.command(self._database, text, {"ids": "".join(some)}, self._insert)

    def _counted(self, upto: int) -> Deleted:
        text = (
            "SELECT {mark}, uniqExact(trace_id), sum(is_span), sum(NOT is_span) FROM (SELECT "
            f"trace_id, 1 AS is_span FROM {{db}}.spans WHERE seg <= {upto} AND {_KNOWN} UNION ALL "
            f"SELECT trace_id, 0 AS is_span FROM {{db}}.archive WHERE {_KNOWN})"
        )
        ((traces,), (spans,), (archived,)) = self._engine.select(self._database, text, 3)
        return Deleted(traces, spans, archived)

    def _delete(self, table: str, condition: str) -> None:
        """Delete rows for good; parts without any are left as they are."""
        self._run(f"ALTER TABLE {{db}}.{table} DELETE WHERE {condition}", _SETTLED)

    def _record(self, one: Deletion, state: int) -> None:
        text = (
            f"INSERT INTO {{db}}.deletions SELECT {one.deletion_id}, {{who:String}}, "
            f"{{question:String}}, {one.deleted.traces}, {one.deleted.spans}, "
            f"{one.deleted.archived}, {one.upto}, {state}"
        )
        texts = {"who": one.who, "question": one.question}
        self._engine.command(self._database, text, texts, self._insert)

    def _records(self, where: str) -> list[Deletion]:
        text = (
            "SELECT {mark}, id, who, question, traces, spans, archived, upto FROM {db}.deletions "
            f"FINAL {where} ORDER BY id DESC"
        )
        columns = self._engine.select(self._database, text, 7)
        return [
            Deletion(number, _text(who), _text(question), Deleted(traces, spans, archived), upto)
            for number, who, question, traces, spans, archived, upto in zip(*columns, strict=True)
        ]

    def _clear(self) -> None:
        for table in _STAGING:
            self._run(f"TRUNCATE TABLE {{db}}.{table}", {})

    def _run(self, text: str, settings: Settings) -> None:
        self._engine.command(self._database, text, {}, settings)


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
