"""A sealed segment: the unit in which spans go from the journal to the store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lymer.tenancy import DEFAULT_TENANT

__all__ = ["SealedSegment"]


@dataclass(frozen=True, slots=True)
class SealedSegment:
    """A journal segment that will not change any more."""

    segment_id: int
    """Unix microseconds when the segment was opened; unique within a store, rising by tenant."""
    path: Path
    """File of length-delimited OTLP requests (journal/README.md)."""
    span_count: int
    """Number of spans in the file."""
    byte_count: int
    """Size of the file, bytes."""
    tenant: str = DEFAULT_TENANT
    """Whose spans these are, all of them."""
