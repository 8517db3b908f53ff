"""Single fields of Zipkin's JSON, read leniently and refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

import orjson

from lymer.errors import UndecodableError
from lymer.wire.bounds import check_json, check_span_count

__all__ = [
    "MICRO_MAX",
    "Endpoint",
    "FieldError",
    "each",
    "endpoint",
    "flag",
    "identifier",
    "json_spans",
    "mapping",
    "micro",
    "required_identifier",
    "text",
]

_Object = dict[str, Any]
_T = TypeVar("_T")
_NUMBER: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?", re.ASCII)
MICRO_MAX: Final = (2**64 - 1) // 2000
"""A start and a duration up to this are within 64 bits as nanoseconds, also added."""


class FieldError(Exception):
    """What is wrong with a field; the path grows while the error travels up."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def inside(self, parent: str) -> FieldError:
        """Return the error as seen from the object that holds this one as `parent`."""
        joint = "." if self.path and not self.path.startswith("[") else ""
        return FieldError(f"{parent}{joint}{self.path}", self.problem)

    def __str__(self) -> str:
        return f"{self.path or 'the document'} {self.problem}"


class Endpoint(NamedTuple):
    """A party of a call; what is not known is empty or 0."""

    service_name: str
    ipv4: str
    ipv6: str
    port: int


def json_spans(body: bytes, what: str) -> list[Any]:
    """Return the members of a JSON list.

    Raises:
        UndecodableError: `body` is not JSON, or no list.
    """
    check_json(body, what)
    try:
        document = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        message = f"cannot decode {what}: {error}"
        raise UndecodableError(message) from error
    if not isinstance(document, list):
        message = f"cannot decode {what}: the document is not a list of spans"
        raise UndecodableError(message)
    check_span_count(len(document), what)
    return document


def identifier(source: _Object, name: str, byte_count: int) -> bytes:
    """Return an id of hexadecimal digits, filled with zeros on the left.

    Returns:
        `byte_count` bytes; none if the field is absent, empty or zero.
    """
    value = source.get(name)
    if value is None or value == "":
        return b""
    width = 2 * byte_count
    if type(value) is str and len(value) <= width:
        try:
            found = bytes.fromhex(value if len(value) == width else value.rjust(width, "0"))
        except ValueError:
            found = b""
        if len(found) == byte_count:  # fromhex skips spaces
            return found if any(found) else b""
    raise FieldError(name, f"is not an id of at most {width} hexadecimal digits")


def required_identifier(source: _Object, name: str, byte_count: int) -> bytes:
    """Return an id that must be there and not zero."""
    found = identifier(source, name, byte_count)
    if not found:
        raise FieldError(name, "is missing or zero")
    return found


def text(source: _Object, name: str) -> str:
    """Return a text; absent is empty."""
    value = source.get(name)
    if value is None:
        return ""
    if type(value) is str:
        return value
    raise FieldError(name, "is not a text")


def flag(source: _Object, name: str) -> bool:
    """Return a truth value; absent is false."""
    value = source.get(name)
    if value is None or value is False:
        return False
    if value is True:
        return True
    if type(value) in {str, int} and value in {0, "0", "false", "", 1, "1", "true"}:
        return value in {1, "1", "true"}
    raise FieldError(name, "is not true or false")


def micro(source: _Object, name: str) -> int:
    """Return microseconds, sent as a number or a text; 0 if absent or negative."""
    value = source.get(name)
    if type(value) is int:
        number = value
    elif value is None or value == "":
        return 0
    elif type(value) is float:
        number = int(value)  # JSON has no infinity
    elif type(value) is str and _NUMBER.fullmatch(value.removeprefix("-")):
        number = int(value.partition(".")[0] or "0")
    else:
        raise FieldError(name, "is not a number of microseconds")
    if number > MICRO_MAX:
        raise FieldError(name, f"is {number} microseconds, the limit is {MICRO_MAX}")
    return max(number, 0)


def each(source: _Object, name: str, read: Callable[[_Object], _T]) -> list[_T]:
    """Return what `read` makes of the objects in a list; absent is empty, and null is nobody."""
    value = source.get(name)
    if value is None:
        return []
    if type(value) is not list:
        raise FieldError(name, "is not a list")
    found = []
    for index, member in enumerate(value):
        if member is None:
            continue
        if type(member) is not dict:
            raise FieldError(f"{name}[{index}]", "is not an object")
        try:
            found.append(read(member))
        except FieldError as error:
            raise error.inside(f"{name}[{index}]") from None
    return found


def mapping(source: _Object, name: str) -> _Object:
    """Return an object; absent is empty."""
    value = source.get(name)
    if value is None:
        return {}
    if type(value) is dict:
        return value
    raise FieldError(name, "is not an object")


def endpoint(source: _Object, name: str) -> Endpoint | None:
    """Return an endpoint, or nothing if it is absent."""
    value = source.get(name)
    if value is None:
        return None
    if type(value) is not dict:
        raise FieldError(name, "is not an object")
    try:
        return Endpoint(
            text(value, "serviceName"), text(value, "ipv4"), text(value, "ipv6"), _port(value)
        )
    except FieldError as error:
        raise error.inside(name) from None


def _port(source: _Object) -> int:
    """Return the port, 0 if unknown. Java's 16 bits are signed, so some senders' ports are."""
    value = source.get("port")
    if value is None or value == "":
        return 0
    if type(value) is str and value.isascii() and value.isdecimal() and len(value) < 6:
        value = int(value)
    if type(value) is int and -(2**15) <= value < 2**16:
        return value & 0xFFFF
    raise FieldError("port", "is not a port")
