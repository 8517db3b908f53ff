"""A partition of a topic while it is read: what waits of it, and what is being stored."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from lymer import clock
from lymer.model.offset_range import OffsetRange
from lymer.model.segment import SealedSegment
from lymer.storage.contract import SpanWriter
from lymer.wire.otlp_proto import CheckedRequest

__all__ = ["Claim", "Cut", "Message", "OffsetStore", "Partition"]


class Claim(Protocol):
    """A partition that is ours in the store."""

    def read(self) -> OffsetRange | None:
        """Return the last range that was written down."""

    def write(self, stored: OffsetRange, /) -> None:
        """Write one down."""

    def guarding(self) -> AbstractContextManager[None]:
        """Within, segments are written only while the partition is ours."""


class OffsetStore(SpanWriter, Protocol):
    """What a source needs of a store."""

    @property
    def newest_segment_id(self) -> int:
        """The highest segment that is stored."""

    def next_segment_id(self, at_least: int, /) -> int:
        """Return the lowest id nobody else draws."""

    def claim_partition(self, topic: str, partition: int, /) -> Claim:
        """Take a partition."""

    def stored_spans(self, segment: SealedSegment, /) -> int:
        """Return how many spans of a segment are stored."""

    def erase_segment(self, segment: SealedSegment, /) -> None:
        """Delete what is stored of a segment."""

    def forget_segment(self, segment: SealedSegment, /) -> None:
        """Know that a segment will not be stored by us."""


@dataclass(frozen=True, slots=True)
class Message:
    """What a message holds; without spans if that cannot be read."""

    offset: int
    tenant: str
    request: CheckedRequest


@dataclass(slots=True)
class Partition:
    """A partition that is ours: what was read of it and waits to be cut."""

    number: int
    claim: Claim
    first: int
    """Where the next range begins."""
    again: int = 0
    """A range that an earlier holder has written down ends here and is cut as it was."""
    stored: frozenset[str] = frozenset()
    """Tenants whose spans of that range are stored."""
    waiting: list[Message] = field(default_factory=list)
    byte_count: int = 0
    since: float = 0.0
    is_cut: bool = False
    """Whether a range of it is on its way to the store."""

    def is_ready(self, bytes_max: int, age_seconds_max: float) -> bool:
        """Tell whether there is enough for a segment, or it has waited long enough."""
        if self.is_cut or not self.waiting:
            return False
        if self.again:
            return self.waiting[-1].offset >= self.again - 1
        age = clock.monotonic_seconds() - self.since
        return self.byte_count >= bytes_max or age >= age_seconds_max


@dataclass(slots=True)
class Cut:
    """A range on its way to the store."""

    partition: Partition
    stored: OffsetRange
    left: int
    """Segments of it that are not stored yet."""
    is_written_down: bool = False
