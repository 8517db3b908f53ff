"""A structured filter as a plain question, as far as a plain question can say the same.

What cannot be said is refused by name and never left out: an answer to less was not asked for.
Source: Jaeger, RFC 0005, section 7 (`ToLegacyShape`, `ErrFilterUnsupported`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from lymer.errors import QuestionError
from lymer.language import tree
from lymer.language.printing import text
from lymer.model.question import TraceQuestion

__all__ = ["narrowed"]

_TAGS: Final = {
    "span:kind": "span.kind",
    "span:status": "span.status",
    "span:statusMessage": "otel.status_description",
    "span:traceState": "w3c.tracestate",
    "instrumentation:name": "scope.name",
    "instrumentation:version": "scope.version",
    "event:name": "event",
}
"""Fields that a tag of a plain question asks for."""
_NOT_EMPTY: Final = frozenset({"span:statusMessage", "span:traceState"})


def narrowed(question: TraceQuestion, condition: tree.Expression) -> TraceQuestion:
    """Return the question with the condition added.

    Raises:
        QuestionError: A plain question cannot say it; the message names the part.
    """
    if isinstance(condition, tree.Logic) and condition.operator == "&&":
        for operand in condition.operands:
            question = narrowed(question, operand)
        return question
    if isinstance(condition, tree.Exists) and not condition.negated:
        operand = condition.operand
        if isinstance(operand, tree.Attribute) and operand.scope == "":
            return replace(question, present=(*question.present, operand.name))
    if isinstance(condition, tree.Binary) and isinstance(condition.right, tree.Literal):
        found = _compared(question, condition.operator, condition.left, condition.right)
        if found is not None:
            return found
    raise QuestionError(
        "this storage backend cannot serve this query filter: "
        f"it does not support {text(tree.Query(tree.Pipeline((tree.Filter(condition),))))[:500]}"
    )


def _compared(
    question: TraceQuestion, sign: str, left: tree.Expression, literal: tree.Literal
) -> TraceQuestion | None:
    value = literal.value
    if isinstance(left, tree.Intrinsic) and left.name == "span:duration" and isinstance(value, int):
        return _with_durations(question, sign, value)
    if sign != "=":
        return None
    if isinstance(left, tree.Intrinsic) and isinstance(value, str):
        if left.name == "span:name" and value and question.operation in {"", value}:
            return replace(question, operation=value)
        if left.name in _TAGS and (value or left.name not in _NOT_EMPTY):
            return _with_tag(question, _TAGS[left.name], value)
    if isinstance(left, tree.Attribute) and isinstance(value, str) and not left.of_parent:
        is_service = (left.name, left.scope) == ("service.name", "resource")
        if is_service and value and question.service in {"", value}:
            return replace(question, service=value)
        if left.scope in {"", "resource"} and literal.type == "any" and not is_service:
            prefix = "resource." if left.scope else ""
            return _with_tag(question, prefix + left.name, value)
    return None


def _with_tag(question: TraceQuestion, key: str, value: str) -> TraceQuestion:
    return replace(question, tags=(*question.tags, (key, value)))


def _with_durations(question: TraceQuestion, sign: str, nano: int) -> TraceQuestion | None:
    bounds = {
        "=": (nano, nano), ">=": (nano, None), ">": (nano + 1, None), "<=": (None, nano),
        "<": (None, nano - 1),
    }.get(sign)  # fmt: skip
    if bounds is None:
        return None
    shortest = [one for one in (question.duration_nano_min, bounds[0]) if one is not None]
    longest = [one for one in (question.duration_nano_max, bounds[1]) if one is not None]
    if shortest and longest and max(shortest) > min(longest):
        return replace(question, start_unix_nano_min=1, start_unix_nano_max=0)  # nothing
    return replace(
        question,
        duration_nano_min=max(shortest, default=None),
        duration_nano_max=min(longest, default=None),
    )
