"""How fast requests may leave: a bucket of tokens. Pure: time is an argument.

Source: client-go `flowcontrol.NewTokenBucketRateLimiter`; reference cert-manager.md 8.6
(--kube-api-qps, --kube-api-burst: one bucket for the whole process).
"""

from __future__ import annotations

__all__ = ["TokenBucket"]


class TokenBucket:
    """Lets `burst` requests pass at once, and `per_second` on average."""

    def __init__(self, per_second: float, burst: int) -> None:
        self._per_second = per_second
        self._burst = burst
        self._tokens = float(burst)
        self._at: float | None = None

    def take(self, now: float) -> float:
        """Take a token, and return how many seconds to wait before it counts: 0 if it is there."""
        self._fill(now)
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self._per_second)

    def try_take(self, now: float) -> bool:
        """Take a token if there is one."""
        self._fill(now)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _fill(self, now: float) -> None:
        if self._at is not None:
            grown = self._tokens + (now - self._at) * self._per_second
            self._tokens = min(float(self._burst), grown)
        self._at = now
