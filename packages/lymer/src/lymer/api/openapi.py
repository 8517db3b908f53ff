"""`/api/openapi.json`: every path of the query API, as OpenAPI 3.1.

One line of `_PATHS` for each route: what it is asked with, and the shape of what it answers.
`tests/integration/api/test_openapi.py` holds it to the routes and to real answers.
Source: OpenAPI specification 3.1.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lymer.api.trace_columns import MEDIA_TYPE as COLUMNS

__all__ = ["document", "openapi_route"]

_Schema = dict[str, Any]
_TEXT: Final[_Schema] = {"type": "string"}
_WHOLE: Final[_Schema] = {"type": "integer"}
_NUMBER: Final[_Schema] = {"type": "number"}
_TRUTH: Final[_Schema] = {"type": "boolean"}
_ANYTHING: Final[_Schema] = {"type": "object"}


def _ref(name: str) -> _Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(of: _Schema) -> _Schema:
    return {"type": "array", "items": of}


def _or_null(one: _Schema) -> _Schema:
    return {"anyOf": [one, {"type": "null"}]}


def _object(**parts: _Schema) -> _Schema:
    """Return an object that has these parts, and maybe others."""
    return {"type": "object", "properties": parts, "required": list(parts)}


def _envelope(data: _Schema) -> _Schema:
    return _object(
        data=data, total=_WHOLE, limit=_WHOLE, offset=_WHOLE, errors=_or_null(_list(_ANYTHING))
    )


_FIGURES: Final = {
    "calls": _WHOLE, "errors": _WHOLE, "avgNano": _or_null(_WHOLE), "p50Nano": _or_null(_WHOLE),
    "p95Nano": _or_null(_WHOLE), "p99Nano": _or_null(_WHOLE), "spans": _WHOLE,
}  # fmt: skip
_WHOLES: Final = _list(_WHOLE)
_SCHEMAS: Final[dict[str, _Schema]] = {
    "KeyValue": _object(key=_TEXT, type=_TEXT, value={}),
    "Span": _object(
        traceID=_TEXT, spanID=_TEXT, operationName=_TEXT, references=_list(_ANYTHING),
        startTime=_WHOLE, duration=_WHOLE, tags=_list(_ref("KeyValue")), logs=_list(_ANYTHING),
        processID=_TEXT, warnings=_or_null(_list(_TEXT)),
    ),
    "Trace": _object(
        traceID=_TEXT, spans=_list(_ref("Span")),
        processes={
            "type": "object",
            "additionalProperties": _object(serviceName=_TEXT, tags=_list(_ref("KeyValue"))),
        },
        warnings=_or_null(_list(_TEXT)),
    ),
    "Traces": _envelope(_or_null(_list(_ref("Trace")))),
    "Names": _envelope(_or_null(_list(_TEXT))),
    "Operations": _envelope(_or_null(_list(_object(name=_TEXT, spanKind=_TEXT)))),
    "Dependencies": _envelope(_list(_object(parent=_TEXT, child=_TEXT, callCount=_WHOLE))),
    "MetricFamily": _object(
        name=_TEXT, type=_TEXT, help=_TEXT,
        metrics=_list(_object(labels=_list(_ANYTHING), metricPoints=_list(_ANYTHING))),
    ),
    "V3Services": _object(services=_list(_TEXT)),
    "V3Operations": _object(operations=_list(_object(name=_TEXT, spanKind=_TEXT))),
    "V3Summaries": _object(summaries=_list(_object(traceId=_TEXT))),
    "V3Traces": _object(result=_object(resourceSpans=_list(_ANYTHING))),
    "ServiceGraph": _object(
        startUnixNano=_TEXT, endUnixNano=_TEXT, estimated=_TRUTH,
        nodes=_list(_object(id=_TEXT, name=_TEXT, kind=_TEXT, **_FIGURES)),
        edges=_list(_object(**{"from": _TEXT}, to=_TEXT, type=_TEXT, **_FIGURES)),
    ),
    "Found": _object(spanIds=_list(_TEXT), spanCount=_WHOLE),
    "Statistics": _object(
        by=_list(_TEXT), spanCount=_WHOLE, durationNano=_WHOLE,
        groups=_list(_list(_or_null(_TEXT))), count=_WHOLES, totalNano=_WHOLES, minNano=_WHOLES,
        maxNano=_WHOLES, selfTotalNano=_WHOLES, selfMinNano=_WHOLES, selfMaxNano=_WHOLES,
    ),
    "Search": _object(traces=_list(_object(traceID=_TEXT, spanSets=_list(_ANYTHING)))),
    "Series": _object(series=_list(_object(labels=_list(_ANYTHING)))),
    "Fields": _object(fields=_list(_object(scope=_TEXT, name=_TEXT, type=_TEXT, count=_WHOLE))),
    "Values": _object(values=_list(_object(type=_TEXT, value=_TEXT, count=_WHOLE))),
    "Tags": _object(tagNames=_list(_TEXT)),
    "TagScopes": _object(scopes=_list(_object(name=_TEXT, tags=_list(_TEXT)))),
    "TagTexts": _object(tagValues=_list(_TEXT)),
    "TagValues": _object(tagValues=_list(_object(type=_TEXT, value=_TEXT))),
    "Texts": _list(_TEXT),
    "ZipkinTrace": _list(_object(traceId=_TEXT, id=_TEXT)),
    "ZipkinTraces": _list(_ref("ZipkinTrace")),
    "ZipkinLinks": _list(_object(parent=_TEXT, child=_TEXT, callCount=_WHOLE)),
    "Object": _ANYTHING,
}  # fmt: skip

_TYPES: Final = {"": _TEXT, "i": _WHOLE, "n": _NUMBER, "b": _TRUTH}
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
     "Object"),
    ("/analytics/v1/dependencies", "Paths past a service", "service! operation start:i end:i",
     "Object"),
    ("/api/quality-metrics", "How good a service's spans are", "service! hours:i", "Object"),
    ("/api/metrics/{name}", "latencies, calls, errors or minstep", _METRICS,
     "MetricFamily|Envelope"),
    ("/api/lymer/v1/service-graph", "Services, databases, peers and queues, with figures",
     "endTs:i lookback:i compare:b", "ServiceGraph"),
    ("/api/v3/services", "Names of all services", "", "V3Services"),
    ("/api/v3/operations", "Operations of a service", "service! spanKind", "V3Operations"),
    ("/api/v3/trace-summaries", "One line for each trace that matches", _V3_SEARCH, "V3Summaries"),
    ("/api/v3/traces", "Traces that match, as OTLP", _V3_SEARCH, "V3Traces"),
    ("/api/v3/traces/{trace_id}", "One trace as OTLP", "rawTraces:b", "V3Traces"),
    ("POST /api/ai/mcp", "Model Context Protocol", "", "Object"),
    ("POST /api/ai/mcp/", "Model Context Protocol", "", "Object"),
    (f"{_DIAGNOSIS}/root-cause", "Where an anomaly began", _WINDOW, "Object"),
    (f"{_DIAGNOSIS}/explain", "What is different about the spans of a question",
     f"{_WINDOW} q baseline slowest errors:b", "Object"),
    (f"{_DIAGNOSIS}/profile", "Costs of operations, by path", "start:i end:i q", "Object"),
    (f"{_DIAGNOSIS}/changes", "When rate, errors or latency jumped", "start:i end:i service*",
     "Object"),
    (f"{_DIAGNOSIS}/difference", "Two traces, or sets of them, by path", "one!* other!*",
     "Object"),
    (f"{_TRACE}/findings", "What is remarkable about a trace", "", "Object"),
    (f"{_TRACE}/columns", "A trace as binary columns", "", COLUMNS),
    (f"{_TRACE}/find", "Spans in which a text occurs", "text!", "Found"),
    (f"{_TRACE}/part", "What was found and what is around it", "text! levels:i", COLUMNS),
    (f"{_TRACE}/statistics", "Times by groups of spans", "by!*", "Statistics"),
    (f"{_TRACE}/spans/{{span_id}}", "One span with everything", "", "Traces"),
    ("/api/search", "Traces that match a question in the search language",
     f"q {_TIMES} limit:i spss:i order cursor", "Search"),
    ("/api/search/series", "Numbers over time", f"q! {_TIMES} step exemplars:i", "Series"),
    ("/api/search/fields", "Attributes that spans have", f"q {_TIMES} limit:i", "Fields"),
    ("/api/search/values", "Values of a field", f"field! q {_TIMES} limit:i", "Values"),
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
    (f"{_TEMPO}/metrics/query", "Numbers of a range", f"q! {_TIMES}", "Series"),
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


def document(base_path: str = "") -> dict[str, Any]:
    """Return the whole document."""
    paths: dict[str, Any] = {}
    for line, summary, query, answer in _PATHS:
        method, _, path = line.rpartition(" ")
        paths.setdefault(path, {})[method.lower() or "get"] = _operation(
            path, summary, query, answer, has_body=bool(method)
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
        "components": {"schemas": {**_SCHEMAS, "Envelope": _envelope({})}},
    }


def _operation(
    path: str, summary: str, query: str, answer: str, *, has_body: bool
) -> dict[str, Any]:
    named = re.findall(r"\{(\w+)\}", path)
    in_path = [{"name": one, "in": "path", "required": True, "schema": _TEXT} for one in named]
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
            "content": {"application/json": {"schema": _ANYTHING}},
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
        "schema": _list(schema) if "*" in name else schema,
    }


def _content(answer: str) -> dict[str, Any]:
    if "/" in answer:
        return {answer: {"schema": {"type": "string", "format": "binary"}}}
    names = answer.split("|")
    schema = _ref(answer) if len(names) == 1 else {"anyOf": [_ref(name) for name in names]}
    return {"application/json": {"schema": schema}}


def openapi_route(base_path: str) -> Route:
    """Return the route that answers the document; it is made once, and is nobody's secret."""
    body = orjson.dumps(document(base_path))

    async def answer(_request: Request) -> Response:
        return Response(body, media_type="application/json")

    return Route("/api/openapi.json", answer)
