"""Questions in the search language: text in, what the store found out. One way for every door."""

from __future__ import annotations

import re
from typing import Final, Literal

from lymer.errors import QuestionError, TooLargeError
from lymer.language import tree
from lymer.language.parsing import QUESTION_CHARACTERS_MAX, parse
from lymer.storage.caller import tell_estimates
from lymer.storage.contract import SpanReader
from lymer.storage.search_contract import (
    Cursor,
    FieldName,
    FieldQuestion,
    FieldValue,
    FoundSeries,
    FoundSpansets,
    SeriesQuestion,
    SpansetQuestion,
)

__all__ = ["INTRINSIC_NAMES", "LanguageService", "SpansetLimits", "TimeRange", "parse_field"]

TRACES_MAX: Final = 10_000
"""Most traces of one answer."""
SPANS_PER_SET_MAX: Final = 10_000
"""Most spans shown of a spanset."""
QUESTION_SECONDS_MAX: Final = 30.0
"""Longest time the store may take for one answer; what it has until then is marked."""
STEP_MIN_NANO: Final = 1_000_000
INTRINSIC_NAMES: Final = (
    *("duration", "event:name", "event:timeSinceStart", "instrumentation:name"),
    *("instrumentation:version", "kind", "link:spanID", "link:traceID", "name", "rootName"),
    *("rootServiceName", "span:childCount", "span:id", "span:parentID", "status"),
    *("statusMessage", "trace:id", "traceDuration"),
)
"""What completion offers beside attributes."""

TimeRange = tuple[int, int]
"""Earliest and latest start, Unix nanoseconds, both included."""
SpansetLimits = tuple[int, int]
"""Most traces, and most spans shown of a spanset (0: all)."""

# What Grafana's editor sends while somebody types: conditions, the last of which may be unfinished.
# A name is tried where it begins, and once: from each of its letters it would take seconds.
_CONDITION: Final = re.compile(
    r"""(?<![\w.:"\\-])((?:[\w.:-]|"(?:[^"\\]|\\.)*")++)\s*+(=~|!~|!=|>=|<=|=|>|<)\s*("(?:[^"\\]|\\.)*"|[^\s&|{}()"]+)"""
)


def parse_field(text: str) -> tree.Field:
    """Read the name of an attribute or intrinsic, as a question writes it.

    Raises:
        QuestionError: It is neither.
    """
    body = parse("{ } | select(" + text + ")").body
    last = body.stages[-1] if isinstance(body, tree.Pipeline) else None
    if not isinstance(last, tree.Select) or len(last.fields) != 1:
        raise QuestionError(f"cannot read the name {text[:200]!r}: it is not one field")
    return last.fields[0]


class LanguageService:
    """Asks the store of one tenant; blocking and thread-safe.

    Raises `QuestionError` for what cannot be answered as it was asked.
    """

    def __init__(self, reader: SpanReader) -> None:
        """Answer from `reader`."""
        self._reader = reader

    def find(
        self,
        text: str,
        time_range: TimeRange,
        limits: SpansetLimits = (20, 3),
        *,
        order: Literal["newest", "slowest"] = "newest",
        after: Cursor | None = None,
    ) -> FoundSpansets:
        """Return the traces that match, in order."""
        traces_max, spans_max = limits
        if not 1 <= traces_max <= TRACES_MAX:
            raise QuestionError(
                f"cannot find traces: limit is {traces_max}, allowed is 1 to {TRACES_MAX}"
            )
        if not 0 <= spans_max <= SPANS_PER_SET_MAX:
            raise QuestionError(
                f"cannot find traces: {spans_max} spans of a spanset asked for, "
                f"allowed is 0 to {SPANS_PER_SET_MAX}"
            )
        _check_range(time_range)
        return self._reader.find_spansets(
            SpansetQuestion(
                parse(text),
                *time_range,
                traces_max=traces_max,
                spans_per_set_max=spans_max,
                order=order,
                after=after,
                seconds_max=QUESTION_SECONDS_MAX,
                text=text,
            )
        )

    def measure(
        self, text: str, time_range: TimeRange, step_nano: int, *, exemplars_max: int = 0
    ) -> FoundSeries:
        """Return numbers over time; a step of 0 is one number for the whole range."""
        _check_range(time_range)
        if step_nano and step_nano < STEP_MIN_NANO:
            raise QuestionError("cannot count over time: the step is shorter than 1 ms")
        return self._counted(
            SeriesQuestion(
                parse(text),
                *time_range,
                step_nano=step_nano,
                exemplars_max=exemplars_max,
                seconds_max=QUESTION_SECONDS_MAX,
                text=text,
            )
        )

    def heatmap(
        self, text: str, time_range: TimeRange, step_nano: int, buckets_per_octave: int
    ) -> FoundSeries:
        """Return how many matching spans start when and last how long, by status.

        All of them are counted; buckets are of a duration in seconds, each by its upper bound.
        """
        _check_range(time_range)
        query = parse(text)
        if not isinstance(query.body, tree.Pipeline):
            raise QuestionError(
                "cannot make a heatmap: the question asks for numbers, not for spans"
            )
        measured = tree.MetricsQuery(
            query.body,
            "histogram_over_time",
            operand=tree.Intrinsic("span:duration"),
            by=(tree.Intrinsic("span:status"),),
        )
        return self._counted(
            SeriesQuestion(
                tree.Query(measured, query.hints),
                *time_range,
                step_nano=step_nano,
                seconds_max=QUESTION_SECONDS_MAX,
                text=text,
                buckets_per_octave=buckets_per_octave,
            )
        )

    def _counted(self, question: SeriesQuestion) -> FoundSeries:
        found = self._reader.get_series(question)
        tell_estimates(is_estimated=found.is_estimated)
        return found

    def names(
        self, time_range: TimeRange, condition: str = "", *, limit: int = 1_000
    ) -> list[FieldName]:
        """Return attributes of the newest spans, those of `condition` only if it can be read."""
        chosen = condition_of(condition)
        return self._reader.get_field_names(
            FieldQuestion(*time_range, condition=chosen, limit=limit)
        )

    def values(
        self, field: tree.Field, time_range: TimeRange, condition: str = "", *, limit: int = 1_000
    ) -> list[FieldValue]:
        """Return values of a field in the newest spans, likewise."""
        chosen = condition_of(condition)
        return self._reader.get_field_values(
            FieldQuestion(*time_range, field, condition=chosen, limit=limit)
        )


def condition_of(text: str) -> tree.Expression | None:
    """Return the condition of a question of one pair of braces; of an unfinished one, what is.

    Raises:
        TooLargeError: It has more than `QUESTION_CHARACTERS_MAX`.
    """
    if len(text) > QUESTION_CHARACTERS_MAX:
        raise TooLargeError(
            f"cannot read the condition: it has {len(text)} characters, the limit is "
            f"{QUESTION_CHARACTERS_MAX}"
        )
    try:
        body = parse(text).body if text.strip() else None
    except QuestionError:
        found = [f"{name} {sign} {value}" for name, sign, value in _CONDITION.findall(text)]
        readable = [one for one in found if _is_readable(one)]
        body = parse("{ " + " && ".join(readable) + " }").body if readable else None
    first = body.stages[0] if isinstance(body, tree.Pipeline) else body
    return first.condition if isinstance(first, tree.Filter) else None


def _is_readable(condition: str) -> bool:
    try:
        parse("{ " + condition + " }")
    except QuestionError:
        return False
    return True


def _check_range(time_range: TimeRange) -> None:
    if time_range[0] > time_range[1]:
        raise QuestionError("cannot answer: the range of time ends before it starts")
