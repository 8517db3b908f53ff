"""Trees and answers of the search language as plain values, and back; pure.

A dataclass is `{"$": its name, field: value}`; only those of the language and its contract are
made again, by name. Fields that are not there have their defaults, so either side may be older.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from lymer.language import tree
from lymer.storage import search_contract

__all__ = ["from_plain", "to_plain"]

_NAME: Final = "$"
_CLASSES: Final[dict[str, Any]] = {
    name: found
    for module in (tree, search_contract)
    for name in module.__all__
    if dataclasses.is_dataclass(found := getattr(module, name))
}


def to_plain(value: Any) -> Any:
    """Return dicts, lists and simple values for a value made of dataclasses and tuples."""
    if isinstance(value, tuple | list):
        return [to_plain(one) for one in value]
    if not dataclasses.is_dataclass(value):
        return value
    fields = {one.name: to_plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    return {_NAME: type(value).__name__, **fields}


def from_plain(value: Any) -> Any:
    """Return the value that `to_plain` was given; every list is a tuple.

    Raises:
        KeyError: It names a class that is not known.
    """
    if isinstance(value, list | tuple):
        return tuple(from_plain(one) for one in value)
    if not isinstance(value, dict):
        return value
    made = _CLASSES[value[_NAME]]
    known = {one.name for one in dataclasses.fields(made)}
    return made(**{name: from_plain(one) for name, one in value.items() if name in known})
