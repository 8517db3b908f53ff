"""The collectors that a list of names stands for: looked up now and then, used in turn."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Final

from lymer.pipeline.collector_health import Healths
from lymer.pipeline.collector_link import CollectorLink
from lymer.telemetry.logs import EventLog

__all__ = ["Collectors", "look_up"]

_log = EventLog(__name__)
_CLOSE_SECONDS: Final = 30.0
"""A collector that a name does not stand for any more may answer so long."""


async def look_up(host: str, port: int) -> list[str]:
    """Return the IP addresses of `host`, sorted.

    Raises:
        OSError: There are none, or nobody knows.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return sorted({str(entry[4][0]) for entry in found})


class Collectors:
    """Links to all addresses. Lives on one event loop."""

    def __init__(
        self,
        targets: Sequence[tuple[str, str, int]],
        make_link: Callable[[str, str, int], CollectorLink],
        *,
        resolve_seconds: float,
    ) -> None:
        """Prepare; `refresh` looks names up.

        Args:
            targets: (as written, host, port) of each.
            make_link: Called with target, IP address and port of a collector that is new.
            resolve_seconds: Pause between two look-ups.
        """
        self._targets = list(targets)
        self._make_link = make_link
        self._resolve_seconds = resolve_seconds
        self._links: dict[str, CollectorLink] = {}
        self.healths: Final = Healths()
        """How each of them has been; told by whoever sends."""
        self._failed: set[str] = set()
        self._gone: dict[CollectorLink, float] = {}
        """Until when what they answer counts, loop time."""

    @property
    def links(self) -> list[CollectorLink]:
        """All of them."""
        return list(self._links.values())

    async def refresh(self) -> None:
        """Look all names up; a name that cannot be looked up now keeps its addresses."""
        found: dict[str, tuple[str, str, int]] = {}
        for target, host, port in self._targets:
            try:
                addresses = await look_up(host, port)
                self._failed.discard(target)
            except OSError as error:
                if target not in self._failed:
                    _log.warning("collector's name not found", target=target, error=error)
                self._failed.add(target)
                found |= {
                    name: (target, "", 0)
                    for name, link in self._links.items()
                    if link.target == target
                }
                continue
            found |= {f"{target}|{ip}:{port}": (target, ip, port) for ip in addresses}
        for name in found.keys() - self._links.keys():
            self._links[name] = self._make_link(*found[name])
            _log.info("collector found", collector=name)
        now = asyncio.get_running_loop().time()
        for name in self._links.keys() - found.keys():
            self._gone[self._links.pop(name)] = now + _CLOSE_SECONDS
            _log.info("collector gone", collector=name)
        self.healths.set_known(self._links)
        for link in [one for one, until in self._gone.items() if until <= now]:
            del self._gone[link]
            await link.close()

    async def refresh_always(self) -> None:
        """Look names up again and again until cancelled."""
        while True:
            await asyncio.sleep(self._resolve_seconds)
            await self.refresh()

    def get(self, reference: str) -> CollectorLink | None:
        """Return the link to the collector that `healths` calls so, None if it is gone."""
        return self._links.get(reference)

    def choose(self, now: float) -> CollectorLink | None:
        """Return the next collector in turn that works, else the one to be tried soonest.

        Args:
            now: Loop time.
        """
        health = self.healths.choose(now)
        return None if health is None else self._links[health.reference]

    async def close(self) -> None:
        """End all calls."""
        for link in (*self._gone, *self._links.values()):
            await link.close()
