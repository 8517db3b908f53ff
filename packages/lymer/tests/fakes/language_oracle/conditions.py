"""Is a condition true of a span?"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from typing import Any

from fakes.language_oracle.spans import OracleSpan, Typed
from lymer.language import tree

NUMBERS = {"int", "float", "duration"}
COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MANY = ("event", "link")


def holds(node: tree.Expression, span: OracleSpan, of: dict[str, Any] | None = None) -> bool:
    """Tell whether `node` is true of `span`; `of` is the event or link that is looked at."""
    match node:
        case tree.Logic("&&", operands):
            return all(holds(one, span, of) for one in operands)
        case tree.Logic(_, operands):
            return any(holds(one, span, of) for one in operands)
        case tree.Unary("!", operand) if isinstance(operand, tree.Attribute):
            scope = many(operand)
            each = [None] if scope is None else getattr(span, scope + "s")
            return any(value(operand, span, one) == ("bool", False) for one in each)
        case tree.Unary("!", operand):
            return not holds(operand, span, of)
        case tree.Exists(operand, negated):
            scope = many(operand)
            each = [of] if scope is None else getattr(span, scope + "s")
            found = any(exists(value(operand, span, one)) for one in each)
            return found != negated
        case _:
            pass
    scope = many(node)
    if scope is not None and of is None:
        return any(holds(node, span, one) for one in getattr(span, scope + "s"))
    if isinstance(node, tree.Binary) and node.operator in {*COMPARE, "=~", "!~"}:
        return compared(
            node.operator, value(node.left, span, of), value(node.right, span, of), span
        )
    return value(node, span, of) == ("bool", True)


def exists(found: Typed | None) -> bool:
    """Tell whether there is a value; an empty intrinsic text is none."""
    return found is not None and found != ("intrinsic", "")


def many(node: tree.Expression) -> str | None:
    """Return `event` or `link` if the expression reads one."""
    match node:
        case tree.Attribute(scope=scope) if scope in MANY:
            return scope
        case tree.Intrinsic(name) if name.partition(":")[0] in MANY:
            return name.partition(":")[0]
        case tree.Binary(_, left, right):
            return many(left) or many(right)
        case tree.Unary(_, operand) | tree.Exists(operand):
            return many(operand)
        case _:
            return None


def compared(sign: str, left: Typed | None, right: Typed | None, span: OracleSpan) -> bool:
    """Compare two values, each with its type."""
    if left is None or right is None:
        return False
    if left[0] == "array" or right[0] == "array":
        if left[0] == right[0]:
            return False
        array, is_left = (left[1], True) if left[0] == "array" else (right[1], False)
        each = [
            compared(sign, one if is_left else left, right if is_left else one, span)
            for one in array
        ]
        return all(each) if sign in {"!=", "!~"} else any(each)
    one, two = ("string" if side[0] == "intrinsic" else side[0] for side in (left, right))
    if not (one == two or {one, two} <= NUMBERS) or one == "other":
        return False
    if sign in {"=~", "!~"}:
        matched = one == "string" and re.fullmatch(right[1], left[1], re.DOTALL) is not None
        return one == "string" and matched == (sign == "=~")
    if one in {"bool", "status", "kind"} and sign not in {"=", "!="}:
        return False
    sides = [side[1].encode() if one == "string" else side[1] for side in (left, right)]
    return bool(COMPARE[sign](*sides))


def value(
    node: tree.Expression, span: OracleSpan, of: dict[str, Any] | None = None
) -> Typed | None:
    """Return the value of an expression; None where it has none."""
    match node:
        case tree.Literal(literal, kind):
            return kind, literal
        case tree.Attribute():
            return attribute(node, span, of)
        case tree.Intrinsic(name):
            return intrinsic(name, span, of)
        case tree.Unary("-", operand):
            found = value(operand, span, of)
            return (found[0], -found[1]) if found and found[0] in NUMBERS else None
        case tree.Binary(sign, left, right) if sign in {"+", "-", "*", "/", "%", "^"}:
            return calculated(sign, value(left, span, of), value(right, span, of))
        case _:
            return "bool", holds(node, span, of)


def attribute(node: tree.Attribute, span: OracleSpan, of: dict[str, Any] | None) -> Typed | None:
    """Return what an attribute says."""
    if node.of_parent:
        parent = span.parent
        own = tree.Attribute(node.name, node.scope)
        return attribute(own, parent, of) if parent is not None else None
    match node.scope:
        case "span":
            return span.attributes.get(node.name)
        case "resource":
            return span.resource.get(node.name)
        case "instrumentation":
            return span.scope.get(node.name)
        case "event" | "link":
            assert of is not None
            found: Typed | None = of["attributes"].get(node.name)
            return found
        case _:
            return span.attributes.get(node.name) or span.resource.get(node.name)


def intrinsic(name: str, span: OracleSpan, of: dict[str, Any] | None) -> Typed | None:
    """Return what a span, its trace, an event or a link knows by itself."""
    scope, _, rest = name.partition(":")
    if scope in MANY:
        assert of is not None
        return ("duration" if rest == "timeSinceStart" else "intrinsic"), of[rest]
    return _OF_SPAN[name](span)


def _duration(trace: list[OracleSpan]) -> int:
    return max(one.start + one.duration for one in trace) - min(one.start for one in trace)


_OF_SPAN: dict[str, Callable[[OracleSpan], Typed | None]] = {
    "span:duration": lambda span: ("duration", span.duration),
    "span:name": lambda span: ("intrinsic", span.name),
    "span:kind": lambda span: ("kind", span.kind),
    "span:status": lambda span: ("status", span.status),
    "span:statusMessage": lambda span: ("intrinsic", span.message),
    "span:id": lambda span: ("string", span.span_id),
    "span:parentID": lambda span: ("intrinsic", span.parent_id),
    "span:childCount": lambda span: ("int", sum(one.parent is span for one in span.trace)),
    "span:nestedSetParent": lambda span: ("int", nested(span)[2] if span.parent_id else -1),
    "span:nestedSetLeft": lambda span: ("int", nested(span)[0]),
    "span:nestedSetRight": lambda span: ("int", nested(span)[1]),
    "trace:duration": lambda span: ("duration", _duration(span.trace)),
    "trace:rootName": lambda span: ("intrinsic", span.root.name) if span.root else None,
    "trace:rootService": lambda span: span.root.resource["service.name"] if span.root else None,
    "trace:id": lambda span: ("string", span.trace_id),
    "instrumentation:name": lambda span: ("intrinsic", span.scope_name),
    "instrumentation:version": lambda span: ("intrinsic", span.scope_version),
}


def nested(span: OracleSpan) -> tuple[int, int, int]:
    """Return left, right and the parent's left; 0 for what no root leads to."""
    numbers: dict[str, tuple[int, int, int]] = {}
    count = 0

    def visit(one: OracleSpan, parent: int) -> None:
        nonlocal count
        count += 1
        left = count
        children = [child for child in span.trace if child.parent is one]
        for child in sorted(children, key=lambda child: (child.start, child.span_id)):
            visit(child, left)
        count += 1
        numbers[one.span_id] = (left, count, parent)

    for root in sorted(span.trace, key=lambda one: (one.start, one.span_id)):
        if not root.parent_id:
            visit(root, -1)
    return numbers.get(span.span_id, (0, 0, 0))


def calculated(sign: str, left: Typed | None, right: Typed | None) -> Typed | None:
    """Calculate: whole numbers stay whole, all else becomes a fraction."""
    if left is None or right is None or left[0] not in NUMBERS or right[0] not in NUMBERS:
        return None
    one, two = left[1], right[1]
    if left[0] == right[0] == "int" and sign != "^":
        if sign in {"/", "%"} and two == 0:
            return None
        match sign:
            case "+":
                result = one + two
            case "-":
                result = one - two
            case "*":
                result = one * two
            case "/":
                result = abs(one) // abs(two) * (1 if (one < 0) == (two < 0) else -1)
            case _:
                result = abs(one) % abs(two) * (1 if one >= 0 else -1)
        return "int", (int(result) + 2**63) % 2**64 - 2**63
    first, second = float(one), float(two)
    return "float", fraction(sign, first, second)


def fraction(sign: str, first: float, second: float) -> float:
    """Calculate as IEEE 754 says."""
    match sign:
        case "+":
            return first + second
        case "-":
            return first - second
        case "*":
            return first * second
        case "/":
            if second == 0:
                return (
                    math.nan
                    if first == 0
                    else math.copysign(math.inf, first * math.copysign(1, second))
                )
            return first / second
        case "%":
            endless = second == 0 or math.isinf(first) or math.isnan(first)
            return math.nan if endless else math.fmod(first, second)
        case _:
            return power(first, second)


def power(first: float, second: float) -> float:
    """Return a power, infinite where it is too large."""
    try:
        result = math.pow(first, second)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.inf if first == 0 else math.nan
    return result
