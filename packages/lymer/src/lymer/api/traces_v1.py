"""The HTTP JSON API the Jaeger UI has always spoken.

Source: Jaeger v2.20, `jaegerquery/internal/http_handler.go`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import unquote_plus

import orjson
from starlette.requests import Request
from starlette.responses import Response

from lymer.api.answers import Answers, check_query_string
from lymer.api.body import read_body
from lymer.api.envelope import (
    envelope,
    envelope_in_pieces,
    not_found_response,
    trace_not_found,
)
from lymer.api.parameters import (
    check_time_hints,
    first_of,
    is_one_segment,
    to_range,
    to_raw,
    to_search,
    to_trace_id,
)
from lymer.errors import QuestionError
from lymer.model.columns import SpanColumns
from lymer.model.question import Operation
from lymer.query.service import QueryService
from lymer.storage.caller import CALLER, not_found
from lymer.wire.jaeger_json import encode_parts, encode_traces_in_pieces, short_trace_id
from lymer.wire.otlp_json import request_from_json

__all__ = ["TracesV1"]

_ARCHIVED: Final = b'{"data":[],"total":0,"limit":0,"offset":0,"errors":[]}'


class TracesV1:
    """Handlers of `/api/services`, `/api/operations`, `/api/traces`, `/api/dependencies`."""

    def __init__(self, answers: Answers, now_unix_nano: Callable[[], int]) -> None:
        self._answers = answers
        self._now_unix_nano = now_unix_nano

    async def get_services(self, request: Request, query: QueryService) -> Response:
        """GET /api/services: names, sorted."""

        def make_body() -> bytes:
            services = query.get_services()
            return envelope(orjson.dumps(services), total=len(services))

        return await self._answers.quick(request, make_body)

    async def get_operations(self, request: Request, query: QueryService) -> Response:
        """GET /api/operations?service=&spanKind=: names and kinds."""
        check_query_string(request)
        service = first_of(request.query_params, "service")
        span_kind = first_of(request.query_params, "spanKind")
        if not service:
            raise QuestionError("parameter 'service' is required")

        def make_body() -> bytes:
            operations = query.get_operations(service, span_kind)
            shown = [{"name": one.name, "spanKind": _kind_text(one)} for one in operations]
            return envelope(orjson.dumps(shown), total=len(shown))

        return await self._answers.quick(request, make_body)

    async def get_operation_names(self, request: Request, query: QueryService) -> Response:
        """GET /api/services/{service}/operations: names alone, each once; none is null."""
        service = _service_in_path(request)

        def make_body() -> bytes:
            operations = query.get_operations(service)
            names = list(dict.fromkeys(one.name for one in operations))
            return envelope(orjson.dumps(names or None), total=len(names))

        return await self._answers.quick(request, make_body)

    async def find_traces(self, request: Request, query: QueryService) -> Response:
        """GET /api/traces: traces by question, or by `traceID` parameters."""
        check_query_string(request)
        search = to_search(request.query_params, self._now_unix_nano())

        def make_pieces() -> Iterator[bytes]:
            if not search.trace_ids:
                found = query.find_traces_in_parts(search.question, raw=search.raw)
                return envelope_in_pieces(encode_parts(parts for _, parts in found))
            stored = query.get_traces_in_parts(search.trace_ids, raw=search.raw)
            missing: list[str] = []
            return envelope_in_pieces(
                encode_parts(_those_of(stored, search.trace_ids, missing)), errors=missing
            )

        return await self._answers.in_pieces(request, make_pieces)

    async def get_trace(self, request: Request, query: QueryService) -> Response:
        """GET /api/traces/{trace_id}: one trace, adjusted unless `raw`."""
        check_query_string(request)
        if not is_one_segment(request):
            return not_found_response()
        trace_id = to_trace_id(request.path_params["trace_id"])
        check_time_hints(request.query_params)
        raw = to_raw(request.query_params)

        def make_pieces() -> Iterator[bytes]:
            found = query.get_traces_in_parts([trace_id], raw=raw)
            trace = next(found, None)
            if trace is None:
                raise not_found()
            return envelope_in_pieces(encode_parts([trace[1]]))

        return await self._answers.in_pieces(request, make_pieces)

    async def get_dependencies(self, request: Request, query: QueryService) -> Response:
        """GET /api/dependencies: calls between services in a range of time."""
        check_query_string(request)
        start, end = to_range(request.query_params, self._now_unix_nano())
        service = first_of(request.query_params, "service")

        def make_body() -> bytes:
            links = query.get_dependencies(start, end)
            shown = [
                {"parent": link.parent, "child": link.child, "callCount": link.call_count}
                for link in links
                if service in {"", link.parent, link.child}
            ]
            return envelope(orjson.dumps(shown))

        return await self._answers.json(request, make_body)

    async def transform(self, request: Request, query: QueryService) -> Response:
        """POST /api/transform: OTLP JSON in, traces for the UI out; nothing is stored."""
        body = await read_body(request)

        def make_pieces() -> Iterator[bytes]:
            traces = query.transform(request_from_json(body).body)
            return envelope_in_pieces(encode_traces_in_pieces(traces))

        return await self._answers.in_pieces(request, make_pieces)

    async def archive_trace(self, request: Request, query: QueryService) -> Response:
        """POST /api/archive/{trace_id}: keep a trace; archived once is archived."""
        check_query_string(request)
        if not is_one_segment(request):
            return not_found_response()
        trace_id = to_trace_id(request.path_params["trace_id"])
        check_time_hints(request.query_params)

        def make_body() -> bytes:
            query.archive_trace(trace_id)
            return _ARCHIVED

        return await self._answers.json(request, make_body)


def _those_of(
    traces: Iterator[tuple[str, Iterable[SpanColumns]]], wanted: Sequence[str], missing: list[str]
) -> Iterator[Iterable[SpanColumns]]:
    """Yield the traces, and write errors about those that are not there into `missing`."""
    known: set[str] = set()
    for trace_id, parts in traces:
        known.add(trace_id)
        yield parts
    if caller := CALLER.get():
        known.update(caller.left_out)
    missing += [trace_not_found(short_trace_id(one)) for one in wanted if one not in known]


def _service_in_path(request: Request) -> str:
    """Return the service as Jaeger reads it: a `+` in the path as it was sent is a space."""
    sent: bytes | None = request.scope.get("raw_path")
    if sent is None:
        return str(request.path_params["service"])
    before = sent.partition(b"?")[0].rpartition(b"/operations")[0]
    return unquote_plus(before.partition(b"/api/services/")[2].decode("latin-1"))


def _kind_text(operation: Operation) -> str:
    """Return the kind as Jaeger prints it: unspecified is empty."""
    return "" if operation.span_kind == "unspecified" else operation.span_kind
