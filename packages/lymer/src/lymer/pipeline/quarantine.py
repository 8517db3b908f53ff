"""The folder for requests that were acknowledged and that nobody behind us can take.

Up to a limit each has a file of its own. Beyond it the file that they came in is kept as it is, by
a second name: that costs no memory and writes nothing, and only a disk that is nearly full ends it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lymer.journal.disk import make_folder, sync_folder

__all__ = ["DISK_FREE_BYTES_MIN", "QUARANTINE_BYTES_MAX", "set_aside"]

QUARANTINE_BYTES_MAX: Final = 256 * 2**20
"""Up to so much in the folder, requests have files of their own."""
DISK_FREE_BYTES_MIN: Final = 2**30
"""With less left on the disk, what is beyond the limit is set aside, but not kept."""


def set_aside(
    folder: Path, requests: Iterable[tuple[str, bytes, str]], whole: Path | None = None
) -> None:
    """Keep requests, (name, OTLP body, reason), in two files each; durable when it returns.

    The same name is the same request: a crash in between does no harm.

    Args:
        folder: Made if it is not there.
        requests: All of one segment, or one.
        whole: The file with them, of length-delimited requests; None if they are kept elsewhere.
    """
    make_folder(folder)
    held = sum(entry.stat().st_size for entry in folder.iterdir())
    beyond: list[tuple[str, str]] = []
    for name, body, reason in requests:
        held += len(body)
        if held > QUARANTINE_BYTES_MAX:
            beyond.append((name, reason))
            continue
        (folder / f"{name}.reason.txt").write_text(f"{reason}\n", encoding="utf-8")
        with (folder / f"{name}.otlp").open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
    if beyond and whole is not None and shutil.disk_usage(folder).free >= DISK_FREE_BYTES_MIN:
        _keep(folder, whole, beyond)
    sync_folder(folder)


def _keep(folder: Path, whole: Path, beyond: Iterable[tuple[str, str]]) -> None:
    """Give a file a second name here, or copy it where the folder is on another disk."""
    kept = folder / f"{whole.stem}-whole{whole.suffix}"
    reasons = "".join(f"{name}: {reason}\n" for name, reason in beyond)
    kept.with_suffix(".reason.txt").write_text(reasons, encoding="utf-8")
    if kept.exists():
        return  # after a crash: the file it was then
    try:
        kept.hardlink_to(whole)
    except OSError:
        copy = kept.with_suffix(".new")
        shutil.copyfile(whole, copy)
        with copy.open("rb") as file:
            os.fsync(file.fileno())
        copy.replace(kept)
