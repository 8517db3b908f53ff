"""Spansets, numbers and series outside of braces: what an operator may join.

Source: Grafana Tempo, `pkg/traceql/ast_validate.go`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeAlias, cast

from lark import Token

from lymer.language import tree
from lymer.language.operands import (
    NUMERIC,
    SCALARS,
    SERIES,
    STAGES_MAX,
    Call,
    Numbers,
    Outer,
    Staged,
    Typed,
    fail,
    place_of,
)

__all__ = [
    "as_filter",
    "as_outer",
    "as_pipeline",
    "folded",
    "has_aggregate",
    "no_coalesce",
    "no_comparison",
    "relate",
    "series_math",
    "spanset_hint",
    "threshold",
]

_Fold: TypeAlias = Callable[[Any, Any], Any]


def as_outer(value: Outer | Typed) -> Outer:
    """Return what stands outside of braces; a constant is one there, too."""
    return value if isinstance(value, Outer) else Outer(value.node)


def as_filter(brace: Token, rest: tuple[Any, ...]) -> tuple[tree.Filter, int]:
    """Return a filter, and its depth."""
    condition = next((part for part in rest if isinstance(part, Typed)), None)
    if condition is None:
        return tree.Filter(at=place_of(brace)), 1
    if condition.type not in {"bool", "any"}:
        hint = "compare it with something, such as { duration > 100ms }"
        fail(f"a condition is needed, not a {condition.type}", condition.node.at, hint)
    return tree.Filter(condition.node, at=place_of(brace)), condition.depth + 1


def relate(left: tree.Spanset, sign: Token, right: tree.Spanset) -> tree.Relate:
    """Return a structural relation."""
    relation = sign.lstrip("!&")
    if relation not in {">", ">>", "<", "<<", "~"}:
        hint = "spansets are joined by && and ||, and related by > >> < << ~"
        fail(f"{sign} does not relate spansets", sign, hint)
    mode: Any = {"!": "not", "&": "union"}.get(sign[0], "plain")
    return tree.Relate(cast("Any", relation), mode, left, right, at=place_of(sign))


def spanset_hint(node: object) -> str:
    """Return what to write where a spanset is needed."""
    if isinstance(node, tree.ScalarFilter):
        return "a condition on a number is a stage of its own: { … } | count() > 2"
    return "a spanset is { … }"


def has_aggregate(node: tree.Scalar) -> bool:
    """Tell whether a number is of the spans."""
    match node:
        case tree.Aggregate():
            return True
        case tree.ScalarBinary():
            return has_aggregate(node.left) or has_aggregate(node.right)
        case tree.Literal():
            return False


def threshold(left: Outer, sign: Token, right: Outer) -> Any:
    """Return series with a comparison behind them."""
    if not isinstance(right.node, tree.Literal) or right.node.type not in NUMERIC:
        fail(f"{sign} compares series with a number", sign)
    stage = tree.Threshold(cast("Any", str(sign)), right.node, at=place_of(sign))
    match left.node:
        case Call(comparison=None):
            call = left.node
            return Call(
                call.function,
                call.operand,
                call.quantiles,
                call.by,
                None,
                call.at,
                (*call.stages, stage),
            )
        case Staged():
            return Staged((*left.node.stages, stage), left.node.at)
        case tree.MetricsStaged(source, stages):
            return tree.MetricsStaged(source, (*stages, stage), at=left.node.at)
        case _:
            no_comparison(left.node, sign)
            return tree.MetricsStaged(left.node, (stage,), at=place_of(sign))


def no_comparison(node: object, at: Token | int) -> None:
    """Say that compare() is the last word."""
    if isinstance(node, Call) or (isinstance(node, tree.MetricsQuery) and node.comparison):
        fail("compare() takes no second stage and no arithmetic", at)


def series_math(left: Outer, sign: Token, right: Outer) -> tree.MetricsMath:
    """Return arithmetic between series."""
    sides: list[tree.Metrics] = []
    if sign == "%":
        fail("% does not join series", sign, "series are joined by + - * /")
    for side in (left, right):
        if isinstance(side.node, SERIES):
            no_comparison(side.node, sign)
            sides.append(side.node)
        elif isinstance(side.node, tree.Literal) and side.node.type in {"int", "float"}:
            number = float(cast("float", side.node.value))
            sides.append(tree.MetricsNumber(number, at=side.node.at))
        elif isinstance(side.node, tree.Literal) and side.node.type == "duration":
            fail(f"{sign} needs a number without a unit", sign)
        else:
            fail(f"{sign} needs series in parentheses or a number", sign)
    return tree.MetricsMath(cast("Any", str(sign)), sides[0], sides[1], at=place_of(sign))


_FOLDS: Final[dict[str, _Fold]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
}


def folded(left: tree.Literal, sign: Token, right: tree.Literal) -> tree.Literal:
    """Calculate with constants as Go does: whole numbers stay whole, division cuts towards zero."""
    kinds = {left.type, right.type}
    if not kinds <= {"int", "float"}:
        fail("constants are calculated without units", sign, "write the result, such as 20s")
    one, two = cast("float", left.value), cast("float", right.value)
    if sign in {"/", "%"} and two == 0:
        fail("division by zero", sign)
    if kinds == {"int"} and sign == "/":
        value: float = abs(int(one)) // abs(int(two)) * (1 if (one < 0) == (two < 0) else -1)
    else:
        value = _FOLDS[str(sign)](one, two)
    if not -(2**63) <= value < 2**63:
        fail("the result is too large", sign)
    return tree.Literal(value, "int" if kinds == {"int"} else "float", at=left.at)


def as_pipeline(parts: tuple[Outer, ...]) -> Outer:
    """Return stages joined; one alone is itself."""
    depth = max(part.depth for part in parts)
    if len(parts) == 1:
        return parts[0]
    if len(parts) > STAGES_MAX:
        fail(f"the pipeline has {len(parts)} stages, the limit is {STAGES_MAX}", parts[0].node.at)
    stages: list[tree.Stage] = []
    for index, part in enumerate(parts):
        node, last = part.node, index == len(parts) - 1
        match node:
            case Call():
                return Outer(_metrics(stages, node, parts[index + 1 :]), depth)
            case tree.MetricsMath() | tree.MetricsStaged() | tree.MetricsQuery() if index == 0:
                return Outer(_second_stages(node, parts[1:]), depth)
            case Staged():
                fail("topk and bottomk follow a metrics function", node.at, "such as | rate()")
            case tree.Coalesce() if index == 0:
                no_coalesce(node)
            case tree.Aggregate() | tree.ScalarBinary() if last:
                return Outer(Numbers(node.at), depth)
            case _ if isinstance(node, (*SCALARS, *SERIES, Numbers)):
                fail("a number alone is no stage", node.at, "compare it: | count() > 2")
            case _:
                stages.append(node)
    return Outer(tree.Pipeline(tuple(stages), at=stages[0].at), depth)


def no_coalesce(node: tree.Coalesce) -> NoReturn:
    """Say that there is nothing to join."""
    fail("coalesce() has nothing to join", node.at, "it follows by()")


def _metrics(stages: list[tree.Stage], call: Call, rest: tuple[Outer, ...]) -> tree.Metrics:
    if not stages:
        fail("the function has no spans to count", call.at, "such as { … } | rate()")
    source = tree.Pipeline(tuple(stages), at=stages[0].at)
    node: tree.Metrics = tree.MetricsQuery(
        source, call.function, call.operand, call.quantiles, call.by, call.comparison, at=call.at
    )
    if call.stages:
        node = tree.MetricsStaged(node, call.stages, at=call.at)
    return _second_stages(node, rest)


def _second_stages(node: tree.Metrics, rest: tuple[Outer, ...]) -> tree.Metrics:
    stages: list[tree.SecondStage] = []
    for part in rest:
        if not isinstance(part.node, Staged):
            at = getattr(part.node, "at", 0)
            fail("only topk and bottomk may follow series", at)
        no_comparison(node, part.node.at)
        stages.extend(part.node.stages)
    if not stages:
        return node
    if isinstance(node, tree.MetricsStaged):
        return tree.MetricsStaged(node.source, (*node.stages, *stages), at=node.at)
    return tree.MetricsStaged(node, tuple(stages), at=node.at)
