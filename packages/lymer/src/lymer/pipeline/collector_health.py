"""How collectors have been lately, which of them is next, and when one that fails is tried. Pure.

A collector that fails gets one request at a time, after pauses that double: if it is accepted, all
that waits may go. Requests that were under way together when it failed count as one failure.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    tries: int = 0
    """Those that failed since one succeeded; what was under way together is one."""
    failures: int = 0
    """Requests that failed since one succeeded."""
    under_way: int = 0
    """Requests without an answer, and segments that are about to come."""
    failing_since: float = 0.0
    failed_at: float = 0.0
    retry_at: float = 0.0
    """When it may be tried again."""
    last_success: float = 0.0
    """0 if there never was one."""
    said_at: float = 0.0

    @property
    def is_failing(self) -> bool:
        """Whether what was heard last was a failure."""
        return self.tries > 0

    def may_try(self, now: float) -> bool:
        """Tell whether it works, or may be tried with one request."""
        return not self.is_failing or (self.under_way == 0 and self.retry_at <= now)

    def succeeded(self, now: float) -> Said | None:
        """Note an answer."""
        said = self._said("collector works again", now) if self.is_failing else None
        self.tries = self.failures = 0
        self.last_success = now
        return said

    def failed(
        self, now: float, *, sent_at: float, pause: float, after_seconds: float, reason: str
    ) -> Said | None:
        """Note that a request got no answer, or that it should be repeated.

        Args:
            now: The time.
            sent_at: When the request was sent.
            pause: Seconds until the next try, if this failure is not one that is known already.
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
        self.retry_at = now + max(pause, after_seconds)
        self.failed_at = now
        self.tries += 1
        return said

    def _said(self, event: str, now: float, reason: str = "") -> Said:
        return Said(event, self.reference, self.failures, now - self.failing_since, reason)


class Healths:
    """All collectors that are known."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: dict[str, CollectorHealth] = {}
        self._turn = 0

    def working(self) -> int:
        """Return how many there are whose last answer was no failure."""
        return sum(not one.is_failing and one.last_success > 0 for one in self._known.values())

    def set_known(self, references: Iterable[str]) -> None:
        """Know these and no others; what was known of those that stay is kept."""
        self._known = {one: self._known.get(one) or CollectorHealth(one) for one in references}

    def get(self, reference: str) -> CollectorHealth | None:
        """Return the collector that was called `reference`, under the address it has now.

        A name that stands for one address is one collector, whatever its address is.
        """
        target = reference.partition("|")[0]
        of_name = [one for name, one in self._known.items() if name.partition("|")[0] == target]
        return self._known.get(reference) or (of_name[0] if len(of_name) == 1 else None)

    def choose(self, now: float, but: CollectorHealth | None = None) -> CollectorHealth | None:
        """Return the next one in turn that works or may be tried, else the one to be tried soonest.

        Args:
            now: The time.
            but: Not this one.
        """
        known = [one for one in self._known.values() if one is not but]
        self._turn += 1
        at = self._turn % max(len(known), 1)
        in_turn = [*known[at:], *known[:at]]
        soonest = min(in_turn, key=lambda one: one.retry_at, default=None)
        return next((one for one in in_turn if one.may_try(now)), soonest)
