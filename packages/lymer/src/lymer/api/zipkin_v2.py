"""Zipkin's query API, as its own interface (Lens) and Grafana's Zipkin data source call it.

Source: Zipkin 3, `zipkin-server/.../ZipkinQueryApiV2.java` (paths, parameters, statuses, texts),
`zipkin/.../QueryRequest.java` (what a search means), `zipkin-lens/src/constants/api.ts` (what Lens
calls); Grafana, `pkg/tsdb/zipkin/client.go`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Final

import orjson
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from lymer.api.answers import Answers, check_query_string
from lymer.api.envelope import not_found_response
from lymer.api.parameters import first_of
from lymer.errors import QuestionError, TooLargeError, TraceNotFoundError
from lymer.model.question import DependencyLink, TraceQuestion
from lymer.query.service import QueryService
from lymer.storage.caller import CALLER, leave_out
from lymer.wire.go_text import from_int_text
from lymer.wire.jaeger_json import short_trace_id
from lymer.wire.otlp_repeated import check_repeated
from lymer.wire.otlp_to_zipkin import (
    REMOTE_SERVICE_KEYS,
    zipkin_spans_in_pieces,
    zipkin_traces_in_pieces,
    zipkin_traces_of,
)

__all__ = ["to_zipkin_questions", "zipkin_routes"]

Asking = Callable[
    [Callable[[Request, QueryService], Awaitable[Response]]],
    Callable[[Request], Awaitable[Response]],
]
"""Gives a handler what the request's tenant may see."""

_Spans = list[dict[str, Any]]
_LIMIT: Final = 10
_LOOKBACK_MS: Final = 24 * 3_600 * 1_000
_TRACES_MAX: Final = 1_000
"""Ids in one `traceMany`."""
_UNIX_NANO_MAX: Final = 2**63 - 1
_AND: Final = " and "
_HEX: Final = re.compile(r"[0-9a-f]+")
_LENS: Final = orjson.dumps(
    {
        "environment": "",
        "queryLimit": _LIMIT,
        "defaultLookback": 900_000,
        "searchEnabled": True,
        "logsUrl": None,
        "supportUrl": None,
        "archivePostUrl": None,
        "archiveUrl": None,
        "dependency": {"enabled": True, "lowErrorRate": 0.5, "highErrorRate": 0.75},
    }
)
"""What Lens asks of its server before all. Source: Zipkin, `ZipkinUiConfiguration.java`."""


def zipkin_routes(
    answers: Answers, asking: Asking, now_unix_nano: Callable[[], int]
) -> list[BaseRoute]:
    """Return the routes below `/api/v2/`, and Lens' `config.json`."""
    zipkin = _Zipkin(answers, now_unix_nano)

    async def config(_request: Request) -> Response:
        return Response(_LENS, media_type="application/json")

    async def nothing(_request: Request) -> Response:
        return not_found_response()

    return [
        Route("/api/v2/services", asking(zipkin.get_services)),
        Route("/api/v2/spans", asking(zipkin.get_span_names)),
        Route("/api/v2/remoteServices", asking(zipkin.get_remote_services)),
        Route("/api/v2/traces", asking(zipkin.find_traces)),
        Route("/api/v2/trace/{trace_id}", asking(zipkin.get_trace)),
        Route("/api/v2/traceMany", asking(zipkin.get_traces)),
        Route("/api/v2/dependencies", asking(zipkin.get_dependencies)),
        Route("/api/v2/autocompleteKeys", asking(zipkin.get_keys)),
        Route("/api/v2/autocompleteValues", asking(zipkin.get_values)),
        Route("/config.json", config),
        Route("/api/{rest:path}", nothing),
    ]


class _Zipkin:
    """Handlers; names are answered sorted, as Zipkin does."""

    def __init__(self, answers: Answers, now_unix_nano: Callable[[], int]) -> None:
        self._answers = answers
        self._now_unix_nano = now_unix_nano

    async def get_services(self, request: Request, query: QueryService) -> Response:
        return await self._names(request, query.get_services)

    async def get_span_names(self, request: Request, query: QueryService) -> Response:
        service = _required(request, "serviceName")
        return await self._names(
            request, lambda: {one.name for one in query.get_operations(service)}
        )

    async def get_remote_services(self, request: Request, query: QueryService) -> Response:
        service = _required(request, "serviceName")
        return await self._names(
            request,
            lambda: {
                name for key in REMOTE_SERVICE_KEYS for name in query.get_tag_values(key, service)
            },
        )

    async def get_keys(self, request: Request, query: QueryService) -> Response:
        return await self._names(request, query.get_tag_keys)

    async def get_values(self, request: Request, query: QueryService) -> Response:
        key = _required(request, "key")
        return await self._names(request, lambda: query.get_tag_values(key))

    async def find_traces(self, request: Request, query: QueryService) -> Response:
        check_query_string(request)
        questions = to_zipkin_questions(request.query_params, self._now_unix_nano())

        def make_pieces() -> Iterator[bytes]:
            found = query.find_each_otlp(questions, raw=True)
            return zipkin_traces_in_pieces(
                _and_left_out(
                    _one_of_many(trace_id, (part for _, part in parts))
                    for trace_id, parts in itertools.groupby(found, key=itemgetter(0))
                )
            )

        return await self._answers.in_pieces(request, make_pieces)

    async def get_trace(self, request: Request, query: QueryService) -> Response:
        trace_id = _trace_id(request.path_params["trace_id"].strip())

        def make_pieces() -> Iterator[bytes]:
            parts = query.get_otlp_in_parts(trace_id, raw=True)
            return zipkin_spans_in_pieces(_spans(trace_id, part) for part in parts)

        try:
            return await self._answers.in_pieces(request, make_pieces)
        except TraceNotFoundError:
            return PlainTextResponse(f"{short_trace_id(trace_id)} not found", status_code=404)

    async def get_traces(self, request: Request, query: QueryService) -> Response:
        texts = first_of(request.query_params, "traceIds")
        if not texts:
            raise QuestionError("traceIds parameter is empty")
        ids: dict[str, None] = {}
        for text in texts.split(","):
            trace_id = _trace_id(text)
            if trace_id in ids:
                raise QuestionError(f"redundant traceId: {text}")
            ids[trace_id] = None
        if len(ids) == 1:
            raise QuestionError("Use /api/v2/trace/{traceId} endpoint to retrieve a single trace")
        if len(ids) > _TRACES_MAX:
            raise QuestionError(f"{len(ids)} traceIds asked for, the limit is {_TRACES_MAX}")

        def traces() -> Iterator[Iterable[_Spans]]:
            for trace_id in ids:
                try:
                    parts = query.get_otlp_in_parts(trace_id, raw=True)
                except TraceNotFoundError:
                    continue
                yield _one_of_many(trace_id, parts)

        return await self._answers.in_pieces(
            request, lambda: zipkin_traces_in_pieces(_and_left_out(traces()))
        )

    async def get_dependencies(self, request: Request, query: QueryService) -> Response:
        end = _number(request.query_params, "endTs")
        if end is None:
            raise QuestionError("endTs parameter is required")
        lookback = _number(request.query_params, "lookback") or _LOOKBACK_MS
        start_nano, end_nano = (_clamp(one * 1_000_000) for one in (end - lookback, end))

        def make_body() -> bytes:
            links = query.get_dependencies(start_nano, end_nano)
            errors = {
                (edge.source, edge.target): edge.errors
                for edge in query.get_graph(start_nano, end_nano)
                if edge.source_kind == edge.target_kind == "service" and edge.type == "call"
            }
            return orjson.dumps([_link(one, errors) for one in links])

        return await self._answers.json(request, make_body)

    async def _names(self, request: Request, get: Callable[[], Iterable[str]]) -> Response:
        return await self._answers.json(
            request, lambda: orjson.dumps(sorted(name for name in get() if name))
        )


def to_zipkin_questions(parameters: QueryParams, now_unix_nano: int) -> list[TraceQuestion]:
    """Read the parameters of `/api/v2/traces`; a trace is wanted that matches any question.

    All conditions must hold on one span, as with Zipkin's Elasticsearch store. There is more than
    one question where the other end's service may stand under more than one tag.

    Raises:
        QuestionError: With Zipkin's sentence.
    """
    end_ms = _number(parameters, "endTs")
    lookback = _number(parameters, "lookback")
    limit = _number(parameters, "limit")
    shortest, longest = (_number(parameters, f"{which}Duration") for which in ("min", "max"))
    end_ms = now_unix_nano // 1_000_000 if end_ms is None else end_ms
    lookback = _LOOKBACK_MS if lookback is None else lookback
    limit = _LIMIT if limit is None else limit
    for name, number in (("endTs", end_ms), ("limit", limit), ("lookback", lookback)):
        if number <= 0:
            raise QuestionError(f"{name} <= 0")
    if shortest is not None and shortest <= 0:
        raise QuestionError("minDuration <= 0")
    if shortest is None and longest is not None:
        raise QuestionError("maxDuration is only valid with minDuration")
    if shortest is not None and longest is not None and longest < shortest:
        raise QuestionError("maxDuration < minDuration")
    tags, present = _annotations(first_of(parameters, "annotationQuery"))
    remote = first_of(parameters, "remoteServiceName")
    name = first_of(parameters, "spanName")
    return [
        TraceQuestion(
            start_unix_nano_min=_clamp((end_ms - lookback) * 1_000_000),
            start_unix_nano_max=_clamp(end_ms * 1_000_000),
            service=first_of(parameters, "serviceName"),
            operation="" if name == "all" else name,
            tags=(*tags, (key, remote)) if key else tags,
            present=present,
            duration_nano_min=shortest * 1_000 if shortest else None,
            duration_nano_max=longest * 1_000 if longest else None,
            limit=limit,
        )
        for key in (REMOTE_SERVICE_KEYS if remote else ("",))
    ]


def _annotations(text: str) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Read `error and http.method=GET`: tags with values, and what must be there.

    Of equal keys the last value counts; a key without a value adds nothing to one with.
    """
    wanted: dict[str, str] = {}
    for term in text.split(_AND):
        key, equals, value = (part.strip() for part in term.partition("="))
        if key and (equals or key not in wanted):
            wanted[key] = value
    tags = tuple((key, value) for key, value in wanted.items() if value)
    return tags, tuple(key for key, value in wanted.items() if not value)


def _link(link: DependencyLink, errors: Mapping[tuple[str, str], float]) -> dict[str, Any]:
    shown = {"parent": link.parent, "child": link.child, "callCount": link.call_count}
    failed = min(round(errors.get((link.parent, link.child), 0.0)), link.call_count)
    return {**shown, "errorCount": failed} if failed else shown


def _one_of_many(trace_id: str, parts: Iterable[TracesData]) -> Iterator[_Spans]:
    """Yield the spans, or say that they are too large in this format: other traces are not."""
    try:
        for part in parts:
            yield _spans(trace_id, part)
    except TooLargeError as error:
        leave_out(trace_id, error)


def _and_left_out(traces: Iterable[Iterable[_Spans]]) -> Iterator[Iterable[_Spans]]:
    """Yield traces, and a span that says why for each one left out: a list has no other place."""
    yield from traces
    caller = CALLER.get()
    for trace_id, why in caller.left_out.items() if caller else ():
        shown = short_trace_id(trace_id)
        tags = {"lymer.partial": why}
        yield [[{"traceId": shown, "id": shown[-16:], "name": "left out", "tags": tags}]]


def _spans(trace_id: str, part: TracesData) -> _Spans:
    check_repeated(part)
    return zipkin_traces_of(part).get(trace_id, [])


def _trace_id(text: str) -> str:
    """Return the 32 hex digits of a trace id. Source: Zipkin, `Span.normalizeTraceId`."""
    if not text:
        raise QuestionError("traceId is empty")
    if len(text) > 32:
        raise QuestionError("traceId.length > 32")
    if not _HEX.fullmatch(text):
        raise QuestionError(f"{text} should be lower-hex encoded with no prefix")
    if not text.strip("0"):
        raise QuestionError("traceId is all zeros")
    return text.rjust(32, "0")


def _required(request: Request, name: str) -> str:
    check_query_string(request)
    value = first_of(request.query_params, name)
    if not value:
        raise QuestionError(f"{name} parameter is required")
    return value


def _number(parameters: QueryParams, name: str) -> int | None:
    text = first_of(parameters, name)
    try:
        return from_int_text(text) if text else None
    except ValueError as error:
        raise QuestionError(f"{name} is not a number: {text[:64]}") from error


def _clamp(unix_nano: int) -> int:
    return min(max(unix_nano, 0), _UNIX_NANO_MAX)
