"""Traces that answer a question, in order and completely.

The engine names traces that can match, in the order of their newest (or slowest) span that can be
in the answer. That order can only be too early, so a trace is in its place as soon as it ranks
before every trace not looked at. Traces are read in widening rounds until enough are in theirs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from lymer.errors import QuestionError
from lymer.language import tree
from lymer.language.operands import PlaceError
from lymer.language.parsing import place_error
from lymer.model.question import SPAN_KINDS
from lymer.storage.caller import listener
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.spansets.arrays import ArrayKeys
from lymer.storage.clickhouse.spansets.asking import Asking, LateError
from lymer.storage.clickhouse.spansets.minute_values import MINUTE_NANO, MinuteValues
from lymer.storage.clickhouse.spansets.plan import Plan
from lymer.storage.clickhouse.spansets.values import literal
from lymer.storage.clickhouse.spansets.walk import (
    ERROR,
    LOOK_AGAIN,
    Members,
    Trace,
    Value,
)
from lymer.storage.clickhouse.statements import statement
from lymer.storage.search_contract import (
    FoundSpan,
    FoundSpanset,
    FoundSpansets,
    MatchedTrace,
    Scanned,
    SpansetQuestion,
    TypedValue,
)

__all__ = [
    "SPANS_READ_MAX",
    "WINDOW_NANO",
    "find_spansets",
    "naming_statement",
    "typed_value",
]

WINDOW_NANO: Final = 3_600 * 10**9
"""How far before and after the range a trace is looked at, nanoseconds."""
SPANS_READ_MAX: Final = 2_000_000
"""Spans read one by one for one question, about 200 bytes each while they are looked at."""
TRACES_MAX: Final = 200_000
"""Traces looked at for one question."""
_FIRST_SPANS: Final = 100
_SPANS_PER_TRACE: Final = 4
_WIDEN: Final = 10
_SPANS_LIMITED_MAX: Final = 20_000
_TRACES_PER_READ: Final = 400
_STATUSES: Final = ("unset", "ok", "error")
_TYPES: Final[dict[str, tree.Type]] = {
    "s": "string",
    "b": "bool",
    "i": "int",
    "f": "float",
    "d": "duration",
    "t": "time",
    "S": "status",
    "K": "kind",
    "a": "any",
}
_PARTS: Final = (16, 4)
"""The newest parts of a large range, one after another, for somebody who takes what there is."""
_PROBED: Final = 32
"""The newest part of a range that is looked at before its attribute's values are."""
_MINUTES_MAX: Final = 14 * 1440
_RANGES_MAX: Final = 64


def find_spansets(
    asking: Asking,
    catalog: Catalog,
    learnt: tuple[ArrayKeys, MinuteValues],
    question: SpansetQuestion,
) -> FoundSpansets:
    """See `SpanReader.find_spansets`."""
    body = question.query.body
    if not isinstance(body, tree.Pipeline | tree.Filter | tree.Combine | tree.Relate):
        raise QuestionError("cannot find traces: the question asks for numbers over time")
    try:
        plan = Plan(body, catalog)
        asking.check_patterns()
        return _Search(asking, question, plan, *learnt).run()
    except PlaceError as error:
        raise place_error(question.text, error) from None


def window(question: SpansetQuestion, plan: Plan, slack: int = WINDOW_NANO) -> str:
    """Return the condition that a span starts in the range, `slack` nanoseconds wider."""
    low = plan.names.whole(max(question.start_unix_nano_min - slack, 0))
    high = plan.names.whole(max(question.start_unix_nano_max + slack, 0))
    return f"start BETWEEN {low} AND {high}"


def naming_statement(
    which: str, key: str, where: str, clause: str, *, reads_first: bool = False, **limits: int
) -> str:
    """Return the statement that names traces: `newest` spans of some, or the traces of `all`.

    The conditions come last: they hold no place to fill, whatever is asked. With `reads_first`
    they are tested in this order before anything else is read; else the engine finds an order.
    """
    text = statement(f"spansets_{which}", key=key, **limits)
    if reads_first:
        text = text.replace("WHERE {where}", "PREWHERE {where}")
    return text.replace("{with}", clause).replace("{where}", where)


def candidates(question: SpansetQuestion, plan: Plan, *, with_traces: bool = True) -> str:
    """Return the condition on spans of the range that can be in an answer.

    Args:
        question: Which.
        plan: Of it.
        with_traces: Ask what else a span's trace must have, too.
    """
    parts = [window(question, plan, 0), plan.needs.span]
    for condition in dict.fromkeys(plan.needs.of_trace if with_traces else ()):
        if condition not in {"1", plan.needs.span}:
            inner = f"{window(question, plan)} AND {condition}"
            parts.append(
                f"trace_id IN ({plan.names.clause(inner)}SELECT trace_id FROM {{db}}.spans "
                f"WHERE {inner})"
            )
    return "\n    AND ".join(one for one in parts if one != "1")


class _Search:
    """One question being answered."""

    def __init__(
        self,
        asking: Asking,
        question: SpansetQuestion,
        plan: Plan,
        arrays: ArrayKeys,
        values: MinuteValues,
    ) -> None:
        self._asking = asking
        self._arrays = arrays
        self._values = values
        self._met_array = False
        self._is_by_minutes = False
        self._question = question
        self._plan = plan
        self._key = "start" if question.order == "newest" else "duration"
        self._found: dict[bytes, MatchedTrace] = {}
        self._looked_at: set[bytes] = set()
        self._spans = 0
        self._reason = ""
        self._listener = listener()
        self._shown = 0

    def run(self) -> FoundSpansets:
        wanted = self._question.traces_max
        known = self._question.after_segment
        is_final = False
        try:
            # Who follows looks every second; mostly nothing was stored since.
            is_final = (
                known is not None and known >= self._asking.settled_segment_id
            ) or self._widen()
        except LateError:
            self._reason = f"the time of {self._question.seconds_max:g} s was over"
        ordered = self._ordered(None)
        return FoundSpansets(
            tuple(ordered[:wanted]),
            is_complete=is_final,
            reason=self._reason,
            has_more=not is_final or len(ordered) > wanted,
            scanned=Scanned(len(self._looked_at), self._spans),
            segment=self._asking.settled_segment_id,
        )

    def _widen(self) -> bool:
        """Look at traces until enough are in their place; return whether they are."""
        plan, wanted = self._first_plan(), self._question.traces_max + 1
        where, alone = (
            candidates(self._question, plan, with_traces=with_traces)
            for with_traces in (True, False)
        )
        within = self._within(plan)
        spans_max = max(_FIRST_SPANS, _SPANS_PER_TRACE * wanted)
        rows: list[tuple[bytes, int]] | None = None
        may_be_less = bool(plan.needs.of_values) or alone != where
        is_large = (may_be_less or self._listener is not None) and self._values.is_large(
            self._asking.rows_of
        )
        if is_large and self._listener is not None and alone == where and not within:
            within, is_enough = self._newest_parts(plan, where, spans_max)
            if is_enough:
                return True
        if is_large and plan.needs.of_values and self._has_minutes():
            minutes, rows = self._by_minutes(plan, within + alone, spans_max)
            within = minutes + within
        # What else a trace must have is found among all traces; a few are looked at sooner.
        rounds = [alone] if is_large and alone != where else []
        while spans_max <= _SPANS_LIMITED_MAX:
            if rows is None:
                asked = within + (rounds[0] if rounds else where)
                rows = self._newest(plan, asked, spans_max)
            ids = list(dict.fromkeys(trace_id for trace_id, _ in rows))
            is_all = len(rows) < spans_max
            # Of many that were named at once, the first ones may be enough.
            is_dear = bool(plan.needs.of_trace) and spans_max == _SPANS_LIMITED_MAX
            ranks = dict(reversed(rows)) if is_dear else {}
            if not self._read(ids, ranks):
                return False
            if is_all:
                self._learn(plan)
            if is_all or len(self._ordered(rows[-1][1])) >= wanted:
                return True
            self._show(rows[-1][1])
            # To find what else their traces must have is dear: it is done once.
            spans_max = _SPANS_LIMITED_MAX if rounds else spans_max * _WIDEN
            rounds, rows = [], None
        where = within + where
        clause = plan.names.clause(where)
        text = naming_statement("all", self._key, where, clause, traces_max=TRACES_MAX)
        columns = self._asking.rows(plan, text, 2)
        ranks = dict(zip(*columns, strict=True))
        if not self._read(list(ranks), ranks):
            return False
        if len(ranks) == TRACES_MAX:
            self._reason = f"more than {TRACES_MAX} traces can match"
            return len(self._ordered(min(ranks.values()))) >= wanted
        self._learn(plan)
        return True

    def _within(self, plan: Plan) -> str:
        """Return the conditions of a page, and of who follows; empty if there is none."""
        after, known = self._question.after, self._question.after_segment
        within = ""
        if after is not None:
            # A trace behind the cursor has no span in its answer that ranks before it.
            within = f"{self._key} <= {plan.names.whole(after.key)}\n    AND "
        if known is not None:
            low, high = plan.names.whole(known), plan.names.whole(self._asking.settled_segment_id)
            within = f"seg > {low} AND seg <= {high}\n    AND {within}"
        return within

    def _newest(self, plan: Plan, where: str, spans_max: int) -> list[tuple[bytes, int]]:
        """Return the traces of the first matching spans, and by what each of these ranks."""
        clause = plan.names.clause(where)
        text = naming_statement("newest", self._key, where, clause, spans_max=spans_max)
        return list(zip(*self._asking.rows(plan, text, 2), strict=True))

    # ------------------------------------------------------------------ answers in parts

    def _newest_parts(self, plan: Plan, where: str, spans_max: int) -> tuple[str, bool]:
        """Look at the newest of a range first, for somebody who takes what there is.

        Return the condition for what is left, and whether enough is found without it.
        """
        low, high = self._question.start_unix_nano_min, self._question.start_unix_nano_max
        within = ""
        for part in _PARTS if self._key == "start" else ():
            begin = max(high - (high - low) // part, 0)
            asked = f"{within}start >= {plan.names.whole(begin)}\n    AND {where}"
            rows = self._newest(plan, asked, spans_max)
            is_read = self._read(list(dict.fromkeys(one for one, _ in rows)), {})
            if len(rows) == spans_max or not is_read:
                break  # what is common is found soon
            self._show(begin - 1)
            within = f"start < {plan.names.whole(begin)}\n    AND "
            if len(self._ordered(begin - 1)) > self._question.traces_max:
                return within, True
        return within, False

    def _show(self, floor: int) -> None:
        """Hand over what is in its place."""
        if self._listener is not None:
            found = self._ordered(floor)[: self._question.traces_max]
            if found[self._shown :]:
                scanned = Scanned(len(self._looked_at), self._spans)
                new = tuple(found[self._shown :])
                self._listener(FoundSpansets(new, has_more=True, scanned=scanned))
                self._shown = len(found)

    # ------------------------------------------------------------------ minutes that can match

    def _has_minutes(self) -> bool:
        """Tell whether it can be known which minutes can match."""
        question = self._question
        width = question.start_unix_nano_max - question.start_unix_nano_min
        return (
            self._asking.settled_segment_id > 0
            and question.after_segment is None
            and width // MINUTE_NANO < _MINUTES_MAX
        )

    def _by_minutes(
        self, plan: Plan, where: str, spans_max: int
    ) -> tuple[str, list[tuple[bytes, int]] | None]:
        """Return the condition for the minutes that can match, and what was found if all was."""
        question = self._question
        low, high = max(question.start_unix_nano_min, 0), max(question.start_unix_nano_max, 0)
        keys = dict.fromkeys(key for key, _ in plan.needs.of_values)
        if not all(self._values.is_known(key, low) for key in keys):
            keys = dict.fromkeys(key for key in keys if self._values.may_be_known(key))
            if not keys:
                return "", None
            if self._key == "start":
                # What is common fills the answer from the last of the range.
                late = plan.names.whole(high - (high - low) // _PROBED)
                rows = self._newest(plan, f"start >= {late}\n    AND {where}", spans_max)
                if len(rows) == spans_max:
                    return "", rows
        first = low // MINUTE_NANO
        count = high // MINUTE_NANO - first + 1
        mask = (1 << count) - 1
        segment, ask = self._asking.settled_segment_id, self._asking.rows_of
        for key, condition in plan.needs.of_values:
            if key in keys and self._values.learn(key, low, segment, ask):
                # The plan's parameters stay as they are: it may be asked again without these.
                query = Query(parameters=dict(plan.names.query.parameters))
                both = plan.names.clause(condition), condition
                mask &= self._values.minutes(key, query, both, ask)(first, count)
        if mask == 0:
            self._is_by_minutes = True
            return "", []
        ranges = _ranges(mask)
        if mask.bit_count() > count // 2 or len(ranges) > _RANGES_MAX:
            return "", None
        self._is_by_minutes = True
        texts = []
        for begin, end in ranges:
            since = plan.names.whole((first + begin) * MINUTE_NANO)
            until = plan.names.whole((first + end) * MINUTE_NANO - 1)
            texts.append(f"start BETWEEN {since} AND {until}")
        return f"({' OR '.join(texts)})\n    AND ", None

    def _first_plan(self) -> Plan:
        """Return the plan that names traces: without a look for arrays where there are none."""
        plan, question = self._plan, self._question
        if plan.needs.of_trace or not plan.names.flagged:
            return plan
        free = self._arrays.free(
            plan.names.flagged,
            question.start_unix_nano_min,
            question.start_unix_nano_max,
            self._asking.settled_segment_id,
            self._asking.plain_rows,
        )
        return Plan(plan.pipeline, plan.catalog, array_free=free) if free else plan

    def _learn(self, plan: Plan) -> None:
        """Remember that all spans of the range were looked at, and none had an array."""
        stages = plan.pipeline.stages if isinstance(plan.pipeline, tree.Pipeline) else ()
        filters = sum(isinstance(one, tree.Filter) for one in stages) or isinstance(
            plan.pipeline, tree.Filter
        )
        question = self._question
        is_part = question.after is not None or question.after_segment is not None
        is_part |= self._met_array or self._is_by_minutes
        if is_part or plan.needs.of_trace or filters != 1 or not plan.is_plain:
            return
        self._arrays.learn(
            plan.names.flagged,
            question.start_unix_nano_min,
            question.start_unix_nano_max,
            self._asking.settled_segment_id,
        )

    def _read(self, ids: Sequence[bytes], ranks: dict[bytes, int]) -> bool:
        """Look at traces, first ones first; stop where enough rank before the rest."""
        wanted = self._question.traces_max + 1
        new = [one for one in ids if one not in self._looked_at]
        for first in range(0, len(new), _TRACES_PER_READ):
            some = new[first : first + _TRACES_PER_READ]
            if ranks:
                if len(self._ordered(ranks[some[0]])) >= wanted:
                    return True
                self._show(ranks[some[0]])
            # Literals: a function for each would be most of what there is to plan.
            blobs = ", ".join(literal(one) for one in some)
            where = f"trace_id IN ({blobs})"
            left = SPANS_READ_MAX - self._spans
            traces, spans = self._asking.members(
                self._plan, where, window(self._question, self._plan), left
            )
            self._spans += spans
            if any(flags & LOOK_AGAIN for trace in traces for flags in trace.flags):
                self._met_array = True
                self._plan = Plan(self._plan.pipeline, self._plan.catalog, with_arrays=True)
                traces, spans = self._asking.members(
                    self._plan, where, window(self._question, self._plan), left
                )
            if spans > left:
                self._reason = f"more than {SPANS_READ_MAX} spans would have to be read"
                return False
            self._looked_at.update(some)
            for trace in traces:
                self._look_at(trace)
        return True

    def _look_at(self, trace: Trace) -> None:
        sets = self._plan.evaluate(trace)
        low, high = self._question.start_unix_nano_min, self._question.start_unix_nano_max
        ranked = trace.starts if self._key == "start" else trace.durations
        keys = [
            ranked[row] for one in sets for row in one.spans if low <= trace.starts[row] <= high
        ]
        if keys:
            self._found[trace.trace_id] = _matched(
                trace, sets, max(keys), self._plan, self._question.spans_per_set_max
            )

    def _ordered(self, floor: int | None) -> list[MatchedTrace]:
        """Return what was found in order: behind the cursor, and ranking before `floor`."""
        after = self._question.after
        found = [
            one
            for one in self._found.values()
            if (floor is None or one.key > floor)
            and (after is None or (-one.key, one.trace_id) > (-after.key, after.trace_id))
        ]
        return sorted(found, key=lambda one: (-one.key, one.trace_id))


def _matched(
    trace: Trace, sets: Iterable[Members], key: int, plan: Plan, spans_max: int
) -> MatchedTrace:
    services: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for service, flags in zip(trace.services, trace.flags, strict=True):
        counts = services[_text(service)]
        counts[0] += 1
        counts[1] += bool(flags & ERROR)
    root = trace.root
    return MatchedTrace(
        trace_id=trace.trace_id.hex(),
        root_service=_text(trace.services[root]) if root >= 0 else "",
        root_name=_text(trace.names[root]) if root >= 0 else "",
        start_unix_nano=trace.starts[0],
        duration_nano=trace.duration,
        services=tuple((name, *counts) for name, counts in sorted(services.items())),  # type: ignore[misc]
        sets=tuple(_spanset(trace, one, plan, spans_max) for one in sets),
        key=key,
    )


def _spanset(trace: Trace, members: Members, plan: Plan, spans_max: int) -> FoundSpanset:
    shown = members.spans[:spans_max] if spans_max else members.spans
    return FoundSpanset(
        tuple(_span(trace, row, plan) for row in shown),
        len(members.spans),
        tuple(
            (name, None if value is None else typed_value(value))
            for name, value in members.attributes
        ),
        tuple(trace.span_ids[row].hex() for row in members.spans),
    )


def _span(trace: Trace, row: int, plan: Plan) -> FoundSpan:
    values = [(name, getter(trace, row)) for name, getter in plan.shown]
    return FoundSpan(
        trace.span_ids[row].hex(),
        _text(trace.names[row]),
        trace.starts[row],
        trace.durations[row],
        tuple((name, typed_value(value)) for name, value in values if value is not None),
    )


def typed_value(value: Value) -> TypedValue:
    """Return a value with the name of its type."""
    letter, content = value
    if letter == "S":
        content = _STATUSES[content]
    elif letter == "K":
        content = SPAN_KINDS[content]
    return _TYPES[letter], content


def _ranges(mask: int) -> list[tuple[int, int]]:
    """Return where bits are set, as ranges [begin, end)."""
    found = []
    begin = 0
    while mask >> begin:
        begin += (mask >> begin & -(mask >> begin)).bit_length() - 1
        end = begin + (~(mask >> begin) & (mask >> begin) + 1).bit_length() - 1
        found.append((begin, end))
        begin = end
    return found


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
