"""The service graph of a window with its figures, and what changed against the window before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from lymer.errors import QuestionError
from lymer.model.graph import GraphEdge

__all__ = ["GRAPH_NANO_MAX", "check_window", "is_estimated", "quantile_nano", "service_graph"]

GRAPH_NANO_MAX: Final = 366 * 86_400 * 1_000_000_000
"""Longest window of one question, nanoseconds."""
_BUCKETS_PER_OCTAVE: Final = 8
_Figures = dict[str, Any]
_Key = tuple[str, str, str]
"""Ids of source and target, and the type; a node has no source and no type."""


def quantile_nano(buckets: Iterable[tuple[int, float]], quantile: float) -> int | None:
    """Return the duration below which this share of the calls stays, nanoseconds.

    Inside of a bucket durations are taken as evenly spread: off by 9 % at most.
    """
    ordered = sorted(buckets)
    wanted = quantile * sum(count for _, count in ordered)
    if wanted <= 0:
        return None
    seen = 0.0
    for bucket, count in ordered:
        if seen + count >= wanted or bucket == ordered[-1][0]:
            low = 2 ** (bucket / _BUCKETS_PER_OCTAVE) - 1
            high = 2 ** ((bucket + 1) / _BUCKETS_PER_OCTAVE) - 1
            return round(low + (high - low) * min((wanted - seen) / count, 1.0))
        seen += count
    return None


def service_graph(
    edges: Iterable[GraphEdge], before: Iterable[GraphEdge] | None = None
) -> dict[str, Any]:
    """Return nodes and edges, the busiest first, as JSON has them.

    Args:
        edges: What was counted in the window.
        before: What was counted in the window before it: every figure then comes with what it was,
            null for what was not there, and what is there no longer has no calls.
    """
    now = _by_key(edges)
    then = None if before is None else _by_key(before)
    keys = dict.fromkeys([*now, *(then or ())])
    nodes, links = {}, []
    for key in keys:
        edge = now.get(key) or (then or {})[key]
        figures = _figures(now.get(key))
        if then is not None:
            figures["before"] = _figures(then[key]) if key in then else None
        if edge.source_kind:
            links.append({"from": key[0], "to": key[1], "type": edge.type, **figures})
        else:
            nodes[key[1]] = _node(edge.target_kind, edge.target, figures)
    _add_leaves(nodes, now, then)
    return {
        "nodes": sorted(nodes.values(), key=_busiest),
        "edges": sorted(links, key=_busiest),
        "estimated": is_estimated(now.values()),
    }


def is_estimated(edges: Iterable[GraphEdge]) -> bool:
    """Tell whether some span counts as several: it was sampled, and says how."""
    return any(edge.calls > edge.span_count * 1.000_001 for edge in edges)


def check_window(start_unix_nano: int, end_unix_nano: int) -> None:
    """Refuse a window that ends before it starts, or is too long.

    Raises:
        QuestionError: It is.
    """
    if not 0 < end_unix_nano - start_unix_nano <= GRAPH_NANO_MAX:
        raise QuestionError(
            "cannot draw the service graph: the window must have from 1 ns to 366 days"
        )


def _id(kind: str, name: str) -> str:
    return name if kind == "service" else f"{kind}:{name}"


def _by_key(edges: Iterable[GraphEdge]) -> dict[_Key, GraphEdge]:
    return {
        (
            (_id(edge.source_kind, edge.source), _id(edge.target_kind, edge.target), edge.type)
            if edge.source_kind
            else ("", _id(edge.target_kind, edge.target), "")
        ): edge
        for edge in edges
    }


def _figures(edge: GraphEdge | None) -> _Figures:
    if edge is None:
        return {"calls": 0, "errors": 0, "avgNano": None, "p50Nano": None, "p95Nano": None,
                "p99Nano": None, "spans": 0}  # fmt: skip
    return {
        "calls": round(edge.calls),
        "errors": round(edge.errors),
        "avgNano": round(edge.duration_nano_sum / edge.calls) if edge.calls > 0 else None,
        "p50Nano": quantile_nano(edge.buckets, 0.5),
        "p95Nano": quantile_nano(edge.buckets, 0.95),
        "p99Nano": quantile_nano(edge.buckets, 0.99),
        "spans": edge.span_count,
    }


def _node(kind: str, name: str, figures: _Figures) -> dict[str, Any]:
    return {"id": _id(kind, name), "name": name, "kind": kind, **figures}


def _add_leaves(
    nodes: dict[str, dict[str, Any]],
    now: Mapping[_Key, GraphEdge],
    then: Mapping[_Key, GraphEdge] | None,
) -> None:
    """Add what has no spans of its own: its figures are those of the edges that lead to it."""
    for window in (now, then or {}):
        for edge in window.values():
            ends = ((edge.source_kind, edge.source), (edge.target_kind, edge.target))
            for kind, name in ends if edge.source_kind else ():
                if _id(kind, name) in nodes:
                    continue
                figures = _figures(_sum_of(now, kind, name))
                if then is not None:
                    known = _sum_of(then, kind, name)
                    figures["before"] = _figures(known) if known else None
                nodes[_id(kind, name)] = _node(kind, name, figures)


def _sum_of(edges: Mapping[_Key, GraphEdge], kind: str, name: str) -> GraphEdge | None:
    into = [
        edge
        for edge in edges.values()
        if edge.source_kind and (edge.target_kind, edge.target) == (kind, name)
    ]
    if not into:
        return None
    buckets: dict[int, float] = {}
    for edge in into:
        for bucket, count in edge.buckets:
            buckets[bucket] = buckets.get(bucket, 0.0) + count
    return GraphEdge(
        "", "", kind, name, "",
        calls=sum(edge.calls for edge in into),
        errors=sum(edge.errors for edge in into),
        duration_nano_sum=sum(edge.duration_nano_sum for edge in into),
        buckets=tuple(buckets.items()),
        span_count=sum(edge.span_count for edge in into),
    )  # fmt: skip


def _busiest(one: Mapping[str, Any]) -> tuple[int, str, str]:
    return -one["calls"], one.get("from", one.get("id", "")), one.get("to", "")
