"""Jaeger's search parameters, and Zipkin's, as a tree of the search language."""

from __future__ import annotations

from typing import Final

from lymer.language import tree
from lymer.model.question import TraceQuestion

__all__ = ["condition_of"]

_LONGEST_NANO: Final = 2**63 - 1
"""No span is longer."""


def condition_of(question: TraceQuestion) -> tree.Expression | None:
    """Return what one and the same span must fulfil, but for its time; None: nothing."""
    found: list[tree.Expression] = []
    if question.service:
        service = tree.Attribute("service.name", "resource")
        found.append(tree.Binary("=", service, tree.Literal(question.service, "string")))
    if question.operation:
        name = tree.Intrinsic("span:name")
        found.append(tree.Binary("=", name, tree.Literal(question.operation, "string")))
    for sign, limit in ((">=", question.duration_nano_min), ("<=", question.duration_nano_max)):
        if limit is not None:
            nano = tree.Literal(min(limit, _LONGEST_NANO), "duration")
            found.append(tree.Binary(sign, tree.Intrinsic("span:duration"), nano))
    found += [tree.Shown(text) for text in question.present]
    found += [tree.Shown(key, value, question.any_name) for key, value in question.tags]
    return tree.Logic("&&", tuple(found)) if len(found) > 1 else next(iter(found), None)
