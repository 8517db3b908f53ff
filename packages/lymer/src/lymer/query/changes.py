"""When rate, errors or latency of operations and of calls between services jump, by the minute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lymer.analysis.change_points import Jump, jumps
from lymer.errors import QuestionError
from lymer.model.minute_counts import MinuteCounts
from lymer.storage.contract import SpanReader

__all__ = ["CHANGED", "Change", "changes_of", "find_changes"]

MINUTES_MAX: Final = 7 * 1440
_NANO_PER_MINUTE: Final = 60_000_000_000
CHANGED: Final = ("operations", "edges")
"""What may change: an operation, or what one service asks of another."""
_FACTOR_MIN: Final = 1.2
"""A latency or a rate that changes by less is not told, however sure it is."""
_ERRORS_MIN: Final = 0.01
"""Likewise a part of the calls that fails."""


@dataclass(frozen=True, slots=True)
class Change:
    """A level that became another."""

    service: str
    """Of an edge who is called: a service, or as `database:NAME` what is none."""
    operation: str
    """Empty for an edge."""
    caller: str
    """Of an edge who calls; empty for an operation."""
    what: str
    """`latency` (nanoseconds, geometric mean), `rate` (calls a second) or `errors` (part)."""
    at_unix_nano: int
    """Begin of the first minute of the new level."""
    before: float
    after: float
    strength: float
    """Above 1: how many times clearer than the threshold."""


def find_changes(
    reader: SpanReader,
    start_unix_nano: int,
    end_unix_nano: int,
    services: Sequence[str] = (),
    of: Sequence[str] = CHANGED,
) -> list[Change]:
    """Return the changes in a range, the latest first.

    Args:
        reader: The store.
        start_unix_nano: Nanoseconds since the epoch.
        end_unix_nano: Exclusive; the minute that is not over does not count.
        services: Whose; empty: of all. An edge belongs to both of its ends.
        of: Some of `CHANGED`.

    Raises:
        QuestionError: The range is longer than a week, or `of` names something else.
    """
    if unknown := [one for one in of if one not in CHANGED]:
        raise QuestionError(
            f"cannot look for changes of {unknown[0][:64]!r}: they are of {' or '.join(CHANGED)}"
        )
    first, last = start_unix_nano // _NANO_PER_MINUTE, end_unix_nano // _NANO_PER_MINUTE - 1
    if last - first + 1 > MINUTES_MAX:
        raise QuestionError("cannot look for changes in more than 7 days at once")
    if last < first:
        return []
    found: list[Change] = []
    for one in dict.fromkeys(of):
        counts = reader.get_minute_counts((first, last), services, of=one)
        found += changes_of(counts, first, last, are_edges=one == "edges")
    return sorted(found, key=lambda one: (-one.at_unix_nano, -one.strength))


def changes_of(
    counts: MinuteCounts, first: int, last: int, *, are_edges: bool = False
) -> list[Change]:
    """Return the changes in counts of the minutes from `first` to `last`, the latest first."""
    if not counts.names:
        return []
    shape = (len(counts.names), last - first + 1)
    cell = counts.series * shape[1] + counts.minute - first
    calls, errors, logs = (
        np.bincount(cell, weights=column, minlength=shape[0] * shape[1]).reshape(shape)
        for column in (counts.calls, counts.errors, counts.logs)
    )
    # Before its first call and behind its last an operation is not there, which is no change.
    alive = (np.cumsum(calls, axis=1) > 0) & (np.cumsum(calls[:, ::-1], axis=1)[:, ::-1] > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        latency = np.where(calls > 0, logs / calls, 0.0)
        part = np.where(calls > 0, np.minimum(errors / calls, 1.0), 0.0)

    def told(what: str, found: Sequence[Jump], plain: Callable[[float], float]) -> list[Change]:
        return _told(what, found, plain, counts.names, first, are_edges=are_edges)

    # Variances that do not depend on the level: logarithms of what grows by factors, the arc sine
    # of the root of a part.
    found = [
        *told("latency", jumps(latency, calls > 0), lambda value: float(np.exp2(value))),
        *told("rate", jumps(np.log2(calls + 1), alive), lambda value: (2.0**value - 1) / 60),
        *told("errors", jumps(np.arcsin(np.sqrt(part)), calls > 0),
              lambda value: float(np.sin(value) ** 2)),
    ]  # fmt: skip
    return sorted(found, key=lambda one: (-one.at_unix_nano, -one.strength))


def _told(
    what: str,
    found: Sequence[Jump],
    plain: Callable[[float], float],
    names: Sequence[tuple[str, str]],
    first: int,
    *,
    are_edges: bool,
) -> list[Change]:
    changes = []
    for one in found:
        before, after = plain(one.before), plain(one.after)
        if what == "errors":
            is_told = abs(after - before) >= _ERRORS_MIN
        else:
            low, high = sorted((before, after))
            is_told = high >= _FACTOR_MIN * low
        if is_told:
            at = (first + one.at) * _NANO_PER_MINUTE
            left, right = names[one.series]
            service, operation, caller = (right, "", left) if are_edges else (left, right, "")
            changes.append(
                Change(service, operation, caller, what, at, before, after, one.strength)
            )
    return changes
