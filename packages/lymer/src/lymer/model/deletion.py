"""A deletion of traces, as it is asked for and as the audit log keeps it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Deleted", "Deletion"]


@dataclass(frozen=True, slots=True)
class Deleted:
    """How much a deletion deletes."""

    traces: int = 0
    spans: int = 0
    archived: int = 0
    """Spans of the archive, which are copies unless retention has dropped what they are of."""

    def __add__(self, other: Deleted) -> Deleted:
        """Return both together."""
        return Deleted(
            self.traces + other.traces, self.spans + other.spans, self.archived + other.archived
        )


@dataclass(frozen=True, slots=True)
class Deletion:
    """One entry of the audit log."""

    deletion_id: int
    """When it began, Unix microseconds."""
    who: str
    """User name and address."""
    question: str
    """What was asked for, as it was sent."""
    deleted: Deleted
    upto: int
    """Last segment of which anything was deleted."""
