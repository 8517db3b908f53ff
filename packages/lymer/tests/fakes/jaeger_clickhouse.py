"""Jaeger's table of spans in a ClickHouse server, filled as Jaeger fills it.

Source: Jaeger v2.20 `internal/storage/v2/clickhouse`, `sql/create_spans_table.sql` and
`tracestore/dbmodel/to.go`. `bench/migrate_jaeger.py` has a real Jaeger fill it.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import httpx
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from e2e.lymer_process import NO_TLS

__all__ = ["fill_jaeger_clickhouse"]

_TYPES: Final = {
    "bool": "Bool",
    "double": "Float64",
    "int": "Int64",
    "str": "String",
    "complex": "String",
}
_KINDS: Final = ("", "internal", "server", "client", "producer", "consumer")
_CODES: Final = ("Unset", "Ok", "Error")
_PLAIN: Final = {
    "bool_value": "bool",
    "double_value": "double",
    "int_value": "int",
    "string_value": "str",
}


def fill_jaeger_clickhouse(url: str, database: str, request: ExportTraceServiceRequest) -> None:
    """Make the table, and write the spans of a request into it."""
    _run(url, f"CREATE DATABASE {database}")
    _run(
        url,
        f"CREATE TABLE {database}.spans (id String, trace_id String, trace_state String, "
        "parent_span_id String, name String, kind String, start_time DateTime64(9), "
        f"status_code String, status_message String, duration Int64, {_nested('')}, "
        f"events Nested(name String, timestamp DateTime64(9), {_nested('')}), "
        f"links Nested(trace_id String, span_id String, trace_state String, {_nested('')}), "
        f"service_name String, {_nested('resource_')}, scope_name String, "
        f"scope_version String, {_nested('scope_')}) ENGINE = MergeTree "
        "PARTITION BY toDate(start_time) ORDER BY (service_name, name, toDateTime(start_time))",
    )
    rows = "\n".join(json.dumps(row) for row in _rows(request))
    _run(url, f"INSERT INTO {database}.spans FORMAT JSONEachRow\n{rows}")


def _run(url: str, statement: str) -> None:
    answer = httpx.post(url, content=statement, verify=NO_TLS)
    assert answer.status_code == 200, answer.text


def _nested(prefix: str) -> str:
    return ", ".join(
        f"{prefix}{kind}_attributes Nested(key String, value {of})" for kind, of in _TYPES.items()
    )


def _rows(request: ExportTraceServiceRequest) -> Iterator[dict[str, Any]]:
    for resource_spans in request.resource_spans:
        resource = resource_spans.resource.attributes
        service = next(one.value.string_value for one in resource if one.key == "service.name")
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope
            for span in scope_spans.spans:
                yield {
                    "id": span.span_id.hex(),
                    "trace_id": span.trace_id.hex(),
                    "trace_state": span.trace_state,
                    "parent_span_id": span.parent_span_id.hex(),
                    "name": span.name,
                    "kind": _KINDS[span.kind],
                    "start_time": _instant(span.start_time_unix_nano),
                    "status_code": _CODES[span.status.code],
                    "status_message": span.status.message,
                    "duration": span.end_time_unix_nano - span.start_time_unix_nano,
                    **_columns("", span.attributes),
                    "events.name": [one.name for one in span.events],
                    "events.timestamp": [_instant(one.time_unix_nano) for one in span.events],
                    **_each("events", [one.attributes for one in span.events]),
                    "links.trace_id": [one.trace_id.hex() for one in span.links],
                    "links.span_id": [one.span_id.hex() for one in span.links],
                    "links.trace_state": [one.trace_state for one in span.links],
                    **_each("links", [one.attributes for one in span.links]),
                    "service_name": service,
                    **_columns("resource_", resource),
                    "scope_name": scope.name,
                    "scope_version": scope.version,
                    **_columns("scope_", scope.attributes),
                }


def _instant(unix_nano: int) -> str:
    return f"{unix_nano // 10**9}.{unix_nano % 10**9:09d}"


def _columns(prefix: str, attributes: Iterable[KeyValue]) -> dict[str, list[Any]]:
    return {
        f"{prefix}{kind}_attributes.{part}": [one[at] for one in pairs]
        for kind, pairs in _by_type(attributes).items()
        for at, part in enumerate(("key", "value"))
    }


def _each(prefix: str, all_of: Sequence[Iterable[KeyValue]]) -> dict[str, list[Any]]:
    found = [_by_type(attributes) for attributes in all_of]
    return {
        f"{prefix}.{kind}_attributes": [
            [{"key": key, "value": value} for key, value in one[kind]] for one in found
        ]
        for kind in _TYPES
    }


def _by_type(attributes: Iterable[KeyValue]) -> dict[str, list[tuple[str, Any]]]:
    made: dict[str, list[tuple[str, Any]]] = {kind: [] for kind in _TYPES}
    for one in attributes:
        kind = one.value.WhichOneof("value")
        if kind in _PLAIN:
            value = getattr(one.value, kind)
            is_odd = isinstance(value, float) and not math.isfinite(value)
            made[_PLAIN[kind]].append((one.key, str(value) if is_odd else value))
        elif kind is not None:
            mark = {"bytes_value": "@bytes@", "array_value": "@slice@"}.get(kind, "@map@")
            made["complex"].append((mark + one.key, _text(one.value)))
    return made


def _text(value: AnyValue) -> str:
    if value.WhichOneof("value") == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return json.dumps(MessageToDict(value))
