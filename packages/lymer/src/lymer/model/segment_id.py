"""Ids of segments where several collectors write to one store: instants that say whose they are.

The last bits of an id are the collector's number, the rest is microseconds, so ids of one
collector rise, and no two collectors ever draw the same.
"""

from __future__ import annotations

from typing import Final

__all__ = ["COLLECTORS_MAX", "next_segment_id"]

COLLECTORS_MAX: Final = 4096
"""Numbers there are; also the microseconds between two ids of one collector."""


def next_segment_id(at_least: int, collector: int) -> int:
    """Return the collector's lowest id that is not lower than `at_least`."""
    return at_least + (collector - at_least) % COLLECTORS_MAX
