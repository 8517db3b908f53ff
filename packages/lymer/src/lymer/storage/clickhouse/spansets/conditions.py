"""Expressions about one span, as SQL.

A comparison looks at values of one type only: text never equals a number, and what is absent
fulfils nothing. Of an array, `=` and the like ask for one element, `!=` and `!~` for all. A
comparison with events or links asks for one and the same of them.

Source: Grafana Tempo, `pkg/traceql/ast_execute.go`, `enum_statics.go`, `enum_operators.go`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast

from lymer.language import tree
from lymer.model.question import SPAN_KINDS
from lymer.storage.clickhouse.any_value import any_value_meanings
from lymer.storage.clickhouse.spansets.expressions import OF_TRACE, nested_scope, refuse
from lymer.storage.clickhouse.spansets.operators import (
    COMPARED,
    PATTERNS,
    STATUSES,
    as_fraction,
    compared_text,
    fraction,
    turned,
    whole,
)
from lymer.storage.clickhouse.spansets.values import (
    ARRAY,
    NOTHING,
    NUMBERS,
    Names,
    Typed,
    compared_bytes,
    elements,
    encoded,
    joined_all,
    joined_any,
    raw_typed,
)

__all__ = ["Conditions"]

_EVERY: Final = ("!=", "!~")
"""What all elements of an array must fulfil; of the others one is enough."""


@dataclass(slots=True)
class _Bound:
    """Inside of a lambda over the events or links of a span."""

    scope: str
    arrays: list[str] = field(default_factory=list)
    """What each of the lambda's arguments runs through."""

    def argument(self, array: str) -> str:
        """Return the lambda's argument for an array."""
        if array not in self.arrays:
            self.arrays.append(array)
        return f"{self.scope[0]}{self.arrays.index(array)}"

    def exists(self, condition: str) -> str:
        """Return the condition that one element fulfils `condition`."""
        if condition in {"0", "1"} and not self.arrays:
            return joined_all([condition, f"notEmpty({self.scope}s)"])
        names = ", ".join(f"{self.scope[0]}{index}" for index in range(len(self.arrays)))
        return f"arrayExists(({names}) -> {condition}, {', '.join(self.arrays)})"


class Conditions:
    """Compiles expressions of one statement; all values become parameters."""

    def __init__(
        self,
        names: Names,
        *,
        with_arrays: bool,
        shown: Callable[[tree.Shown], str] | None = None,
    ) -> None:
        """Use `names` for what is written more than once.

        Args:
            names: Of the statement.
            shown: Returns the condition that something is shown as a tag; None where the question
                cannot ask for that.
            with_arrays: Look into arrays. Their bytes take long to plan for and are rare, so they
                are looked into only when `arrays` says of some span that there is one.
        """
        self.names = names
        self._with_arrays = with_arrays
        self._shown = shown
        self.arrays: dict[str, None] = {}
        """Conditions, one of which is true where an attribute that was compared is an array."""

    def condition(self, node: tree.Expression, bound: _Bound | None = None) -> str:
        """Return SQL that is 1 for the spans that fulfil `node`, 0 for all others.

        Raises:
            PlaceError: It asks for what is not supported.
        """
        match node:
            case tree.Logic(operator, operands):
                parts = [self.condition(one, bound) for one in operands]
                return joined_all(parts) if operator == "&&" else joined_any(parts)
            case tree.Some(scope, condition):
                inner = _Bound(scope)
                return inner.exists(self.condition(condition, inner))
            case tree.Shown():
                if self._shown is None:
                    refuse(node, "what is shown as a tag")
                return self._shown(node)
            case _:
                pass
        nested = None if bound is not None else nested_scope(node)
        if nested is not None and not isinstance(node, tree.Unary | tree.Exists):
            inner = _Bound(nested)
            return inner.exists(self.condition(node, inner))
        match node:
            case tree.Unary("!", operand):
                return self._negation(operand, bound)
            case tree.Exists(operand, negated):
                return self._existence(operand, negated, bound)
            case tree.Binary() if node.operator in COMPARED:
                return self._comparison(node, bound)
            case _:
                guard, value = self.typed(node, bound).alternatives.get("bool", ("0", "0"))
                return joined_all([guard or "1", value])

    def typed(self, node: tree.Expression, bound: _Bound | None = None) -> Typed:
        """Return the value of an expression.

        Raises:
            PlaceError: It asks for what is not supported.
        """
        match node:
            case tree.Literal():
                return self._literal(node)
            case tree.Attribute():
                return self._attribute(node, bound)
            case tree.Intrinsic():
                return self._intrinsic(node, bound)
            case tree.Unary("-", operand):
                return self._negative(self.typed(operand, bound))
            case tree.Binary() if node.operator not in COMPARED:
                left, right = self.typed(node.left, bound), self.typed(node.right, bound)
                return self._calculated(node.operator, left, right, bound)
            case _:
                return Typed({"bool": ("", f"({self.condition(node, bound)})")})

    def first_nested(self, node: tree.Field) -> Typed:
        """Return what the first event (or link) that has the value has."""
        scope = nested_scope(node)
        if scope is None:
            return self.typed(node)
        inner = _Bound(scope)
        value = self.typed(node, inner)
        if len(inner.arrays) != 1:
            refuse(node, "it needs more than one field of an event")
        array = self.names.name(inner.arrays[0])
        if not value.raw:
            ((kind, (_, text)),) = value.alternatives.items()
            one = self.names.name(f"arrayMap({scope[0]}0 -> {text}, {array})[1]")
            return Typed({kind: (f"notEmpty({array})", one)})
        return raw_typed(
            self.names, self.names.name(f"arrayFirst({scope[0]}0 -> {scope[0]}0 != '', {array})")
        )

    # ------------------------------------------------------------------ conditions

    def _negation(self, operand: tree.Expression, bound: _Bound | None) -> str:
        if isinstance(operand, tree.Attribute):
            # Only what is false is not true: what is absent or no boolean is neither.
            nested = None if bound is not None else nested_scope(operand)
            inner = _Bound(nested) if nested is not None else bound
            guard, value = self.typed(operand, inner).alternatives.get("bool", ("0", "0"))
            text = joined_all([guard or "1", f"NOT {value}"])
            return inner.exists(text) if nested is not None and inner is not None else text
        return f"NOT ({self.condition(operand, bound)})"

    def _existence(self, operand: tree.Expression, negated: bool, bound: _Bound | None) -> str:  # noqa: FBT001
        nested = None if bound is not None else nested_scope(operand)
        inner = _Bound(nested) if nested is not None else bound
        value = self.typed(operand, inner)
        if value.raw:
            text = f"{value.raw} != ''"
        elif isinstance(operand, tree.Intrinsic) and "string" in value.alternatives:
            text = f"{value.alternatives['string'][1]} != ''"
        else:
            text = value.guard(value.alternatives)
        if nested is not None and inner is not None:
            text = inner.exists(text)
        return f"NOT ({text})" if negated else text

    def _comparison(
        self,
        node: tree.Binary,
        bound: _Bound | None,
    ) -> str:
        operator, left, right = node.operator, node.left, node.right
        for one, other, sign in ((left, right, operator), (right, left, turned(operator))):
            if isinstance(other, tree.Literal) and other.type == "any":
                return self._comparison_as_shown(one, sign, other, bound)
            by_bytes = self._by_id(one, sign, other) or self._by_bytes(one, sign, other, bound)
            if by_bytes:
                return by_bytes
        if operator in PATTERNS and not isinstance(right, tree.Literal):
            refuse(node, f"the pattern of {operator} must be a text")
        sides = self.typed(left, bound), self.typed(right, bound)
        parts = [self._compared(operator, *sides)]
        for place, side in enumerate(sides):
            if side.raw:
                parts.append(self._each_element(operator, sides, place, bound))
        return joined_any(parts)

    def _each_element(
        self,
        operator: str,
        sides: tuple[Typed, Typed],
        place: int,
        bound: _Bound | None,
        literal: object = None,
    ) -> str:
        """Return the comparison where the side at `place` is an array, and the other is none."""
        array, other = sides[place], sides[1 - place]
        tag = f"startsWith({array.raw}, {ARRAY})"
        if not self._with_arrays:
            if not self.names.may_be_array(array.raw):
                return "0"
            self.arrays[bound.exists(tag) if bound is not None else tag] = None
            return "0"
        if isinstance(literal, bool | int | float | str) and operator not in PATTERNS:
            each = compared_bytes("x", operator, literal, self.names.blob)
        else:
            pair = [other, other]
            pair[place] = raw_typed(None, "x")
            each = self._compared(operator, *pair)
        if each == "0":
            return "0"
        how = "arrayAll" if operator in _EVERY else "arrayExists"
        parts = [tag]
        if other.raw:
            parts += [f"{other.raw} != ''", f"NOT startsWith({other.raw}, {ARRAY})"]
        return joined_all([*parts, f"{how}(x -> {each}, {elements(array.raw)})"])

    def _by_id(self, side: tree.Expression, operator: str, other: tree.Expression) -> str:
        """Return the comparison of an id with a text, by bytes; empty: it is another.

        So the index of trace ids is asked. A trace id may be written without its leading zeros.
        """
        if not isinstance(side, tree.Intrinsic) or side.name not in _IDS:
            return ""
        if operator not in {"=", "!="} or not isinstance(other, tree.Literal):
            return ""
        column, size = _IDS[side.name]
        text = other.value if other.type == "string" and isinstance(other.value, str) else None
        if text is None:
            return ""
        if column == "trace_id" and 1 <= len(text) <= 2 * size:
            text = text.lower().zfill(2 * size)
        is_id = len(text) == 2 * size and not text.strip("0123456789abcdef")
        if column == "parent_span_id":
            is_none = text == ""
            is_id = is_none or (is_id and text.strip("0") != "")
            text = "0" * 2 * size if is_none else text
        if not is_id:
            return "0" if operator == "=" else "1"
        return f"{column} {operator} {self.names.blob(bytes.fromhex(text))}"

    def _by_bytes(
        self, side: tree.Expression, operator: str, other: tree.Expression, bound: _Bound | None
    ) -> str:
        """Return the comparison of an attribute with a value, by bytes; empty: it is another."""
        if operator in PATTERNS or not isinstance(side, tree.Attribute):
            return ""
        if not isinstance(other, tree.Literal) or not isinstance(
            other.value, bool | int | float | str
        ):
            return ""
        if other.type in {"status", "kind"}:
            return "0"
        value = self.typed(side, bound)
        if not value.raw:
            return ""
        if other.type == "bool" and operator not in {"=", "!="}:
            return "0"
        if side.scope == "resource" and operator == "=" and other.type == "string":
            known = self.names.origins_with("resource", side.name, encoded(other.value))
        else:
            known = ""
        plain = known or compared_bytes(value.raw, operator, other.value, self.names.blob)
        return joined_any(
            [
                plain,
                self._each_element(operator, (value, self._literal(other)), 0, bound, other.value),
            ]
        )

    def _comparison_as_shown(
        self, side: tree.Expression, operator: str, literal: tree.Literal, bound: _Bound | None
    ) -> str:
        """Compare with a text that stands for whatever prints like it."""
        text, value = str(literal.value), self.typed(side, bound)
        if operator in {"=", "!="} and value.raw:
            meanings = ", ".join(self.names.blob(one) for one in any_value_meanings(text))
            found = f"{value.raw} IN ({meanings})"
            return found if operator == "=" else joined_all([f"{value.raw} != ''", f"NOT {found}"])
        options = [tree.Literal(text, "string")]
        with contextlib.suppress(ValueError):
            options.append(tree.Literal(float(text), "float"))
        return joined_any(self._compared(operator, value, self._literal(one)) for one in options)

    def _compared(self, operator: str, left: Typed, right: Typed) -> str:
        parts = []
        for one, (guard, value) in left.alternatives.items():
            for two, (other_guard, other) in right.alternatives.items():
                text = compared_text(operator, one, value, two, other)
                if text:
                    parts.append(joined_all([guard or "1", other_guard or "1", text]))
        return joined_any(parts)

    # ------------------------------------------------------------------ values

    def _literal(self, node: tree.Literal) -> Typed:
        value = node.value
        match node.type:
            case "string" | "any":
                return Typed({"string": ("", self.names.text(str(value)))})
            case "bool":
                return Typed({"bool": ("", "1" if value else "0")})
            case "int" | "duration" | "time":
                return Typed({node.type: ("", self.names.whole(cast("int", value)))})
            case "float":
                return Typed({"float": ("", self.names.fraction(cast("float", value)))})
            case "status":
                return Typed({"status": ("", str(STATUSES.index(str(value))))})
            case "kind":
                return Typed({"kind": ("", str(SPAN_KINDS.index(str(value))))})
            case _:
                return Typed({})

    def _attribute(self, node: tree.Attribute, bound: _Bound | None) -> Typed:
        if node.of_parent:
            refuse(node, "the parent's attributes are compared with values only")
        names, key = self.names, node.name
        if node.scope in {"event", "link"}:
            if bound is None or bound.scope != node.scope:
                refuse(node, f"{node.scope} stands beside another scope of many in one comparison")
            one = f"tupleElement(e, 'attributes')[{names.text(key)}]"
            return raw_typed(None, bound.argument(f"arrayMap(e -> {one}, {node.scope}s)"))
        if node.scope == "resource" and key == "service.name":
            return Typed({"string": ("", "service")})
        place = {
            "": names.anywhere,
            "span": names.of_span,
            "resource": names.of_resource,
            "instrumentation": names.of_scope,
        }[node.scope]
        raw = place(key)
        return Typed({}) if raw == NOTHING else raw_typed(names, raw)

    def _intrinsic(self, node: tree.Intrinsic, bound: _Bound | None) -> Typed:
        scope, _, name = node.name.partition(":")
        if node.name in OF_TRACE:
            refuse(node, f"{name} is compared with values only")
        if scope in {"event", "link"}:
            if bound is None or bound.scope != scope:
                refuse(node, f"{scope} stands beside another scope of many in one comparison")
            text = _OF_MANY[node.name]
            kind = tree.INTRINSIC_TYPES[node.name]
            return Typed({kind: ("", bound.argument(f"arrayMap(e -> {text}, {scope}s)"))})
        if scope == "instrumentation" or node.name == "resource:schemaURL":
            field_name = "schema_url" if name == "schemaURL" else name
            find = (
                self.names.field_of_scope
                if scope == "instrumentation"
                else self.names.field_of_resource
            )
            return Typed({"string": ("", find(field_name))})
        return Typed({tree.INTRINSIC_TYPES[node.name]: ("", _OF_SPAN[node.name])})

    def _negative(self, value: Typed) -> Typed:
        return Typed(
            {
                kind: (guard, f"negate({text})")
                for kind, (guard, text) in value.alternatives.items()
                if kind in NUMBERS
            }
        )

    def _calculated(self, operator: str, left: Typed, right: Typed, bound: _Bound | None) -> Typed:
        """Calculate: whole numbers stay whole, all else is a fraction."""
        found: dict[str, tuple[str, str]] = {}
        sides: list[dict[str, tuple[str, str]]] = [
            {kind: one.alternatives[kind] for kind in NUMBERS if kind in one.alternatives}
            for one in (left, right)
        ]
        if not sides[0] or not sides[1]:
            return Typed({})
        if "int" in sides[0] and "int" in sides[1] and operator != "^":
            guards = [sides[0]["int"][0] or "1", sides[1]["int"][0] or "1"]
            zero, text = whole(operator, sides[0]["int"][1], sides[1]["int"][1])
            both = joined_all(guards)
            found["int"] = self._named(joined_all([both, zero]), text, bound)
            if both == "1":
                return Typed(found)
            other = joined_all([left.guard(sides[0]), right.guard(sides[1]), f"NOT {both}"])
        else:
            other = joined_all([left.guard(sides[0]), right.guard(sides[1])])
        text = fraction(operator, as_fraction(sides[0]), as_fraction(sides[1]))
        found["float"] = self._named(other, text, bound)
        return Typed(found)

    def _named(self, guard: str, text: str, bound: _Bound | None) -> tuple[str, str]:
        if bound is not None:
            return "" if guard == "1" else guard, text
        return "" if guard == "1" else self.names.name(guard), self.names.name(text)


_OF_SPAN: Final = {
    "span:duration": "duration",
    "span:name": "name",
    "span:kind": "if(kind BETWEEN 1 AND 5, kind, 0)",
    "span:status": "if(status BETWEEN 1 AND 2, status, 0)",
    "span:statusMessage": "status_message",
    "span:id": "lower(hex(span_id))",
    "span:parentID": "if(parent_span_id = toFixedString('', 8), '', lower(hex(parent_span_id)))",
    "span:startTime": "toInt64(start)",
    "span:endTime": "(toInt64(start) + duration)",
    "span:traceState": "trace_state",
    "trace:id": "lower(hex(trace_id))",
}
_IDS: Final = {
    "trace:id": ("trace_id", 16),
    "span:id": ("span_id", 8),
    "span:parentID": ("parent_span_id", 8),
}
"""Column and bytes of an id; a span without a parent has zeros there."""
_OF_MANY: Final = {
    "event:name": "toString(tupleElement(e, 'name'))",
    "event:time": "toInt64(tupleElement(e, 'time_unix_nano'))",
    "event:timeSinceStart": "toInt64(tupleElement(e, 'time_unix_nano')) - toInt64(start)",
    "link:traceID": "lower(hex(tupleElement(e, 'trace_id')))",
    "link:spanID": "lower(hex(tupleElement(e, 'span_id')))",
    "link:traceState": "tupleElement(e, 'trace_state')",
}
