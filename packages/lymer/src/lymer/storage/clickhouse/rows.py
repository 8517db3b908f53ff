"""Rows of the engine as `SpanColumns`, pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from opentelemetry.proto.common.v1 import common_pb2

from lymer.model.columns import SpanColumns
from lymer.storage.clickhouse.render import MARKER
from lymer.wire.jaeger_json import any_value_text, json_string, key_value_json

__all__ = ["columns_from_rows"]

_MARKED: Final = re.compile("\x01([LW]?)([0-9A-F]*)\\.([0-9A-F]*)\x01(,?)")
_HOST_KEYS: Final = ("host.id", "host.ip", "host.name")
_SERVICE_KEY: Final = "service.name"


@dataclass(slots=True)
class _Resource:
    """The resource of one row, and the processes its spans turn out to belong to."""

    keys: list[str]
    key_values: list[str]
    values: dict[str, bytes]

    def host(self) -> str:
        """Source: Jaeger v2.20, `adjuster/clockskew.go`, host key."""
        for key in _HOST_KEYS:
            if key in self.values:
                value: Any = common_pb2.AnyValue.FromString(self.values[key])
                inner = value.array_value.values
                if inner:
                    return any_value_text(inner[0].SerializeToString())
                return str(value.string_value)
        return ""

    def process_json(self, service: str, moved: dict[str, str]) -> str:
        """Return the process of a span that adds `moved` (key to KeyValue) to the resource."""
        pairs = [
            pair for pair in zip(self.keys, self.key_values, strict=True) if pair[0] != _SERVICE_KEY
        ]
        if moved:
            pairs = sorted([*pairs, *moved.items()], key=lambda pair: pair[0])
        tags = ",".join(key_value for _, key_value in pairs)
        return f'{{"serviceName":{json_string(service)},"tags":[{tags}]}}'


def columns_from_rows(output: bytes, trace_ids: Sequence[str]) -> SpanColumns:
    """Turn rows of `select_spans` into columns.

    Args:
        output: JSONCompactEachRow, one row per resource and scope.
        trace_ids: The order of the traces in the answer.
    """
    columns = SpanColumns()
    processes: dict[str, int] = {}
    for line in output.splitlines():
        keys, key_values, values, *arrays = orjson.loads(line)
        resource = _Resource(
            keys,
            [_resolved(text) for text in key_values],
            # The first of equal keys counts, as everywhere.
            {
                key: bytes.fromhex(value)
                for key, value in reversed(list(zip(keys, values, strict=True)))
            },
        )
        _extend(columns, arrays, resource, processes)
    columns.process_json = list(processes)
    return _in_order(columns, trace_ids)


def _extend(
    columns: SpanColumns, arrays: list[Any], resource: _Resource, processes: dict[str, int]
) -> None:
    (trace_id, span_id, parent, service, name, kind, status, start, duration, identity, warnings,
     tags, warnings_sent, times, fields, links) = arrays  # fmt: skip
    columns.trace_id += trace_id
    columns.span_id += span_id
    columns.parent_span_id += parent
    columns.service += service
    columns.name += name
    columns.kind += kind
    columns.status_code += status
    columns.start_unix_nano += start
    columns.duration_nano += duration
    columns.identity += identity
    columns.host += [resource.host()] * len(span_id)
    columns.event_unix_nano += times
    columns.event_fields_json += [
        [_resolved(text) for text in texts] if texts else [] for texts in fields
    ]
    columns.links += [[(t, s, bool(c)) for t, s, c in row] if row else [] for row in links]
    usual = processes.setdefault(
        resource.process_json(service[0], {}), len(processes)
    )
    for index, text in enumerate(tags):
        process = usual
        sent = bytes.fromhex(warnings_sent[index])
        if sent:
            warnings[index] = [*(_texts(sent) or ()), *warnings[index]]
        if MARKER in text:
            resolver = _SpanMarkers(resource)
            tags[index] = resolver.resolve(text)
            warnings[index] = [*resolver.warnings_sent, *warnings[index], *resolver.conflicts]
            if resolver.moved:
                process = processes.setdefault(
                    resource.process_json(service[0], resolver.moved), len(processes)
                )
        columns.process.append(process)
    columns.tags_json += tags
    columns.warnings += warnings


class _SpanMarkers:
    """Resolves the markers in one span's tags, and remembers what they lead to."""

    def __init__(self, resource: _Resource) -> None:
        self._resource = resource
        self.moved: dict[str, str] = {}
        """Library attributes that the resource lacks: key to KeyValue."""
        self.conflicts: list[str] = []
        self.warnings_sent: list[str] = []

    def resolve(self, text: str) -> str:
        """Return the tags with every marker replaced or dropped."""
        resolved = _MARKED.sub(self._replacement, text)
        # A dropped last tag leaves the comma that stood before it.
        return resolved[:-2] + "]" if resolved.endswith(",]") else resolved

    def _replacement(self, match: re.Match[str]) -> str:
        letter, key_hex, value_hex, comma = match.groups()
        key, value = bytes.fromhex(key_hex).decode(errors="replace"), bytes.fromhex(value_hex)
        if letter == "W":
            texts = _texts(value)
            if texts is not None:
                self.warnings_sent.extend(texts)
                return ""
        elif letter == "L" and self._is_of_resource(key, value):
            return ""
        return key_value_json(key, value) + comma

    def _is_of_resource(self, key: str, value: bytes) -> bool:
        """Move a library attribute, unless the resource has it with another value."""
        known = self._resource.values.get(key)
        if known is None:
            self.moved[key] = key_value_json(key, value)
            return True
        if known == value and value.startswith(b"\n"):
            return True
        self.conflicts.append(f"conflicting values between Span and Resource for attribute {key}")
        return False


def _texts(value: bytes) -> list[str] | None:
    """Return the texts of a list of warnings; None if the value is no list."""
    decoded: Any = common_pb2.AnyValue.FromString(value)
    if decoded.WhichOneof("value") != "array_value":
        return None
    return [any_value_text(inner.SerializeToString()) for inner in decoded.array_value.values]


def _plain(match: re.Match[str]) -> str:
    _, key_hex, value_hex, comma = match.groups()
    key = bytes.fromhex(key_hex).decode(errors="replace")
    return key_value_json(key, bytes.fromhex(value_hex)) + comma


def _resolved(text: str) -> str:
    return _MARKED.sub(_plain, text) if MARKER in text else text


def _in_order(columns: SpanColumns, trace_ids: Sequence[str]) -> SpanColumns:
    """Sort by trace as asked for, then start, then span id."""
    rank = {trace_id: place for place, trace_id in enumerate(dict.fromkeys(trace_ids))}
    starts, spans, traces = columns.start_unix_nano, columns.span_id, columns.trace_id
    order = sorted(
        range(len(spans)), key=lambda row: (rank[traces[row]], starts[row], spans[row])
    )
    take: Callable[[list[Any]], list[Any]] = lambda values: [values[row] for row in order]  # noqa: E731
    return SpanColumns(
        trace_id=take(traces),
        span_id=take(spans),
        parent_span_id=take(columns.parent_span_id),
        service=take(columns.service),
        name=take(columns.name),
        kind=take(columns.kind),
        status_code=take(columns.status_code),
        start_unix_nano=take(starts),
        duration_nano=take(columns.duration_nano),
        host=take(columns.host),
        identity=take(columns.identity),
        warnings=take(columns.warnings),
        tags_json=take(columns.tags_json),
        event_unix_nano=take(columns.event_unix_nano),
        event_fields_json=take(columns.event_fields_json),
        links=take(columns.links),
        process=take(columns.process),
        process_json=columns.process_json,
    )


