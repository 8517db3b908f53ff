"""The service graph by looking at every span: slow and plain."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from fakes.memory_store.span import StoredSpan
from fakes.sampling_weight import weight_of
from lymer.model.graph import GraphEdge

__all__ = ["graph_of"]

CALLERS, CALLEES = {3, 4}, {2, 5}
_Key = tuple[str, str, str, str, str]


def graph_of(traces: Sequence[Sequence[StoredSpan]], first: int, last: int) -> list[GraphEdge]:
    """Return the graph of spans that start in [first, last), nanoseconds."""
    sums: dict[_Key, list[tuple[StoredSpan, float]]] = defaultdict(list)
    every = {(span.trace_id, span.span_id): span for spans in traces for span in spans}
    for spans in traces:
        for key, span in _edges(spans, every):
            if first <= span.start_unix_nano < last:
                sums[key].append((span, weight_of(span.span.trace_state)))
    return [_edge(key, counted) for key, counted in sums.items()]


def _edges(
    spans: Sequence[StoredSpan], every: dict[tuple[str, str], StoredSpan]
) -> Iterator[tuple[_Key, StoredSpan]]:
    for span in spans:
        if span.kind in CALLEES or not span.parent_span_id:
            yield ("", "", "service", span.service, "call"), span
        if span.kind == 5:
            linked = {every[link[:2]].service for link in span.links if link[:2] in every}
            for service_name in linked:
                yield ("service", service_name, "service", span.service, "link"), span
    yield from _calls(list({_identity(span): span for span in reversed(spans)}.values()))


def _identity(span: StoredSpan) -> tuple[str, str, str, int]:
    return span.span_id, span.parent_span_id, span.service, span.kind


def _calls(spans: list[StoredSpan]) -> Iterator[tuple[_Key, StoredSpan]]:
    for span in spans:
        if span.kind in {4, 5} and _destination(span):
            queue, service = ("messaging", _destination(span)), ("service", span.service)
            ends = (*service, *queue) if span.kind == 4 else (*queue, *service)
            yield (*ends, "call"), span
        callers = [
            one.service for one in spans if one.span_id == span.span_id and one.kind in CALLERS
        ]
        parents = [one for one in spans if one.span_id == span.parent_span_id]
        callees = [one for one in parents if one.kind in CALLEES]
        is_callee = span.kind in CALLEES
        named = callers if is_callee and callers else [one.service for one in callees or parents]
        if named and (is_callee or min(named) != span.service):
            yield ("service", min(named), "service", span.service, "call"), span
        is_answered = any(
            one.kind in CALLEES and span.span_id in {one.span_id, one.parent_span_id}
            for one in spans
        )
        leaf = _leaf(span) if span.kind in CALLERS and not is_answered else None
        if leaf:
            yield ("service", span.service, *leaf, "call"), span


def _leaf(span: StoredSpan) -> tuple[str, str] | None:
    if span.kind == 4 and _destination(span):
        return None
    if database := _text(span, "db.system.name", "db.system"):
        return "database", "/".join(
            filter(None, (database, _text(span, "db.namespace", "db.name")))
        )
    peer = _text(span, "service.peer.name", "peer.service", "server.address", "net.peer.name")
    return ("external", peer) if peer else None


def _destination(span: StoredSpan) -> str:
    name = _text(span, "messaging.destination.name", "messaging.destination")
    return name and "/".join(filter(None, (_text(span, "messaging.system"), name)))


def _text(span: StoredSpan, *keys: str) -> str:
    values = {key: value.string_value for key, value in reversed(span.attributes)}
    return next((values[key] for key in keys if values.get(key)), "")


def _edge(key: _Key, counted: Iterable[tuple[StoredSpan, float]]) -> GraphEdge:
    counted = list(counted)
    buckets: dict[int, float] = defaultdict(float)
    for span, weight in counted:
        buckets[math.floor(math.log2(span.duration_nano + 1) * 8)] += weight
    return GraphEdge(
        *key,
        calls=sum(weight for _, weight in counted),
        errors=sum(weight for span, weight in counted if span.status_code == 2),
        duration_nano_sum=sum(weight * span.duration_nano for span, weight in counted),
        buckets=tuple(sorted(buckets.items())),
        span_count=len(counted),
    )
