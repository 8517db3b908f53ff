"""What a collector says to a request: one of three things. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Accepted", "Outcome", "Refused", "Repeat"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The collector has it."""

    rejected_spans: int = 0
    """Spans the collector says it has thrown away."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The collector will never take it as it is."""

    reason: str
    is_too_large: bool = False
    """Whether it would take less at once."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """Not taken, or nobody knows."""

    reason: str
    after_seconds: float
    """What the collector asked for, 0 if nothing."""
    is_unknown: bool
    """Whether it may have been taken."""
    is_suspicious: bool
    """Whether it may be the request's fault, if the collector takes others."""


Outcome: TypeAlias = Accepted | Refused | Repeat
