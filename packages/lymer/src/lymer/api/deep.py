"""Deep dependencies and trace quality: what Jaeger answers with sample data, computed.

Source: Jaeger v2.20, `jaegerquery/internal/http_handler.go`; Jaeger UI v2.20, `src/api/jaeger.ts`
(paths and parameters), `src/model/ddg/types.ts`, `src/components/QualityMetrics/types.ts` (shapes).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from lymer.analysis.paths import Path
from lymer.analysis.quality import METRICS, Judged, Quality
from lymer.api.answers import Answers, check_query_string
from lymer.api.parameters import first_of, to_number
from lymer.errors import QuestionError
from lymer.model.question import TraceQuestion
from lymer.query.service import JUDGED_TRACES_MAX, QueryService
from lymer.wire.jaeger_json import short_trace_id

__all__ = ["Deep"]

_PATHS_MAX: Final = 5_000
"""Ways in an answer, the most gone; a graph of more shows nothing."""
_HOURS: Final = 24
_HOURS_MAX: Final = 24 * 366
_LOOKBACK_MICRO: Final = 2 * 24 * 3_600 * 1_000_000
_HOUR_NANO: Final = 3_600 * 1_000_000_000
_UNIX_NANO_MAX: Final = 2**63 - 1
_LABELS: Final = {"completeness": "Trace Completeness", "quality": "Trace Quality"}


class Deep:
    """Handlers of `/api/deep-dependencies` and `/api/quality-metrics`."""

    def __init__(self, answers: Answers, now_unix_nano: Callable[[], int]) -> None:
        self._answers = answers
        self._now_unix_nano = now_unix_nano

    async def get_paths(self, request: Request, query: QueryService) -> Response:
        """GET /api/deep-dependencies?service=&operation=&start=&end= (microseconds)."""
        check_query_string(request)
        parameters = request.query_params
        service, operation = _service(parameters), first_of(parameters, "operation")
        now = self._now_unix_nano() // 1000
        end = to_number(parameters, "end", 0) or now  # Jaeger's interface sends zeros
        start = to_number(parameters, "start", 0) or end - _LOOKBACK_MICRO
        question = _question(service, operation, start * 1000, end * 1000)

        def make_body() -> bytes:
            paths, traces = query.get_paths(question)
            shown: dict[str, Any] = {"dependencies": [_path(one) for one in paths[:_PATHS_MAX]]}
            if traces == JUDGED_TRACES_MAX:
                shown["sample"] = traces
            return orjson.dumps(shown)

        return await self._answers.json(request, make_body)

    async def get_quality(self, request: Request, query: QueryService) -> Response:
        """GET /api/quality-metrics?service=&hours=."""
        check_query_string(request)
        service = _service(request.query_params)
        hours = to_number(request.query_params, "hours", _HOURS)
        if not 0 < hours <= _HOURS_MAX:
            raise QuestionError(f"cannot judge: hours is {hours}, allowed is 1 to {_HOURS_MAX}")
        end = self._now_unix_nano()
        question = _question(service, "", end - hours * _HOUR_NANO, end)

        def make_body() -> bytes:
            return orjson.dumps(_quality(query.get_quality(question)))

        return await self._answers.json(request, make_body)


def _service(parameters: QueryParams) -> str:
    service = first_of(parameters, "service")
    if not service:
        raise QuestionError("parameter 'service' is required")
    return service


def _question(service: str, operation: str, start: int, end: int) -> TraceQuestion:
    return TraceQuestion(
        start_unix_nano_min=min(max(start, 0), _UNIX_NANO_MAX),
        start_unix_nano_max=min(max(end, 0), _UNIX_NANO_MAX),
        service=service,
        operation=operation,
        limit=JUDGED_TRACES_MAX,
    )


def _path(path: Path) -> dict[str, Any]:
    return {
        "path": [{"service": service, "operation": name} for service, name in path.steps],
        "attributes": [
            {"key": "exemplar_trace_id", "value": short_trace_id(one)} for one in path.trace_ids
        ],
        "count": path.count,
    }


def _quality(quality: Quality) -> dict[str, Any]:
    scores = quality.scores()
    shown: dict[str, Any] = {
        "traceQualityDocumentationLink": "",
        "scores": [
            {"key": key, "label": label, "max": 100, "value": scores[key]}
            for key, label in _LABELS.items()
        ],
        "metrics": [
            {
                "name": metric.name,
                "category": metric.category,
                "description": metric.description,
                "metricDocumentationLink": "",
                "metricWeight": 1,
                **_verdict("pass", quality.found[metric.key]["pass"]),
                **_verdict("failure", quality.found[metric.key]["fail"]),
                **_verdict("exemption", quality.found[metric.key]["exempt"]),
            }
            for metric in METRICS
        ],
    }
    if quality.traces >= JUDGED_TRACES_MAX:
        shown["bannerText"] = f"Judged by the newest {quality.traces} traces."
    return shown


def _verdict(name: str, judged: Judged) -> dict[str, Any]:
    return {
        f"{name}Count": judged.count,
        f"{name}Examples": [
            {"traceID": short_trace_id(trace_id), "spanIDs": spans}
            for trace_id, spans in judged.examples.items()
        ],
    }
