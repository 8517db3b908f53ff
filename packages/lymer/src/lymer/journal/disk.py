"""What the journal asks of a disk, and the disk of this machine.

Only what the crash argument in README.md beside this file needs: which call makes what durable.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

__all__ = ["Disk", "LocalDisk", "make_folder", "replace_file", "sync_folder"]


class Disk(Protocol):
    """Files that only grow. Every method raises `OSError`, and may then have done a part."""

    def create(self, path: Path, /) -> int:
        """Create a file that does not exist and return its descriptor; its name is durable."""

    def append(self, descriptor: int, buffers: Sequence[bytes], /) -> int:
        """Write all buffers behind the end; return their size in bytes. Not durable yet."""

    def sync(self, descriptor: int, /) -> None:
        """Return when the file's bytes and size are durable."""

    def cut(self, descriptor: int, byte_count: int, /) -> None:
        """Shorten the file to `byte_count` and make that durable."""


class LocalDisk:
    """The file system, through the kernel."""

    def create(self, path: Path, /) -> int:
        """See `Disk.create`; after an error the file does not exist."""
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600
        )
        try:
            sync_folder(path.parent)
        except OSError:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        return descriptor

    def append(self, descriptor: int, buffers: Sequence[bytes], /) -> int:
        """See `Disk.append`; goes on however often the kernel takes only a part."""
        total = sum(map(len, buffers))
        written = os.writev(descriptor, buffers)
        if written < total:
            rest = memoryview(b"".join(buffers))[written:]
            while rest:
                rest = rest[os.write(descriptor, rest) :]
        return total

    def sync(self, descriptor: int, /) -> None:
        """See `Disk.sync`; macOS has no fdatasync."""
        if hasattr(os, "fdatasync"):
            os.fdatasync(descriptor)
        else:
            os.fsync(descriptor)

    def cut(self, descriptor: int, byte_count: int, /) -> None:
        """See `Disk.cut`."""
        os.ftruncate(descriptor, byte_count)
        os.fsync(descriptor)


def make_folder(folder: Path) -> None:
    """Make `folder` and what is missing above it; the names of all of them are durable."""
    missing = []
    above = folder
    while not above.is_dir() and above != above.parent:
        missing.append(above)
        above = above.parent
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for made in reversed(missing):
        sync_folder(made.parent)


def sync_folder(folder: Path) -> None:
    """Make created, renamed and removed names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Write a small file, only for us to read: after a crash there is the old one or the new one.

    Raises:
        OSError: It is not durable. A file with `.new` behind its name may be left.
    """
    successor = path.with_name(path.name + ".new")
    descriptor = os.open(successor, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(descriptor)
    successor.replace(path)
    sync_folder(path.parent)
