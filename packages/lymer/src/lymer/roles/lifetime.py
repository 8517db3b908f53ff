"""From start to stop: signals, state and readiness, which every role has alike."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from typing import Final

from lymer import clock
from lymer.api.health import Readiness
from lymer.errors import StartupError
from lymer.telemetry.logs import EventLog

__all__ = ["Lifetime"]

_log = EventLog(__name__)
_COLLECTED_AFTER: Final = 20_000
"""Objects made until the newest are looked at: rows of an answer are thousands, and die together.
Of 700, Python's own number, a twentieth of the time of a search was looking."""
_LAG_PERIOD_SECONDS: Final = 0.5
_ADVICE: Final = {
    errno.EMFILE: "allow the process more open files (ulimit -n), 1024 are enough for a small one",
    errno.ENFILE: "the machine has too many files open",
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room within that quota",
    errno.EROFS: "it must be writable, or choose another with --data-dir",
    errno.EACCES: "this user must be allowed to, or choose another folder with --data-dir",
}


class Lifetime:
    """How far a role has come. Lives on one event loop."""

    def __init__(self) -> None:
        """Begin; SIGINT and SIGTERM are ours from now on, and asked twice we leave at once."""
        self._started_unix_nano = clock.unix_nano()
        self._started_seconds = clock.monotonic_seconds()
        self._state = "starting"
        self._stop = asyncio.Event()
        self._problems: list[Callable[[], str]] = []
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop_on_signal)

    @contextlib.asynccontextmanager
    async def parts(self) -> AsyncIterator[contextlib.AsyncExitStack]:
        """Give a stack for what is started, and unwind it at the end.

        Raises:
            StartupError: The system refused something before `serve`; what no part has said better.
        """
        try:
            async with contextlib.AsyncExitStack() as stack:
                yield stack
        except OSError as error:
            if self._state != "starting":
                raise
            reason = error.strerror or str(error) or type(error).__name__
            place = f": {error.filename}" if error.filename else ""
            advice = _ADVICE.get(error.errno or 0, "make that possible and start again")
            raise StartupError(f"cannot start: {reason}{place}; {advice}") from error

    @property
    def is_stopping(self) -> bool:
        """Whether a signal came."""
        return self._stop.is_set()

    def watch(self, problem: Callable[[], str]) -> None:
        """Ask `problem` whenever somebody asks for health: why a part does not work, or nothing."""
        self._problems.append(problem)

    def readiness(self) -> Readiness:
        """Say whether everything works, or the first reason why not."""
        reasons = (problem() for problem in self._problems)
        reason = self._state or next(filter(None, reasons), "")
        return Readiness(not reason, reason, self._started_unix_nano)

    def measure_lag(self, observe: Callable[[float], None]) -> None:
        """Tell `observe` now and then how late this loop is, seconds."""
        loop = asyncio.get_running_loop()

        def look(due: float) -> None:
            now = loop.time()
            observe(now - due)
            loop.call_at(now + _LAG_PERIOD_SECONDS, look, now + _LAG_PERIOD_SECONDS)

        look(loop.time())

    async def serve(self, ready_text: Callable[[float], str]) -> None:
        """Say that all is started, and return when a signal asks to stop.

        Args:
            ready_text: Gets the seconds the start took; what it returns is printed.
        """
        self._state = ""
        gc.freeze()  # what lives until the end need not be looked at by every collection
        gc.set_threshold(_COLLECTED_AFTER, 10, 10)
        _print(ready_text(clock.monotonic_seconds() - self._started_seconds))
        await self._stop.wait()
        self._state = "stopping"
        _log.info("stopping")

    def _stop_on_signal(self) -> None:
        if self._stop.is_set():
            os._exit(130)  # asked twice: what was acknowledged is in the journal
        self._stop.set()


def _print(text: str) -> None:
    """Write the ready block; a closed pipe is no reason to stop."""
    with contextlib.suppress(OSError):
        sys.stdout.write(text)
        sys.stdout.flush()
