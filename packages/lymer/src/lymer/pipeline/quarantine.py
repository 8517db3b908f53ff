"""The folder for requests that were acknowledged and that nobody behind us can take."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lymer.journal.disk import make_folder, sync_folder

__all__ = ["QUARANTINE_BYTES_MAX", "set_aside"]

QUARANTINE_BYTES_MAX: Final = 256 * 2**20
"""When the quarantine folder holds so much, requests are still set aside, but not kept."""


def set_aside(folder: Path, requests: Iterable[tuple[str, bytes, str]]) -> None:
    """Keep requests, (name, OTLP body, reason), in two files each; durable when it returns.

    The same name is the same request: a crash in between does no harm.
    """
    make_folder(folder)
    held = sum(entry.stat().st_size for entry in folder.iterdir())
    for name, body, reason in requests:
        held += len(body)
        if held > QUARANTINE_BYTES_MAX:
            break
        (folder / f"{name}.reason.txt").write_text(f"{reason}\n", encoding="utf-8")
        with (folder / f"{name}.otlp").open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
    sync_folder(folder)
