"""The search language on our own port, for the interface, the command line and scripts.

`/api/search` finds traces, `/api/search/series` counts over time, `/api/search/fields` and
`/api/search/values` complete what somebody types. Shapes are Tempo's; what Tempo cannot say stands
beside: whether the answer is complete, and where it goes on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response

from lymer.api import tempo_json
from lymer.api.answers import Answers
from lymer.api.tempo import tag_field
from lymer.api.tempo_parameters import number, step_of, time_range
from lymer.errors import QuestionError
from lymer.query.service import QueryService
from lymer.storage.search_contract import Cursor

__all__ = ["Searches"]


class Searches:
    """Handlers of the routes below `/api/search`."""

    def __init__(self, answers: Answers, now_unix_nano: Callable[[], int]) -> None:
        """Answer in the threads of `answers`."""
        self._answers = answers
        self._now = now_unix_nano

    async def find(self, request: Request, service: QueryService) -> Response:
        """Answer with traces: `q`, `start`, `end`, `limit`, `spss`, `order`, `cursor`."""
        parameters = request.query_params
        order = parameters.get("order", "newest")
        if order not in {"newest", "slowest"}:
            raise QuestionError(f"cannot read order: {order[:100]!r} is not newest or slowest")
        limits = (number(parameters, "limit", 20), number(parameters, "spss", 3))
        times = time_range(parameters, self._now())
        after = _cursor(parameters.get("cursor", ""))

        def make() -> dict[str, Any]:
            found = service.language.find(
                parameters.get("q", ""), times, limits, order=cast("Any", order), after=after
            )
            cursor = found.cursor
            return {
                **tempo_json.search(found),
                "complete": found.is_complete,
                "reason": found.reason,
                "cursor": f"{cursor.key}-{cursor.trace_id}" if cursor else "",
                "scanned": {"traces": found.scanned.traces, "spans": found.scanned.spans},
            }

        return await self._answers.json(request, lambda: orjson.dumps(make()))

    async def measure(self, request: Request, service: QueryService) -> Response:
        """Answer with series: `q`, `start`, `end`, `step`, `exemplars`."""
        parameters = request.query_params
        times = time_range(parameters, self._now())
        step, exemplars = step_of(parameters, times), number(parameters, "exemplars", 0)

        def make() -> dict[str, Any]:
            found = service.language.measure(
                parameters.get("q", ""), times, step, exemplars_max=exemplars
            )
            shown = tempo_json.series_range(found)
            return {
                **shown,
                "complete": found.is_complete,
                "reason": found.reason,
                "estimated": found.is_estimated,
            }

        return await self._answers.json(request, lambda: orjson.dumps(make()))

    async def fields(self, request: Request, service: QueryService) -> Response:
        """Answer with attributes: `q`, `start`, `end`, `limit`."""
        parameters = request.query_params
        times, limit = time_range(parameters, self._now()), number(parameters, "limit", 1_000)

        def make() -> list[dict[str, Any]]:
            found = service.language.names(times, parameters.get("q", ""), limit=limit)
            return [
                {"scope": one.scope, "name": one.name, "type": one.type, "count": one.count}
                for one in found
            ]

        return await self._answers.json(request, lambda: orjson.dumps({"fields": make()}))

    async def values(self, request: Request, service: QueryService) -> Response:
        """Answer with values of `field`: `q`, `start`, `end`, `limit`."""
        parameters = request.query_params
        times, limit = time_range(parameters, self._now()), number(parameters, "limit", 1_000)
        field = tag_field(parameters.get("field", ""))

        def make() -> list[dict[str, Any]]:
            found = service.language.values(field, times, parameters.get("q", ""), limit=limit)
            return [{**tempo_json.tag_value(one), "count": one.count} for one in found]

        return await self._answers.json(request, lambda: orjson.dumps({"values": make()}))


def _cursor(text: str) -> Cursor | None:
    if not text:
        return None
    key, _, trace_id = text.partition("-")
    if not key.isdecimal() or len(key) > 20 or len(trace_id) != 32:
        raise QuestionError(f"cannot read cursor: {text[:100]!r} is none that an answer gave")
    return Cursor(int(key), trace_id)
