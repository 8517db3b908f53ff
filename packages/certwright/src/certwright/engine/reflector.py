"""Keeps one cache up to date: list, then watch, for ever.

::

    list ──▶ watch ──(ends)──▶ watch from the last version seen
      ▲        │
      └────────┴─ ExpiredError: the history is gone
    any other failure: wait, longer each time, then go on where it stopped

Source: client-go `Reflector` (behaviour: 410 lists again, 0.8 s to 30 s of back-off with jitter).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final, cast

from certwright import clock
from certwright.engine.cache import KindCache
from certwright.engine.store import Change, Selection, Store
from certwright.errors import ExpiredError, StoreError
from certwright.telemetry.logs import EventLog

__all__ = ["Reflector"]

WAIT_SECONDS_MIN: Final = 0.8
WAIT_SECONDS_MAX: Final = 30.0
HEALTHY_WATCH_SECONDS: Final = 10.0
"""A watch that lived so long, or gave anything, starts the back-off anew."""

_log = EventLog("certwright.engine.reflector")


class Reflector:
    """Feeds a cache from a store."""

    def __init__(self, store: Store, selection: Selection, cache: KindCache) -> None:
        self._store = store
        self._selection = selection
        self._cache = cache
        self._version = ""
        self._wait_seconds = WAIT_SECONDS_MIN
        self.synced = asyncio.Event()
        """Set once the first list is in the cache."""

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except ExpiredError:
                self._version = ""
            except StoreError as error:
                _log.warning(
                    "cannot watch",
                    kind=self._selection.kind.name,
                    again_after_seconds=round(self._wait_seconds, 1),
                    reason=str(error),
                )
                await self._wait()

    async def _list(self) -> None:
        listing = await self._store.list(self._selection)
        self._cache.replace(listing)
        self._version = listing.resource_version
        self._wait_seconds = WAIT_SECONDS_MIN
        if not self.synced.is_set():
            _log.info("listed", kind=self._selection.kind.name, objects=len(listing.objects))
            self.synced.set()

    async def _watch(self) -> None:
        started = clock.monotonic_seconds()
        changes = self._store.watch(self._selection, self._version)
        async with aclosing(cast("AsyncGenerator[Change, None]", changes)) as opened:
            async for change in opened:
                self._cache.change(change)
                self._version = str(change.object["metadata"]["resourceVersion"])
                self._wait_seconds = WAIT_SECONDS_MIN
        if clock.monotonic_seconds() - started < HEALTHY_WATCH_SECONDS:
            await self._wait()  # a server that ends every watch at once is not asked in a loop
        else:
            self._wait_seconds = WAIT_SECONDS_MIN

    async def _wait(self) -> None:
        await asyncio.sleep(self._wait_seconds * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
        self._wait_seconds = min(self._wait_seconds * 2, WAIT_SECONDS_MAX)
