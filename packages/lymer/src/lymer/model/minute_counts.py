"""Calls, errors and durations of many series by the minute, as columns of numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MinuteCounts"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MinuteCounts:
    """Series of whole minutes; a minute without calls has no entry, a minute may have several."""

    names: list[tuple[str, str]]
    """Who each series is: (service, operation), or (caller, callee) as the service graph names its
    nodes: a service by its name, what is none as `kind:name`."""
    series: Ints
    """Of each entry the place in `names`."""
    minute: Ints
    """Whole minutes since the epoch."""
    calls: Floats
    errors: Floats
    logs: Floats
    """Sum of the binary logarithms of the calls' durations (nanoseconds + 1), to a sixteenth."""
