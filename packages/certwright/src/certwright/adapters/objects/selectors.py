"""Label selectors: Kubernetes' text form, read and matched.

Source: Kubernetes documentation, Labels and Selectors; apimachinery's `labels.Parse` (behaviour).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from certwright.errors import InvalidError

__all__ = ["Matches", "parse_selector"]

Matches: TypeAlias = Callable[[Mapping[str, str]], bool]

_NAME: Final = r"[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?"
_VALUE: Final = r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_EQUAL: Final = re.compile(rf"({_NAME})\s*(==|=|!=)\s*({_VALUE})")
_IN: Final = re.compile(rf"({_NAME})\s+(in|notin)\s*\(([^()]*)\)")
_THERE: Final = re.compile(rf"(!?)\s*({_NAME})")
_COMMA_OUTSIDE: Final = re.compile(r",(?![^()]*\))")


def parse_selector(text: str) -> Matches:
    """Return what tells whether labels match; an empty selector matches all.

    Raises:
        InvalidError: The text is no selector.
    """
    if not text.strip():
        return lambda _labels: True
    parts = [_parse_requirement(part.strip()) for part in _COMMA_OUTSIDE.split(text)]
    return lambda labels: all(part(labels) for part in parts)


def _parse_requirement(text: str) -> Matches:
    if found := _EQUAL.fullmatch(text):
        name, sign, value = found.groups()
        if sign == "!=":
            return lambda labels: labels.get(name) != value
        return lambda labels: labels.get(name) == value
    if found := _IN.fullmatch(text):
        name, word, inside = found.groups()
        values = {value.strip() for value in inside.split(",")}
        if word == "notin":
            return lambda labels: labels.get(name) not in values
        return lambda labels: labels.get(name) in values
    if found := _THERE.fullmatch(text):
        absent, name = found.groups()
        if absent:
            return lambda labels: name not in labels
        return lambda labels: name in labels
    raise InvalidError(f"cannot read label selector {text!r}")
