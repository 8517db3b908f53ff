"""Values nested deeper than protobuf's parsers for most languages read, as text.

Those of Python, C++ and Java stop at 100 messages within one another, Go's at 10,000. So what a Go
program may send, many a reader of ours could not decode: such a value becomes the text that Jaeger
shows of it anyway.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from lymer.errors import UndecodableError
from lymer.wire.jaeger_json import json_string, nested_json
from lymer.wire.otlp_classes import LenientValue, OpaqueRequest
from lymer.wire.proto_fields import field_bytes, iter_fields

__all__ = ["VALUE_DEPTH_MAX", "with_shallow_values"]

VALUE_DEPTH_MAX: Final = 5000
"""How deep lists may be nested in an attribute's value: Go's 10,000 messages."""

_MESSAGES_AROUND: Final = 6
_KEY: Final = 0x0A
_VALUE: Final = 0x12
_ARRAY: Final = 0x2A
_KVLIST: Final = 0x32
_MEMBERS: Final = frozenset({0x0A, 0x10, 0x18, 0x21, _ARRAY, _KVLIST, 0x3A})
_ENTRY: Final = 0x0A
_Token = str | tuple[int, int, int]
"""A piece of JSON, or a value still to be written: where it begins and ends, and its depth."""


class _TooDeepError(Exception):
    """A value is nested deeper than the limit."""


def with_shallow_values(body: bytes) -> tuple[bytes, int]:
    """Write a request anew with values that every reader can decode.

    Returns:
        The request, and how many of its spans were left out because a value is nested deeper than
        `VALUE_DEPTH_MAX`.

    Raises:
        DecodeError: It is no request, whatever stands in the values.
        UndecodableError: A value is none.
    """
    request = OpaqueRequest.FromString(body)
    refused = 0
    for resource_spans in request.resource_spans:
        above_is_fine = _is_shallow(resource_spans.resource)
        for scope_spans in resource_spans.scope_spans:
            is_fine = _is_shallow(scope_spans.scope) and above_is_fine
            kept = [one for one in scope_spans.spans if is_fine and _is_span_shallow(one)]
            if len(kept) < len(scope_spans.spans):
                refused += len(scope_spans.spans) - len(kept)
                copies = [type(one).FromString(one.SerializeToString()) for one in kept]
                del scope_spans.spans[:]
                scope_spans.spans.extend(copies)
            if not is_fine:
                scope_spans.ClearField("scope")
        if not above_is_fine:
            resource_spans.ClearField("resource")
    return bytes(request.SerializeToString()), refused


def _is_span_shallow(span: Any) -> bool:
    return all(_is_shallow(holder) for holder in (span, *span.events, *span.links))


def _is_shallow(holder: Any) -> bool:
    """Tell whether its values can be read now; those that could not have become text."""
    for attribute in holder.attributes:
        try:
            LenientValue.FromString(_within(attribute.value))
        except DecodeError:
            try:
                text = _deep_text(attribute.value)
            except _TooDeepError:
                return False
            except ValueError as error:
                raise UndecodableError(f"cannot decode a value: {error}") from error
            attribute.value = AnyValue(string_value=text).SerializeToString()
    return True


def _within(value: bytes) -> bytes:
    """Return a value that is as deep as this one is in an event of a span of a request."""
    for _ in range(_MESSAGES_AROUND // 2):
        value = field_bytes(_ARRAY, field_bytes(_ENTRY, value))
    return value


def _deep_text(value: bytes) -> str:
    """Return a value as `jaeger_json.nested_json` writes it, however deep it is."""
    written: list[str] = []
    pending: list[_Token] = [(0, len(value), 0)]
    while pending:
        token = pending.pop()
        if isinstance(token, str):
            written.append(token)
        else:
            pending.extend(reversed(_tokens(value, *token)))
    return "".join(written)


def _tokens(body: bytes, begin: int, end: int, depth: int) -> list[_Token]:
    """Return what a value is made of; of several members the last one counts."""
    if depth > VALUE_DEPTH_MAX:
        raise _TooDeepError
    member = None
    for field in iter_fields(body, begin, end):
        if field[3] in _MEMBERS:
            member = field
    if member is None:
        return ["null"]
    start, content, stop, tag = member
    entries = [one for one in iter_fields(body, content, stop) if one[3] == _ENTRY] if (
        tag in {_ARRAY, _KVLIST}
    ) else []  # fmt: skip
    tokens: list[_Token] = []
    if tag == _ARRAY:
        for _, inner, inner_end, _ in entries:
            tokens += [",", (inner, inner_end, depth + 1)]
        return ["[", *tokens[1:], "]"]
    if tag == _KVLIST:
        pairs = dict(_pair(body, inner, inner_end) for _, inner, inner_end, _ in entries)
        for key in sorted(pairs):
            tokens += [",", f"{json_string(key)}:", (*pairs[key], depth + 1)]
        return ["{", *tokens[1:], "}"]
    try:
        return [nested_json(AnyValue.FromString(body[start:stop]))]
    except DecodeError:
        return [json_string(body[content:stop].decode(errors="replace"))]


def _pair(body: bytes, begin: int, end: int) -> tuple[str, tuple[int, int]]:
    key, value = "", (end, end)
    for _, content, stop, tag in iter_fields(body, begin, end):
        if tag == _KEY:
            key = body[content:stop].decode(errors="replace")
        elif tag == _VALUE:
            value = (content, stop)
    return key, value
