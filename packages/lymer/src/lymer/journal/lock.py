"""One process per data folder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from lymer.errors import StartupError
from lymer.journal.disk import make_folder

__all__ = ["FolderLock", "claim_folder"]


class FolderLock:
    """An exclusive lock on a folder; the kernel frees it when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Make `folder` and take its lock.

        Raises:
            StartupError: The folder cannot be written, or another process holds the lock.
        """
        path = folder / "lock"
        try:
            make_folder(folder)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = (
                f"cannot write to the data folder {folder}: {error.strerror}; "
                "choose another with --data-dir"
            )
            raise StartupError(message) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            message = (
                f"cannot use the data folder {folder}: another Lymer (process {holder}) has it; "
                "stop that one or choose another folder with --data-dir"
            )
            raise StartupError(message) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the folder back; idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def claim_folder(folder: Path) -> None:
    """Make a folder within a data folder.

    Raises:
        StartupError: It cannot be made, or not be used by this user.
    """
    try:
        make_folder(folder)
        problem = "" if os.access(folder, os.R_OK | os.W_OK | os.X_OK) else "Permission denied"
    except FileExistsError:
        problem = "there is something else of that name"
    except OSError as error:
        problem = error.strerror or str(error)
    if problem:
        raise StartupError(
            f"cannot write to the folder {folder}: {problem}; move away what is there or give it "
            "to this user, or choose another data folder with --data-dir"
        )
