"""The reload command: run after a change, not too often, again until it succeeds.

What has changed is on disk before it changes, and stays there until a run that was told of it has
succeeded: neither a failure, nor more changes in one interval, nor a killed process loses a name.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from certwright import clock
from certwright.adapters.atomic_files import write_private
from certwright.roles.standalone.layout import Layout
from certwright.telemetry.logs import EventLog

__all__ = ["Reload", "ReloadSettings"]

_log: Final = EventLog(__name__)
_OUTPUT_BYTES_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class ReloadSettings:
    """How and how often."""

    command: str
    """For `/bin/sh -c`; empty for none."""
    interval_seconds: float = 10.0
    """Shortest time between two runs: changes in between are one change."""
    timeout_seconds: float = 60.0
    """Longest time one run may take; then it is killed and counts as failed."""
    retry_seconds_min: float = 5.0
    retry_seconds_max: float = 300.0
    """Failures wait this long before the next attempt: from the least, doubling to the most."""


class Reload:
    """Remembers on disk that a run is due, so that a killed process does not forget it."""

    def __init__(self, settings: ReloadSettings, layout: Layout) -> None:
        self._settings = settings
        self._layout = layout
        self._due = asyncio.Event()
        self._failures = 0
        self._last_seconds: float | None = None
        self._guard = threading.Lock()
        self._changing: set[str] = set()
        """What is being written right now: a run that begins now may still see the old files."""
        self._told: set[str] = set()
        """What the run that goes on was told of."""
        path = layout.reload_pending
        is_waiting = bool(settings.command) and path.exists()
        self._changed: set[str] = set(path.read_text().split()) if is_waiting else set()
        """What no run has been told of."""
        if is_waiting:
            self._due.set()

    @property
    def is_due(self) -> bool:
        """Whether the command still has to run."""
        return self._due.is_set()

    def before_change(self, names: Iterable[str]) -> None:
        """Note what is about to change; call `after_change` when it has. On any thread."""
        if self._settings.command:
            with self._guard:
                self._changing.update(names)
                self._keep()

    def after_change(self, changed: Iterable[str]) -> None:
        """Ask for a run if anything changed."""
        if not self._settings.command:
            return
        with self._guard:
            self._changed.update(changed)
            self._changing.clear()
            self._keep()
            if self._changed:
                self._due.set()

    async def serve(self) -> None:
        """Run the command whenever it is due, for ever."""
        while True:
            await self._due.wait()
            await asyncio.sleep(self._rest_seconds())
            await self.run_now()

    async def run_now(self) -> bool:
        """Run the command if it is due; return whether it is done with."""
        if not self._due.is_set():
            return True
        with self._guard:
            self._due.clear()
            self._told, self._changed = self._changed, set()
        problem = "it was ended"
        try:
            problem = await self._run(sorted(self._told))
        finally:
            self._last_seconds = clock.monotonic_seconds()
            with self._guard:
                told, self._told = self._told, set()
                if problem:
                    self._changed |= told
                    self._due.set()
                self._keep()
        if problem:
            self._failures += 1
            again = self._rest_seconds()
            _log.error("reload command failed", reason=problem, again_after_seconds=again)
            return False
        self._failures = 0
        _log.info("reload command done", command=self._settings.command, secrets=" ".join(told))
        return True

    def _keep(self) -> None:
        names = sorted(self._changing | self._told | self._changed)
        if names:
            write_private(self._layout.reload_pending, "\n".join(names).encode())
        elif not self._due.is_set():
            self._layout.reload_pending.unlink(missing_ok=True)

    def _rest_seconds(self) -> float:
        """Return how long to wait before the next run."""
        if self._last_seconds is None:
            return 0.0
        settings = self._settings
        pause = settings.interval_seconds
        if self._failures:
            doubled = settings.retry_seconds_min * 2 ** min(self._failures - 1, 20)
            pause = min(doubled, settings.retry_seconds_max)
        return max(0.0, self._last_seconds + pause - clock.monotonic_seconds())

    async def _run(self, changed: Iterable[str]) -> str:
        """Run the command once; return what went wrong, or nothing."""
        try:
            process = await asyncio.create_subprocess_shell(
                self._settings.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={
                    **os.environ,
                    "CERTWRIGHT_DIR": str(self._layout.folder),
                    "CERTWRIGHT_SECRETS": " ".join(changed),
                },
                start_new_session=True,
            )
        except OSError as error:
            return str(error)
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                output, _ = await process.communicate()
        except TimeoutError:
            await _kill(process)
            return f"it took longer than {self._settings.timeout_seconds:g} s"
        except asyncio.CancelledError:
            await _kill(process)
            raise
        if process.returncode == 0:
            return ""
        words = output[-_OUTPUT_BYTES_MAX:].decode("utf-8", "replace").strip()
        return f"exit code {process.returncode}" + (f": {words}" if words else "")


async def _kill(process: asyncio.subprocess.Process) -> None:
    """End the command with all it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    await process.wait()
