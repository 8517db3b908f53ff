"""Jaeger's ways of asking, as trees: legacy parameters and the structured filter.

Source: jaeger-idl `api_v3` `TraceQueryParameters`; Jaeger, RFC 0005, sections 5 and 6.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from lymer.errors import QuestionError
from lymer.language import tree
from lymer.language.literals import duration_nano
from lymer.language.operands import DEPTH_MAX

__all__ = ["FILTER_TERMS_MAX", "filter_condition"]

FILTER_TERMS_MAX: Final = 4_096
"""Terms of one structured filter, list values included."""

_SIGNS: Final = {"eq": "=", "ne": "!=", "gt": ">", "lt": "<", "gte": ">=", "lte": "<="}
_TURNED: Final = {"=": "=", "!=": "!=", ">": "<", "<": ">", ">=": "<=", "<=": ">="}
_SCOPES: Final[dict[str, tree.Scope]] = {
    "": "",
    "span": "span",
    "resource": "resource",
    "scope": "instrumentation",
    "event": "event",
    "link": "link",
}
_FIELDS: Final[dict[tuple[str, str], tree.Field]] = {
    ("span", "traceID"): tree.Intrinsic("trace:id"),
    ("span", "spanID"): tree.Intrinsic("span:id"),
    ("span", "parentSpanID"): tree.Intrinsic("span:parentID"),
    ("resource", "service"): tree.Attribute("service.name", "resource"),
    **{
        (level, name): tree.Intrinsic(f"{_SCOPES[level]}:{name}")
        for level, names in {
            "span": "traceState name kind startTime endTime status statusMessage duration",
            "resource": "schemaURL",
            "scope": "name version schemaURL",
            "event": "name time timeSinceStart",
            "link": "traceID spanID traceState",
        }.items()
        for name in names.split()
    },
}
_WORDS: Final[dict[tree.Type, frozenset[str]]] = {
    "status": frozenset({"unset", "ok", "error"}),
    "kind": frozenset({"unspecified", "internal", "server", "client", "producer", "consumer"}),
}
_TYPES: Final[dict[str, tree.Type]] = {
    "": "any",
    "string": "string",
    "int": "int",
    "double": "float",
    "bool": "bool",
}
_RFC3339: Final = re.compile(r"(.+?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def filter_condition(document: str | bytes) -> tree.Expression:
    """Read a structured filter, a `Call` in JSON.

    Raises:
        QuestionError: If it is no filter, is nested deeper than the search language allows or has
            more than `FILTER_TERMS_MAX` terms.
    """
    try:
        call = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise QuestionError(f"cannot read the filter: it is no JSON: {error}") from None
    return _Reader().condition({"call": call}, depth=1, bound="")


def _joined(operator: Any, operands: Sequence[tree.Expression]) -> tree.Expression:
    flat: list[tree.Expression] = []
    for operand in operands:
        if isinstance(operand, tree.Logic) and operand.operator == operator:
            flat.extend(operand.operands)
        else:
            flat.append(operand)
    return flat[0] if len(flat) == 1 else tree.Logic(operator, tuple(flat))


class _Reader:
    """Reads one filter and counts its terms."""

    def __init__(self) -> None:
        self._terms = 0

    def condition(self, term: Any, *, depth: int, bound: str) -> tree.Expression:
        """Read a predicate; `bound` is the level that an enclosing `some` has bound."""
        self._count(1)
        if depth > DEPTH_MAX:
            raise _refusal(f"it is nested deeper than {DEPTH_MAX} levels")
        call = _member(term, "call")
        if not isinstance(call, dict):
            raise _refusal("a predicate is a call with op and args")
        operator, arguments = call.get("op"), call.get("args", [])
        if not isinstance(arguments, list):
            raise _refusal(f"args of {operator!r} is no list")
        match operator:
            case "and" | "or":
                if len(arguments) < 2:
                    raise _refusal(f"{operator} needs two predicates at least")
                operands = [self.condition(one, depth=depth + 1, bound=bound) for one in arguments]
                return _joined("&&" if operator == "and" else "||", operands)
            case "not":
                (one,) = _exactly(operator, arguments, 1)
                return tree.Unary("!", self.condition(one, depth=depth + 1, bound=bound))
            case "some":
                return self._some(arguments, depth, bound)
            case "exists":
                (one,) = _exactly(operator, arguments, 1)
                return tree.Exists(self._reference(one, operator))
            case "in" | "not_in":
                return self._membership(operator, arguments)
            case "regex":
                return self._regex(arguments)
            case str() if operator in _SIGNS:
                return self._comparison(operator, arguments)
            case _:
                raise _refusal(f"unknown filter operator {operator!r}")

    def _count(self, terms: int) -> None:
        self._terms += terms
        if self._terms > FILTER_TERMS_MAX:
            raise _refusal(f"it has more than {FILTER_TERMS_MAX} terms")

    def _some(self, arguments: list[Any], depth: int, bound: str) -> tree.Expression:
        collection, predicate = _exactly("some", arguments, 2)
        level = (_member(collection, "nested") or {}).get("level")
        if level not in {"event", "link"}:
            raise _refusal('the first operand of some is {"nested": {"level": "event" or "link"}}')
        if level in bound.split():
            raise _refusal(f"some over {level} stands inside another over {level}")
        inner = self.condition(predicate, depth=depth + 1, bound=f"{bound} {level}")
        return tree.Some(level, inner)

    def _comparison(self, operator: str, arguments: list[Any]) -> tree.Expression:
        left, right = _exactly(operator, arguments, 2)
        sign = _SIGNS[operator]
        if "scalar" in left and "scalar" not in right:
            left, right, sign = right, left, _TURNED[sign]
        one = self._operand(left, None)
        two = self._operand(right, one)
        for side in (one, two):
            kind = _type_of(side)
            if sign not in {"=", "!="} and kind in {"bool", "status", "kind"}:
                raise _refusal(f"{operator} orders values, and a {kind} has no order")
        kinds = {_type_of(one), _type_of(two)}
        if "any" not in kinds and len(kinds) == 2 and not kinds <= {"int", "float"}:
            raise _refusal(f"{operator} compares a {_type_of(one)} with a {_type_of(two)}")
        return tree.Binary(sign, one, two)

    def _membership(self, operator: str, arguments: list[Any]) -> tree.Expression:
        reference_term, list_term = _exactly(operator, arguments, 2)
        reference = self._reference(reference_term, operator)
        values = _member(list_term, "list")
        if not isinstance(values, dict) or not isinstance(values.get("values"), list):
            raise _refusal(f"the second operand of {operator} is a list")
        self._count(len(values["values"]))
        kind = values.get("type", "")
        equal = [
            tree.Binary("=", reference, _literal({"value": value, "type": kind}, reference))
            for value in values["values"]
        ]
        if not equal:
            raise _refusal(f"the list of {operator} is empty")
        inside = _joined("||", equal)
        if operator == "in":
            return inside
        return tree.Logic("&&", (tree.Exists(reference), tree.Unary("!", inside)))

    def _regex(self, arguments: list[Any]) -> tree.Expression:
        reference_term, pattern_term = _exactly("regex", arguments, 2)
        reference = self._reference(reference_term, "regex")
        pattern = _member(pattern_term, "scalar")
        if not isinstance(pattern, dict) or not isinstance(pattern.get("value"), str):
            raise _refusal("the second operand of regex is a text")
        if _type_of(reference) not in {"string", "any", "status", "kind"}:
            raise _refusal(f"regex needs a text, and the field is a {_type_of(reference)}")
        # RFC 0005 matches anywhere in the value, the search language the whole value.
        anywhere = f"(?s:.*)(?:{pattern['value']})(?s:.*)"
        return tree.Binary("=~", reference, tree.Literal(anywhere, "string"))

    def _operand(self, term: Any, opposite: tree.Expression | None) -> tree.Expression:
        scalar = _member(term, "scalar")
        if scalar is not None:
            self._count(1)
            return _literal(scalar, opposite)
        return self._reference(term, "a comparison")

    def _reference(self, term: Any, where: str) -> tree.Field:
        self._count(1)
        attribute, field = _member(term, "attr"), _member(term, "field")
        if isinstance(attribute, dict):
            key, level = attribute.get("key"), attribute.get("level", "")
            if not isinstance(key, str) or not key or level not in _SCOPES:
                raise _refusal(
                    f"attr needs a key and a level of {', '.join(filter(None, _SCOPES))}"
                )
            return tree.Attribute(key, _SCOPES[level])
        if isinstance(field, dict):
            known = _FIELDS.get((str(field.get("level")), str(field.get("name"))))
            if known is None:
                raise _refusal(f"level {field.get('level')!r} has no field {field.get('name')!r}")
            return known
        raise _refusal(f"{where} needs an attr or a field")


def _literal(scalar: Any, opposite: tree.Expression | None) -> tree.Literal:
    if not isinstance(scalar, dict) or not isinstance(scalar.get("value"), str):
        raise _refusal("a scalar needs a value, as text")
    text, hint = scalar["value"], scalar.get("type", "")
    if hint not in _TYPES:
        raise _refusal(f"unknown scalar type {hint!r}")
    kind = _TYPES[hint]
    against = "any" if opposite is None else _type_of(opposite)
    if kind in {"any", "string"} and against in {"duration", "time", "status", "kind", "string"}:
        kind = against
    value = _value(text, kind)
    if value is None:
        raise _refusal(f"{text!r} is no {kind}")
    return tree.Literal(value, kind)


def _value(text: str, kind: tree.Type) -> bool | int | float | str | None:
    try:
        match kind:
            case "int":
                return int(text) if -(2**63) <= int(text) < 2**63 else None
            case "float":
                return float(text)
            case "bool":
                return {"true": True, "false": False}.get(text)
            case "duration":
                return duration_nano(text)
            case "time":
                return _instant(text)
            case "status" | "kind":
                return text if text in _WORDS[kind] else None
            case _:
                return text
    except ValueError:
        return None


def _instant(text: str) -> int | None:
    match = _RFC3339.fullmatch(text)
    if match is None:
        return None
    seconds = datetime.fromisoformat(match[1] + match[3]).timestamp()
    return int(seconds) * 1_000_000_000 + int((match[2] or "").ljust(9, "0"))


def _type_of(node: tree.Expression) -> tree.Type:
    match node:
        case tree.Literal():
            return node.type
        case tree.Intrinsic():
            return tree.INTRINSIC_TYPES[node.name]
        case tree.Attribute("service.name", "resource"):
            return "string"
        case _:
            return "any"


def _member(term: Any, name: str) -> Any:
    return cast("dict[str, Any]", term).get(name) if isinstance(term, dict) else None


def _exactly(operator: str, arguments: list[Any], count: int) -> list[dict[str, Any]]:
    if len(arguments) != count or not all(isinstance(one, dict) for one in arguments):
        raise _refusal(f"{operator} needs {count} operand{'s' if count > 1 else ''}")
    return arguments


def _refusal(cause: str) -> QuestionError:
    return QuestionError(f"cannot read the filter: {cause}")
