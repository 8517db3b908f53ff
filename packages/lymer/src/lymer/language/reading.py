"""From the parser's reductions to the typed tree, bottom up and without recursion.

Each method stands for one alternative of the grammar. Between braces a value is `Typed`, outside
of them one of the tree's spansets, numbers and series; which of them an operator may join is
decided here, with the place in the text.

Source: Grafana Tempo, `pkg/traceql/ast_validate.go`, `enum_operators.go`.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeAlias, cast

from lark import Token, Transformer, v_args

from lymer.language import tree
from lymer.language.literals import duration_nano, unquoted, unquoted_name

__all__ = ["DEPTH_MAX", "STAGES_MAX", "PlaceError", "TreeBuilder"]

DEPTH_MAX: Final = 64
"""Levels of nesting: braces, parentheses and operators inside one another on one path."""

STAGES_MAX: Final = 64
"""Stages of one pipeline."""

_NUMERIC: Final = frozenset({"int", "float", "duration"})
_ORDERED: Final = frozenset({"<", "<=", ">", ">="})
_OPERATORS: Final[dict[str, frozenset[str]]] = {
    "bool": frozenset({"=", "!="}),
    "string": frozenset({"=", "!=", "=~", "!~"}) | _ORDERED,
    "status": frozenset({"=", "!="}),
    "kind": frozenset({"=", "!="}),
    "nil": frozenset({"=", "!="}),
    **{kind: frozenset({"+", "-", "*", "/", "%", "^", "=", "!="}) | _ORDERED for kind in _NUMERIC},
}
_UNSCOPED: Final = {
    "duration": "span:duration",
    "name": "span:name",
    "status": "span:status",
    "statusMessage": "span:statusMessage",
    "kind": "span:kind",
    "rootName": "trace:rootName",
    "rootServiceName": "trace:rootService",
    "traceDuration": "trace:duration",
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
_NEVER_NIL: Final = tree.Attribute("service.name", "resource")


class PlaceError(Exception):
    """What is wrong at one place of the text."""

    def __init__(self, cause: str, *, at: int, hint: str = "") -> None:
        """Remember the place, in characters from the text's start."""
        super().__init__(cause)
        self.cause = cause
        self.at = at
        self.hint = hint


@dataclass(frozen=True, slots=True)
class _Typed:
    """An expression between braces."""

    node: tree.Expression
    type: tree.Type
    on_span: bool
    """Whether it reads anything of the span."""
    depth: int = 1


@dataclass(frozen=True, slots=True)
class _Outer:
    """An operand outside of braces."""

    node: Any
    """A spanset, a number, a `ScalarFilter` or series of the tree, or a `_Call` or `_Top`."""
    depth: int = 1
    wrapped: bool = False
    """Stands in parentheses, so it can be an operand of arithmetic between series."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A metrics function before its pipeline is known, with the comparisons behind it."""

    function: str
    operand: tree.Field | None
    quantiles: tuple[float, ...]
    by: tuple[tree.Field, ...]
    comparison: tree.Compare | None
    at: int
    stages: tuple[tree.Threshold, ...] = ()


@dataclass(frozen=True, slots=True)
class _Staged:
    """`topk` or `bottomk`, with the comparisons behind it."""

    stages: tuple[tree.SecondStage, ...]
    at: int


@dataclass(frozen=True, slots=True)
class _Numbers:
    """A pipeline that ends in a number, which the language has, and no engine answers yet."""

    at: int


_SPANSETS: Final = (tree.Filter, tree.Combine, tree.Relate, tree.Pipeline)
_SCALARS: Final = (tree.Literal, tree.Aggregate, tree.ScalarBinary)
_SERIES: Final = (tree.MetricsQuery, tree.MetricsMath, tree.MetricsStaged, tree.MetricsNumber)
_Fold: TypeAlias = Callable[[Any, Any], Any]


@v_args(inline=True)
class TreeBuilder(Transformer[Token, Any]):
    """Builds the tree while the parser reduces; raises `PlaceError`."""

    # ------------------------------------------------------------------ values

    def integer(self, token: Token) -> _Typed:
        """Read a whole number."""
        return _literal(_int64(token), "int", token)

    def fraction(self, token: Token) -> _Typed:
        """Read a number with a point or an exponent."""
        value = float(token)
        if math.isinf(value):
            _fail("the number is too large", token)
        return _literal(value, "float", token)

    def duration(self, token: Token) -> _Typed:
        """Read `1h30m`, `1.5ms`, `2d`."""
        nano = duration_nano(token)
        if nano is None:
            _fail(f'"{token}" is no duration', token, "durations are 10ms, 1.5s, 1h30m or 7d")
        return _literal(nano, "duration", token)

    def string(self, token: Token) -> _Typed:
        """Read a text between double quotes."""
        value = unquoted(token)
        if value is None:
            _fail("the text holds an unknown escape", token, r"write \\ for a backslash")
        return _literal(value, "string", token)

    def raw_string(self, token: Token) -> _Typed:
        """Read a text between back quotes, which has no escapes."""
        return _literal(token[1:-1].replace("\r", ""), "string", token)

    def boolean(self, word: Token) -> _Typed:
        """Read `true` or `false`."""
        return _literal(word == "true", "bool", word)

    def status(self, token: Token) -> _Typed:
        """Read `ok`, `error`, `unset`."""
        return _literal(str(token), "status", token)

    def kind(self, token: Token) -> _Typed:
        """Read a span kind."""
        return _literal(str(token), "kind", token)

    def largest(self, word: Token) -> _Typed:
        """Read `minInt` or `maxInt`."""
        return _literal(-(2**63) if word == "minInt" else 2**63 - 1, "int", word)

    def nil(self, token: Token) -> _Typed:
        """Read `nil`."""
        return _literal(None, "nil", token)

    def attribute(self, token: Token) -> _Typed:
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
            unquoted_name(head), cast("tree.Scope", scope), of_parent, at=_at(token)
        )
        return _Typed(node, "any", on_span=True)

    def intrinsic(self, word: Token) -> _Typed:
        """Read `duration`, `span:status`, `trace:rootName`."""
        scope, colon, rest = str(word).partition(":")
        name = f"{scope}:{rest.strip()}" if colon else _UNSCOPED.get(str(word), "")
        if name not in (_SCOPED if colon else tree.INTRINSIC_TYPES):
            if word == "parent":
                hint = "root spans are { nestedSetParent < 0 }, its attributes parent.key"
                _fail("parent is no value of its own", word, hint)
            choices = ", ".join(known for known in _SCOPED if known.startswith(scope + ":"))
            _fail(f'there is no "{word}"', word, f"there are {choices}")
        return _Typed(tree.Intrinsic(name, at=_at(word)), tree.INTRINSIC_TYPES[name], on_span=True)

    # ------------------------------------------------------------------ between braces

    def logic(self, left: _Typed, sign: Token, right: _Typed) -> _Typed:
        """Join two conditions; a chain of one operator is one node."""
        for side in (left, right):
            if side.type not in {"bool", "any"}:
                hint = "compare it with something"
                _fail(f"{sign} joins conditions, not a {side.type}", sign, hint)
        operands: list[tree.Expression] = []
        depth = 1
        for side in (left, right):
            if isinstance(side.node, tree.Logic) and side.node.operator == sign:
                operands.extend(side.node.operands)
                depth = max(depth, side.depth)
            else:
                operands.append(side.node)
                depth = max(depth, _deeper(side.depth, sign))
        node = tree.Logic(cast("Any", str(sign)), tuple(operands), at=_at(sign))
        return _Typed(node, "bool", left.on_span or right.on_span, depth)

    def compare_fields(self, left: _Typed, sign: Token, right: _Typed) -> _Typed:
        """Compare or calculate with two values."""
        return _binary(left, sign, right)

    arithmetic = compare_fields

    def negative(self, sign: Token, operand: _Typed) -> _Typed:
        """Negate a number."""
        if sign == "+":
            _fail("a number has no plus sign", sign)
        if operand.type not in _NUMERIC and operand.type != "any":
            _fail(f"a minus needs a number, not a {operand.type}", sign)
        if isinstance(operand.node, tree.Literal) and operand.type in _NUMERIC:
            value = -cast("float", operand.node.value)
            return _Typed(
                tree.Literal(value, operand.type, at=_at(sign)), operand.type, on_span=False
            )
        return _unary("-", sign, operand)

    def negation(self, sign: Token, operand: _Typed) -> _Typed:
        """Turn a condition round."""
        if operand.type not in {"bool", "any"}:
            _fail(f"a ! needs a condition, not a {operand.type}", sign, "compare it with something")
        return _unary("!", sign, operand)

    # ------------------------------------------------------------------ operands outside

    def filter(self, brace: Token, *rest: Any) -> _Outer:
        """Build `{ condition }`."""
        return _Outer(*_filter(brace, rest))

    def aggregate(self, name: Token, operand: _Typed | None = None) -> _Outer:
        """Build `count()`, `avg(duration)`."""
        if name == "count":
            if operand is not None:
                _fail("count() has nothing between its parentheses", name)
            return _Outer(tree.Aggregate("count", at=_at(name)))
        if operand is None:
            _fail(f"{name}() needs what it is to measure", name, f"such as {name}(duration)")
        if operand.type not in _NUMERIC and operand.type != "any":
            _fail(f"{name}() needs a number, not a {operand.type}", name)
        if not operand.on_span:
            _fail(f"{name}() needs something of the span", name, f"such as {name}(duration)")
        node = tree.Aggregate(str(name), operand.node, at=_at(name))
        return _Outer(node, operand.depth + 1)

    def metric(self, name: Token, *rest: Any) -> _Outer:
        """Build a metrics function with its operand, quantiles and labels."""
        by: tuple[tree.Field, ...] = ()
        arguments = list(rest)
        if len(arguments) > 1 and isinstance(arguments[-2], Token):
            by = arguments[-1]
            arguments = arguments[:-2]
        operand: tree.Field | None = None
        if arguments and isinstance(arguments[0], _Typed):
            operand = _field(arguments.pop(0), f"{name}()")
        if (operand is None) != (name in _WITHOUT_OPERAND):
            what = "needs" if operand is None else "does not take"
            _fail(f"{name}() {what} something to measure", name)
        if (name == "quantile_over_time") != bool(arguments):
            what = "needs" if not arguments else "does not take"
            hint = "such as quantile_over_time(duration, 0.95)"
            _fail(f"{name}() {what} quantiles", name, hint)
        for quantile in arguments:
            if not 0 <= quantile <= 1:
                _fail(f"a quantile is from 0 to 1, not {quantile:g}", name)
        return _Outer(_Call(str(name), operand, tuple(arguments), by, None, _at(name)))

    def signed(self, *tokens: Token) -> float:
        """Read a quantile."""
        return float("".join(tokens))

    def compare(self, name: Token, brace: Token, *rest: Any) -> _Outer:
        """Build `compare({selection}, top, start, end)`."""
        selection, depth = _filter(brace, rest)
        numbers = [_int64(token) for token in rest if _is(token, "INTEGER")]
        if len(numbers) not in {0, 1, 3}:
            hint = "it is compare({...}), compare({...}, top) or compare({...}, top, start, end)"
            _fail(f"compare() has {len(numbers)} numbers", name, hint)
        top, start, end = (*numbers, *(10, 0, 0)[len(numbers) :])
        node = tree.Compare(selection, top, start, end, at=_at(name))
        return _Outer(_Call("compare", None, (), (), node, _at(name)), depth + 1)

    def top(self, name: Token, count: Token) -> _Outer:
        """Build `topk(n)`, `bottomk(n)`."""
        number = _int64(count)
        if number < 1:
            _fail(f"{name}() needs a number of series, from 1", count)
        stage = tree.Top(number, smallest=name == "bottomk", at=_at(name))
        return _Outer(_Staged((stage,), _at(name)))

    # ------------------------------------------------------------------ operators outside

    def outer_logic(self, left: Any, sign: Token, right: Any) -> _Outer:
        """Build `{…} && {…}`."""
        left, right = _outer(left), _outer(right)
        for side in (left, right):
            if not isinstance(side.node, _SPANSETS):
                _fail(f"{sign} joins spansets", sign, _spanset_hint(side.node))
        node = tree.Combine(cast("Any", str(sign)), left.node, right.node, at=_at(sign))
        return _Outer(node, _depth(left, right, at=sign))

    def outer_relation(self, left: Any, sign: Token, right: Any) -> _Outer:
        """Build a structural relation, a condition on numbers or one on series."""
        left, right = _outer(left), _outer(right)
        depth = _depth(left, right, at=sign)
        if isinstance(left.node, _SPANSETS) and isinstance(right.node, _SPANSETS):
            return _Outer(_relate(left.node, sign, right.node), depth)
        if str(sign) not in _OPERATORS["int"]:
            _fail(f"{sign} relates spansets", sign, _spanset_hint(left.node))
        if isinstance(left.node, (_Call, _Staged, *_SERIES)):
            return _Outer(_threshold(left, sign, right), depth)
        for side in (left, right):
            if isinstance(side.node, _Numbers):
                _fail("arithmetic between pipelines is not supported", sign)
            if not isinstance(side.node, _SCALARS):
                _fail(f"{sign} compares numbers", sign, "write { … } | count() > 2")
        if not _has_aggregate(left.node) and not _has_aggregate(right.node):
            _fail("the comparison has nothing of the spans", sign, "such as count() > 2")
        node = tree.ScalarFilter(cast("Any", str(sign)), left.node, right.node, at=_at(sign))
        return _Outer(node, depth)

    def outer_arithmetic(self, left: Any, sign: Token, right: Any) -> _Outer:
        """Build arithmetic between numbers or between series."""
        left, right = _outer(left), _outer(right)
        depth = _depth(left, right, at=sign)
        series = [side for side in (left, right) if isinstance(side.node, _SERIES)]
        if series:
            return _Outer(_series_math(left, sign, right), depth, wrapped=True)
        for side in (left, right):
            if isinstance(side.node, _Numbers):
                _fail("arithmetic between pipelines is not supported", sign)
            if isinstance(side.node, _Call):
                _fail(f"{sign} needs the series in parentheses", sign, "such as ({} | rate()) * 60")
            if not isinstance(side.node, _SCALARS):
                _fail(f"{sign} joins numbers", sign)
        if isinstance(left.node, tree.Literal) and isinstance(right.node, tree.Literal):
            return _Outer(_folded(left.node, sign, right.node), depth)
        return _Outer(tree.ScalarBinary(str(sign), left.node, right.node, at=_at(sign)), depth)

    def outer_negative(self, sign: Token, operand: Any) -> _Outer:
        """Negate a number or series."""
        side = _outer(operand)
        if sign == "+":
            _fail("a number has no plus sign", sign)
        minus_one = tree.Literal(-1, "int", at=_at(sign))
        if isinstance(side.node, tree.Literal):
            value = -cast("float", side.node.value)
            return _Outer(tree.Literal(value, side.node.type, at=_at(sign)), side.depth)
        return self.outer_arithmetic(_Outer(minus_one), Token("FACTOR", "*", _at(sign)), side)

    def parenthesized(self, paren: Token, inner: _Outer) -> _Outer:
        """Take the parentheses away."""
        if isinstance(inner.node, (_Call, _Staged)):
            _fail("the function has no spans to count", paren, "such as ({ … } | rate())")
        return _Outer(inner.node, _deeper(inner.depth, paren), wrapped=True)

    # ------------------------------------------------------------------ pipelines

    def stage(self, inner: Any) -> _Outer:
        """Take what stands between two pipes."""
        return _outer(inner)

    def group(self, name: Token, by: _Typed) -> _Outer:
        """Build `by(expression)`."""
        if not by.on_span:
            _fail("by() needs something of the span", name, "such as by(resource.service.name)")
        return _Outer(tree.Group(by.node, at=_at(name)), by.depth + 1)

    def coalesce(self, name: Token) -> _Outer:
        """Build `coalesce()`."""
        return _Outer(tree.Coalesce(at=_at(name)))

    def select(self, name: Token, fields: tuple[tree.Field, ...]) -> _Outer:
        """Build `select(fields)`."""
        return _Outer(tree.Select(fields, at=_at(name)))

    def fields(self, *fields: _Typed) -> tuple[tree.Field, ...]:
        """Take a list of attributes and intrinsics."""
        return tuple(_field(field, "a list of fields") for field in fields)

    def pipeline(self, *parts: _Outer) -> _Outer:
        """Join stages; a pipeline of one stage is that stage."""
        return _pipeline(parts)

    def hint(self, name: Token, value: _Typed) -> tuple[str, tree.Literal]:
        """Build `name = value`."""
        return str(name), cast("tree.Literal", value.node)

    def hints(self, _with: Token, *hints: tuple[str, tree.Literal]) -> tuple[Any, ...]:
        """Take a list of hints."""
        return hints

    def start(self, body: _Outer, *hints: tuple[Any, ...]) -> tree.Query:
        """Close the question."""
        node = body.node
        if isinstance(node, (_Call, _Staged)):
            _fail("the function has no spans to count", node.at, "such as { … } | rate()")
        if isinstance(node, (*_SCALARS, _Numbers)):
            _fail("a number alone is no question", node.at, "compare it: … | count() > 2")
        if isinstance(node, tree.Coalesce):
            _no_coalesce(node)
        if not isinstance(node, (tree.Pipeline, *_SERIES)):
            node = tree.Pipeline((node,), at=node.at)
        return tree.Query(node, tuple(hint for group in hints for hint in group))


# ---------------------------------------------------------------------- places and depth


def _at(token: Token | int) -> int:
    return token if isinstance(token, int) else (token.start_pos or 0)


def _fail(cause: str, at: Token | int, hint: str = "") -> NoReturn:
    raise PlaceError(cause, at=_at(at), hint=hint)


def _is(value: object, kind: str) -> bool:
    return isinstance(value, Token) and value.type == kind


def _deeper(depth: int, at: Token) -> int:
    if depth >= DEPTH_MAX:
        _fail(f"the question is nested deeper than {DEPTH_MAX} levels", at)
    return depth + 1


def _depth(left: _Typed | _Outer, right: _Typed | _Outer, *, at: Token) -> int:
    return _deeper(max(left.depth, right.depth), at)


# ---------------------------------------------------------------------- values


def _literal(value: Any, kind: tree.Type, token: Token) -> _Typed:
    return _Typed(tree.Literal(value, kind, at=_at(token)), kind, on_span=False)


def _int64(token: Token) -> int:
    value = int(token) if len(token) < 20 else 2**63
    if value >= 2**63:
        _fail(f"the number is larger than {2**63 - 1}", token)
    return value


def _field(value: _Typed, where: str) -> tree.Field:
    if not isinstance(value.node, tree.Attribute | tree.Intrinsic):
        hint = "such as duration or span.http.route"
        _fail(f"{where} takes attributes and intrinsics only", value.node.at, hint)
    return value.node


def _unary(sign: Any, token: Token, operand: _Typed) -> _Typed:
    node = tree.Unary(sign, operand.node, at=_at(token))
    kind: tree.Type = "bool" if sign == "!" else operand.type
    return _Typed(node, kind, operand.on_span, _deeper(operand.depth, token))


def _binary(left: _Typed, sign: Token, right: _Typed) -> _Typed:
    if "nil" in {left.type, right.type} and sign in {"=", "!="}:
        return _existence(left, sign, right)
    for side in (left, right):
        if side.type != "any" and str(sign) not in _OPERATORS[side.type]:
            _fail(f"{sign} cannot be used on a {side.type}", sign)
    if not _comparable(left.type, right.type):
        _fail(f"{sign} compares a {left.type} with a {right.type}", sign, _type_hint(left, right))
    if sign in {"=~", "!~"} and not (
        isinstance(right.node, tree.Literal) and right.type == "string"
    ):
        _fail(f"{sign} needs a regular expression in quotes on its right", sign)
    arithmetic = sign in {"+", "-", "*", "/", "%", "^"}
    kind: tree.Type = "bool"
    if arithmetic:
        kind = right.type if left.type == "any" else left.type
    node = tree.Binary(str(sign), left.node, right.node, at=_at(sign))
    return _Typed(node, kind, left.on_span or right.on_span, _depth(left, right, at=sign))


def _existence(left: _Typed, sign: Token, right: _Typed) -> _Typed:
    operand = left if right.type == "nil" else right
    if operand.type == "nil":
        return _Typed(tree.Literal(value=False, type="bool", at=_at(sign)), "bool", on_span=False)
    negated = sign == "="
    if negated and (isinstance(operand.node, tree.Intrinsic) or operand.node == _NEVER_NIL):
        _fail("every span has it, so it is never nil", sign)
    node = tree.Exists(operand.node, negated, at=_at(sign))
    return _Typed(node, "bool", operand.on_span, _deeper(operand.depth, sign))


def _comparable(left: tree.Type, right: tree.Type) -> bool:
    return left == right or "any" in {left, right} or {left, right} <= _NUMERIC


def _type_hint(left: _Typed, right: _Typed) -> str:
    kinds = {left.type, right.type}
    if kinds == {"string", "status"}:
        return "a status is ok, error or unset, without quotes"
    if kinds == {"string", "kind"}:
        return "a kind is server, client, producer, consumer or internal, without quotes"
    if kinds == {"string", "duration"}:
        return "a duration is 100ms or 1.5s, without quotes"
    return ""


# ---------------------------------------------------------------------- outside of braces


def _outer(value: _Outer | _Typed) -> _Outer:
    return value if isinstance(value, _Outer) else _Outer(value.node)


def _filter(brace: Token, rest: tuple[Any, ...]) -> tuple[tree.Filter, int]:
    condition = next((part for part in rest if isinstance(part, _Typed)), None)
    if condition is None:
        return tree.Filter(at=_at(brace)), 1
    if condition.type not in {"bool", "any"}:
        hint = "compare it with something, such as { duration > 100ms }"
        _fail(f"a condition is needed, not a {condition.type}", condition.node.at, hint)
    return tree.Filter(condition.node, at=_at(brace)), condition.depth + 1


def _relate(left: tree.Spanset, sign: Token, right: tree.Spanset) -> tree.Relate:
    relation = sign.lstrip("!&")
    if relation not in {">", ">>", "<", "<<", "~"}:
        hint = "spansets are joined by && and ||, and related by > >> < << ~"
        _fail(f"{sign} does not relate spansets", sign, hint)
    mode: Any = {"!": "not", "&": "union"}.get(sign[0], "plain")
    return tree.Relate(cast("Any", relation), mode, left, right, at=_at(sign))


def _spanset_hint(node: object) -> str:
    if isinstance(node, tree.ScalarFilter):
        return "a condition on a number is a stage of its own: { … } | count() > 2"
    return "a spanset is { … }"


def _has_aggregate(node: tree.Scalar) -> bool:
    match node:
        case tree.Aggregate():
            return True
        case tree.ScalarBinary():
            return _has_aggregate(node.left) or _has_aggregate(node.right)
        case tree.Literal():
            return False


def _threshold(left: _Outer, sign: Token, right: _Outer) -> Any:
    if not isinstance(right.node, tree.Literal) or right.node.type not in _NUMERIC:
        _fail(f"{sign} compares series with a number", sign)
    stage = tree.Threshold(cast("Any", str(sign)), right.node, at=_at(sign))
    match left.node:
        case _Call(comparison=None):
            call = left.node
            return _Call(
                call.function,
                call.operand,
                call.quantiles,
                call.by,
                None,
                call.at,
                (*call.stages, stage),
            )
        case _Staged():
            return _Staged((*left.node.stages, stage), left.node.at)
        case tree.MetricsStaged(source, stages):
            return tree.MetricsStaged(source, (*stages, stage), at=left.node.at)
        case _:
            _no_comparison(left.node, sign)
            return tree.MetricsStaged(left.node, (stage,), at=_at(sign))


def _no_comparison(node: object, at: Token | int) -> None:
    if isinstance(node, _Call) or (isinstance(node, tree.MetricsQuery) and node.comparison):
        _fail("compare() takes no second stage and no arithmetic", at)


def _series_math(left: _Outer, sign: Token, right: _Outer) -> tree.MetricsMath:
    sides: list[tree.Metrics] = []
    if sign == "%":
        _fail("% does not join series", sign, "series are joined by + - * /")
    for side in (left, right):
        if isinstance(side.node, _SERIES):
            _no_comparison(side.node, sign)
            sides.append(side.node)
        elif isinstance(side.node, tree.Literal) and side.node.type in {"int", "float"}:
            number = float(cast("float", side.node.value))
            sides.append(tree.MetricsNumber(number, at=side.node.at))
        elif isinstance(side.node, tree.Literal) and side.node.type == "duration":
            _fail(f"{sign} needs a number without a unit", sign)
        else:
            _fail(f"{sign} needs series in parentheses or a number", sign)
    return tree.MetricsMath(cast("Any", str(sign)), sides[0], sides[1], at=_at(sign))


_FOLDS: Final[dict[str, _Fold]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
}


def _folded(left: tree.Literal, sign: Token, right: tree.Literal) -> tree.Literal:
    """Calculate with constants as Go does: whole numbers stay whole, division cuts towards zero."""
    kinds = {left.type, right.type}
    if not kinds <= {"int", "float"}:
        _fail("constants are calculated without units", sign, "write the result, such as 20s")
    one, two = cast("float", left.value), cast("float", right.value)
    if sign in {"/", "%"} and two == 0:
        _fail("division by zero", sign)
    if kinds == {"int"} and sign == "/":
        value: float = abs(int(one)) // abs(int(two)) * (1 if (one < 0) == (two < 0) else -1)
    else:
        value = _FOLDS[str(sign)](one, two)
    if not -(2**63) <= value < 2**63:
        _fail("the result is too large", sign)
    return tree.Literal(value, "int" if kinds == {"int"} else "float", at=left.at)


def _pipeline(parts: tuple[_Outer, ...]) -> _Outer:
    depth = max(part.depth for part in parts)
    if len(parts) == 1:
        return parts[0]
    if len(parts) > STAGES_MAX:
        _fail(f"the pipeline has {len(parts)} stages, the limit is {STAGES_MAX}", parts[0].node.at)
    stages: list[tree.Stage] = []
    for index, part in enumerate(parts):
        node, last = part.node, index == len(parts) - 1
        match node:
            case _Call():
                return _Outer(_metrics(stages, node, parts[index + 1 :]), depth)
            case tree.MetricsMath() | tree.MetricsStaged() | tree.MetricsQuery() if index == 0:
                return _Outer(_second_stages(node, parts[1:]), depth)
            case _Staged():
                _fail("topk and bottomk follow a metrics function", node.at, "such as | rate()")
            case tree.Coalesce() if index == 0:
                _no_coalesce(node)
            case tree.Aggregate() | tree.ScalarBinary() if last:
                return _Outer(_Numbers(node.at), depth)
            case _ if isinstance(node, (*_SCALARS, *_SERIES, _Numbers)):
                _fail("a number alone is no stage", node.at, "compare it: | count() > 2")
            case _:
                stages.append(node)
    return _Outer(tree.Pipeline(tuple(stages), at=stages[0].at), depth)


def _no_coalesce(node: tree.Coalesce) -> NoReturn:
    _fail("coalesce() has nothing to join", node.at, "it follows by()")


def _metrics(stages: list[tree.Stage], call: _Call, rest: tuple[_Outer, ...]) -> tree.Metrics:
    if not stages:
        _fail("the function has no spans to count", call.at, "such as { … } | rate()")
    source = tree.Pipeline(tuple(stages), at=stages[0].at)
    node: tree.Metrics = tree.MetricsQuery(
        source, call.function, call.operand, call.quantiles, call.by, call.comparison, at=call.at
    )
    if call.stages:
        node = tree.MetricsStaged(node, call.stages, at=call.at)
    return _second_stages(node, rest)


def _second_stages(node: tree.Metrics, rest: tuple[_Outer, ...]) -> tree.Metrics:
    stages: list[tree.SecondStage] = []
    for part in rest:
        if not isinstance(part.node, _Staged):
            at = getattr(part.node, "at", 0)
            _fail("only topk and bottomk may follow series", at)
        _no_comparison(node, part.node.at)
        stages.extend(part.node.stages)
    if not stages:
        return node
    if isinstance(node, tree.MetricsStaged):
        return tree.MetricsStaged(node.source, (*node.stages, *stages), at=node.at)
    return tree.MetricsStaged(node, tuple(stages), at=node.at)
