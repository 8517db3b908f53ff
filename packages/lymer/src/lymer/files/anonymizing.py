"""Traces without what names people or places: texts become codes, structure and times stay.

A code is a keyed hash (BLAKE2b), so the same text has the same code wherever it stands, in every
file made with the same key, and nobody without the key can try texts out. What the conventions of
OpenTelemetry define (keys, methods, status codes) says nothing about anybody and stays.
"""

from __future__ import annotations

import builtins
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

__all__ = ["Anonymizer", "Kept"]

_CODE_BYTES: Final = 6
_MEMO_ENTRIES_MAX: Final = 65_536
_INT_BITS: Final = 31

KNOWN_NAMESPACES: Final = (
    "android.*", "app.crash.*", "aws.*", "azure.*", "browser.*", "client.*", "cloud.*", "code.*",
    "container.*", "cpu.*", "db.*", "deployment.*", "destination.*", "device.*", "disk.*",
    "dns.*", "enduser.*", "error", "error.*", "event", "exception.*", "faas.*",
    "feature_flag.*", "gcp.*", "gen_ai.*", "graphql.*", "host.*", "http.*", "internal.span.format",
    "k8s.*", "log.*", "message.*", "messaging.*", "net.*", "network.*", "oci.*", "opentracing.*",
    "os.*", "otel.*", "peer.*", "process.*", "rpc.*", "server.*", "service.*", "session.*",
    "source.*", "span.kind", "system.*", "telemetry.*", "thread.*", "tls.*", "url.*", "user.*",
    "user_agent.*", "vcs.*", "webengine.*",
)  # fmt: skip
"""Keys that are defined for everybody; any other key is a name that somebody gave."""
KNOWN_VALUES: Final = (
    "cloud.provider", "db.operation", "db.operation.name", "db.system", "db.system.name", "error",
    "error.type", "exception.type", "http.flavor", "http.method", "http.request.method",
    "http.response.status_code", "http.scheme", "http.status_code", "internal.span.format",
    "messaging.operation", "messaging.operation.type", "messaging.system", "net.transport",
    "network.protocol.name", "network.protocol.version", "network.transport", "network.type",
    "opentracing.ref_type", "os.type", "otel.status_code", "rpc.grpc.status_code", "rpc.system",
    "rpc.system.name", "span.kind", "telemetry.sdk.language", "telemetry.sdk.name",
    "telemetry.sdk.version", "url.scheme",
)  # fmt: skip
"""Keys whose values are words of the conventions, where they are what is meant by them."""
_NAMED_BY_OTHERS: Final = re.compile(
    r"(.*?\.(?:header|metadata|parameter|environment_variable|label|annotation|tag|attribute)s?)\.(.+)",
    re.DOTALL,
)
"""Keys of the conventions that end in a name somebody gave, such as `http.request.header.<key>`."""
_KEY: Final = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
_WORD: Final = re.compile(r"[A-Za-z0-9_./+-]{1,32}")
_TRUTH: Final = re.compile(r"true|false", re.IGNORECASE)
_ERROR_TYPE: Final = re.compile(
    r"[0-9]{1,5}|_OTHER|timeout|[A-Z_]{2,24}"
    r"|(?:java|javax|System)\.[A-Za-z.]+|(?:Type|Range|Reference|Syntax|URI|Eval)?Error|Exception"
    rf"|(?:builtins\.)?(?:{'|'.join(name for name in dir(builtins) if name[0].isupper())})"
)
"""What a language or a protocol calls an error; any other class has a name somebody gave."""
_SHAPES: Final = {"error": _TRUTH, "error.type": _ERROR_TYPE, "exception.type": _ERROR_TYPE}
_SCHEMAS: Final = "https://opentelemetry.io/schemas/"


@dataclass(frozen=True, slots=True)
class Kept:
    """What stays as it is."""

    services: bool = False
    names: bool = False
    """Of spans, events and scopes."""
    keys: bool = False
    """Of all attributes."""
    numbers: bool = False
    """Of all attributes."""
    ids: bool = False
    """Of traces and spans."""
    values: tuple[str, ...] = ()
    """Patterns of keys whose values stay, such as `http.*`."""


class Anonymizer:
    """Changes requests one by one; what is the same stays the same."""

    def __init__(self, key: bytes, kept: Kept | None = None) -> None:
        """Use a key of at most 64 bytes."""
        self._key = key
        self._kept = kept or Kept()
        self._codes: dict[str, str] = {}
        self._keeps: dict[str, bool] = {}

    def anonymized(self, body: bytes) -> bytes:
        """Return an `ExportTraceServiceRequest` with codes for texts."""
        request = ExportTraceServiceRequest.FromString(body)
        request.DiscardUnknownFields()
        for resource_spans in request.resource_spans:
            self._attributes(resource_spans.resource.attributes)
            resource_spans.resource.ClearField("entity_refs")
            self._schema(resource_spans)
            for scope_spans in resource_spans.scope_spans:
                self._schema(scope_spans)
                scope = scope_spans.scope
                scope.name, scope.version = self._name(scope.name), self._name(scope.version)
                self._attributes(scope.attributes)
                for span in scope_spans.spans:
                    self._span(span)
        return bytes(request.SerializeToString())

    def _span(self, span: Any) -> None:
        self._identifiers(span)
        if span.parent_span_id:
            span.parent_span_id = self._id(span.parent_span_id)
        span.name = self._name(span.name)
        span.trace_state = ""
        if span.status.message:
            span.status.message = self._code(span.status.message)
        self._attributes(span.attributes)
        for event in span.events:
            if event.name != "exception":
                event.name = self._name(event.name)
            self._attributes(event.attributes)
        for link in span.links:
            self._identifiers(link)
            link.trace_state = ""
            self._attributes(link.attributes)

    @staticmethod
    def _schema(holder: Any) -> None:
        if not holder.schema_url.startswith(_SCHEMAS):
            holder.schema_url = ""

    def _identifiers(self, holder: Any) -> None:
        holder.trace_id = self._id(holder.trace_id)
        holder.span_id = self._id(holder.span_id)

    def _id(self, sent: bytes) -> bytes:
        """Return another id of the same length; none stays none."""
        if self._kept.ids or not any(sent):
            return sent  # zeros are no id
        return self._hash(sent, len(sent), b"id")

    def _name(self, text: str) -> str:
        return text if self._kept.names else self._code(text)

    def _attributes(self, attributes: Iterable[Any]) -> None:
        for pair in attributes:
            key = pair.key
            if key == "service.name" and self._kept.services:
                continue
            if not self._keeps_value(key, pair.value):
                self._value(pair.value)
            if not self._kept.keys:
                pair.key = self._attribute_key(key)

    def _attribute_key(self, key: str) -> str:
        if not _matches(key, KNOWN_NAMESPACES):
            return self._code(key)
        named = _NAMED_BY_OTHERS.fullmatch(key)
        head, name = named.groups() if named else (key, "")
        if not _KEY.fullmatch(head):
            return self._code(key)
        return f"{head}.{self._code(name)}" if named else key

    def _keeps_value(self, key: str, value: Any) -> bool:
        known = self._keeps.get(key)
        if known is None:
            known = _matches(key, self._kept.values)
            if len(self._keeps) < _MEMO_ENTRIES_MAX:
                self._keeps[key] = known
        if known or key not in KNOWN_VALUES:
            return known
        kind = value.WhichOneof("value")
        if kind == "string_value":
            return _SHAPES.get(key, _WORD).fullmatch(value.string_value) is not None
        return kind in {"bool_value", "int_value"}

    def _value(self, value: Any) -> None:
        kind = value.WhichOneof("value")
        if kind == "string_value":
            value.string_value = self._code(value.string_value)
        elif kind == "bytes_value":
            value.bytes_value = self._hash(value.bytes_value, _CODE_BYTES, b"bytes")
        elif kind == "int_value" and not self._kept.numbers:
            value.int_value = self._number(value.int_value)
        elif kind == "double_value" and not self._kept.numbers:
            value.double_value = float(self._number(value.double_value))
        elif kind == "array_value":
            for one in value.array_value.values:
                self._value(one)
        elif kind == "kvlist_value":
            self._attributes(value.kvlist_value.values)

    def _number(self, number: float) -> int:
        """Return another number; 0 and 1 stay, for they say nothing."""
        if number in {0, 1}:
            return int(number)
        hashed = self._hash(repr(number).encode(), 8, b"number")
        return int.from_bytes(hashed, "big") >> (64 - _INT_BITS)

    def _code(self, text: str) -> str:
        """Return the code of a text; an empty one stays."""
        if not text:
            return ""
        code = self._codes.get(text)
        if code is None:
            code = "x" + self._hash(text.encode(errors="replace"), _CODE_BYTES, b"text").hex()
            if len(self._codes) >= _MEMO_ENTRIES_MAX:
                self._codes.clear()
            self._codes[text] = code
        return code

    def _hash(self, content: bytes, size: int, person: bytes) -> bytes:
        hashing: Callable[..., Any] = hashlib.blake2b
        digest: bytes = hashing(content, digest_size=size, key=self._key, person=person).digest()
        return digest


def _matches(key: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)
