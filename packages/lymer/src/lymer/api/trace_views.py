"""A trace as columns, for a UI that draws every span and asks for details one by one."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from lymer.api.answers import Answers, check_query_string
from lymer.api.envelope import envelope
from lymer.api.parameters import to_trace_id
from lymer.api.trace_columns import MEDIA_TYPE, encode_columns
from lymer.api.trace_find import encode_found, encode_part, read_levels
from lymer.api.trace_statistics import encode_statistics, needs_attributes
from lymer.errors import QuestionError
from lymer.query.service import QueryService
from lymer.query.trace_find import check_find
from lymer.wire.jaeger_json import encode_traces

__all__ = ["TraceViews"]

_SPAN_ID: Final = re.compile(r"[0-9a-fA-F]{1,16}")


class TraceViews:
    """Handlers of `/api/lymer/v1/traces/{trace_id}/*` and `/api/lymer/v1/otlp`."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def get_otlp(self, request: Request, query: QueryService) -> Response:
        """GET /api/lymer/v1/otlp?traceID=…: traces as they are stored, one `TracesData` message."""
        check_query_string(request)
        ids = [to_trace_id(one) for one in request.query_params.getlist("traceID")]
        if not ids:
            raise QuestionError("cannot read traces: the parameter traceID is missing")
        return await self._answers.in_pieces(
            request, lambda: query.get_stored_otlp(ids), "application/x-protobuf"
        )

    async def get_columns(self, request: Request, query: QueryService) -> Response:
        """GET …/columns: the trace in binary columns, with self times and critical path."""
        trace_id = to_trace_id(request.path_params["trace_id"])
        return await self._answers.in_pieces(
            request, lambda: encode_columns(query.get_trace_arrays(trace_id)), MEDIA_TYPE
        )

    async def find(self, request: Request, query: QueryService) -> Response:
        """GET …/find?text=…: the ids of the spans in which a text occurs."""
        trace_id = to_trace_id(request.path_params["trace_id"])
        terms = check_find(request.query_params.get("text", ""))
        return await self._answers.json(
            request, lambda: encode_found(query.find_in_trace(trace_id, terms))
        )

    async def get_part(self, request: Request, query: QueryService) -> Response:
        """GET …/part?text=…&levels=…: what was found and what is around it, in columns."""
        trace_id = to_trace_id(request.path_params["trace_id"])
        terms = check_find(request.query_params.get("text", ""))
        levels = read_levels(request.query_params.get("levels", "1"))
        return await self._answers.in_pieces(
            request,
            lambda: encode_part(query.get_trace_arrays(trace_id, terms), terms, levels),
            MEDIA_TYPE,
        )

    async def get_statistics(self, request: Request, query: QueryService) -> Response:
        """GET …/statistics?by=…: counts, durations and self times by groups."""
        check_query_string(request)
        trace_id = to_trace_id(request.path_params["trace_id"])
        by = request.query_params.getlist("by")
        read = query.get_trace if needs_attributes(by) else query.get_skeleton
        return await self._answers.in_pieces(
            request, lambda: iter((encode_statistics(read(trace_id), by),))
        )

    async def get_span(self, request: Request, query: QueryService) -> Response:
        """GET …/spans/{span_id}: one span with everything, in the envelope of a trace."""
        check_query_string(request)
        trace_id = to_trace_id(request.path_params["trace_id"])
        text = request.path_params["span_id"]
        if not _SPAN_ID.fullmatch(text):
            raise QuestionError(f"cannot read span: {text[:64]!r} is not 1 to 16 hex digits")
        span_id = text.lower().rjust(16, "0")
        return await self._answers.json(
            request, lambda: envelope(encode_traces([query.get_span(trace_id, span_id)]))
        )
