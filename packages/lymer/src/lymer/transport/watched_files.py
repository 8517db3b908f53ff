"""Files that may be replaced while we run: what is in them, and whether that has changed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeAlias

from lymer.errors import StartupError
from lymer.given_file import read_given

__all__ = ["FILE_BYTES_MAX", "Marks", "marks_of", "read_file"]

FILE_BYTES_MAX: Final = 4 << 20
"""Largest file of certificates, tokens or passwords, in bytes. All the world's public CAs are
250 kB; more is a mistake, such as a device or a log."""

Marks: TypeAlias = tuple[tuple[int, int, int, int] | None, ...]
"""Device, inode, time of change (ns) and size of each file; None for one that is not there."""


def marks_of(files: Iterable[Path]) -> Marks:
    """Return what tells whether any of `files` was replaced or written to.

    Links are followed to their end: Kubernetes replaces a mounted Secret by turning a link that
    its files lie behind, which leaves the names and the links of the files as they were.
    """
    return tuple(_mark(file) for file in files)


def _mark(file: Path) -> tuple[int, int, int, int] | None:
    try:
        status = os.stat(file)  # noqa: PTH116 - one call, no object
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def read_file(file: Path, setting: str) -> bytes:
    """Return the content of a file.

    Args:
        file: Where it is.
        setting: Path of the setting that names it, for the message.

    Raises:
        StartupError: It cannot be read, is too large, or is empty.
    """
    try:
        content = read_given(file, FILE_BYTES_MAX)
    except OSError as error:
        raise StartupError(f'cannot read {file} ("{setting}"): {error.strerror}') from error
    if len(content) > FILE_BYTES_MAX:
        raise StartupError(f'{file} ("{setting}") is over the limit of {FILE_BYTES_MAX} bytes')
    if not content.strip():
        raise StartupError(f'{file} ("{setting}") is empty')
    return content
