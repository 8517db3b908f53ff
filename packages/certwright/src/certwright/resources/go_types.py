"""The API's types as cert-manager v1.12.2 declares them: what its CRDs do not say.

A CRD says which fields there are. It does not say which of them Go writes when they are empty, nor
what its decoder calls a type in an error; both can be seen from outside. `go_types.txt` holds them.

Source: cert-manager v1.12.2 pkg/apis/*/v1/types*.go; k8s.io/api v0.27 core/v1, meta/v1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

__all__ = ["GoField", "fields_of"]


@dataclass(frozen=True, slots=True)
class GoField:
    """One field of a type."""

    type: str
    """`string`, `[]byte`, `map[string]string`, `[]T`, or the name of a type."""
    is_always_written: bool
    is_pointer: bool
    """Whether it can be there and empty, which is not the same as not being there."""


@cache
def fields_of(type_name: str) -> Mapping[str, GoField] | None:
    """Return the fields of a type by name in JSON; None if it is no type with fields."""
    return _types().get(type_name)


@cache
def _types() -> Mapping[str, Mapping[str, GoField]]:
    found: dict[str, dict[str, GoField]] = {}
    fields: dict[str, GoField] = {}
    for line in (files(__package__) / "go_types.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        if line.startswith(" "):
            name, text = line.split()
            bare = text.removeprefix("!")
            fields[name] = GoField(bare.removeprefix("*"), bare != text, bare.startswith("*"))
        else:
            fields = found.setdefault(line, {})
    return MappingProxyType(found)
