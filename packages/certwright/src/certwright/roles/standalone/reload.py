"""The reload command: run after a change, not too often, again until it succeeds."""

from __future__ import annotations

import asyncio
import os
import signal
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
        if settings.command and layout.reload_pending.exists():
            self._due.set()

    @property
    def is_due(self) -> bool:
        """Whether the command still has to run."""
        return self._due.is_set()

    def before_change(self) -> None:
        """Note that something is about to change; call `after_change` when it has."""
        if self._settings.command and not self._layout.reload_pending.exists():
            write_private(self._layout.reload_pending, b"")

    def after_change(self, changed: Iterable[str]) -> None:
        """Ask for a run if anything changed."""
        if not self._settings.command:
            return
        names = "\n".join(changed)
        if names:
            write_private(self._layout.reload_pending, names.encode())
            self._due.set()
        elif not self._due.is_set():
            self._layout.reload_pending.unlink(missing_ok=True)

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
        self._due.clear()
        path = self._layout.reload_pending
        changed = path.read_text().split() if path.exists() else []
        problem = await self._run(changed)
        self._last_seconds = clock.monotonic_seconds()
        if problem:
            self._failures += 1
            self._due.set()
            _log.error(
                "reload command failed", reason=problem, again_after_seconds=self._rest_seconds()
            )
            return False
        self._failures = 0
        if not self._due.is_set():
            path.unlink(missing_ok=True)
        _log.info("reload command done", command=self._settings.command, secrets=" ".join(changed))
        return True

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
