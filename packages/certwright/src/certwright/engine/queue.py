"""Which keys wait for a worker, and which for a moment. Pure: time is an argument.

::

    add ───────────▶ ready ──take──▶ in work ──done──▶ gone
    look_again_at ─▶ waiting ─(due)─▶ ready        └─ (added meanwhile) ─▶ ready
    retry ─────────▶ waiting

A key is never taken twice at once, and a key that is added many times is taken once.

Source: client-go `workqueue` (semantics: dirty and processing sets, delays, per-item back-off).
"""

from __future__ import annotations

import heapq
import itertools
from typing import Final, Literal, TypeAlias

from certwright.reconcile.contract import Backoff
from certwright.resources.kinds import Key

__all__ = ["WorkQueue"]

STALE_ENTRIES_MAX: Final = 1000
"""Replaced moments that may lie in the heap, beyond as many as there are valid ones."""

_Reason: TypeAlias = Literal["retry", "wish"]


class WorkQueue:
    """Keys of one control loop. Times are seconds of one clock that never goes back."""

    def __init__(self, backoff: Backoff) -> None:
        self._backoff = backoff
        self._ready: dict[Key, None] = {}
        self._in_work: set[Key] = set()
        self._again: set[Key] = set()
        self._due: dict[tuple[Key, _Reason], float] = {}
        self._heap: list[tuple[float, int, Key, _Reason]] = []
        self._count = itertools.count()
        self._failures: dict[Key, int] = {}

    def __len__(self) -> int:
        """Return how many keys wait for a worker now."""
        return len(self._ready)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in work and nothing could be; keys may wait for their time."""
        return not self._ready and not self._in_work

    def add(self, key: Key) -> None:
        """Ask for a pass as soon as possible."""
        if key in self._in_work:
            self._again.add(key)
        else:
            self._ready[key] = None

    def look_again_at(self, key: Key, due: float | None) -> None:
        """Ask for a pass at a time, instead of any asked for earlier; None for no such pass."""
        self._wait(key, "wish", due)

    def retry(self, key: Key, now: float) -> float:
        """Ask for a pass after the key's back-off, and return how many seconds that is."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        exponent = min(failures, 62)
        seconds = min(self._backoff.seconds_min * 2.0**exponent, self._backoff.seconds_max)
        self._wait(key, "retry", now + seconds)
        return seconds

    def forget_failures(self, key: Key) -> None:
        """Start the key's back-off anew."""
        self._failures.pop(key, None)
        self._wait(key, "retry", None)

    def take(self, now: float) -> Key | None:
        """Return a key to work on, or None; whoever takes one calls `done` later."""
        self._wake_due(now)
        if not self._ready:
            return None
        key = next(iter(self._ready))
        del self._ready[key]
        self._in_work.add(key)
        return key

    def done(self, key: Key) -> None:
        """Give a key back; if it was added meanwhile it is ready again."""
        self._in_work.discard(key)
        if key in self._again:
            self._again.discard(key)
            self._ready[key] = None

    def next_due(self) -> float | None:
        """Return when the next waiting key becomes ready; None if none waits."""
        while self._heap and not self._counts(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _wait(self, key: Key, reason: _Reason, due: float | None) -> None:
        if due is None:
            self._due.pop((key, reason), None)
            return
        if self._due.get((key, reason)) == due:
            return
        self._due[key, reason] = due
        heapq.heappush(self._heap, (due, next(self._count), key, reason))
        if len(self._heap) > 2 * len(self._due) + STALE_ENTRIES_MAX:
            # A wish that is months away is replaced by each pass: what no longer counts must go.
            self._heap = [entry for entry in self._heap if self._counts(entry)]
            heapq.heapify(self._heap)

    def _wake_due(self, now: float) -> None:
        while self._heap and (self._heap[0][0] <= now or not self._counts(self._heap[0])):
            entry = heapq.heappop(self._heap)
            if self._counts(entry):
                _, _, key, reason = entry
                del self._due[key, reason]
                self.add(key)

    def _counts(self, entry: tuple[float, int, Key, _Reason]) -> bool:
        due, _, key, reason = entry
        return self._due.get((key, reason)) == due
