"""What a request costs the store beyond its bytes: what its spans share, once for each of them.

The engine reads a request as rows, and each row has its resource and its scope. 20 MB can hold a
resource of 10 MB and two million spans, which is 20 TB.
"""

from __future__ import annotations

from typing import Final

from lymer.errors import TooLargeError
from lymer.wire.otlp_large import RESOURCE_INSIDE, SCOPE_INSIDE, WITHIN
from lymer.wire.proto_fields import (
    EMPTY_FIELDS,
    STEP_BYTES,
    count_messages,
    iter_fields,
    next_field,
)

__all__ = ["ELEMENT_BYTES", "SHARED_BYTES_MAX", "check_cost", "shared_bytes"]

SHARED_BYTES_MAX: Final = 8 * 2**30
"""Resource and scope of each span, all spans together: half a minute of the store's work."""
ELEMENT_BYTES: Final = 64
"""What an attribute or a member of a list counts beside its bytes, of which it may have two."""

_RESOURCE_SPANS: Final = 0x0A
_SHARED: Final = 0x0A
_INSIDE: Final = 0x12
_SMALLEST: Final = 2
"""Bytes of an element, and of a span."""


def check_cost(body: bytes, span_count: int) -> None:
    """Refuse a request whose spans share too much.

    Args:
        body: An `ExportTraceServiceRequest` that was checked.
        span_count: How many spans it has.

    Raises:
        TooLargeError: They do; the message says how much.
    """
    if _most(len(body), len(body), span_count) <= SHARED_BYTES_MAX:
        return
    cost = shared_bytes(body, span_count, enough=SHARED_BYTES_MAX)
    if cost > SHARED_BYTES_MAX:
        raise TooLargeError(
            f"resource and scope, counted for each span, have {cost} bytes or more (an attribute "
            f"counts {ELEMENT_BYTES} beside its own), the limit is {SHARED_BYTES_MAX}: send fewer "
            "spans at once, or a smaller resource or scope"
        )


def shared_bytes(body: bytes, span_count: int, *, enough: int) -> int:
    """Return the bytes of resource and scope, those of each span counted, or more than `enough`.

    What cannot be much is not looked at and counts nothing.
    """
    cost = 0
    for _, content, end, tag in iter_fields(body, 0, len(body)):
        if tag == _RESOURCE_SPANS and _most(end - content, end - content, span_count) > _SMALL:
            cost += _of_resource(body, content, end, span_count)
            if cost > enough:
                break
    return cost


def _of_resource(body: bytes, begin: int, end: int, span_count: int) -> int:
    resource, scopes = _parted(body, begin, end)
    shared = sum(_weight(body, *place, RESOURCE_INSIDE) for place in resource)
    cost = spans = 0
    for start, stop in scopes:
        described, found = _spans(body, start, stop)
        spans += found
        if described:
            cost += found * sum(_weight(body, *place, SCOPE_INSIDE) for place in described)
    return cost + shared * min(spans, span_count)


def _parted(
    body: bytes, begin: int, end: int
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Return where the fields 1 of a message are, and its fields 2."""
    first: list[tuple[int, int]] = []
    second: list[tuple[int, int]] = []
    for _, content, behind, tag in iter_fields(body, begin, end):
        if tag == _SHARED:
            first.append((content, behind))
        elif tag == _INSIDE:
            second.append((content, behind))
    return first, second


def _spans(body: bytes, begin: int, end: int) -> tuple[list[tuple[int, int]], int]:
    """Return where the scope is, and how many spans it has; empty ones are counted at once."""
    scope: list[tuple[int, int]] = []
    count, offset = 0, begin
    while offset < end:
        match = EMPTY_FIELDS.match(body, offset, min(end, offset + STEP_BYTES))
        if match is not None:
            count += match[0].count(_INSIDE)
            offset = match.end()
            continue
        _, content, offset, tag = next_field(body, offset, end)
        if tag == _INSIDE:
            count += 1
        elif tag == _SHARED:
            scope.append((content, offset))
    return scope, count


def _weight(body: bytes, begin: int, end: int, kind: int) -> int:
    elements = count_messages(body[begin:end], WITHIN, kind, end - begin)
    return end - begin + ELEMENT_BYTES * elements


def _most(shared_bytes_max: int, spans_bytes: int, span_count: int) -> int:
    """Return what so many bytes can cost at most."""
    spans = min(span_count, spans_bytes // _SMALLEST)
    return shared_bytes_max * (1 + ELEMENT_BYTES // _SMALLEST) * spans


_SMALL: Final = SHARED_BYTES_MAX // 1024
"""Of one resource: not worth looking at."""
