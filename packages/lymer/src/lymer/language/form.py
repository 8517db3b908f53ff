"""Questions that Jaeger's search form can ask, too: the tree as the form's fields. Pure.

A question fits the form if it is one pair of braces whose conditions all hold together, and each is
one that a field of the form says.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lymer.language import tree
from lymer.language.literals import duration_text

__all__ = ["FormFields", "form_of"]

_SERVICE = tree.Attribute("service.name", "resource")
_NAME = tree.Intrinsic("span:name")
_DURATION = tree.Intrinsic("span:duration")
_STATUS = tree.Intrinsic("span:status")


@dataclass(slots=True)
class FormFields:
    """What stands in the form; empty is not said."""

    service: str = ""
    operation: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    min_duration: str = ""
    max_duration: str = ""


def form_of(query: tree.Query) -> FormFields | None:
    """Return the fields that ask the same, or None if the form cannot ask it."""
    body = query.body
    if query.hints or not isinstance(body, tree.Pipeline) or len(body.stages) != 1:
        return None
    (only,) = body.stages
    if not isinstance(only, tree.Filter):
        return None
    made = FormFields()
    if only.condition is None:
        return made
    joined = only.condition
    is_and = isinstance(joined, tree.Logic) and joined.operator == "&&"
    conditions = joined.operands if is_and and isinstance(joined, tree.Logic) else (joined,)
    return made if all(_put(made, one) for one in conditions) else None


def _put(made: FormFields, condition: tree.Expression) -> bool:
    """Put one condition into its field; False if there is none, or it is taken."""
    either = _either(condition)
    if either is not None:
        return _put_tag(made, *either)
    if not isinstance(condition, tree.Binary) or not isinstance(condition.right, tree.Literal):
        return False
    left, sign, value = condition.left, condition.operator, condition.right
    if left == _DURATION and value.type == "duration" and isinstance(value.value, int):
        return _put_duration(made, sign, value.value)
    return sign == "=" and _put_equal(made, left, value)


def _put_equal(made: FormFields, left: tree.Expression, value: tree.Literal) -> bool:
    if left == _STATUS:
        return value.value == "error" and _put_tag(made, "error", "true")
    if left == _SERVICE and value.type == "string" and not made.service:
        made.service = str(value.value)
        return bool(made.service)
    if left == _NAME and value.type == "string" and not made.operation:
        made.operation = str(value.value)
        return bool(made.operation)
    if isinstance(left, tree.Attribute) and not left.scope and not left.of_parent:
        return _put_tag(made, left.name, _said(value))
    return False


def _either(condition: tree.Expression) -> tuple[str, str] | None:
    """Return key and value of `(.key = 200 || .key = "200")`, which the form's tag asks."""
    if not isinstance(condition, tree.Logic) or condition.operator != "||":
        return None
    found: set[tuple[str, str]] = set()
    for one in condition.operands:
        plain = (
            isinstance(one, tree.Binary)
            and one.operator == "="
            and isinstance(one.left, tree.Attribute)
            and isinstance(one.right, tree.Literal)
            and not (one.left.scope or one.left.of_parent)
        )
        if not plain:
            return None
        assert isinstance(one, tree.Binary)
        assert isinstance(one.left, tree.Attribute)
        assert isinstance(one.right, tree.Literal)
        found.add((one.left.name, _said(one.right)))
    return found.pop() if len(found) == 1 else None


def _put_tag(made: FormFields, key: str, value: str) -> bool:
    if key in made.tags or not value:
        return False
    made.tags[key] = value
    return True


def _put_duration(made: FormFields, sign: str, nano: int) -> bool:
    if sign in {">=", ">"} and not made.min_duration:
        made.min_duration = duration_text(nano + (sign == ">"))
        return True
    if sign in {"<=", "<"} and not made.max_duration and nano > 0:
        made.max_duration = duration_text(nano - (sign == "<"))
        return True
    return False


def _said(value: tree.Literal) -> str:
    """Return a value as the form's tags say it; empty if they cannot."""
    if isinstance(value.value, bool):
        return "true" if value.value else "false"
    if value.type in {"string", "int", "float"}:
        return str(value.value)
    return ""
