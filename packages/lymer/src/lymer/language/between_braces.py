"""Values and conditions between braces: what an operator may join.

Source: Grafana Tempo, `pkg/traceql/ast_validate.go`, `enum_operators.go`.
"""

from __future__ import annotations

from typing import Any, Final

from lark import Token

from lymer.language import tree
from lymer.language.operands import NUMERIC, OPERATORS, Typed, deeper, depth_of, fail, place_of

__all__ = [
    "binary",
    "field_of",
    "literal",
    "unary",
    "whole",
]

_NEVER_NIL: Final = tree.Attribute("service.name", "resource")


def literal(value: Any, kind: tree.Type, token: Token) -> Typed:
    """Return a value as it was written."""
    return Typed(tree.Literal(value, kind, at=place_of(token)), kind, on_span=False)


def whole(token: Token) -> int:
    """Return a whole number of 64 bits."""
    value = int(token) if len(token) < 20 else 2**63
    if value >= 2**63:
        fail(f"the number is larger than {2**63 - 1}", token)
    return value


def field_of(value: Typed, where: str) -> tree.Field:
    """Return an attribute or intrinsic, or say where only these may stand."""
    if not isinstance(value.node, tree.Attribute | tree.Intrinsic):
        hint = "such as duration or span.http.route"
        fail(f"{where} takes attributes and intrinsics only", value.node.at, hint)
    return value.node


def unary(sign: Any, token: Token, operand: Typed) -> Typed:
    """Return an operator before a value."""
    node = tree.Unary(sign, operand.node, at=place_of(token))
    kind: tree.Type = "bool" if sign == "!" else operand.type
    return Typed(node, kind, operand.on_span, deeper(operand.depth, token))


def binary(left: Typed, sign: Token, right: Typed) -> Typed:
    """Return an operator between two values, if it may join them."""
    if "nil" in {left.type, right.type} and sign in {"=", "!="}:
        return _existence(left, sign, right)
    for side in (left, right):
        if side.type != "any" and str(sign) not in OPERATORS[side.type]:
            fail(f"{sign} cannot be used on {side.type}", sign)
    if not _comparable(left.type, right.type):
        fail(f"{sign} compares {left.type} with {right.type}", sign, _type_hint(left, right))
    if sign in {"=~", "!~"} and not (
        isinstance(right.node, tree.Literal) and right.type == "string"
    ):
        fail(f"{sign} needs a regular expression in quotes on its right", sign)
    arithmetic = sign in {"+", "-", "*", "/", "%", "^"}
    kind: tree.Type = "bool"
    if arithmetic:
        kind = right.type if left.type == "any" else left.type
    node = tree.Binary(str(sign), left.node, right.node, at=place_of(sign))
    return Typed(node, kind, left.on_span or right.on_span, depth_of(left, right, at=sign))


def _existence(left: Typed, sign: Token, right: Typed) -> Typed:
    operand = left if right.type == "nil" else right
    if operand.type == "nil":
        return Typed(
            tree.Literal(value=False, type="bool", at=place_of(sign)), "bool", on_span=False
        )
    negated = sign == "="
    if negated and (isinstance(operand.node, tree.Intrinsic) or operand.node == _NEVER_NIL):
        fail("every span has it, so it is never nil", sign)
    node = tree.Exists(operand.node, negated, at=place_of(sign))
    return Typed(node, "bool", operand.on_span, deeper(operand.depth, sign))


def _comparable(left: tree.Type, right: tree.Type) -> bool:
    return left == right or "any" in {left, right} or {left, right} <= NUMERIC


def _type_hint(left: Typed, right: Typed) -> str:
    kinds = {left.type, right.type}
    if kinds == {"string", "status"}:
        return "a status is ok, error or unset, without quotes"
    if kinds == {"string", "kind"}:
        return "a kind is server, client, producer, consumer or internal, without quotes"
    if kinds == {"string", "duration"}:
        return "a duration is 100ms or 1.5s, without quotes"
    return ""
