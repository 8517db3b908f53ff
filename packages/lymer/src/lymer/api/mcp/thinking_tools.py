"""Tools that think about many traces: causes, differences, profiles, changes."""

from __future__ import annotations

from typing import Any, Final

from lymer.api.diagnosis import told_changes, told_explanation, told_findings, told_root_cause
from lymer.api.mcp.arguments import WITHIN, text_of, time_range
from lymer.api.mcp.protocol import Tool
from lymer.api.parameters import to_trace_id
from lymer.errors import QuestionError
from lymer.query.changes import CHANGED, find_changes
from lymer.query.diagnosis import TimeRange
from lymer.query.service import QueryService

__all__ = ["THINKING_TOOLS"]

_DAY: Final = 86_400
_QUESTION: Final = {
    "type": "string",
    "description": 'In TraceQL, such as { resource.service.name = "cart" && duration > 200ms }.',
}


def _range(query: QueryService, arguments: dict[str, Any], now: int) -> TimeRange:
    """Return the range asked for; where nobody says when, the store is asked."""
    if text_of(arguments, "start_time") or text_of(arguments, "end_time"):
        return time_range(arguments, now)
    return query.diagnosis().latest(now)


def _root_cause(query: QueryService, arguments: dict[str, Any], now: int) -> dict[str, Any]:
    return told_root_cause(query.diagnosis().root_cause(_range(query, arguments, now)))


def _explain(query: QueryService, arguments: dict[str, Any], now: int) -> dict[str, Any]:
    slowest = float(arguments.get("slowest", 0.0))
    if not 0 <= slowest < 1:
        raise QuestionError("slowest is a part, from 0 to 1")
    found = query.diagnosis().explain(
        _range(query, arguments, now),
        text_of(arguments, "query"),
        slowest=slowest,
        only_errors=bool(arguments.get("only_errors")),
        baseline=text_of(arguments, "baseline"),
    )
    return told_explanation(found)


def _profile(query: QueryService, arguments: dict[str, Any], now: int) -> dict[str, Any]:
    by = [str(one) for one in arguments.get("by", [])]
    found = query.diagnosis().profile(
        _range(query, arguments, now), text_of(arguments, "query"), by
    )
    whole = sum(one.self_time for one in found.operations) or 1
    path = sum(one.critical for one in found.operations) or 1
    return {
        "traces": found.sample.traces,
        "of_traces": found.sample.of_traces,
        "operations": [
            {
                **(
                    {"values": list(one.by)}
                    if by
                    else {"service": one.service, "span_name": one.operation}
                ),
                "self_part": round(one.self_time / whole, 4),
                "critical_part": round(one.critical / path, 4),
                "calls_per_trace": round(one.spans / max(found.sample.traces, 1), 3),
                "errors": one.errors,
                "p50_us": one.p50 // 1_000,
                "p95_us": one.p95 // 1_000,
                "p99_us": one.p99 // 1_000,
            }
            for one in found.operations
        ],
    }


def _changes(query: QueryService, arguments: dict[str, Any], now: int) -> dict[str, Any]:
    within = time_range(arguments, now, default_seconds=_DAY)
    service, of = text_of(arguments, "service_name"), text_of(arguments, "of")
    found = find_changes(
        query.reader,
        within.start_unix_nano,
        within.end_unix_nano,
        [service] if service else (),
        [of] if of else CHANGED,
    )
    return {"changes": told_changes(found)}


def _findings(query: QueryService, arguments: dict[str, Any], now: int) -> dict[str, Any]:
    del now
    found = query.diagnosis().findings_of_trace(to_trace_id(arguments["trace_id"]))
    return {"findings": told_findings(*found)}


def _compare(query: QueryService, arguments: dict[str, Any], now: int) -> dict[str, Any]:
    del now
    found, said = query.diagnosis().difference(
        [to_trace_id(arguments["trace_id"])], [to_trace_id(arguments["other_trace_id"])]
    )
    return {
        "summary": said,
        "paths": [
            {
                "path": " > ".join(f"{service} {name}" for service, name in one.path),
                "calls": one.calls,
                "self_us": [round(value / 1_000) for value in one.self_time],
            }
            for one in found
        ],
    }


THINKING_TOOLS: Final = (
    Tool("get_root_cause", "When something went wrong lately and where it began, best candidate "
         "first, with evidence and example traces; and what a plain rule says.",
         WITHIN, (), _root_cause),
    Tool("explain_spans", "What is different about the spans that match a query: attribute values, "
         "callees, versions, hosts. Without conditions on speed or errors: what went wrong there.",
         {**WITHIN, "query": _QUESTION, "baseline": _QUESTION,
          "slowest": {"type": "number", "description": "Of them the slowest part, 0.05 say."},
          "only_errors": {"type": "boolean"}}, (), _explain),
    Tool("get_profile", "Which operations the time of the matching traces goes to, by themselves "
         "and on the critical path; or, with by, groups of spans.",
         {**WITHIN, "query": _QUESTION,
          "by": {"type": "array", "items": {"type": "string"},
                 "description": "Fields such as resource.service.version, instead of operations."}},
         (), _profile),
    Tool("get_changes", "When rate, errors or latency jumped, of operations and of the calls "
         "between services (caller, service). Default: the last day.",
         {**WITHIN, "service_name": {"type": "string"},
          "of": {"type": "string", "description": "operations or edges; default: both."}},
         (), _changes),
    Tool("get_trace_findings", "What is remarkable about one trace: repeated calls, retries, calls "
         "in a row, gaps, clock skew, orphans.", {"trace_id": {"type": "string"}}, ("trace_id",),
         _findings),
    Tool("compare_traces", "What two traces do differently, by the paths of their calls.",
         {"trace_id": {"type": "string"}, "other_trace_id": {"type": "string"}},
         ("trace_id", "other_trace_id"), _compare),
)  # fmt: skip
