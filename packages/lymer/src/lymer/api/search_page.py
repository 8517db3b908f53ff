"""What a page around the search language asks: whether a question can be read, and its heatmap.

`/api/search/check` reads a question and answers nothing else; `/api/search/summaries` finds traces
as lines of a list; `/api/search/heatmap` counts all matching spans by start and duration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response

from lymer.api.answers import Answers
from lymer.api.parameters import first_of
from lymer.api.tempo_parameters import number, time_range
from lymer.api.trace_summaries import told_summary
from lymer.errors import QuestionError, QuestionTextError
from lymer.language import tree
from lymer.language.form import form_of
from lymer.language.parsing import parse
from lymer.query.service import QueryService
from lymer.storage.search_contract import FoundSeries

__all__ = ["SearchPage", "place_of"]

PER_OCTAVE: Final = 4
"""Rows of a heatmap from a duration to its double: each is 19 % longer than the one below."""
COLUMNS: Final = 120
COLUMNS_MAX: Final = 1_000
_STATUS: Final = tree.Intrinsic("span:status")
_DURATION: Final = tree.Intrinsic("span:duration")


class SearchPage:
    """Handlers of the routes below `/api/search` that only a page needs."""

    def __init__(self, answers: Answers, now_unix_nano: Callable[[], int]) -> None:
        """Answer in the threads of `answers`."""
        self._answers = answers
        self._now = now_unix_nano

    async def check(self, request: Request, _service: QueryService) -> Response:
        """Answer whether `q` can be read: what it asks for and as a form, or what is wrong."""
        text = request.query_params.get("q", "")
        return await self._answers.json(request, lambda: orjson.dumps(_checked(text)))

    async def summaries(self, request: Request, service: QueryService) -> Response:
        """Answer with one line for each trace: `q`, `start`, `end`, `limit`, `order`."""
        parameters = request.query_params
        times, limit = time_range(parameters, self._now()), number(parameters, "limit", 20)
        order = parameters.get("order", "newest")
        if order not in {"newest", "slowest"}:
            raise QuestionError(f"cannot read order: {order[:100]!r} is not newest or slowest")

        def make() -> dict[str, Any]:
            found = service.language.find(
                parameters.get("q", ""), times, (limit, 1), order=cast("Any", order)
            )
            matched = {one.trace_id: one for one in found.traces}
            lines = []
            for summary in service.get_summaries([one.trace_id for one in found.traces]):
                sets = matched[summary.trace_id].sets
                ids = [one for each in sets for one in each.span_ids][:_IDS_SHOWN]
                lines.append(
                    {
                        **told_summary(summary),
                        "matched": sum(one.matched for one in sets),
                        "spanIds": ids,
                    }
                )
            return {
                "summaries": lines,
                "complete": found.is_complete,
                "reason": found.reason,
                "hasMore": found.has_more,
            }

        return await self._answers.json(request, lambda: orjson.dumps(make()))

    async def heatmap(self, request: Request, service: QueryService) -> Response:
        """Answer with counts of spans by start and duration: `q`, `start`, `end`, `columns`."""
        parameters = request.query_params
        times, columns = time_range(parameters, self._now()), number(parameters, "columns", COLUMNS)
        if not 1 <= columns <= COLUMNS_MAX:
            raise QuestionError(
                f"cannot make a heatmap: columns is {columns}, allowed is 1 to {COLUMNS_MAX}"
            )
        text = first_of(parameters, "q")

        def make() -> dict[str, Any]:
            step = max(-(-(times[1] - times[0]) // (columns * 1_000_000)), 1) * 1_000_000
            return _told(service.language.heatmap(text, times, step, PER_OCTAVE), times[0], step)

        return await self._answers.json(request, lambda: orjson.dumps(make()))


_IDS_SHOWN: Final = 10
"""Spans of a trace that its line marks."""


def place_of(error: QuestionTextError) -> dict[str, object]:
    """Return where in a question an error is."""
    return {
        "cause": error.cause, "at": error.at, "line": error.line, "column": error.column,
        "hint": error.hint,
    }  # fmt: skip


def _checked(text: str) -> dict[str, Any]:
    try:
        query = parse(text)
    except QuestionTextError as error:
        return {"valid": False, "place": place_of(error)}
    form = form_of(query)
    return {
        "valid": True,
        "asks": "traces" if isinstance(query.body, tree.Pipeline) else "numbers",
        "form": None if form is None else _camel(asdict(form)),
    }


def _camel(values: Mapping[str, Any]) -> dict[str, Any]:
    names = {"min_duration": "minDuration", "max_duration": "maxDuration"}
    return {names.get(name, name): value for name, value in values.items()}


def _told(found: FoundSeries, start: int, step: int) -> dict[str, Any]:
    """Return cells as columns of numbers: place in time, bound's number, spans, failed ones."""
    first = start // step * step
    cells: dict[tuple[int, int], list[float]] = {}
    for series in found.series:
        labels = dict(series.labels)
        bound = labels["__bucket"]
        status = labels.get("status")
        assert bound is not None
        row = round(math.log2(float(bound[1]) * 1e9) * PER_OCTAVE)
        failed = status is not None and status[1] == "error"
        for milli, value in series.samples:
            if value:
                at = round((milli * 1_000_000 - first) / step) - 1
                cell = cells.setdefault((at, row), [0.0, 0.0])
                cell[0] += value
                cell[1] += value if failed else 0
    ordered = sorted(cells.items())
    return {
        "startUnixNano": str(first),
        "stepNano": step,
        "perOctave": PER_OCTAVE,
        "column": [at for (at, _), _ in ordered],
        "row": [row for (_, row), _ in ordered],
        "spans": [round(spans) for _, (spans, _) in ordered],
        "errors": [round(errors) for _, (_, errors) in ordered],
        "complete": found.is_complete,
        "reason": found.reason,
        "estimated": found.is_estimated,
    }
