"""Tempo's HTTP API, for Grafana's Tempo data source.

Source: Grafana, `public/app/plugins/datasource/tempo/{datasource,language_provider}.ts`,
`pkg/tsdb/tempo/{trace,traceql_query}.go`; Grafana Tempo, `pkg/api/http.go`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Final
from urllib.parse import unquote

import orjson
from google.protobuf import json_format
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from lymer import __version__
from lymer.api import tempo_json
from lymer.api.answers import Answers
from lymer.api.tempo_parameters import legacy_question, number, step_of, time_range
from lymer.errors import LymerError, QuestionError, TenantError, TraceNotFoundError
from lymer.language import tree
from lymer.language.literals import name_text
from lymer.query.language import INTRINSIC_NAMES, LanguageService, parse_field
from lymer.query.service import Queries, QueryService
from lymer.storage.search_contract import FieldName
from lymer.tenancy import DEFAULT_TENANT, Tenancy

__all__ = ["SPEAKS", "TempoApi", "answer_tempo_error"]

SPEAKS: Final = "2.9.0"
"""The release of Tempo whose API this is; Grafana decides by it what it may ask."""
EXEMPLARS_MAX: Final = 1_000
_TENANT_HEADER: Final = b"x-scope-orgid"
_PROTOBUF: Final = "application/protobuf"
_SCOPES: Final = ("resource", "span", "event", "link", "instrumentation")
_Make = Callable[[LanguageService, Request], dict[str, Any]]


class TempoApi:
    """The routes, below a prefix or none."""

    def __init__(
        self,
        queries: Queries,
        answers: Answers,
        tenancy: Tenancy | None,
        now_unix_nano: Callable[[], int],
    ) -> None:
        """Answer from `queries`, in the threads of `answers`."""
        self._queries = queries
        self._answers = answers
        self._tenancy = tenancy
        self._now = now_unix_nano

    def routes(self, prefix: str = "") -> list[BaseRoute]:
        """Return the routes below `prefix`."""
        return [
            Route(prefix + "/api/traces/{trace_id}", self._trace_v1),
            Route(prefix + "/api/v2/traces/{trace_id}", self._trace_v2),
            Route(prefix + "/api/search", self._json(self._search)),
            Route(prefix + "/api/search/tags", self._json(self._tags_v1)),
            Route(prefix + "/api/v2/search/tags", self._json(self._tags_v2)),
            Route(prefix + "/api/search/tag/{tag_name:path}/values", self._json(self._values_v1)),
            Route(
                prefix + "/api/v2/search/tag/{tag_name:path}/values", self._json(self._values_v2)
            ),
            Route(prefix + "/api/metrics/query_range", self._json(self._range)),
            Route(prefix + "/api/metrics/query", self._json(self._instant)),
            Route(prefix + "/api/echo", _echo),
            Route(prefix + "/api/status/buildinfo", _build_info),
            Route(prefix + "/ready", _ready),
        ]

    # ------------------------------------------------------------------ one trace

    async def _trace_v1(self, request: Request) -> Response:
        """Answer with the trace's OTLP: `resourceSpans`, called `batches` in JSON."""
        return await self._trace(request, lambda body: body, (b'{"batches":[', b"]}"))

    async def _trace_v2(self, request: Request) -> Response:
        """Answer with the trace inside of a message that could say more."""
        return await self._trace(
            request,
            lambda body: b"\x0a" + _varint(len(body)) + body,
            (b'{"trace":{"resourceSpans":[', b']},"metrics":{}}'),
        )

    async def _trace(
        self,
        request: Request,
        in_bytes: Callable[[bytes], bytes],
        in_json: tuple[bytes, bytes],
    ) -> Response:
        """Answer with parts of a trace: messages behind one another are one message."""
        trace_id = _trace_id(request.path_params["trace_id"])
        service = self._of_tenant(request)
        as_protobuf = request.headers.get("accept", "").startswith(_PROTOBUF)

        def make_pieces() -> Iterator[bytes]:
            parts = service.get_otlp_in_parts(trace_id, raw=True)
            if as_protobuf:
                return (in_bytes(part.SerializeToString()) for part in parts)
            return _json_pieces(parts, *in_json)

        media_type = _PROTOBUF if as_protobuf else "application/json"
        return await self._answers.in_pieces(request, make_pieces, media_type)

    # ------------------------------------------------------------------ search and numbers

    def _search(self, language: LanguageService, request: Request) -> dict[str, Any]:
        parameters = request.query_params
        text = parameters.get("q", "") or legacy_question(parameters)
        limits = (number(parameters, "limit", 20) or 20, number(parameters, "spss", 3))
        found = language.find(text, time_range(parameters, self._now()), limits)
        return tempo_json.search(found)

    def _range(self, language: LanguageService, request: Request) -> dict[str, Any]:
        parameters = request.query_params
        times = time_range(parameters, self._now())
        exemplars = min(number(parameters, "exemplars", 100), EXEMPLARS_MAX)
        found = language.measure(
            _question(request), times, step_of(parameters, times), exemplars_max=exemplars
        )
        return tempo_json.series_range(found)

    def _instant(self, language: LanguageService, request: Request) -> dict[str, Any]:
        times = time_range(request.query_params, self._now())
        return tempo_json.instant(language.measure(_question(request), times, 0))

    # ------------------------------------------------------------------ tags

    def _tags_v1(self, language: LanguageService, request: Request) -> dict[str, Any]:
        scope = request.query_params.get("scope", "")
        scopes = tags_by_scope(self._names(language, request), scope)
        names = {name for one in scopes for name in one["tags"]}
        return {"tagNames": sorted(names), "metrics": {}}

    def _tags_v2(self, language: LanguageService, request: Request) -> dict[str, Any]:
        scope = request.query_params.get("scope", "")
        return {"scopes": tags_by_scope(self._names(language, request), scope), "metrics": {}}

    def _names(self, language: LanguageService, request: Request) -> list[FieldName]:
        parameters = request.query_params
        limit = number(parameters, "limit", 0) or 1_000
        times = time_range(parameters, self._now())
        return language.names(times, parameters.get("q", ""), limit=limit)

    def _values_v1(self, language: LanguageService, request: Request) -> dict[str, Any]:
        found = self._values(language, request)
        return {"tagValues": [one["value"] for one in found], "metrics": {}}

    def _values_v2(self, language: LanguageService, request: Request) -> dict[str, Any]:
        return {"tagValues": self._values(language, request), "metrics": {}}

    def _values(self, language: LanguageService, request: Request) -> list[dict[str, str]]:
        parameters = request.query_params
        limit = number(parameters, "limit", 0) or 1_000
        found = language.values(
            tag_field(unquote(request.path_params["tag_name"])),
            time_range(parameters, self._now()),
            parameters.get("q", ""),
            limit=limit,
        )
        return [tempo_json.tag_value(one) for one in found]

    # ------------------------------------------------------------------ who asks

    def _json(self, make: _Make) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            language = self._of_tenant(request).language
            return await self._answers.json(request, lambda: orjson.dumps(make(language, request)))

        return answer

    def _of_tenant(self, request: Request) -> QueryService:
        tenant = DEFAULT_TENANT
        if self._tenancy is not None:
            headers = request.scope["headers"]
            named = [value.decode("latin-1") for name, value in headers if name == _TENANT_HEADER]
            if named:
                tenant = self._tenancy.tenant_of(named)
            else:
                tenant = self._tenancy.tenant_of_headers(headers)
        return self._queries.for_tenant(tenant)


def tags_by_scope(names: list[FieldName], only: str = "") -> list[dict[str, Any]]:
    """Return names scope by scope, sorted; `intrinsic` is one of the scopes.

    Raises:
        QuestionError: There is no such scope.
    """
    if only not in {"", "none", "intrinsic", *_SCOPES}:
        raise QuestionError(
            f"cannot read scope: {only!r} is none of {', '.join(_SCOPES)}, intrinsic"
        )
    scopes: dict[str, set[str]] = {scope: set() for scope in _SCOPES}
    for one in names:
        scopes[one.scope].add(one.name)
    shown = [{"name": scope, "tags": sorted(tags)} for scope, tags in scopes.items() if tags]
    shown.append({"name": "intrinsic", "tags": list(INTRINSIC_NAMES)})
    return [one for one in shown if only in {"", "none", one["name"]}]


def tag_field(tag: str) -> tree.Field:
    """Return the field that a tag's name means; one without a scope may be an attribute's."""
    try:
        return parse_field(tag)
    except QuestionError:
        return parse_field("." + name_text(tag))


def _question(request: Request) -> str:
    text = request.query_params.get("q", "") or request.query_params.get("query", "")
    if not text:
        raise QuestionError("cannot count over time: the parameter q is missing")
    return text


def _trace_id(text: str) -> str:
    if not 1 <= len(text) <= 32 or text.strip("0123456789abcdefABCDEF"):
        raise QuestionError(f"cannot read trace: {text[:64]!r} is not 1 to 32 hex digits")
    return text.lower().zfill(32)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


async def _echo(_request: Request) -> Response:
    return PlainTextResponse("echo")


async def _ready(_request: Request) -> Response:
    return PlainTextResponse("ready\n")


async def _build_info(_request: Request) -> Response:
    body = {
        "version": SPEAKS,
        "revision": f"lymer-{__version__}",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }
    return Response(orjson.dumps(body), media_type="application/json")


async def answer_tempo_error(_request: Request, error: Exception) -> Response:
    """Answer an error as Tempo does: its text."""
    if isinstance(error, TraceNotFoundError):
        return PlainTextResponse("trace not found", 404)
    if isinstance(error, TenantError):
        return PlainTextResponse(
            "no org id" if error.http_status == 401 else str(error), error.http_status
        )
    if isinstance(error, LymerError):
        return PlainTextResponse(str(error), error.http_status)
    return PlainTextResponse("internal error: the log has the details", 500)


def _json_pieces(parts: Iterable[TracesData], before: bytes, after: bytes) -> Iterator[bytes]:
    for part in parts:
        plain = json_format.MessageToDict(part)
        yield before + orjson.dumps(plain["resourceSpans"])[1:-1]
        before = b","
    yield after
