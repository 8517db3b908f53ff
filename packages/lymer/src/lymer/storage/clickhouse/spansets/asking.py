"""One question to the engine: each statement gets what is left of the question's time."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any, Final, NoReturn, cast

from lymer import clock
from lymer.errors import QuestionError, StorageError
from lymer.language import tree
from lymer.language.operands import PlaceError
from lymer.language.parsing import place_error
from lymer.storage.clickhouse.engine import Engine, Settings
from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.span_columns import BY_ID
from lymer.storage.clickhouse.spansets.plan import Plan
from lymer.storage.clickhouse.spansets.values import Names
from lymer.storage.clickhouse.spansets.walk import Trace
from lymer.storage.clickhouse.statements import statement
from lymer.storage.search_contract import FieldQuestion, SeriesQuestion, SpansetQuestion

__all__ = ["Asking", "LateError"]

_NEVER_TOO_LONG: Final = ("Code: 159.", "Code: 394.")
"""TIMEOUT_EXCEEDED, QUERY_WAS_CANCELLED."""
_BAD_PATTERN: Final = "Code: 427."
_TOO_LARGE: Final = ("Code: 62.", "Code: 167.", "Code: 168.", "Code: 306.")
"""SYNTAX_ERROR (over max_query_size), TOO_DEEP_AST, TOO_BIG_AST, TOO_DEEP_RECURSION."""


class LateError(Exception):
    """The time for a question is over."""


class Asking:
    """Asks the engine for one question, until its time is over."""

    def __init__(
        self,
        engine: Engine,
        database: str,
        settings: Settings,
        question: SpansetQuestion | SeriesQuestion | FieldQuestion,
        settled_segment_id: int = 0,
    ) -> None:
        """Begin to count the time.

        Args:
            engine: Whom to ask.
            database: The tenant's.
            settings: Limits of one statement.
            question: What is asked.
            settled_segment_id: Up to this one all is stored.
        """
        self.settled_segment_id: Final = settled_segment_id
        self._engine = engine
        self._database = database
        self._settings = settings
        self._question = question
        self._begun = clock.monotonic_seconds()
        self._ends = self._begun + question.seconds_max

    def end_after(self, part: float) -> None:
        """Let the time be over after a part of it, counted from the beginning."""
        self._ends = self._begun + part * self._question.seconds_max

    def rows(
        self, plan: Plan, text: str, width: int, settings: Settings | None = None
    ) -> list[list[Any]]:
        """Return the columns of an answer.

        Raises:
            LateError: The time is over.
            QuestionError: The engine cannot do what is asked.
        """
        return self.rows_of(text, width, plan.names.query, settings)

    def rows_of(
        self, text: str, width: int, query: Query, settings: Settings | None = None
    ) -> list[list[Any]]:
        """Return the columns of an answer to a statement with the parameters of `query`.

        Raises:
            LateError: The time is over.
            QuestionError: The engine cannot do what is asked.
        """
        left = self._ends - clock.monotonic_seconds()
        if left <= 0:
            raise LateError
        seconds = min(int(self._settings.get("max_execution_time", 30)), max(1, math.ceil(left)))
        limits = {**self._settings, **(settings or {}), "max_execution_time": seconds}
        try:
            return self._engine.select(self._database, text, width, query.parameters, limits)
        except StorageError as error:
            if str(error).startswith(_NEVER_TOO_LONG):
                raise LateError from error
            if str(error).startswith(_TOO_LARGE):
                raise QuestionError(
                    "cannot answer: the question has too many conditions"
                ) from error
            raise

    def plain_rows(self, text: str, width: int, query: Query) -> list[list[Any]]:
        """Return the columns of a statement that belongs to no plan."""
        return self._engine.select(self._database, text, width, query.parameters, self._settings)

    def check_patterns(self) -> None:
        """Have every regular expression read, for one that no span needs is not read otherwise.

        Raises:
            LateError: The time is over.
            QuestionError: One cannot be read; its place is named.
        """
        for one in _patterns(self._question):
            names = Names(Query())
            text = f"SELECT {{mark}}, match('', concat('^(?:', {names.text(str(one.value))}, ')$'))"
            try:
                self._engine.select(self._database, text, 1, names.query.parameters, self._settings)
            except StorageError as error:
                if not str(error).startswith(_BAD_PATTERN):
                    raise
                self._refuse_pattern(error, one.at)

    def _refuse_pattern(self, error: StorageError, at: int) -> NoReturn:
        words = str(error).partition("error: ")[2].partition(". Look at")[0] or "it cannot be read"
        words = words.replace("^(?:", "", 1).removesuffix(")$")  # what we put around it
        text = "" if isinstance(self._question, FieldQuestion) else self._question.text
        cause = f"the regular expression is not valid: {words[:200]}"
        raise place_error(text, PlaceError(cause, at=at)) from error

    def members(
        self, plan: Plan, where: str, window: str, spans_max: int
    ) -> tuple[list[Trace], int]:
        """Return traces, read whole, and how many spans that were."""
        bits = " + ".join(
            f"{1 << number} * toUInt64({condition})" for condition, number in plan.bits.items()
        )
        values = "".join(f",\n    {value} AS value{n}" for value, n in plan.values.items())
        text = statement(
            "spansets_members",
            bits=bits or "toUInt64(0)",
            arrays=plan.arrays,
            values=values,
            where=f"{where}\n    AND {window}",
            spans_max=spans_max + 1,
        )
        text = text.replace("{with}", plan.names.clause(bits, values, plan.arrays))
        columns = self.rows(plan, text, 9 + len(plan.values), BY_ID)
        places: dict[bytes, list[int]] = defaultdict(list)
        for row, trace_id in enumerate(columns[0]):
            places[trace_id].append(row)
        traces = [
            Trace(trace_id, [[column[row] for row in rows] for column in columns[1:]])
            for trace_id, rows in places.items()
        ]
        return traces, len(columns[0])


def _patterns(node: object) -> list[tree.Literal]:
    """Return the regular expressions of a question, in any order."""
    found: list[tree.Literal] = []
    waiting: list[object] = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, tree.Binary) and one.operator in {"=~", "!~"}:
            found.append(cast("tree.Literal", one.right))
        elif isinstance(one, tuple):
            waiting.extend(one)
        elif hasattr(one, "__dataclass_fields__"):
            waiting.extend(getattr(one, name) for name in one.__dataclass_fields__)
    return found
