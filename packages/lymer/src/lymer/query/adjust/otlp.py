"""The adjusters on OTLP: what `SpanColumns` say of each span, done to the messages.

The adjusters of a tree work on columns without texts, whose column `process` holds the place of
each span. Those that look into attributes are done here, as `wire/span_rows.py` does them to JSON.
Source: Jaeger v2.20, `internal/adjuster`; `internal/jptrace/attributes.go` (warnings).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from lymer.model.columns import SpanColumns
from lymer.query.adjust.rows import split_traces
from lymer.query.adjust.standard import Adjuster, adjust
from lymer.wire.jaeger_json import to_text
from lymer.wire.span_rows import RESERVED_KEYS, WARNINGS_KEY, host_of, with_address

__all__ = ["adjust_otlp", "name_services", "split_otlp", "take_warnings"]

_SERVICE_KEY: Final = "service.name"
_MOVED_KEYS: Final = frozenset(RESERVED_KEYS) - {WARNINGS_KEY}
_MASK: Final = 2**63 - 1


def name_services(traces: TracesData) -> None:
    """Give resources without a service the name that stands in for it, as the store does."""
    for resource_spans in traces.resource_spans:
        attributes = resource_spans.resource.attributes
        named = next((one for one in attributes if one.key == _SERVICE_KEY), None)
        if named is None:
            attributes.add(key=_SERVICE_KEY).value.string_value = "missing-service-name"
        elif named.value.WhichOneof("value") == "string_value" and not named.value.string_value:
            named.value.string_value = "empty-service-name"


def adjust_otlp(traces: TracesData, adjusters: Iterable[Adjuster]) -> None:
    """Repair traces as the adjusters repair columns, in place; copies of a span go."""
    adjusters = tuple(adjusters)
    spans: list[tuple[Any, Span]] = [
        (resource_spans.resource, span)
        for resource_spans in traces.resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]
    for _, span in spans:
        _sort(span)
    kept: set[int] = set()
    columns = _columns(spans)
    for trace in split_traces(columns):
        adjust(trace, adjusters)
        for row, place in enumerate(trace.process):
            kept.add(place)
            _repair(spans[place][1], trace, row)
    place = 0
    for resource_spans in traces.resource_spans:
        present: dict[str, Any] = {}
        for scope_spans in resource_spans.scope_spans:
            left = []
            for span in scope_spans.spans:
                if place in kept:
                    left.append(span)
                place += 1
            if len(left) < len(scope_spans.spans):
                copies = [Span.FromString(span.SerializeToString()) for span in left]
                del scope_spans.spans[:]
                scope_spans.spans.extend(copies)
            for span in scope_spans.spans:
                _move_library_attributes(span, resource_spans.resource, present)


def split_otlp(traces: TracesData) -> dict[str, TracesData]:
    """Return each trace by itself, by its id in hex; resources and scopes keep their order."""
    found: dict[str, TracesData] = {}
    for resource_spans in traces.resource_spans:
        places: dict[str, Any] = {}
        for scope_spans in resource_spans.scope_spans:
            spans_of: dict[str, Any] = {}
            for span in scope_spans.spans:
                trace_id = span.trace_id.hex()
                spans = spans_of.get(trace_id)
                if spans is None:
                    place = places.get(trace_id)
                    if place is None:
                        place = found.setdefault(trace_id, TracesData()).resource_spans.add()
                        place.resource.CopyFrom(resource_spans.resource)
                        place.schema_url = resource_spans.schema_url
                        places[trace_id] = place
                    scope = place.scope_spans.add()
                    scope.scope.CopyFrom(scope_spans.scope)
                    scope.schema_url = scope_spans.schema_url
                    spans = spans_of[trace_id] = scope.spans
                spans.add().CopyFrom(span)
    return found


def _columns(spans: Sequence[tuple[Resource, Span]]) -> SpanColumns:
    """Return what adjusters of a tree look at, traces in one piece each."""
    first: dict[bytes, int] = {}
    for place, (_, span) in enumerate(spans):
        first.setdefault(span.trace_id, place)
    order = sorted(
        range(len(spans)),
        key=lambda place: (
            first[spans[place][1].trace_id],
            spans[place][1].start_time_unix_nano,
            spans[place][1].span_id,
        ),
    )
    hosts: dict[int, str] = {}
    contents: dict[int, bytes] = {}  # of resources: each once, it may be large
    seen: dict[tuple[bytes, bytes], int] = {}
    columns = SpanColumns()
    for place in order:
        resource, span = spans[place]
        parent = span.parent_span_id
        host = hosts.get(id(resource))
        if host is None:
            host = hosts[id(resource)] = host_of(
                {one.key: one.value.SerializeToString() for one in reversed(resource.attributes)}
            )
            contents[id(resource)] = resource.SerializeToString()
        start, end = span.start_time_unix_nano, span.end_time_unix_nano
        columns.trace_id.append(span.trace_id.hex())
        columns.span_id.append(span.span_id.hex())
        columns.parent_span_id.append(parent.hex() if any(parent) else "")
        columns.kind.append(span.kind)
        columns.start_unix_nano.append(start)
        columns.duration_nano.append(max(end - start, 1))
        columns.host.append(host)
        content = (contents[id(resource)], span.SerializeToString(deterministic=True))
        columns.identity.append(seen.setdefault(content, len(seen)))
        columns.warnings.append([])
        columns.event_unix_nano.append([event.time_unix_nano for event in span.events])
        columns.links.append([(one.trace_id.hex(), one.span_id.hex(), False) for one in span.links])
        columns.process.append(place)
    count = len(order)
    columns.service = columns.name = columns.tags_json = [""] * count
    columns.status_code = [0] * count
    columns.event_fields_json = [[] for _ in order]
    return columns


def _sort(span: Span) -> None:
    """Sort attributes by key, events by time and name, links; write addresses as text."""
    _sort_field(span.attributes, lambda one: one.key)
    _sort_field(span.events, lambda one: (one.time_unix_nano, one.name))
    _sort_field(span.links, lambda one: (one.trace_id, one.span_id))
    for attribute in span.attributes:
        if attribute.key in {"ip", "peer.ipv4"}:
            value = with_address(attribute.value.SerializeToString())
            attribute.value.ParseFromString(value)


def _sort_field(repeated: Any, key: Any) -> None:
    if len(repeated) > 1:
        repeated.sort(key=key)


def _repair(span: Span, trace: SpanColumns, row: int) -> None:
    """Write what adjusters changed of a span."""
    span.span_id = bytes.fromhex(trace.span_id[row])
    span.parent_span_id = bytes.fromhex(trace.parent_span_id[row])
    moved = trace.start_unix_nano[row] - span.start_time_unix_nano
    if moved:
        length = span.end_time_unix_nano - span.start_time_unix_nano
        span.start_time_unix_nano = max(trace.start_unix_nano[row], 0)
        span.end_time_unix_nano = max(span.start_time_unix_nano + length, 0)
        for event, instant in zip(span.events, trace.event_unix_nano[row], strict=True):
            event.time_unix_nano = max(instant, 0)
    if len(trace.links[row]) < len(span.links):
        kept = [link for link in span.links if any(link.trace_id)]
        copies = [Span.Link.FromString(link.SerializeToString()) for link in kept]
        del span.links[:]
        span.links.extend(copies)
    if trace.warnings[row]:
        _warn(span, trace.warnings[row])


def _warn(span: Span, warnings: Sequence[str]) -> None:
    """Add warnings where Jaeger keeps them."""
    for attribute in span.attributes:
        if _is_warnings(attribute):
            held = attribute.value.array_value
            break
    else:
        held = span.attributes.add(key=WARNINGS_KEY).value.array_value
    held.values.extend(AnyValue(string_value=text) for text in warnings)


def _move_library_attributes(span: Span, resource: Resource, present: dict[str, Any]) -> None:
    """Move attributes of the SDK to the resource, unless it says something else.

    `present` is what the resource says, by key: filled for the first of its spans that needs it, as
    there may be many spans and many attributes.
    """
    if not any(one.key in _MOVED_KEYS for one in span.attributes):
        return
    if not present:
        present.update((one.key, one.value) for one in resource.attributes)
    kept: list[KeyValue] = []
    conflicts = []
    for attribute in span.attributes:
        key = attribute.key
        if key not in _MOVED_KEYS:
            kept.append(attribute)
        elif key not in present:
            resource.attributes.append(attribute)
            present[key] = attribute.value
        elif present[key].SerializeToString() != attribute.value.SerializeToString():
            kept.append(attribute)
            conflicts.append(f"conflicting values between Span and Resource for attribute {key}")
    copies = [KeyValue.FromString(one.SerializeToString()) for one in kept]
    del span.attributes[:]
    span.attributes.extend(copies)
    if conflicts:
        _warn(span, conflicts)


def take_warnings(span: Span) -> list[str]:
    """Take the warnings that a span bears off it; what is no list of them stays an attribute."""
    found: list[str] = []
    for place in reversed(range(len(span.attributes))):
        if _is_warnings(span.attributes[place]):
            texts = span.attributes[place].value.array_value.values
            found[:0] = [to_text(one) for one in texts]
            del span.attributes[place]
    return found


def _is_warnings(attribute: KeyValue) -> bool:
    return attribute.key == WARNINGS_KEY and attribute.value.WhichOneof("value") == "array_value"
