"""Notices that the wall clock was set, or went on while the machine slept. Pure.

Keys wait for moments by the clock that never goes back, because a wait must not be cut or stretched
by who sets the time. But what they wait for, a renewal, is a date: after a jump every key must be
looked at again, or a certificate would be renewed as late as the clock was wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

__all__ = ["CLOCK_CHECK_SECONDS", "CLOCK_JUMP_SECONDS_MIN", "ClockWatch"]

CLOCK_CHECK_SECONDS: Final = 10.0
"""How often the two clocks are compared."""
CLOCK_JUMP_SECONDS_MIN: Final = 2.0
"""Less is a clock that is kept right in small steps."""


@dataclass(slots=True)
class ClockWatch:
    """Compares the wall clock with the one that never goes back."""

    now: datetime
    """Both as they were at the last comparison."""
    monotonic_seconds: float

    def has_jumped(self, now: datetime, monotonic_seconds: float) -> bool:
        """Return whether the wall clock went on by more or less than time did since last asked."""
        passed = timedelta(seconds=monotonic_seconds - self.monotonic_seconds)
        difference = now - self.now - passed
        self.now, self.monotonic_seconds = now, monotonic_seconds
        return abs(difference) > timedelta(seconds=CLOCK_JUMP_SECONDS_MIN)
