"""Refusals of fields, with the texts of Kubernetes' field errors.

Source: apimachinery v0.27 pkg/util/validation/field/errors.go, pkg/util/errors/errors.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from certwright.resources.gotext import quote

__all__ = [
    "FieldError",
    "Raw",
    "Verdict",
    "aggregate",
    "child",
    "duplicate",
    "forbidden",
    "index",
    "invalid",
    "key",
    "not_supported",
    "required",
    "too_long",
]

ErrorType: TypeAlias = Literal[
    "Required value",
    "Duplicate value",
    "Invalid value",
    "Unsupported value",
    "Forbidden",
    "Too long",
]

_WITHOUT_VALUE: Final = frozenset({"Required value", "Forbidden", "Too long"})


@dataclass(frozen=True, slots=True)
class Raw:
    """A value that stands in a message as it is, such as a duration."""

    text: str


@dataclass(frozen=True, slots=True)
class FieldError:
    """Why one field is refused."""

    path: str
    """Such as `spec.emailAddresses[0]`."""
    type: ErrorType
    detail: str = ""
    value: str | int | bool | Raw = ""
    """What the field has; strings are quoted in the text."""

    def __str__(self) -> str:
        """Return `path: Type: value: detail`, as Kubernetes writes it."""
        parts = [self.path, self.type]
        if self.type not in _WITHOUT_VALUE:
            parts.append(_value_text(self.value))
        if self.detail:
            parts.append(self.detail)
        return ": ".join(parts)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What validation says about an object: refused if there are errors."""

    errors: tuple[FieldError, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All errors in one line; empty if there are none."""
        return aggregate(map(str, self.errors))


def _value_text(value: str | int | bool | Raw) -> str:  # noqa: FBT001 - a value to print
    match value:
        case Raw(text):
            return text
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case str():
            return quote(value)


def aggregate(messages: Iterable[str]) -> str:
    """Return messages as one: a single one as it is, more as `[a, b]`, each only once."""
    different = list(dict.fromkeys(messages))
    if len(different) <= 1:
        return "".join(different)
    return f"[{', '.join(different)}]"


# ------------------------------------------------------------------------------ paths


def child(path: str, *names: str) -> str:
    """Return the path of a field below `path`."""
    return ".".join((path, *names)) if path else ".".join(names)


def index(path: str, position: int) -> str:
    """Return the path of an entry of a list."""
    return f"{path}[{position}]"


def key(path: str, name: str) -> str:
    """Return the path of an entry of a map."""
    return f"{path}[{name}]"


# ------------------------------------------------------------------------------ errors


def required(path: str, detail: str = "") -> FieldError:
    """Nothing is there."""
    return FieldError(path, "Required value", detail)


def invalid(path: str, value: str | int | bool | Raw, detail: str) -> FieldError:  # noqa: FBT001 - a value to print
    """What is there is wrong."""
    return FieldError(path, "Invalid value", detail, value)


def forbidden(path: str, detail: str) -> FieldError:
    """It must not be there, or not be changed."""
    return FieldError(path, "Forbidden", detail)


def duplicate(path: str, value: str) -> FieldError:
    """It is there twice."""
    return FieldError(path, "Duplicate value", "", value)


def too_long(path: str, limit_bytes: int) -> FieldError:
    """It has too many bytes."""
    return FieldError(path, "Too long", f"must have at most {limit_bytes} bytes")


def not_supported(path: str, value: str | int, supported: Sequence[str]) -> FieldError:
    """It is none of the values there are."""
    quoted: Callable[[str], str] = quote
    return FieldError(
        path,
        "Unsupported value",
        f"supported values: {', '.join(map(quoted, supported))}",
        value,
    )
