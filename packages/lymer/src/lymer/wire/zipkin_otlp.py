"""Zipkin's spans written as OTLP protobuf, as bytes and in one pass.

A message object for each attribute costs more than the attribute: the few fields Zipkin can fill
are written directly. Source: opentelemetry-proto 1.9, `trace/v1/trace.proto`.
"""

from __future__ import annotations

import functools
import struct
from typing import Final, TypeAlias

import orjson

from lymer.errors import UndecodableError
from lymer.wire.otlp_proto import CheckedRequest

__all__ = ["OtlpRequest", "Value", "event", "json_values", "key_value", "link", "span"]

Value: TypeAlias = "str | bool | int | float"

_INT64_MAX: Final = 2**63 - 1
_INT64_MIN: Final = -(2**63)
_U64_MAX: Final = 2**64 - 1
_CACHED_TEXT_MAX: Final = 64
"""Longer texts, in characters, are not remembered: they seldom come again."""
_double: Final = struct.Struct("<d").pack
_fixed64: Final = struct.Struct("<Q").pack


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_LENGTHS: Final = tuple(_varint(number) for number in range(2048))
"""The lengths nearly every field has."""


def _sized(content: bytes) -> bytes:
    """Return `content` behind its length."""
    size = len(content)
    return (_LENGTHS[size] if size < len(_LENGTHS) else _varint(size)) + content


def key_value(key: str, value: Value) -> bytes:
    """Return a sized `KeyValue`; a field number in front makes it an attribute."""
    if type(value) is str:
        if len(key) + len(value) <= _CACHED_TEXT_MAX:
            return _short_text(key, value)
        return _text(key, value)
    if type(value) is bool:
        inner = b"\x10\x01" if value else b"\x10\x00"
    elif type(value) is int:
        if not _INT64_MIN <= value <= _INT64_MAX:
            return _text(key, str(value))
        inner = b"\x18" + _varint(value & _U64_MAX)
    else:
        inner = b"\x21" + _double(value)
    return _sized(b"\x0a" + _sized(key.encode()) + b"\x12" + _sized(inner))


def _text(key: str, value: str) -> bytes:
    inner = b"\x0a" + _sized(value.encode())
    return _sized(b"\x0a" + _sized(key.encode()) + b"\x12" + _sized(inner))


_short_text: Final = functools.lru_cache(8192)(_text)
"""The same few tags come with every span."""


def event(unix_nano: int, name: str, attributes: dict[str, Value], dropped: int) -> bytes:
    """Return a sized `Span.Event`."""
    content = b"\x09" + _fixed64(unix_nano) + b"\x12" + _sized(name.encode())
    for key, value in attributes.items():
        content += b"\x1a" + key_value(key, value)
    if dropped:
        content += b"\x20" + _varint(dropped)
    return _sized(content)


def link(
    trace_id: bytes, span_id: bytes, trace_state: str, attributes: dict[str, Value], dropped: int
) -> bytes:
    """Return a sized `Span.Link`."""
    content = b"\x0a" + _sized(trace_id) + b"\x12" + _sized(span_id)
    if trace_state:
        content += b"\x1a" + _sized(trace_state.encode())
    for key, value in attributes.items():
        content += b"\x22" + key_value(key, value)
    if dropped:
        content += b"\x28" + _varint(dropped)
    return _sized(content)


def span(  # noqa: PLR0913 - a span has so many fields, and an object for them costs a tenth
    ids: tuple[bytes, bytes, bytes],
    name: str,
    kind: int,
    times_unix_nano: tuple[int, int],
    attributes: dict[str, Value],
    *,
    events: list[bytes],
    links: list[bytes],
    status: tuple[int, str],
    trace_state: str = "",
) -> bytes:
    """Return a sized `Span`.

    Args:
        ids: Of the trace, 16 bytes; of the span, 8 bytes; of its parent, 8 bytes or none.
        name: Its name.
        kind: Number of `Span.SpanKind`.
        times_unix_nano: Start and end, each within 64 bits.
        attributes: Its attributes.
        events: Sized `Span.Event` messages.
        links: Sized `Span.Link` messages.
        status: Number of `Status.StatusCode`, and a message.
        trace_state: W3C trace state.
    """
    trace_id, span_id, parent_id = ids
    parts = [b"\x0a\x10", trace_id, b"\x12\x08", span_id]
    if trace_state:
        parts += (b"\x1a", _sized(trace_state.encode()))
    if parent_id:
        parts += (b"\x22\x08", parent_id)
    start, end = times_unix_nano
    parts += (
        b"\x2a", _sized(name.encode()), b"\x30", _LENGTHS[kind],
        b"\x39", _fixed64(start), b"\x41", _fixed64(end),
    )  # fmt: skip
    for key, value in attributes.items():
        parts += (b"\x4a", key_value(key, value))
    for content in events:
        parts += (b"\x5a", content)
    for content in links:
        parts += (b"\x6a", content)
    code, message = status
    if code or message:
        text = b"\x12" + _sized(message.encode()) if message else b""
        parts += (b"\x7a", _sized(text + b"\x18" + _LENGTHS[code]))
    return _sized(b"".join(parts))


def json_values(document: object) -> dict[str, Value]:
    """Return the members of a JSON object as attribute values; lists and objects as JSON text.

    Whole numbers are integers however they were written, as in Go, which writes no fraction.
    """
    found: dict[str, Value] = {}
    if not isinstance(document, dict):
        return found
    for key, value in document.items():
        if isinstance(value, float):
            found[key] = int(value) if value.is_integer() else value
        elif isinstance(value, str | bool | int):
            found[key] = value
        elif value is not None:
            found[key] = orjson.dumps(value).decode()
    return found


class OtlpRequest:
    """Collects spans by resource and scope; becomes one request."""

    def __init__(self) -> None:
        self._groups: dict[bytes, dict[bytes, list[bytes]]] = {}
        self.span_count = 0
        self._refused = 0
        self._reason = ""

    def refuse(self, reason: str) -> None:
        """Leave a span out; its neighbours are stored."""
        self._refused += 1
        self._reason = self._reason or reason

    def add(self, resource: dict[str, Value], scope: tuple[str, str], sized_span: bytes) -> None:
        """Add a span under a resource's attributes and a scope's name and version."""
        key = b"".join(b"\x0a" + key_value(name, value) for name, value in resource.items())
        scopes = self._groups.get(key)
        if scopes is None:
            scopes = self._groups[key] = {}
        name, version = scope
        scope_key = b""
        if name:
            scope_key = b"\x0a" + _sized(name.encode())
        if version:
            scope_key += b"\x12" + _sized(version.encode())
        spans = scopes.get(scope_key)
        if spans is None:
            spans = scopes[scope_key] = []
        spans.append(sized_span)
        self.span_count += 1

    def checked(self) -> CheckedRequest:
        """Return the request.

        Raises:
            UndecodableError: All its spans were refused.
        """
        if self._refused and not self.span_count:
            raise UndecodableError(self._reason)
        requests: list[bytes] = []
        for resource, scopes in self._groups.items():
            parts = [b"\x0a", _sized(resource)]
            for scope, spans in scopes.items():
                content = b"\x12" + b"\x12".join(spans)
                parts += (b"\x12", _sized(b"\x0a" + _sized(scope) + content))
            requests += (b"\x0a", _sized(b"".join(parts)))
        reason = self._reason
        if self._refused > 1:
            reason += f", and {self._refused - 1} more spans are refused"
        return CheckedRequest(b"".join(requests), self.span_count, self._refused, reason)
