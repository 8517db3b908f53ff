"""Diagnosis over HTTP: `/api/lymer/v1/diagnosis/*` and the findings of a trace. JSON in camel case.

Times are microseconds since the epoch where they are asked for, as in Jaeger's search, and
nanoseconds in answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from lymer.analysis.cohort import Finding
from lymer.analysis.path_diff import PathDifference
from lymer.analysis.trace_findings import TraceFinding
from lymer.api.answers import Answers, check_query_string
from lymer.api.parameters import first_of, to_flag, to_number, to_trace_id
from lymer.errors import QuestionError
from lymer.language.literals import duration_nano
from lymer.model.span_table import SpanTable
from lymer.query.changes import CHANGED, Change, find_changes
from lymer.query.diagnosis import (
    FIRST_SPANS_MAX,
    RANGE_SECONDS,
    Explanation,
    Profile,
    RootCause,
    Sample,
    TimeRange,
)
from lymer.query.service import QueryService

__all__ = [
    "DiagnosisApi",
    "told_changes",
    "told_explanation",
    "told_findings",
    "told_root_cause",
]

_PATHS_MAX: Final = 2_000
"""Most paths of calls in an answer; the cheapest are left out, and counted."""
_ROWS_MAX: Final = 2_000
"""Most rows of a profile; those with the least self time are left out, and counted."""
_DIFFERENCES_MAX: Final = 500
_TRACES_COMPARED_MAX: Final = 1_000


class DiagnosisApi:
    """Handlers."""

    def __init__(self, answers: Answers, now_unix_nano: Callable[[], int]) -> None:
        self._answers = answers
        self._now = now_unix_nano

    async def get_root_cause(self, request: Request, query: QueryService) -> Response:
        """GET …/root-cause: where an anomaly began; without a window it is found."""
        within, window = self._asked_range(request, query), self._window(request)
        return await self._answers.json(
            request,
            lambda: orjson.dumps(told_root_cause(query.diagnosis().root_cause(within(), window))),
        )

    async def explain(self, request: Request, query: QueryService) -> Response:
        """GET …/explain: what is different about the spans of a question.

        Without `q`, `baseline`, `slowest`, `errors` or a window, it is what went wrong lately.
        """
        within, window = self._asked_range(request, query), self._window(request)
        parameters = request.query_params
        slowest = _part(first_of(parameters, "slowest"))
        durations = _durations(
            first_of(parameters, "minDuration"), first_of(parameters, "maxDuration")
        )
        only_errors = to_flag(parameters, "errors")

        def answer(spans_max: int | None) -> tuple[dict[str, Any], Sample]:
            found = query.diagnosis().explain(
                within(),
                first_of(parameters, "q"),
                slowest=slowest,
                only_errors=only_errors,
                baseline=first_of(parameters, "baseline"),
                window=window,
                durations=durations,
                spans_max=spans_max,
            )
            return told_explanation(found), found.sample

        return await self._refined(request, answer)

    async def get_profile(self, request: Request, query: QueryService) -> Response:
        """GET …/profile: costs of operations, and the traces merged by path."""
        within = self._asked_range(request, query)
        question = first_of(request.query_params, "q")
        by = request.query_params.getlist("by")

        def answer(spans_max: int | None) -> tuple[dict[str, Any], Sample]:
            found = query.diagnosis().profile(within(), question, by, spans_max=spans_max)
            return _profile(found, by), found.sample

        return await self._refined(request, answer)

    async def _refined(
        self,
        request: Request,
        answer: Callable[[int | None], tuple[dict[str, Any], Sample]],
    ) -> Response:
        """Answer at once, or with `progressive` by lines: of a small sample first, then of all.

        Each line is a whole answer with `final`, whether nothing better follows.
        """
        if not to_flag(request.query_params, "progressive"):
            return await self._answers.json(request, lambda: orjson.dumps(answer(None)[0]))

        def lines() -> Iterator[bytes]:
            told, sample = answer(FIRST_SPANS_MAX)
            is_all = sample.spans >= sample.of_spans
            yield orjson.dumps({"final": is_all, **told}) + b"\n"
            if not is_all:
                yield orjson.dumps({"final": True, **answer(None)[0]}) + b"\n"

        return await self._answers.as_they_come(request, lines, "application/x-ndjson")

    async def get_changes(self, request: Request, query: QueryService) -> Response:
        """GET …/changes: when rate, errors or latency of operations and edges jumped."""
        within = self._range(request, default_seconds=86_400)
        services = request.query_params.getlist("service")
        of = request.query_params.getlist("of") or CHANGED
        return await self._answers.json(
            request,
            lambda: orjson.dumps(
                {
                    "changes": told_changes(
                        find_changes(
                            query.reader, within.start_unix_nano, within.end_unix_nano, services, of
                        )
                    )
                }
            ),
        )

    async def get_difference(self, request: Request, query: QueryService) -> Response:
        """GET …/difference?one=ID&other=ID: two traces, or sets of them, by paths of calls."""
        check_query_string(request)
        sides = [
            [to_trace_id(text) for text in request.query_params.getlist(side)]
            for side in ("one", "other")
        ]
        if not all(0 < len(side) <= _TRACES_COMPARED_MAX for side in sides):
            raise QuestionError(
                "cannot compare: 'one' and 'other' must each name 1 to "
                f"{_TRACES_COMPARED_MAX} traces"
            )
        return await self._answers.json(
            request, lambda: orjson.dumps(_difference(*query.diagnosis().difference(*sides)))
        )

    async def get_findings(self, request: Request, query: QueryService) -> Response:
        """GET …/traces/{trace_id}/findings: what is remarkable about one trace."""
        trace_id = to_trace_id(request.path_params["trace_id"])

        def answer() -> bytes:
            found = query.diagnosis().findings_of_trace(trace_id)
            return orjson.dumps({"findings": told_findings(*found)})

        return await self._answers.json(request, answer)

    def _asked_range(self, request: Request, query: QueryService) -> Callable[[], TimeRange]:
        """Return what tells the range, in a thread: where nobody says when, the store is asked."""
        within = self._range(request)
        if not {"start", "end"} & set(request.query_params):
            return lambda: query.diagnosis().latest(within.end_unix_nano)
        return lambda: within

    def _range(self, request: Request, default_seconds: int = RANGE_SECONDS) -> TimeRange:
        check_query_string(request)
        parameters = request.query_params
        now = self._now()
        end = to_number(parameters, "end", now // 1_000) * 1_000
        start = to_number(parameters, "start", end // 1_000 - default_seconds * 1_000_000) * 1_000
        if start > end:
            raise QuestionError("invalid parameter: start time must be before end time")
        return TimeRange(_clamped(start), _clamped(end))

    def _window(self, request: Request) -> TimeRange | None:
        parameters = request.query_params
        start = to_number(parameters, "windowStart", -1)
        end = to_number(parameters, "windowEnd", -1)
        if start < 0 and end < 0:
            return None
        if not 0 <= start <= end:
            raise QuestionError(
                "invalid parameter: windowStart and windowEnd come together, the start first"
            )
        return TimeRange(_clamped(start * 1_000), _clamped(end * 1_000))


def _clamped(unix_nano: int) -> int:
    return min(max(unix_nano, 0), 2**63 - 1)


def _part(text: str) -> float:
    """Read `5%` or `0.05`; empty is 0.

    Raises:
        QuestionError: It is neither.
    """
    if not text:
        return 0.0
    try:
        value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise QuestionError(
            f"invalid parameter: slowest is a part such as 5% or 0.05, not {text[:32]!r}"
        )
    return value


def _durations(shortest: str, longest: str) -> tuple[int, int] | None:
    """Read durations such as `1.5s` as nanoseconds; None if neither is there.

    Raises:
        QuestionError: One is no duration.
    """
    if not shortest and not longest:
        return None
    low = duration_nano(shortest or "0s")
    high = duration_nano(longest) if longest else 2**63 - 1
    if low is None or high is None:
        raise QuestionError("invalid parameter: minDuration and maxDuration are like 1.5s or 200ms")
    return low, high


def _sample(sample: Sample) -> dict[str, int]:
    return {
        "spans": sample.spans,
        "traces": sample.traces,
        "ofSpans": sample.of_spans,
        "ofTraces": sample.of_traces,
    }


def _finding(one: Finding, example: str = "") -> dict[str, Any]:
    told: dict[str, Any] = {
        "scope": one.fact.scope,
        "key": one.fact.key,
        "value": one.fact.value,
        "effect": one.effect,
        "support": one.support,
        "sample": one.sample,
        "inSelection": one.in_selection,
        "inBaseline": one.in_baseline,
        "score": one.score,
        "along": [
            {"scope": other.scope, "key": other.key, "value": other.value} for other in one.along
        ],
    }
    if one.own is not None and one.fact.scope in {"span", "resource"}:
        told["own"] = one.own
    if one.values:
        told["values"] = [
            {"value": value, "inSelection": part, "inBaseline": usual}
            for value, part, usual in one.values
        ]
    if example:
        told["exampleTraceId"] = example
    return told


def told_explanation(found: Explanation) -> dict[str, Any]:
    """Return an explanation as it is told."""
    return {
        "how": found.how,
        "selected": found.selected,
        "baseline": found.baseline,
        "sample": _sample(found.sample),
        "findings": [
            _finding(one, example) | {"effectError": _effect_error(one, found)}
            for one, example in zip(found.findings, found.examples, strict=True)
        ],
    }


def _effect_error(one: Finding, found: Explanation) -> float:
    """Return by how much an effect may be off, 95 of 100 times, since only a part was looked at."""
    left_out = 1 - found.sample.spans / max(found.sample.of_spans, 1)
    variance = sum(
        part * (1 - part) / max(size, 1)
        for part, size in ((one.in_selection, found.selected), (one.in_baseline, found.baseline))
    )
    return float(1.96 * (left_out * variance) ** 0.5)


def told_root_cause(found: RootCause) -> dict[str, Any]:
    """Return candidates as they are told."""
    causes = found.causes
    candidates = []
    for number, one in enumerate(causes.candidates):
        place = one.place
        is_shown = number < len(found.findings)
        candidates.append(
            {
                "service": place.service,
                "operation": place.operation,
                "score": one.score,
                "evidence": {
                    "what": place.what,
                    "key": place.key,
                    "value": place.value,
                    "calls": place.below or None,
                    "likelihoodRatio": one.ratio,
                    "events": one.events,
                    "chances": one.chances,
                    "usual": one.usual,
                    "attributes": (
                        [_finding(each) for each in found.findings[number]] if is_shown else []
                    ),
                    "traceIds": found.examples[number] if is_shown else [],
                    "spreadThrough": (
                        [{"service": a, "operation": b} for a, b in found.spread[number]]
                        if is_shown
                        else []
                    ),
                },
            }
        )
    return {
        "start_unix_nano": causes.start_unix_nano,
        "end_unix_nano": causes.end_unix_nano,
        "candidates": candidates,
        "byRule": [{"service": a, "operation": b} for a, b in causes.by_rule],
        "sample": _sample(found.sample),
    }


def told_changes(found: Sequence[Change]) -> list[dict[str, Any]]:
    """Return changes as they are told."""
    return [
        {
            "service": one.service,
            "operation": one.operation or None,
            "caller": one.caller or None,
            "what": one.what,
            "atUnixNano": one.at_unix_nano,
            "before": one.before,
            "after": one.after,
            "strength": one.strength,
        }
        for one in found
    ]


def told_findings(table: SpanTable, found: Sequence[TraceFinding]) -> list[dict[str, Any]]:
    """Return the findings of a trace as they are told."""
    return [
        {
            "kind": one.kind,
            "service": one.service,
            "operation": one.operation,
            "nanoseconds": one.nanoseconds,
            "part": one.part,
            "count": one.count,
            "spanIds": [f"{int(table.span_id[row]):016x}" for row in one.spans],
        }
        for one in found
    ]


def _profile(found: Profile, by: Sequence[str]) -> dict[str, Any]:
    seconds = (found.range.end_unix_nano - found.range.start_unix_nano) / 1e9
    sample, tree = found.sample, found.tree
    scale = sample.of_traces / sample.traces if sample.traces else 1.0
    # The dearest paths; whatever leads to one is dearer or as dear in total, so it is among them.
    order = (-tree.total).argsort(kind="stable")[:_PATHS_MAX]
    kept = sorted(order.tolist())
    place = {at: number for number, at in enumerate(kept)}
    return {
        "sample": _sample(sample),
        "operations": [
            {
                "service": one.service,
                "operation": one.operation,
                **({"values": list(one.by)} if one.by else {}),
                "spans": one.spans,
                "traces": one.traces,
                "errors": one.errors,
                "totalNano": one.total,
                "selfNano": one.self_time,
                "criticalNano": one.critical,
                "p50Nano": one.p50,
                "p95Nano": one.p95,
                "p99Nano": one.p99,
                "perTrace": one.spans / max(sample.traces, 1),
                "perSecond": one.spans * scale / seconds if seconds else 0.0,
                "selfErrorNano": one.self_error,
            }
            for one in found.operations[:_ROWS_MAX]
        ],
        "by": list(by),
        "rowsLeftOut": max(0, len(found.operations) - _ROWS_MAX),
        "names": [[service, operation] for service, operation in found.names],
        "tree": {
            "parent": [place.get(int(tree.parent[at]), -1) for at in kept],
            "name": tree.operation[kept].tolist(),
            "spans": tree.spans[kept].tolist(),
            "traces": tree.traces[kept].tolist(),
            "errors": tree.errors[kept].tolist(),
            "totalNano": tree.total[kept].tolist(),
            "selfNano": tree.self_time[kept].tolist(),
            "criticalNano": tree.critical[kept].tolist(),
        },
        "pathsLeftOut": max(0, len(tree.parent) - len(kept)),
    }


def _difference(found: Sequence[PathDifference], said: str) -> dict[str, Any]:
    return {
        "sentence": said,
        "paths": [
            {
                "path": [[service, operation] for service, operation in one.path],
                "calls": one.calls,
                "totalNano": one.total,
                "selfNano": one.self_time,
            }
            for one in found[:_DIFFERENCES_MAX]
        ],
        "pathsLeftOut": max(0, len(found) - _DIFFERENCES_MAX),
    }
