"""Tempo's answers as JSON: protobuf's JSON form, whole numbers of 64 bits as texts.

Source: Grafana Tempo, `pkg/tempopb/tempo.proto`, `pkg/api/http.go`.
"""

from __future__ import annotations

import base64
import math
from typing import Any, Final

from opentelemetry.proto.common.v1 import common_pb2

from lymer.storage.caller import ESTIMATED
from lymer.storage.search_contract import (
    FieldValue,
    FoundSeries,
    FoundSpan,
    FoundSpanset,
    FoundSpansets,
    MatchedTrace,
    Scanned,
    Series,
    TypedValue,
)

__all__ = ["any_value", "instant", "key_value", "metrics", "search", "series_range", "tag_value"]

_AnyValue: Any = common_pb2.AnyValue
_TAG_TYPES: Final = {"status": "keyword", "kind": "keyword", "any": "string"}


def any_value(value: TypedValue | None) -> dict[str, Any]:
    """Return an AnyValue in JSON; nothing is the text `nil`."""
    if value is None:
        return {"stringValue": "nil"}
    kind, content = value
    match kind:
        case "bool":
            return {"boolValue": content}
        case "int" | "duration" | "time":
            return {"intValue": str(content)}
        case "float":
            return {"doubleValue": content if math.isfinite(content) else str(content)}
        case "any":
            return _nested(_AnyValue.FromString(content))
        case _:
            return {"stringValue": content}


def _nested(message: Any) -> dict[str, Any]:
    match message.WhichOneof("value"):
        case "string_value":
            return {"stringValue": message.string_value}
        case "bool_value":
            return {"boolValue": message.bool_value}
        case "int_value":
            return {"intValue": str(message.int_value)}
        case "double_value":
            return {"doubleValue": message.double_value}
        case "bytes_value":
            return {"bytesValue": base64.b64encode(message.bytes_value).decode()}
        case "array_value":
            return {"arrayValue": {"values": [_nested(one) for one in message.array_value.values]}}
        case _:
            return {"kvlistValue": {"values": [
                {"key": one.key, "value": _nested(one.value)} for one in message.kvlist_value.values
            ]}}  # fmt: skip


def key_value(name: str, value: TypedValue | None) -> dict[str, Any]:
    """Return a KeyValue."""
    return {"key": name, "value": any_value(value)}


def metrics(scanned: Scanned, *, is_complete: bool = True) -> dict[str, Any]:
    """Return what was looked at; an answer that is not complete has its one job unfinished."""
    return {
        "inspectedTraces": scanned.traces,
        "inspectedSpans": str(scanned.spans),
        "inspectedBytes": "0",
        "completedJobs": int(is_complete),
        "totalJobs": 1,
    }


def search(found: FoundSpansets) -> dict[str, Any]:
    """Return the answer of `/api/search`."""
    return {
        "traces": [_trace(one) for one in found.traces],
        "metrics": metrics(found.scanned, is_complete=found.is_complete),
    }


def _trace(one: MatchedTrace) -> dict[str, Any]:
    sets = [_spanset(some) for some in one.sets]
    return {
        "traceID": one.trace_id.lstrip("0") or "0",
        "rootServiceName": one.root_service or "<root span not yet received>",
        "rootTraceName": one.root_name,
        "startTimeUnixNano": str(one.start_unix_nano),
        "durationMs": min(one.duration_nano // 1_000_000, 2**32 - 1),
        "spanSet": sets[0],
        "spanSets": sets,
        "serviceStats": {
            name: {"spanCount": spans, "errorCount": errors} for name, spans, errors in one.services
        },
    }


def _spanset(one: FoundSpanset) -> dict[str, Any]:
    shown: dict[str, Any] = {"spans": [_span(span) for span in one.spans], "matched": one.matched}
    if one.values:
        shown["attributes"] = [key_value(name, value) for name, value in one.values]
    return shown


def _span(one: FoundSpan) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "spanID": one.span_id,
        "name": one.name,
        "startTimeUnixNano": str(one.start_unix_nano),
        "durationNanos": str(one.duration_nano),
    }
    if one.values:
        shown["attributes"] = [key_value(name, value) for name, value in one.values]
    return shown


def series_range(found: FoundSeries) -> dict[str, Any]:
    """Return the answer of `/api/metrics/query_range`."""
    return {
        "series": [_series(one) for one in found.series],
        "metrics": metrics(found.scanned, is_complete=found.is_complete),
        **_status(found),
    }


def _series(one: Series) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "labels": [key_value(name, value) for name, value in one.labels],
        "samples": [{"timestampMs": str(at), "value": value} for at, value in one.samples],
        "promLabels": prom_labels(one),
    }
    if one.exemplars:
        shown["exemplars"] = [
            {
                "labels": [
                    key_value("trace:id", ("string", exemplar.trace_id)),
                    key_value("span:id", ("string", exemplar.span_id)),
                ],
                "value": exemplar.value,
                "timestampMs": str(exemplar.unix_milli),
            }
            for exemplar in one.exemplars
        ]
    return shown


def instant(found: FoundSeries) -> dict[str, Any]:
    """Return the answer of `/api/metrics/query`.

    Grafana refuses it whole for a key that Tempo's message does not have.
    """
    return {
        "series": [
            {
                "labels": [key_value(name, value) for name, value in one.labels],
                "value": one.samples[-1][1],
            }
            for one in found.series
        ],
        "metrics": metrics(found.scanned, is_complete=found.is_complete),
        **_status(found),
    }


def prom_labels(one: Series) -> str:
    """Return the labels in Prometheus' notation, which older Grafanas name series by."""
    pairs = []
    for name, value in one.labels:
        text = "<nil>" if value is None else _plain(value)
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        plain = name.replace(".", "").replace("_", "").isalnum()
        shown = name if plain and "." not in name else f'"{name}"'
        pairs.append(f'{shown}="{escaped}"')
    return "{" + ", ".join(pairs) + "}"


def _plain(value: TypedValue) -> str:
    kind, content = value
    return str(content).lower() if kind == "bool" else str(content)


def _status(found: FoundSeries) -> dict[str, Any]:
    told = [] if found.is_complete else [found.reason]
    told += [ESTIMATED] if found.is_estimated else []
    status = {} if found.is_complete else {"status": "PARTIAL"}
    return {**status, "message": "; ".join(told)} if told else status


def tag_value(one: FieldValue) -> dict[str, str]:
    """Return a value of a tag with the name of its type, as a question would write it."""
    kind, content = one.value
    text = _plain(one.value)
    if kind == "duration":
        text = f"{content}ns"
    elif kind == "any":
        text = base64.b64encode(content).decode()
    return {"type": _TAG_TYPES.get(kind, kind), "value": text}
