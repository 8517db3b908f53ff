"""Tools that read services and single traces, as Jaeger's own server has them.

Source: jaeger.md section 4.5.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import orjson

from lymer.analysis.forest import critical_path, durations, offsets, self_times
from lymer.analysis.statistics import sum_of
from lymer.api.mcp.arguments import (
    TIMES,
    WITHIN,
    duration_nano,
    text_of,
    time_range,
    told_time,
)
from lymer.api.mcp.protocol import Tool
from lymer.api.parameters import to_trace_id
from lymer.errors import QuestionError
from lymer.language.expressions import compiled
from lymer.model.columns import SpanColumns
from lymer.model.question import TraceQuestion
from lymer.query.adjust.parents import find_parent_rows
from lymer.query.service import QueryService

__all__ = ["STORE_TOOLS"]

_NAME_CHARACTERS_MAX: Final = 1_000
"""Of a name a pattern is looked for in so many."""
_LIMIT: Final = 100
_DEPTH_MAX: Final = 100
_SPANS_MAX: Final = 20
_HOUR: Final = 3600
_STATUSES: Final = ("UNSET", "OK", "ERROR")
_ERROR: Final = 2
_TEXT: Final = {"type": "string"}
_TRACE: Final = {"type": "string", "description": "Id of the trace, hex."}
_PATTERN: Final = {"type": "string", "description": "Regular expression the names must contain."}
_COUNT: Final = {"type": "integer", "description": "Most entries of the answer."}


def _services(query: QueryService, arguments: dict[str, Any], now: int) -> dict[str, Any]:
    del now
    return _listed("services", query.get_services(), arguments, str)


def _span_names(query: QueryService, arguments: dict[str, Any], now: int) -> dict[str, Any]:
    del now
    found = [
        {"name": one.name, "span_kind": one.span_kind}
        for one in query.get_operations(
            arguments["service_name"], text_of(arguments, "span_kind").lower()
        )
    ]
    return _listed("span_names", found, arguments, lambda one: str(one["name"]))


def _listed(name: str, found: list[Any], arguments: dict[str, Any], key: Any) -> dict[str, Any]:
    pattern = compiled(text_of(arguments, "pattern"))
    kept = [one for one in found if pattern.search(key(one)[:_NAME_CHARACTERS_MAX])]
    limit = max(1, int(arguments.get("limit", _LIMIT)))
    return {name: kept[:limit], "total_count": len(kept), "truncated": len(kept) > limit}


def _search(query: QueryService, arguments: dict[str, Any], now: int) -> dict[str, Any]:
    within = time_range(arguments, now, ("start_time_min", "start_time_max"), _HOUR)
    depth = int(arguments.get("search_depth", 10))
    if not 1 <= depth <= _DEPTH_MAX:
        raise QuestionError(f"search_depth must be from 1 to {_DEPTH_MAX}")
    tags = [(str(key), str(value)) for key, value in arguments.get("attributes", {}).items()]
    if arguments.get("with_errors"):
        tags.append(("error", "true"))
    question = TraceQuestion(
        start_unix_nano_min=within.start_unix_nano,
        start_unix_nano_max=within.end_unix_nano,
        service=text_of(arguments, "service_name"),
        operation=text_of(arguments, "span_name"),
        tags=tuple(tags),
        duration_nano_min=duration_nano(arguments, "duration_min"),
        duration_nano_max=duration_nano(arguments, "duration_max"),
        limit=depth,
    )
    return {
        "traces": [
            {
                "trace_id": one.trace_id,
                "root_service": one.root_service_name,
                "root_span_name": one.root_operation_name,
                "start_time": told_time(one.min_start_unix_nano),
                "duration_us": (one.max_end_unix_nano - one.min_start_unix_nano) // 1_000,
                "span_count": one.span_count,
                "service_count": len(one.services),
                "services": [service for service, _, _ in one.services],
                "has_errors": one.error_span_count > 0,
            }
            for one in query.find_summaries(question)
        ]
    }


def _span_details(query: QueryService, arguments: dict[str, Any], now: int) -> dict[str, Any]:
    del now
    wanted = [str(one).lower().rjust(16, "0") for one in arguments["span_ids"]]
    if not 1 <= len(wanted) <= _SPANS_MAX:
        raise QuestionError(f"span_ids must name 1 to {_SPANS_MAX} spans")
    trace = query.get_trace(to_trace_id(arguments["trace_id"]))
    rows = [row for row, span_id in enumerate(trace.span_id) if span_id in wanted]
    answer: dict[str, Any] = {
        "trace_id": trace.trace_id[0],
        "spans": [_detail(trace, row) for row in rows],
    }
    missing = sorted({*wanted} - {trace.span_id[row] for row in rows})
    if missing:
        answer["error"] = f"not in this trace: {', '.join(missing)}"
    return answer


def _errors(query: QueryService, arguments: dict[str, Any], now: int) -> dict[str, Any]:
    del now
    trace = query.get_trace(to_trace_id(arguments["trace_id"]))
    rows = [row for row, status in enumerate(trace.status_code) if status == _ERROR]
    return {
        "trace_id": trace.trace_id[0],
        "total_error_count": len(rows),
        "spans": [_detail(trace, row) for row in rows],
    }


def _detail(trace: SpanColumns, row: int) -> dict[str, Any]:
    attributes = {tag["key"]: tag["value"] for tag in orjson.loads(trace.tags_json[row] or "[]")}
    status: dict[str, Any] = {"code": _STATUSES[trace.status_code[row]]}
    if message := attributes.pop("otel.status_description", None):
        status["message"] = message
    detail: dict[str, Any] = {
        "span_id": trace.span_id[row],
        "trace_id": trace.trace_id[row],
        "service": trace.service[row],
        "span_name": trace.name[row],
        "start_time": told_time(trace.start_unix_nano[row]),
        "duration_us": trace.duration_nano[row] // 1_000,
        "status": status,
        "attributes": attributes,
    }
    if trace.parent_span_id[row]:
        detail["parent_span_id"] = trace.parent_span_id[row]
    fields = trace.event_fields_json[row]
    if fields:
        detail["events"] = [
            {
                "time": told_time(at),
                "attributes": {one["key"]: one["value"] for one in orjson.loads(text)},
            }
            for at, text in zip(trace.event_unix_nano[row], fields, strict=True)
        ]
    if trace.links[row]:
        detail["links"] = [{"trace_id": one[0], "span_id": one[1]} for one in trace.links[row]]
    return detail


def _topology(query: QueryService, arguments: dict[str, Any], now: int) -> dict[str, Any]:
    del now
    trace = query.get_skeleton(to_trace_id(arguments["trace_id"]))
    depth_max = int(arguments.get("depth", 0))
    parents = find_parent_rows(trace)
    children: dict[int, list[int]] = {}
    for row, parent in enumerate(parents):
        children.setdefault(parent, []).append(row)
    spans = []
    waiting = [(row, trace.span_id[row], 1) for row in reversed(children.get(-1, []))]
    while waiting:
        row, path, depth = waiting.pop()
        below = children.get(row, [])
        span: dict[str, Any] = {
            "path": path,
            "service": trace.service[row],
            "span_name": trace.name[row],
            "start_time": told_time(trace.start_unix_nano[row]),
            "duration_us": trace.duration_nano[row] // 1_000,
            "status": _STATUSES[trace.status_code[row]],
        }
        if depth_max and depth >= depth_max:
            if below:
                span["truncated_children"] = len(below)
        else:
            waiting += [(one, f"{path}/{trace.span_id[one]}", depth + 1) for one in reversed(below)]
        spans.append(span)
    return {"trace_id": trace.trace_id[0], "spans": spans}


def _critical_path(query: QueryService, arguments: dict[str, Any], now: int) -> dict[str, Any]:
    del now
    trace = query.get_skeleton(to_trace_id(arguments["trace_id"]))
    parent = np.array(find_parent_rows(trace), dtype=np.int64)
    start, duration = offsets(trace.start_unix_nano), durations(trace.duration_nano)
    path = critical_path(parent, start, duration, np.array(trace.kind, dtype=np.uint8))
    own = self_times(parent, start, duration)
    segments = [
        {
            "span_id": trace.span_id[row],
            "service": trace.service[row],
            "span_name": trace.name[row],
            "self_time_us": int(own[row]) // 1_000,
            "start_offset_us": first // 1_000,
            "end_offset_us": last // 1_000,
        }
        for row, first, last in sorted(
            zip(path.row.tolist(), path.start.tolist(), path.end.tolist(), strict=True),
            key=lambda one: one[1],
        )
    ]
    return {
        "trace_id": trace.trace_id[0],
        "total_duration_us": int((start + duration).max()) // 1_000,
        "critical_path_duration_us": sum_of(path.end - path.start) // 1_000,
        "segments": segments,
    }


def _dependencies(query: QueryService, arguments: dict[str, Any], now: int) -> dict[str, Any]:
    within = time_range(arguments, now, default_seconds=24 * _HOUR)
    found = query.get_dependencies(within.start_unix_nano, within.end_unix_nano)
    return {
        "dependencies": [
            {"caller": one.parent, "callee": one.child, "call_count": one.call_count}
            for one in found
        ]
    }


STORE_TOOLS: Final = (
    Tool("get_services", "Names of the services that send traces.",
         {"pattern": _PATTERN, "limit": _COUNT}, (), _services),
    Tool("get_span_names", "Names and kinds of a service's spans.",
         {"service_name": _TEXT, "pattern": _PATTERN, "span_kind": _TEXT, "limit": _COUNT},
         ("service_name",), _span_names),
    Tool("search_traces", "The newest traces with a span that fulfils every condition.",
         {**TIMES, "service_name": _TEXT, "span_name": _TEXT,
          "attributes": {"type": "object", "description": "Key to value, all of which match."},
          "with_errors": {"type": "boolean"},
          "duration_min": {"type": "string", "description": "Such as 200ms."},
          "duration_max": _TEXT,
          "search_depth": {"type": "integer", "description": "Most traces, 1 to 100."}},
         (), _search),
    Tool("get_span_details", "Attributes, events and links of up to 20 spans of a trace.",
         {"trace_id": _TRACE, "span_ids": {"type": "array", "items": _TEXT}},
         ("trace_id", "span_ids"), _span_details),
    Tool("get_trace_errors", "The spans of a trace that failed, with their details.",
         {"trace_id": _TRACE}, ("trace_id",), _errors),
    Tool("get_trace_topology", "Who calls whom in a trace, parents first, without attributes.",
         {"trace_id": _TRACE,
          "depth": {"type": "integer", "description": "Levels shown; 0 shows all."}},
         ("trace_id",), _topology),
    Tool("get_critical_path", "The sections of spans that the end of a trace waited for.",
         {"trace_id": _TRACE}, ("trace_id",), _critical_path),
    Tool("get_service_dependencies", "Calls between services. Default: the last day.",
         WITHIN, (), _dependencies),
)  # fmt: skip
