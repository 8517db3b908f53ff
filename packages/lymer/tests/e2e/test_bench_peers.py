"""The bench beside other systems runs where there are none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[4]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_table_is_written_and_a_peer_that_does_not_start_is_said(tmp_path: Path) -> None:
    """Lymer's answers are right, what people wrote stays, and a broken peer ends nothing."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- peers begin -->old<!-- peers end -->\nafter\n")
    broken = tmp_path / "tempo"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o700)
    kept = {name: value for name, value in os.environ.items() if "LYMER_PEER" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "bench.peers", "--spans=2k", "--quick", f"--markdown={page}"],
        cwd=_ROOT,
        env={**kept, "LYMER_PEER_TEMPO": str(broken)},
        capture_output=True,
        text=True,
        timeout=570,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    text = page.read_text()
    assert text.startswith("before\n<!-- peers begin -->\n- date: ")
    assert text.endswith("<!-- peers end -->\nafter\n")
    assert "| trace by id: p50 / p99 / CPU |" in text
    assert "**failed**: cannot measure: Tempo did not start" in text
    assert "wrong**" not in text
    assert "old" not in text.split()
