"""What the plan of an agent's delivery wants done, and the parcels it is about. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lymer.model.segment import SealedSegment
from lymer.pipeline.collector_health import CollectorHealth, Said
from lymer.wire.otlp_proto import CheckedRequest

__all__ = ["Action", "Halve", "Parcel", "Read", "Remove", "Send", "SetAside", "WriteRoute"]


@dataclass(slots=True, eq=False)
class Parcel:
    """A record, or a part of one, that is not done."""

    segment: int
    index: int
    """Place of the record in its segment."""
    part: int
    request: CheckedRequest
    attempts: int = 0
    """How often it was sent in vain."""
    begun_at: float | None = None
    """When it was sent first."""
    sent_at: float = 0.0
    reason: str = ""
    """Why it will not be taken as it is."""
    health: CollectorHealth | None = None
    """Of the collector it is being sent to."""


@dataclass(frozen=True, slots=True)
class Read:
    """Read records, then call `read`."""

    segment: SealedSegment
    offset: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send it, then call `answered`."""

    parcel: Parcel
    collector: str
    agent: bytes
    tenant: str


@dataclass(frozen=True, slots=True)
class Halve:
    """Halve it, then call `halved`."""

    parcel: Parcel


@dataclass(frozen=True, slots=True)
class SetAside:
    """Put it into quarantine, then call `was_set_aside`."""

    parcel: Parcel


@dataclass(frozen=True, slots=True)
class WriteRoute:
    """Make durable where a segment goes from now on, then call `routed`."""

    segment: SealedSegment
    packed: bytes
    collector: str
    is_move: bool


@dataclass(frozen=True, slots=True)
class Remove:
    """All of a segment is done: remove it, then call `removed`."""

    segment: SealedSegment


Action: TypeAlias = Read | Send | Halve | SetAside | WriteRoute | Remove | Said
