"""OpenTelemetry's Python exporters for Jaeger, in an environment of their own.

They ended in 2023 and need an SDK and a `protobuf` of their time.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from e2e.lymer_process import lymer_environment
from e2e.python_venv import install

__all__ = ["install_exporters", "run_exporter"]

FOLDER: Final = Path(__file__).parent / "python-exporters"
_VENV: Final = FOLDER / ".venv"


def install_exporters() -> None:
    """Make the environment that requirements.txt describes, unless that has been done."""
    install(FOLDER)


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
