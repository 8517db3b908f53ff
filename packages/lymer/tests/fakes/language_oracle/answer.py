"""Which spansets of which traces match?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from fakes.language_oracle.conditions import COMPARE, NUMBERS, holds, value
from fakes.language_oracle.spans import OracleSpan
from lymer.language import tree

Spans = list[OracleSpan]


def answer(
    pipeline: tree.Spanset, traces: dict[str, Spans], low: int, high: int
) -> list[tuple[str, list[list[str]]]]:
    """Return (trace id, spansets as sorted span ids), newest first, ties by id."""
    found = []
    for trace_id, spans in traces.items():
        sets = run([pipeline], [spans])
        starts = [one.start for some in sets for one in some if low <= one.start <= high]
        if starts:
            ids = sorted(sorted(one.span_id for one in some) for some in sets)
            found.append((-max(starts), trace_id, ids))
    return [(trace_id, ids) for _, trace_id, ids in sorted(found)]


def run(stages: Iterable[tree.Stage], sets: list[Spans]) -> list[Spans]:
    """Send spansets through stages."""
    for stage in stages:
        match stage:
            case tree.Pipeline(inner):
                sets = [found for some in sets for found in run(inner, [some])]
            case tree.Filter() | tree.Combine() | tree.Relate():
                sets = [found for some in sets for found in spanset(stage, some)]
            case tree.ScalarFilter(sign, left, right):
                sets = [some for some in sets if fulfils(sign, left, right, some)]
            case tree.Group(by):
                sets = [found for some in sets for found in grouped(by, some)]
            case tree.Coalesce():
                sets = [[one for some in sets for one in some]]
            case tree.Select():
                pass
        sets = [some for some in sets if some]
    return sets


def spanset(node: tree.Spanset, spans: Spans) -> list[Spans]:
    """Return the spansets that a condition makes of one."""
    match node:
        case tree.Filter(condition):
            return [[one for one in spans if condition is None or holds(condition, one)]]
        case tree.Combine(sign, left, right):
            one, two = run([left], [spans]), run([right], [spans])
            if sign == "&&" and not (one and two):
                return []
            chosen = {id(span) for some in (*one, *two) for span in some}
            return [[span for span in spans if id(span) in chosen]]
        case tree.Relate(relation, mode, left, right):
            ones = [span for some in run([left], [spans]) for span in some]
            others = [span for some in run([right], [spans]) for span in some]
            return [related(relation, mode, ones, others)]
        case tree.Pipeline():
            return run([node], [spans])


def related(relation: str, mode: str, left: Spans, right: Spans) -> Spans:
    """Return the spans of the right side (and for a union both) that stand in the relation."""
    standing = [one for one in right if any(stands(relation, other, one) for other in left)]
    if mode == "not":
        return [one for one in right if one not in standing]
    if mode == "union":
        standing += [
            one
            for one in left
            if one not in standing and any(stands(relation, one, other) for other in right)
        ]
    return standing


def stands(relation: str, left: OracleSpan, right: OracleSpan) -> bool:
    """Tell whether `left relation right` holds between two spans."""
    match relation:
        case ">":
            return right.parent is left
        case ">>":
            return left in right.ancestors
        case "<":
            return left.parent is right
        case "<<":
            return right in left.ancestors
        case _:
            return left is not right and left.parent_id == right.parent_id


def grouped(by: tree.Expression, spans: Spans) -> list[Spans]:
    """Cut a spanset by the values of an expression."""
    groups: dict[str, Spans] = {}
    for one in spans:
        groups.setdefault(repr(value(by, one)), []).append(one)
    return list(groups.values())


def fulfils(sign: str, left: tree.Scalar, right: tree.Scalar, spans: Spans) -> bool:
    """Tell whether numbers of a spanset compare so."""
    one, two = scalar(left, spans), scalar(right, spans)
    return one is not None and two is not None and bool(COMPARE[sign](one, two))


def scalar(node: tree.Scalar, spans: Sequence[OracleSpan]) -> float | None:
    """Return a number of a spanset; None where there is none."""
    match node:
        case tree.Literal(number):
            assert isinstance(number, int | float)
            return number
        case tree.Aggregate("count"):
            return len(spans)
        case tree.Aggregate(name, operand):
            assert operand is not None
            found = [value(operand, one) for one in spans]
            numbers = [one[1] for one in found if one is not None and one[0] in NUMBERS]
            if not numbers:
                return None
            if name == "avg":
                return float(sum(numbers) / len(numbers))
            chosen: Any = {"min": min, "max": max, "sum": sum}[name]
            return cast("float", chosen(numbers))
        case tree.ScalarBinary(sign, left, right):
            one, two = scalar(left, spans), scalar(right, spans)
            if one is None or two is None:
                return None
            if sign == "/":
                return one / two if two else None
            return {"+": one + two, "-": one - two, "*": one * two}[sign]
