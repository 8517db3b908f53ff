"""Whose turn it is when a CA comes back: waiting renewals are spread, the nearest end first.

A renewal that has waited for long asks at moments of its own, one in each period. A period is at
most half of the life that is left and half of what was waited: after a CA's hour of absence the
waiting come within half an hour, after two days within hours, none after its end. The moments
follow from the clock and the name: nothing is remembered, and neither a restart nor a change of the
issuer makes thousands ask at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from certwright.pki.renewal_time import fraction_of

__all__ = ["NOW", "Turn", "turn_of"]

PERIOD_SECONDS_MIN: Final = 1024
"""A shorter period is none: the loop's own back-off spreads over minutes anyway."""
PERIOD_SECONDS_MAX: Final = 1 << 17
"""A day and a half."""
_OPEN_PART: Final = 8
"""The moment is the first eighth of a period: a worker that is late still has its turn."""


@dataclass(frozen=True, slots=True)
class Turn:
    """When to ask."""

    is_now: bool
    next_seconds: float | None = None
    """How long until the next turn; None for the loop's own back-off."""


NOW: Final = Turn(is_now=True)
"""For who waits for nobody."""


def turn_of(
    who: str, *, now: datetime, waits_since: datetime | None, ends: datetime | None
) -> Turn:
    """Return the turn of a renewal.

    Args:
        who: Its uid.
        now: UTC.
        waits_since: When it was first kept waiting; None if it was not.
        ends: When the certificate ends that is served meanwhile; None if none is.
    """
    if waits_since is None or ends is None:
        return NOW
    bound = min((now - waits_since).total_seconds(), (ends - now).total_seconds()) / 2
    if bound < PERIOD_SECONDS_MIN:
        return NOW
    # Powers of two: when less life is left, the moments of the shorter period hold the old ones.
    period = 1 << (min(int(bound), PERIOD_SECONDS_MAX).bit_length() - 1)
    # Whole seconds: the next turn is never the rounding of a moment away.
    begun = (int(now.timestamp()) + int(fraction_of(who) * PERIOD_SECONDS_MAX)) % period
    return Turn(begun < period // _OPEN_PART, period - begun)
