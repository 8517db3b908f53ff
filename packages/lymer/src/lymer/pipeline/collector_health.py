"""How collectors have been lately, which of them is next, and when one that fails is tried. Pure.

A collector that fails gets one request at a time, after pauses that double: if it is accepted, all
that waits may go. Requests that were under way together when it failed count as one failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["CollectorHealth", "Healths", "Said"]

_SAY_EVERY_SECONDS: Final = 60.0
"""How often a collector that fails still is worth a line."""


@dataclass(frozen=True, slots=True)
class Said:
    """A change that is worth a line in the log."""

    event: str
    collector: str
    failures: int
    """Requests that failed since one succeeded."""
    seconds: float
    """How long it has failed."""
    reason: str = ""


@dataclass(slots=True, eq=False)
class CollectorHealth:
    """One collector's. Times are those of one clock, in seconds."""

    reference: str
    """`target|ip:port`: the name that was looked up, and what was found."""
    attempts: int = 0
    """Tries that failed since one succeeded, those that were under way together as one."""
    failures: int = 0
    """Requests that failed since one succeeded."""
    failing_since: float = 0.0
    failed_at: float = 0.0
    retry_at: float = 0.0
    """When it may be tried again."""
    last_success: float = 0.0
    """0 if there never was one."""
    probe: object | None = None
    """What is sent, or is about to be, to find out whether it works again."""
    said_at: float = 0.0

    @property
    def is_failing(self) -> bool:
        """Whether what was heard last was a failure."""
        return self.attempts > 0

    def may_try(self, now: float) -> bool:
        """Tell whether it works, or may be tried with one request."""
        return not self.is_failing or (self.probe is None and self.retry_at <= now)

    def succeeded(self, now: float) -> Said | None:
        """Note an answer."""
        said = None
        if self.is_failing:
            said = self._said("collector works again", now)
        self.attempts = self.failures = 0
        self.retry_at = 0.0
        self.probe = None
        self.last_success = now
        return said

    def failed(
        self,
        now: float,
        *,
        sent_at: float,
        pause: Callable[[int], float],
        after_seconds: float,
        reason: str,
    ) -> Said | None:
        """Note that a request got no answer, or that it should be repeated.

        Args:
            now: The time.
            sent_at: When the request was sent.
            pause: Number of tries that failed before this one → seconds.
            after_seconds: What the collector asked for.
            reason: What is known.
        """
        self.failures += 1
        if self.is_failing and sent_at <= self.failed_at:
            self.retry_at = max(self.retry_at, now + after_seconds)
            return None
        said = None
        if not self.is_failing:
            self.failing_since = self.said_at = now
            said = self._said("collector failed", now, reason)
        elif now - self.said_at >= _SAY_EVERY_SECONDS:
            self.said_at = now
            said = self._said("collector fails still", now, reason)
        self.retry_at = now + max(pause(self.attempts), after_seconds)
        self.failed_at = now
        self.attempts += 1
        return said

    def _said(self, event: str, now: float, reason: str = "") -> Said:
        return Said(event, self.reference, self.failures, now - self.failing_since, reason)


class Healths:
    """All collectors that are known."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[str, CollectorHealth] = {}
        self._turn = 0

    def all(self) -> list[CollectorHealth]:
        """Return each of them."""
        return list(self._known.values())

    def set_known(self, references: Iterable[str]) -> None:
        """Know these and no others; what was known of those that stay is kept."""
        self._known = {one: self._known.get(one) or CollectorHealth(one) for one in references}

    def get(self, reference: str) -> CollectorHealth | None:
        """Return the collector that was called `reference`, under the address it has now.

        A name that stands for one address is one collector, whatever its address is.
        """
        health = self._known.get(reference)
        if health is not None:
            return health
        target = reference.partition("|")[0]
        of_name = [one for name, one in self._known.items() if name.partition("|")[0] == target]
        return of_name[0] if len(of_name) == 1 else None

    def choose(self, now: float, but: CollectorHealth | None = None) -> CollectorHealth | None:
        """Return the next one in turn that works or may be tried, else the one to be tried soonest.

        Args:
            now: The time.
            but: Not this one.
        """
        known = [one for one in self._known.values() if one is not but]
        if not known:
            return None
        self._turn += 1
        in_turn = [known[(self._turn + step) % len(known)] for step in range(len(known))]
        return next(
            (one for one in in_turn if one.may_try(now)), min(in_turn, key=lambda one: one.retry_at)
        )
