"""Comparison of values as the API's typed form sees them, for rules on what must not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from certwright.errors import InvalidError
from certwright.resources.durations import parse_duration

__all__ = ["same_value"]


def same_value(a: Any, b: Any) -> bool:
    """Whether two JSON values mean the same: null, false and "" are the same as an absent field.

    Durations are compared as such: `1h` is `60m`.
    """
    return bool(_normal(a) == _normal(b))


def _normal(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: _duration(field) if name == "duration" else _normal(field)
            for name, field in value.items()
            if field is not None and field is not False and field != ""
        }
    if isinstance(value, list | tuple):
        return [_normal(entry) for entry in value]
    return value


def _duration(value: Any) -> Any:
    try:
        return parse_duration(value) if isinstance(value, str) else value
    except InvalidError:
        return value
