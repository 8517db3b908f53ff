"""When rate, errors or latency of operations jump, from the minutes' counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lymer.analysis.change_points import Jump, jumps
from lymer.errors import QuestionError
from lymer.model.question import RedSlot
from lymer.storage.contract import SpanReader

__all__ = ["Change", "find_changes"]

MINUTES_MAX: Final = 7 * 1440
_NANO_PER_MINUTE: Final = 60_000_000_000
_BUCKETS_PER_DOUBLING: Final = 8
_KINDS: Final = ("server", "consumer", "client", "producer", "internal", "unspecified")
_FACTOR_MIN: Final = 1.2
"""A latency or a rate that changes by less is not told, however sure it is."""
_ERRORS_MIN: Final = 0.01
"""Likewise a part of the calls that fails."""


@dataclass(frozen=True, slots=True)
class Change:
    """A level that became another."""

    service: str
    operation: str
    what: str
    """`latency` (nanoseconds, geometric mean), `rate` (calls a second) or `errors` (part)."""
    at_unix_nano: int
    """Begin of the first minute of the new level."""
    before: float
    after: float
    strength: float
    """Above 1: how many times clearer than the threshold."""


def find_changes(
    reader: SpanReader, start_unix_nano: int, end_unix_nano: int, services: Sequence[str] = ()
) -> list[Change]:
    """Return the changes in a range, the latest first.

    Args:
        reader: The store.
        start_unix_nano: Nanoseconds since the epoch.
        end_unix_nano: Exclusive; the minute that is not over does not count.
        services: Whose; empty: of all.

    Raises:
        QuestionError: The range is longer than a week.
    """
    first, last = start_unix_nano // _NANO_PER_MINUTE, end_unix_nano // _NANO_PER_MINUTE - 1
    if last - first + 1 > MINUTES_MAX:
        raise QuestionError("cannot look for changes in more than 7 days at once")
    if last < first:
        return []
    slots = reader.get_red_slots(
        (first, last), [*services] or reader.get_services(), _KINDS, by_operation=True,
        slot_minutes=1,
    )  # fmt: skip
    return changes_of(slots, first, last)


def changes_of(slots: Sequence[RedSlot], first: int, last: int) -> list[Change]:
    """Return the changes in counts of the minutes from `first` to `last`, the latest first."""
    names: dict[tuple[str, str], int] = {}
    row = np.array(
        [names.setdefault((one.service, one.operation), len(names)) for one in slots], dtype=int
    )
    minute = np.array([one.minute - first for one in slots], dtype=int)
    shape = (len(names), last - first + 1)
    calls, errors, logs = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    if not names:
        return []
    np.add.at(calls, (row, minute), [one.call_count for one in slots])
    np.add.at(errors, (row, minute), [one.error_count for one in slots])
    sums = [sum((bucket + 0.5) * count for bucket, count in one.buckets) for one in slots]
    np.add.at(logs, (row, minute), np.array(sums) / _BUCKETS_PER_DOUBLING)
    # Before its first call and behind its last an operation is not there, which is no change.
    alive = (np.cumsum(calls, axis=1) > 0) & (np.cumsum(calls[:, ::-1], axis=1)[:, ::-1] > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        latency = np.where(calls > 0, logs / calls, 0.0)
        part = np.where(calls > 0, errors / calls, 0.0)
    # Variances that do not depend on the level: logarithms of what grows by factors, the arc sine
    # of the root of a part.
    found = [
        *_told("latency", jumps(latency, calls > 0), names, first, np.exp2),
        *_told("rate", jumps(np.log2(calls + 1), alive), names, first,
               lambda value: (np.exp2(value) - 1) / 60),
        *_told("errors", jumps(np.arcsin(np.sqrt(part)), calls > 0), names, first,
               lambda value: np.sin(value) ** 2),
    ]  # fmt: skip
    return sorted(found, key=lambda one: (-one.at_unix_nano, -one.strength))


def _told(
    what: str,
    found: Sequence[Jump],
    names: dict[tuple[str, str], int],
    first: int,
    plain: object,
) -> list[Change]:
    operations = list(names)
    changes = []
    for one in found:
        before, after = float(plain(one.before)), float(plain(one.after))  # type: ignore[operator]
        if what == "errors":
            is_told = abs(after - before) >= _ERRORS_MIN
        else:
            low, high = sorted((before, after))
            is_told = high >= _FACTOR_MIN * low
        if is_told:
            at = (first + one.at) * _NANO_PER_MINUTE
            service, operation = operations[one.series]
            changes.append(Change(service, operation, what, at, before, after, one.strength))
    return changes
