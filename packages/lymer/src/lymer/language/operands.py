"""What the parser's reductions hand on, and how they say where something is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NoReturn

from lark import Token

from lymer.language import tree

__all__ = [
    "DEPTH_MAX",
    "NUMERIC",
    "OPERATORS",
    "ORDERED",
    "SCALARS",
    "SERIES",
    "SPANSETS",
    "STAGES_MAX",
    "Call",
    "Numbers",
    "Outer",
    "PlaceError",
    "Staged",
    "Typed",
    "deeper",
    "depth_of",
    "fail",
    "is_token",
    "place_of",
]

DEPTH_MAX: Final = 64
"""Levels of nesting: braces, parentheses and operators inside one another on one path."""

STAGES_MAX: Final = 64
"""Stages of one pipeline."""

NUMERIC: Final = frozenset({"int", "float", "duration"})
ORDERED: Final = frozenset({"<", "<=", ">", ">="})
OPERATORS: Final[dict[str, frozenset[str]]] = {
    "bool": frozenset({"=", "!="}),
    "string": frozenset({"=", "!=", "=~", "!~"}) | ORDERED,
    "status": frozenset({"=", "!="}),
    "kind": frozenset({"=", "!="}),
    "nil": frozenset({"=", "!="}),
    **{kind: frozenset({"+", "-", "*", "/", "%", "^", "=", "!="}) | ORDERED for kind in NUMERIC},
}


class PlaceError(Exception):
    """What is wrong at one place of the text."""

    def __init__(self, cause: str, *, at: int, hint: str = "") -> None:
        """Remember the place, in characters from the text's start."""
        super().__init__(cause)
        self.cause = cause
        self.at = at
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression between braces."""

    node: tree.Expression
    type: tree.Type
    on_span: bool
    """Whether it reads anything of the span."""
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Outer:
    """An operand outside of braces."""

    node: Any
    """A spanset, a number, a `ScalarFilter` or series of the tree, or a `Call` or `_Top`."""
    depth: int = 1
    wrapped: bool = False
    """Stands in parentheses, so it can be an operand of arithmetic between series."""


@dataclass(frozen=True, slots=True)
class Call:
    """A metrics function before its pipeline is known, with the comparisons behind it."""

    function: str
    operand: tree.Field | None
    quantiles: tuple[float, ...]
    by: tuple[tree.Field, ...]
    comparison: tree.Compare | None
    at: int
    stages: tuple[tree.Threshold, ...] = ()


@dataclass(frozen=True, slots=True)
class Staged:
    """`topk` or `bottomk`, with the comparisons behind it."""

    stages: tuple[tree.SecondStage, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Numbers:
    """A pipeline that ends in a number, which the language has, and no engine answers yet."""

    at: int


SPANSETS: Final = (tree.Filter, tree.Combine, tree.Relate, tree.Pipeline)
SCALARS: Final = (tree.Literal, tree.Aggregate, tree.ScalarBinary)
SERIES: Final = (tree.MetricsQuery, tree.MetricsMath, tree.MetricsStaged, tree.MetricsNumber)


def place_of(token: Token | int) -> int:
    """Return a place in characters from the text's start."""
    return token if isinstance(token, int) else (token.start_pos or 0)


def fail(cause: str, at: Token | int, hint: str = "") -> NoReturn:
    """Say what is wrong at a place."""
    raise PlaceError(cause, at=place_of(at), hint=hint)


def is_token(value: object, kind: str) -> bool:
    """Tell whether a value is a token of a kind."""
    return isinstance(value, Token) and value.type == kind


def deeper(depth: int, at: Token) -> int:
    """Return one level more, of as many as there may be."""
    if depth >= DEPTH_MAX:
        fail(f"the question is nested deeper than {DEPTH_MAX} levels", at)
    return depth + 1


def depth_of(left: Typed | Outer, right: Typed | Outer, *, at: Token) -> int:
    """Return the depth of what joins two operands."""
    return deeper(max(left.depth, right.depth), at)
