"""The clock: the only file that reads it. Everything else is told the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime

__all__ = ["monotonic_seconds", "now"]


def now() -> datetime:
    """Return the wall-clock time, UTC."""
    return datetime.now(UTC)


def monotonic_seconds() -> float:
    """Return seconds since an arbitrary moment; never goes back."""
    return time.monotonic()
