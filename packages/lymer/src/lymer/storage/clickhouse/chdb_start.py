"""chDB's first moments: it wants a folder for scratch, and says on standard error what it likes.

When the module is imported it opens an engine in a temporary folder, which may not be writable
(a read-only root file system); where it sees no cgroup it prints a stack of thirty lines and goes
on. So the temporary folder is one of ours while it starts, and what it says is read before people
see it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from lymer.errors import StartupError
from lymer.telemetry.logs import EventLog

__all__ = ["session_class", "starting"]

_log = EventLog(__name__)
_STDERR: Final = 2
_NO_CGROUP: Final = "Cannot use cgroups reader"
_SAID_CHARACTERS_MAX: Final = 300
_ALLOCATOR: Final = ("JE_MALLOC_CONF", "dirty_decay_ms:1000")
"""How long the engine keeps memory that it has freed, read when it is loaded; its own is 5 s. Costs
2 % of its CPU and takes 80 MiB off the peak (ADR 064)."""


def session_class() -> Any:
    """Return chDB's `Session`.

    Raises:
        StartupError: chDB is not installed, or does not start.
    """
    os.environ.setdefault(*_ALLOCATOR)
    try:
        from chdb.session import Session  # noqa: PLC0415 - 0.2 s and 250 MB, only when needed
    except ImportError as error:
        reason = str(error)
        advice = "chdb-core has wheels for glibc Linux and macOS on x86_64 and arm64"
        if "failed to map" in reason or "cannot allocate memory" in reason.lower():
            advice = "it needs 2 GB of address space (ulimit -v)"
        elif "time zone" in reason:
            advice = "set TZ to one that this machine knows, or not at all"
        raise StartupError(f"cannot load the embedded engine: {reason}; {advice}") from error
    return Session


@contextlib.contextmanager
def starting(scratch: Path) -> Iterator[None]:
    """Start chDB within this: its temporary folder is `scratch`, which is emptied before.

    What it writes to standard error is one line in our log; if it fails, it is in the error.

    Raises:
        StartupError: It does not start, or `scratch` cannot be written.
    """
    folder = scratch.parent
    if b"?" in bytes(folder) or bytes(folder).decode(errors="replace") != str(folder):
        raise StartupError(
            f"cannot open the store in {str(folder)!r}: the engine takes no path with a question "
            "mark or with bytes that are not UTF-8; choose another with --data-dir"
        )
    try:
        shutil.rmtree(scratch, ignore_errors=True)  # of a run that was killed
        scratch.mkdir(mode=0o700, exist_ok=True)
        said = (scratch / "said").open("w+b")
        _stand_somewhere(folder)
    except OSError as error:
        raise StartupError(
            f"cannot write to the store in {folder}: {error.strerror}; give it to this user, or "
            "choose another folder with --data-dir"
        ) from error
    with said:
        try:
            with _temporary_folder(scratch), _standard_error(said):
                yield
        except StartupError:
            raise
        except Exception as error:
            raise StartupError(
                f"cannot open the store in {folder}: {_first_line(str(error))}"
                f"{''.join(f'; {line}' for line in _lines(said))}; see to that, or choose another "
                "folder with --data-dir"
            ) from error
        for line in _lines(said):
            _log.warning("the engine says", text=line)


def _first_line(text: str) -> str:
    """Keep the engine's own words, without its stack and the statement."""
    for end in (", Stack trace (when", " In scope ", "\n"):
        text = text.split(end, 1)[0]
    return text.rpartition("e.what() = ")[2].strip()


def _lines(said: BinaryIO) -> list[str]:
    """Return what was said and matters: no stacks, nothing about a cgroup that is not to be seen.

    Without one the engine measures its memory by itself, which is what we want anyway.
    """
    said.seek(0)
    lines = said.read().decode(errors="replace").splitlines()
    heads = [_first_line(line)[:_SAID_CHARACTERS_MAX] for line in lines if "DB::" in line]
    return [head for head in heads if head and not head.startswith(_NO_CGROUP)]


def _stand_somewhere(folder: Path) -> None:
    """Leave a working directory that was removed or is not ours: chDB goes away and back."""
    try:
        os.chdir(Path.cwd())
    except OSError:
        os.chdir(folder)


@contextlib.contextmanager
def _temporary_folder(folder: Path) -> Iterator[None]:
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before


@contextlib.contextmanager
def _standard_error(file: BinaryIO) -> Iterator[None]:
    """Have the process's standard error go to `file`."""
    try:
        kept = os.dup(_STDERR)
    except OSError:
        yield  # it is closed
        return
    os.dup2(file.fileno(), _STDERR)
    try:
        yield
    finally:
        os.dup2(kept, _STDERR)
        os.close(kept)
