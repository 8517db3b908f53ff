"""What is asked: the same questions over HTTP and, later, of the store itself."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from bench.workload import SentSpan, Workload

__all__ = ["Question", "make_questions"]

_LIMIT = 20
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")


@dataclass(frozen=True, slots=True)
class Question:
    """One question in two forms, and what its answer must hold."""

    group: str
    path: str
    """Path and query of a GET."""
    method: str
    """Method of the store: find_traces, get_traces, ..."""
    arguments: dict[str, object]
    """Its arguments, JSON."""
    trace_id: str = ""
    """A trace that the answer must hold if `is_only`; with other matches it may be cut off."""
    is_only: bool = False
    spans: int = -1
    """Number of spans the answer must hold; -1 for not known."""
    finds: bool = True
    """Whether something must be found; False: nothing may be."""


@dataclass(frozen=True, slots=True)
class _Sample:
    trace_id: str
    span: SentSpan
    key: str
    text: str


def make_questions(workload: Workload, scale: float = 1.0, seed: int = 5) -> list[Question]:
    """Return the questions, shuffled.

    Args:
        workload: The truth.
        scale: Part of the usual number of questions.
        seed: Start of the random numbers.
    """
    draw = random.Random(seed)

    def times(count: int) -> int:
        return max(2, round(count * scale))

    questions = [_by_id(trace, spans) for trace, spans, _ in workload.known[: times(200)]]
    for _ in range(times(50)):
        absent = draw.randbytes(16).hex()
        arguments: dict[str, object] = {"trace_ids": [absent]}
        path = f"/api/traces/{absent}"
        questions.append(
            Question("trace by id, absent", path, "get_traces", arguments, finds=False)
        )
    questions += _searches(workload, draw, times)
    services = sorted(
        {span.service for spans in workload.truth.values() for span in spans.values()}
    )
    first, last = workload.first_unix_nano, workload.last_unix_nano
    for number in range(times(20)):
        service = services[number % len(services)]
        questions.append(Question("services", "/api/services", "get_services", {}))
        questions.append(
            Question(
                "operations",
                f"/api/operations?service={quote(service)}",
                "get_operations",
                {"service": service, "span_kind": ""},
            )
        )
        lookback = (last - first) // 1_000_000
        dependencies = f"/api/dependencies?endTs={last // 1_000_000}&lookback={lookback}"
        span = {"start_unix_nano": first, "end_unix_nano": last}
        questions.append(Question("dependencies", dependencies, "get_dependencies", dict(span)))
        questions.append(Question("RED, all operations", "", "get_red", {**span, "service": ""}))
        questions.append(Question("RED, one service", "", "get_red", {**span, "service": service}))
    draw.shuffle(questions)
    return questions


def _by_id(trace_id: str, spans: int) -> Question:
    arguments: dict[str, object] = {"trace_ids": [trace_id]}
    path = f"/api/traces/{trace_id}"
    return Question(
        "trace by id", path, "get_traces", arguments, trace_id, is_only=True, spans=spans
    )


def _searches(workload: Workload, draw: random.Random, times: object) -> Iterator[Question]:
    assert callable(times)
    samples, counts = _samples(workload)
    draw.shuffle(samples)
    for sample in samples[: times(40)]:
        span = sample.span
        yield _find(workload, "search: service", sample, service=span.service)
        yield _find(
            workload,
            "search: service, operation",
            sample,
            service=span.service,
            operation=span.name,
        )
        yield _find(
            workload,
            "search: service, operation, tag, min duration",
            sample,
            service=span.service,
            operation=span.name,
            tag=(sample.key, sample.text),
            min_micros=span.duration_micros // 2,
        )
    rare = [one for one in samples if counts[one.key, one.text] == 1 and _UUID.match(one.text)]
    # Made-up values repeat: then others match, too, and the sample may not be among the newest.
    is_only = bool(rare)
    rare = rare or sorted(samples, key=lambda one: counts[one.key, one.text])
    for sample in rare[: times(40)]:
        tag = sample.key, sample.text
        yield _find(workload, "search: service, rare tag", sample, service=sample.span.service,
                    tag=tag, is_only=is_only)  # fmt: skip
        yield _find(workload, "tag without service: rare", sample, tag=tag, is_only=is_only)
        missing = sample.key, draw.randbytes(8).hex() + sample.text[16:]
        yield _find(workload, "tag without service: absent", sample, tag=missing, finds=False)
    for tag, _ in counts.most_common(times(10)):
        yield _find(workload, "tag without service: common", samples[0], tag=tag)


def _samples(workload: Workload) -> tuple[list[_Sample], Counter[tuple[str, str]]]:
    """Return spans to be looked for, each by one of its tags, and how often tags occur."""
    samples: list[_Sample] = []
    counts: Counter[tuple[str, str]] = Counter()
    for trace_id, spans in workload.truth.items():
        for span in spans.values():
            for key, value in span.attributes:
                if isinstance(value, str) and value:
                    counts[key, value] += 1
                    samples.append(_Sample(trace_id, span, key, value))
    return samples, counts


def _find(  # noqa: PLR0913 - one for each part of the form that people fill in
    workload: Workload,
    group: str,
    sample: _Sample,
    *,
    service: str = "",
    operation: str = "",
    tag: tuple[str, str] | None = None,
    min_micros: int = 0,
    finds: bool = True,
    is_only: bool = False,
) -> Question:
    first, last = workload.first_unix_nano, workload.last_unix_nano
    tags = json.dumps(dict([tag])) if tag else ""
    if service:
        query = {"service": service, "operation": operation, "tags": tags}
        query["minDuration"] = f"{min_micros}us" if min_micros else ""
        query |= {"start": str(first // 1000), "end": str(last // 1000), "limit": str(_LIMIT)}
        path = "/api/traces"
    else:
        # Jaeger's older API will not search without a service; v3 will, and answers summaries.
        query = {"query.attributes": tags, "query.search_depth": str(_LIMIT)}
        query |= {"query.start_time_min": _rfc3339(first), "query.start_time_max": _rfc3339(last)}
        path = "/api/v3/trace-summaries"
    arguments: dict[str, object] = {
        "start_unix_nano_min": first,
        "start_unix_nano_max": last,
        "service": service,
        "operation": operation,
        "tags": [list(tag)] if tag else [],
        "duration_nano_min": min_micros * 1000 or None,
        "limit": _LIMIT,
    }
    path += "?" + urlencode({key: value for key, value in query.items() if value})
    return Question(
        group, path, "find_traces", arguments, sample.trace_id, is_only=is_only, finds=finds
    )


def _rfc3339(unix_nano: int) -> str:
    return datetime.fromtimestamp(unix_nano // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
