"""Drawn traffic as OTLP: what is equal from span to span is encoded once by the protobuf library.

A span is a fixed head (ids and times, packed) in front of such a piece.
Source: protobuf.dev, "Encoding", field order.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from typing import Final

import numpy as np
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from lymer.incidents.traffic import Traffic
from lymer.model.span_table import SpanTable

__all__ = ["encode_requests"]

_HEAD: Final = struct.Struct("<2s16s2s8s2s8scQcQ")
_ROOT_HEAD: Final = struct.Struct("<2s16s2s8scQcQ")
_IDS: Final = struct.Struct(">QQ")
_ID: Final = struct.Struct(">Q")


def encode_requests(
    traffic: Traffic, seed: int, spans_per_request: int = 2000
) -> Iterator[tuple[bytes, int]]:
    """Yield `ExportTraceServiceRequest`s and their numbers of spans, oldest requests first.

    Args:
        traffic: To encode.
        seed: Makes the traces' ids.
        spans_per_request: About.
    """
    table = traffic.table
    order = np.argsort(table.trace, kind="stable")
    codes = _codes_by_span(table)
    ids = np.random.default_rng(seed).integers(1, 2**63, int(table.trace.max()) + 1)
    pieces = _Pieces(table)
    for at in range(0, len(order), spans_per_request):
        rows = order[at : at + spans_per_request].tolist()
        by_resource: dict[tuple[str, tuple[int, ...]], list[bytes]] = {}
        for row in rows:
            service = table.operations[int(table.operation[row])][0]
            resource, own = codes[row]
            trace = _IDS.pack(seed & (2**64 - 1), int(ids[int(table.trace[row])]))
            head = _head(table, row, trace)
            tail = pieces.tail(int(table.operation[row]), int(table.kind[row]),
                               bool(table.is_error[row]), own)  # fmt: skip
            by_resource.setdefault((service, resource), []).append(head + tail)
        yield (
            b"".join(_message(1, pieces.spans(key, spans)) for key, spans in by_resource.items()),
            (len(rows)),
        )


class _Pieces:
    """Encoded pieces, each made once."""

    def __init__(self, table: SpanTable) -> None:
        self._table = table
        self._names = table.attributes.names
        self.tail = cache(self._tail)
        self._prefix = cache(self._resource)

    def spans(self, key: tuple[str, tuple[int, ...]], spans: list[bytes]) -> bytes:
        """Return a `ResourceSpans`."""
        scope = ScopeSpans(scope=InstrumentationScope(name="lymer.incidents")).SerializeToString()
        return self._prefix(key) + _message(
            2, scope + b"".join(_message(2, span) for span in spans)
        )

    def _resource(self, key: tuple[str, tuple[int, ...]]) -> bytes:
        service, codes = key
        attributes = [_attribute("service.name", service), *self._attributes(codes)]
        return ResourceSpans(resource=Resource(attributes=attributes)).SerializeToString()

    def _tail(self, operation: int, kind: int, is_error: bool, codes: tuple[int, ...]) -> bytes:  # noqa: FBT001 - a key of a cache
        span = Span(
            name=self._table.operations[operation][1],
            kind=kind,  # type: ignore[arg-type]
            attributes=self._attributes(codes),
        )
        if is_error:
            span.status.code = Status.STATUS_CODE_ERROR
        return span.SerializeToString()

    def _attributes(self, codes: tuple[int, ...]) -> list[KeyValue]:
        return [_attribute(*self._names[code][1:]) for code in codes]


def _codes_by_span(table: SpanTable) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return of each span the codes of its resource's attributes, and of its own."""
    own = table.attributes
    found: list[tuple[list[int], list[int]]] = [([], []) for _ in range(len(table))]
    is_own = [scope == "span" for scope, _, _ in own.names]
    for row, code in zip(own.row.tolist(), own.code.tolist(), strict=True):
        found[row][is_own[code]].append(code)
    return [(tuple(resource), tuple(span)) for resource, span in found]


def _head(table: SpanTable, row: int, trace: bytes) -> bytes:
    start = int(table.start[row])
    end = start + int(table.duration[row])
    span = _ID.pack(int(table.span_id[row]))
    parent = int(table.parent_id[row])
    if not parent:
        return _ROOT_HEAD.pack(b"\x0a\x10", trace, b"\x12\x08", span, b"\x39", start, b"\x41", end)
    return _HEAD.pack(
        b"\x0a\x10", trace, b"\x12\x08", span, b"\x22\x08", _ID.pack(parent),
        b"\x39", start, b"\x41", end,
    )  # fmt: skip


def _message(field: int, content: bytes) -> bytes:
    length, size = b"", len(content)
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([field << 3 | 2]) + length + bytes([size]) + content


def _attribute(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))
