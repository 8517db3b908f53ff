"""Events about objects: repeated ones are counted, floods are combined and cut.

::

    Emit ─▶ combine (over 10 of a sort in 10 min) ─▶ count (seen before?) ─▶ spam filter ─▶ store

The filter is pure (`EventCorrelator`); `EventRecorder` holds the queue and writes.

An event is written by server-side apply, whether it is new or counted: one request that can be
repeated safely, and the chart's permission (create, patch) covers it.

Source: client-go `tools/record` (EventCorrelator; defaults: 25 at once and one in five minutes for
each object and source, more than 10 similar ones in 600 s are combined); reference 13.26.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias, TypeVar

from certwright.engine.rate_limit import TokenBucket
from certwright.engine.store import Store
from certwright.errors import StoreError
from certwright.reconcile.contract import Emit
from certwright.resources.kinds import EVENT, Manifest
from certwright.telemetry.logs import EventLog

__all__ = ["EventCorrelator", "EventRecorder"]

SPAM_BURST: Final = 25
SPAM_SECONDS: Final = 300.0
SIMILAR_MAX: Final = 10
SIMILAR_SECONDS: Final = 600.0
REMEMBERED_MAX: Final = 4096
"""Events, groups and sources that are remembered, each; the least lately used is forgotten."""
WAITING_MAX: Final = 10_000
"""Events that wait to be written; more are dropped, and that is logged."""
_COMBINED: Final = "(combined from similar events): "

_log = EventLog("certwright.engine.events")
T = TypeVar("T")
_Text: TypeAlias = tuple[str, ...]


@dataclass(slots=True)
class _Group:
    messages: set[str] = field(default_factory=set)
    at: float = 0.0


@dataclass(slots=True)
class _Seen:
    name: str
    first: datetime
    count: int = 0


class EventCorrelator:
    """Decides what becomes of an event. Pure: time is an argument."""

    def __init__(self) -> None:
        self._groups: OrderedDict[_Text, _Group] = OrderedDict()
        self._seen: OrderedDict[_Text, _Seen] = OrderedDict()
        self._buckets: OrderedDict[_Text, TokenBucket] = OrderedDict()

    def decide(self, emit: Emit, component: str, now: datetime) -> Manifest | None:
        """Return the event to apply; None if there were too many about this object."""
        regarding = _reference(emit.regarding)
        source = (component, *regarding.values())
        sort = (*source, emit.type, emit.reason)
        message, key = self._combined(emit.message, sort, now.timestamp())
        seen = _lately(self._seen, key, lambda: _Seen(_event_name(regarding, now), now))
        seen.count += 1
        bucket = _lately(self._buckets, source, lambda: TokenBucket(1 / SPAM_SECONDS, SPAM_BURST))
        if not bucket.try_take(now.timestamp()):
            return None
        version = emit.regarding["metadata"].get("resourceVersion")
        if version:
            regarding = {**regarding, "resourceVersion": str(version)}
        return {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {"name": seen.name, "namespace": regarding.get("namespace") or "default"},
            "involvedObject": {name: text for name, text in regarding.items() if text},
            "reason": emit.reason,
            "message": message,
            "type": emit.type,
            "source": {"component": component},
            "firstTimestamp": _time(seen.first),
            "lastTimestamp": _time(now),
            "count": seen.count,
        }

    def _combined(self, message: str, sort: _Text, now: float) -> tuple[str, _Text]:
        group = _lately(self._groups, sort, _Group)
        if now - group.at > SIMILAR_SECONDS:
            group.messages.clear()
        group.at = now
        if message not in group.messages and len(group.messages) >= SIMILAR_MAX:
            return _COMBINED + message, sort
        group.messages.add(message)
        return message, (*sort, message)


def _lately(remembered: OrderedDict[_Text, T], key: _Text, new: Callable[[], T]) -> T:
    found = remembered.get(key)
    if found is None:
        found = remembered[key] = new()
        if len(remembered) > REMEMBERED_MAX:
            remembered.popitem(last=False)
    else:
        remembered.move_to_end(key)
    return found


def _reference(obj: Manifest) -> dict[str, str]:
    metadata = obj["metadata"]
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "namespace": metadata.get("namespace", ""),
        "name": metadata["name"],
        "uid": metadata.get("uid", ""),
    }


def _event_name(regarding: dict[str, str], now: datetime) -> str:
    """Return name and instant; the name is cut so that both fit an object's name."""
    instant = f"{int(now.timestamp() * 1_000_000) * 1000:x}"
    return f"{regarding['name'][: 252 - len(instant)].rstrip('-.')}.{instant}"


def _time(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


class EventRecorder:
    """Takes events without waiting, and writes them in order."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        self._correlator = EventCorrelator()
        self._waiting: asyncio.Queue[tuple[Manifest, str]] = asyncio.Queue(WAITING_MAX)
        self._dropped = 0

    def record(self, emit: Emit, component: str) -> None:
        """Take an event; `component` is its source and its writer's field manager."""
        event = self._correlator.decide(emit, component, self._now())
        if event is None:
            return
        try:
            self._waiting.put_nowait((event, component))
        except asyncio.QueueFull:
            self._dropped += 1
            if self._dropped == 1 or self._dropped % 1000 == 0:
                _log.warning("events dropped", count=self._dropped, limit=WAITING_MAX)

    async def run(self) -> None:
        """Write what is taken until cancelled."""
        while True:
            event, component = await self._waiting.get()
            try:
                await self._store.apply(event, manager=component)
            except StoreError as error:
                # An event is a courtesy: nothing waits for it, and the next one may get through.
                _log.warning("cannot write an event", reason=event["reason"], cause=str(error))
            finally:
                self._waiting.task_done()

    async def flush(self, seconds_max: float) -> None:
        """Wait until all are written, but not longer than `seconds_max`."""
        try:
            async with asyncio.timeout(seconds_max):
                await self._waiting.join()
        except TimeoutError:
            _log.warning("events not written at the end", count=self._waiting.qsize())
