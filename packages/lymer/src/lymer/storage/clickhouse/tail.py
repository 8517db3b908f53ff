"""Tail sampling in the store: traces that are old enough are decided, and dropped ones removed.

It takes a window of segments at a time and does six things in order: it repeats earlier decisions
on traces that the window has late spans of; it writes its own, with the end of the window, as one
part; it copies the rates of what was kept by chance; it tells in the trace states of those spans
what they stand for; it deletes the spans of what was dropped; and it notes that the window is done.
After a crash a window that is decided and not noted is carried
out again: that is idempotent. So a window is decided once, and whatever was decided is carried out.

A trace belongs to the window in which its first span arrived; spans that come later follow the
decision. Rollups count spans before they are dropped, so RED and dependencies stay those of all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from lymer.errors import StorageError
from lymer.model.tail_policy import And, Composite, Drop, Policy, StringAttribute, TailPolicy
from lymer.storage.clickhouse.engine import ONE_PART, Engine, Settings
from lymer.storage.clickhouse.sampling_threshold import rate_of, with_threshold
from lymer.storage.clickhouse.statements import WINDOW_SPANS_MAX, statement
from lymer.storage.clickhouse.tail_select import DECIDED, LATE, MARK, select_decisions

__all__ = ["REMEMBERED_SECONDS", "TailSampler", "check_policies"]

REMEMBERED_SECONDS: Final = 300
"""How long a decision is kept in mind for spans that come late; later ones are decided anew."""
_MICRO: Final = 1_000_000
_RATES: Final = statement("kept_rates")
_TELL: Final = statement(
    "tell_threshold", rate=rate_of(_RATES), state=with_threshold("kept_rate"), rates=_RATES
)
_BY_PATCH: Final[dict[str, str | int]] = {
    # A part of only the deleted rows' places, applied when reading and by the next merge. Measured:
    # 0.17 CPU-us a span, where rewriting the parts (ALTER DELETE) takes 1.2 and more as they grow.
    "lightweight_delete_mode": "lightweight_update_force",
    "max_threads": 1,
}


class TailSampler:
    """Decides on the traces of one tenant; one thread at a time."""

    def __init__(
        self,
        engine: Engine,
        database: str,
        policies: Sequence[Policy],
        *,
        memory_bytes_max: int,
        fence: Callable[[], str] | None = None,
    ) -> None:
        """Read how far deciding has come, and carry out what a crash may have left.

        Where several processes might decide, that is done by the next call of `decide`.

        Args:
            engine: Holds the tables.
            database: The tenant's.
            policies: At least one.
            memory_bytes_max: What a statement may use.
            fence: Where several processes might decide: a condition in SQL that throws if it is
                not ours to do so.
        """
        self._fence = fence
        self._engine = engine
        self._database = database
        self._policies = tuple(policies)
        self._insert: Settings = {**ONE_PART, "max_memory_usage": memory_bytes_max}
        self._delete: Settings = {**_BY_PATCH, "max_memory_usage": memory_bytes_max}
        # Parts that are written from now on know the places of their rows, as patches need it.
        engine.command(
            database,
            "ALTER TABLE {db}.spans MODIFY SETTING "
            "enable_block_number_column = 1, enable_block_offset_column = 1",
        )
        self._decided = self._number("SELECT {mark}, max(batch) FROM {db}.tail_progress")
        # Only a note says that deciding has begun: 0 is also where it begins in an empty store.
        notes = self._number("SELECT {mark}, count() FROM {db}.tail_progress")
        self._has_begun = notes > 0
        if fence is None:  # else whoever decides next does it, and only they
            self._carry_out_last()

    @property
    def decided_segment_id(self) -> int:
        """The highest segment whose traces are decided; 0 if none ever was."""
        return self._decided

    def begin_after(self, segment_id: int, /) -> None:
        """Leave alone what was stored before tail sampling was first switched on."""
        if not self._has_begun:
            self._decided = segment_id
            self._note_progress()

    def decide(self, upto: int, settled: int, /) -> tuple[int, int]:
        """Decide on all traces whose first span came with a segment up to `upto`.

        Args:
            upto: Highest segment that is old enough.
            settled: Highest segment that is stored; rollups must have counted it.

        Returns:
            How many traces were kept and dropped.

        Raises:
            StorageError: Some of it may have been done; calling again is right.
        """
        kept = dropped = 0
        if self._fence is not None:  # somebody else may have decided meanwhile
            self._decided = max(
                self._decided, self._number("SELECT {mark}, max(batch) FROM {db}.tail_progress")
            )
            self._carry_out_last()
        while (end := self._window_end(upto)) > self._decided:
            step_kept, step_dropped = self._decide_window(end, settled)
            kept, dropped = kept + step_kept, dropped + step_dropped
        return kept, dropped

    def _carry_out_last(self) -> None:
        """Carry out what was decided, if that may have been cut off."""
        last = self._number(
            f"SELECT {{mark}}, max(batch) FROM {{db}}.tail_decisions WHERE kept = {MARK}"
        )
        if last > self._decided:
            self._carry_out(self._decided, last)

    def _decide_window(self, end: int, settled: int) -> tuple[int, int]:
        after = self._decided
        self._repeat_decisions(after, end)
        decisions = select_decisions(self._policies, after=after, upto=end, settled=settled)
        self._engine.command(
            self._database,
            f"INSERT INTO {{db}}.tail_decisions ({DECIDED}) {decisions.statement} "
            f"UNION ALL SELECT toFixedString('', 16), {MARK}, 0, '', {end}"
            + ("" if self._fence is None else f" WHERE {self._fence()}"),
            decisions.parameters,
            self._insert,
        )
        self._carry_out(after, end)
        counts = (
            "SELECT {mark}, countIf(kept = 1), countIf(kept = 0) FROM {db}.tail_decisions "
            f"WHERE batch = {end}"
        )
        ((kept,), (dropped,)) = self._engine.select(self._database, counts, 2)
        return int(kept), int(dropped)

    def _repeat_decisions(self, after: int, end: int) -> None:
        """Write once more what was decided on traces of which spans came late.

        So what is carried out is found among the decisions of one window, not of minutes. A crash
        leaves repetitions without the row that ends a window: they are as right for the next one.
        """
        self._engine.command(
            self._database,
            f"INSERT INTO {{db}}.tail_decisions ({DECIDED}) "
            f"SELECT trace_id, kept + {LATE}, rate, policy, {end} FROM {{db}}.tail_decisions "
            f"WHERE batch > {max(0, after - REMEMBERED_SECONDS * _MICRO)} AND batch <= {after} "
            f"AND kept < {MARK} AND trace_id IN "
            f"(SELECT trace_id FROM {{db}}.spans WHERE seg > {after} AND seg <= {end})"
            + ("" if self._fence is None else f" AND {self._fence()}"),
            {},
            self._insert,
        )

    def _carry_out(self, after: int, upto: int) -> None:
        window = f"seg > {after} AND seg <= {upto}"
        decided = f"batch > {after} AND batch <= {upto}"
        self._engine.command(
            self._database,
            "INSERT INTO {db}.tail_rates SELECT trace_id, rate, policy, batch "
            f"FROM {{db}}.tail_decisions WHERE {decided} AND kept = 1 AND rate < 1",
            {},
            self._insert,
        )
        chosen = f"{decided} AND kept IN (1, {1 + LATE}) AND rate < 1"
        if self._number(f"SELECT {{mark}}, count() FROM {{db}}.tail_decisions WHERE {chosen}"):
            tell = _TELL.replace("{window}", window).replace("{chosen}", chosen)
            self._engine.command(self._database, tell, {}, self._delete)
        self._engine.command(
            self._database,
            f"DELETE FROM {{db}}.spans WHERE {window} AND trace_id IN "
            f"(SELECT trace_id FROM {{db}}.tail_decisions WHERE {decided} AND kept IN (0, {LATE}))",
            {},
            self._delete,
        )
        self._decided = upto
        self._note_progress()

    def _note_progress(self) -> None:
        self._has_begun = True
        self._engine.command(
            self._database,
            f"INSERT INTO {{db}}.tail_progress SELECT 1, {self._decided}",
            {},
            self._insert,
        )

    def _window_end(self, upto: int) -> int:
        """Return the last segment of the next window; where we are if there is none.

        A window has about enough spans, and whole seconds if that can be: budgets are for each
        second of arrival, so a second is decided at once.
        """
        after = self._decided
        some = f"SELECT 1 FROM {{db}}.spans WHERE seg > {after} AND seg <= {upto} LIMIT 1"
        if not self._number(f"SELECT {{mark}}, count() FROM ({some})"):
            return after
        window = statement(
            "window",
            after=after,
            upto=upto,
            lookback=after,
            window_spans_max=WINDOW_SPANS_MAX,
            lookback_spans_max=0,
        )
        ((full,), _) = self._engine.select(self._database, window, 2)
        end = full or upto
        whole = end - end % _MICRO - 1
        if whole > after:
            return whole
        return full or after

    def _number(self, text: str) -> int:
        ((number,),) = self._engine.select(self._database, text, 1)
        return int(number)


def check_policies(engine: Engine, policies: Sequence[Policy]) -> str:
    """Return why the engine cannot use a regular expression of `policies`; empty if it can."""
    for policy in policies:
        for expression in _expressions(policy.rule):
            try:
                engine.select("", "SELECT {mark}, match('', {p:String})", 1, {"p": expression}, {})
            except StorageError as error:
                return f"policy {policy.name!r}: {expression!r} is no regular expression: {error}"
    return ""


def _expressions(rule: TailPolicy) -> list[str]:
    if isinstance(rule, And | Drop):
        return [text for part in rule.policies for text in _expressions(part)]
    if isinstance(rule, Composite):
        return [text for part in rule.parts for text in _expressions(part.policy)]
    if isinstance(rule, StringAttribute) and rule.are_expressions:
        return list(rule.values)
    return []
