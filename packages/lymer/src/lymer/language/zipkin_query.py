"""Zipkin's `annotationQuery`, as a tree.

Source: Zipkin API, `GET /api/v2/traces`, parameter `annotationQuery`.
"""

from __future__ import annotations

import re
from typing import Final

from lymer.language import tree

__all__ = ["annotation_condition"]

_AND: Final = re.compile(r"\s+and\s+")


def annotation_condition(text: str) -> tree.Expression | None:
    """Read `error and http.method=GET`, or None where it asks nothing.

    A term with `=` is a tag with that value. A term without one is the value of an annotation, an
    event's name here, or the key of a tag, whatever its value.
    """
    operands: list[tree.Expression] = []
    for term in _AND.split(text.strip()):
        key, equals, value = term.partition("=")
        if equals and key:
            operands.append(tree.TagText(key, value))
        elif term:
            named = tree.Binary("=", tree.Intrinsic("event:name"), tree.Literal(term, "string"))
            tagged = tree.Exists(tree.Attribute(term))
            operands.append(tree.Logic("||", (named, tagged)))
    if not operands:
        return None
    return operands[0] if len(operands) == 1 else tree.Logic("&&", tuple(operands))
