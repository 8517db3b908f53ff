"""Work that only one replica may do at a time.

Source: reference cert-manager.md 8.3.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import uuid
from collections.abc import Awaitable, Callable

from certwright.engine.leader import LeaderElection
from certwright.errors import StartupError
from certwright.telemetry.logs import EventLog

__all__ = ["lead", "unique_identity", "until_told_to_stop"]

_log = EventLog("certwright.leadership")


def unique_identity(role: str = "") -> str:
    """Return who this process is in an election: two of one host are two, also in one pod."""
    return f"{socket.gethostname()}{role}_{uuid.uuid4()}"


async def until_told_to_stop(work: Callable[[], Awaitable[None]]) -> None:
    """Do work until it fails, ends, or SIGTERM or SIGINT arrives; then cancel it and wait for it.

    Raises:
        StartupError: The work cannot go on, or a failure of the work.
    """
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    working = asyncio.ensure_future(work())
    waiting = asyncio.ensure_future(stopped.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        else:
            _log.info("stopping")
    finally:
        waiting.cancel()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def lead(election: LeaderElection | None, work: Callable[[], Awaitable[None]]) -> None:
    """Do work while we are the leader; without an election at once and for good.

    Raises:
        StartupError: The lease is lost: this process must end, another one works.
    """
    if election is None:
        await work()
        return
    await election.acquire()
    working = asyncio.ensure_future(work())
    holding = asyncio.ensure_future(election.hold())
    try:
        await asyncio.wait({working, holding}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
            return
        raise StartupError("leader election lost")
    finally:
        # First nobody works any longer, then somebody else may.
        for task in (working, holding):
            task.cancel()
        await asyncio.gather(working, holding, return_exceptions=True)
        await election.release()
