"""How far a rollup has come: a segment for each collector, as their segments settle apart."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lymer.model.segment_id import COLLECTORS_MAX

__all__ = ["NOTHING_COUNTED", "Reach", "Step", "begin_of", "is_counted", "steps_of"]

_NUMBER: Final = f"bitAnd(seg, {COLLECTORS_MAX - 1})"


@dataclass(frozen=True, slots=True)
class Reach:
    """Up to which segment a rollup has counted, those of each collector."""

    base: int = 0
    """Of every collector that has no number of its own."""
    numbers: tuple[tuple[int, int], ...] = ()
    """(collector, segment); none where there is one collector."""


NOTHING_COUNTED: Final = Reach()


@dataclass(frozen=True, slots=True)
class Step:
    """How far a rollup had come by the end of a step, or of a day of steps."""

    batch: int
    """Of its rows: rises from step to step."""
    day: int
    """In which its rows were written, such as 20261130: they are dropped together."""
    reach: Reach


def is_counted(reach: Reach) -> str:
    """Return a condition in SQL on `seg`."""
    known = {one: max(upto, reach.base) for one, upto in reach.numbers}
    if not known:
        return f"seg <= toUInt64({reach.base})"
    ones, instants = ", ".join(map(str, known)), ", ".join(map(str, known.values()))
    return (
        f"seg <= transform({_NUMBER}, CAST([{ones}], 'Array(UInt64)'), "
        f"CAST([{instants}], 'Array(UInt64)'), toUInt64({reach.base}))"
    )


def begin_of(before: Reach, after: Reach) -> int:
    """Return the segment up to which a step between the two counted nothing."""
    was = dict(before.numbers)
    fresh = [
        max(was.get(one, 0), before.base)
        for one, upto in after.numbers
        if upto > max(was.get(one, 0), before.base)
    ]
    return min(fresh, default=before.base)


def steps_of(reaches: Sequence[Reach], segments: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield segments with the number of the step that counted them, if one has.

    Args:
        reaches: What was counted before the first step, and after each.
        segments: In any order.
    """
    numbers = [dict(one.numbers) for one in reaches]
    are_several = any(numbers)
    ends_of: dict[int, list[int]] = {}
    for segment in segments:
        collector = segment % COLLECTORS_MAX if are_several else 0
        ends = ends_of.get(collector)
        if ends is None:
            ends = ends_of[collector] = []
            for reach, known in zip(reaches, numbers, strict=True):
                before = ends[-1] if ends else 0
                ends.append(max(reach.base, known.get(collector, 0), before))
        at = bisect_left(ends, segment)
        if 0 < at < len(reaches):
            yield at - 1, segment
