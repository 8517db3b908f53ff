"""Whole traces out of every table and rollup of one tenant; a crash in the middle is carried on.

What is deleted is copied first, then noted in the audit log as begun: from there on it is carried
out, now or by the next start. Sums are taken back by rows that count the same spans with a minus;
each such row lies in one part with a note that it is done, and carries the batch of a row that
counted them, so that retention drops both together. Then the spans are deleted for good (parts are
written anew, no mask), and the catalog forgets what nothing is left of.

Why, and what it costs: docs/adr/036-deleting-traces.md.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

from lymer import clock
from lymer.model.deletion import Deleted, Deletion
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.engine import ONE_PART, Engine, Settings
from lymer.storage.clickhouse.reach import NOTHING_COUNTED, Reach, Step, begin_of, steps_of
from lymer.storage.clickhouse.rollup import (
    COUNT_LINKS_TO_DELETED,
    COUNTS,
    LOOKBACK_MICROSECONDS,
    OF_CALLS,
    Rollups,
    TakenBack,
)
from lymer.storage.clickhouse.sampling_threshold import rate_of, threshold_before
from lymer.storage.clickhouse.statements import WINDOW_SPANS_MAX, statement
from lymer.telemetry.logs import EventLog

__all__ = ["Deletions", "count_stored"]

_log = EventLog(__name__)
_BEGUN: Final = 1
_DONE: Final = 2
_IDS_PER_STATEMENT: Final = 2_000
_TRACES_PER_ROUND: Final = 10_000
_STAGING: Final = ("deleted_traces", "deleted_spans", "deleted_long_spans")
_NOTES: Final = {
    "red": "service = '' AND name",
    "red_hours": "service = '' AND name",
    "dependencies": "parent = '' AND child",
    "graph": "size = 0 AND source",
    "throughput": "service = '' AND name",
}
"""Where a note stands in each rollup, up to its `=`."""
_STEPS_OF_LINKS_MAX: Final = 50
"""Of more the days are taken: a step costs a third of a second of processor time."""
_SETTLED: Final[Settings] = {"mutations_sync": 2}
_TRACES: Final = "SELECT trace_id FROM {db}.deleted_traces"
_COPIED: Final = (
    "SELECT seg, trace_id FROM {db}.deleted_spans UNION DISTINCT "
    "SELECT seg, trace_id FROM {db}.deleted_long_spans"
)
_CONSUMERS: Final = (
    "{db}.spans WHERE kind = 5 AND notEmpty(links) AND arrayExists(l -> "
    f"toFixedString(substring(l, 1, 16), 16) IN ({_TRACES}), links.trace_id) "
    f"AND trace_id NOT IN ({_TRACES})"
)
"""Spans that stay and have links to deleted ones."""
_COPIES: Final = re.compile(r"\{db\}\.(deleted_traces|deleted_spans|deleted_long_spans)\b")


@dataclass(frozen=True, slots=True)
class _Window:
    """Segments that are taken back in one step."""

    number: int
    """Of the step before it: names it."""
    batch: int
    day: int
    after: Reach
    upto: Reach
    begin: int
    """No segment up to this one is taken back."""


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
        fence: Callable[[], str] | None = None,
    ) -> None:
        """Carry out what a crash left half done; rollups must not have begun to count.

        Where several collectors share the store, whoever counts for all calls `finish` instead.

        Args:
            engine: Holds the tables.
            database: The tenant's.
            catalog: Forgets what nothing is left of.
            rollups: Take back what they counted.
            retention_seconds: Of spans.
            memory_bytes_max: What a statement may use.
            fence: Where several processes might delete: a condition in SQL that throws if it is
                not ours to do so.
        """
        self._fence = fence
        self._engine = engine
        self._database = database
        self._catalog = catalog
        self._rollups = rollups
        self._retention_microseconds = retention_seconds * 1_000_000
        self._insert: Settings = {**ONE_PART, "max_memory_usage": memory_bytes_max}
        self._lock = threading.Lock()
        if fence is None:
            self.finish()

    def finish(self) -> None:
        """Carry out what was begun and failed, or fell into a crash."""
        with self._lock:
            self._finish()

    def is_begun(self) -> bool:
        """Tell whether a deletion is at work, or is to be carried on."""
        return bool(self._records("WHERE state = 1"))

    def count(self, trace_ids: Sequence[str], within: str) -> Deleted:
        """Return what `delete` would delete now."""
        return count_stored(self._engine, self._database, trace_ids, within)

    def left_by(self, trace_ids: Sequence[str], within: str) -> int:
        """Return how many spans of traces `delete` would leave."""
        return sum(
            self._number(
                f"count() FROM {{db}}.spans WHERE trace_id IN ({ids}) AND NOT ({within})", texts
            )
            for ids, texts in _named(trace_ids)
        )

    def delete(
        self,
        trace_ids: Sequence[str],
        who: str,
        question: str,
        upto: int,
        within: str = "",
        number: int = 0,
    ) -> Deleted:
        """Delete traces, some at a time; of what the store does not know nothing is recorded.

        Each round has an entry of its own in the audit log.

        Args:
            trace_ids: 32 hex digits each.
            who: Of the audit log.
            question: Of the audit log.
            upto: Segments up to this one, which every rollup has counted.
            within: A condition on `seg` that says it of several collectors; empty: there are none.
            number: When it was asked for, microseconds, as the entry's id; 0: now. That of the
                second round is one more, and so on.

        Raises:
            StorageError: Once it is begun it will be carried out, by the next start at the latest.
        """
        with self._lock:
            self._finish()
            total = Deleted()
            within = within or f"seg <= {upto}"
            for at, some in enumerate(self._rounds(trace_ids, within)):
                asked = Deletion(
                    self._free_id(number + at if number else 0), who, question, Deleted(), upto
                )
                total += self._delete_some(asked, some, within)
            return total

    def _free_id(self, wanted: int) -> int:
        """Return an id that no entry has; the wanted one if it can be."""
        last = self._number("max(id) FROM {db}.deletions")
        return wanted if wanted > last else max(clock.unix_nano() // 1_000, last + 1)

    def _delete_some(self, asked: Deletion, trace_ids: Sequence[str], within: str) -> Deleted:
        deleted = self.count(trace_ids, within)
        if not deleted.traces:
            return deleted
        begun = replace(asked, deleted=deleted)
        self._note_traces(begun, trace_ids)
        for table, is_long in (("deleted_spans", 0), ("deleted_long_spans", 1)):
            copy = statement(
                "deleted_spans",
                rate=rate_of(statement("rates_of", traces=_TRACES)),
                state=threshold_before("kept_rate"),
                table=table,
                within=within,
                is_long=is_long,
                lookback_microseconds=LOOKBACK_MICROSECONDS,
                spans_max=WINDOW_SPANS_MAX,
            )
            self._run(self._staged(begun, copy), self._insert)
        self._record(begun, _BEGUN)
        self._carry_out(begun)
        return deleted

    def _rounds(self, trace_ids: Sequence[str], within: str) -> Iterator[list[str]]:
        """Yield the traces so many at a time that they have about as many spans as a step may."""
        spans: dict[str, int] = {}
        for ids, texts in _named(trace_ids):
            text = (
                f"SELECT {{mark}}, lower(hex(trace_id)), count() FROM {{db}}.spans "
                f"WHERE {within} AND trace_id IN ({ids}) GROUP BY trace_id"
            )
            found, counts = self._engine.select(self._database, text, 2, texts)
            spans |= zip(map(_text, found), counts, strict=True)
        round_: list[str] = []
        size = 0
        for one in trace_ids:
            if round_ and (
                size + spans.get(one, 0) > WINDOW_SPANS_MAX or len(round_) >= _TRACES_PER_ROUND
            ):
                yield round_
                round_, size = [], 0
            round_.append(one)
            size += spans.get(one, 0)
        if round_:
            yield round_

    def records(self) -> list[Deletion]:
        """Return the audit log, newest first."""
        return self._records("")

    def _finish(self) -> None:
        for one in self._records("WHERE state = 1"):
            _log.warning("carrying on with a deletion", deletion=one.deletion_id)
            self._carry_out(one)
        self._clear()

    def _carry_out(self, deletion: Deletion) -> None:
        for table, text in COUNTS.items():
            if table == "graph":
                linked = self._segments(deletion, _CONSUMERS)
                self._take_back(deletion, table, COUNT_LINKS_TO_DELETED, "links", linked)
            for kind, of in (("", "deleted_spans"), ("long", "deleted_long_spans")):
                segments = self._segments(deletion, f"{{db}}.{of}")
                self._take_back(deletion, table, text, kind, segments, spans=f"{{db}}.{of}")
        self._delete(deletion, "spans", f"(seg, trace_id) IN ({_COPIED})")
        for table in ("archive", "tail_rates", "tail_decisions"):
            self._delete(deletion, table, f"trace_id IN ({_TRACES})")
        since = max(0, deletion.deletion_id - self._retention_microseconds)
        forget = [statement("forget_operations", since=since), statement("forget_origins")]
        self._catalog.forget([self._staged(deletion, one) for one in forget], _SETTLED)
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
        spans: str = "{db}.spans",
    ) -> None:
        """Take back in one rollup what was counted of `segments`, once."""
        sources = ("deleted_spans", "deleted_long_spans") if kind == "links" else ("",)
        for window, source in product(self._windows(table, kind, segments), sources):
            note = f"deleted {deletion.deletion_id} {kind}{source} {window.day} {window.number}"
            if self._is_noted(table, note):
                continue
            self._rollups.take_back(
                TakenBack(
                    self._staged(deletion, text),
                    window.after,
                    window.upto,
                    window.begin,
                    max(0, window.begin - LOOKBACK_MICROSECONDS),
                    batch=window.batch,
                    note=note,
                    spans=self._staged(deletion, spans),
                    linked=self._staged(deletion, f"{{db}}.{source or 'spans'}"),
                )
            )

    def _windows(self, table: str, kind: str, segments: Sequence[int]) -> list[_Window]:
        """Return the days in which a rollup counted some of the segments.

        Of traces that took longer to arrive than it looks back, the steps, a minute at most; so of
        links, as what they lead to must have been there, where it is not too many steps.
        """
        if not segments:
            return []
        days = self._rollups.days(table)
        if table in OF_CALLS and (kind == "long" or table == "graph"):
            ends = {one.batch: one for one in [*self._rollups.steps(table), *days]}
            found = self._windows_of([ends[at] for at in sorted(ends)], table, segments, days)
            if kind == "long" or len(found) <= _STEPS_OF_LINKS_MAX:
                return found
        return self._windows_of(days, table, segments, days)

    def _windows_of(
        self, steps: Sequence[Step], table: str, segments: Sequence[int], days: Sequence[Step]
    ) -> list[_Window]:
        batches = {one.day: one.batch for one in days}
        first = NOTHING_COUNTED
        if table == "throughput" and steps and steps[0].reach.numbers:
            first = Reach(steps[0].reach.base)  # what is older was not counted
        reaches = [first, *(one.reach for one in steps)]
        taken: dict[int, int] = {}
        for at, segment in steps_of(reaches, segments):
            taken[at] = min(segment, taken.get(at, segment))
        found = []
        for at, lowest in sorted(taken.items()):
            before, step = reaches[at], steps[at]
            begin = lowest - 1 if steps is days else begin_of(before, step.reach)
            number = steps[at - 1].batch if at else 0
            found.append(_Window(number, batches[step.day], step.day, before, step.reach, begin))
        return found

    def _segments(self, deletion: Deletion, of: str) -> list[int]:
        text = f"SELECT {{mark}}, seg FROM {of} GROUP BY seg ORDER BY seg"
        (segments,) = self._engine.select(self._database, self._staged(deletion, text), 1)
        return list(segments)

    def _is_noted(self, table: str, note: str) -> bool:
        return bool(self._number(f"count() FROM {{db}}.{table} WHERE {_NOTES[table]} = '{note}'"))

    def _note_traces(self, deletion: Deletion, trace_ids: Sequence[str]) -> None:
        self._clear()
        if self._fence is not None:
            for table in _STAGING:
                text = f"CREATE TABLE {{db}}.{table}_{deletion.deletion_id} AS {{db}}.{table}"
                self._run(text, {})
        for ids, texts in _named(trace_ids):
            text = f"INSERT INTO {{db}}.deleted_traces {ids}"
            self._engine.command(self._database, self._staged(deletion, text), texts, self._insert)

    def _delete(self, deletion: Deletion, table: str, condition: str) -> None:
        """Delete rows for good; parts without any are left as they are."""
        text = f"ALTER TABLE {{db}}.{table} DELETE WHERE {condition}"
        self._run(self._staged(deletion, text), _SETTLED)

    def _record(self, one: Deletion, state: int) -> None:
        text = (
            f"INSERT INTO {{db}}.deletions SELECT {one.deletion_id}, {{who:String}}, "
            f"{{question:String}}, {one.deleted.traces}, {one.deleted.spans}, "
            f"{one.deleted.archived}, {one.upto}, {state}"
        )
        if self._fence is not None:
            text += f" WHERE {self._fence()}"
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
        """Empty the copies. Of processes that share a store, whoever lost it must not: drop."""
        if self._fence is None:
            for table in _STAGING:
                self._run(f"TRUNCATE TABLE {{db}}.{table}", {})
            return
        text = (
            "SELECT {mark}, name FROM system.tables WHERE database = '{db}' "
            "AND match(name, '^deleted_[a-z_]+_[0-9]+$') "
            "AND toUInt64OrZero(extract(name, '[0-9]+$')) NOT IN "
            "(SELECT id FROM {db}.deletions FINAL WHERE state = 1)"
        )
        (names,) = self._engine.select(self._database, text, 1)
        for name in names:
            self._run(f"DROP TABLE IF EXISTS {{db}}.{_text(name)} SYNC", {})

    def _staged(self, deletion: Deletion, text: str) -> str:
        """Return a statement about the copies as one about those of a deletion.

        Where processes share a store each deletion has tables of its own: what a process that was
        only paused does when it wakes up concerns those of a deletion that another has ended.
        """
        if self._fence is None:
            return text
        return _COPIES.sub(rf"{{db}}.\1_{deletion.deletion_id}", text)

    def _number(self, text: str, texts: Mapping[str, str] | None = None) -> int:
        ((number,),) = self._engine.select(self._database, f"SELECT {{mark}}, {text}", 1, texts)
        return int(number)

    def _run(self, text: str, settings: Settings) -> None:
        self._engine.command(self._database, text, {}, settings)


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def count_stored(
    engine: Engine, database: str, trace_ids: Sequence[str], within: str = "1"
) -> Deleted:
    """Return what is stored of traces; `within` is a condition on `seg`."""
    total = Deleted()
    for ids, texts in _named(trace_ids):
        known = f"trace_id IN ({ids})"
        text = (
            "SELECT {mark}, uniqExact(trace_id), sum(is_span), sum(NOT is_span) FROM (SELECT "
            f"trace_id, 1 AS is_span FROM {{db}}.spans WHERE {within} AND {known} UNION ALL "
            f"SELECT trace_id, 0 AS is_span FROM {{db}}.archive WHERE {known})"
        )
        ((traces,), (spans,), (archived,)) = engine.select(database, text, 3, texts)
        total += Deleted(traces, spans, archived)
    return total


def _named(trace_ids: Sequence[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield statements that return the ids of so many traces at a time, and their parameters."""
    for first in range(0, len(trace_ids), _IDS_PER_STATEMENT):
        some = trace_ids[first : first + _IDS_PER_STATEMENT]
        ids = (
            "SELECT toFixedString(substring(unhex({ids:String}), 1 + 16 * number, 16), 16) "
            f"FROM numbers({len(some)})"
        )
        yield ids, {"ids": "".join(some)}
