"""The service graph: who calls whom, how often, how long, with what is outside as leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["EDGE_TYPES", "NODE_KINDS", "GraphEdge", "GraphNode"]

NODE_KINDS: Final = ("service", "database", "messaging", "external")
"""The index is how the store writes it."""
EDGE_TYPES: Final = ("call", "link")
"""A span below another one, or one that is linked to a span of another trace."""


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node: kind and name together are who it is."""

    kind: str
    """One of `NODE_KINDS`."""
    name: str


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """What was counted of an edge, or of what comes into a node from outside of it."""

    source_kind: str
    """Empty: these are the figures of the target itself."""
    source: str
    target_kind: str
    target: str
    type: str
    """One of `EDGE_TYPES`."""
    calls: float
    """Each span counts as many as it stands for (its sampling weight)."""
    errors: float
    duration_nano_sum: float
    buckets: tuple[tuple[int, float], ...]
    """Bucket b: calls of durations d, nanoseconds, with floor(8 log2(d + 1)) = b."""
    span_count: int
    """Spans that were seen; fewer than `calls` where some were sampled."""
