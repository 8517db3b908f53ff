"""What the kernel knows about a process: processor time, memory, bytes on disk."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cpu_seconds", "disk_bytes", "memory_bytes", "peak_memory_bytes", "require_linux"]

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def require_linux() -> None:
    """Leave with one sentence where /proc is missing."""
    if not Path("/proc/self/stat").exists():
        raise SystemExit("cannot measure: bench reads /proc, which only Linux has")


def cpu_seconds(pid: int) -> float:
    """Return user and system time of all threads so far; resolution 10 ms."""
    # The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def memory_bytes(pid: int) -> int:
    """Return resident memory now."""
    return _status(pid, "VmRSS:")


def peak_memory_bytes(pid: int) -> int:
    """Return the most resident memory so far, as the kernel noted it."""
    return _status(pid, "VmHWM:")


def disk_bytes(folder: Path) -> int:
    """Return the blocks that files below `folder` occupy, in bytes; links are not followed."""
    total = 0
    for directory, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(directory, name)).st_blocks * 512  # noqa: PTH118
            except FileNotFoundError:
                continue  # a merge has just removed it
    return total


def _status(pid: int, key: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024
    return 0
