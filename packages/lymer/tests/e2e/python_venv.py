"""Environments of their own for clients whose requirements are not ours, made once."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from e2e.javascript import alone

__all__ = ["install"]


def install(folder: Path) -> Path:
    """Make `folder/.venv` as its requirements.txt describes, unless that has been done.

    Returns:
        Its Python.
    """
    with alone(folder / ".installing"):
        _install(folder)
    return folder / ".venv/bin/python"


def _install(folder: Path) -> None:
    requirements, venv = folder / "requirements.txt", folder / ".venv"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = venv / "requirements-sha256"
    if stamp.exists() and stamp.read_text() == digest:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True, timeout=120)
    pip = [str(venv / "bin/python"), "-m", "pip", "install", "--quiet"]
    subprocess.run(
        [*pip, "--disable-pip-version-check", "-r", str(requirements)], check=True, timeout=300
    )
    stamp.write_text(digest)
