"""Spans of the table that Jaeger keeps in ClickHouse, as OTLP.

The server is asked over HTTP for rows of JSON, with nothing but what a user who may only read may
say. What Jaeger does not keep (flags, schema addresses, numbers of what was dropped) is gone.

Source: Jaeger v2.13 to v2.20 `internal/storage/v2/clickhouse`: `sql/create_spans_table.sql`,
`tracestore/dbmodel`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import SplitResult, quote, unquote

import orjson

from lymer.errors import LymerError, StartupError
from lymer.files.http_source import HttpSource
from lymer.wire.otlp_json import request_from_document
from lymer.wire.otlp_proto import CheckedRequest

__all__ = ["JaegerClickHouse"]

_HOUR_NANO: Final = 3_600 * 10**9
_DATABASE: Final = "jaeger"
"""Jaeger's default."""
_ROWS_PER_REQUEST: Final = 2_000
_TYPES: Final = ("bool", "double", "int", "str", "complex")
_MEMBERS: Final = ("boolValue", "doubleValue", "intValue", "stringValue")
_KINDS: Final = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
_CODES: Final = {"ok": 1, "error": 2}
_COMPLEX: Final = ("@bytes@", "@slice@", "@map@")
_NUMBERS: Final = {"nan": "NaN", "-nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}

_Pairs = list[dict[str, Any]]


def _attributes(prefix: str, *, is_nested: bool = False) -> list[str]:
    """Return the columns of attributes: keys and values of each type."""
    columns = []
    for kind in _TYPES:
        keys, values = f"{prefix}{kind}_attributes.key", f"{prefix}{kind}_attributes.value"
        if kind == "double":  # JSON has no words for those that are no numbers
            values = (
                f"arrayMap(ones -> arrayMap(one -> toString(one), ones), {values})"
                if is_nested
                else f"arrayMap(one -> toString(one), {values})"
            )
        columns += [keys, values]
    return columns


_COLUMNS: Final = (
    *("trace_id", "id", "parent_span_id", "trace_state", "name", "kind"),
    *("toUnixTimestamp64Nano(start_time)", "duration", "status_code", "status_message"),
    *("service_name", "scope_name", "scope_version"),
    *_attributes(""),
    *_attributes("resource_"),
    *_attributes("scope_"),
    *("events.name", "arrayMap(one -> toUnixTimestamp64Nano(one), events.timestamp)"),
    *_attributes("events.", is_nested=True),
    *("links.trace_id", "links.span_id", "links.trace_state"),
    *_attributes("links.", is_nested=True),
)
_PLAIN_COUNT: Final = 13
_PAIR_COUNT: Final = 2 * len(_TYPES)
_HOURS: Final = (
    "SELECT DISTINCT intDiv(toUnixTimestamp64Nano(start_time), {hour}) AS hour "
    "FROM spans ORDER BY hour DESC FORMAT JSONCompactEachRow"
)
_ROWS: Final = (
    "SELECT {columns} FROM spans "
    "WHERE start_time >= fromUnixTimestamp64Nano(toInt64({first})) "
    "AND start_time < fromUnixTimestamp64Nano(toInt64({end})) FORMAT JSONCompactEachRow"
)


class JaegerClickHouse:
    """Jaeger's table of spans: an hour is a part."""

    def __init__(self, address: SplitResult, *, is_secure: bool) -> None:
        """Remember where it is: the path of the address names its database."""
        self._source = HttpSource(address, port=8443 if is_secure else 8123, is_secure=is_secure)
        self._path = f"/?database={quote(unquote(address.path.strip('/')) or _DATABASE, safe='')}"

    def parts(self) -> Iterator[str]:
        """Yield hours since 1970 in which spans begin, the newest first."""
        for (hour,) in self._rows(_HOURS.format(hour=_HOUR_NANO)):
            yield str(hour)

    def read(self, part: str, told: Callable[[str, str], None]) -> Iterator[CheckedRequest]:
        """Yield the spans of that hour, as they lie."""
        first = int(part) * _HOUR_NANO
        waiting: list[dict[str, Any]] = []
        asked = _ROWS.format(columns=", ".join(_COLUMNS), first=first, end=first + _HOUR_NANO)
        for row in self._rows(asked):
            try:
                waiting.append(_resource_spans(row))
            except (LymerError, ValueError) as error:
                told(f"trace {row[0]}, span {row[1]}", str(error))
            if len(waiting) >= _ROWS_PER_REQUEST:
                yield from _requests(waiting, told)
                waiting = []
        yield from _requests(waiting, told)

    def _rows(self, statement: str) -> Iterator[list[Any]]:
        with self._source.ask("POST", self._path, statement.encode()) as answer:
            for line in answer:
                try:
                    row = orjson.loads(line.decode(errors="replace"))
                except ValueError:
                    row = None
                if not isinstance(row, list):  # a failure after the first rows
                    words = line[:2_000].decode(errors="replace").strip()
                    raise StartupError(f"{self._source.url} broke off: {words}")
                yield row


def _requests(
    waiting: Sequence[dict[str, Any]], told: Callable[[str, str], None]
) -> Iterator[CheckedRequest]:
    """Yield one request of all; if one of them is no span, one of each that is."""
    try:
        if waiting:
            yield request_from_document({"resourceSpans": waiting})
    except LymerError as error:
        if len(waiting) == 1:
            span = waiting[0]["scopeSpans"][0]["spans"][0]
            told(f"trace {span['traceId']}, span {span['spanId']}", str(error))
            return
        for one in waiting:
            yield from _requests([one], told)


def _resource_spans(row: Sequence[Any]) -> dict[str, Any]:
    """Return what a row says, as OTLP's JSON has it."""
    (
        trace_id, span_id, parent_id, trace_state, name, kind, start, duration, code, message,
        service, scope_name, scope_version,
    ) = row[:_PLAIN_COUNT]  # fmt: skip
    rest = iter(row[_PLAIN_COUNT:])

    def take(count: int) -> list[Any]:
        return [next(rest) for _ in range(count)]

    own, resource, scope = (_pairs(take(_PAIR_COUNT)) for _ in range(3))
    event_names, event_times, *event_pairs = take(2 + _PAIR_COUNT)
    link_traces, link_spans, link_states, *link_pairs = take(3 + _PAIR_COUNT)
    if not any(one["key"] == "service.name" for one in resource):
        resource.insert(0, {"key": "service.name", "value": {"stringValue": service}})
    began = max(int(start), 0)
    span = {
        "traceId": trace_id,
        "spanId": span_id,
        "parentSpanId": parent_id,
        "traceState": trace_state,
        "name": name,
        "kind": _KINDS.get(kind.lower(), 0),
        "startTimeUnixNano": began,
        "endTimeUnixNano": max(began + int(duration), 0),
        "status": {"code": _CODES.get(code.lower(), 0), "message": message},
        "attributes": own,
        "events": [
            {
                "name": event,
                "timeUnixNano": max(int(event_times[at]), 0),
                "attributes": _pairs([column[at] for column in event_pairs]),
            }
            for at, event in enumerate(event_names)
        ],
        "links": [
            {
                "traceId": link,
                "spanId": link_spans[at],
                "traceState": link_states[at],
                "attributes": _pairs([column[at] for column in link_pairs]),
            }
            for at, link in enumerate(link_traces)
        ],
    }
    named = {"name": scope_name, "version": scope_version, "attributes": scope}
    return {
        "resource": {"attributes": resource},
        "scopeSpans": [{"scope": named, "spans": [span]}],
    }


def _pairs(columns: Sequence[Any]) -> _Pairs:
    """Return attributes of the columns of each type: keys, values."""
    made: _Pairs = []
    for at, member in enumerate(_MEMBERS):
        for key, value in zip(columns[2 * at], columns[2 * at + 1], strict=True):
            told = _NUMBERS.get(value, value) if member == "doubleValue" else value
            made.append({"key": key, "value": {member: told}})
    for key, value in zip(*columns[-2:], strict=True):
        kind = next((one for one in _COMPLEX if key.startswith(one)), None)
        if kind is None:
            raise ValueError(f"attribute {key[:64]!r} is of no type that is known")
        made.append(
            {
                "key": key.removeprefix(kind),
                "value": {"bytesValue": value} if kind == "@bytes@" else orjson.loads(value),
            }
        )
    return made
