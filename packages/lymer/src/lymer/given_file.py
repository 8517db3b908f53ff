"""A file that somebody named, read without ever waiting for it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ["read_given"]


def read_given(path: Path, bytes_max: int) -> bytes:
    """Return the first `bytes_max` + 1 bytes of a file; more than `bytes_max` is too much.

    Regular files, `/dev/null`, and pipes that the shell opened for this process, such as
    `<(command)` and `/dev/stdin`: other pipes and devices may never end, or never begin.

    Raises:
        OSError: It cannot be read; `strerror` says why, also of what is no such file.
    """
    with open(path, "rb", opener=_without_waiting) as stream:
        mode = os.fstat(stream.fileno()).st_mode
        if stat.S_ISFIFO(mode) and os.path.realpath(path).startswith("/proc/"):
            os.set_blocking(stream.fileno(), True)
        elif not stat.S_ISREG(mode) and path != Path(os.devnull):
            raise OSError(errno.EINVAL, "not a regular file")
        return stream.read(bytes_max + 1)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)
