"""How good the traces of a service are: what can be judged without knowing the service.

Each metric says of spans (or traces) whether they pass, fail, or cannot be judged. Traces are
judged as they were sent, before any repair. Source of the form: Jaeger UI v2.20,
`packages/jaeger-ui/src/components/QualityMetrics/types.ts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = ["METRICS", "Judged", "Quality", "Trace"]

EXAMPLES_MAX: Final = 5
_SERVER, _CLIENT, _PRODUCER, _CONSUMER = 2, 3, 4, 5
_CALLERS: Final = frozenset({_CLIENT, _PRODUCER})
_CALLEES: Final = frozenset({_SERVER, _CONSUMER})
Verdict = Literal["pass", "fail", "exempt"]


@dataclass(frozen=True, slots=True)
class Trace:
    """One trace as it was sent, a column for each field; see `SpanColumns`."""

    trace_id: str
    span_id: Sequence[str]
    parent_span_id: Sequence[str]
    service: Sequence[str]
    kind: Sequence[int]
    start_unix_nano: Sequence[int]
    duration_nano: Sequence[int]
    identity: Sequence[int]
    warnings: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Metric:
    """What is judged."""

    key: str
    name: str
    category: Literal["completeness", "quality"]
    description: str


METRICS: Final = (
    Metric(
        "parents", "Parents arrived", "completeness",
        "The span that a span names as its parent is in the trace. Roots have none.",
    ),
    Metric(
        "callers", "Callers are seen", "completeness",
        "A server or consumer was called by a client or producer span. Roots are exempt.",
    ),
    Metric(
        "one_root", "One root", "completeness",
        "The traces that the service is in have exactly one span without a parent.",
    ),
    Metric(
        "unique_ids", "Unique span ids", "quality",
        "No other span of the trace has the id, but a server the one of its client.",
    ),
    Metric(
        "delivered_once", "Delivered once", "quality",
        "No copy of the span was sent.",
    ),
    Metric(
        "clocks", "Clocks agree", "quality",
        "A span does not start before its parent. Spans without a parent in the trace are exempt.",
    ),
    Metric(
        "as_sent", "Accepted as sent", "quality",
        "Nothing of the span had to be repaired to be stored.",
    ),
)  # fmt: skip


@dataclass(slots=True)
class Judged:
    """One verdict of one metric."""

    count: int = 0
    examples: dict[str, list[str]] = field(default_factory=dict)
    """Trace ids, and span ids of each; the first ones met."""

    def add(self, trace_id: str, span_id: str = "") -> None:
        """Count one."""
        self.count += 1
        spans = self.examples.get(trace_id)
        if spans is None and len(self.examples) < EXAMPLES_MAX:
            spans = self.examples[trace_id] = []
        if spans is not None and span_id and len(spans) < EXAMPLES_MAX:
            spans.append(span_id)


class Quality:
    """Judges the spans of one service, trace by trace."""

    def __init__(self, service: str) -> None:
        """Begin."""
        self._service = service
        self.traces = 0
        self.found: dict[str, dict[Verdict, Judged]] = {
            metric.key: {"pass": Judged(), "fail": Judged(), "exempt": Judged()}
            for metric in METRICS
        }
        """By metric and verdict."""

    def add(self, trace: Trace) -> None:
        """Judge one trace; it counts only if the service is in it."""
        rows = [row for row, service in enumerate(trace.service) if service == self._service]
        if not rows:
            return
        self.traces += 1
        rows_by_id: dict[str, list[int]] = {}
        for row, span_id in enumerate(trace.span_id):
            rows_by_id.setdefault(span_id, []).append(row)
        copies: dict[int, int] = {}
        for identity in trace.identity:
            copies[identity] = copies.get(identity, 0) + 1
        met: set[int] = set()
        for row in rows:
            identity = trace.identity[row]
            if identity in met:
                continue  # a copy says nothing new
            met.add(identity)
            verdicts: dict[str, Verdict] = {
                **_of_parents(trace, row, rows_by_id),
                "unique_ids": _passes(_is_unique(trace, row, rows_by_id[trace.span_id[row]])),
                "delivered_once": _passes(copies[identity] == 1),
                "as_sent": _passes(not trace.warnings[row]),
            }
            for key, verdict in verdicts.items():
                self.found[key][verdict].add(trace.trace_id, trace.span_id[row])
        roots = {
            identity
            for identity, parent in zip(trace.identity, trace.parent_span_id, strict=True)
            if not parent
        }
        self.found["one_root"][_passes(len(roots) == 1)].add(trace.trace_id)

    def scores(self) -> dict[str, float]:
        """Return the mean share of what passed in each category, from 0 to 100."""
        shares: dict[str, list[float]] = {}
        for metric in METRICS:
            passed, failed = (self.found[metric.key][one].count for one in ("pass", "fail"))
            judged = passed + failed
            shares.setdefault(metric.category, []).extend([passed / judged] if judged else [])
        return {
            category: 100 * sum(each) / len(each) if each else 100.0
            for category, each in shares.items()
        }


def _passes(passed: bool) -> Verdict:  # noqa: FBT001 - it is the condition itself
    return "pass" if passed else "fail"


def _of_parents(trace: Trace, row: int, rows_by_id: dict[str, list[int]]) -> dict[str, Verdict]:
    """Judge what a span says of its parent; a server may share the id of its client."""
    span_id, kind = trace.span_id[row], trace.kind[row]
    sharing = [
        other for other in rows_by_id[span_id] if kind in _CALLEES and trace.kind[other] in _CALLERS
    ]
    wanted = trace.parent_span_id[row]
    parents = sharing or [other for other in rows_by_id.get(wanted, ()) if other != row]
    if not wanted and not sharing:
        return {"parents": "exempt", "callers": "exempt", "clocks": "exempt"}
    is_callee = kind in _CALLEES
    starts = [trace.start_unix_nano[one] for one in parents]
    return {
        "parents": _passes(bool(parents)),
        "callers": _passes(any(trace.kind[one] in _CALLERS for one in parents))
        if is_callee
        else "exempt",
        "clocks": _passes(trace.start_unix_nano[row] >= min(starts)) if starts else "exempt",
    }


def _is_unique(trace: Trace, row: int, sharing: Sequence[int]) -> bool:
    """Tell whether nobody else has the id, but the other end of the same call; copies are one."""
    others = {trace.identity[one]: trace.kind[one] for one in sharing}
    others.pop(trace.identity[row], None)
    if not others:
        return True
    if len(others) > 1:
        return False
    (other,) = others.values()
    kinds = {trace.kind[row], other}
    return bool(kinds & _CALLERS) and bool(kinds & _CALLEES)
