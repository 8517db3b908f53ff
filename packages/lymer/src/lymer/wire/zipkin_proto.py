"""Zipkin v2 spans in protobuf, `zipkin.proto3.ListOfSpans`, to OTLP.

The messages are declared here. Texts are declared as bytes, which is the same on the wire, so that
one sender's broken UTF-8 does not cost a whole request; the map of tags is declared as the list it
is on the wire. Source: openzipkin/zipkin-api `zipkin.proto`, field numbers and types.
"""

from __future__ import annotations

import functools
import ipaddress
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from lymer.errors import UndecodableError
from lymer.wire.bounds import check_messages, check_span_count
from lymer.wire.otlp_proto import CheckedRequest
from lymer.wire.proto_fields import Declared
from lymer.wire.zipkin_fields import MICRO_MAX, Endpoint, FieldError
from lymer.wire.zipkin_otlp import OtlpRequest, Value
from lymer.wire.zipkin_v2 import add_span

__all__ = ["ListOfSpans", "request_from_zipkin_proto"]

_PACKAGE: Final = "lymer.zipkin"
_Field: Final = descriptor_pb2.FieldDescriptorProto
_MESSAGES: Final[dict[str, dict[str, tuple[int, Any]]]] = {
    "ListOfSpans": {"spans": (1, "*Span")},
    "Span": {
        "trace_id": (1, _Field.TYPE_BYTES),
        "parent_id": (2, _Field.TYPE_BYTES),
        "id": (3, _Field.TYPE_BYTES),
        "kind": (4, _Field.TYPE_INT32),
        "name": (5, _Field.TYPE_BYTES),
        "timestamp": (6, _Field.TYPE_FIXED64),
        "duration": (7, _Field.TYPE_UINT64),
        "local_endpoint": (8, "Endpoint"),
        "remote_endpoint": (9, "Endpoint"),
        "annotations": (10, "*Annotation"),
        "tags": (11, "*Tag"),
        "debug": (12, _Field.TYPE_BOOL),
        "shared": (13, _Field.TYPE_BOOL),
    },
    "Endpoint": {
        "service_name": (1, _Field.TYPE_BYTES),
        "ipv4": (2, _Field.TYPE_BYTES),
        "ipv6": (3, _Field.TYPE_BYTES),
        "port": (4, _Field.TYPE_INT32),
    },
    "Annotation": {"timestamp": (1, _Field.TYPE_FIXED64), "value": (2, _Field.TYPE_BYTES)},
    "Tag": {"key": (1, _Field.TYPE_BYTES), "value": (2, _Field.TYPE_BYTES)},
}
"""Message → field → number, and type or the message it holds; `*` holds a list of them."""
_KINDS: Final = (0, 3, 2, 4, 5)
"""Zipkin's number of a kind → OTLP's."""
_WHAT: Final = "Zipkin v2 protobuf"
_DECLARED: Final[Declared] = ({0x0A: 1}, dict.fromkeys((0x42, 0x4A, 0x52, 0x5A), 2), {})
"""What of it is a message: spans; endpoints, annotations and tags in them."""


def _list_of_spans_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(
        name="lymer/zipkin.proto", package=_PACKAGE, syntax="proto3"
    )
    for message_name, declared in _MESSAGES.items():
        message = file.message_type.add(name=message_name)
        for name, (number, kind) in declared.items():
            is_list = isinstance(kind, str) and kind.startswith("*")
            field = message.field.add(name=name, number=number)
            field.label = _Field.LABEL_REPEATED if is_list else _Field.LABEL_OPTIONAL
            if isinstance(kind, str):
                field.type = _Field.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{kind.removeprefix('*')}"
            else:
                field.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.ListOfSpans"))


ListOfSpans: Any = _list_of_spans_class()
"""Message class of a request's body."""


def request_from_zipkin_proto(body: bytes, *, debug: bool = False) -> CheckedRequest:
    """Translate a `ListOfSpans`.

    Args:
        body: Protobuf.
        debug: All spans are debug spans (header `X-B3-Flags: 1`).

    Raises:
        UndecodableError: Not that message, or an id has a wrong length; the message names it.
    """
    check_messages(body, _DECLARED, _WHAT)
    try:
        spans = ListOfSpans.FromString(body).spans
    except DecodeError as error:
        reason = str(error) or "the bytes are not protobuf"
        message = f"cannot decode {_WHAT}: {reason}"
        raise UndecodableError(message) from error
    check_span_count(len(spans), _WHAT)
    request = OtlpRequest()
    for index, span in enumerate(spans):
        try:
            _add(request, span, debug=debug)
        except FieldError as error:
            request.refuse(f"cannot decode {_WHAT}: {error.inside(f'spans[{index}]')}")
    return request.checked()


def _add(request: OtlpRequest, span: Any, *, debug: bool) -> None:
    tags: dict[str, Value] = {_text(tag.key): _text(tag.value) for tag in span.tags}
    kind = span.kind
    add_span(
        request,
        (
            _required(_identifier(span.trace_id, "trace_id", 16), "trace_id"),
            _required(_identifier(span.id, "id", 8), "id"),
            _identifier(span.parent_id, "parent_id", 8),
        ),
        _text(span.name),
        _KINDS[kind] if 0 <= kind < len(_KINDS) else 0,
        (_micro(span.timestamp, "timestamp"), _micro(span.duration, "duration")),
        (
            _endpoint(span.local_endpoint) if span.HasField("local_endpoint") else None,
            _endpoint(span.remote_endpoint) if span.HasField("remote_endpoint") else None,
        ),
        [
            (
                _micro(annotation.timestamp, f"annotations[{index}].timestamp"),
                _text(annotation.value),
            )
            for index, annotation in enumerate(span.annotations)
        ],
        tags,
        debug=debug or span.debug,
        shared=span.shared,
    )


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _identifier(value: bytes, name: str, byte_count: int) -> bytes:
    """Return an id, none if zero. A trace id may have 8 bytes."""
    if not any(value):
        return b""
    if len(value) == byte_count:
        return value
    if len(value) == 8:
        return bytes(byte_count - 8) + value
    raise FieldError(name, f"has {len(value)} bytes, not {byte_count}")


def _required(value: bytes, name: str) -> bytes:
    if not value:
        raise FieldError(name, "is missing or zero")
    return value


def _micro(value: int, name: str) -> int:
    if value > MICRO_MAX:
        raise FieldError(name, f"is {value} microseconds, the limit is {MICRO_MAX}")
    return value


def _endpoint(party: Any) -> Endpoint:
    return Endpoint(
        _text(party.service_name), address(party.ipv4), address(party.ipv6), party.port & 0xFFFF
    )


def address(packed: bytes) -> str:
    """Return an IP address as text; bytes that are none as hexadecimal digits."""
    if len(packed) == 4:
        return ".".join(map(str, packed))
    return _ipv6(packed) if len(packed) == 16 else packed.hex()


@functools.lru_cache(1024)
def _ipv6(packed: bytes) -> str:
    return str(ipaddress.IPv6Address(packed))
