"""What made-up traffic looks like: services, trees of calls, failures."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from lymer.errors import StartupError

__all__ = ["CallNode", "LoadShape", "draw_tree", "service_name", "to_key_value"]

_SERVICES: Final = (
    *("gateway", "orders", "catalog", "cart", "billing", "search", "accounts", "stock"),
    *("quotes", "delivery", "reviews", "mailer", "ledger", "media", "fraud", "audit"),
)
_OPERATIONS: Final = ("list", "get", "put", "check", "quote", "reserve", "cancel", "sync")


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
class CallNode:
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


def draw_tree(shape: LoadShape, draw: random.Random) -> list[CallNode]:
    """Draw one tree of calls, parents before children."""
    return _Tree(shape, draw).nodes


def service_name(service: int) -> str:
    """Return the name of the service with this number, from 0."""
    rounds, index = divmod(service, len(_SERVICES))
    return _SERVICES[index] + (f"-{rounds + 1}" if rounds else "")


def to_key_value(key: str, value: str | float) -> KeyValue:
    """Return an attribute with the type of `value`."""
    match value:
        case bool():
            return KeyValue(key=key, value=AnyValue(bool_value=value))
        case int():
            return KeyValue(key=key, value=AnyValue(int_value=value))
        case float():
            return KeyValue(key=key, value=AnyValue(double_value=value))
        case _:
            return KeyValue(key=key, value=AnyValue(string_value=value))


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

    def _finish(self) -> list[CallNode]:
        throws = self._depths.index(max(self._depths))
        failing = {throws}
        while self._parents[min(failing)] >= 0:
            failing.add(self._parents[min(failing)])
        nodes: list[CallNode] = []
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
                CallNode(
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


def _describe(kind: int, service: int, operation: int) -> Span:
    rounds, index = divmod(operation, len(_OPERATIONS))
    verb = _OPERATIONS[index] + (f"-{rounds + 1}" if rounds else "")
    method = ("GET", "GET", "PUT", "POST")[operation % 4]
    route = f"/{service_name(service)}/{{id}}/{verb}"
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
            "server.address": f"{service_name(service)}.internal",
            "http.response.status_code": 200,
        }
    else:
        span = Span(name=f"{verb} {service_name(service)}", kind=Span.SPAN_KIND_INTERNAL)
        attributes = {"code.function.name": f"{service_name(service)}.{verb}"}
    span.attributes.extend(to_key_value(key, value) for key, value in attributes.items())
    return span
