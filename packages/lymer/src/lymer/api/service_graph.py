"""`/api/lymer/v1/service-graph`: who calls whom, with figures."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from starlette.requests import Request
from starlette.responses import Response

from lymer.api.answers import Answers
from lymer.api.parameters import to_flag, to_range
from lymer.query.service import QueryService
from lymer.query.service_graph import check_window, service_graph

__all__ = ["ServiceGraphs"]


class ServiceGraphs:
    """Handler of the service graph."""

    def __init__(self, answers: Answers, now_unix_nano: Callable[[], int]) -> None:
        self._answers = answers
        self._now_unix_nano = now_unix_nano

    async def get_graph(self, request: Request, query: QueryService) -> Response:
        """GET …?endTs=&lookback=&compare=: milliseconds, as Jaeger's dependencies have them."""
        start, end = to_range(request.query_params, self._now_unix_nano())
        compare = to_flag(request.query_params, "compare")
        check_window(start, end)

        def answer() -> bytes:
            before = query.get_graph(2 * start - end, start) if compare else None
            return orjson.dumps(
                {
                    "startUnixNano": str(start),
                    "endUnixNano": str(end),
                    **service_graph(query.get_graph(start, end), before),
                }
            )

        return await self._answers.json(request, answer)
