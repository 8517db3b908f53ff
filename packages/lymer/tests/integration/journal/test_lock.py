"""One process per data folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lymer.errors import StartupError
from lymer.journal.lock import FolderLock

_HOLD = (
    "import pathlib, sys; from lymer.journal.lock import FolderLock; "
    "lock = FolderLock(pathlib.Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
)


def _holder(folder: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_the_second_one_learns_who_has_the_folder(tmp_path: Path) -> None:
    """The message names folder, process and what to do; a killed holder holds nothing."""
    with _holder(tmp_path) as holder:
        with pytest.raises(StartupError) as refused:
            FolderLock(tmp_path)
        holder.kill()

    assert str(refused.value) == (
        f"cannot use the data folder {tmp_path}: another Lymer (process {holder.pid}) has it; "
        "stop that one or choose another folder with --data-dir"
    )
    FolderLock(tmp_path).release()


def test_a_released_folder_can_be_taken_again(tmp_path: Path) -> None:
    """Releasing twice is releasing once; the file says whose the folder is."""
    first = FolderLock(tmp_path / "new" / "folder")
    first.release()
    first.release()

    second = FolderLock(tmp_path / "new" / "folder")

    assert (tmp_path / "new" / "folder" / "lock").read_text() == f"{os.getpid()}\n"
    assert (tmp_path / "new" / "folder").stat().st_mode & 0o077 == 0, "others may look in"
    second.release()


def test_one_process_cannot_take_it_twice(tmp_path: Path) -> None:
    """Two parts of one program would be two writers."""
    lock = FolderLock(tmp_path)
    with pytest.raises(StartupError, match=rf"process {os.getpid()}\) has it"):
        FolderLock(tmp_path)
    lock.release()


def test_a_folder_below_a_file_is_one_sentence(tmp_path: Path) -> None:
    """It says which folder, why, and what to do."""
    (tmp_path / "file").touch()

    with pytest.raises(StartupError, match=r"cannot write to the data folder .*/file/x: .*--data-"):
        FolderLock(tmp_path / "file" / "x")
