"""Print a tree as text that reads back to the same tree."""

from __future__ import annotations

from typing import Final, assert_never

from lymer.language import tree
from lymer.language.literals import duration_text, name_text, quoted

__all__ = ["text"]

_UNSCOPED: Final = {
    "span:duration": "duration",
    "span:name": "name",
    "span:kind": "kind",
    "span:status": "status",
    "span:statusMessage": "statusMessage",
    "span:nestedSetLeft": "nestedSetLeft",
    "span:nestedSetRight": "nestedSetRight",
    "span:nestedSetParent": "nestedSetParent",
    "trace:rootName": "rootName",
    "trace:rootService": "rootServiceName",
    "trace:duration": "traceDuration",
}


def text(query: tree.Query) -> str:
    """Print a question.

    `Some`, which TraceQL cannot say, is printed as the nearest words for people;
    only they do not read back.
    """
    body = query.body
    printed = _pipeline(body) if isinstance(body, tree.Pipeline) else _metrics(body)
    if query.hints:
        hints = ", ".join(f"{name}={_expression(value)}" for name, value in query.hints)
        printed += f" with({hints})"
    return printed


def _pipeline(pipeline: tree.Pipeline) -> str:
    return " | ".join(_stage(stage) for stage in pipeline.stages)


def _stage(stage: tree.Stage) -> str:
    match stage:
        case tree.ScalarFilter(operator, left, right):
            return f"{_scalar(left)} {operator} {_scalar(right)}"
        case tree.Group(by):
            return f"by({_expression(by)})"
        case tree.Coalesce():
            return "coalesce()"
        case tree.Select(fields):
            return f"select({_fields(fields)})"
        case tree.Filter() | tree.Combine() | tree.Relate() | tree.Pipeline():
            return _spanset(stage)
        case _:
            assert_never(stage)


def _spanset(node: tree.Spanset) -> str:
    match node:
        case tree.Filter(None):
            return "{ }"
        case tree.Filter(condition) if condition is not None:
            return f"{{ {_expression(condition)} }}"
        case tree.Combine(operator, left, right):
            return f"{_side(left)} {operator} {_side(right)}"
        case tree.Relate(relation, mode, left, right):
            sign = {"plain": "", "not": "!", "union": "&"}[mode] + relation
            return f"{_side(left)} {sign} {_side(right)}"
        case tree.Pipeline():
            return f"({_pipeline(node)})"
        case _:
            raise AssertionError(node)


def _side(node: tree.Spanset) -> str:
    return f"({_spanset(node)})" if isinstance(node, tree.Combine | tree.Relate) else _spanset(node)


def _scalar(node: tree.Scalar) -> str:
    match node:
        case tree.Literal():
            return _literal(node)
        case tree.Aggregate(name, operand):
            return f"{name}({_expression(operand) if operand is not None else ''})"
        case tree.ScalarBinary(operator, left, right):
            return f"({_scalar(left)} {operator} {_scalar(right)})"
        case _:
            assert_never(node)


def _metrics(node: tree.Metrics) -> str:
    match node:
        case tree.MetricsQuery():
            return f"{_pipeline(node.source)} | {_function(node)}"
        case tree.MetricsStaged(source, stages):
            printed = _metrics(source)
            if isinstance(source, tree.MetricsMath) and len(stages) > 0:
                printed = f"({printed})"
            for stage in stages:
                match stage:
                    case tree.Top(count, smallest):
                        printed += f" | {'bottomk' if smallest else 'topk'}({count})"
                    case tree.Threshold(operator, number):
                        printed += f" {operator} {_literal(number)}"
            return printed
        case tree.MetricsMath(operator, left, right):
            return f"{_series(left)} {operator} {_series(right)}"
        case tree.MetricsNumber(value):
            return repr(value)
        case _:
            assert_never(node)


def _series(node: tree.Metrics) -> str:
    return _metrics(node) if isinstance(node, tree.MetricsNumber) else f"({_metrics(node)})"


def _function(node: tree.MetricsQuery) -> str:
    if node.comparison is not None:
        chosen = node.comparison
        arguments = [_spanset(chosen.selection), str(chosen.top)]
        if chosen.start_unix_nano or chosen.end_unix_nano:
            arguments += [str(chosen.start_unix_nano), str(chosen.end_unix_nano)]
        return f"compare({', '.join(arguments)})"
    parts = [] if node.operand is None else [_expression(node.operand)]
    parts += [f"{quantile!r}" for quantile in node.quantiles]
    by = f" by({_fields(node.by)})" if node.by else ""
    return f"{node.function}({', '.join(parts)}){by}"


def _fields(fields: tuple[tree.Field, ...]) -> str:
    return ", ".join(_expression(field) for field in fields)


def _expression(node: tree.Expression) -> str:
    match node:
        case tree.Literal():
            return _literal(node)
        case tree.Attribute() | tree.Intrinsic():
            return _field(node)
        case tree.Unary(operator, operand):
            return f"{operator}({_expression(operand)})"
        case tree.Logic(operator, operands):
            return f" {operator} ".join(_operand(operand) for operand in operands)
        case tree.Binary(operator, left, right):
            return f"{_operand(left)} {operator} {_operand(right)}"
        case tree.Exists(operand, negated):
            return f"{_operand(operand)} {'=' if negated else '!='} nil"
        case tree.Shown(key, value):
            name = f".{name_text(key)}"
            return f"{name} != nil" if value is None else f"{name} = {quoted(value)}"
        case tree.Some(scope, condition):
            return f"some {scope}({_expression(condition)})"
        case _:
            assert_never(node)


def _field(node: tree.Field) -> str:
    if isinstance(node, tree.Intrinsic):
        return _UNSCOPED.get(node.name, node.name)
    prefix = ("parent." if node.of_parent else "") + (f"{node.scope}." if node.scope else "")
    return (prefix or ".") + name_text(node.name)


def _operand(node: tree.Expression) -> str:
    printed = _expression(node)
    joined = isinstance(node, tree.Logic | tree.Binary | tree.Exists | tree.Unary)
    return f"({printed})" if joined else printed


def _literal(node: tree.Literal) -> str:
    value = node.value
    match node.type:
        case "string":
            return quoted(str(value))
        case "duration":
            assert isinstance(value, int)
            return duration_text(value)
        case "bool":
            return "true" if value else "false"
        case "nil":
            return "nil"
        case "int" if value == -(2**63):
            return "minInt"
        case "float":
            return repr(value)
        case _:
            return str(value)
