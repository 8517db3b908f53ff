"""When a certificate is renewed."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

__all__ = ["fraction_of", "renewal_time"]


def renewal_time(
    not_before: datetime,
    not_after: datetime,
    renew_before_ns: int | None,
    renew_before_percentage: int | None = None,
) -> datetime:
    """Return when to renew: `renew_before_ns` before the end, or after two thirds of the life.

    The dates are those of the certificate that was issued, not those that were asked for; a
    `renew_before_ns` that is not shorter than its life is not used.

    Args:
        not_before: Start of the certificate's life, whole seconds.
        not_after: End of its life, whole seconds.
        renew_before_ns: `spec.renewBefore` in nanoseconds, or None.
        renew_before_percentage: Of the life, instead; used from 1 to 99.

    Source: reference cert-manager.md 2.4 (RenewalTime).
    """
    life_ns = (not_after - not_before) // timedelta(microseconds=1) * 1000
    before_ns = life_ns // 3
    if renew_before_ns is not None and renew_before_ns < life_ns:
        before_ns = renew_before_ns
    elif renew_before_percentage is not None and 0 < renew_before_percentage < 100:
        before_ns = life_ns * renew_before_percentage // 100
    # Cut to whole seconds after the subtraction: a part of a second moves it one second back.
    seconds = -(-before_ns // 1_000_000_000)
    return not_after - timedelta(seconds=seconds)


def fraction_of(who: str) -> float:
    """Return a number from 0 to 1 that is spread evenly over all, and always the same for one."""
    number = int.from_bytes(hashlib.sha256(who.encode()).digest()[:4], "big")
    return number / (1 << 32)
