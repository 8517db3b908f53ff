"""Gives back the pages of the engine's program file that only its start has touched.

Loading chDB runs the constructors of the whole library, which touch 190 MiB of its file; what runs
later needs 60 to 100 of them. The kernel takes pages of a file away only when memory is short, so
until then they count as this process's. Dropping them loses nothing: they are the file's own, and
come back, mostly from the page cache, when something runs that stands on them.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Final

from lymer.telemetry.logs import EventLog

__all__ = ["clean_mappings", "release_image_pages"]

_log = EventLog(__name__)
_IMAGE: Final = "/_chdb."
_MAPPINGS: Final = Path("/proc/self/smaps")
_MADV_DONTNEED: Final = 4


def release_image_pages() -> int:
    """Unmap the clean pages of chDB's file from this process, and return how many KiB they were.

    Only mappings that nobody can write to and that hold no page of their own: what was changed
    (relocated addresses) exists nowhere else. Linux only; elsewhere, and where the kernel does not
    show its mappings, nothing is done.
    """
    if not sys.platform.startswith("linux"):
        return 0
    try:
        lines = _MAPPINGS.read_text(errors="replace").splitlines()
        madvise = ctypes.CDLL(None, use_errno=True).madvise
    except (OSError, AttributeError):
        return 0
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    released = 0
    for start, end, kib in clean_mappings(lines):
        if madvise(start, end - start, _MADV_DONTNEED) == 0:
            released += kib
    _log.debug("pages of the engine's start released", kib=released)
    return released


def clean_mappings(lines: list[str]) -> list[tuple[int, int, int]]:
    """Return start, end and resident KiB of the mappings that may be dropped."""
    found = []
    span, resident = (0, 0), 0
    for line in lines:
        head, *rest = line.split(maxsplit=5)
        if head == "Rss:":
            resident = int(rest[0])
        elif head == "Anonymous:":
            if span[1] and int(rest[0]) == 0:
                found.append((*span, resident))
        elif not head.endswith(":"):
            is_ours = len(rest) == 5 and _IMAGE in rest[4] and rest[0] in {"r--p", "r-xp"}
            start, _, end = head.partition("-")
            span = (int(start, 16), int(end, 16)) if is_ours else (0, 0)
    return found
