"""Made-up traffic: a seed and a description → OTLP requests as bytes (pure).

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

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from lymer.errors import StartupError

__all__ = ["LoadRequest", "LoadShape", "LoadSource"]

_SHAPES: Final = 64
"""Trees of calls drawn at the start; a trace takes one of them. Enough for a service map with
loops and for operations to differ, few enough that a cache holds them."""

_LATENCY_SIGMA: Final = 0.6
"""Spread of the log-normal distribution of latencies: the 99th percentile is 4 times the median."""

_SERVICES: Final = (
    *("gateway", "orders", "catalog", "cart", "billing", "search", "accounts", "stock"),
    *("quotes", "delivery", "reviews", "mailer", "ledger", "media", "fraud", "audit"),
)
_OPERATIONS: Final = ("list", "get", "put", "check", "quote", "reserve", "cancel", "sync")

_HEAD: Final = struct.Struct("<2s16s2s8s2s8scQcQ")
_ROOT_HEAD: Final = struct.Struct("<2s16s2s8scQcQ")
_EVENT_TIME: Final = struct.Struct("<cQ")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadShape:
    """What the traffic looks like. The same shape makes the same traffic, instants apart."""

    services: int = 10
    """Number of services, at least 1."""
    operations: int = 5
    """Server operations of each service, at least 1."""
    depth: int = 4
    """Longest path of spans in a trace, at least 1; at least 2 for more than one span."""
    spans_per_trace: int = 8
    """Spans of every trace, at least 1."""
    attributes: int = 10
    """Attributes of every span, at least 0. The first few follow the semantic conventions, the
    others are drawn."""
    attribute_keys: int = 50
    """Different keys of drawn attributes, at least `attributes`."""
    attribute_values: int = 100
    """Different values of each drawn key, at least 1."""
    errors: float = 0.02
    """Part of the traces with an error in it, 0 to 1: one span fails with an exception and every
    span above it fails with it."""
    latency_seconds: float = 0.1
    """Median duration of a trace, in seconds, above 0."""
    spans_per_request: int = 512
    """Spans of every request but the last, at least 1."""
    seed: int = 1
    """Start of the random numbers."""

    def __post_init__(self) -> None:
        """Refuse what cannot be made."""
        for name in ("services", "operations", "depth", "spans_per_trace", "attribute_values"):
            if getattr(self, name) < 1:
                raise StartupError(f"cannot generate traffic: {name} must be at least 1")
        if self.spans_per_trace > 1 and self.depth < 2:
            raise StartupError(
                f"cannot generate traffic: {self.spans_per_trace} spans per trace need a depth "
                "of at least 2"
            )
        if self.attribute_keys < self.attributes:
            raise StartupError(
                f"cannot generate traffic: {self.attributes} attributes per span need as many "
                f"attribute keys, but there are {self.attribute_keys}"
            )
        if not 0 <= self.errors <= 1 or not self.latency_seconds > 0 or self.spans_per_request < 1:
            raise StartupError(
                "cannot generate traffic: errors must be from 0 to 1, latency above 0 and spans "
                "per request at least 1"
            )


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """One `ExportTraceServiceRequest`."""

    body: bytes
    """Protobuf, uncompressed."""
    spans: int
    """Number of spans in it."""


@dataclass(frozen=True, slots=True)
class _Node:
    """A span's place in a tree of calls; all that is the same whenever the tree is used."""

    service: int
    parent: int
    """Index of the parent in the tree, -1 for the root."""
    start: float
    """Start as a part of the trace's duration, 0 to 1."""
    end: float
    """End likewise, not before the start."""
    tail: bytes
    """Encoded fields of a span that went well."""
    failed_tail: bytes
    """The same if it failed, or empty if it is not on the path of the tree's error."""
    throws: bool
    """Whether the error starts here."""
    drawn: int
    """How many attributes are drawn for each span."""


class LoadSource:
    """Makes the requests of one shape, one after the other; not safe to share between threads."""

    def __init__(self, shape: LoadShape, *, traces_max: int | None = None) -> None:
        """Draw trees and attributes; ends after `traces_max` traces, or never for None."""
        self._shape = shape
        self._random = random.Random(shape.seed)  # noqa: S311 - repeatable load, no secret
        self._trees = [_Tree(shape, self._random).nodes for _ in range(_SHAPES)]
        self._values = [_draw_values(key, shape) for key in range(shape.attribute_keys)] * 2
        self._prefixes = [_encode_prefix(service) for service in range(shape.services)]
        self._latency_mu = math.log(shape.latency_seconds * 1e9)
        self._pending: list[tuple[int, bytes]] = []
        self._traces_left = math.inf if traces_max is None else traces_max

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
        nodes = self._trees[draw.randrange(_SHAPES)]
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


class _Tree:
    """Draws one tree of calls: server → client → server of another service, as services do."""

    def __init__(self, shape: LoadShape, draw: random.Random) -> None:
        self._shape = shape
        self._draw = draw
        self._parents = [-1]
        self._depths = [1]
        self._kinds: list[int] = [Span.SPAN_KIND_SERVER]
        self._services = [draw.randrange(shape.services)]
        self._grow()
        self._intervals = self._place()
        self.nodes = self._finish()

    def _grow(self) -> None:
        for index in range(1, self._shape.spans_per_trace):
            if index < self._shape.depth:
                parent = index - 1
            else:
                # A client span has one server span below it at most.
                parent = self._draw.choice(
                    [
                        at
                        for at, depth in enumerate(self._depths)
                        if depth < self._shape.depth
                        and (self._kinds[at] != Span.SPAN_KIND_CLIENT or at not in self._parents)
                    ]
                )
            calls = self._kinds[parent] == Span.SPAN_KIND_CLIENT
            self._parents.append(parent)
            self._depths.append(self._depths[parent] + 1)
            if calls:
                self._kinds.append(Span.SPAN_KIND_SERVER)
                self._services.append(self._draw.randrange(self._shape.services))
            else:
                internal = self._draw.random() < 0.25
                self._kinds.append(Span.SPAN_KIND_INTERNAL if internal else Span.SPAN_KIND_CLIENT)
                self._services.append(self._services[parent])

    def _place(self) -> list[tuple[float, float]]:
        """Give each child its own slot within its parent's time."""
        children: dict[int, list[int]] = {}
        for index, parent in enumerate(self._parents):
            children.setdefault(parent, []).append(index)
        intervals = [(0.0, 1.0)] * len(self._parents)
        for index, (start, end) in enumerate(intervals):
            start, end = intervals[index]  # noqa: PLW2901 - set when its parent was visited
            mine = children.get(index, [])
            for position, child in enumerate(mine):
                slot = (end - start) * 0.94 / len(mine)
                begin = start + (end - start) * 0.03 + slot * position
                intervals[child] = (begin, begin + slot * self._draw.uniform(0.5, 0.97))
        return intervals

    def _finish(self) -> list[_Node]:
        throws = self._depths.index(max(self._depths))
        failing = {throws}
        while self._parents[min(failing)] >= 0:
            failing.add(self._parents[min(failing)])
        nodes: list[_Node] = []
        for index, kind in enumerate(self._kinds):
            operation = self._draw.randrange(self._shape.operations)
            plain = _describe(kind, self._services[index], operation)
            failed = _describe(kind, self._services[index], operation)
            failed.status.CopyFrom(
                Status(code=Status.STATUS_CODE_ERROR, message="upstream timed out")
            )
            for attribute in failed.attributes:
                if attribute.key == "http.response.status_code":
                    attribute.value.int_value = 504
            del plain.attributes[self._shape.attributes :]
            del failed.attributes[self._shape.attributes :]
            start, end = self._intervals[index]
            nodes.append(
                _Node(
                    service=self._services[index],
                    parent=self._parents[index],
                    start=start,
                    end=end,
                    tail=plain.SerializeToString(),
                    failed_tail=failed.SerializeToString() if index in failing else b"",
                    throws=index == throws,
                    drawn=self._shape.attributes - len(plain.attributes),
                )
            )
        return nodes


def _service_name(service: int) -> str:
    rounds, index = divmod(service, len(_SERVICES))
    return _SERVICES[index] + (f"-{rounds + 1}" if rounds else "")


def _describe(kind: int, service: int, operation: int) -> Span:
    rounds, index = divmod(operation, len(_OPERATIONS))
    verb = _OPERATIONS[index] + (f"-{rounds + 1}" if rounds else "")
    method = ("GET", "GET", "PUT", "POST")[operation % 4]
    route = f"/{_service_name(service)}/{{id}}/{verb}"
    if kind == Span.SPAN_KIND_SERVER:
        span = Span(name=f"{method} {route}", kind=Span.SPAN_KIND_SERVER)
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": 200,
        }
    elif kind == Span.SPAN_KIND_CLIENT:
        span = Span(name=method, kind=Span.SPAN_KIND_CLIENT)
        attributes = {
            "http.request.method": method,
            "server.address": f"{_service_name(service)}.internal",
            "http.response.status_code": 200,
        }
    else:
        span = Span(name=f"{verb} {_service_name(service)}", kind=Span.SPAN_KIND_INTERNAL)
        attributes = {"code.function.name": f"{_service_name(service)}.{verb}"}
    span.attributes.extend(_key_value(key, value) for key, value in attributes.items())
    return span


def _key_value(key: str, value: str | float) -> KeyValue:
    match value:
        case bool():
            return KeyValue(key=key, value=AnyValue(bool_value=value))
        case int():
            return KeyValue(key=key, value=AnyValue(int_value=value))
        case float():
            return KeyValue(key=key, value=AnyValue(double_value=value))
        case _:
            return KeyValue(key=key, value=AnyValue(string_value=value))


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
        Span(attributes=[_key_value(name, value_of(number))]).SerializeToString()
        for number in range(shape.attribute_values)
    ]


def _encode_prefix(service: int) -> tuple[bytes, bytes]:
    """Return the encoded resource of a ResourceSpans, and the encoded scope of a ScopeSpans."""
    name = _service_name(service)
    attributes = {
        "service.name": name,
        "service.namespace": "load",
        "service.version": f"1.{service % 4}.0",
        "service.instance.id": f"{name}-0",
        "host.name": f"node-{service % 3}",
    }
    resource = Resource(attributes=[_key_value(key, value) for key, value in attributes.items()])
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
        _key_value("exception.type", "TimeoutError"),
        _key_value("exception.message", "no answer within 3 s"),
    ],
).SerializeToString()

_SPAN_PREFIXES: Final = [b"\x12" + _varint(size) for size in range(4096)]
"""Tag and length of the field `ScopeSpans.spans`, by the span's size in bytes."""
