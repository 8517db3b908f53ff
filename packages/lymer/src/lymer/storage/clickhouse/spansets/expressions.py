"""Trees of conditions: what they read, and how they are turned to the span that decides; pure."""

from __future__ import annotations

import operator as operators
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, NoReturn

from lymer.language import tree
from lymer.language.operands import PlaceError
from lymer.language.printing import text as print_query

__all__ = [
    "COMPARE",
    "OF_ROOT",
    "OF_TRACE",
    "is_walked",
    "leaves",
    "moved",
    "nested_scope",
    "of_root",
    "own",
    "plain",
    "printed",
    "printed_scalar",
    "refuse",
    "shown_name",
]

OF_TRACE: Final = frozenset(
    name
    for name in tree.INTRINSIC_TYPES
    if (name.startswith("trace:") and name != "trace:id") or "nestedSet" in name
) | {"span:childCount"}
"""Intrinsics that a span does not know by itself."""

COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "=": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,
    "<=": operators.le,
    ">": operators.gt,
    ">=": operators.ge,
}
"""What a comparison is of two numbers."""
OF_ROOT: Final[dict[str, tree.Field]] = {
    "trace:rootName": tree.Intrinsic("span:name"),
    "trace:rootService": tree.Attribute("service.name", "resource"),
}
"""Which field of the root an intrinsic of the trace is."""


def refuse(node: object, cause: str) -> NoReturn:
    """Say what is not supported, and where it stands."""
    raise PlaceError(cause, at=getattr(node, "at", 0))


def leaves(node: tree.Expression) -> Iterator[tree.Expression]:
    """Return the literals, fields and other ends of an expression."""
    waiting = [node]
    while waiting:
        match waiting.pop():
            case tree.Logic(_, operands):
                waiting.extend(operands)
            case tree.Binary(_, left, right):
                waiting += [right, left]
            case tree.Unary(_, operand) | tree.Exists(operand):
                waiting.append(operand)
            case end:
                yield end


def nested_scope(node: tree.Expression) -> str | None:
    """Return `event` or `link` if the expression reads one of them."""
    for leaf in leaves(node):
        match leaf:
            case tree.Attribute(scope="event" | "link" as scope):
                return scope
            case tree.Intrinsic(name):
                if name.startswith(("event:", "link:")):
                    return name.partition(":")[0]
            case _:
                pass
    return None


def shown_name(node: tree.Field) -> str:
    """Return the key that an answer shows a field under: an attribute's has no scope."""
    return node.name if isinstance(node, tree.Attribute) else node.name.partition(":")[2]


def printed(node: tree.Expression) -> str:
    """Return an expression as a question writes it."""
    return print_query(tree.Query(tree.Pipeline((tree.Group(node),))))[3:-1]


def printed_scalar(node: tree.Scalar) -> str:
    """Return a number of a spanset as text."""
    stage = tree.ScalarFilter("=", node, tree.Literal(0, "int"))
    return print_query(tree.Query(tree.Pipeline((stage,)))).removesuffix(" = 0")


def is_walked(node: tree.Expression) -> bool:
    """Tell whether a condition reads what a span does not know by itself."""
    return any(
        (isinstance(leaf, tree.Attribute) and leaf.of_parent)
        or (isinstance(leaf, tree.Intrinsic) and leaf.name in OF_TRACE)
        for leaf in leaves(plain(node))
    )


def plain(node: tree.Expression) -> tree.Expression:
    """Write `nestedSetParent < 0`, and what else only asks for roots, as a test of the span."""
    match node:
        case tree.Logic(operator, operands):
            return tree.Logic(operator, tuple(plain(one) for one in operands), at=node.at)
        case tree.Unary(sign, operand):
            return tree.Unary(sign, plain(operand), at=node.at)
        case tree.Binary(sign, tree.Intrinsic("span:nestedSetParent"), tree.Literal(value, "int")):
            compare = COMPARE.get(sign)
            if compare is None or not isinstance(value, int):
                return node
            of_root = compare(-1, value)
            if of_root != compare(0, value) and compare(0, value) == compare(2**62, value):
                if sign in {"=", "!="} and value >= 0:
                    return node
                return tree.Exists(tree.Intrinsic("span:parentID"), negated=of_root, at=node.at)
            return node
        case _:
            return node


def moved(
    node: tree.Expression, move: Callable[[tree.Expression], tree.Expression]
) -> tree.Expression:
    """Return a comparison with its fields replaced."""
    match node:
        case tree.Binary(operator, left, right):
            return tree.Binary(operator, moved(left, move), moved(right, move), at=node.at)
        case tree.Unary(operator, operand):
            return tree.Unary(operator, moved(operand, move), at=node.at)
        case tree.Exists(operand, negated):
            return tree.Exists(moved(operand, move), negated, at=node.at)
        case _:
            return move(node)


def own(node: tree.Expression) -> tree.Expression:
    """Return a field of the parent as the parent's own."""
    return replace(node, of_parent=False) if isinstance(node, tree.Attribute) else node


def of_root(node: tree.Expression) -> tree.Expression:
    """Return what only the trace knows as a field of its root."""
    return OF_ROOT[node.name] if isinstance(node, tree.Intrinsic) else node
