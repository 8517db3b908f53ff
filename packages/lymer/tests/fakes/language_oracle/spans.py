"""Spans as objects that know their trace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from fakes.sampling_weight import weight_of

if TYPE_CHECKING:  # the store in memory asks us
    from fakes.memory_store.span import StoredSpan

Typed = tuple[str, Any]
"""(type, value): bool, int, float, string, duration, status, kind, array, other."""
KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")


@dataclass(eq=False)
class OracleSpan:
    """One span with all that it knows; asked about its trace when all of that is there."""

    trace_id: str
    span_id: str
    parent_id: str
    start: int
    duration: int
    name: str
    kind: str
    status: str
    message: str
    attributes: dict[str, Typed]
    resource: dict[str, Typed]
    scope_name: str
    scope_version: str
    scope: dict[str, Typed]
    events: list[dict[str, Any]]
    links: list[dict[str, Any]]
    weight: float
    """How many spans it stands for."""
    trace: list[OracleSpan] = field(default_factory=list, repr=False)

    @cached_property
    def parent(self) -> OracleSpan | None:
        """Return the parent span, if it is there."""
        found = [one for one in self.trace if one.span_id == self.parent_id]
        return found[0] if found and self.parent_id else None

    @cached_property
    def ancestors(self) -> list[OracleSpan]:
        """Return parent, its parent and so on."""
        found: list[OracleSpan] = []
        one = self.parent
        while one is not None and one not in found:
            found.append(one)
            one = one.parent
        return found

    @cached_property
    def root(self) -> OracleSpan | None:
        """Return the trace's earliest span without a parent's id."""
        roots = [one for one in self.trace if not one.parent_id]
        return min(roots, key=lambda one: (one.start, one.span_id)) if roots else None


def typed(value: AnyValue) -> Typed | None:
    """Return type and value of an AnyValue; None of an unset one."""
    match value.WhichOneof("value"):
        case "string_value":
            return "string", value.string_value
        case "bool_value":
            return "bool", value.bool_value
        case "int_value":
            return "int", value.int_value
        case "double_value":
            return "float", value.double_value
        case "array_value":
            return "array", [typed(one) for one in value.array_value.values]
        case None:
            return None
        case _:
            return "other", value.SerializeToString()


def _all(pairs: Iterable[Any]) -> dict[str, Typed]:
    found: dict[str, Typed] = {}
    for pair in pairs:
        value = typed(pair.value)
        if value is not None:
            found.setdefault(pair.key, value)
    return found


def oracle_spans(spans: Iterable[StoredSpan]) -> dict[str, list[OracleSpan]]:
    """Return the traces of stored spans, by id."""
    traces: dict[str, list[OracleSpan]] = {}
    for stored in spans:
        resource = _all(stored.resource_spans.resource.attributes)
        resource["service.name"] = ("string", stored.service)
        one = _span(stored.span, resource, stored.scope_spans.scope)
        one.trace_id, one.span_id, one.parent_id = (
            *(stored.trace_id, stored.span_id),
            stored.parent_span_id,
        )
        one.trace = traces.setdefault(one.trace_id, [])
        one.trace.append(one)
    return traces


def _span(span: Any, resource: dict[str, Typed], scope: Any) -> OracleSpan:
    start = span.start_time_unix_nano
    return OracleSpan(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        start,
        span.end_time_unix_nano - start,
        span.name,
        KINDS[span.kind],
        STATUSES[span.status.code],
        span.status.message,
        _all(span.attributes),
        resource,
        scope.name,
        scope.version,
        _all(scope.attributes),
        [
            {
                "name": one.name,
                "timeSinceStart": one.time_unix_nano - start,
                "attributes": _all(one.attributes),
            }
            for one in span.events
        ],
        [
            {
                "traceID": one.trace_id.hex(),
                "spanID": one.span_id.hex(),
                "attributes": _all(one.attributes),
            }
            for one in span.links
        ],
        weight_of(span.trace_state),
    )
