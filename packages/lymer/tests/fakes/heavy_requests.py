"""Requests that are small to send and large to hold: what a door and a loader must live with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from google.protobuf.internal.encoder import _VarintBytes  # type: ignore[attr-defined]
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from make import attributes, make_span

__all__ = ["HEAVY", "field", "request_of"]


def field(tag: int, content: bytes) -> bytes:
    """Return a length-delimited field."""
    return bytes([tag]) + _VarintBytes(len(content)) + content


def request_of(
    spans: bytes, *, resource: str = "", scope: bytes = b"", service: str = "s"
) -> bytes:
    """Return a request with these fields of a `ScopeSpans` in it."""
    described = Resource(attributes=attributes({"service.name": "heavy", "big": resource}))
    scope_spans = field(0x0A, scope) + spans if scope else spans
    return field(0x0A, field(0x0A, described.SerializeToString()) + field(0x12, scope_spans))


def _spans(count: int) -> bytes:
    return b"".join(
        field(0x12, make_span(77, 1 + number).SerializeToString()) for number in range(count)
    )


def _one(inside: bytes) -> bytes:
    return request_of(field(0x12, make_span(77, 1).SerializeToString() + inside))


def _empty_spans(scale: int) -> tuple[bytes, int]:
    return request_of(b"\x12\x00" * 4 * scale), 4 * scale


def _empty_attributes(scale: int) -> tuple[bytes, int]:
    return _one(b"\x4a\x00" * 9 * scale), 1


def _large_resource(scale: int) -> tuple[bytes, int]:
    return request_of(_spans(scale // 200), resource="r" * scale), scale // 200


def _large_scope(scale: int) -> tuple[bytes, int]:
    scope = InstrumentationScope(name="s" * scale).SerializeToString()
    return request_of(_spans(scale // 200), scope=scope), scale // 200


def _large_spans(scale: int) -> tuple[bytes, int]:
    span = field(0x12, make_span(77, 1).SerializeToString() + b"\x4a\x00" * (scale // 10))
    return request_of(span * 40), 40


def _many_resources(scale: int) -> tuple[bytes, int]:
    return request_of(b"\x12\x02\x30\x01") * (scale // 10), scale // 10


HEAVY: Final[dict[str, Callable[[int], tuple[bytes, int]]]] = {
    "empty spans": _empty_spans,
    "empty attributes in one span": _empty_attributes,
    "a large resource over many spans": _large_resource,
    "a large scope over many spans": _large_scope,
    "spans of many attributes": _large_spans,
    "many resources": _many_resources,
}
"""Shape → (request, spans in it) for a scale of which 1,000,000 is what stopped a release."""
