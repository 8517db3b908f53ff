"""OpenTelemetry's Python exporters for Jaeger, in an environment of their own.

They ended in 2023 and need an SDK and a `protobuf` of their time.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Final

from e2e.javascript import alone
from e2e.lymer_process import lymer_environment

__all__ = ["install_exporters", "run_exporter"]

FOLDER: Final = Path(__file__).parent / "python-exporters"
_VENV: Final = FOLDER / ".venv"


def install_exporters() -> None:
    """Make the environment that requirements.txt describes, unless that has been done."""
    with alone(FOLDER / ".installing"):
        _install()


def _install() -> None:
    requirements = FOLDER / "requirements.txt"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = _VENV / "requirements-sha256"
    if stamp.exists() and stamp.read_text() == digest:
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(_VENV)], check=True, timeout=120)
    pip = [str(_VENV / "bin/python"), "-m", "pip", "install", "--quiet"]
    subprocess.run(
        [*pip, "--disable-pip-version-check", "-r", str(requirements)], check=True, timeout=300
    )
    stamp.write_text(digest)


def run_exporter(*arguments: str) -> str:
    """Run send.py and return what it printed; a failure shows its stderr."""
    done = subprocess.run(
        [str(_VENV / "bin/python"), "-W", "ignore", "send.py", *arguments],
        cwd=FOLDER,
        env=lymer_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
