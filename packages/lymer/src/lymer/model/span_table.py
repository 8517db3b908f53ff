"""Spans of many traces as columns of numbers, for whoever adds up and compares."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["Attributes", "Ints", "Masks", "SpanSample", "SpanTable"]

Ints = NDArray[np.int64]
Masks = NDArray[np.bool_]


def _nothing_u8() -> NDArray[np.uint64]:
    return np.empty(0, dtype=np.uint64)


def _nothing_i8() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanSample:
    """Which spans to read: whole traces of a part of all, as far as they lie in a range."""

    start_unix_nano_min: int
    """Earliest start of a span, inclusive."""
    start_unix_nano_max: int
    """Latest start, inclusive."""
    one_in: int = 1
    """Every how manieth trace, by a hash of its id: the same ones each time."""
    trace_ids: tuple[str, ...] = ()
    """Only these, 32 hex digits each; empty: all."""
    service: str = ""
    """Only its spans; empty: all."""
    operation: str = ""
    has_attributes: bool = False
    """Read the spans' own attributes; those of resources are always there."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """Which span has which attribute value: one entry for each pair of both."""

    row: Ints = field(default_factory=_nothing_i8)
    """Row of the span."""
    code: Ints = field(default_factory=_nothing_i8)
    """Place in `names`."""
    names: list[tuple[str, str, str]] = field(default_factory=list)
    """(scope, key, value) each; scope is `span` or `resource`."""


@dataclass(frozen=True, slots=True)
class SpanTable:
    """What is known of each span, before anything is concluded. One entry per span, any order."""

    trace: Ints
    """Number of the trace, from 0."""
    span_id: NDArray[np.uint64]
    parent_id: NDArray[np.uint64]
    """0 has no parent."""
    start: Ints
    """Nanoseconds since the epoch."""
    duration: Ints
    """Nanoseconds; below 0 counts as 0."""
    kind: Ints
    """OTLP's `SpanKind`."""
    is_error: Masks
    operation: Ints
    """Place in `operations`."""
    operations: list[tuple[str, str]]
    """(service, span name)."""
    attributes: Attributes = field(default_factory=Attributes)
    trace_hi: NDArray[np.uint64] = field(default_factory=_nothing_u8)
    """Of each trace the first half of its id."""
    trace_lo: NDArray[np.uint64] = field(default_factory=_nothing_u8)
    """And the second."""

    def __len__(self) -> int:
        """Return the number of spans."""
        return len(self.trace)

    def trace_id(self, row: int) -> str:
        """Return the id of a span's trace, 32 hex digits."""
        number = int(self.trace[row])
        return f"{int(self.trace_hi[number]):016x}{int(self.trace_lo[number]):016x}"

    def with_attributes(self, attributes: Attributes) -> SpanTable:
        """Return the table with other attributes."""
        return replace(self, attributes=attributes)
