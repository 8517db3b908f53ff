"""How much work a request may be, known before it is parsed.

What is translated costs microseconds for each object in it, and a body of 20 MB can hold ten
million. So objects are counted first, in bytes, which is cheap.
"""

from __future__ import annotations

from typing import Final

from lymer.errors import TooLargeError, UndecodableError
from lymer.wire.proto_fields import Declared, count_messages

__all__ = [
    "OBJECTS_MAX", "SPANS_MAX", "VALUES_MAX", "check_json", "check_messages", "check_span_count",
]  # fmt: skip

OBJECTS_MAX: Final = 1_000_000
"""Objects and lists of a JSON document; messages in a protobuf request that is translated."""
VALUES_MAX: Final = 4_000_000
"""Values of a JSON document."""
SPANS_MAX: Final = 200_000
"""Spans of one request that is translated: 5 s of work."""
_SMALL_BYTES: Final = 256 * 1024
"""Not worth counting in."""


def check_json(body: bytes, what: str) -> None:
    """Raise `TooLargeError` if a document has more than the limits allow; `what` names it."""
    # A text may hold any of these signs: only if there are very many is it worth a closer look.
    objects, values = body.count(b"{") + body.count(b"["), body.count(b",")
    if objects > OBJECTS_MAX or values > VALUES_MAX:
        objects, values = _outside_texts(body)
    if objects > OBJECTS_MAX:
        raise TooLargeError(
            f"{what} has {objects} objects and lists or more, the limit is {OBJECTS_MAX}"
        )
    if values > VALUES_MAX:
        raise TooLargeError(f"{what} has {values} values or more, the limit is {VALUES_MAX}")


def check_messages(body: bytes, declared: Declared, what: str) -> None:
    """Raise `TooLargeError` if a protobuf message holds too many others.

    Args:
        body: The message.
        declared: What may stand in it; it is the first.
        what: Names it.

    Raises:
        UndecodableError: It is none.
    """
    if len(body) <= _SMALL_BYTES:
        return
    try:
        count = count_messages(body, declared, 0, OBJECTS_MAX)
    except ValueError as error:
        raise UndecodableError(f"cannot decode {what}: {error}") from error
    if count > OBJECTS_MAX:
        raise TooLargeError(f"{what} has {count} messages or more, the limit is {OBJECTS_MAX}")


def check_span_count(count: int, what: str) -> None:
    """Raise `TooLargeError` if there are too many spans to be translated at once."""
    if count > SPANS_MAX:
        raise TooLargeError(f"{what} has {count} spans, the limit is {SPANS_MAX}")


def _outside_texts(body: bytes) -> tuple[int, int]:
    """Return how many objects and lists, and how many values, there are, or more than allowed."""
    objects = values = offset = 0
    while objects <= OBJECTS_MAX and values <= VALUES_MAX:
        quote = body.find(b'"', offset)
        end = quote if quote >= 0 else len(body)
        objects += body.count(b"{", offset, end) + body.count(b"[", offset, end)
        values += body.count(b",", offset, end) + 1
        if quote < 0:
            break
        offset = _behind_text(body, quote + 1)
    return objects, values


def _behind_text(body: bytes, offset: int) -> int:
    """Return where the text ends that begins at `offset`."""
    while True:
        quote = body.find(b'"', offset)
        if quote < 0:
            return len(body)
        first = quote
        while body[first - 1] == 0x5C and first > offset:  # backslashes, of which two are one
            first -= 1
        offset = quote + 1
        if (quote - first) % 2 == 0:
            return offset
