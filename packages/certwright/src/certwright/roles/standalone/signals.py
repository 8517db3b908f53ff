"""Until somebody says stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine

from certwright.telemetry.logs import EventLog

__all__ = ["until_stopped"]

_log = EventLog(__name__)


async def until_stopped(work: Coroutine[object, object, None]) -> None:
    """Run `work` until SIGTERM or SIGINT; what it raises comes out, the first of several."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stopped.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        _log.info("stopping")
        working.cancel()
    try:
        await working
    except asyncio.CancelledError:
        return
    except BaseExceptionGroup as group:
        first: BaseException = group
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from group
