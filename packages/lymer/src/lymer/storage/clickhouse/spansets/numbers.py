"""Numbers of a spanset, and what only the whole trace knows of a span; pure."""

from __future__ import annotations

import math
import operator as operators
from collections.abc import Callable
from typing import Any, Final

from lymer.storage.clickhouse.spansets.walk import Members, Trace, Value

__all__ = ["TRACE_NUMBERS", "Getter", "Number", "aggregate", "as_value", "calculated"]

Getter = Callable[[Trace, int], Value | None]
"""Reads a value of the span at a place of the trace."""
Number = Callable[[Trace, Members], float | None]
"""A number of a spanset; None where nothing can be measured."""
_CALCULATE: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operators.add,
    "-": operators.sub,
    "*": operators.mul,
    "/": operators.truediv,
    "%": lambda one, two: math.copysign(abs(one) % abs(two), one),
}
_MEASURE: Final[dict[str, Callable[[list[Any]], Any]]] = {
    "min": min,
    "max": max,
    "sum": sum,
    "avg": lambda numbers: sum(numbers) / len(numbers),
}
_COUNTED: Final = ("i", "d", "f", "t")
TRACE_NUMBERS: Final[dict[str, Callable[[Trace, int], int]]] = {
    "trace:duration": lambda trace, _row: trace.duration,
    "span:childCount": lambda trace, row: trace.child_counts[row],
    "span:nestedSetLeft": lambda trace, row: trace.nested[row][0],
    "span:nestedSetRight": lambda trace, row: trace.nested[row][1],
    "span:nestedSetParent": lambda trace, row: trace.nested[row][2],
}


def as_value(number: float | None) -> Value | None:
    """Return a number with its type."""
    if number is None:
        return None
    return ("i" if isinstance(number, int) else "f", number)


def aggregate(name: str, getter: Getter) -> Number:
    """Return `min`, `max`, `sum` or `avg` of what spans have; what is no number is not counted."""

    def measure(trace: Trace, members: Members) -> float | None:
        numbers = [
            value[1]
            for row in members.spans
            if (value := getter(trace, row)) is not None and value[0] in _COUNTED
        ]
        if not numbers:
            return None
        result: float = _MEASURE[name](numbers)
        return result

    return measure


def calculated(operator: str, left: Number, right: Number) -> Number:
    """Return arithmetic between two numbers; division by zero has no result."""

    def calculate(trace: Trace, members: Members) -> float | None:
        one, two = left(trace, members), right(trace, members)
        if one is None or two is None:
            return None
        if operator in {"/", "%"} and not two:
            return None
        result: float = _CALCULATE[operator](one, two)
        return result

    return calculate
