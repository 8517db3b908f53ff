"""Stored spans as `SpanColumns`, with the adjusters that look into attributes.

Source: Jaeger v2.20, `internal/adjuster/{sort,ipattribute,libraryattributes}.go`; tags as in
opentelemetry-collector-contrib v0.155, `pkg/translator/jaeger/traces_to_jaegerproto.go`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from fakes.memory_store.span import Attributes, StoredSpan
from lymer.model.columns import SpanColumns
from lymer.model.find_terms import FindTerms
from lymer.model.question import SPAN_KINDS
from lymer.wire.jaeger_json import json_string, to_key_value_json

__all__ = ["is_found", "to_columns", "with_ip_text"]

LIBRARY_KEYS: Final = frozenset(
    {
        "telemetry.sdk.language",
        "telemetry.sdk.name",
        "telemetry.sdk.version",
        "telemetry.distro.name",
        "telemetry.distro.version",
    }
)
"""Span attributes that describe the process."""

IP_KEYS: Final = frozenset({"ip", "peer.ipv4"})
"""Attributes in which old clients send an IPv4 address as a number."""


def to_columns(spans: Iterable[StoredSpan], *, raw: bool, skeleton: bool) -> SpanColumns:
    """Render spans in the order given; see `SpanReader.get_traces` for `raw` and `skeleton`."""
    columns = SpanColumns()
    processes: dict[str, int] = {}
    for span in spans:
        attributes, resource, conflicts = span.attributes, span.resource, list[str]()
        events = list(span.span.events)
        links = [link[:3] for link in span.links]
        if not raw:
            attributes, resource, conflicts = _adjusted(attributes, resource)
            events.sort(key=lambda event: event.name)
            links.sort()
        process = _process_json(span.service, resource)
        columns.trace_id.append(span.trace_id)
        columns.span_id.append(span.span_id)
        columns.parent_span_id.append(span.parent_span_id)
        columns.service.append(span.service)
        columns.name.append(span.name)
        columns.kind.append(span.kind)
        columns.status_code.append(span.status_code)
        columns.start_unix_nano.append(span.start_unix_nano)
        columns.duration_nano.append(span.duration_nano)
        columns.host.append(span.host)
        columns.identity.append(span.identity)
        columns.warnings.append([*span.warnings, *conflicts])
        columns.tags_json.append("" if skeleton else _tags_json(span, attributes))
        columns.event_unix_nano.append([event.time_unix_nano for event in events])
        columns.event_fields_json.append(
            [] if skeleton else [_fields_json(event, raw=raw) for event in events]
        )
        columns.links.append(links)
        columns.process.append(processes.setdefault(process, len(processes)))
    columns.process_json = list(processes)
    return columns


def is_found(columns: SpanColumns, row: int, find: FindTerms) -> bool:
    """Tell whether what is shown of a span's tags, log fields and process matches."""
    process = json.loads(columns.process_json[columns.process[row]])
    shown = [*json.loads(columns.tags_json[row]), *process["tags"]]
    for fields in columns.event_fields_json[row]:
        shown += json.loads(fields)
    return any(find.meet(one["key"], _shown(one["value"])) for one in shown)


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _adjusted(
    attributes: Attributes, resource: Attributes
) -> tuple[Attributes, Attributes, list[str]]:
    """Sort, write addresses as text, move library attributes; return warnings about conflicts."""
    span_pairs = [with_ip_text(pair) for pair in _sorted(attributes)]
    resource_pairs = [with_ip_text(pair) for pair in _sorted(resource)]
    known = dict(reversed(resource_pairs))
    kept, moved, conflicts = [], {}, []
    for key, value in span_pairs:
        if key not in LIBRARY_KEYS:
            kept.append((key, value))
        elif key not in known or known[key].SerializeToString() == value.SerializeToString():
            moved[key] = value
        else:
            kept.append((key, value))
            conflicts.append(f"conflicting values between Span and Resource for attribute {key}")
    added = [(key, value) for key, value in moved.items() if key not in known]
    return tuple(kept), _sorted((*resource_pairs, *added)), conflicts


def _sorted(attributes: Attributes) -> Attributes:
    return tuple(sorted(attributes, key=lambda pair: pair[0]))


def with_ip_text(pair: tuple[str, AnyValue]) -> tuple[str, AnyValue]:
    """Return an attribute as it is shown: an address sent as a number is a text."""
    key, value = pair
    kind = value.WhichOneof("value")
    if key not in IP_KEYS or kind not in {"int_value", "double_value"}:
        return pair
    number = value.int_value if kind == "int_value" else _whole(value.double_value)
    address = ".".join(str(byte) for byte in (number % 2**32).to_bytes(4, "big"))
    return key, AnyValue(string_value=address)


def _whole(number: float) -> int:
    return int(number) if abs(number) < 2**63 else 0


def _tags_json(span: StoredSpan, attributes: Attributes) -> str:
    tags = []
    if span.scope.name:
        tags.append(_string_tag("otel.scope.name", span.scope.name))
    if span.scope.version:
        tags.append(_string_tag("otel.scope.version", span.scope.version))
    tags.extend(to_key_value_json(key, value) for key, value in attributes)
    if span.kind:
        tags.append(_string_tag("span.kind", SPAN_KINDS[span.kind]))
    if span.status_code:
        tags.append(_string_tag("otel.status_code", ("", "OK", "ERROR")[span.status_code]))
    if span.status_code == 2:
        tags.append('{"key":"error","type":"bool","value":true}')
    if span.span.status.message:
        tags.append(_string_tag("otel.status_description", span.span.status.message))
    if span.span.trace_state:
        tags.append(_string_tag("w3c.tracestate", span.span.trace_state))
    return f"[{','.join(tags)}]"


def _fields_json(event: Span.Event, *, raw: bool) -> str:
    pairs: Attributes = tuple((pair.key, pair.value) for pair in event.attributes)
    if not raw:
        pairs = _sorted(pairs)
    fields = [to_key_value_json(key, value) for key, value in pairs]
    if event.name and all(key != "event" for key, _ in pairs):
        fields.insert(0, _string_tag("event", event.name))
    return f"[{','.join(fields)}]"


def _process_json(service: str, resource: Attributes) -> str:
    tags = ",".join(to_key_value_json(key, value) for key, value in resource)
    return f'{{"serviceName":{json_string(service)},"tags":[{tags}]}}'


def _string_tag(key: str, value: str) -> str:
    return to_key_value_json(key, AnyValue(string_value=value))
