"""Instructions for assistants: how a question about traces is gone about with these tools.

Source: jaeger.md section 4.5, `read_skill`. There are no texts of the operator's.
"""

from __future__ import annotations

from typing import Any, Final

from lymer.api.mcp.protocol import Tool
from lymer.errors import QuestionError
from lymer.query.service import QueryService

__all__ = ["SKILL_TOOLS"]

_SKILLS: Final = {
    "SKILL.md": (
        "Texts: latency.md (why is it slow), errors.md (why does it fail), search.md (the search "
        "language). Begin with get_root_cause; without times it looks at the last 15 minutes, or "
        "at the newest recording. Name services, spans and times as the tools say them, and give "
        "the trace id that shows what you claim. An answer with left_out is shortened: ask again "
        "with a larger max_tokens or a narrower question before you conclude from what is absent."
    ),
    "latency.md": (
        "1. get_root_cause: candidates by score; a likelihoodRatio below 16 is a maybe. 'slow' is "
        "a span's own time, 'network' the way between two services, 'queue' a wait for a consumer, "
        "'calls' more calls than before. byRule is a plain rule to compare with.\n"
        "2. explain_spans with the candidate's service, slowest 0.05: which version, host or "
        "customer has it.\n"
        "3. get_profile for the same query: self_part is work, critical_part is what the end of a "
        "trace waited for; with by=[field] per version or host.\n"
        "4. get_changes: since when; of=edges for calls between services.\n"
        "5. get_critical_path and get_trace_findings of an example; compare_traces with a fast one."
    ),
    "errors.md": (
        "1. get_root_cause: 'error' names the deepest spans that failed by themselves.\n"
        "2. search_traces with with_errors and the service, then get_trace_errors of one: message, "
        "exception event, attributes.\n"
        "3. explain_spans with only_errors: what failed spans have that others have not.\n"
        "4. get_changes: when the part of failed calls jumped."
    ),
    "search.md": (
        'TraceQL. { resource.service.name = "cart" && duration > 200ms && status = error }. '
        "Scopes: resource., span., event., link.; .key is any of span and resource. Intrinsics: "
        "name, kind, status, duration, rootName, rootServiceName, traceDuration, span:childCount. "
        "Structure: { A } >> { B } (B below A), > (child), ~ (sibling). Numbers: | count() > 3, "
        "| avg(duration) > 1s, | by(resource.service.name). Texts with =~ match whole values."
    ),
}


def _read_skill(query: QueryService, arguments: dict[str, Any], now: int) -> dict[str, Any]:
    del query, now
    path = str(arguments["path"]).strip().removeprefix("./").lstrip("/")
    if path not in _SKILLS:
        raise QuestionError(f"there is no skill {path[:64]!r}; there are {', '.join(_SKILLS)}")
    return {"instructions": _SKILLS[path]}


SKILL_TOOLS: Final = (
    Tool("read_skill", "Instructions for a task; read SKILL.md first, it lists the others.",
         {"path": {"type": "string", "description": "Such as SKILL.md or latency.md."}},
         ("path",), _read_skill),
)  # fmt: skip
