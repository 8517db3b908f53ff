"""The latest changes in order, so that a watch can go on from where a list was made."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from certwright.errors import ExpiredError
from certwright.resources.kinds import Kind, Manifest

__all__ = ["CHANGES_MAX", "Event", "History"]

CHANGES_MAX: Final = 4_096
"""Changes that are remembered: a watch that is further behind must list again. Each keeps an old
version of an object alive, about 10 kB."""


@dataclass(frozen=True, slots=True)
class Event:
    """One object changed."""

    revision: int
    kind: Kind
    before: Manifest | None
    after: Manifest | None
    """None when it is gone; `before` then carries the revision of its end."""


class History:
    """Remembers the last changes of all kinds."""

    def __init__(self, changes_max: int = CHANGES_MAX) -> None:
        self._events: deque[Event] = deque(maxlen=changes_max)
        self._gone_up_to = 0

    def append(self, event: Event) -> None:
        """Add a change; its revision is higher than all before."""
        if len(self._events) == self._events.maxlen:
            self._gone_up_to = self._events[0].revision
        self._events.append(event)

    def forget_up_to(self, revision: int) -> None:
        """Drop changes as a compaction does: a watch from before `revision` gets `ExpiredError`."""
        while self._events and self._events[0].revision <= revision:
            self._events.popleft()
        self._gone_up_to = max(self._gone_up_to, revision)

    def since(self, revision: int) -> list[Event]:
        """Return every change after `revision`, oldest first.

        Raises:
            ExpiredError: Some of them are no longer remembered.
        """
        if revision < self._gone_up_to:
            raise ExpiredError(
                f"too old resource version: {revision} ({self._gone_up_to}): list again"
            )
        found: list[Event] = []
        for event in reversed(self._events):
            if event.revision <= revision:
                break
            found.append(event)
        found.reverse()
        return found
