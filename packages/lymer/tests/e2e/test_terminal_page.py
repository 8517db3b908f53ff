"""`docs/terminal.md` is what a terminal shows: every command of it is run, and says just that."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.lymer_process import lymer_environment

DOCS = Path(__file__).parents[4] / "docs"
PAGE = DOCS / "terminal.md"


def _sessions() -> list[tuple[str, str]]:
    """Return the commands of the page and what it says they print."""
    blocks = re.findall(r"```console\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    parts = [re.split(r"^\$ ", block, flags=re.MULTILINE)[1:] for block in blocks]
    return [
        (command, printed)
        for some in parts
        for command, _, printed in (p.partition("\n") for p in some)
    ]


def run_command(command: str, folder: Path) -> str:
    """Return what a command prints, errors included, and its exit code if that is not 0."""
    words = shlex.split(command)
    assert words[0] == "lymer"
    done = subprocess.run(
        [sys.executable, "-m", "lymer", *words[1:]],
        cwd=folder,
        env=lymer_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout


@pytest.mark.timeout(600)
def test_the_page_shows_what_a_terminal_shows(tmp_path: Path) -> None:
    """To the letter, in its order."""
    shutil.copy(DOCS / "examples" / "shop.json", tmp_path)
    sessions = _sessions()
    assert len(sessions) >= 9
    for command, printed in sessions:
        assert run_command(command, tmp_path) == printed, command
