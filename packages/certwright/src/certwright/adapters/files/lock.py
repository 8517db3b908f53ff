"""One process owns a folder: the lock is the kernel's and ends with the process."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from certwright import clock
from certwright.errors import StartupError

__all__ = ["FolderLock"]

_PATIENCE_SECONDS: Final = 1.0
"""A process that was killed while it started a command leaves the lock to the command's process for
a moment, and whoever starts it anew is at once there."""
_POLL_SECONDS: Final = 0.05


class FolderLock:
    """Holds `FOLDER/lock` while the context is open."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            StartupError: Another process has it.
        """
        deadline = clock.monotonic_seconds() + _PATIENCE_SECONDS
        while self._descriptor is None and not self.try_lock():
            if clock.monotonic_seconds() < deadline:
                time.sleep(_POLL_SECONDS)
                continue
            owner = self._path.read_text().strip() or "unknown"
            raise StartupError(
                f"cannot lock {self._path}: process {owner} works on this folder; end it first, or "
                "let it do the work"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def try_lock(self) -> bool:
        """Take the lock if nobody has it; return whether that was so.

        Raises:
            StartupError: The folder cannot be written.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StartupError(f"cannot open {self._path}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return True
