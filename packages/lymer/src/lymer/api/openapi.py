"""`/api/openapi.json`: every path of the query API, as OpenAPI 3.1.

One line of `_PATHS` for each route: what it is asked with, and the shape of what it answers.
`tests/integration/api/test_openapi.py` holds it to the routes and to real answers.
Source: OpenAPI specification 3.1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lymer.api.schemas import ANYTHING, NUMBER, SCHEMAS, TEXT, TRUTH, WHOLE, list_of, ref
from lymer.api.tail import MEDIA_TYPE as TAIL
from lymer.api.trace_columns import MEDIA_TYPE as COLUMNS

__all__ = ["ADMIN_PATHS", "document", "openapi_route"]

_TYPES: Final = {"": TEXT, "i": WHOLE, "n": NUMBER, "b": TRUTH}
_SEARCH: Final = (
    "service operation start:i end:i limit:i minDuration maxDuration tag* tags* traceID* raw:b "
    "lookback prettyPrint:b anyName:b"
)
_V3_SEARCH: Final = (
    "query.serviceName query.operationName query.attributes query.startTimeMin! "
    "query.startTimeMax! query.durationMin query.durationMax query.searchDepth:i query.filter "
    "query.rawTraces:b query.anyName:b"
)
_METRICS: Final = (
    "service!* spanKind* groupByOperation:b endTs:i lookback:i step:i ratePer:i quantile:n"
)
_WINDOW: Final = "start:i end:i windowStart:i windowEnd:i"
_TRACE: Final = "/api/lymer/v1/traces/{trace_id}"
_DIAGNOSIS: Final = "/api/lymer/v1/diagnosis"
_TEMPO: Final = "/tempo/api"
_TIMES: Final = "start end since"
_ZIPKIN: Final = "/zipkin/api/v2"
_ZIPKIN_SEARCH: Final = (
    "serviceName remoteServiceName spanName annotationQuery minDuration:i maxDuration:i endTs:i "
    "lookback:i limit:i"
)

_PATHS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("/api/services", "Names of all services", "", "Names"),
    ("/api/operations", "Operations of a service", "service! spanKind", "Operations"),
    ("/api/services/{service}/operations", "Names of a service's operations", "", "Names"),
    ("/api/traces", "Traces that match, or traces by id", _SEARCH, "Traces"),
    ("/api/traces/{trace_id}", "One trace", "raw:b start:i end:i prettyPrint:b", "Traces"),
    ("/api/dependencies", "Calls between services", "endTs:i lookback:i service", "Dependencies"),
    ("POST /api/transform", "Traces of an OTLP document, not stored", "", "Traces"),
    ("POST /api/archive/{trace_id}", "Keep a trace in the archive", "start:i end:i", "Object"),
    ("/api/deep-dependencies", "Paths past a service", "service! operation start:i end:i",
     "DeepPaths"),
    ("/analytics/v1/dependencies", "Paths past a service", "service! operation start:i end:i",
     "DeepPaths"),
    ("/api/quality-metrics", "How good a service's spans are", "service! hours:i", "Quality"),
    ("/api/metrics/{name}", "latencies, calls, errors or minstep", _METRICS,
     "MetricFamily|Envelope"),
    ("/api/lymer/v1/service-graph", "Services, databases, peers and queues, with figures",
     "endTs:i lookback:i compare:b", "ServiceGraph"),
    ("/api/lymer/v1/practice", "Demo traffic and incidents to practise on, where there are", "",
     "Practice"),
    ("POST /api/lymer/v1/practice", "Start or stop them: do is traffic, stop or incident", "",
     "Practice"),
    ("/api/v3/services", "Names of all services", "", "V3Services"),
    ("/api/v3/operations", "Operations of a service", "service! spanKind", "V3Operations"),
    ("/api/v3/trace-summaries", "One line for each trace that matches",
     f"{_V3_SEARCH} query.pagination.pageSize:i query.pagination.pageToken", "V3Summaries"),
    ("/api/v3/traces", "Traces that match, as OTLP", _V3_SEARCH, "V3Traces"),
    ("/api/v3/traces/{trace_id}", "One trace as OTLP", "rawTraces:b", "V3Traces"),
    ("POST /api/ai/mcp", "Model Context Protocol", "", "Object"),
    ("POST /api/ai/mcp/", "Model Context Protocol", "", "Object"),
    (f"{_DIAGNOSIS}/root-cause", "Where an anomaly began", _WINDOW, "RootCause"),
    (f"{_DIAGNOSIS}/explain", "What is different about the spans of a question",
     f"{_WINDOW} q baseline slowest errors:b minDuration maxDuration progressive:b", "Explanation"),
    (f"{_DIAGNOSIS}/profile", "Costs of operations or groups of spans, and by path",
     "start:i end:i q by* progressive:b", "Profile"),
    (f"{_DIAGNOSIS}/changes", "When rate, errors or latency of operations and edges jumped",
     "start:i end:i service* of*", "Changes"),
    (f"{_DIAGNOSIS}/difference", "Two traces, or sets of them, by path", "one!* other!*",
     "PathDifferences"),
    (f"{_TRACE}/findings", "What is remarkable about a trace", "", "Findings"),
    (f"{_TRACE}/columns", "A trace as binary columns", "", COLUMNS),
    (f"{_TRACE}/find", "Spans in which a text occurs", "text!", "Found"),
    (f"{_TRACE}/part", "What was found and what is around it", "text! levels:i", COLUMNS),
    (f"{_TRACE}/statistics", "Times by groups of spans", "by!*", "Statistics"),
    (f"{_TRACE}/spans/{{span_id}}", "One span with everything", "", "Traces"),
    ("/api/lymer/v1/otlp", "Traces by id as OTLP protobuf, as they are stored", "traceID!*",
     "application/x-protobuf"),
    ("/api/search", "Traces that match a question in the search language",
     f"q {_TIMES} limit:i spss:i order cursor", "Search"),
    ("/api/search/series", "Numbers over time", f"q! {_TIMES} step exemplars:i", "Series"),
    ("/api/search/check", "Whether a question can be read, what it asks for, and as a form", "q",
     "Checked"),
    ("/api/search/summaries", "One line for each trace that matches",
     f"q {_TIMES} limit:i order", "Summaries"),
    ("/api/search/heatmap", "Matching spans by start and duration", f"q {_TIMES} columns:i",
     "Heatmap"),
    ("/api/search/fields", "Attributes that spans have", f"q {_TIMES} limit:i", "Fields"),
    ("/api/search/values", "Values of a field", f"field! q {_TIMES} limit:i", "Values"),
    ("/api/tail", "Spans as they are stored, as server-sent events", "q rate:i", TAIL),
    (f"{_TEMPO}/traces/{{trace_id}}", "One trace as OTLP", "", "Object"),
    (f"{_TEMPO}/v2/traces/{{trace_id}}", "One trace as OTLP", "", "Object"),
    (f"{_TEMPO}/search", "Traces that match a question in TraceQL",
     f"q {_TIMES} limit:i spss:i tags minDuration maxDuration", "Search"),
    (f"{_TEMPO}/search/tags", "Attributes that spans have", f"q scope {_TIMES} limit:i", "Tags"),
    (f"{_TEMPO}/v2/search/tags", "Attributes, by scope", f"q scope {_TIMES} limit:i",
     "TagScopes"),
    (f"{_TEMPO}/search/tag/{{tag_name}}/values", "Values of a field", f"q {_TIMES} limit:i",
     "TagTexts"),
    (f"{_TEMPO}/v2/search/tag/{{tag_name}}/values", "Values of a field, with types",
     f"q {_TIMES} limit:i", "TagValues"),
    (f"{_TEMPO}/metrics/query_range", "Numbers over time", f"q! {_TIMES} step exemplars:i",
     "Series"),
    (f"{_TEMPO}/metrics/query", "Numbers of a range", f"q! {_TIMES}", "Instant"),
    (f"{_TEMPO}/echo", "Whether somebody answers", "", "text/plain"),
    (f"{_TEMPO}/status/buildinfo", "Which release of Tempo this speaks", "", "Object"),
    ("/tempo/ready", "Whether questions are answered", "", "text/plain"),
    (f"{_ZIPKIN}/services", "Names of all services", "", "Texts"),
    (f"{_ZIPKIN}/spans", "Names of a service's spans", "serviceName!", "Texts"),
    (f"{_ZIPKIN}/remoteServices", "Whom a service calls", "serviceName!", "Texts"),
    (f"{_ZIPKIN}/traces", "Traces that match", _ZIPKIN_SEARCH, "ZipkinTraces"),
    (f"{_ZIPKIN}/trace/{{trace_id}}", "One trace", "", "ZipkinTrace"),
    (f"{_ZIPKIN}/traceMany", "Several traces", "traceIds!", "ZipkinTraces"),
    (f"{_ZIPKIN}/dependencies", "Calls between services", "endTs!:i lookback:i", "ZipkinLinks"),
    (f"{_ZIPKIN}/autocompleteKeys", "Keys of tags", "", "Texts"),
    (f"{_ZIPKIN}/autocompleteValues", "Values of a tag", "key!", "Texts"),
    ("/zipkin/config.json", "What Zipkin's interface asks for", "", "Object"),
)  # fmt: skip
"""Method and path, what it is for, parameters of the query, name of the answer's schema or its
media type. A parameter is `name`, `!` if it must be there, `*` if it may come several times, `:`
and i (integer), n (number), b (boolean) for what is no text."""

ADMIN_PATHS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("DELETE /api/lymer/v1/traces", "Delete traces, for good", "q traceID* start end dryRun:b",
     "Deleted"),
    ("/api/lymer/v1/deletions", "What was deleted, by whom", "", "Deletions"),
)  # fmt: skip
"""What the admin port answers where the store is, beside health and metrics."""


def document(
    base_path: str = "", *, described: Sequence[tuple[str, str, str, str]] = _PATHS
) -> dict[str, Any]:
    """Return the whole document of a port; without `described`, of the query API's."""
    paths: dict[str, Any] = {}
    for line, summary, query, answer in described:
        method, _, path = line.rpartition(" ")
        paths.setdefault(path, {})[method.lower() or "get"] = _operation(
            path, summary, query, answer, has_body=method == "POST"
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lymer",
            "version": "1",
            "description": "Query APIs of Jaeger, Zipkin and Tempo, and Lymer's own.",
        },
        "servers": [{"url": base_path or "/"}],
        "paths": paths,
        "components": {"schemas": SCHEMAS},
    }


def _operation(
    path: str, summary: str, query: str, answer: str, *, has_body: bool
) -> dict[str, Any]:
    named = re.findall(r"\{(\w+)\}", path)
    in_path = [{"name": one, "in": "path", "required": True, "schema": TEXT} for one in named]
    operation: dict[str, Any] = {
        "summary": summary,
        "parameters": [*in_path, *map(_parameter, query.split())],
        "responses": {
            "200": {"description": "The answer", "content": _content(answer)},
            "default": {
                "description": "A refusal: 4xx, or 503 when there is too much to do",
                "content": {kind: {"schema": {}} for kind in ("application/json", "text/plain")},
            },
        },
    }
    if has_body:
        operation["requestBody"] = {
            "required": path == "/api/transform",
            "content": {"application/json": {"schema": ANYTHING}},
        }
    return operation


def _parameter(text: str) -> dict[str, Any]:
    name, _, kind = text.partition(":")
    schema = _TYPES[kind]
    bare = name.rstrip("*").rstrip("!")
    return {
        "name": bare,
        "in": "query",
        "required": "!" in name,
        "schema": list_of(schema) if "*" in name else schema,
    }


def _content(answer: str) -> dict[str, Any]:
    if "/" in answer:
        return {answer: {"schema": {"type": "string", "format": "binary"}}}
    names = answer.split("|")
    schema = ref(answer) if len(names) == 1 else {"anyOf": [ref(name) for name in names]}
    return {"application/json": {"schema": schema}}


def openapi_route(
    base_path: str = "", *, described: Sequence[tuple[str, str, str, str]] = _PATHS
) -> Route:
    """Return the route that answers the document; it is made once, and is nobody's secret."""
    body = orjson.dumps(document(base_path, described=described))

    async def answer(_request: Request) -> Response:
        return Response(body, media_type="application/json")

    return Route("/api/openapi.json", answer)
