"""The HTTP side of Jaeger's v3 query API: summaries, services, operations, traces as OTLP JSON.

Source: Jaeger v2.20, `apiv3/http_gateway.go`; jaeger-idl `proto/api_v3/query_service.proto`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import orjson
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from starlette.requests import Request
from starlette.responses import Response

from lymer.api.answers import Answers, check_query_string
from lymer.api.envelope import not_found_response
from lymer.api.parameters import (
    NO_PAGES_OF_TRACES,
    first_of,
    is_one_segment,
    to_trace_id,
    to_v3_page,
    to_v3_question,
    to_v3_raw,
)
from lymer.errors import QuestionError
from lymer.model.question import Operation, TraceSummary
from lymer.query.service import QueryService
from lymer.storage.caller import not_found
from lymer.wire.traces_json import traces_to_json_object

__all__ = ["QueryV3", "told_summary"]


class QueryV3:
    """Handlers of `/api/v3/*`."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def get_services(self, request: Request, query: QueryService) -> Response:
        """GET /api/v3/services."""
        return await self._answers.quick(
            request, lambda: orjson.dumps({"services": query.get_services()})
        )

    async def get_operations(self, request: Request, query: QueryService) -> Response:
        """GET /api/v3/operations?service=&spanKind=; an unspecified kind shows as internal."""
        check_query_string(request)
        service = first_of(request.query_params, "service")
        span_kind = first_of(request.query_params, "spanKind", "span_kind")

        def make_body() -> bytes:
            found = query.get_operations(service, span_kind)
            shown = dict.fromkeys((one.name, _kind_text(one)) for one in found)
            return orjson.dumps(
                {"operations": [{"name": name, "spanKind": kind} for name, kind in shown]}
            )

        return await self._answers.quick(request, make_body)

    async def find_summaries(self, request: Request, query: QueryService) -> Response:
        """GET /api/v3/trace-summaries: one line per trace, newest matching span first."""
        check_query_string(request)
        question, _ = to_v3_question(request.query_params)
        page = to_v3_page(request.query_params)

        def make_body() -> bytes:
            if page is None:
                summaries, token = query.find_summaries(question), ""
            else:
                summaries, token = query.find_summaries_page(question, page)
            more = {"nextPageToken": token} if token else {}
            return orjson.dumps({"summaries": [told_summary(one) for one in summaries], **more})

        return await self._answers.json(request, make_body)

    async def find_traces(self, request: Request, query: QueryService) -> Response:
        """GET /api/v3/traces: all spans of the traces found, as one OTLP document."""
        check_query_string(request)
        question, raw = to_v3_question(request.query_params)
        if to_v3_page(request.query_params) is not None:
            raise QuestionError(NO_PAGES_OF_TRACES)

        def make_pieces() -> Iterator[bytes]:
            parts = query.find_otlp_in_parts(question, raw=raw)
            first = next(parts, None)
            if first is None:
                raise not_found("No traces found")
            return _result(itertools.chain((first,), parts))

        return await self._answers.in_pieces(request, make_pieces)

    async def get_trace(self, request: Request, query: QueryService) -> Response:
        """GET /api/v3/traces/{trace_id}: one trace as an OTLP document, adjusted unless raw."""
        check_query_string(request)
        if not is_one_segment(request):
            return not_found_response()
        try:
            trace_id = to_trace_id(request.path_params["trace_id"])
        except QuestionError as error:
            raise QuestionError(f"malformed parameter trace_id: {error}") from error
        raw = to_v3_raw(request.query_params)
        return await self._answers.in_pieces(
            request, lambda: _result(query.get_otlp_in_parts(trace_id, raw=raw))
        )


def _result(parts: Iterable[TracesData]) -> Iterator[bytes]:
    """Yield one document of all parts; there is one at least."""
    before = b'{"result":{"resourceSpans":['
    for part in parts:
        yield before + orjson.dumps(traces_to_json_object(part)["resourceSpans"])[1:-1]
        before = b","
    yield b"]}}"


def _kind_text(operation: Operation) -> str:
    return "internal" if operation.span_kind == "unspecified" else operation.span_kind


def told_summary(summary: TraceSummary) -> dict[str, object]:
    """Return a summary as protobuf's JSON: 64-bit numbers as strings, zero and empty left out."""
    shown: dict[str, object] = {
        "traceId": summary.trace_id,
        "rootServiceName": summary.root_service_name,
        "rootOperationName": summary.root_operation_name,
        "minStartTimeUnixNano": _uint64(summary.min_start_unix_nano),
        "maxEndTimeUnixNano": _uint64(summary.max_end_unix_nano),
        "spanCount": summary.span_count,
        "errorSpanCount": summary.error_span_count,
        "orphanSpanCount": summary.orphan_span_count,
        "services": [
            _without_empty({"name": name, "spanCount": spans, "errorSpanCount": errors})
            for name, spans, errors in summary.services
        ],
    }
    return _without_empty(shown)


def _uint64(number: int) -> str:
    return str(number) if number else ""


def _without_empty(fields: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value}
