"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from certwright.errors import StoreError

__all__ = ["PRIVATE_MODE", "PUBLIC_MODE", "sync_folder", "write_file", "write_private"]

PRIVATE_MODE: Final = 0o600
PUBLIC_MODE: Final = 0o644


def write_private(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file that only its owner may read, whole or not at all, replacing what is there.

    Raises:
        StoreError: It cannot be written.
    """
    write_file(path, content, PRIVATE_MODE, durable=durable)


def write_file(path: Path, content: bytes, mode: int, *, durable: bool = True) -> None:
    """Write a file with this mode, whole or not at all, durable when this returns.

    If it need not be durable, it is whole whenever the process dies, but not if the machine does.

    Raises:
        StoreError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(file.fileno(), mode)
                file.write(content)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if durable:
            sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
