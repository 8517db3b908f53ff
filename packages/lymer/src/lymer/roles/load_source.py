"""Made-up traffic: a seed and a shape → OTLP requests as bytes (pure).

What does not change from span to span is encoded once by the protobuf library: resources, span
names, attributes. A span is then a fixed head (ids and times, packed) in front of such pieces, so
that one core makes some hundred thousand spans a second and the server is what is measured::

    Span = 0A 10 trace_id · 12 08 span_id · [22 08 parent_id] · 39 start · 41 end · name, kind, ...

Protobuf fields may stand in any order. Source: protobuf.dev, "Encoding", field order.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from lymer.roles.load_shape import LoadShape, draw_tree, service_name, to_key_value

__all__ = ["LoadRequest", "LoadSource"]

_TREES: Final = 64
"""Trees of calls drawn at the start; a trace takes one of them. Enough for a service map with
loops and for operations to differ, few enough that a cache holds them."""

_LATENCY_SIGMA: Final = 0.6
"""Spread of the log-normal distribution of latencies: the 99th percentile is 4 times the median."""

_HEAD: Final = struct.Struct("<2s16s2s8s2s8scQcQ")
_ROOT_HEAD: Final = struct.Struct("<2s16s2s8scQcQ")
_EVENT_TIME: Final = struct.Struct("<cQ")


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """One `ExportTraceServiceRequest`."""

    body: bytes
    """Protobuf, uncompressed."""
    spans: int
    """Number of spans in it."""


class LoadSource:
    """Makes the requests of one shape, one after the other; not safe to share between threads."""

    def __init__(self, shape: LoadShape, *, traces_max: int | None = None) -> None:
        """Draw trees and attributes; ends after `traces_max` traces, or never for None."""
        self._shape = shape
        self._random = random.Random(shape.seed)  # noqa: S311 - repeatable load, no secret
        self._trees = [draw_tree(shape, self._random) for _ in range(_TREES)]
        self._values = [_draw_values(key, shape) for key in range(shape.attribute_keys)] * 2
        self._prefixes = [_encode_prefix(service) for service in range(shape.services)]
        self._latency_mu = math.log(shape.latency_seconds * 1e9)
        self._pending: list[tuple[int, bytes]] = []
        self._traces_left = math.inf if traces_max is None else traces_max

    @property
    def spans_per_request(self) -> int:
        """Return how many spans a request has, but for the last."""
        return self._shape.spans_per_request

    def next_request(
        self, now_unix_nano: int, *, spans_max: int | None = None
    ) -> LoadRequest | None:
        """Return the next request, or None at the end.

        Args:
            now_unix_nano: When the traces of the request end, nanoseconds since the epoch. Nothing
                else in the request depends on it.
            spans_max: Spans in the request; None takes the shape's.
        """
        wanted = self._shape.spans_per_request if spans_max is None else spans_max
        while len(self._pending) < wanted and self._traces_left > 0:
            self._traces_left -= 1
            self._add_trace(now_unix_nano)
        taken, self._pending = self._pending[:wanted], self._pending[wanted:]
        if not taken:
            return None
        by_service: dict[int, list[bytes]] = {}
        for service, span in taken:
            by_service.setdefault(service, []).append(span)
        return LoadRequest(b"".join(self._encode_groups(by_service)), len(taken))

    def _add_trace(self, now: int) -> None:
        draw = self._random
        nodes = self._trees[draw.randrange(_TREES)]
        duration = int(draw.lognormvariate(self._latency_mu, _LATENCY_SIGMA))
        failed = draw.random() < self._shape.errors
        keys, values = max(1, self._shape.attribute_keys), self._shape.attribute_values
        width = self._shape.attributes + 1
        ids = draw.randbytes(16 + 8 * len(nodes))
        numbers = struct.unpack(f"<{width * len(nodes)}I", draw.randbytes(4 * width * len(nodes)))
        trace_id, begin = ids[:16], now - duration
        pool, pack, root_pack, lengths = self._values, _HEAD.pack, _ROOT_HEAD.pack, _SPAN_PREFIXES
        for index, node in enumerate(nodes):
            at = 16 + 8 * index
            start, end = begin + int(duration * node.start), begin + int(duration * node.end)
            if node.parent < 0:
                head = root_pack(
                    b"\n\x10", trace_id, b"\x12\x08", ids[at : at + 8], b"9", start, b"A", end
                )
            else:
                up = 16 + 8 * node.parent
                head = pack(
                    b"\n\x10", trace_id, b"\x12\x08", ids[at : at + 8], b'"\x08', ids[up : up + 8],
                    b"9", start, b"A", end,
                )  # fmt: skip
            first = index * width
            key = numbers[first] % keys
            drawn = zip(
                pool[key : key + node.drawn], numbers[first + 1 : first + width], strict=False
            )
            pieces = [head, *[row[number % values] for row, number in drawn]]
            if failed and node.failed_tail:
                pieces.append(node.failed_tail)
                if node.throws:
                    pieces.append(_encode_exception(end))
            else:
                pieces.append(node.tail)
            span = b"".join(pieces)
            size = len(span)
            prefix = lengths[size] if size < len(lengths) else b"\x12" + _varint(size)
            self._pending.append((node.service, prefix + span))

    def _encode_groups(self, by_service: dict[int, list[bytes]]) -> Iterator[bytes]:
        for service, spans in by_service.items():
            resource, scope = self._prefixes[service]
            encoded = scope + b"".join(spans)
            scope_spans = b"\x12" + _varint(len(encoded)) + encoded
            yield b"\n" + _varint(len(resource) + len(scope_spans)) + resource + scope_spans


def _draw_values(key: int, shape: LoadShape) -> list[bytes]:
    """Return the encoded attributes of one key: text, integers, doubles and booleans."""
    name = f"load.attribute.{key:03d}"

    def value_of(number: int) -> str | float:
        match key % 8:
            case 3:
                return number * 17
            case 5:
                return number / 8
            case 7:
                return number % 2 == 0
            case _:
                return f"value-{key:03d}-{number:06d}"

    return [
        Span(attributes=[to_key_value(name, value_of(number))]).SerializeToString()
        for number in range(shape.attribute_values)
    ]


def _encode_prefix(service: int) -> tuple[bytes, bytes]:
    """Return the encoded resource of a ResourceSpans, and the encoded scope of a ScopeSpans."""
    name = service_name(service)
    attributes = {
        "service.name": name,
        "service.namespace": "load",
        "service.version": f"1.{service % 4}.0",
        "service.instance.id": f"{name}-0",
        "host.name": f"node-{service % 3}",
    }
    resource = Resource(attributes=[to_key_value(key, value) for key, value in attributes.items()])
    scope = InstrumentationScope(name="lymer.generate", version="1")
    return (
        ResourceSpans(resource=resource).SerializeToString(),
        ScopeSpans(scope=scope).SerializeToString(),
    )


def _encode_exception(time_unix_nano: int) -> bytes:
    """Return the field `Span.events` with one exception in it."""
    event = _EVENT_TIME.pack(b"\t", time_unix_nano) + _EXCEPTION
    return b"Z" + _varint(len(event)) + event


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_EXCEPTION: Final = Span.Event(
    name="exception",
    attributes=[
        to_key_value("exception.type", "TimeoutError"),
        to_key_value("exception.message", "no answer within 3 s"),
    ],
).SerializeToString()

_SPAN_PREFIXES: Final = [b"\x12" + _varint(size) for size in range(4096)]
"""Tag and length of the field `ScopeSpans.spans`, by the span's size in bytes."""
