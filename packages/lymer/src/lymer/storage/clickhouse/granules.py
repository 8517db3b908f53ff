"""Rows of a granule in tables that an older release made.

The engine takes this setting when a table is created and refuses to change it, though each part
keeps the granules it was written with, so both sizes may lie beside each other. Hence the table's
own text is changed, in the folder that is ours, before the engine opens it. Copying the rows into a
new table would take as long as loading them; taking the parts over (`ATTACH PARTITION`) numbers
their blocks anew, and the deletions of tail sampling go by these numbers.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from lymer.errors import StartupError

__all__ = ["refine_granules"]

_TABLE: Final = "spans.sql"
_OLD: Final = b"index_granularity = 8192"
_NEW: Final = b"index_granularity = 2048"


def refine_granules(folder: Path) -> None:
    """Let the span tables of every tenant write granules of 2,048 rows from now on; idempotent.

    Args:
        folder: Of the engine, which must not be open.

    Raises:
        StartupError: A table's text cannot be replaced.
    """
    try:
        for table in folder.glob(f"metadata/*/{_TABLE}"):
            text = table.read_bytes()
            if _OLD in text:
                _replace(table, text.replace(_OLD, _NEW))
    except OSError as error:
        message = f"cannot bring the store in {folder} up to date: {error}"
        raise StartupError(message) from error


def _replace(path: Path, text: bytes) -> None:
    """Write the whole text or nothing, whatever happens."""
    beside = path.with_suffix(".refined")
    with beside.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
