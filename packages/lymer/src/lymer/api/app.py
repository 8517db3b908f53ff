"""The route table: path to handler, one line each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from lymer import clock
from lymer.api.answers import (
    ANSWER_SECONDS_MAX,
    ANSWERS_IN_FLIGHT_MAX,
    TENANT_IN_SCOPE,
    Answers,
    check_query_string,
)
from lymer.api.deep import Deep
from lymer.api.diagnosis import DiagnosisApi
from lymer.api.envelope import error_response, not_found_response, v3_error_response
from lymer.api.mcp.door import McpDoor
from lymer.api.metrics_v1 import MetricsV1
from lymer.api.openapi import openapi_route
from lymer.api.practice import Practice, PracticeApi
from lymer.api.search import Searches
from lymer.api.search_page import SearchPage, place_of
from lymer.api.service_graph import ServiceGraphs
from lymer.api.tail import Tails
from lymer.api.tempo import TempoApi, answer_tempo_error
from lymer.api.trace_summaries import QueryV3
from lymer.api.trace_views import TraceViews
from lymer.api.traces_v1 import TracesV1
from lymer.api.turn import Turn
from lymer.api.zipkin_v2 import zipkin_routes
from lymer.errors import LymerError, OverloadedError, QuestionTextError, TenantError
from lymer.query.service import Queries, QueryService
from lymer.tenancy import DEFAULT_TENANT, Tenancy

__all__ = ["create_app", "create_tempo_app", "create_zipkin_app"]

_Handler = Callable[[Request, QueryService], Awaitable[Response]]
_ALL_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def create_app(  # noqa: PLR0913 - what a role decides
    queries: Queries,
    *,
    executor: Executor,
    extra_routes: Sequence[BaseRoute] = (),
    base_path: str = "",
    tenancy: Tenancy | None = None,
    now_unix_nano: Callable[[], int] = clock.unix_nano,
    answers_in_flight_max: int = ANSWERS_IN_FLIGHT_MAX,
    answer_seconds_max: float = ANSWER_SECONDS_MAX,
    turn: Turn | None = None,
    practice: Practice | None = None,
) -> ASGIApp:
    """Return the query API as an ASGI application.

    Args:
        queries: Answers the questions.
        executor: Where it does so: threads, one per question answered at once.
        extra_routes: Served after the API, below `base_path` too: the UI.
        base_path: Prefix of every path, like `/tracing`; empty or `/` for none.
        tenancy: How requests to the API name their tenant; None if they need not. What
            `extra_routes` serve belongs to nobody.
        now_unix_nano: The clock, nanoseconds since the epoch.
        answers_in_flight_max: Most questions answered at once; more are refused with 503.
        answer_seconds_max: Longest wait for an answer, seconds; then the answer is 503.
        turn: Shared with other doors.
        practice: Starts demo traffic on request; None: nobody can.
    """
    answers = Answers(
        executor, in_flight_max=answers_in_flight_max, seconds_max=answer_seconds_max, turn=turn
    )
    tempo = TempoApi(queries, answers, tenancy, now_unix_nano)
    prefix = base_path.rstrip("/")
    api = _api_routes(_Tenants(queries, tenancy), answers, now_unix_nano, practice)
    routes = [openapi_route(prefix), *tempo.routes("/tempo"), *api, *extra_routes]
    return Starlette(
        routes=[Mount(prefix, routes=routes)] if prefix else routes,
        exception_handlers={LymerError: _answer_error, Exception: _answer_bug},
    )


def create_zipkin_app(
    queries: Queries,
    *,
    executor: Executor,
    tenancy: Tenancy | None = None,
    now_unix_nano: Callable[[], int] = clock.unix_nano,
    turn: Turn | None = None,
) -> ASGIApp:
    """Return Zipkin's query API as an ASGI application, at `/` and below `/zipkin`."""
    routes = zipkin_routes(
        Answers(executor, turn=turn), _Tenants(queries, tenancy).asking, now_unix_nano
    )
    return Starlette(
        routes=[Mount("/zipkin", routes=routes), *routes],
        exception_handlers={LymerError: _answer_zipkin_error, Exception: _answer_zipkin_bug},
    )


def create_tempo_app(
    queries: Queries,
    *,
    executor: Executor,
    tenancy: Tenancy | None = None,
    now_unix_nano: Callable[[], int] = clock.unix_nano,
    turn: Turn | None = None,
) -> ASGIApp:
    """Return Tempo's query API as an ASGI application, at `/` and below `/tempo`."""
    tempo = TempoApi(queries, Answers(executor, turn=turn), tenancy, now_unix_nano)
    return Starlette(
        routes=[*tempo.routes(), *tempo.routes("/tempo")],
        exception_handlers={LymerError: answer_tempo_error, Exception: answer_tempo_error},
    )


def _api_routes(
    tenants: _Tenants,
    answers: Answers,
    now_unix_nano: Callable[[], int],
    practice: Practice | None,
) -> list[BaseRoute]:
    v1 = TracesV1(answers, now_unix_nano)
    v3 = QueryV3(answers)
    metrics = MetricsV1(answers, now_unix_nano)
    searches = Searches(answers, now_unix_nano)
    tails = Tails(answers, now_unix_nano)
    page = SearchPage(answers, now_unix_nano)
    deep = Deep(answers, now_unix_nano)
    views = TraceViews(answers)
    diagnosis = DiagnosisApi(answers, now_unix_nano)
    ground = PracticeApi(practice)
    mcp = McpDoor(answers, now_unix_nano)
    thinking = "/api/lymer/v1/diagnosis"
    graphs = ServiceGraphs(answers, now_unix_nano)
    trace = "/api/lymer/v1/traces/{trace_id}"
    served: list[BaseRoute] = [
        Route("/api/services", tenants.asking(v1.get_services)),
        Route("/api/operations", tenants.asking(v1.get_operations)),
        Route("/api/services/{service:path}/operations", tenants.asking(v1.get_operation_names)),
        Route("/api/traces", tenants.asking(v1.find_traces)),
        Route("/api/traces/{trace_id:path}", tenants.asking(v1.get_trace)),
        Route("/api/dependencies", tenants.asking(v1.get_dependencies)),
        Route("/api/transform", tenants.asking(v1.transform), methods=["POST"]),
        Route("/api/archive/{trace_id:path}", tenants.asking(v1.archive_trace), methods=["POST"]),
        Route("/api/deep-dependencies", tenants.asking(deep.get_paths)),
        Route("/analytics/v1/dependencies", tenants.asking(deep.get_paths)),
        Route("/api/quality-metrics", tenants.asking(deep.get_quality)),
        Route("/api/search", tenants.asking(searches.find)),
        Route("/api/search/series", tenants.asking(searches.measure)),
        Route("/api/search/check", tenants.asking(page.check)),
        Route("/api/search/summaries", tenants.asking(page.summaries)),
        Route("/api/search/heatmap", tenants.asking(page.heatmap)),
        Route("/api/search/fields", tenants.asking(searches.fields)),
        Route("/api/search/values", tenants.asking(searches.values)),
        Route("/api/tail", tenants.asking(tails.follow)),
        Route("/api/metrics/{name}", tenants.asking(metrics.get_metrics)),
        Route("/api/lymer/v1/otlp", tenants.asking(views.get_otlp)),
        Route("/api/lymer/v1/service-graph", tenants.asking(graphs.get_graph)),
        Route("/api/lymer/v1/practice", tenants.asking(ground.get)),
        Route("/api/lymer/v1/practice", tenants.asking(ground.post), methods=["POST"]),
        Route("/api/v3/services", tenants.asking(v3.get_services)),
        Route("/api/v3/operations", tenants.asking(v3.get_operations)),
        Route("/api/v3/trace-summaries", tenants.asking(v3.find_summaries)),
        Route("/api/v3/traces", tenants.asking(v3.find_traces)),
        Route("/api/v3/traces/{trace_id:path}", tenants.asking(v3.get_trace)),
        Route("/api/ai/mcp", tenants.asking(mcp.post), methods=["POST"]),
        Route("/api/ai/mcp/", tenants.asking(mcp.post), methods=["POST"]),
        Route(thinking + "/root-cause", tenants.asking(diagnosis.get_root_cause)),
        Route(thinking + "/explain", tenants.asking(diagnosis.explain)),
        Route(thinking + "/profile", tenants.asking(diagnosis.get_profile)),
        Route(thinking + "/changes", tenants.asking(diagnosis.get_changes)),
        Route(thinking + "/difference", tenants.asking(diagnosis.get_difference)),
        Route(trace + "/findings", tenants.asking(diagnosis.get_findings)),
        Route(trace + "/columns", tenants.asking(views.get_columns)),
        Route(trace + "/find", tenants.asking(views.find)),
        Route(trace + "/part", tenants.asking(views.get_part)),
        Route(trace + "/statistics", tenants.asking(views.get_statistics)),
        Route(trace + "/spans/{span_id}", tenants.asking(views.get_span)),
    ]

    async def answer_the_rest(_request: Request) -> Response:
        """Answer what Go's router says of a path nobody serves, or not by this method."""
        return not_found_response()

    zipkin = zipkin_routes(answers, tenants.asking, now_unix_nano)
    return [
        *served,
        Mount("/zipkin", routes=zipkin),
        Route("/api/{rest:path}", answer_the_rest, methods=_ALL_METHODS),
    ]


class _Tenants:
    """Stands before every handler, so that none is asked without a tenant."""

    def __init__(self, queries: Queries, tenancy: Tenancy | None) -> None:
        self._queries = queries
        self._tenancy = tenancy

    def asking(self, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that gives `handler` what the request's tenant may see."""

        async def answer(request: Request) -> Response:
            check_query_string(request)
            tenant = DEFAULT_TENANT
            if self._tenancy is not None:
                tenant = self._tenancy.tenant_of_headers(request.scope["headers"])
                request.scope[TENANT_IN_SCOPE] = tenant
            return await handler(request, self._queries.for_tenant(tenant))

        return answer


async def _answer_error(request: Request, error: Exception) -> Response:
    """Answer an error raised on purpose: its class knows its status."""
    if not isinstance(error, LymerError):
        raise error
    if isinstance(error, TenantError):
        return PlainTextResponse(str(error), error.http_status)
    if _is_zipkin(request):
        return await _answer_zipkin_error(request, error)
    if "/tempo/" in request.url.path:
        return await answer_tempo_error(request, error)
    retry_after = error.retry_after_seconds if isinstance(error, OverloadedError) else 0
    if _is_v3(request):
        return v3_error_response(error.http_status, str(error), retry_after_seconds=retry_after)
    place = place_of(error) if isinstance(error, QuestionTextError) else {}
    return error_response(
        error.http_status, str(error), retry_after_seconds=retry_after, place=place
    )


async def _answer_bug(request: Request, _error: Exception) -> Response:
    """Answer what nobody expected: no trace of it leaves; the server logs it."""
    if _is_zipkin(request):
        return await _answer_zipkin_bug(request, _error)
    respond = v3_error_response if _is_v3(request) else error_response
    return respond(500, "internal error: the log has the details")


def _is_v3(request: Request) -> bool:
    return "/api/v3/" in request.url.path


def _is_zipkin(request: Request) -> bool:
    return "/zipkin/api/v2/" in request.url.path


async def _answer_zipkin_error(_request: Request, error: Exception) -> Response:
    """Answer as Zipkin does: the sentence alone, as text."""
    if not isinstance(error, LymerError):
        raise error
    headers = {}
    if isinstance(error, OverloadedError):
        headers["retry-after"] = str(error.retry_after_seconds)
    return PlainTextResponse(str(error), error.http_status, headers)


async def _answer_zipkin_bug(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("internal error: the log has the details", 500)
