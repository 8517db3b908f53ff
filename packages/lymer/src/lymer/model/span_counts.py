"""What was counted of spans and edges since the last look, for metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lymer.model.graph import GraphEdge

__all__ = ["DURATION_BOUNDS_MS", "NATIVE_SCHEMA", "EdgeCount", "NewCounts", "SpanCount"]

DURATION_BOUNDS_MS: Final = (
    2, 4, 6, 8, 10, 50, 100, 200, 400, 800, 1_000, 1_400, 2_000, 5_000, 10_000, 15_000,
)  # fmt: skip
"""Bounds of the classic histogram, milliseconds.

Source: opentelemetry-collector-contrib v0.155, `connector/spanmetricsconnector`.
"""
NATIVE_SCHEMA: Final = 3
"""Native buckets grow by 2^(1/8), as those of the rollups."""


@dataclass(frozen=True, slots=True)
class SpanCount:
    """Spans of one operation and status in one bucket of either histogram."""

    service: str
    operation: str
    span_kind: str
    """One of `SPAN_KINDS`."""
    status: int
    """0 unset, 1 ok, 2 error."""
    classic: int
    """Index of the bound it is below or at; their number where it is above all."""
    native: int
    """Index of the exponential bucket, of milliseconds."""
    calls: int
    """Each span counts as many as it stands for."""
    duration_ms_sum: float
    trace_id: str
    """An example."""
    span_id: str
    duration_ms: float
    start_unix_nano: int


@dataclass(frozen=True, slots=True)
class EdgeCount:
    """What is known now of an edge in one minute: absolute, for earlier minutes change."""

    minute: int
    edge: GraphEdge


@dataclass(frozen=True, slots=True)
class NewCounts:
    """What one tenant has since the last look."""

    tenant: str
    spans: list[SpanCount]
    edges: list[EdgeCount]
