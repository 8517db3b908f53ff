"""Operators between values of known types, as SQL."""

from __future__ import annotations

from typing import Final

from lymer.model.question import SPAN_KINDS
from lymer.storage.clickhouse.spansets.values import NUMBERS

__all__ = [
    "COMPARED",
    "PATTERNS",
    "STATUSES",
    "as_fraction",
    "compared_text",
    "fraction",
    "turned",
    "whole",
]

STATUSES: Final = ("unset", "ok", "error")
"""The index is OTLP's `StatusCode`."""
PATTERNS: Final = ("=~", "!~")
COMPARED: Final = ("=", "!=", "<", "<=", ">", ">=", *PATTERNS)
_ARITHMETIC: Final = {"+": "plus", "-": "minus", "*": "multiply"}


def turned(operator: str) -> str:
    """Return the comparison that says the same with its sides changed."""
    return {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(operator, operator)


def compared_text(operator: str, one: str, value: str, two: str, other: str) -> str:
    """Return the comparison of values of two types; empty if there is none."""
    if operator in PATTERNS:
        text = {"string": value, "status": _words(value, STATUSES)}.get(one, "")
        if one == "kind":
            text = _words(value, SPAN_KINDS)
        if not text or two != "string":
            return ""
        matched = f"match({text}, concat('^(?:', {other}, ')$'))"
        return matched if operator == "=~" else f"NOT {matched}"
    if one != two and not (one in NUMBERS and two in NUMBERS):
        return ""
    if one in {"bool", "status", "kind"} and operator not in {"=", "!="}:
        return ""
    return f"{value} {operator} {other}"


def _words(value: str, words: tuple[str, ...]) -> str:
    return f"[{', '.join(repr(word) for word in words)}][{value} + 1]"


def as_fraction(side: dict[str, tuple[str, str]]) -> str:
    """Return a number as Float64, whichever of these types it has."""
    cases = [(guard, f"toFloat64({text})") for guard, text in side.values()]
    *first, (_, last) = cases
    pairs = ", ".join(f"{guard or '1'}, {text}" for guard, text in first)
    return f"multiIf({pairs}, {last})" if first else last


def whole(operator: str, left: str, right: str) -> tuple[str, str]:
    """Return when a whole result exists, and it: division cuts towards zero."""
    if operator in _ARITHMETIC:
        return "1", f"toInt64({_ARITHMETIC[operator]}({left}, {right}))"
    safe = f"if({right} IN (0, -1), 1, {right})"
    if operator == "/":
        text = f"if({right} = -1, negate({left}), intDiv({left}, {safe}))"
    else:
        text = f"if({right} = -1, 0, modulo({left}, {safe}))"
    return f"{right} != 0", f"toInt64({text})"


def fraction(operator: str, left: str, right: str) -> str:
    """Return a result of Float64."""
    match operator:
        case "/":
            return f"divide({left}, {right})"
        case "%":
            return f"modulo({left}, {right})"
        case "^":
            # The engine's own power of a large exponent has any sign: 2e9 ^ 1e18 is -inf.
            large = "pow(sign(b), e) * exp(e * log(abs(b)))"
            power = f"if(abs(e) <= 1000000 OR abs(b) = 1, pow(b, e), {large})"
            return f"arrayMap((b, e) -> {power}, [{left}], [{right}])[1]"
        case _:
            return f"{_ARITHMETIC[operator]}({left}, {right})"
