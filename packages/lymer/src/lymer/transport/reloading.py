"""Files are looked at again and again; what they mean is replaced when it has changed.

A bad file never takes the place of a good one: what was in force stays, the log says why, and
`lymer_reload_failures` counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from lymer.errors import StartupError
from lymer.telemetry.logs import EventLog
from lymer.transport.watched_files import Marks

__all__ = ["Reloadable", "Reloader"]

_log = EventLog(__name__)

_SETTLE_SECONDS: Final = 1.0
"""Two files that belong together are seldom replaced at one instant. Before we complain about a
pair that does not fit, its writer gets so long to finish."""


class Reloadable(Protocol):
    """Something that was read from files."""

    @property
    def name(self) -> str:
        """What it is, for the log and as a label: the path of its setting."""

    def marks(self) -> Marks:
        """Return what tells whether a file has changed; reads no content, may block."""

    def load(self) -> str:
        """Read the files and put what they mean in force for what comes from now on; may block.

        Returns:
            What an operator should know of the new content, or nothing.

        Raises:
            StartupError: They are no good; everything is as it was.
        """


class Reloader:
    """Looks at files on a thread, so that a slow disk holds up nobody. Lives on one event loop."""

    def __init__(
        self,
        interval_seconds: float,
        *,
        on_reload: Callable[[str], None] = lambda _name: None,
        on_failure: Callable[[str], None] = lambda _name: None,
    ) -> None:
        """Look every `interval_seconds`; the callbacks get names and count them."""
        self._interval_seconds = interval_seconds
        self._on_reload = on_reload
        self._on_failure = on_failure
        self._watched: dict[int, tuple[Reloadable, Marks]] = {}
        self._task: asyncio.Task[None] | None = None

    def watch(self, subject: Reloadable, marks: Marks) -> None:
        """Look after `subject` from now on; once is enough, and more changes nothing.

        Args:
            subject: What was loaded.
            marks: Of its files, from before they were read: a change during that is one.
        """
        self._watched.setdefault(id(subject), (subject, marks))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="reload files")

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval_seconds)
            for key in tuple(self._watched):
                await self._look(key)

    async def _look(self, key: int) -> None:
        subject, before = self._watched[key]
        marks = await asyncio.to_thread(subject.marks)
        if marks == before:
            return
        problem = await self._load(subject)
        if problem:
            await asyncio.sleep(_SETTLE_SECONDS)
            settled = await asyncio.to_thread(subject.marks)
            if settled != marks:
                marks, problem = settled, await self._load(subject)
        self._watched[key] = subject, marks
        if problem:
            self._on_failure(subject.name)
            _log.error(
                "changed files are no good, the old ones stay in force",
                setting=subject.name,
                reason=problem,
            )

    async def _load(self, subject: Reloadable) -> str:
        """Load; return why it cannot be done, or nothing."""
        try:
            remark = await asyncio.to_thread(subject.load)
        except StartupError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - a bug here must not end all reloading
            _log.exception("BUG: changed files cannot be read", error, setting=subject.name)
            return type(error).__name__
        self._on_reload(subject.name)
        _log.info("changed files are in force", setting=subject.name)
        if remark:
            _log.warning(remark, setting=subject.name)
        return ""
