"""How many spans one stands for, by brute force.

Source: OpenTelemetry specification, trace/tracestate-probability-sampling.md.
"""

from __future__ import annotations

import re

__all__ = ["weight_of"]


def weight_of(trace_state: str) -> float:
    """Return the reciprocal of the sampling probability in a trace state; 1 if it has none."""
    for member in trace_state.split(","):
        name, _, value = member.strip().partition("=")
        found = re.search(r"(?:^|;)th:([0-9a-fA-F]{1,14})(?:;|$)", value) if name == "ot" else None
        if found:
            return min(1 / (1 - int(found[1].ljust(14, "0"), 16) / 2**56), 2.0**20)
    return 1.0
