"""The ways through a system: from roots to leaves, one step for each service entered. Iterative.

Source: Jaeger UI v2.20, `packages/jaeger-ui/src/model/ddg/transformTracesToPaths.ts`: a step is the
root, a span of another service than the step before, or a server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lymer.analysis.forest import depth_first, offsets

__all__ = ["Path", "PathCounter", "Step"]

Step = tuple[str, str]
"""Service and operation."""

STEPS_MAX: Final = 200
"""Steps of a path; what comes after them belongs to the last one."""
_SERVER: Final = 2


@dataclass(frozen=True, slots=True)
class Path:
    """A way that was gone."""

    steps: tuple[Step, ...]
    count: int
    """How many leaves end there."""
    trace_ids: tuple[str, ...]
    """Traces that went it, the first ones."""


class PathCounter:
    """Counts the ways of traces that pass one service, or one operation of it.

    The steps of all traces are one tree of prefixes, so the work is linear in spans.
    """

    def __init__(self, service: str, operation: str = "", *, examples_max: int = 20) -> None:
        """Begin; an empty operation is any."""
        self._service = service
        self._operation = operation
        self._examples_max = examples_max
        self._place: dict[tuple[int, Step], int] = {}
        self._before: list[int] = []
        self._step: list[Step] = []
        self._length: list[int] = []
        self._passes: list[bool] = []
        self._count: list[int] = []
        self._trace_ids: list[list[str]] = []

    def add(
        self,
        trace_id: str,
        parent: Sequence[int],
        start: Sequence[int],
        service: Sequence[str],
        name: Sequence[str],
        kind: Sequence[int],
    ) -> None:
        """Add the ways of one trace; `parent` as `forest` has it."""
        order = depth_first(np.array(parent, dtype=np.int64), offsets(start))
        place_of = [-1] * len(parent)
        for row, size in zip(order.rows.tolist(), order.size.tolist(), strict=True):
            place = place_of[parent[row]] if parent[row] >= 0 else -1
            if self._is_step(place, service[row], kind[row]):
                place = self._next(place, (service[row], name[row]))
            place_of[row] = place
            if size == 1 and self._passes[place]:
                self._count[place] += 1
                seen = self._trace_ids[place]
                if len(seen) < self._examples_max and (not seen or seen[-1] != trace_id):
                    seen.append(trace_id)

    def paths(self) -> list[Path]:
        """Return the ways, the most gone first."""
        places = [place for place, count in enumerate(self._count) if count]
        found = [
            Path(self._steps_to(place), self._count[place], tuple(self._trace_ids[place]))
            for place in places
        ]
        return sorted(found, key=lambda path: (-path.count, path.steps))

    def _is_step(self, place: int, service: str, kind: int) -> bool:
        if place < 0:
            return True
        if self._length[place] >= STEPS_MAX:
            return False
        return self._step[place][0] != service or kind == _SERVER

    def _next(self, before: int, step: Step) -> int:
        place = self._place.get((before, step))
        if place is None:
            place = self._place[before, step] = len(self._step)
            self._before.append(before)
            self._step.append(step)
            self._length.append(1 if before < 0 else self._length[before] + 1)
            self._passes.append(self._is_wanted(step) or (before >= 0 and self._passes[before]))
            self._count.append(0)
            self._trace_ids.append([])
        return place

    def _is_wanted(self, step: Step) -> bool:
        return step[0] == self._service and self._operation in {"", step[1]}

    def _steps_to(self, place: int) -> tuple[Step, ...]:
        steps = []
        while place >= 0:
            steps.append(self._step[place])
            place = self._before[place]
        return tuple(reversed(steps))
