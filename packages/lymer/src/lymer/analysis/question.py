"""Which spans of a frame a question in the search language matches: masks, nothing span by span.

A part of the language: spansets, their relations and combinations, conditions on attributes of
spans and resources and on what every span has. What it has not is refused by name. Attributes are
compared as they print: `500` matches the integer and the text.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lymer.analysis.cohort import Fact
from lymer.analysis.profile import Grouping
from lymer.analysis.span_frame import Floats, Ints, Masks, SpanFrame
from lymer.errors import QuestionError
from lymer.language import tree
from lymer.language.expressions import compiled

__all__ = ["Matches", "grouped_by", "matches"]

_COMPARE: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "!=": operator.ne,
}
_MATCHED_CHARACTERS_MAX: Final = 4_096
_TURNED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}
_KINDS: Final = ("unspecified", "internal", "server", "client", "producer", "consumer")
_JUDGING: Final = frozenset({"span:duration", "span:status", "trace:duration"})
"""A question about these selects what is slow or failed; without them, a place."""


@dataclass(frozen=True, slots=True)
class Matches:
    """What a question matches in a frame."""

    rows: Masks
    is_place: bool
    """Whether it asks only where, not how slow or how well."""
    facts: frozenset[Fact]
    """What it asks for itself, which is therefore no finding."""


def matches(frame: SpanFrame, query: tree.Query) -> Matches:
    """Return the spans that a question matches.

    Raises:
        QuestionError: It uses what is not supported here; the message names it.
    """
    asking = _Asking(frame)
    body = query.body
    if not isinstance(body, tree.Filter | tree.Combine | tree.Relate | tree.Pipeline):
        raise QuestionError("cannot select spans by a question about metrics")
    rows = asking.spanset(body)
    return Matches(rows, not asking.judges, frozenset(asking.facts))


def grouped_by(frame: SpanFrame, field: tree.Field) -> Grouping:
    """Return of each span the place of its value of a field, and the values; the first is none.

    Raises:
        QuestionError: The field is not one that spans of a frame can be grouped by.
    """
    table = frame.table
    if isinstance(field, tree.Intrinsic):
        words: dict[str, tuple[Ints, list[str]]] = {
            "span:name": (table.operation, [name for _, name in table.operations]),
            "span:kind": (np.clip(table.kind, 0, len(_KINDS) - 1), list(_KINDS)),
            "span:status": (table.is_error.astype(np.int64), ["unset", "error"]),
            "trace:rootName": (
                table.operation[frame.roots()], [name for _, name in table.operations]
            ),
            "trace:rootService": (frame.service[frame.roots()], frame.services),
        }  # fmt: skip
        if field.name not in words:
            raise QuestionError(f"cannot group spans by {field.name} here")
        return _merged(*words[field.name])
    if field.of_parent:
        raise QuestionError("cannot group spans by anything but attributes, name, kind and status")
    if field.name == "service.name" and field.scope in {"", "resource"}:
        return _merged(frame.service, frame.services)
    if field.scope not in {"", "span", "resource"}:
        raise QuestionError(f"cannot group spans by {field.scope} attributes here")
    own = table.attributes
    values: list[str | None] = [None]
    place: dict[str, int] = {}
    codes = np.zeros(len(frame), dtype=np.int64)
    # The span's own value counts, and its resource's where it has none.
    for scope in ("resource", "span"):
        if field.scope in {"", scope}:
            number = np.full(len(own.names), -1, dtype=np.int64)
            for at, name in enumerate(own.names):
                if name[:2] == (scope, field.name):
                    number[at] = place.setdefault(name[2], len(place)) + 1
            of_key = number[own.code] > 0 if len(own.code) else np.zeros(0, dtype=bool)
            codes[own.row[of_key]] = number[own.code[of_key]]
    values += list(place)
    return codes, values


def _merged(codes: Ints, names: Sequence[str]) -> Grouping:
    """Return equal names as one value."""
    place: dict[str, int] = {}
    number = np.array([place.setdefault(name, len(place)) + 1 for name in names], dtype=np.int64)
    return number[codes] if len(codes) else codes, [None, *place]


class _Asking:
    def __init__(self, frame: SpanFrame) -> None:
        self._frame = frame
        self._table = frame.table
        self.judges = False
        self.facts: set[Fact] = set()

    def spanset(self, node: tree.Stage | tree.Spanset) -> Masks:
        """Return the spans of a spanset."""
        match node:
            case tree.Filter():
                if node.condition is None:
                    return np.ones(len(self._frame), dtype=bool)
                return self._condition(node.condition)
            case tree.Combine():
                return self._combined(node)
            case tree.Relate():
                return self._related(node)
            case tree.Pipeline():
                return self._piped(node)
            case _:
                raise QuestionError(f"cannot select spans by {type(node).__name__.lower()} here")

    def _combined(self, node: tree.Combine) -> Masks:
        left, right = self.spanset(node.left), self.spanset(node.right)
        if node.operator == "||":
            return left | right
        has_both = self._in_traces(left) & self._in_traces(right)
        return (left | right) & has_both

    def _related(self, node: tree.Relate) -> Masks:
        left, right = self.spanset(node.left), self.spanset(node.right)
        stands = _stands(self._frame, node.relation, left)
        if node.mode == "not":
            return right & ~stands
        found = right & stands
        if node.mode == "union":
            back = {">": "<", ">>": "<<", "<": ">", "<<": ">>", "~": "~"}[node.relation]
            found = found | (left & _stands(self._frame, back, right))
        return found

    def _piped(self, node: tree.Pipeline) -> Masks:
        rows = np.ones(len(self._frame), dtype=bool)
        for stage in node.stages:
            match stage:
                case tree.Select() | tree.Coalesce() | tree.Group():
                    continue  # what is shown, not what is matched
                case tree.ScalarFilter():
                    rows = self._counted(stage, rows)
                case _:
                    rows = rows & self.spanset(stage)
        return rows

    def _counted(self, node: tree.ScalarFilter, rows: Masks) -> Masks:
        """Keep the traces whose number of matching spans compares so."""
        is_count = isinstance(node.left, tree.Aggregate) and node.left.name == "count"
        if not is_count or not isinstance(node.right, tree.Literal):
            raise QuestionError("cannot select spans by aggregates other than count() here")
        traces = int(self._table.trace.max(initial=-1)) + 1
        count = np.bincount(self._table.trace[rows], minlength=traces)
        keep = _COMPARE[node.operator](count, node.right.value)
        return np.asarray(rows & keep[self._table.trace])

    def _in_traces(self, rows: Masks) -> Masks:
        traces = np.zeros(int(self._table.trace.max(initial=-1)) + 1, dtype=bool)
        traces[self._table.trace[rows]] = True
        return np.asarray(traces[self._table.trace])

    def _condition(self, node: tree.Expression) -> Masks:
        match node:
            case tree.Logic():
                masks = [self._condition(one) for one in node.operands]
                joined = np.logical_and if node.operator == "&&" else np.logical_or
                return np.asarray(joined.reduce(masks))
            case tree.Unary(operator="!"):
                before = set(self.facts)
                mask = ~self._condition(node.operand)
                self.facts = before
                return mask
            case tree.Exists(operand=tree.Attribute() as field):
                mask = self._with_values(field, lambda _: True)
                return ~mask if node.negated else mask
            case tree.Binary():
                return self._compared(node)
            case tree.Literal(type="bool"):
                return np.full(len(self._frame), bool(node.value))
            case _:
                raise QuestionError(f"cannot select spans by {type(node).__name__} here")

    def _compared(self, node: tree.Binary) -> Masks:
        left, right, sign = node.left, node.right, node.operator
        if isinstance(left, tree.Literal):
            left, right = right, left
            sign = _TURNED.get(sign, sign)
        if not isinstance(right, tree.Literal) or sign not in {*_COMPARE, "=~", "!~"}:
            raise QuestionError(
                "cannot select spans by comparing anything but a field with a value"
            )
        if isinstance(left, tree.Attribute):
            if sign == "=":
                self._note(left, right)
            return self._with_values(left, _value_test(sign, right))
        if isinstance(left, tree.Intrinsic):
            return self._intrinsic(left, sign, right)
        raise QuestionError("cannot select spans by arithmetic here")

    def _note(self, field: tree.Attribute, value: tree.Literal) -> None:
        scopes = [field.scope] if field.scope else ["span", "resource"]
        self.facts |= {Fact(scope, field.name, _text(value)) for scope in scopes}

    def _intrinsic(self, field: tree.Intrinsic, sign: str, value: tree.Literal) -> Masks:
        table, frame = self._table, self._frame
        self.judges |= field.name in _JUDGING
        match field.name:
            case "span:name":
                return self._by_name(sign, value, 1)
            case "span:duration":
                return _numbers(table.duration, sign, value)
            case "span:kind":
                return _words(table.kind, _KINDS, sign, value)
            case "span:status":
                return _words(table.is_error.astype(np.int64), ("unset", "error"), sign, value)
            case "trace:duration":
                return _numbers(_trace_durations(frame), sign, value)
            case "trace:rootName":
                return self._by_name(sign, value, 1)[frame.roots()]
            case "trace:rootService":
                return self._by_name(sign, value, 0)[frame.roots()]
            case _:
                raise QuestionError(f"cannot select spans by {field.name} here")

    def _by_name(self, sign: str, value: tree.Literal, part: int) -> Masks:
        test = _value_test(sign, value)
        fits = np.array([test(one[part]) for one in self._table.operations], dtype=bool)
        return np.asarray(fits[self._table.operation])

    def _with_values(self, field: tree.Attribute, test: Callable[[str], bool]) -> Masks:
        """Return the spans of whose attribute a value passes a test; decided on distinct values."""
        if field.of_parent:
            rows = self._with_values(tree.Attribute(field.name, field.scope), test)
            return np.asarray((self._frame.parent >= 0) & rows[self._frame.parent])
        if field.name == "service.name" and field.scope in {"", "resource"}:
            fits = np.array([test(service) for service, _ in self._table.operations], dtype=bool)
            return np.asarray(fits[self._table.operation])
        if field.scope not in {"", "span", "resource"}:
            raise QuestionError(f"cannot select spans by {field.scope} attributes here")
        own = self._table.attributes
        found = np.zeros(len(self._frame), dtype=bool)
        decided = np.zeros(len(self._frame), dtype=bool)
        for scope in ("span", "resource"):
            if field.scope not in {"", scope}:
                continue
            codes = [n for n, name in enumerate(own.names) if name[:2] == (scope, field.name)]
            has = np.isin(own.code, codes)
            fits = np.array([test(name[2]) for name in own.names], dtype=bool)
            row = own.row[has]
            # An unscoped key is the span's, and its resource's only where the span has none.
            open_rows = ~decided[row]
            found[row[open_rows]] |= fits[own.code[has][open_rows]]
            decided[row] = True
        return found


def _stands(frame: SpanFrame, relation: str, others: Masks) -> Masks:
    """Return which spans stand in a relation to some of the others."""
    parent = frame.parent
    has = parent >= 0
    up = np.where(has, parent, 0)
    match relation:
        case ">":
            return has & others[up]
        case ">>":
            return _below(parent, others)
        case "<":
            found = np.zeros(len(frame), dtype=bool)
            found[parent[others & has]] = True
            return found
        case "<<":
            found = np.zeros(len(frame), dtype=bool)
            level = parent[others & has]
            while len(level):
                level = np.unique(level)
                level = level[~found[level]]
                found[level] = True
                level = parent[level]
                level = level[level >= 0]
            return found
        case _:
            count = np.bincount(up[others & has], minlength=max(len(frame), 1))
            siblings = count[up] - (others & has)
            return np.asarray(has & (siblings > 0))


def _below(parent: Ints, others: Masks) -> Masks:
    """Return which spans have one of the others above them; doubling, no recursion."""
    count = len(parent)
    jump = np.append(np.where(parent >= 0, parent, count), count)
    seen = np.append(others, False)[jump]  # whether the parent is one of them
    while np.any(jump != count):
        seen = seen | seen[jump]
        jump = jump[jump]
    return np.asarray(seen[:-1])


def _trace_durations(frame: SpanFrame) -> Ints:
    table = frame.table
    traces = int(table.trace.max(initial=-1)) + 1
    first = np.full(traces, np.iinfo(np.int64).max)
    last = np.zeros(traces, dtype=np.int64)
    np.minimum.at(first, table.trace, table.start)
    np.maximum.at(last, table.trace, table.start + table.duration)
    return np.asarray((last - first)[table.trace])


def _numbers(values: Ints | Floats, sign: str, value: tree.Literal) -> Masks:
    if sign not in _COMPARE or isinstance(value.value, str | None):
        raise QuestionError("cannot compare a duration with what is none")
    return np.asarray(_COMPARE[sign](values, value.value))


def _words(codes: Ints, words: tuple[str, ...], sign: str, value: tree.Literal) -> Masks:
    test = _value_test(sign, value)
    fits = np.array([test(word) for word in words], dtype=bool)
    return np.asarray(fits[np.clip(codes, 0, len(words) - 1)])


def _value_test(sign: str, value: tree.Literal) -> Callable[[str], bool]:
    """Return what decides on one value, as text."""
    if sign in {"=~", "!~"}:
        pattern = compiled(str(value.value))
        wanted = sign == "=~"

        def is_matched(text: str) -> bool:
            if len(text) > _MATCHED_CHARACTERS_MAX:
                raise QuestionError("cannot match an expression with so long a text here")
            return (pattern.fullmatch(text) is not None) == wanted

        return is_matched
    compare = _COMPARE[sign]
    if isinstance(value.value, bool | str | None):
        text = _text(value)
        return lambda other: bool(compare(other, text))
    number = value.value

    def test(other: str) -> bool:
        try:
            return bool(compare(float(other), number))
        except ValueError:
            return sign == "!="

    return test


def _text(value: tree.Literal) -> str:
    if isinstance(value.value, bool):
        return "true" if value.value else "false"
    return str(value.value)
