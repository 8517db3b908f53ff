"""What of a partition of Kafka went into which segments: the store keeps it with the spans."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OffsetRange", "RangeSegment"]


@dataclass(frozen=True, slots=True)
class RangeSegment:
    """One tenant's spans of a range."""

    tenant: str
    segment_id: int
    span_count: int


@dataclass(frozen=True, slots=True)
class OffsetRange:
    """Messages of one partition that are stored together."""

    first: int
    """Offset of the first message, or below it."""
    next: int
    """Offset behind the last message."""
    segments: tuple[RangeSegment, ...]
