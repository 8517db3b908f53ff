"""The bench beside other systems runs where there are none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[4]


def _run(*arguments: str, **peers: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if "LYMER_PEER" not in name}
    return subprocess.run(
        [sys.executable, "-m", "bench.peers", "--spans=2k", "--quick", *arguments],
        cwd=_ROOT,
        env={**kept, **peers},
        capture_output=True,
        text=True,
        timeout=570,
        check=False,
    )


def _program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o700)
    return path


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_table_is_written_and_a_peer_that_does_not_start_is_said(tmp_path: Path) -> None:
    """Lymer's answers are right, what people wrote stays, and a broken peer ends nothing."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- peers begin -->old<!-- peers end -->\nafter\n")
    ends, foreign = _program(tmp_path / "tempo", "#!/bin/sh\nexit 1\n"), tmp_path / "victoria"
    _program(foreign, "#!/no/interpreter\n")
    done = _run(
        f"--markdown={page}",
        LYMER_PEER_TEMPO=str(ends),
        LYMER_PEER_VICTORIATRACES=str(foreign),
    )
    assert done.returncode == 0, done.stderr + done.stdout
    text = page.read_text()
    assert text.startswith("before\n<!-- peers begin -->\n- date: ")
    assert text.endswith("<!-- peers end -->\nafter\n")
    assert "| trace by id: p50 / p99 / CPU |" in text
    assert "**failed**: cannot measure: Tempo did not start: it said nothing; see that" in text
    assert "**failed**: cannot measure: VictoriaTraces did not start: [Errno" in text
    assert "unset LYMER_PEER_VICTORIATRACES to go without" in text
    assert "not beside LYMER_PEER_LYMER, LYMER_PEER_JAEGER, not set" in done.stderr
    assert "wrong**" not in text
    assert "old" not in text.split()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_part_of_the_questions_is_asked(tmp_path: Path) -> None:
    """Only kinds that hold a text are in the table, also where RED is none of them."""
    page = tmp_path / "page.md"
    page.write_text("<!-- peers begin --><!-- peers end -->\n")
    done = _run(f"--markdown={page}", "--only", "Lymer", "--about", "rare", "services")
    assert done.returncode == 0, done.stderr + done.stdout
    rows = [
        line.split("|")[1].split(": p50")[0].strip()
        for line in page.read_text().splitlines()
        if ": p50 / p99 / CPU |" in line
    ]
    assert sorted(rows) == ["search: service, rare tag", "services", "tag without service: rare"]


@pytest.mark.parametrize(
    ("arguments", "peers", "said"),
    [
        (["--about", "nonsense"], {}, "no kind of question holds ['nonsense']"),
        ([], {"LYMER_PEER_JAEGER": "/no/jaeger"}, "LYMER_PEER_JAEGER names no program: /no/jaeger"),
        ([], {"LYMER_PEER_LYMER": "/no/tree"}, "LYMER_PEER_LYMER names no tree with a .venv"),
    ],
)
def test_what_cannot_be_measured_is_said_at_once(
    arguments: list[str], peers: dict[str, str], said: str
) -> None:
    """Nothing is started for it, and what to do about a variable is said."""
    done = _run(*arguments, **peers)
    assert done.returncode == 1
    assert f"cannot measure: {said}" in done.stderr
    assert "or unset it to go without" in done.stderr or not peers
