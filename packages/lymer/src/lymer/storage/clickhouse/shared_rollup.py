"""Rollups of a store that several collectors write to: one of them counts what all have stored.

Segments of two collectors do not settle in the order of their ids, so how far a rollup has come is
a number for each collector. A step counts, of each, what is settled and not counted; its row
without a service holds all the numbers, in one part with the sums. Only the holder of the lease
counts: a call's two spans may come by two collectors, so whoever counts must know what was.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from lymer import clock
from lymer.errors import StorageAwayError, StorageError
from lymer.storage.clickhouse.collectors import publish, published
from lymer.storage.clickhouse.engine import Engine
from lymer.storage.clickhouse.lease import Lease
from lymer.storage.clickhouse.reach import Reach, Step, is_counted
from lymer.storage.clickhouse.rollup import (
    LOOKBACK_MICROSECONDS,
    LOOKBACK_SPANS_MAX,
    OF_CALLS,
    STEP_SHARED,
    STEP_SPANS,
    Rollups,
    TakenBack,
)
from lymer.storage.clickhouse.statements import WINDOW_SPANS_MAX, statement
from lymer.storage.clickhouse.throughput import HISTORY_MICROSECONDS

__all__ = ["ADD_MARKS", "SharedRollups"]

ADD_MARKS: Final = (
    *(
        f"ALTER TABLE {{db}}.{table} ADD COLUMN IF NOT EXISTS marks "
        "SimpleAggregateFunction(maxMap, Map(UInt16, UInt64))"
        for table in ("red", "red_hours", "dependencies", "graph", "throughput")
    ),
    # Hours that were taken from minutes (schema 12) have come as far as these.
    (
        "INSERT INTO {db}.red_hours (batch, marks) SELECT max(r.batch), maxMap(r.marks) "
        "FROM {db}.red AS r HAVING notEmpty(maxMap(r.marks)) "
        "AND (SELECT count() FROM {db}.red_hours WHERE notEmpty(marks)) = 0"
    ),
)
"""How far a rollup has come, by collector; only where there are several."""

_MARKED: Final = {
    "red": "service = '' AND kind = 0 AND minute = 0",
    "red_hours": "service = '' AND kind = 0 AND hour = 0",
    "dependencies": "parent = '' AND minute = 0",
    "graph": "source_kind = 255 AND source = '' AND size = 0 AND slot = 0",
    "throughput": "second = 0 AND service = ''",
}
"""Where the row is that says how far a rollup has come."""
_STEPS: Final = {
    "dependencies": "parent = '' AND child = '' GROUP BY minute, day",
    "graph": "size = 0 AND source_kind = 255 AND source = '' GROUP BY slot, day",
}
"""Where the rows are that say how far it had come by the end of a minute."""
_MINUTE: Final = 60_000_000
_SPANS: Final = "{db}.spans"
_DAY: Final = "toYYYYMMDD(toDateTime(intDiv(batch, 1000000), 'UTC'))"
_NO_MARKS: Final = "CAST(map(), 'Map(UInt16, UInt64)')"
_STEP_TABLES: Final = ("step_spans", "step_shared")
_UPTO: Final = 2
"""Places of a step's number in its statement: in the sums' rows, and in the mark's."""
_BASE: Final = 0
"""No collector's number: what was counted before there were several."""


class SharedRollups(Rollups):
    """Counts for all collectors, while this one holds the lease; thread-safe."""

    def __init__(
        self,
        engine: Engine,
        database: str,
        *,
        memory_bytes_max: int,
        collector: int,
        lease: Lease,
        own_settled: Callable[[], int],
    ) -> None:
        """Read how far each rollup has come.

        Args:
            engine: Holds the tables.
            database: The tenant's.
            memory_bytes_max: Of a step.
            collector: Our number.
            lease: Whoever holds it counts.
            own_settled: Tells up to which segment all of ours are stored.
        """
        self._lease = lease
        self._collector = collector
        self._own_settled = own_settled
        self._published = 0
        self._is_paused = False
        self._filled = ("", 0)
        """How our tables of a step were filled, and with how many rows."""
        self._settled: dict[int, int] | None = None
        """What `published` says, while all rollups are brought up to date."""
        self._marks: dict[str, tuple[str, tuple[int, dict[int, int], int]]] = {}
        """How far a rollup has come, and in which turn of ours: nobody else counts in it."""
        self._is_in_doubt = False
        """Whether a step was sent of which we do not know whether it is under way, or will be."""
        super().__init__(engine, database, memory_bytes_max=memory_bytes_max)
        self._base = max(self._counted_by_collector(table)[0] for table in self._statements)

    @property
    def base_segment_id(self) -> int:
        """See `Rollups.base_segment_id`."""
        return self._base

    def publish(self) -> None:
        """Tell whoever counts up to which segment ours are stored."""
        settled = self._own_settled()
        if settled > self._published:
            publish(self._engine, self._database, self._collector, settled)
            self._published = settled

    def catch_up_all(self, settled_segment_id: int, calls_age_seconds_max: float = 0.0) -> bool:
        """See `Rollups.catch_up_all`; how far collectors have come is asked once."""
        if not self._lease.is_held:
            return False
        self._settled = published(self._engine, self._database)
        try:
            return super().catch_up_all(settled_segment_id, calls_age_seconds_max)
        finally:
            self._settled = None

    def catch_up(
        self,
        table: str,
        settled_segment_id: int,
        age_seconds_max: float = 0.0,
        *,
        one_step: bool = False,
    ) -> bool:
        """See `Rollups.catch_up`; does nothing where another collector counts."""
        del settled_segment_id  # of all, not of ours alone
        if not self._lease.is_held:
            return False
        with self._locks[table]:
            age = clock.monotonic_seconds() - self._ended.get(table, -math.inf)
            if self._is_paused or age < age_seconds_max:
                return False
            counted = False
            try:
                while self._shared_step(table):
                    counted = True
                    if one_step:
                        break
            except StorageError:
                if self._lease.look():
                    raise
                return counted  # somebody has taken it over, and counts
            self._ended[table] = clock.monotonic_seconds()
        return counted

    def _shared_step(self, table: str) -> bool:
        """Count some of what is settled and not counted; return whether there was any."""
        if self._is_in_doubt:
            self._lease.next_turn()
            self._is_in_doubt = False
        # Before it is asked how far the rollup has come: a later turn's statement would count anew
        # what an earlier one knew.
        fence = self._lease.fence()
        known = self._settled
        settled = dict(published(self._engine, self._database) if known is None else known)
        own = self._own_settled()
        settled[self._collector] = max(own, settled.get(self._collector, 0))
        turn, marks = self._marks.pop(table, ("", (0, {}, 0)))
        base, after, batch = marks if turn == fence else self._counted_by_collector(table)
        fresh = {one: upto for one, upto in settled.items() if upto > max(after.get(one, 0), base)}
        if table == "throughput" and not after:
            # Counting begins late: what is older was not asked for.
            base = max(base, max(fresh.values(), default=0) - HISTORY_MICROSECONDS)
        if not fresh:
            self._marks[table] = fence, (base, after, batch)
            return False
        seen = {one: max(upto, settled.get(one, 0)) for one, upto in {**settled, **after}.items()}
        begin = min(max(after.get(one, 0), base) for one in fresh)
        where = _Where(_reach_of(base, after), _reach_of(base, seen))
        lookback = max(0, begin - LOOKBACK_MICROSECONDS)
        window = statement(
            "window_shared",
            fresh=where.fresh(begin),
            before=where.before(),
            seen=where.seen(lookback),
            window_spans_max=WINDOW_SPANS_MAX,
            lookback_spans_max=LOOKBACK_SPANS_MAX,
        )
        full_end, too_far_back = self._asked_window(window)
        if full_end:
            seen = {
                one: max(min(upto, full_end), after.get(one, 0), 0) for one, upto in seen.items()
            }
            where = _Where(_reach_of(base, after), _reach_of(base, seen))
        lookback = max(lookback, too_far_back)
        numbers = {_BASE: base, **{one: upto for one, upto in seen.items() if upto > base}}
        step = max(batch + 1, *seen.values())
        with self._step_lock if table in OF_CALLS else contextlib.nullcontext():
            checks = fence
            if table in OF_CALLS:
                checks += f" AND {self._looked(where, begin, lookback)}"
            filled = where.filled(self._of_ours(self._statements[table]), begin, lookback)
            pairs = ", ".join(f"{one}, {upto}" for one, upto in numbers.items())
            places = {
                "minus": "",
                "note": "",
                # One row for how far it has come, one for how far it had by the end of a minute.
                "minute_of_arrival": f"arrayJoin([0, {step // _MINUTE}])",
                "linked": _SPANS,
            }
            self._insert(filled, places, step, f"CAST(map({pairs}), 'Map(UInt16, UInt64)')", checks)
        counted = {one: upto for one, upto in numbers.items() if one != _BASE}
        self._marks[table] = fence, (base, {**after, **counted}, step)
        return True

    def take_back(self, one: TakenBack) -> None:
        """See `Rollups.take_back`."""
        where = _Where(one.after, one.upto)
        text = one.text.replace(_SPANS, one.spans)
        with self._step_lock:
            self._filled = ("", 0)  # what the tables of a step hold are other spans
            checks = self._lease.fence()
            if "{db}.step_" in text:
                checks += f" AND {self._looked(where, one.begin, one.lookback, one.spans)}"
            filled = where.filled(self._of_ours(text), one.begin, one.lookback)
            places = {
                "minus": "-", "note": one.note, "minute_of_arrival": "0", "linked": one.linked
            }  # fmt: skip
            self._insert(filled, places, one.batch, _NO_MARKS, checks)
            self._filled = ("", 0)

    def days(self, table: str) -> list[Step]:
        """See `Rollups.days`."""
        return self._ends(f"{{db}}.{table} WHERE {_MARKED[table]} GROUP BY day")

    def steps(self, table: str) -> list[Step]:
        """See `Rollups.steps`; those of before there were several, too."""
        return self._ends(f"{{db}}.{table} WHERE {_STEPS[table]}")

    def _ends(self, of: str) -> list[Step]:
        text = (
            f"SELECT {{mark}}, {_DAY} AS day, max(batch), mapKeys(maxMap(marks) AS upto), "
            f"mapValues(upto) FROM {of}"
        )
        rows = zip(*self._engine.select(self._database, text, 4), strict=True)
        found = [Step(batch, day, _reach(batch, *marks)) for day, batch, *marks in rows]
        return sorted(found, key=lambda one: one.batch)

    def counted(self) -> Reach:
        """Return how far the slowest rollup has come: all of it is settled."""
        base, after, _ = self._counted_by_collector("graph")
        return _reach_of(base, after)

    def counted_before(self, after: int, upto: int) -> int:
        """Return up to which segment behind `after`, `upto` at most, all that is stored is counted.

        What is not counted five minutes later is a collector's that is gone: it is not waited for.
        """
        begin = max(after, upto - LOOKBACK_MICROSECONDS)
        text = (
            f"SELECT {{mark}}, min(seg) FROM {{db}}.spans WHERE seg > {begin} AND seg <= {upto} "
            f"AND NOT ({is_counted(self.counted())})"
        )
        ((first,),) = self._engine.select(self._database, text, 1)
        return first - 1 if first else upto

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Within, nothing is counted: readers are answered by what was."""
        with contextlib.ExitStack() as stack:
            for table in sorted(self._locks):
                stack.enter_context(self._locks[table])
            self._is_paused = True
        try:
            yield
        finally:
            self._is_paused = False

    def _insert(
        self, filled: str, places: Mapping[str, str], step: int, marks: str, checks: str
    ) -> None:
        """Insert the sums and how far they come, in one part, or nothing."""
        for place, piece in places.items():
            filled = filled.replace(f"{{{place}}}", piece)
        left = ("{after}", "{upto}", "{lookback}")
        if filled.count("{batch}") != _UPTO or any(place in filled for place in left):
            raise ValueError(f"cannot count: not laid out for several: {filled[-200:]}")
        for one in (_NO_MARKS, marks):
            filled = filled.replace("{batch}", f"{step}, {one}", 1)
        try:
            self._engine.command(
                self._database,
                f"{filled} WHERE {checks}",
                {},
                {**self._settings, **self._lease.settings()},
            )
        except StorageError as error:
            self._filled = ("", 0)
            self._is_in_doubt = isinstance(error, StorageAwayError)
            raise

    def _looked(self, where: _Where, begin: int, lookback: int, spans: str = _SPANS) -> str:
        """Fill our tables of a step, if they are not as wanted; return a condition that they are.

        They are ours alone: a former holder that wakes up must not fill those of the next. They are
        in the server's memory: if it starts anew, they are empty.
        """
        fill = where.filled(self._of_ours(STEP_SPANS.replace(_SPANS, spans)), begin, lookback)
        if self._filled[0] != fill:
            self._filled = ("", 0)
            for table in _STEP_TABLES:
                self._engine.command(
                    self._database, f"TRUNCATE TABLE IF EXISTS {{db}}.{self._of_ours(table)}"
                )
                self._engine.command(
                    self._database,
                    f"CREATE TABLE IF NOT EXISTS {{db}}.{self._of_ours(table)} AS {{db}}.{table} "
                    "ENGINE = Memory",
                )
            for text in (fill, self._of_ours(STEP_SHARED)):
                self._engine.command(self._database, text, {}, self._settings)
            self._filled = (fill, self._rows_looked_at())
        return (
            f"NOT throwIf((SELECT count() FROM {{db}}.{self._of_ours(_STEP_TABLES[0])}) != "
            f"{self._filled[1]}, 'the server has started anew')"
        )

    def _rows_looked_at(self) -> int:
        text = f"SELECT {{mark}}, count() FROM {{db}}.{self._of_ours(_STEP_TABLES[0])}"
        ((count,),) = self._engine.select(self._database, text, 1)
        return int(count)

    def _of_ours(self, text: str) -> str:
        """Return a text about the tables of a step as one about those of this collector."""
        for table in _STEP_TABLES:
            text = text.replace(table, f"{table}_{self._collector}")
        return text

    def _counted_by_collector(self, table: str) -> tuple[int, dict[int, int], int]:
        """Return what was counted before there were several, by each, and the last step."""
        text = (
            "SELECT {mark}, max(batch), mapKeys(maxMap(marks) AS upto), mapValues(upto) "
            f"FROM {{db}}.{table} WHERE {_MARKED[table]}"
        )
        ((batch,), (collectors,), (numbers,)) = self._engine.select(self._database, text, 3)
        reach = _reach(batch, collectors, numbers)
        return reach.base, dict(reach.numbers), int(batch)


class _Where:
    """The conditions on `seg` that a step's statement has in the place of two instants."""

    def __init__(self, after: Reach, upto: Reach) -> None:
        self._after = after
        self._upto = upto

    def before(self) -> str:
        """Counted by an earlier step."""
        return is_counted(self._after)

    def fresh(self, begin: int) -> str:
        """Counted by this step, that is nothing up to `begin`."""
        return f"(seg > {begin} AND NOT ({is_counted(self._after)}) AND {is_counted(self._upto)})"

    def seen(self, lookback: int) -> str:
        """Either of them, after `lookback`."""
        return f"(seg > {lookback} AND {is_counted(self._upto)})"

    def filled(self, text: str, begin: int, lookback: int) -> str:
        """Return a step's statement with these."""
        return (
            text.replace("seg > {after} AND seg <= {upto}", self.fresh(begin))
            .replace("seg > {lookback} AND seg <= {upto}", self.seen(lookback))
            .replace("seg <= {after}", self.before())
            .replace("seg > {after}", f"NOT ({self.before()})")
        )


def _reach_of(base: int, numbers: Mapping[int, int]) -> Reach:
    return Reach(base, tuple(numbers.items()))


def _reach(batch: int, collectors: Sequence[int], numbers: Sequence[int]) -> Reach:
    """Return what marks say; without any it was counted before there were several."""
    marks = dict(zip(collectors, numbers, strict=True))
    base = marks.pop(_BASE, 0 if marks else batch)
    return Reach(base, tuple(sorted(marks.items())))
