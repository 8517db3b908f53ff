"""Large OTLP requests, checked piece by piece: no step is long, and none needs much memory.

A parser holds Python's lock from the first byte to the last, and makes an object of 200 bytes of
two bytes that say "an empty span": 20 MB can take 3 s and 2 GB. So a large request is walked by the
lengths of its fields, and fields that stand together are parsed as one message of their kind, which
protobuf allows anywhere: parsers merge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from lymer.errors import TooLargeError, UndecodableError
from lymer.wire.otlp_classes import LenientRequest
from lymer.wire.proto_fields import (
    EMPTY_FIELDS,
    SIZED_TAGS,
    STEP_BYTES,
    Declared,
    Field,
    count_messages,
    field_bytes,
    iter_fields,
    next_field,
    varint_bytes,
)

__all__ = [
    "ELEMENTS_MAX", "PIECE_BYTES", "RESOURCE_INSIDE", "SCOPE_INSIDE", "WITHIN", "Checked",
    "check_large",
]  # fmt: skip

PIECE_BYTES: Final = 256 * 1024
"""Parsed in one go: 33 ms at worst, usually 1."""
ELEMENTS_MAX: Final = 1_000_000
"""Attributes, events, links and members of lists of one span, one resource or one scope, with
their values: the engine needs up to 250 bytes for each, and has to hold them all."""
FIELDS_MAX: Final = 1_100_000
"""Fields that stand directly in one message of a request, those that nobody knows included: each is
walked, for about a microsecond, and a request of 20 MB could have ten million."""

_RESOURCE_SPANS: Final = 0x0A
_RESOURCE: Final = 0x0A
_SCOPE_SPANS: Final = 0x12
_SCOPE: Final = 0x0A
_SPAN: Final = 0x12
_EMPTY_PIECE_BYTES: Final = 64 * 1024
"""Of empty messages, which cost most for their bytes, so many are parsed in one go: 8 ms."""
_EMPTY_RUN_BYTES: Final = 64
"""Empty messages that are fewer are not worth being left out."""


class Checked(NamedTuple):
    """A request, or a piece of one, that can be stored."""

    body: bytes
    span_count: int
    refused: int
    """Spans left out."""


class _Kind(NamedTuple):
    """A message with attributes: their tag, that of the number of those dropped, and the others."""

    attributes: int
    dropped: int
    parents: tuple[int, ...]
    """Tags of the messages around it, from the request inwards."""
    inside: int
    """What stands in it, by its place in `WITHIN`."""


_VALUE, _LIST, _PAIR, _EVENT, _LINK, _SPAN_INSIDE, RESOURCE_INSIDE, SCOPE_INSIDE = range(8)
WITHIN: Final[Declared] = (
    {0x2A: _LIST, 0x32: _LIST},
    {0x0A: _PAIR},  # of an array: a value, whose list has other tags than a pair's value
    {0x12: _VALUE, 0x2A: _LIST, 0x32: _LIST},
    {0x1A: _PAIR},
    {0x22: _PAIR},
    {0x4A: _PAIR, 0x5A: _EVENT, 0x6A: _LINK},
    {0x0A: _PAIR, 0x1A: _LIST},
    {0x1A: _PAIR},
)
_SPAN_KIND: Final = _Kind(0x4A, 0x50, (_RESOURCE_SPANS, _SCOPE_SPANS, _SPAN), _SPAN_INSIDE)
_RESOURCE_KIND: Final = _Kind(0x0A, 0x10, (_RESOURCE_SPANS, _RESOURCE), RESOURCE_INSIDE)
_SCOPE_KIND: Final = _Kind(0x1A, 0x20, (_RESOURCE_SPANS, _SCOPE_SPANS, _SCOPE), SCOPE_INSIDE)
_NOTHING: Final = {
    tag: re.compile(
        rb"(?:%b(?:\x00|\x02[\x0a\x12]\x00|\x04\x0a\x00\x12\x00|\x04\x12\x00\x0a\x00))++"
        % re.escape(bytes([tag]))
    )
    for tag in (_SPAN_KIND.attributes, _RESOURCE_KIND.attributes, _SCOPE_KIND.attributes)
}
"""Attributes without a key and without a value, one behind the other."""
_OTHER_EMPTY: Final = {
    tag: re.compile(rb"(?:(?!%b)[" % re.escape(bytes([tag])) + SIZED_TAGS + rb"]\x00)++")
    for tag in _NOTHING
}
_DROPPED_MAX: Final = 2**32 - 1


def check_large(body: bytes, check_piece: Callable[[bytes], Checked]) -> Checked:
    """Check a request that is larger than `PIECE_BYTES`.

    What holds no span is left out. Of very large spans, resources and scopes attributes without key
    and value are left out too, and counted as dropped.

    Args:
        body: The request.
        check_piece: Checks a small request, or raises `UndecodableError`.

    Raises:
        UndecodableError: It is no request.
        TooLargeError: A resource or a scope has too many elements.
    """
    walk = _Walk(body, check_piece)
    try:
        parts = walk.request()
    except ValueError as error:
        raise UndecodableError(f"cannot decode ExportTraceServiceRequest: {error}") from error
    whole = b"".join(parts) if walk.changed else body
    return Checked(whole, walk.span_count, walk.refused)


class _Walk:
    """The walk through one request; `changed` says whether what comes out is what came in."""

    def __init__(self, body: bytes, check_piece: Callable[[bytes], Checked]) -> None:
        self._body = body
        self._check_piece = check_piece
        self.span_count = 0
        self.refused = 0
        self.changed = False

    def request(self) -> list[bytes]:
        parts = []
        for begin, end, large in self._told_runs(0, len(self._body), _RESOURCE_SPANS):
            if large is None:
                before = self.span_count
                kept = self._piece((), begin, end)
                if self.span_count > before:
                    parts.append(kept)
                else:
                    self.changed = True
            elif large[3] == _RESOURCE_SPANS:
                parts.append(field_bytes(large[3], *self._resource_spans(large[1], large[2])))
            else:
                self.changed = True  # no field that anybody knows
        return parts

    def _told_runs(
        self, begin: int, end: int, empty: int
    ) -> Iterator[tuple[int, int, Field | None]]:
        """Yield the runs without long rows of empty messages, and remember if there were any."""
        reached = begin
        for run in _runs(self._body, begin, end, _NOTHING_INSIDE[empty]):
            self.changed |= run[0] != reached
            reached = run[1]
            yield run
        self.changed |= reached != end

    def _resource_spans(self, begin: int, end: int) -> list[bytes]:
        parts = []
        for start, stop, large in self._told_runs(begin, end, _SCOPE_SPANS):
            if large is None:
                before = self.span_count
                kept = self._piece((_RESOURCE_SPANS,), start, stop)
                parts.append(kept if self.span_count > before else self._without_scopes(kept))
            elif large[3] == _SCOPE_SPANS:
                parts.append(field_bytes(large[3], *self._scope_spans(large[1], large[2])))
            elif large[3] == _RESOURCE:
                parts.append(self._described(_RESOURCE_KIND, "a resource", large))
            else:
                parts.append(self._piece((_RESOURCE_SPANS,), start, stop))
        return parts

    def _scope_spans(self, begin: int, end: int) -> list[bytes]:
        parts, around = [], (_RESOURCE_SPANS, _SCOPE_SPANS)
        for start, stop, large in _runs(self._body, begin, end):
            if large is not None and large[3] == _SPAN:
                parts.append(self._span(large))
            elif large is not None and large[3] == _SCOPE:
                parts.append(self._described(_SCOPE_KIND, "a scope", large))
            else:
                parts.append(self._piece(around, start, stop))
        return parts

    def _span(self, field: Field) -> bytes:
        try:
            made = self._large(_SPAN_KIND, "a span", field)
        except TooLargeError:
            self.refused += 1
            self.changed = True
            return b""
        self.span_count += 1
        return made

    def _described(self, kind: _Kind, what: str, field: Field) -> bytes:
        return self._large(kind, what, field)

    def _large(self, kind: _Kind, what: str, field: Field) -> bytes:
        """Check a large span, resource or scope."""
        content = self._without_nothing(kind, field[1], field[2])
        elements = count_messages(content, WITHIN, kind.inside, ELEMENTS_MAX)
        if elements > ELEMENTS_MAX:
            raise TooLargeError(
                f"{what} has more than {ELEMENTS_MAX} elements "
                "(attributes, events, links and members of lists)"
            )
        inner = _Walk(content, self._check_piece)
        parts = [
            inner._piece(kind.parents, start, stop)
            for start, stop, _ in _runs(content, 0, len(content))
        ]
        self.changed |= inner.changed
        return field_bytes(field[3], *parts)

    def _without_nothing(self, kind: _Kind, begin: int, end: int) -> bytes:
        """Return a message without attributes that say nothing; they are counted as dropped."""
        body, nothing = self._body, _NOTHING[kind.attributes]
        others = _OTHER_EMPTY[kind.attributes]
        kept: list[bytes] = []
        dropped = known = steps = 0
        offset = run = begin
        while offset < end:
            stop = min(end, offset + STEP_BYTES)
            match = nothing.match(body, offset, stop)
            if match is not None:
                kept.append(body[run:offset])
                dropped += match[0].count(kind.attributes)
                offset = run = match.end()
                continue
            match = others.match(body, offset, stop)
            if match is not None:
                offset = match.end()
                continue
            steps += 1
            if steps > FIELDS_MAX:
                raise _too_many_fields()
            _, content, offset, tag = next_field(body, offset, end)
            if tag == kind.dropped:
                known = _number(body[content:offset])
        kept.append(body[run:end])
        if dropped:
            self.changed = True
            total = min(known + dropped, _DROPPED_MAX)
            kept.append(varint_bytes(kind.dropped) + varint_bytes(total))
        return b"".join(kept)

    def _piece(self, around: tuple[int, ...], begin: int, end: int) -> bytes:
        """Check the fields between two places, which stand inside the messages `around`."""
        sent = self._body[begin:end]
        wrapped = sent
        for tag in reversed(around):
            wrapped = field_bytes(tag, wrapped)
        checked = self._check_piece(wrapped)
        self.refused += checked.refused
        if around[2:] != (_SPAN,):  # the pieces of a large span are one span, which is counted
            self.span_count += checked.span_count
        if checked.body is wrapped:
            return sent
        self.changed = True
        return _unwrapped(checked.body, len(around))

    def _without_scopes(self, piece: bytes) -> bytes:
        """Return fields of a `ResourceSpans` without scopes, for they hold no span."""
        kept = [
            piece[start:end]
            for start, _, end, tag in iter_fields(piece, 0, len(piece))
            if tag != _SCOPE_SPANS
        ]
        made = b"".join(kept)
        self.changed |= len(made) < len(piece)
        return made


_NOTHING_INSIDE: Final = {
    tag: re.compile(rb"(?:%b\x00)++" % re.escape(bytes([tag])))
    for tag in (_RESOURCE_SPANS, _SCOPE_SPANS)
}


def _runs(  # noqa: C901 - one walk, in which every step is counted
    body: bytes, begin: int, end: int, left_out: re.Pattern[bytes] | None = None
) -> Iterator[tuple[int, int, Field | None]]:
    """Yield stretches of fields of about `PIECE_BYTES`; a field that is larger is given alone.

    Args:
        body: Holds them.
        begin: Where they begin.
        end: Where they end.
        left_out: What of it is stepped over, if it is long.
    """
    run = offset = begin
    steps = 0
    while offset < end:
        steps += 1
        if steps > FIELDS_MAX:
            raise _too_many_fields()
        if body[offset + 1 : offset + 2] == b"\x00":
            match = (
                left_out.match(body, offset, min(end, offset + STEP_BYTES)) if left_out else None
            )
            if match is not None and len(match[0]) >= _EMPTY_RUN_BYTES:
                if offset > run:
                    yield run, offset, None
                run = offset = match.end()
                continue
            match = EMPTY_FIELDS.match(body, offset, min(end, offset + _EMPTY_PIECE_BYTES))
            if match is not None:
                offset = match.end()
                if len(match[0]) == _EMPTY_PIECE_BYTES:
                    yield run, offset, None
                    run = offset
                    continue
        if offset < end and offset - run < PIECE_BYTES:
            field = next_field(body, offset, end)
            if field[2] - offset > PIECE_BYTES:
                if offset > run:
                    yield run, offset, None
                yield offset, field[2], field
                run = offset = field[2]
                continue
            offset = field[2]
        if offset - run >= PIECE_BYTES:
            yield run, offset, None
            run = offset
    if offset > run:
        yield run, offset, None


def _too_many_fields() -> TooLargeError:
    return TooLargeError(
        f"a message of the request has more than {FIELDS_MAX} fields, most of them of no meaning"
    )


def _number(varint: bytes) -> int:
    value = 0
    for place, byte in enumerate(varint):
        value |= (byte & 0x7F) << 7 * place
    return value


def _unwrapped(body: bytes, depth: int) -> bytes:
    """Return what stands inside so many messages of a request that has one of each."""
    message = LenientRequest.FromString(body)
    if depth > 0:
        message = message.resource_spans[0]
    if depth > 1:
        message = message.scope_spans[0]
    if depth > 2:
        message = message.spans[0]
    return bytes(message.SerializeToString())
