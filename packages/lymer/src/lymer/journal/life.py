"""The life of a segment: one table of its states and of what leads from one to the next. Pure."""

from __future__ import annotations

from enum import Enum
from typing import Final

__all__ = ["TRANSITIONS", "Event", "Life", "drawn"]


class Life(Enum):
    """Where a segment is."""

    ABSENT = "absent"
    """No file, or one without a record."""
    OPEN = "open"
    """The writer thread writes to it."""
    SEALED = "sealed"
    """It does not change any more and waits for its turn."""
    TAKEN = "taken"
    """It is being stored, or sent on."""


class Event(Enum):
    """What happens to it."""

    CREATED = "first request: file created, folder synced"
    FOUND = "left by a former run"
    FULL = "32 MiB"
    OLD = "0.75 s old, or the journal closes"
    FAILED = "a write failed: cut back to the last good group"
    CROWDED = "256 are open: the oldest makes room for one more"
    EMPTIED = "sealed without a record: unlinked"
    TAKEN = "its turn has come"
    STORED = "all of it is stored: unlinked"


TRANSITIONS: Final = {
    (Life.ABSENT, Event.CREATED): Life.OPEN,
    (Life.ABSENT, Event.FOUND): Life.SEALED,
    (Life.OPEN, Event.FULL): Life.SEALED,
    (Life.OPEN, Event.OLD): Life.SEALED,
    (Life.OPEN, Event.FAILED): Life.SEALED,
    (Life.OPEN, Event.CROWDED): Life.SEALED,
    (Life.SEALED, Event.EMPTIED): Life.ABSENT,
    (Life.SEALED, Event.TAKEN): Life.TAKEN,
    (Life.TAKEN, Event.STORED): Life.ABSENT,
}
"""(state, event) → state. Whatever is not here does not happen: a `KeyError` is a bug."""


def drawn() -> str:
    """Return the table as README.md beside this file shows it."""
    width = max(len(event.value) for event in Event)
    lines = []
    for life in Life:
        leaving = [
            (event, after) for (before, event), after in TRANSITIONS.items() if before is life
        ]
        for number, (event, after) in enumerate(leaving):
            is_last = number == len(leaving) - 1
            if number == 0:
                branch = f"{life.value:<6} {'──' if is_last else '─┬'}"
            else:
                branch = f"{'':<6} {' └' if is_last else ' ├'}"
            rest = "─" * (width - len(event.value) + 1)
            lines.append(f"{branch}─ {event.value} {rest}▶ {after.value}")
    return "\n".join(lines) + "\n"
