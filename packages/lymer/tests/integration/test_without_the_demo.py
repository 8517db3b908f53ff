"""An installation without the extra `demo`: everything works but `lymer demo`, which says why."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import lymer

_SOURCE = Path(lymer.__file__).parent


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what is installed here, of OpenTelemetry its messages only, as a `PYTHONPATH`."""
    folder = tmp_path_factory.mktemp("packages")
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if entry.name != "opentelemetry":
            (folder / entry.name).symlink_to(entry)
        else:
            (folder / "opentelemetry").mkdir()
            (folder / "opentelemetry" / "proto").symlink_to(entry / "proto")
    return f"{folder}:{_SOURCE.parent}"


def _run(packages: str, code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-S", "-c", code],
        env={"PYTHONPATH": packages},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_demo_says_which_command_installs_what_it_needs(packages: str) -> None:
    """In one sentence, before anything is started."""
    done = _run(packages, "from lymer.cli import main; main(['demo'])")

    assert done.returncode == 1
    assert "opentelemetry.sdk" in done.stderr
    assert f"{sys.executable} -m pip install 'lymer[demo]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_else_needs_the_sdk(packages: str) -> None:
    """Every module but the demo's is imported."""
    modules = [
        ".".join(["lymer", *file.relative_to(_SOURCE).with_suffix("").parts])
        for file in _SOURCE.rglob("*.py")
        if file.relative_to(_SOURCE).parts[0] not in {"demo", "__main__.py"}
    ]
    names = [name.removesuffix(".__init__") for name in modules]
    done = _run(packages, f"import importlib\nfor name in {names!r}: importlib.import_module(name)")

    assert done.returncode == 0, done.stderr
    assert len(names) > 200
