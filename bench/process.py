"""Processes as the kernel sees them: processor time, memory, bytes on disk, whether they rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lymer import clock

__all__ = [
    "ROOT",
    "cpu_seconds",
    "disk_bytes",
    "machine_busy_seconds",
    "memory_bytes",
    "peak_memory_bytes",
    "require_linux",
    "run_module",
    "wait_quiet",
]

ROOT = Path(__file__).resolve().parents[1]
"""This source tree."""

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_SETTLE_SECONDS_MAX = 600.0
_QUIET_SECONDS = 5
_QUIET_CPU = 0.06
"""Part of a processor. The engine at rest takes about 0.02, reading its metrics included."""


def require_linux() -> None:
    """Leave with one sentence where /proc is missing."""
    if not Path("/proc/self/stat").exists():
        raise SystemExit("cannot measure: bench reads /proc, which only Linux has")


def cpu_seconds(pid: int) -> float:
    """Return user and system time of all threads so far; resolution 10 ms."""
    # The name in parentheses may hold spaces; utime and stime are fields 14 and 15.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def machine_busy_seconds() -> float:
    """Return what all processors together have worked since the machine started."""
    user, nice, system, _, _, interrupts, soft, stolen = map(
        int, Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + interrupts + soft + stolen) / _TICKS_PER_SECOND


def memory_bytes(pid: int) -> int:
    """Return resident memory now."""
    return _status(pid, "VmRSS:")


def peak_memory_bytes(pid: int) -> int:
    """Return the most resident memory so far, as the kernel noted it."""
    return _status(pid, "VmHWM:")


def wait_quiet(pid: int, seconds_min: float, is_done: Callable[[], bool]) -> float:
    """Wait until a process has nothing left to do; return its processor seconds when that began.

    It took less than 6 % of a processor for 5 seconds in a row, that began at least `seconds_min`
    from now, and `is_done` says so, too.

    Raises:
        RuntimeError: It does not come to rest.
    """
    began = clock.monotonic_seconds()
    while clock.monotonic_seconds() < began + _SETTLE_SECONDS_MAX:
        before, at = cpu_seconds(pid), clock.monotonic_seconds()
        for _ in range(_QUIET_SECONDS):
            time.sleep(1)
            if cpu_seconds(pid) - before > _QUIET_CPU * _QUIET_SECONDS:
                break
        else:
            if at - began >= seconds_min and is_done():
                return before
    raise RuntimeError("refusing to report: the server does not come to rest")


def run_module(module: str, order: dict[str, Any], tree: Path | None = None) -> dict[str, Any]:
    """Run a module of `bench` that reads and writes JSON, of this tree or another with a `.venv`.

    Raises:
        RuntimeError: It did not end well.
    """
    python = str(tree / ".venv/bin/python") if tree else sys.executable
    done = subprocess.run(
        [python, "-m", module],
        input=json.dumps(order),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        cwd=tree or ROOT,
    )
    if done.returncode != 0:
        raise RuntimeError(f"cannot measure: {module} ended with exit code {done.returncode}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


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
