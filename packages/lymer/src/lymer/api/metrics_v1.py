"""Jaeger's monitor (SPM): rate, errors and duration without a Prometheus beside us.

Source: Jaeger v2.20, `jaegerquery/internal/{http_handler,query_parser}.go` (parameters),
`internal/storage/metricstore/prometheus/metricstore/reader.go` (names, help, values);
`internal/proto-gen/api_v2/metrics/openmetrics.proto` as jsonpb writes it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import orjson
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from lymer.api.answers import Answers, check_query_string
from lymer.api.envelope import envelope, not_found_response
from lymer.api.parameters import first_of, to_flag, to_number
from lymer.errors import QuestionError
from lymer.model.question import SPAN_KINDS
from lymer.query.red_series import RedQuestion, RedSeries
from lymer.query.service import QueryService
from lymer.wire.go_text import float_text, rfc3339_text

__all__ = ["MetricsV1"]

_LOOKBACK_MS: Final = 3_600_000
_STEP_MS: Final = 5_000
_RATE_PER_MS: Final = 600_000
_MINSTEP_MS: Final = 60_000
"""What is counted is counted by the minute."""
_NAMES: Final = {"latencies": "latencies", "calls": "call_rate", "errors": "error_rate"}
_HELP: Final = {
    "latencies": "{quantile}th quantile latency, grouped by service{operation}",
    "calls": "calls/sec, grouped by service{operation}",
    "errors": "error rate, computed as a fraction of errors/sec over calls/sec, "
    "grouped by service{operation}",
}


class MetricsV1:
    """Handlers of `/api/metrics/*`."""

    def __init__(self, answers: Answers, now_unix_nano: Callable[[], int]) -> None:
        self._answers = answers
        self._now_unix_nano = now_unix_nano

    async def get_metrics(self, request: Request, query: QueryService) -> Response:
        """GET /api/metrics/{latencies,calls,errors,minstep}."""
        check_query_string(request)
        what = request.path_params["name"]
        if what == "minstep":
            return await self._answers.json(request, lambda: envelope(b"%d" % _MINSTEP_MS))
        if what not in _NAMES:
            return not_found_response()
        parameters = request.query_params
        quantile = _quantile(parameters) if what == "latencies" else 0.0
        question = _to_question(parameters, self._now_unix_nano())

        def make_body() -> bytes:
            series = query.get_red_series(question, what, quantile)
            return orjson.dumps(_family(what, question, quantile, series))

        return await self._answers.json(request, make_body)


def _to_question(parameters: QueryParams, now_unix_nano: int) -> RedQuestion:
    services = tuple(dict.fromkeys(parameters.getlist("service")))
    if not any(services):
        raise QuestionError(
            "unable to parse param 'service': please provide at least one service name"
        )
    by_operation = to_flag(parameters, "groupByOperation")
    kinds = tuple(dict.fromkeys(parameters.getlist("spanKind"))) or ("server",)
    for kind in kinds:
        if kind not in SPAN_KINDS:
            raise QuestionError(
                f"unable to parse param 'spanKind': unsupported span kind: '{kind}'"
            )
    question = RedQuestion(
        services=services,
        span_kinds=kinds,
        by_operation=by_operation,
        end_ms=to_number(parameters, "endTs", now_unix_nano // 1_000_000),
        lookback_ms=to_number(parameters, "lookback", _LOOKBACK_MS),
        step_ms=to_number(parameters, "step", _STEP_MS),
        rate_per_ms=to_number(parameters, "ratePer", _RATE_PER_MS),
    )
    question.check()
    return question


def _quantile(parameters: QueryParams) -> float:
    text = first_of(parameters, "quantile")
    try:
        value = float(text)
    except ValueError as error:
        raise QuestionError(
            f"unable to parse param 'quantile': strconv.ParseFloat: parsing "
            f"{orjson.dumps(text).decode()}: invalid syntax"
        ) from error
    if not 0 < value <= 1:
        raise QuestionError("unable to parse param 'quantile': it must be above 0 and at most 1")
    return value


def _family(
    what: str, question: RedQuestion, quantile: float, series: list[RedSeries]
) -> dict[str, object]:
    operation = " & operation" if question.by_operation else ""
    prefix = "service_operation" if question.by_operation else "service"
    text = _HELP[what].format(quantile=f"{quantile:.2f}", operation=operation)
    instants = {instant: _instant_text(instant) for instant in question.instants_ms}
    return {
        "name": f"{prefix}_{_NAMES[what]}",
        "type": "GAUGE",
        "help": text,
        "metrics": [
            {
                "labels": _labels(one, by_operation=question.by_operation),
                "metricPoints": [
                    {
                        "gaugeValue": {"doubleValue": _double(value)},
                        "timestamp": instants[instant],
                    }
                    for instant, value in one.points
                ],
            }
            for one in series
        ],
    }


def _labels(series: RedSeries, *, by_operation: bool) -> list[dict[str, str]]:
    named = {"operation": series.operation} if by_operation else {}
    named["service_name"] = series.service
    return [{"name": name, "value": value} for name, value in named.items()]


def _double(value: float) -> float | str:
    return value if math.isfinite(value) else float_text(value)


def _instant_text(unix_ms: int) -> str:
    """Return an instant as jsonpb writes it: no fraction, or three digits of it."""
    text = rfc3339_text(unix_ms // 1_000 * 1_000_000_000)
    rest = unix_ms % 1_000
    return f"{text[:-1]}.{rest:03d}Z" if rest else text
