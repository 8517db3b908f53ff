"""What is acknowledged and not yet stored: how much whose, and who is next. Pure."""

from __future__ import annotations

import math
from collections import Counter, deque
from typing import Final

from lymer.errors import OverloadedError
from lymer.model.segment import SealedSegment

__all__ = ["Backlog"]

_LIMIT_BYTES_MIN: Final = 64 * 2**20
"""So much may wait however slow the store is: two segments."""
_RATE_BYTES_MIN: Final = 2**20
"""Smaller segments say little about how fast the store is."""


class Backlog:
    """Bytes and sealed segments by tenant. Not thread-safe: the journal's lock is held.

    Fairness, if tenants share: a tenant may hold as many bytes as nobody holds. One alone gets at
    most half of the room, two a third each, and there is always room for one more. The loader
    serves tenants in turn, each tenant's segments in the order of their ids.
    """

    def __init__(self, bytes_max: int, seconds_max: float = math.inf, *, is_shared: bool) -> None:
        """Set the limits, and whether they are shared fairly or given to whoever comes."""
        self._bytes_max = bytes_max
        self._seconds_max = seconds_max
        self._bytes_per_second = 0.0
        self._taken: dict[int, float] = {}
        """Segment id to when it was taken."""
        self.stored_bytes = 0
        """Bytes in segments; what waits to be written is held and not among them."""
        self._limit = bytes_max
        self._work = ""
        self._is_shared = is_shared
        self._held: Counter[str] = Counter()
        self._total = 0
        self._sealed: dict[str, deque[SealedSegment]] = {}

    def check_room(self, tenant: str, byte_count: int) -> None:
        """Return if `tenant` may hold so many bytes more.

        Raises:
            OverloadedError: It may not; the sender should retry.
        """
        free = self._limit - self._total
        if byte_count > free:
            reason = self._work if self._limit < self._bytes_max else ""
            raise OverloadedError(
                f"cannot accept the request: {self._total} bytes wait to be stored, "
                f"the limit is {self._limit}{reason}",
                retry_after_seconds=2,
            )
        if self._is_shared and self._held[tenant] + byte_count > free:
            raise OverloadedError(
                f"cannot accept the request: {self._held[tenant]} bytes of tenant {tenant!r} wait "
                f"to be stored, of {self._limit} bytes {free} are free",
                retry_after_seconds=2,
            )

    def limit_work(self, bytes_per_second: float, seconds_max: float) -> None:
        """Let no more wait than is stored in so many seconds, but always a little."""
        wanted = max(int(bytes_per_second * seconds_max), _LIMIT_BYTES_MIN)
        self._limit = min(self._bytes_max, wanted)
        self._work = f", {seconds_max:g} s of work"

    def hold(self, tenant: str, byte_count: int) -> None:
        """Count bytes; negative to forget them."""
        self._total += byte_count
        self._held[tenant] += byte_count
        if not self._held[tenant]:
            del self._held[tenant]

    def hold_stored(self, tenant: str, byte_count: int) -> None:
        """Count bytes that are in a segment; negative to forget them."""
        self.stored_bytes += byte_count
        self.hold(tenant, byte_count)

    def tenants(self) -> set[str]:
        """Return who holds anything."""
        return set(self._held)

    def put(self, segment: SealedSegment) -> None:
        """Queue a sealed segment behind those of its tenant."""
        self._sealed.setdefault(segment.tenant, deque()).append(segment)

    def take(self, now: float) -> SealedSegment | None:
        """Return the next segment, if there is one; its tenant is last from now on."""
        if not self._sealed:
            return None
        tenant = next(iter(self._sealed))
        queue = self._sealed.pop(tenant)
        segment = queue.popleft()
        if queue:
            self._sealed[tenant] = queue
        self._taken[segment.segment_id] = now
        return segment

    def remove(self, segment: SealedSegment, now: float) -> None:
        """Forget a segment that is stored, and learn from it how fast that goes."""
        self.hold_stored(segment.tenant, -segment.byte_count)
        taken = self._taken.pop(segment.segment_id, None)
        if taken is None or segment.byte_count < _RATE_BYTES_MIN:
            return
        rate = segment.byte_count / max(now - taken, 0.001)
        known = self._bytes_per_second
        self._bytes_per_second = known + (rate - known) / 4 if known else rate
        if self._seconds_max < math.inf:
            self.limit_work(self._bytes_per_second, self._seconds_max)

    def sealed_count(self) -> int:
        """Return how many segments are queued."""
        return sum(map(len, self._sealed.values()))
