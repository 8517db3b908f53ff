"""Jaeger's spans as OTLP bytes: the rules every Jaeger wire format shares.

Bytes are joined, no message objects are made: 25,000 spans a second leave 40 µs for each. Texts go
through as they came; `check_request` of `otlp_proto` repairs what is not UTF-8, as on every path.

Source: opentelemetry-collector-contrib v0.155, `pkg/translator/jaeger/jaegerproto_to_traces.go` and
`jaegerthrift_to_traces.go`; reference jaeger.md 2.11. Differences, on purpose: a key sent twice is
kept twice (contrib keeps the last, in Jaeger v1 both were found); scope and tracestate are read
from thrift too, where contrib leaves them tags; `otel.library.name`, as the scope was called
before, is the scope where there is no other, and stays a tag too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

__all__ = [
    "CHILD_OF",
    "Kind",
    "NamedTag",
    "Reference",
    "ScopedSpan",
    "Span",
    "Tag",
    "Value",
    "event_bytes",
    "request_bytes",
    "resource_bytes",
    "span_bytes",
    "tag",
    "tag_bytes",
]

Value: TypeAlias = bytes | bool | int | float
"""A tag's value; texts are bytes."""

CHILD_OF: Final = 0
"""`SpanRefType`, in thrift and in protobuf."""
_FOLLOWS_FROM: Final = 1

_U64: Final = 2**64 - 1
_HEAD: Final = Struct(">HQQHQ").pack
"""Trace id (field 1, 16 bytes) and span id (field 2, 8 bytes)."""
_PARENT: Final = Struct(">HQ").pack
"""Parent span id (field 4, 8 bytes)."""
_TIMES: Final = Struct("<BQBQ").pack
"""Start (field 7) and end (field 8)."""
_TIME: Final = Struct("<BQ").pack
"""An event's time (field 1)."""
_FLAGS: Final = Struct("<HI").pack
"""Flags (field 16)."""
_DOUBLE: Final = Struct("<Bd").pack
_SIZES: Final = tuple(bytes((size,)) for size in range(128))

_KINDS: Final = {b"internal": 1, b"server": 2, b"client": 3, b"producer": 4, b"consumer": 5}
_CLIENT: Final = 3
_SERVER: Final = 2
_STATUS_CODES: Final = {b"OK": 1, b"ERROR": 2}
_ERROR: Final = 2
_INT: Final = re.compile(rb"[+-]?[0-9]{1,19}")
_REF_TYPES: Final = {CHILD_OF: b"child_of", _FOLLOWS_FROM: b"follows_from"}
_NO_SERVICE: Final = b"OTLPResourceNoServiceName"
"""What Jaeger's own exporters call a resource without attributes."""

_SCOPE_NAMES: Final = ((b"otel.scope.name", b"otel.scope.version"),
                       (b"otel.library.name", b"otel.library.version"))  # fmt: skip
_NAMED: Final = frozenset({
    b"span.kind", b"error", b"otel.status_code", b"otel.status_description", b"http.status_code",
    b"http.status_message", b"w3c.tracestate", b"event", b"hostname", b"host.name",
    b"jaeger.version", b"opencensus.exporterversion", b"service.name",
    *_SCOPE_NAMES[0], *_SCOPE_NAMES[1],
})  # fmt: skip
"""Keys that may mean something, on a span, in a log or on a process."""

_MEMO_ENTRIES_MAX: Final = 16_384
_MEMO_BYTES_MAX: Final = 128
"""Largest `KeyValue` that is remembered, bytes: the memo stays below 16 MiB."""


class Kind:
    """What a value is."""

    TEXT: Final = 0
    BOOL: Final = 1
    INT: Final = 2
    DOUBLE: Final = 3
    BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class NamedTag:
    """A tag whose key may mean something."""

    key: bytes
    kind: int
    value: Value
    body: bytes
    """As an ordinary tag is."""

    @property
    def text(self) -> bytes:
        """The value if it is a text, else nothing, as pdata's `Str` answers."""
        return self.value if self.kind == Kind.TEXT and isinstance(self.value, bytes) else b""


Tag: TypeAlias = bytes | NamedTag
"""A `KeyValue` behind its length, or one that has to be looked at."""


class Reference(NamedTuple):
    """A span another span refers to; ids are unsigned."""

    kind: int
    trace_high: int
    trace_low: int
    span_id: int


class ScopedSpan(NamedTuple):
    """A span of an instrumentation scope."""

    scope: tuple[bytes, bytes]
    """Name and version."""
    body: bytes


Span: TypeAlias = bytes | ScopedSpan
"""An OTLP `Span` behind its length; without scope it is only that."""

_memo: dict[tuple[bytes, int, Value], Tag] = {}


def tag(key: bytes, kind: int, value: Value) -> Tag:
    """Return a tag as OTLP.

    The last ones are remembered: most tags of most spans were seen before.

    Args:
        key: As sent.
        kind: One of `Kind`.
        value: Of that kind; an INT is a signed 64-bit number.
    """
    known = (key, kind, value)
    found = _memo.get(known)
    if found is not None:
        return found
    body = _key_value(key, kind, value)
    made = NamedTag(key, kind, value, body) if key in _NAMED else body
    # Doubles are not remembered: -0.0 and 0.0 would be one key.
    if kind != Kind.DOUBLE and len(body) <= _MEMO_BYTES_MAX:
        if len(_memo) >= _MEMO_ENTRIES_MAX:
            _memo.clear()
        _memo[known] = made
    return made


def tag_bytes(key_value: bytes) -> Tag:
    """Return a `KeyValue` as a tag: one of a type that Jaeger's wire formats do not have."""
    return _sized(key_value)


def event_bytes(unix_nano: int, fields: Sequence[Tag]) -> bytes:
    """Return a log as an OTLP `Event` behind its length; its name is the field `event`."""
    parts = [_TIME(0x09, unix_nano & _U64)]
    name = b""
    for field in fields:
        if isinstance(field, bytes):
            parts.append(b"\x1a" + field)
        elif field.key == b"event":
            name = field.text
        else:
            parts.append(b"\x1a" + field.body)
    if name:
        parts.append(b"\x12" + _sized(name))
    return _sized(b"".join(parts))


def span_bytes(
    own: Reference,
    parent_id: int,
    name: bytes,
    times: tuple[int, int],
    tags: Sequence[Tag],
    events: Sequence[bytes],
    references: Sequence[Reference],
    *,
    flags: int = 0,
) -> Span:
    """Return a span as OTLP.

    Args:
        own: Its ids; `kind` means nothing.
        parent_id: Parent as sent beside the references, 0 for none.
        name: Operation.
        times: Start and end, nanoseconds since the epoch; they wrap at 64 bits, as Go's do.
        tags: Made by `tag`.
        events: Made by `event_bytes`.
        references: As sent.
        flags: Of a span that was stored, 32 bits. Those of the wire mean something else, and are
            dropped there as in Jaeger v2.
    """
    parent_id = parent_id or _parent_of(own, references)
    parts = [_HEAD(0x0A10, own.trace_high, own.trace_low, 0x1208, own.span_id)]
    if parent_id:
        parts.append(_PARENT(0x2208, parent_id))
    if name:
        parts.append(b"\x2a" + _sized(name))
    parts.append(_TIMES(0x39, times[0] & _U64, 0x41, times[1] & _U64))
    scope = None
    plain = [each for each in tags if each.__class__ is bytes]
    if len(plain) != len(tags):
        plain, scope = _read_named(tags, parts)
    if plain:
        parts.append(b"\x4a" + b"\x4a".join(plain))
    if events:
        parts.append(b"\x5a" + b"\x5a".join(events))
    parts += [
        b"\x6a" + _link(each)
        for each in references
        if not (
            each.kind == CHILD_OF
            and each.span_id == parent_id
            # Half an id is what some clients write of a trace in references. A span of another
            # trace may have the parent's id by chance: that is a link.
            and each.trace_low == own.trace_low
            and each.trace_high in (own.trace_high, 0)
        )
    ]
    if flags:
        parts.append(_FLAGS(0x0185, flags))
    body = _sized(b"".join(parts))
    return body if scope is None else ScopedSpan(scope, body)


def resource_bytes(service: bytes, tags: Sequence[Tag]) -> bytes:
    """Return a process as an OTLP `Resource` behind its length.

    A tag `service.name` wins over the service's own field; a service without name and tags, or
    called `OTLPResourceNoServiceName`, is a resource without attributes.
    """
    if service == _NO_SERVICE:
        return b"\x00"
    named = {each.key: each for each in tags if isinstance(each, NamedTag)}
    parts = []
    if service and b"service.name" not in named:
        parts.append(_key_value(b"service.name", Kind.TEXT, service))
    gone = set()
    added = []
    host, version = named.get(b"hostname"), named.get(b"jaeger.version")
    if host is not None and b"host.name" not in named:
        gone.add(b"hostname")
        added.append(_key_value(b"host.name", host.kind, host.value))
    if version is not None and b"opencensus.exporterversion" not in named:
        gone.add(b"jaeger.version")
        text = b"Jaeger-" + version.text
        added.append(_key_value(b"opencensus.exporterversion", Kind.TEXT, text))
    parts += _kept(tags, gone)
    return _sized(b"".join(b"\x0a" + part for part in parts + added))


def request_bytes(resource: bytes, spans: Iterable[Span]) -> bytes:
    """Return an `ExportTraceServiceRequest` of one resource; joined, requests are one request."""
    by_scope: dict[tuple[bytes, bytes], list[bytes]] = {}
    for span in spans:
        if isinstance(span, bytes):
            by_scope.setdefault((b"", b""), []).append(span)
        else:
            by_scope.setdefault(span.scope, []).append(span.body)
    parts = [b"\x0a", resource]
    for (name, version), bodies in by_scope.items():
        scope = b"\x0a" + _sized(name) if name else b""
        if version:
            scope += b"\x12" + _sized(version)
        head = b"\x0a" + _sized(scope) if scope else b""
        parts.append(b"\x12" + _sized(head + b"\x12" + b"\x12".join(bodies)))
    return b"\x0a" + _sized(b"".join(parts))


def _parent_of(own: Reference, references: Sequence[Reference]) -> int:
    """Return the first CHILD_OF of the same trace, else its first FOLLOWS_FROM, else 0."""
    follows = 0
    for kind, high, low, span_id in references:
        if high == own.trace_high and low == own.trace_low:
            if kind == CHILD_OF:
                return span_id
            if kind == _FOLLOWS_FROM and not follows:
                follows = span_id
    return follows


def _link(reference: Reference) -> bytes:
    kind = _REF_TYPES.get(reference.kind, b"follows_from")
    ids = _HEAD(0x0A10, reference.trace_high, reference.trace_low, 0x1208, reference.span_id)
    return _sized(ids + b"\x22" + _key_value(b"opentracing.ref_type", Kind.TEXT, kind))


def _read_named(
    tags: Sequence[Tag], parts: list[bytes]
) -> tuple[list[bytes], tuple[bytes, bytes] | None]:
    """Add what tags say about kind, status and tracestate; return the other tags, and the scope."""
    named = {each.key: each for each in tags if isinstance(each, NamedTag)}
    gone = set()
    scope = None
    for name_key, version_key in _SCOPE_NAMES:
        if name_key in named:
            version = named.get(version_key)
            scope = (named[name_key].text, b"" if version is None else version.text)
            if name_key == b"otel.scope.name":
                gone |= {name_key, version_key}
            break
    kind = 0
    if b"span.kind" in named:
        gone.add(b"span.kind")
        kind = _KINDS.get(named[b"span.kind"].text, 0)
        if kind:
            parts.append(b"\x30" + _SIZES[kind])
    code, message = _status(named, kind, gone)
    if code or message:
        status = b"\x12" + _sized(message) if message else b""
        if code:
            status += b"\x18" + _SIZES[code]
        parts.append(b"\x7a" + _sized(status))
    if b"w3c.tracestate" in named:
        gone.add(b"w3c.tracestate")
        parts.append(b"\x1a" + _sized(named[b"w3c.tracestate"].text))
    return _kept(tags, gone), scope


def _kept(tags: Sequence[Tag], gone: set[bytes]) -> list[bytes]:
    """Return the tags as bytes, in order, without those that became something else."""
    return [
        each if isinstance(each, bytes) else each.body
        for each in tags
        if isinstance(each, bytes) or each.key not in gone
    ]


def _status(named: dict[bytes, NamedTag], kind: int, gone: set[bytes]) -> tuple[int, bytes]:
    """Return the status code and message, and add the keys they were read from to `gone`.

    `error` = true is the last word; then `otel.status_code`; then `http.status_code`.
    """
    code, message, is_known = 0, b"", False
    error, description = named.get(b"error"), named.get(b"otel.status_description")
    http_message = named.get(b"http.status_message")
    if error is not None and error.kind == Kind.BOOL and error.value:
        gone.add(b"error")
        code, is_known = _ERROR, True
        if description is not None:
            gone.add(description.key)
            message = description.text
        elif http_message is not None:
            message = http_message.text
    if b"otel.status_code" in named:
        gone.add(b"otel.status_code")
        if not is_known:
            code = _STATUS_CODES.get(named[b"otel.status_code"].text.upper(), 0)
            if description is not None:
                gone.add(description.key)
                message = description.text
    elif not is_known and b"http.status_code" in named:
        code = _http_status(named[b"http.status_code"], kind)
        if code and http_message is not None:
            message = http_message.text
    return code, message


def _http_status(sent: NamedTag, kind: int) -> int:
    """Return what an HTTP status says: 4xx is an error of clients and no server's.

    Source: opentelemetry-collector-contrib, `internal/coreinternal/tracetranslator`,
    `StatusCodeFromHTTP`: everything outside 100 to 398 is an error.
    """
    if sent.kind == Kind.INT:
        number = int(sent.value)
    elif sent.kind == Kind.TEXT and _INT.fullmatch(sent.text):
        number = int(sent.text)
    else:
        return 0
    if 400 <= number < 500 and kind in {_CLIENT, _SERVER}:
        return _ERROR if kind == _CLIENT else 0
    return 0 if 100 <= number < 399 else _ERROR


def _key_value(key: bytes, kind: int, value: Value) -> bytes:
    """Return a `KeyValue` behind its length."""
    if kind == Kind.TEXT and isinstance(value, bytes):
        size, key_size = len(value), len(key)
        if size + key_size < 122:  # all lengths are one byte: the usual case, three times as fast
            sizes = (size + key_size + 6, key_size, key, size + 2, size, value)
            return b"%c\x0a%c%b\x12%c\x0a%c%b" % sizes
        inner = b"\x0a" + _sized(value)
    elif kind == Kind.BYTES and isinstance(value, bytes):
        inner = b"\x3a" + _sized(value)
    elif kind == Kind.BOOL:
        inner = b"\x10\x01" if value else b"\x10\x00"
    elif kind == Kind.INT:
        inner = b"\x18" + _varint(int(value) & _U64)
    else:
        inner = _DOUBLE(0x21, float(value))
    return _sized(b"\x0a" + _sized(key) + b"\x12" + _sized(inner))


def _sized(body: bytes) -> bytes:
    size = len(body)
    return (_SIZES[size] if size < 128 else _varint(size)) + body


def _varint(number: int) -> bytes:
    if number < 128:
        return _SIZES[number]
    out = bytearray()
    while number >= 128:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
