"""A pipeline of the search language, sorted out: what the engine decides, and what the walk does.

Every condition on one span becomes SQL: a *bit*. What a bit cannot say (structure, numbers of a
set, what only the whole trace knows) becomes a function over a `Trace`. For the engine to look only
at traces that can match, the plan also holds what every span of an answer fulfils, and what else
their traces must have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, cast

from lymer.language import tree
from lymer.storage.clickhouse.catalog import Catalog
from lymer.storage.clickhouse.sampling_threshold import WEIGHT
from lymer.storage.clickhouse.select import Query
from lymer.storage.clickhouse.spansets.conditions import Conditions
from lymer.storage.clickhouse.spansets.expressions import (
    COMPARE,
    OF_ROOT,
    OF_TRACE,
    is_walked,
    leaves,
    moved,
    of_root,
    own,
    plain,
    printed,
    printed_scalar,
    refuse,
    shown_name,
)
from lymer.storage.clickhouse.spansets.numbers import (
    TRACE_NUMBERS,
    Getter,
    Number,
    aggregate,
    as_value,
    calculated,
)
from lymer.storage.clickhouse.spansets.operators import as_fraction, turned
from lymer.storage.clickhouse.spansets.values import (
    NOTHING,
    NUMBERS,
    Names,
    Typed,
    joined_all,
    joined_any,
    shown,
)
from lymer.storage.clickhouse.spansets.walk import Members, Trace, Value, related

__all__ = ["BITS_MAX", "Plan"]

BITS_MAX: Final = 60
"""Conditions of one question that the walk tells apart; each is a bit of a number."""

_Predicate = Callable[[Trace, int], bool]
_Sets = Callable[[Trace, list[int]], list[Members]]
_Step = Callable[[Trace, list[Members]], list[Members]]

_SERVICE: Final = "service.name"
_IS_ROOT: Final = "parent_span_id = toFixedString('', 8)"


@dataclass(frozen=True, slots=True)
class _Needs:
    """What the engine can know of a spanset without the walk."""

    span: str = "1"
    """Every span of it fulfils this."""
    of_trace: tuple[str, ...] = ()
    """Its trace has a span for each of these."""
    is_exact: bool = True
    """Whether every span that fulfils `span` is in it."""
    of_values: tuple[tuple[str, str], ...] = ()
    """Every span of it fulfils these too, which are about one attribute of the span, whose key
    comes first, and the service; only those that no index decides."""


@dataclass(slots=True)
class Plan:
    """A pipeline as statements' parts and a walk."""

    pipeline: tree.Spanset
    catalog: Catalog | None = None
    with_arrays: bool = False
    """See `Conditions`."""
    array_free: frozenset[str] = frozenset()
    """See `Names`."""
    beside: Plan | None = None
    """Another pipeline of the same statement: names, bits and values are added to its own."""
    names: Names = field(init=False)
    bits: dict[str, int] = field(default_factory=dict)
    """Conditions, in the order of their numbers."""
    values: dict[str, int] = field(default_factory=dict)
    """Expressions of values, likewise."""
    shown: list[tuple[str, Getter]] = field(default_factory=list)
    """What is shown of each span."""
    needs: _Needs = field(default_factory=_Needs)
    is_walked: bool = False
    """Whether a span's own bits do not decide."""
    _steps: list[_Step] = field(default_factory=list)
    _conditions: Conditions = field(init=False)
    _shows: dict[str, tree.Field] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Sort the pipeline out.

        Raises:
            PlaceError: It asks for what is not supported.
        """
        if self.beside is not None:
            self.names, self._conditions = self.beside.names, self.beside._conditions  # noqa: SLF001
            self.bits, self.values = self.beside.bits, self.beside.values
        else:
            self.names = Names(Query(), self.catalog, self.array_free)
            self._conditions = Conditions(self.names, with_arrays=self.with_arrays)
        stages = self.pipeline.stages if isinstance(self.pipeline, tree.Pipeline) else ()
        self._steps, self.needs = self._stages(stages or (cast("tree.Stage", self.pipeline),))
        for name, shown_field in self._shows.items():
            self.shown.append((name, self.getter(shown_field)))

    @property
    def arrays(self) -> str:
        """Return the condition that a span has an array where none was looked into."""
        return joined_any(self._conditions.arrays)

    def evaluate(self, trace: Trace) -> list[Members]:
        """Return the spansets of one trace; empty if it does not match."""
        sets = [Members(list(range(len(trace))))]
        for step in self._steps:
            sets = [one for one in step(trace, sets) if one.spans]
            if not sets:
                break
        return sets

    # ------------------------------------------------------------------ stages

    def _stages(self, stages: Iterable[tree.Stage]) -> tuple[list[_Step], _Needs]:
        steps: list[_Step] = []
        needs = _Needs()
        for stage in stages:
            match stage:
                case tree.Filter() | tree.Combine() | tree.Relate() | tree.Pipeline():
                    sets, of_stage = self._spanset(stage)
                    steps.append(_each(sets))
                    needs = _Needs(
                        joined_all([needs.span, of_stage.span]),
                        needs.of_trace + of_stage.of_trace,
                        needs.is_exact and of_stage.is_exact,
                        needs.of_values + of_stage.of_values,
                    )
                case tree.ScalarFilter():
                    steps.append(self._scalar_filter(stage))
                    needs = replace(needs, is_exact=False)
                case tree.Group(by):
                    steps.append(self._group(by))
                case tree.Coalesce():
                    steps.append(_coalesce)
                case tree.Select(fields):
                    for one in fields:
                        self._shows.setdefault(shown_name(one), one)
        return steps, needs

    def _scalar_filter(self, stage: tree.ScalarFilter) -> _Step:
        left, right = self._number(stage.left), self._number(stage.right)
        compare = COMPARE[stage.operator]
        named = [
            (printed_scalar(one), self._number(one))
            for one in (stage.left, stage.right)
            if isinstance(one, tree.Aggregate)
        ]

        def step(trace: Trace, sets: list[Members]) -> list[Members]:
            found = []
            for one in sets:
                first, second = left(trace, one), right(trace, one)
                if first is not None and second is not None and compare(first, second):
                    numbers = [(name, as_value(number(trace, one))) for name, number in named]
                    found.append(Members(one.spans, [*one.attributes, *numbers]))
            return found

        return step

    def _group(self, by: tree.Expression) -> _Step:
        getter, name = self.getter(by), f"by({printed(by)})"

        def step(trace: Trace, sets: list[Members]) -> list[Members]:
            found: list[Members] = []
            for one in sets:
                groups: dict[Value | None, Members] = {}
                for row in one.spans:
                    value = getter(trace, row)
                    if value not in groups:
                        groups[value] = Members([], [*one.attributes, (name, value)])
                    groups[value].spans.append(row)
                found.extend(groups.values())
            return found

        return step

    # ------------------------------------------------------------------ spansets

    def _spanset(self, node: tree.Spanset) -> tuple[_Sets, _Needs]:
        match node:
            case tree.Filter(condition):
                return self._filter(condition)
            case tree.Combine():
                return self._combine(node)
            case tree.Relate():
                return self._relate(node)
            case tree.Pipeline(stages):
                steps, needs = self._stages(stages)

                def run(trace: Trace, spans: list[int]) -> list[Members]:
                    sets = [Members(spans)]
                    for step in steps:
                        sets = [one for one in step(trace, sets) if one.spans]
                    return sets

                return run, needs

    def _filter(self, condition: tree.Expression | None) -> tuple[_Sets, _Needs]:
        if condition is None:
            return (lambda _trace, spans: [Members(spans)]), _Needs()
        self._show_fields(condition)
        fulfils, needs = self._predicate(condition), self._needed(condition)

        def choose(trace: Trace, spans: list[int]) -> list[Members]:
            found = [row for row in spans if fulfils(trace, row)]
            return [Members(found)] if found else []

        return choose, needs

    def _combine(self, node: tree.Combine) -> tuple[_Sets, _Needs]:
        (left, left_needs), (right, right_needs) = (
            self._spanset(node.left),
            self._spanset(node.right),
        )
        needs_both = node.operator == "&&"
        span = joined_any([left_needs.span, right_needs.span])
        needs = _Needs(span, is_exact=left_needs.is_exact and right_needs.is_exact)
        if needs_both:
            of_trace = (*left_needs.of_trace, *right_needs.of_trace)
            needs = _Needs(span, (*of_trace, left_needs.span, right_needs.span), is_exact=False)
            self.is_walked = True

        def combine(trace: Trace, spans: list[int]) -> list[Members]:
            sides = left(trace, spans), right(trace, spans)
            if needs_both and not (sides[0] and sides[1]):
                return []
            found = {row for side in sides for one in side for row in one.spans}
            return [Members(sorted(found))] if found else []

        return combine, needs

    def _relate(self, node: tree.Relate) -> tuple[_Sets, _Needs]:
        (left, left_needs), (right, right_needs) = (
            self._spanset(node.left),
            self._spanset(node.right),
        )
        self.is_walked = True
        if node.mode == "not":
            needs = replace(right_needs, is_exact=False)
        else:
            of_trace = (*left_needs.of_trace, *right_needs.of_trace, left_needs.span)
            span = right_needs.span
            if node.mode == "union":
                span, of_trace = joined_any([left_needs.span, span]), (*of_trace, span)
            needs = _Needs(span, of_trace, is_exact=False)
            if node.mode != "union":
                needs = replace(needs, of_values=right_needs.of_values)

        def relate(trace: Trace, spans: list[int]) -> list[Members]:
            sides = left(trace, spans), right(trace, spans)
            if any(len(side) > 1 for side in sides):
                refuse(
                    node, "a relation between several spansets of a trace, coalesce() them first"
                )
            ones, others = ([row for one in side for row in one.spans] for side in sides)
            found = related(trace, node.relation, node.mode, ones, others)
            return [Members(found)] if found else []

        return relate, needs

    # ------------------------------------------------------------------ conditions

    def _predicate(self, node: tree.Expression) -> _Predicate:
        if not is_walked(node):
            return self._bit(self._conditions.condition(plain(node)), "span")
        self.is_walked = True
        match node:
            case tree.Logic(operator, operands):
                parts = [self._predicate(one) for one in operands]
                if operator == "&&":
                    return lambda trace, row: all(part(trace, row) for part in parts)
                return lambda trace, row: any(part(trace, row) for part in parts)
            case tree.Unary("!", operand) if not isinstance(operand, tree.Attribute):
                inner = self._predicate(operand)
                return lambda trace, row: not inner(trace, row)
            case tree.Exists(operand, negated=True):
                inner = self._predicate(tree.Exists(operand))
                return lambda trace, row: not inner(trace, row)
            case _:
                return self._comparison(node)

    def _comparison(self, node: tree.Expression) -> _Predicate:
        """Return a comparison that is about the parent, the root or a number of the trace."""
        fields = [one for one in leaves(node) if not isinstance(one, tree.Literal)]
        if all(isinstance(one, tree.Attribute) and one.of_parent for one in fields):
            return self._bit(self._conditions.condition(moved(node, own)), "parent")
        if all(isinstance(one, tree.Intrinsic) and one.name in OF_ROOT for one in fields):
            return self._bit(self._conditions.condition(moved(node, of_root)), "root")
        match node:
            case tree.Binary(operator, tree.Intrinsic(name), tree.Literal(value)):
                sign = operator
            case tree.Binary(operator, tree.Literal(value), tree.Intrinsic(name)):
                sign = turned(operator)
            case _:
                name, sign, value = "", "", None
        if sign not in COMPARE or name not in OF_TRACE or not isinstance(value, int | float):
            what = ", ".join(dict.fromkeys(printed(one) for one in fields))
            refuse(node, f"{what} can be compared with a value only")
        number, limit, compare = TRACE_NUMBERS[name], value, COMPARE[sign]
        return lambda trace, row: compare(number(trace, row), limit)

    def _bit(self, condition: str, of: str) -> _Predicate:
        if condition not in self.bits and len(self.bits) == BITS_MAX:
            refuse(None, f"the question has more than {BITS_MAX} different conditions")
        mask = 1 << self.bits.setdefault(condition, len(self.bits))
        match of:
            case "parent":
                return lambda trace, row: (
                    trace.parents[row] >= 0 and trace.bits[trace.parents[row]] & mask != 0
                )
            case "root":
                return lambda trace, _row: trace.root >= 0 and trace.bits[trace.root] & mask != 0
            case _:
                return lambda trace, row: trace.bits[row] & mask != 0

    def _needed(self, node: tree.Expression) -> _Needs:
        """Return what every span that fulfils `node`, and its trace, must have."""
        if not is_walked(node):
            span, arrays = self._compiled(plain(node))
            return _Needs(
                joined_any([span, *arrays]),
                is_exact=not arrays,
                of_values=self._of_values(plain(node)),
            )
        match node:
            case tree.Logic("&&", operands):
                parts = [self._needed(one) for one in operands]
                span = joined_all(part.span for part in parts)
                of_trace = tuple(one for part in parts for one in part.of_trace)
                of_values = tuple(one for part in parts for one in part.of_values)
                return _Needs(span, of_trace, is_exact=False, of_values=of_values)
            case tree.Logic("||", operands):
                span = joined_any(self._needed(one).span for one in operands)
                return _Needs(span, is_exact=False)
            case tree.Binary() if all(
                isinstance(one, tree.Literal)
                or (isinstance(one, tree.Intrinsic) and one.name in OF_ROOT)
                for one in leaves(node)
            ):
                root, _ = self._compiled(moved(node, of_root))
                return _Needs(of_trace=(joined_all([_IS_ROOT, root]),), is_exact=False)
            case tree.Binary() | tree.Exists(negated=False) if all(
                isinstance(one, tree.Literal) or (isinstance(one, tree.Attribute) and one.of_parent)
                for one in leaves(node)
            ):
                parent, arrays = self._compiled(moved(node, own))
                has_parent = f"NOT ({_IS_ROOT})"
                return _Needs(has_parent, (joined_any([parent, *arrays]),), is_exact=False)
            case _:
                return _Needs(is_exact=False)

    def _of_values(self, node: tree.Expression) -> tuple[tuple[str, str], ...]:
        """Return the parts of a condition that the values of an attribute decide: key → condition.

        An equality has an index, unless it is the service's value that is looked for.
        """
        parts = node.operands if isinstance(node, tree.Logic) and node.operator == "&&" else (node,)
        of_service: list[tree.Expression] = []
        by_key: dict[str, list[tree.Expression]] = {}
        for part in parts:
            keys = {self._value_key(leaf) for leaf in leaves(part)} - {None}
            if keys == {_SERVICE}:
                of_service.append(part)
            elif len(keys - {_SERVICE}) == 1 and "" not in keys:
                (key,) = keys - {_SERVICE}
                by_key.setdefault(str(key), []).append(part)
        found = []
        for key, conditions in by_key.items():
            if of_service or not all(_is_equality(one) for one in conditions):
                texts = []
                for one in (*of_service, *conditions):
                    text, arrays = self._compiled(one)
                    texts.append(joined_any([text, *arrays]))
                found.append((key, joined_all(texts)))
        return tuple(found)

    def _value_key(self, leaf: tree.Expression) -> str | None:
        """Return the key of an attribute of the span; empty if it is something else."""
        match leaf:
            case tree.Literal():
                return None
            case tree.Attribute("service.name", "resource", of_parent=False):
                return _SERVICE
            case tree.Attribute(name, "span" | "" as scope, of_parent=False) if name != _SERVICE:
                is_own = scope == "span" or self.names.of_resource(name) == NOTHING
                return name if is_own else ""
            case _:
                return ""

    def _compiled(self, node: tree.Expression) -> tuple[str, list[str]]:
        """Return a condition, and for which spans arrays leave it open."""
        before = dict(self._conditions.arrays)
        self._conditions.arrays.clear()
        condition = self._conditions.condition(node)
        arrays = list(self._conditions.arrays)
        self._conditions.arrays.update(before)
        return condition, arrays

    # ------------------------------------------------------------------ values

    def getter(self, node: tree.Expression) -> Getter:
        """Return a function that reads a value of a span.

        Raises:
            PlaceError: It asks for what is not supported.
        """
        match node:
            case tree.Intrinsic(name) if name in TRACE_NUMBERS:
                number = TRACE_NUMBERS[name]
                letter = "d" if name == "trace:duration" else "i"
                return lambda trace, row: (letter, number(trace, row))
            case tree.Intrinsic(name) if name in OF_ROOT:
                column = self._column(self._conditions.typed(OF_ROOT[name]))
                return lambda trace, _row: (
                    trace.value(column, trace.root) if trace.root >= 0 else None
                )
            case tree.Attribute(of_parent=True):
                column = self._column(self._conditions.typed(own(node)))
                return lambda trace, row: (
                    trace.value(column, trace.parents[row]) if trace.parents[row] >= 0 else None
                )
            case tree.Attribute() | tree.Intrinsic():
                column = self._column(self._conditions.first_nested(node))
            case _:
                column = self._column(self._conditions.typed(node))
        return lambda trace, row: trace.value(column, row)

    def said(self, node: tree.Field) -> str | None:
        """Return the SQL of a span's value as `values.shown` writes it; None if only a walk knows.

        Raises:
            PlaceError: It asks for what is not supported.
        """
        if is_walked(node):
            return None
        return shown(self._conditions.first_nested(node))

    def weight(self) -> Callable[[Trace, int], float]:
        """Return a function that tells how many spans one stands for."""
        text = f"if(trace_state = '', '', concat('f', toString({WEIGHT})))"
        column = self.values.setdefault(text, len(self.values))

        def of(trace: Trace, row: int) -> float:
            value = trace.value(column, row)
            return 1.0 if value is None else float(value[1])

        return of

    def measured(self, node: tree.Field) -> tuple[str, str, bool] | None:
        """Return when a span's value is a number, the number, and whether it is a duration."""
        if is_walked(node):
            return None
        value = self._conditions.first_nested(node)
        numbers: dict[str, tuple[str, str]] = {
            kind: value.alternatives[kind] for kind in NUMBERS if kind in value.alternatives
        }
        if not numbers:
            return "0", "0.", False
        return value.guard(numbers), self.names.name(as_fraction(numbers)), "duration" in numbers

    def condition_of(self, node: tree.Expression | None) -> str | None:
        """Return one more condition on spans as SQL; None if only a walk knows."""
        if node is None:
            return "1"
        return None if is_walked(node) else self._compiled(plain(node))[0]

    @property
    def is_plain(self) -> bool:
        """Whether each span is chosen by itself: its bits decide, and no set is looked at."""
        stages = self.pipeline.stages if isinstance(self.pipeline, tree.Pipeline) else ()
        kinds = (tree.Filter, tree.Select)
        return not self.is_walked and all(isinstance(one, kinds) for one in stages)

    def _column(self, value: Typed) -> int:
        return self.values.setdefault(shown(value), len(self.values))

    def _number(self, node: tree.Scalar) -> Number:
        match node:
            case tree.Literal(value):
                limit = cast("float", value)
                return lambda _trace, _members: limit
            case tree.Aggregate("count"):
                return lambda _trace, members: len(members.spans)
            case tree.Aggregate(name, operand) if operand is not None:
                return aggregate(name, self.getter(operand))
            case tree.ScalarBinary(operator, left, right):
                return calculated(operator, self._number(left), self._number(right))
            case tree.Aggregate(name):
                return refuse(node, f"{name}() without what it is to measure")

    def _show_fields(self, condition: tree.Expression) -> None:
        for leaf in leaves(condition):
            if isinstance(leaf, tree.Attribute | tree.Intrinsic):
                name = shown_name(leaf)
                if name not in {"name", "duration", "id"}:
                    self._shows.setdefault(name, leaf)


def _is_equality(node: tree.Expression) -> bool:
    match node:
        case tree.Logic(_, operands):
            return all(_is_equality(one) for one in operands)
        case tree.Binary("=", left, right):
            return isinstance(left, tree.Literal) or isinstance(right, tree.Literal)
        case _:
            return False


def _each(sets: _Sets) -> _Step:
    def step(trace: Trace, before: list[Members]) -> list[Members]:
        return [
            Members(found.spans, [*one.attributes, *found.attributes])
            for one in before
            for found in sets(trace, one.spans)
        ]

    return step


def _coalesce(_trace: Trace, sets: list[Members]) -> list[Members]:
    return [Members(sorted({row for one in sets for row in one.spans}))]
