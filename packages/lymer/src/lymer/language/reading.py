"""From the parser's reductions to the typed tree, bottom up and without recursion.

Each method stands for one alternative of the grammar. Between braces a value is `Typed`, outside
of them one of the tree's spansets, numbers and series; which of them an operator may join is
decided in `between_braces` and `outside_braces`, with the place in the text.

Source: Grafana Tempo, `pkg/traceql/ast_validate.go`, `enum_operators.go`.
"""

from __future__ import annotations

import math
from typing import Any, Final, cast

from lark import Token, Transformer, v_args

from lymer.language import tree
from lymer.language.between_braces import binary, field_of, literal, unary, whole
from lymer.language.literals import duration_nano, unquoted, unquoted_name
from lymer.language.operands import (
    NUMERIC,
    OPERATORS,
    SCALARS,
    SERIES,
    SPANSETS,
    Call,
    Numbers,
    Outer,
    Staged,
    Typed,
    deeper,
    depth_of,
    fail,
    is_token,
    place_of,
)
from lymer.language.outside_braces import (
    as_filter,
    as_outer,
    as_pipeline,
    folded,
    has_aggregate,
    no_coalesce,
    relate,
    series_math,
    spanset_hint,
    threshold,
)

__all__ = ["TreeBuilder"]

_UNSCOPED: Final = {
    "duration": "span:duration",
    "name": "span:name",
    "status": "span:status",
    "statusMessage": "span:statusMessage",
    "kind": "span:kind",
    "rootName": "trace:rootName",
    "rootServiceName": "trace:rootService",
    "traceDuration": "trace:duration",
    "childCount": "span:childCount",
    "nestedSetLeft": "span:nestedSetLeft",
    "nestedSetRight": "span:nestedSetRight",
    "nestedSetParent": "span:nestedSetParent",
}
_SCOPED: Final = tuple(
    name
    for name, kind in tree.INTRINSIC_TYPES.items()
    if kind != "time" and not name.endswith(("schemaURL", "traceState")) and "nestedSet" not in name
)
_WITHOUT_OPERAND: Final = frozenset({"rate", "count_over_time"})


@v_args(inline=True)
class TreeBuilder(Transformer[Token, Any]):
    """Builds the tree while the parser reduces; raises `PlaceError`."""

    # ------------------------------------------------------------------ values

    def integer(self, token: Token) -> Typed:
        """Read a whole number."""
        return literal(whole(token), "int", token)

    def fraction(self, token: Token) -> Typed:
        """Read a number with a point or an exponent."""
        value = float(token)
        if math.isinf(value):
            fail("the number is too large", token)
        return literal(value, "float", token)

    def duration(self, token: Token) -> Typed:
        """Read `1h30m`, `1.5ms`, `2d`."""
        nano = duration_nano(token)
        if nano is None:
            fail(f'"{token}" is no duration', token, "durations are 10ms, 1.5s, 1h30m or 7d")
        return literal(nano, "duration", token)

    def string(self, token: Token) -> Typed:
        """Read a text between double quotes."""
        value = unquoted(token)
        if value is None:
            fail("the text holds an unknown escape", token, r"write \\ for a backslash")
        return literal(value, "string", token)

    def raw_string(self, token: Token) -> Typed:
        """Read a text between back quotes, which has no escapes."""
        return literal(token[1:-1].replace("\r", ""), "string", token)

    def boolean(self, word: Token) -> Typed:
        """Read `true` or `false`."""
        return literal(word == "true", "bool", word)

    def status(self, token: Token) -> Typed:
        """Read `ok`, `error`, `unset`."""
        return literal(str(token), "status", token)

    def kind(self, token: Token) -> Typed:
        """Read a span kind."""
        return literal(str(token), "kind", token)

    def largest(self, word: Token) -> Typed:
        """Read `minInt` or `maxInt`."""
        return literal(-(2**63) if word == "minInt" else 2**63 - 1, "int", word)

    def nil(self, token: Token) -> Typed:
        """Read `nil`."""
        return literal(None, "nil", token)

    def attribute(self, token: Token) -> Typed:
        """Read `.key`, `span.key`, `parent.resource.key`, `span."a key"`."""
        head, of_parent, scope = str(token), False, ""
        if head.startswith("parent."):
            head, of_parent = head.removeprefix("parent."), True
        else:
            scope, _, head = head.partition(".")
        for inner in ("resource", "span"):
            if of_parent and head.startswith(inner + "."):
                scope, head = inner, head[len(inner) + 1 :]
        node = tree.Attribute(
            unquoted_name(head), cast("tree.Scope", scope), of_parent, at=place_of(token)
        )
        return Typed(node, "any", on_span=True)

    def intrinsic(self, word: Token) -> Typed:
        """Read `duration`, `span:status`, `trace:rootName`."""
        scope, colon, rest = str(word).partition(":")
        name = f"{scope}:{rest.strip()}" if colon else _UNSCOPED.get(str(word), "")
        if name not in (_SCOPED if colon else tree.INTRINSIC_TYPES):
            if word == "parent":
                hint = "root spans are { nestedSetParent < 0 }, its attributes parent.key"
                fail("parent is no value of its own", word, hint)
            choices = ", ".join(known for known in _SCOPED if known.startswith(scope + ":"))
            fail(f'there is no "{word}"', word, f"there are {choices}")
        return Typed(
            tree.Intrinsic(name, at=place_of(word)), tree.INTRINSIC_TYPES[name], on_span=True
        )

    # ------------------------------------------------------------------ between braces

    def logic(self, left: Typed, sign: Token, right: Typed) -> Typed:
        """Join two conditions; a chain of one operator is one node."""
        for side in (left, right):
            if side.type not in {"bool", "any"}:
                hint = "compare it with something"
                fail(f"{sign} joins conditions, not a {side.type}", sign, hint)
        operands: list[tree.Expression] = []
        depth = 1
        for side in (left, right):
            if isinstance(side.node, tree.Logic) and side.node.operator == sign:
                operands.extend(side.node.operands)
                depth = max(depth, side.depth)
            else:
                operands.append(side.node)
                depth = max(depth, deeper(side.depth, sign))
        node = tree.Logic(cast("Any", str(sign)), tuple(operands), at=place_of(sign))
        return Typed(node, "bool", left.on_span or right.on_span, depth)

    def compare_fields(self, left: Typed, sign: Token, right: Typed) -> Typed:
        """Compare or calculate with two values."""
        return binary(left, sign, right)

    arithmetic = compare_fields

    def negative(self, sign: Token, operand: Typed) -> Typed:
        """Negate a number."""
        if sign == "+":
            fail("a number has no plus sign", sign)
        if operand.type not in NUMERIC and operand.type != "any":
            fail(f"a minus needs a number, not a {operand.type}", sign)
        if isinstance(operand.node, tree.Literal) and operand.type in NUMERIC:
            value = -cast("float", operand.node.value)
            return Typed(
                tree.Literal(value, operand.type, at=place_of(sign)), operand.type, on_span=False
            )
        return unary("-", sign, operand)

    def negation(self, sign: Token, operand: Typed) -> Typed:
        """Turn a condition round."""
        if operand.type not in {"bool", "any"}:
            fail(f"a ! needs a condition, not a {operand.type}", sign, "compare it with something")
        return unary("!", sign, operand)

    # ------------------------------------------------------------------ operands outside

    def filter(self, brace: Token, *rest: Any) -> Outer:
        """Build `{ condition }`."""
        return Outer(*as_filter(brace, rest))

    def aggregate(self, name: Token, operand: Typed | None = None) -> Outer:
        """Build `count()`, `avg(duration)`."""
        if name == "count":
            if operand is not None:
                fail("count() has nothing between its parentheses", name)
            return Outer(tree.Aggregate("count", at=place_of(name)))
        if operand is None:
            fail(f"{name}() needs what it is to measure", name, f"such as {name}(duration)")
        if operand.type not in NUMERIC and operand.type != "any":
            fail(f"{name}() needs a number, not a {operand.type}", name)
        if not operand.on_span:
            fail(f"{name}() needs something of the span", name, f"such as {name}(duration)")
        node = tree.Aggregate(str(name), operand.node, at=place_of(name))
        return Outer(node, operand.depth + 1)

    def metric(self, name: Token, *rest: Any) -> Outer:
        """Build a metrics function with its operand, quantiles and labels."""
        by: tuple[tree.Field, ...] = ()
        arguments = list(rest)
        if len(arguments) > 1 and isinstance(arguments[-2], Token):
            by = arguments[-1]
            arguments = arguments[:-2]
        operand: tree.Field | None = None
        if arguments and isinstance(arguments[0], Typed):
            operand = field_of(arguments.pop(0), f"{name}()")
        if (operand is None) != (name in _WITHOUT_OPERAND):
            what = "needs" if operand is None else "does not take"
            fail(f"{name}() {what} something to measure", name)
        if (name == "quantile_over_time") != bool(arguments):
            what = "needs" if not arguments else "does not take"
            hint = "such as quantile_over_time(duration, 0.95)"
            fail(f"{name}() {what} quantiles", name, hint)
        for quantile in arguments:
            if not 0 <= quantile <= 1:
                fail(f"a quantile is from 0 to 1, not {quantile:g}", name)
        return Outer(Call(str(name), operand, tuple(arguments), by, None, place_of(name)))

    def signed(self, *tokens: Token) -> float:
        """Read a quantile."""
        return float("".join(tokens))

    def compare(self, name: Token, brace: Token, *rest: Any) -> Outer:
        """Build `compare({selection}, top, start, end)`."""
        selection, depth = as_filter(brace, rest)
        numbers = [whole(token) for token in rest if is_token(token, "INTEGER")]
        if len(numbers) not in {0, 1, 3}:
            hint = "it is compare({...}), compare({...}, top) or compare({...}, top, start, end)"
            fail(f"compare() has {len(numbers)} numbers", name, hint)
        top, start, end = (*numbers, *(10, 0, 0)[len(numbers) :])
        node = tree.Compare(selection, top, start, end, at=place_of(name))
        return Outer(Call("compare", None, (), (), node, place_of(name)), depth + 1)

    def top(self, name: Token, count: Token) -> Outer:
        """Build `topk(n)`, `bottomk(n)`."""
        number = whole(count)
        if number < 1:
            fail(f"{name}() needs a number of series, from 1", count)
        stage = tree.Top(number, smallest=name == "bottomk", at=place_of(name))
        return Outer(Staged((stage,), place_of(name)))

    # ------------------------------------------------------------------ operators outside

    def outer_logic(self, left: Any, sign: Token, right: Any) -> Outer:
        """Build `{…} && {…}`."""
        left, right = as_outer(left), as_outer(right)
        for side in (left, right):
            if not isinstance(side.node, SPANSETS):
                fail(f"{sign} joins spansets", sign, spanset_hint(side.node))
        node = tree.Combine(cast("Any", str(sign)), left.node, right.node, at=place_of(sign))
        return Outer(node, depth_of(left, right, at=sign))

    def outer_relation(self, left: Any, sign: Token, right: Any) -> Outer:
        """Build a structural relation, a condition on numbers or one on series."""
        left, right = as_outer(left), as_outer(right)
        depth = depth_of(left, right, at=sign)
        if isinstance(left.node, SPANSETS) and isinstance(right.node, SPANSETS):
            return Outer(relate(left.node, sign, right.node), depth)
        if str(sign) not in OPERATORS["int"]:
            fail(f"{sign} relates spansets", sign, spanset_hint(left.node))
        if isinstance(left.node, (Call, Staged, *SERIES)):
            return Outer(threshold(left, sign, right), depth)
        for side in (left, right):
            if isinstance(side.node, Numbers):
                fail("arithmetic between pipelines is not supported", sign)
            if not isinstance(side.node, SCALARS):
                fail(f"{sign} compares numbers", sign, "write { … } | count() > 2")
        if not has_aggregate(left.node) and not has_aggregate(right.node):
            fail("the comparison has nothing of the spans", sign, "such as count() > 2")
        node = tree.ScalarFilter(cast("Any", str(sign)), left.node, right.node, at=place_of(sign))
        return Outer(node, depth)

    def outer_arithmetic(self, left: Any, sign: Token, right: Any) -> Outer:
        """Build arithmetic between numbers or between series."""
        left, right = as_outer(left), as_outer(right)
        depth = depth_of(left, right, at=sign)
        series = [side for side in (left, right) if isinstance(side.node, SERIES)]
        if series:
            return Outer(series_math(left, sign, right), depth, wrapped=True)
        for side in (left, right):
            if isinstance(side.node, Numbers):
                fail("arithmetic between pipelines is not supported", sign)
            if isinstance(side.node, Call):
                fail(f"{sign} needs the series in parentheses", sign, "such as ({} | rate()) * 60")
            if not isinstance(side.node, SCALARS):
                fail(f"{sign} joins numbers", sign)
        if isinstance(left.node, tree.Literal) and isinstance(right.node, tree.Literal):
            return Outer(folded(left.node, sign, right.node), depth)
        return Outer(tree.ScalarBinary(str(sign), left.node, right.node, at=place_of(sign)), depth)

    def outer_negative(self, sign: Token, operand: Any) -> Outer:
        """Negate a number or series."""
        side = as_outer(operand)
        if sign == "+":
            fail("a number has no plus sign", sign)
        minus_one = tree.Literal(-1, "int", at=place_of(sign))
        if isinstance(side.node, tree.Literal):
            value = -cast("float", side.node.value)
            return Outer(tree.Literal(value, side.node.type, at=place_of(sign)), side.depth)
        return self.outer_arithmetic(Outer(minus_one), Token("FACTOR", "*", place_of(sign)), side)

    def parenthesized(self, paren: Token, inner: Outer) -> Outer:
        """Take the parentheses away."""
        if isinstance(inner.node, (Call, Staged)):
            fail("the function has no spans to count", paren, "such as ({ … } | rate())")
        return Outer(inner.node, deeper(inner.depth, paren), wrapped=True)

    # ------------------------------------------------------------------ pipelines

    def stage(self, inner: Any) -> Outer:
        """Take what stands between two pipes."""
        return as_outer(inner)

    def group(self, name: Token, by: Typed) -> Outer:
        """Build `by(expression)`."""
        if not by.on_span:
            fail("by() needs something of the span", name, "such as by(resource.service.name)")
        return Outer(tree.Group(by.node, at=place_of(name)), by.depth + 1)

    def coalesce(self, name: Token) -> Outer:
        """Build `coalesce()`."""
        return Outer(tree.Coalesce(at=place_of(name)))

    def select(self, name: Token, fields: tuple[tree.Field, ...]) -> Outer:
        """Build `select(fields)`."""
        return Outer(tree.Select(fields, at=place_of(name)))

    def fields(self, *fields: Typed) -> tuple[tree.Field, ...]:
        """Take a list of attributes and intrinsics."""
        return tuple(field_of(field, "a list of fields") for field in fields)

    def pipeline(self, *parts: Outer) -> Outer:
        """Join stages; a pipeline of one stage is that stage."""
        return as_pipeline(parts)

    def hint(self, name: Token, value: Typed) -> tuple[str, tree.Literal]:
        """Build `name = value`."""
        return str(name), cast("tree.Literal", value.node)

    def hints(self, _with: Token, *hints: tuple[str, tree.Literal]) -> tuple[Any, ...]:
        """Take a list of hints."""
        return hints

    def start(self, body: Outer, *hints: tuple[Any, ...]) -> tree.Query:
        """Close the question."""
        node = body.node
        if isinstance(node, (Call, Staged)):
            fail("the function has no spans to count", node.at, "such as { … } | rate()")
        if isinstance(node, (*SCALARS, Numbers)):
            fail("a number alone is no question", node.at, "compare it: … | count() > 2")
        if isinstance(node, tree.Coalesce):
            no_coalesce(node)
        if not isinstance(node, (tree.Pipeline, *SERIES)):
            node = tree.Pipeline((node,), at=node.at)
        return tree.Query(node, tuple(hint for group in hints for hint in group))
