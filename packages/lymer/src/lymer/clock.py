"""The only module that reads the clock; everything else is given the time."""

from __future__ import annotations

import time

__all__ = ["monotonic_seconds", "unix_nano"]


def unix_nano() -> int:
    """Return the wall clock, in nanoseconds since 1970-01-01T00:00:00Z."""
    return time.time_ns()


def monotonic_seconds() -> float:
    """Return a clock that never goes back, in seconds since an arbitrary instant."""
    return time.monotonic()
