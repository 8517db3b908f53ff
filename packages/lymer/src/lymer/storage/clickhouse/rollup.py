"""Rollups by ingest watermark: each batch of segments is counted once, however late its spans are.

`max(batch)` of a rollup says up to which segment it has counted. A step counts the segments after
it, up to the highest that is safely stored, and inserts the sums as one part: all or nothing, so a
crash leaves the watermark and the sums in step. Merging rows keeps the highest batch.

A call between services is known when the later of its two spans arrives; the earlier one is looked
for among the spans of the lookback (`sql/step_calls.sql`). The rollups of calls, dependencies and
graph, read what they look at from tables in memory, which one of them fills and both may use.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Final, Protocol

from lymer import clock
from lymer.errors import StorageError
from lymer.storage.clickhouse.engine import ONE_PART, Engine, Settings
from lymer.storage.clickhouse.graph import BUCKET, LEAF, LEAF_ATTRIBUTES, TEXTS
from lymer.storage.clickhouse.reach import Reach, Step
from lymer.storage.clickhouse.sampling_threshold import (
    THRESHOLD_TEXT,
    WEIGHT,
    number_of,
    rate_of,
)
from lymer.storage.clickhouse.statements import WINDOW_SPANS_MAX, statement
from lymer.storage.clickhouse.throughput import HISTORY_MICROSECONDS

__all__ = [
    "COUNTS",
    "COUNT_LINKS_TO_DELETED",
    "LOOKBACK_MICROSECONDS",
    "LOOKBACK_SPANS_MAX",
    "OF_CALLS",
    "STEP_SHARED",
    "STEP_SPANS",
    "CountedRollups",
    "Holds",
    "Rollups",
    "TakenBack",
    "count_dependencies",
    "count_graph",
]

LOOKBACK_MICROSECONDS: Final = 300 * 1_000_000
"""Parent and child that arrive further apart than this are not counted as a call."""
LOOKBACK_SPANS_MAX: Final = 2_000_000
"""Nor are they if so many spans arrived between them: looking back costs every step."""

_MINUTE: Final = "toUInt32(least(intDiv(start, 60000000000), 4294967295))"
_NUMBER: Final = "bitShiftRight(cityHash64(service), 1)"
_COUNTING: Final[dict[str, str | int]] = {
    **ONE_PART,
    "join_algorithm": "hash",
    "query_plan_join_swap_table": "false",
    # Steps of 40,000 and of 200,000 spans took the same with and without; to compile those of the
    # graph took a second once, in each process and at each server.
    "compile_expressions": 0,
    "compile_aggregate_expressions": 0,
}
COUNT_RED: Final = statement("count_red", table="red", slot=_MINUTE, weight=WEIGHT)
COUNT_RED_HOURS: Final = statement(
    "count_red", table="red_hours", slot=f"toUInt32(intDiv({_MINUTE}, 60))", weight=WEIGHT
)
STEP_SPANS: Final = statement(
    "step_spans", minute=_MINUTE, bucket=BUCKET, weight=WEIGHT, number=_NUMBER
)
STEP_SHARED: Final = statement("step_shared")
STEP_HOLDS: Final = statement("step_holds")
_SERVICES: Final = statement("services", number=_NUMBER)


@dataclass(frozen=True, slots=True)
class Holds:
    """What there is among the spans of a step: the engine plans what is not there all the same."""

    shared: bool = True
    """Traces that hold an id twice."""
    callers: bool = True
    """Clients and producers, or new consumers."""
    links: bool = True
    """New consumers with links."""


def _calls(holds: Holds) -> str:
    return statement(
        "step_calls",
        alone=" AND trace NOT IN (SELECT trace FROM {db}.step_shared)" if holds.shared else "",
        shared=_behind("step_calls_shared") if holds.shared else "",
    )


def _clients(holds: Holds) -> str:
    answered = statement("answered", shared=_behind("answered_shared") if holds.shared else "")
    return statement(
        "graph_clients",
        answered=answered,
        answered_before=answered.replace("WHERE is_callee", "WHERE was_there AND is_callee"),
        leaf_attributes=LEAF_ATTRIBUTES,
        texts=TEXTS,
        leaf=LEAF,
        figures=f"({_MINUTE}, {BUCKET}, toUInt8(status = 2), {WEIGHT}, toFloat64(duration))",
    )


def _behind(name: str) -> str:
    return f"UNION ALL\n{statement(name)}"


def count_dependencies(holds: Holds) -> str:
    """Return the statement that counts a step into the dependencies."""
    return statement("count_dependencies", calls=_calls(holds), services=_SERVICES)


def count_graph(holds: Holds) -> str:
    """Return the statement that counts a step into the graph."""
    links = f"UNION ALL\n\n{statement('graph_links')}" if holds.links else ""
    return statement(
        "count_graph",
        calls=_calls(holds),
        services=_SERVICES,
        clients=f"UNION ALL\n\n{_clients(holds)}" if holds.callers else "",
        links=links,
        chosen="",
        weight=WEIGHT,
        bucket=BUCKET,
        minute=_MINUTE,
    )


COUNT_DEPENDENCIES: Final = count_dependencies(Holds())
COUNT_GRAPH: Final = count_graph(Holds())
COUNT_ROOTS: Final = statement(
    "count_roots", threshold=THRESHOLD_TEXT, number_of_threshold=number_of("threshold")
)
_CONSUMERS: Final = (
    "SELECT trace_id FROM {db}.spans "
    "WHERE seg > {after} AND seg <= {upto} AND kind = 5 AND notEmpty(links)"
)
COUNT_LINKS_TO_DELETED: Final = statement(
    "count_links_to_deleted",
    links=statement("graph_links"),
    chosen="\n    AND trace_id NOT IN (SELECT trace_id FROM {db}.deleted_traces)",
    # As they were counted: before tail sampling told what they stand for (bit 16 of `rare`).
    weight=f"{WEIGHT} * if(bitAnd(rare, 16) = 0, 1., "
    f"{rate_of(statement('rates_of', traces=_CONSUMERS))})",
    bucket=BUCKET,
    minute=_MINUTE,
)
COUNTS: Final[dict[str, str]] = {
    "red": COUNT_RED,
    "red_hours": COUNT_RED_HOURS,
    "dependencies": COUNT_DEPENDENCIES,
    "graph": COUNT_GRAPH,
    "throughput": COUNT_ROOTS,
}
"""Every rollup, and the statement that counts a step of it."""
_SPANS: Final = "{db}.spans"
_DAY: Final = "toYYYYMMDD(toDateTime(intDiv(batch, 1000000), 'UTC'))"
_STEPS: Final = {
    "dependencies": "FROM {db}.dependencies WHERE parent = '' AND child = '' GROUP BY minute",
    "graph": "FROM {db}.graph WHERE size = 0 AND source = '' GROUP BY slot",
}
"""Where it stands when rollups stepped that look back. What they saw depends on that if a trace
took longer to arrive than they look back."""


OF_CALLS: Final = ("dependencies", "graph")


class CountedRollups(Protocol):
    """What a reader needs of rollups."""

    def catch_up(
        self,
        table: str,
        settled_segment_id: int,
        age_seconds_max: float = 0.0,
        *,
        one_step: bool = False,
    ) -> bool:
        """See `Rollups.catch_up`."""


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A step that is counted once more, with a minus, for spans that are deleted."""

    text: str
    """Of `COUNTS`, or one like it."""
    after: Reach
    upto: Reach
    begin: int
    """No segment up to this one is taken back."""
    lookback: int
    """Nothing up to it is looked at."""
    batch: int
    """Of a row that the rollup has: of that day, so that both are dropped together."""
    note: str
    """Stands in a row of its own in the same part, so that it can be told that it is done."""
    spans: str = "{db}.deleted_spans"
    """The table whose spans are taken back."""
    linked: str = _SPANS
    """The table in which spans are looked for that links lead to."""


class Rollups:
    """Counts stored segments into the rollup tables; thread-safe."""

    def __init__(self, engine: Engine, database: str, *, memory_bytes_max: int) -> None:
        """Read how far each rollup has come."""
        self._engine = engine
        self._database = database
        self._settings: Settings = {**_COUNTING, "max_memory_usage": memory_bytes_max}
        self._statements = {
            "red": COUNT_RED,
            "red_hours": COUNT_RED_HOURS,
            "dependencies": COUNT_DEPENDENCIES,
            "graph": COUNT_GRAPH,
        }
        self._counted = {table: self._progress(table) for table in self._statements}
        # One each: a reader waits for its own rollup only, and one that fails stops no other.
        self._locks = {table: threading.Lock() for table in self._statements}
        # What the tables of a step hold: (after, upto, lookback).
        self._step_lock = threading.Lock()
        self._looked_at: tuple[int, int, int] | None = None
        self._holds = Holds()
        self._in_doubt: set[str] = set()
        self._ended: dict[str, float] = {}
        self._windowed: tuple[str, tuple[int, int]] = "", (0, 0)
        """The last question about a window, and its answer: rollups that are equally far ask it."""

    def count_throughput(self, settled_segment_id: int) -> None:
        """Count throughput too from now on: what arrives, and what arrived just before."""
        begin = settled_segment_id - HISTORY_MICROSECONDS
        self._counted["throughput"] = max(self._progress("throughput"), begin)
        self._locks["throughput"] = threading.Lock()
        self._statements["throughput"] = COUNT_ROOTS

    def catch_up_all(self, settled_segment_id: int, calls_age_seconds_max: float = 0.0) -> bool:
        """Count into every rollup, step by step, so that those of calls look at the same spans.

        Args:
            settled_segment_id: Up to which segment all is stored.
            calls_age_seconds_max: Those of calls are left as they are if that was done so recently.

        Returns:
            Whether there was anything to count.

        Raises:
            StorageError: Of the last rollup that failed; the others have been counted.
        """
        now = clock.monotonic_seconds()
        due = [
            table
            for table in self._statements
            if table not in OF_CALLS
            or now - self._ended.get(table, -math.inf) >= calls_age_seconds_max
        ]
        counted = False
        failure = None
        while due:
            for table in list(due):
                try:
                    did = self.catch_up(table, settled_segment_id, one_step=True)
                except StorageError as error:
                    did, failure = False, error
                counted |= did
                if not did:
                    due.remove(table)
        if failure is not None:
            raise failure
        return counted

    @property
    def base_segment_id(self) -> int:
        """Up to which segment was counted before several collectors wrote; 0 if none was."""
        return 0

    def publish(self) -> None:
        """Tell other collectors how far we have come; here there are none."""

    def catch_up(
        self,
        table: str,
        settled_segment_id: int,
        age_seconds_max: float = 0.0,
        *,
        one_step: bool = False,
    ) -> bool:
        """Count into one rollup every segment up to `settled_segment_id` that is not counted.

        Args:
            table: The rollup.
            settled_segment_id: Up to which segment all is stored.
            age_seconds_max: If counting ended less than so long ago, nothing is counted.
            one_step: Count one step at most: an old answer is better than a long wait.

        Returns:
            Whether there was any.

        Raises:
            StorageError: The rollup is where it was, or some steps further; calling again is right.
        """
        if self._counted[table] >= settled_segment_id:
            return False
        with self._locks[table]:
            if clock.monotonic_seconds() - self._ended.get(table, -math.inf) < age_seconds_max:
                return False
            if table in self._in_doubt:
                self._counted[table] = max(self._counted[table], self._progress(table))
                self._in_doubt.discard(table)
            while self._counted[table] < settled_segment_id:
                self._step(table, settled_segment_id)
                if one_step:
                    break
            self._ended[table] = clock.monotonic_seconds()
        return True

    def take_back(self, one: TakenBack) -> None:
        """Count a step with a minus; it is one part, or nothing."""
        window = one.after.base, one.upto.base, one.lookback
        with self._step_lock:
            self._forget()  # what the tables of a step hold are other spans
            if "{db}.step_" in one.text:
                self._run(STEP_SPANS.replace(_SPANS, one.spans), window)
                self._run(STEP_SHARED, window)
            text = one.text.replace(_SPANS, one.spans).replace("{linked}", one.linked)
            self._run(text, window, batch=one.batch, minus="-", note=one.note)
            self._forget()

    def days(self, table: str) -> list[Step]:
        """Return how far a rollup had come by the end of each day that it has, in order."""
        text = f"SELECT {{mark}}, {_DAY} AS day, max(batch) FROM {{db}}.{table} GROUP BY day"
        found = zip(*self._engine.select(self._database, text, 2), strict=True)
        return [Step(batch, day, Reach(batch)) for day, batch in sorted(found)]

    def steps(self, table: str) -> list[Step]:
        """Return the same of the minutes in which a rollup of calls stepped."""
        text = (
            f"SELECT {{mark}}, {_DAY} AS day, max(batch) AS end {_STEPS[table]}, day ORDER BY end"
        )
        days, ends = self._engine.select(self._database, text, 2)
        return [Step(end, day, Reach(end)) for day, end in zip(days, ends, strict=True)]

    def _progress(self, table: str) -> int:
        statement = f"SELECT {{mark}}, max(batch) FROM {{db}}.{table}"
        ((batch,),) = self._engine.select(self._database, statement, 1)
        return int(batch)

    def _step(self, table: str, settled_segment_id: int) -> None:
        after = self._counted[table]
        window = after, *self._window(after, settled_segment_id)
        if table in OF_CALLS:
            with self._step_lock:
                self._look(window)
                self._count(table, window)
                if all(self._counted[other] != after for other in OF_CALLS):
                    self._forget()
        else:
            self._count(table, window)

    def _count(self, table: str, window: tuple[int, int, int]) -> None:
        self._in_doubt.add(table)  # a step that fails may have counted
        self._run(self._statement_of(table), window)
        self._in_doubt.discard(table)
        self._counted[table] = window[1]

    def _statement_of(self, table: str) -> str:
        """Return what counts a step; of what it looks at, only that which is there."""
        if table == "graph":
            return count_graph(self._holds)
        if table == "dependencies":
            return count_dependencies(self._holds)
        return self._statements[table]

    def _look(self, window: tuple[int, int, int]) -> None:
        """Fill the tables of a step, if they are not as wanted."""
        if self._looked_at != window:
            self._forget()
            self._run(STEP_SPANS, window)
            self._run(STEP_SHARED, window)
            text = STEP_HOLDS
            for place, value in zip(("after", "upto"), window, strict=False):
                text = text.replace(f"{{{place}}}", str(value))
            found = self._engine.select(self._database, text, 3)
            self._holds = Holds(*(any(column) for column in found))
            self._looked_at = window

    def _forget(self) -> None:
        self._looked_at = None
        for table in ("step_spans", "step_shared"):
            self._engine.command(self._database, f"TRUNCATE TABLE {{db}}.{table}")

    def _run(
        self,
        text: str,
        window: tuple[int, int, int],
        *,
        batch: int | None = None,
        minus: str = "",
        note: str = "",
    ) -> None:
        after, upto, lookback = window
        places = {
            "after": after,
            "upto": upto,
            "lookback": lookback,
            "batch": upto if batch is None else batch,
            "minute_of_arrival": upto // 60_000_000,
            "minus": minus,
            "note": note,
            "linked": _SPANS,
        }
        for place, value in places.items():
            text = text.replace(f"{{{place}}}", str(value))
        self._engine.command(self._database, text, {}, self._settings)

    def _window(self, after: int, settled_segment_id: int) -> tuple[int, int]:
        """Return the last segment of the next step, and the one behind which its lookback begins.

        A step is so many segments that they hold about enough spans.
        """
        lookback = max(0, after - LOOKBACK_MICROSECONDS)
        filled = statement(
            "window",
            after=after,
            upto=settled_segment_id,
            lookback=lookback,
            window_spans_max=WINDOW_SPANS_MAX,
            lookback_spans_max=LOOKBACK_SPANS_MAX,
        )
        full_end, too_far_back = self._asked_window(filled)
        return full_end or settled_segment_id, max(lookback, too_far_back)

    def _asked_window(self, filled: str) -> tuple[int, int]:
        """Return the answer of `window.sql` or its like; what is settled has one."""
        asked, answer = self._windowed
        if asked != filled:
            ((full_end,), (too_far_back,)) = self._engine.select(self._database, filled, 2)
            answer = full_end, too_far_back
            self._windowed = filled, answer
        return answer
