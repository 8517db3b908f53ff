"""One writer at a time: leader election on a Lease.

Who holds the Lease renews it; who does not watches it, and takes it when it has not changed for its
whole length by the watcher's own clock: clocks of two machines are never compared.

Source: reference cert-manager.md 8.3; client-go `tools/leaderelection` (behaviour).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from certwright import clock
from certwright.engine.store import Store
from certwright.errors import ConflictError, NotFoundError, StoreError
from certwright.resources.kinds import LEASE, Key, Manifest
from certwright.telemetry.logs import EventLog

__all__ = ["LeaderElection", "LeaseTerms", "claimed", "released"]

_log = EventLog("certwright.engine.leader")


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """How leadership is held."""

    key: Key
    identity: str
    lease_seconds: float = 60.0
    """--leader-election-lease-duration: others wait so long after the last renewal they saw."""
    renew_seconds_max: float = 40.0
    """--leader-election-renew-deadline: a leader that cannot renew for so long gives up."""
    retry_seconds: float = 15.0
    """--leader-election-retry-period."""


def claimed(present: Manifest | None, terms: LeaseTerms, now: datetime) -> Manifest:
    """Return the Lease as it is when we hold it from `now` on. Pure."""
    spec = dict((present or {}).get("spec") or {})
    if spec.get("holderIdentity") != terms.identity:
        spec["acquireTime"] = _micro_time(now)
        spec["leaseTransitions"] = int(spec.get("leaseTransitions", -1)) + 1
    spec |= {
        "holderIdentity": terms.identity,
        "leaseDurationSeconds": max(1, int(terms.lease_seconds)),
        "renewTime": _micro_time(now),
    }
    if present is not None:
        return {**present, "spec": spec}
    return {
        "apiVersion": LEASE.api_version,
        "kind": LEASE.name,
        "metadata": {"name": terms.key.name, "namespace": terms.key.namespace},
        "spec": spec,
    }


def released(present: Manifest, now: datetime) -> Manifest:
    """Return the Lease as nobody's, so that the next one need not wait. Pure."""
    spec = {
        **present.get("spec", {}),
        "holderIdentity": "",
        "leaseDurationSeconds": 1,
        "renewTime": _micro_time(now),
        "acquireTime": _micro_time(now),
    }
    return {**present, "spec": spec}


class LeaderElection:
    """Takes part in one election."""

    def __init__(
        self, store: Store, terms: LeaseTerms, *, manager: str, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._terms = terms
        self._manager = manager
        self._now = now
        self._seen: Manifest | None = None
        self._seen_at = 0.0
        self._renewed_at = 0.0
        self.is_leader = False

    def expired_for_seconds(self) -> float:
        """Return for how long we lead on a lease that is over; 0 if it is not, or we do not lead.

        Source: reference cert-manager.md 8.2.
        """
        if not self.is_leader:
            return 0.0
        since = clock.monotonic_seconds() - self._renewed_at
        return max(0.0, since - self._terms.lease_seconds)

    async def acquire(self) -> None:
        """Return once we are the leader."""
        _log.info("attempting to acquire leader lease", lease=str(self._terms.key))
        while not await self._try():  # noqa: ASYNC110  # the lease is not in this process
            await asyncio.sleep(self._terms.retry_seconds)
        self.is_leader = True
        _log.info("successfully acquired lease", lease=str(self._terms.key))

    async def hold(self) -> None:
        """Renew until the lease is lost; then return, and the process must end."""
        while clock.monotonic_seconds() - self._renewed_at < self._terms.renew_seconds_max:
            await asyncio.sleep(self._terms.retry_seconds)
            left = self._terms.renew_seconds_max - (clock.monotonic_seconds() - self._renewed_at)
            try:
                async with asyncio.timeout(max(left, 1.0)):
                    if not await self._try() and self._held_by_another():
                        break
            except TimeoutError:
                break
        self.is_leader = False
        _log.error("leader election lost", lease=str(self._terms.key))

    async def release(self) -> None:
        """Give the lease back, if we have it.

        A renewal that was under way when we were told to stop may have got there without our
        knowing, so the lease is read again.
        """
        if not self.is_leader:
            return
        self.is_leader = False
        try:
            self._seen = await self._store.get(self._terms.key)
            if self._seen is None or self._held_by_another():
                return
            await self._store.update(released(self._seen, self._now()), manager=self._manager)
        except StoreError as error:
            _log.warning("cannot release the lease", reason=str(error))

    async def _try(self) -> bool:
        try:
            return await self._claim()
        except ConflictError:
            return False
        except StoreError as error:
            _log.warning("cannot get or renew the lease", reason=str(error))
            return False

    async def _claim(self) -> bool:
        present = await self._store.get(self._terms.key)
        if present is None:
            self._note(
                await self._store.create(
                    claimed(None, self._terms, self._now()), manager=self._manager
                )
            )
            self._renewed_at = self._seen_at
            return True
        if self._seen is None or self._seen.get("spec") != present.get("spec"):
            self._note(present)
        self._seen = present
        if self._held_by_another() and not self._is_over(present):
            return False
        asked_at = clock.monotonic_seconds()
        wanted = claimed(present, self._terms, self._now())
        try:
            self._note(await self._store.update(wanted, manager=self._manager))
        except NotFoundError:
            return False
        self._renewed_at = asked_at
        return True

    def _note(self, lease: Manifest) -> None:
        self._seen = lease
        self._seen_at = clock.monotonic_seconds()

    def _held_by_another(self) -> bool:
        holder = ((self._seen or {}).get("spec") or {}).get("holderIdentity") or ""
        return holder not in ("", self._terms.identity)

    def _is_over(self, lease: Manifest) -> bool:
        seconds = float(lease["spec"].get("leaseDurationSeconds") or self._terms.lease_seconds)
        return clock.monotonic_seconds() >= self._seen_at + seconds


def _micro_time(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
