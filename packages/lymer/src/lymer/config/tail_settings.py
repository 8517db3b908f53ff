"""Settings of tail sampling."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from lymer.config.rules import FILE, duration

__all__ = ["TailSamplingSettings"]


@dataclass(frozen=True, slots=True)
class TailSamplingSettings:
    """Which stored traces are kept, decided when they are complete."""

    policies_file: Annotated[Path | None, FILE] = None
    """YAML or JSON with `policies` in the words of the Collector's `tail_sampling` processor; such
    a section of a Jaeger v2 configuration can be given as it is (docs/tail-sampling.md). Read at
    the start. Default none: everything is kept."""

    grace_seconds: Annotated[float, duration(1, 3600)] = 30.0
    """How long after the arrival of its first span a trace is decided, in seconds; until then it is
    found like any other. Default 30, the Collector's `decision_wait`. Too small: slow traces are
    decided by half, and calls whose two ends arrive further apart are missing from the dependency
    graph; too large: what will be dropped takes disk for longer."""
